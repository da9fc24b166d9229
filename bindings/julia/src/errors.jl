"""
The kind of a failure: `NULL_POINTER`, `INVALID_ARGUMENT`, `DIMENSION_MISMATCH`, `NON_FINITE`, `OUT_OF_MEMORY`, `BUSY`,
`WRONG_PHASE`, `BAD_STATE`, `INTERNAL` or `CALLBACK`. `UNKNOWN` is a status that is newer than this package.
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
The exception of a failed call. `status` is the kind of failure; `message` names the argument and its value. The call
has changed nothing.

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

# The library keeps one message for each operating-system thread. A task changes threads only where it yields, and
# nothing yields between the failed call and this one. Finalizers may run in between, but they call only lmada_free,
# which does not change the message.
last_error() = unsafe_string(@ccall $(library().last_error)()::Cstring)

check(code::Int32) = code == Int32(OK) ? nothing : throw(LmadaError(known_status(code), last_error()))
