# Ctrl-C must not abort a call of the library: the optimizer would stay busy for ever, while its workers would still use
# the caller's arrays.
#
# Julia throws an InterruptException at safepoints of its own code, so usually not inside a C call. But if Ctrl-C is
# pressed several times a second, or if it ends a script, Julia interrupts the main thread anywhere, with the signal
# SIGUSR2. Each call therefore blocks this signal, and Ctrl-C takes effect right after the call. (macOS and Windows use
# other mechanisms, which cannot be blocked.)

const HOLDS_INTERRUPTS = Sys.islinux()

# A sigset_t of Linux that contains SIGUSR2 (number 12). In C libraries it has 1,024 bits.
const HELD = Ref(ntuple(word -> word == 1 ? UInt64(1) << (12 - 1) : UInt64(0), 16))

const SIG_BLOCK, SIG_UNBLOCK = Cint(0), Cint(1)

# The number of calls that the main thread is inside of. While one call reads from or writes to an IO, others may begin
# and end.
const CALLS_HELD = Ref(0)

function hold_interrupts()
    CALLS_HELD[] += 1
    CALLS_HELD[] == 1 && mask_interrupts(SIG_BLOCK)
    return nothing
end

function release_interrupts()
    CALLS_HELD[] -= 1
    CALLS_HELD[] == 0 && mask_interrupts(SIG_UNBLOCK)
    return nothing
end

function mask_interrupts(how)
    HOLDS_INTERRUPTS || return nothing
    @ccall pthread_sigmask(how::Cint, HELD::Ref{NTuple{16,UInt64}}, C_NULL::Ptr{Cvoid})::Cint
    return nothing
end

"Makes `@ccall call` without interruption by Ctrl-C. The arguments must not yield to another task."
macro guard(call)
    return quote
        main = Threads.threadid() == 1    # the only thread that Julia interrupts
        main && hold_interrupts()
        try
            $(esc(:(@ccall $call)))
        finally
            main && release_interrupts()
        end
    end
end
