# Makes optimizers and closes none of them, in an address space that is too small for two. Julia's garbage collector
# does not see their memory.

using Lmada

const DIM = 8_000_000
const SIZE = 3 * 8 * DIM    # bytes of two gradients and an average, the minimum

make() = Lmada.Optimizer{Float64}(DIM; history_size = 2, momentum_kind = :update, threads = 1)

close(make())
GC.gc()
pages = parse(Int, split(read("/proc/self/statm", String))[1])
limit = UInt64(pages * 4096 + 3 * SIZE ÷ 2)
const RLIMIT_AS = 9
@assert ccall(:setrlimit, Cint, (Cint, Ptr{UInt64}), RLIMIT_AS, [limit, limit]) == 0
for _ in 1:10
    make()
end
try
    Lmada.Optimizer{Float64}(20 * DIM)
    exit(1)
catch failure
    failure isa LmadaError && failure.status == Lmada.OUT_OF_MEMORY || rethrow()
end
