# A step that processes take together, each with its share of the parameters. What crosses between them, and when, is
# that of lmada_mpi.h.

"""
    step!(opt, params, grads, comm) -> params

One step of a model that is split over the processes of `comm`, each of which has an optimizer for its share: an
`MPI.Comm` of MPI.jl, or an [`Lmada.Communicator`](@ref). `params` and `grads` are this process's share, as for
`step!(opt, params, grads)`; the loss is that of the whole batch. The result is that of one optimizer over the whole
model, up to the order of a sum.

All processes of `comm` make the call, with optimizers of the same options, learning rate and number of blocks, whose
lengths are those of the shares: `Lmada.Optimizer{T}([share])`, where `share` may be 0. What crosses between them is at
most `2 * history_size + 16` numbers a block (`3 * history_size + 16` with the clips by the average of updates),
whatever the model's size.

A call that throws does so on all processes, with the same [`LmadaError`](@ref), and has changed nothing on any. The
message names the process at fault. An exception of the communicator's own is thrown on, where it came up.
"""
step!(opt::Optimizer, params, grads, comm) = together!(status_of_step, apply!, opt, params, grads, comm)

"""
    direction!(opt, direction, grads, comm) -> direction

[`direction!`](@ref) for the processes of `comm` together, each with its share: see `step!(opt, params, grads, comm)`.
"""
function direction!(opt::Optimizer, direction::AbstractArray, grads::AbstractArray, comm)
    return together!(status_of_direction, apply_direction!, opt, direction, grads, comm)
end

# `whole` is the step in one call. What it checks of its arguments has to be known before the sum. It looks at them
# first and at the phase then: in the step that was just opened the answer to good ones is WRONG_PHASE.
function together!(whole, apply_piece!, opt, written, grads, comm)
    opened = false
    try
        solve!(opt, comm) do
            begin!(opt)
            opened = true
            code = whole(opt, written, grads)
            code == Int32(WRONG_PHASE) || check(code)
            grads isa Gradients && any(isnothing, grads) &&
                throw(ArgumentError("`nothing` stands for a gradient in a step of one process only: give zeros"))
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

# Once it is solved, nothing of a step may fail. Should another thread just be looking at the optimizer's stats, which
# makes it busy, it will be done in a moment.
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

[`Lmada.solve!`](@ref) for a step in phases that the processes of `comm` take together: adds up their partials, then
solves. For gradients that come in pieces; where they come whole, `step!(opt, params, grads, comm)` is all it needs.

`prepare()` is called first: what it throws, on whichever process, is an [`LmadaError`](@ref) for all of them. So what
may fail belongs in it:

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

The status of an `LmadaError` is kept; a `DimensionMismatch` becomes `DIMENSION_MISMATCH`, an `ArgumentError`
`INVALID_ARGUMENT`, anything else `CALLBACK`. As after any `solve!`, a step that was refused is still open.
"""
solve!(opt::Optimizer, comm) = solve!(() -> nothing, opt, comm)

# The first message has a length that every process knows, whatever its optimizer is like: how many failed; of the
# number of partials its last bits and their square, exact in a Float64; then the partials, or the first of them.
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

    # They differ where their variance is not 0: in whole numbers, so that all processes find the same.
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
        return in_a_moment(() -> solve!(opt, sums))    # from the same bits, so with the same answer
    catch failure
        failure isa LmadaError && failure.status == NON_FINITE || rethrow()
        throw(with_its_process(failure, opt, comm))
    end
end

# A gradient that is not finite is refused on all processes, but only the one that has the element can name it.
function with_its_process(failure, opt, comm)
    mine = in_a_moment(() -> stats(opt)).non_finite_index !== nothing
    size = comm_size(comm)
    comm_min(Cint(mine ? comm_rank(comm) : size), comm) == size && return failure
    return first_failure(mine ? failure : nothing, comm)
end

# What the first process that failed says, on all of them. The bytes: a status, then words that end with a zero.
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
