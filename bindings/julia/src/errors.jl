"""
Why a call of the library failed: `NULL_POINTER`, `INVALID_ARGUMENT`, `DIMENSION_MISMATCH`, `NON_FINITE`,
`OUT_OF_MEMORY`, `BUSY`, `WRONG_PHASE`, `BAD_STATE`, `INTERNAL` or `CALLBACK`; `UNKNOWN` is a reason that this package
is too old to know.
"""
@enum Status::Int32 begin
    UNKNOWN = -1
    OK
    NULL_POINTER
    INVALID_ARGUMENT
    DIMENSION_MISMATCH
    NON_FINITE
    OUT_OF_MEMORY
    BUSY
    WRONG_PHASE
    BAD_STATE
    INTERNAL
    CALLBACK
end

known_status(code) = Int32(OK) <= code <= Int32(CALLBACK) ? Status(code) : UNKNOWN

"""
What the library throws: `status` says which kind of failure it was, `message` in words which argument was wrong and
what it was. The call has changed nothing.

    try
        step!(opt, w, g)
    catch failure
        failure isa LmadaError && failure.status == Lmada.NON_FINITE || rethrow()
        # skip this batch
    end
"""
struct LmadaError <: Exception
    status::Status
    message::String
end

Base.showerror(io::IO, failure::LmadaError) = print(io, "LmadaError (", failure.status, "): ", failure.message)

# The library keeps its message by operating-system thread. A task changes threads only where it yields, and nothing
# does between the call that failed and this one. Finalizers may run in between; they call lmada_free, which has no
# message.
last_error() = unsafe_string(@ccall $(library().last_error)()::Cstring)

check(code::Int32) = code == Int32(OK) ? nothing : throw(LmadaError(known_status(code), last_error()))
