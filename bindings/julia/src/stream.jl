# Writing states to an IO and reading them from one, without a copy in memory.

# The function that the library's callback calls with each piece, `move(pointer, count)`, and the exception it threw.
mutable struct Pieces
    move::Any
    failure::Any
end

# An exception must not leave a function that C calls.
function move_piece(context::Ptr{Cvoid}, bytes::Ptr{UInt8}, count::Csize_t)
    pieces = unsafe_pointer_to_objref(context)::Pieces
    try
        pieces.move(bytes, count)
        return Cint(0)
    catch failure
        pieces.failure = Some(failure)
        return Cint(1)
    end
end

# `call(callback, context)` calls the library; `move` gets the pieces. An IO may let other tasks run. This task has to
# continue on its thread, since the library is inside a call and has set the thread's floating-point mode.
function in_pieces(call, move)
    pieces, task = Pieces(move, nothing), current_task()
    sticky, task.sticky = task.sticky, true
    code = try
        GC.@preserve pieces call(@cfunction(move_piece, Cint, (Ptr{Cvoid}, Ptr{UInt8}, Csize_t)),
                                 pointer_from_objref(pieces))
    finally
        task.sticky = sticky
    end
    pieces.failure === nothing || throw(something(pieces.failure))
    check(code)
    return nothing
end

write_pieces(move, opt::Optimizer) =
    in_pieces(move) do callback, context
        @guard $(library().state_write)(opt::Ptr{Cvoid}, callback::Ptr{Cvoid}, context::Ptr{Cvoid})::Int32
    end

"""
    write(io::IO, opt::Lmada.Optimizer) -> bytes written
    write(filename, opt)

Writes the complete state, with options and parameter groups, piece by piece: the bytes of [`Lmada.save`](@ref), without
a copy in memory. Exceptions of `io` reach the caller, and `io` then has an incomplete state. Write to a new file, and
rename the file after `write` has returned.

    write("run.lmada.new", opt)
    mv("run.lmada.new", "run.lmada"; force = true)
    opt = read("run.lmada", Lmada.Optimizer)
"""
function Base.write(io::IO, opt::Optimizer)
    written = 0
    write_pieces(opt) do bytes, count
        unsafe_write(io, bytes, count)
        written += Int(count)
    end
    return written
end

# Owns the handle until an optimizer takes ownership. The library writes the handle into the field.
mutable struct Handle
    handle::Ptr{Cvoid}

    Handle() = finalizer(free, new(C_NULL))
end

function free(owner::Handle)
    @guard $(library().free)(owner.handle::Ptr{Cvoid})::Cvoid
    owner.handle = C_NULL
    return nothing
end

"""
    read(io::IO, Lmada.Optimizer) -> Lmada.Optimizer
    read(io::IO, Lmada.Optimizer{T})
    read(filename, Lmada.Optimizer)

Makes a new optimizer from a state of `write(io, opt)` or [`Lmada.save`](@ref), with the type, lengths, options,
learning rate and parameter groups of the state. The optimizer continues with the same bits. `read` reads no byte after
the state. A damaged state throws `BAD_STATE`. Exceptions of `io` reach the caller (an `EOFError` if the state is cut
short).
"""
function Base.read(io::IO, ::Type{Optimizer})
    owner, head = Handle(), Head()
    GC.@preserve owner begin
        out = Ptr{Ptr{Cvoid}}(pointer_from_objref(owner))    # its only field
        move(bytes, count) = (unsafe_read(io, bytes, count); take!(head, bytes, count))
        in_pieces(move) do callback, context
            @guard $(library().create_from_state)(callback::Ptr{Cvoid}, context::Ptr{Cvoid},
                                                  out::Ptr{Ptr{Cvoid}})::Int32
        end
    end
    return adopt(owner, lengths_of(head))
end

function Base.read(io::IO, ::Type{Optimizer{T}}) where {T}
    opt = read(io, Optimizer)
    opt isa Optimizer{T} && return opt
    close(opt)
    throw(ArgumentError("the state is one of an $(typeof(opt)), not of an Optimizer{$T}"))
end

function adopt(owner, blocks)
    config = Ref{Config}()
    check(@guard $(library().get_config)(owner.handle::Ptr{Cvoid}, config::Ref{Config}, sizeof(Config)::Csize_t)::Int32)
    # An interrupt between these two statements would leave the handle with two owners.
    return disable_sigint() do
        handle, owner.handle = owner.handle, C_NULL
        T = config[].dtype == dtype(Float32) ? Float32 : Float64
        return Optimizer{T}(handle, blocks)
    end
end

# Collects the first bytes of a state, up to the lengths of the blocks, which no function of the library returns. The
# package uses these bytes only after the library has checked the state. The saved format:
#
#     magic (8 bytes), version (4), number n of options (4), n options, steps, steps averaged, number of blocks, number
#     of groups (8 bytes each), checksum (4), the length of each block (8 bytes each)
mutable struct Head
    bytes::Vector{UInt8}
    wanted::Int    # length of the header in bytes, as far as the bytes so far determine it

    Head() = new(UInt8[], 16)
end

const SAVED_VERSION = 3

number_at(::Type{T}, head::Head, at) where {T} = GC.@preserve head unsafe_load(Ptr{T}(pointer(head.bytes, at)))

# The position of the numbers of steps, steps averaged, blocks and groups.
counts_at(head::Head) = 17 + 8 * Int(number_at(UInt32, head, 13))

function take!(head::Head, bytes::Ptr{UInt8}, count)
    taken = 0
    while taken < count && length(head.bytes) < head.wanted
        more = min(Int(count) - taken, head.wanted - length(head.bytes))
        append!(head.bytes, unsafe_wrap(Array, bytes + taken, more))
        taken += more
        length(head.bytes) == head.wanted && extend!(head)
    end
    return nothing
end

function extend!(head::Head)
    if head.wanted == 16
        head.wanted = counts_at(head) + 4 * 8 - 1
    elseif head.wanted == counts_at(head) + 4 * 8 - 1
        head.wanted += 4 + 8 * number_at(Int64, head, counts_at(head) + 2 * 8)
    end
end

# The lengths of the blocks. Call only after the library has accepted the state.
function lengths_of(head::Head)
    number_at(UInt32, head, 9) == SAVED_VERSION ||
        error("Lmada: the library has read a state of a format that this package does not know: update the package")
    blocks = number_at(Int64, head, counts_at(head) + 2 * 8)
    return Csize_t[number_at(UInt64, head, counts_at(head) + 4 * 8 + 4 + 8 * (block - 1)) for block in 1:blocks]
end
