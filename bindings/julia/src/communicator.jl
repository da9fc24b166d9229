# Communication between the processes that share a model: with MPI.jl's communicators, or with any type that can sum.

"""
    Lmada.Communicator

A communicator other than an `MPI.Comm`. Make a subtype with three methods:

- `Lmada.comm_rank(comm) -> Int`: the number of this process, from 0
- `Lmada.comm_size(comm) -> Int`: the number of processes
- `Lmada.comm_sum!(values::Vector{Float64}, comm)`: adds `values` over the processes, element by element, in place and
  to the same bits on all. To get the same bits, sum on one process and send the result to the others, or sum in the
  same order on each. Integers up to 2^53 have to stay exact. All processes call it with vectors of the same length, in
  the same order.

Two more methods have a default that uses `comm_sum!`. Define them if you have a faster way. They are used only for
refused steps:

- `Lmada.comm_min(number::Cint, comm)`: the smallest of the processes' numbers, each from 0 to `comm_size(comm)`
- `Lmada.comm_bcast!(bytes::Vector{UInt8}, root, comm)`: sends the bytes of process `root` to all

Exceptions of these methods reach the caller.
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

# MPI.jl is not a dependency: the type of a communicator gives the module MPI.
struct MPICommunicator{Comm} <: Communicator
    mpi::Module
    comm::Comm
end

function communicator(comm)
    mpi = Base.moduleroot(parentmodule(typeof(comm)))
    Base.PkgId(mpi) == MPI_PACKAGE && comm isa mpi.Comm && return MPICommunicator(mpi, comm)
    throw(ArgumentError("comm has to be an MPI.Comm or an Lmada.Communicator, not a $(typeof(comm))"))
end

# These calls work with MPI.jl from 0.15 to 0.20. From 0.20 on `root` is a keyword, but the positional form still works.
comm_rank(comm::MPICommunicator) = comm.mpi.Comm_rank(comm.comm)
comm_size(comm::MPICommunicator) = comm.mpi.Comm_size(comm.comm)

# Not an Allreduce, which may give different bits on each process.
function comm_sum!(values, comm::MPICommunicator)
    comm.mpi.Reduce!(values, +, 0, comm.comm)
    comm.mpi.Bcast!(values, 0, comm.comm)
    return values
end

comm_min(number, comm::MPICommunicator) = comm.mpi.Allreduce(number, min, comm.comm)
comm_bcast!(bytes, root, comm::MPICommunicator) = comm.mpi.Bcast!(bytes, root, comm.comm)
