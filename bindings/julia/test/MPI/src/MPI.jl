# The functions of MPI.jl that Lmada uses, with the signatures common to versions 0.15 to 0.20, for tasks of one
# process.
module MPI

include("../../meeting.jl")

mutable struct Comm
    meeting::Meeting
    rank::Int
    calls::Vector{Symbol}
    fails::Bool
end

struct MPIError <: Exception
    code::Cint
end

struct Request end

world(size) = (meeting = Meeting(size); [Comm(meeting, rank, Symbol[], false) for rank in 0:size-1])

function exchange(call, what, value, comm)
    push!(comm.calls, call)
    comm.fails && throw(MPIError(15))
    return meet(comm.meeting, comm.rank, (call, what), value)
end

Comm_rank(comm::Comm) = comm.rank
Comm_size(comm::Comm) = length(comm.meeting.given)

function Reduce!(buf::Array, op, root::Integer, comm::Comm)
    buffers = exchange(:Reduce!, (op, root, eltype(buf)), buf, comm)
    comm.rank == root && copyto!(buf, reduce((a, b) -> op.(a, b), buffers))
    return nothing
end

function Bcast!(buf::Array, root::Integer, comm::Comm)
    return copyto!(buf, exchange(:Bcast!, (root, eltype(buf)), buf, comm)[root+1])
end

Allreduce(obj::T, op, comm::Comm) where {T<:Union{Cint,Float64}} =
    reduce(op, exchange(:Allreduce, (op, T), obj, comm))::T

end
