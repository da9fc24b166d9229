# Ctrl-C does not leave a call of the library half-way: the optimizer would be busy for ever, while its threads go on
# with arrays that may be gone.
#
# Julia throws an InterruptException where its own code is at a safe point, so not within a call of C. But where Ctrl-C
# is pressed several times a second, or ends a script, Julia takes the main thread out of whatever it is in, by the
# signal SIGUSR2. That signal waits while a call is under way: Ctrl-C comes right after it. (How Julia does it on macOS
# and on Windows cannot be held off.)

const HOLDS_INTERRUPTS = Sys.islinux()

# A sigset_t of Linux with SIGUSR2, number 12, in it; in C libraries it has 1,024 bits.
const HELD = Ref(ntuple(word -> word == 1 ? UInt64(1) << (12 - 1) : UInt64(0), 16))

const SIG_BLOCK, SIG_UNBLOCK = Cint(0), Cint(1)

function hold_interrupts(how)
    HOLDS_INTERRUPTS || return nothing
    @ccall pthread_sigmask(how::Cint, HELD::Ref{NTuple{16,UInt64}}, C_NULL::Ptr{Cvoid})::Cint
    return nothing
end

"`@ccall call`, which Ctrl-C lets come to its end. What computes the arguments may not yield to another task."
macro whole(call)
    return quote
        main = Threads.threadid() == 1    # the only thread that is ever taken out of a call
        main && hold_interrupts(SIG_BLOCK)
        try
            $(esc(:(@ccall $call)))
        finally
            main && hold_interrupts(SIG_UNBLOCK)
        end
    end
end
