# A step that processes take together, each with its share of the parameters. The messages between the processes are
# those of lmada_mpi.h.

"""
    step!(opt, params, grads, comm) -> params

One step of a model that is split over the processes of `comm`, each of which has an optimizer for its share. `comm` is
an `MPI.Comm` of MPI.jl or an [`Lmada.Communicator`](@ref). `params` and `grads` are this process's share, as for
`step!(opt, params, grads)`. The gradient is that of the loss over the complete batch. The result is that of one
optimizer over the complete model, up to the order of a sum.

All processes of `comm` make the call. Their optimizers have the same options, learning rate and number of blocks, and
the lengths of their shares: `Lmada.Optimizer{T}([share])`, where `share` may be 0. The processes exchange at most
`2 * history_size + 16` numbers for each block (`3 * history_size + 16` with the clips by the average of updates), for
models of any size.

If the call throws, it throws the same [`LmadaError`](@ref) on all processes and has changed nothing on any. The message
names the process that caused the failure. Exceptions of the communicator reach the caller on their process.
"""
step!(opt::Optimizer, params, grads, comm) = together!(status_of_step, apply!, opt, params, grads, comm)

"""
    direction!(opt, direction, grads, comm) -> direction

[`direction!`](@ref) over the processes of `comm`, each with its share: see `step!(opt, params, grads, comm)`.
"""
function direction!(opt::Optimizer, direction::AbstractArray, grads::AbstractArray, comm)
    return together!(status_of_direction, apply_direction!, opt, direction, grads, comm)
end

# `one_call` is the step in one call. Here it only checks its arguments, before the sum: it checks arguments first and
# the phase second, so inside the open step it returns WRONG_PHASE for valid arguments.
function together!(one_call, apply_piece!, opt, written, grads, comm)
    opened = false
    try
        solve!(opt, comm) do
            begin!(opt)
            opened = true
            code = one_call(opt, written, grads)
            code == Int32(WRONG_PHASE) || check(code)
            grads isa Gradients && any(isnothing, grads) &&
                throw(ArgumentError("a gradient can be `nothing` only in a step of one process: pass zeros"))
            each_piece((offset, piece) -> feed!(opt, piece; offset = offset), grads)
        end
    catch
        opened && in_a_moment(() -> cancel!(opt))
        rethrow()
    end
    disable_sigint() do    # all processes apply the step, or none
        each_piece(written, grads) do offset, piece, gradient
            in_a_moment(() -> apply_piece!(opt, piece, gradient; offset = offset))
        end
        in_a_moment(() -> finish!(opt))
    end
    return written
end

function each_piece(visit, lists...)
    offset = 0
    for pieces in zip(map(list -> list isa Gradients ? arrays(list) : (list,), lists)...)
        visit(offset, pieces...)
        offset += length(pieces[1])
    end
end

# After the solve, no call of a step may fail. If another thread reads the optimizer's statistics, the optimizer is busy
# for a moment: try again.
function in_a_moment(call)
    while true
        try
            return call()
        catch failure
            failure isa LmadaError && failure.status == BUSY || rethrow()
        end
        yield()
    end
end

"""
    Lmada.solve!(opt, comm)
    Lmada.solve!(prepare, opt, comm)

[`Lmada.solve!`](@ref) for a step in phases over the processes of `comm`: sums their partials, then solves. Use it for
gradients that come in pieces. For complete gradients call `step!(opt, params, grads, comm)`.

`solve!` calls `prepare()` first. An exception of `prepare` on any process becomes an [`LmadaError`](@ref) on all
processes. Put the code that may fail into `prepare`:

    try
        Lmada.solve!(opt, comm) do
            Lmada.begin!(opt)
            for layer in reverse(layers)    # while the backward pass goes on to the layer before
                Lmada.feed!(opt, backward(layer); offset = layer.offset)
            end
        end
    catch
        Lmada.cancel!(opt)
        rethrow()
    end
    Lmada.apply!(opt, params, grads)
    Lmada.finish!(opt)

The `LmadaError` has the status of an `LmadaError` in `prepare`. A `DimensionMismatch` becomes `DIMENSION_MISMATCH`, an
`ArgumentError` becomes `INVALID_ARGUMENT`, and any other exception `CALLBACK`. A refused step is still open, as after
any `solve!`.
"""
solve!(opt::Optimizer, comm) = solve!(() -> nothing, opt, comm)

