# How processes that hold a model together reach each other: MPI.jl's communicators, or whatever else can sum.

"""
    Lmada.Communicator

What joins processes that is not an `MPI.Comm`. A type of yours is a subtype and has three methods:

- `Lmada.comm_rank(comm) -> Int`: the number of this process, from 0
- `Lmada.comm_size(comm) -> Int`: how many there are
- `Lmada.comm_sum!(values::Vector{Float64}, comm)`: adds `values` up over the processes, element by element, in place
  and to the same bits on all. So it is made on one of them and sent to the others, or in the same order on each. Whole
  numbers up to 2^53 have to stay exact. All call it with vectors of the same length, in the same order.

Two more have a way through `comm_sum!` and are for those that know a better one. They are used where a step is refused:

- `Lmada.comm_min(number::Cint, comm)`: the smallest of the processes' numbers, each from 0 to `comm_size(comm)`
- `Lmada.comm_bcast!(bytes::Vector{UInt8}, root, comm)`: those of process `root`, for all

What they throw, the call that they are made for throws on.
"""
abstract type Communicator end

function comm_rank end
function comm_size end
function comm_sum! end

function comm_min(number, comm::Communicator)
    numbers = zeros(comm_size(comm))
    numbers[comm_rank(comm)+1] = number
    comm_sum!(numbers, comm)
    return minimum(numbers)
end

function comm_bcast!(bytes, root, comm::Communicator)
    values = comm_rank(comm) == root ? Vector{Float64}(bytes) : zeros(length(bytes))
    comm_sum!(values, comm)
    return copyto!(bytes, values)
end

communicator(comm::Communicator) = comm

const MPI_PACKAGE = Base.PkgId(Base.UUID("da04e1cc-30fd-572f-bb4f-1f8673147195"), "MPI")

# MPI.jl is no dependency: who has one of its communicators has the module that its type belongs to.
struct MPICommunicator{Comm} <: Communicator
    mpi::Module
    comm::Comm
end

function communicator(comm)
    mpi = Base.moduleroot(parentmodule(typeof(comm)))
    Base.PkgId(mpi) == MPI_PACKAGE && comm isa mpi.Comm && return MPICommunicator(mpi, comm)
    throw(ArgumentError("processes are joined by an MPI.Comm or an Lmada.Communicator, not by a $(typeof(comm))"))
end

# The forms of arguments that MPI.jl takes from 0.15 to 0.20: `root` was a keyword from 0.20 on, and is still taken so.
comm_rank(comm::MPICommunicator) = comm.mpi.Comm_rank(comm.comm)
comm_size(comm::MPICommunicator) = comm.mpi.Comm_size(comm.comm)

# No Allreduce: that may leave other bits on each process.
function comm_sum!(values, comm::MPICommunicator)
    comm.mpi.Reduce!(values, +, 0, comm.comm)
    comm.mpi.Bcast!(values, 0, comm.comm)
    return values
end

comm_min(number, comm::MPICommunicator) = comm.mpi.Allreduce(number, min, comm.comm)
comm_bcast!(bytes, root, comm::MPICommunicator) = comm.mpi.Bcast!(bytes, root, comm.comm)