# The first message has the same length on every process, for all optimizers. It contains the number of failures; the
# last bits of the number of partials and their square, exact in a Float64; and the first partials.
const MESSAGE = 128
const HEAD = 3

# The length of a sum in MPI is a C int.
const LONGEST_SUM = 1 << 24

function solve!(prepare, opt::Optimizer, comm)
    comm = communicator(comm)
    failure, sums = nothing, Float64[]
    try
        prepare()
        sums = partials(opt)
    catch caught
        failure = caught
    end
    first = min(length(sums), MESSAGE - HEAD)
    message = zeros(MESSAGE)
    bits = length(sums) & 0xffff
    failure === nothing ? (message[2:3] = [bits, bits^2]) : (message[1] = 1)
    copyto!(message, HEAD + 1, sums, 1, first)
    comm_sum!(message, comm)
    message[1] > 0 && throw(first_failure(failure, comm))

    # The numbers of partials differ if their variance is not 0. Integers are exact, so all processes agree.
    total, squares = UInt64(message[2]), UInt64(message[3])
    if squares * comm_size(comm) != total^2
        throw(LmadaError(INVALID_ARGUMENT, "the optimizers of comm have different numbers of partials " *
                                           "($(length(sums)) here): they differ in options, blocks or version " *
                                           "of the library"))
    end
    copyto!(sums, 1, message, HEAD + 1, first)
    for start in first+1:LONGEST_SUM:length(sums)
        rest = start:min(start + LONGEST_SUM - 1, length(sums))
        sums[rest] = comm_sum!(sums[rest], comm)
    end
    try
        return in_a_moment(() -> solve!(opt, sums))    # from the same bits, so with the same result
    catch failure
        failure isa LmadaError && failure.status == NON_FINITE || rethrow()
        throw(with_its_process(failure, opt, comm))
    end
end

# All processes refuse a gradient that is not finite, but only the process with the element can name it.
function with_its_process(failure, opt, comm)
    mine = in_a_moment(() -> stats(opt)).non_finite_index !== nothing
    size = comm_size(comm)
    comm_min(Cint(mine ? comm_rank(comm) : size), comm) == size && return failure
    return first_failure(mine ? failure : nothing, comm)
end

# Sends the error of the first process that failed to all. The bytes are a status, then a message that ends with a zero.
const WORDS = 640

function first_failure(failure, comm)
    rank = comm_rank(comm)
    first = Int(comm_min(Cint(failure === nothing ? comm_size(comm) : rank), comm))
    bytes = zeros(UInt8, sizeof(Int32) + WORDS)
    if rank == first
        words = words_of(failure)
        words = "process $rank: " * SubString(words, 1, thisind(words, min(512, ncodeunits(words))))
        copyto!(bytes, reinterpret(UInt8, [Int32(status_of(failure))]))
        copyto!(bytes, sizeof(Int32) + 1, codeunits(words))
    end
    comm_bcast!(bytes, first, comm)
    status, words = reinterpret(Int32, bytes[1:sizeof(Int32)])[1], bytes[sizeof(Int32)+1:end]
    return LmadaError(known_status(status), String(words[1:something(findfirst(iszero, words), WORDS + 1)-1]))
end

status_of(failure::LmadaError) = failure.status
status_of(::DimensionMismatch) = DIMENSION_MISMATCH
status_of(::ArgumentError) = INVALID_ARGUMENT
status_of(_) = CALLBACK

words_of(failure::LmadaError) = failure.message
words_of(failure) = sprint(showerror, failure)
