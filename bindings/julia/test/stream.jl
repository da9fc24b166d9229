# Writing states to an IO and reading them from one.

# An IO that fails after `left` bytes.
mutable struct Failing <: IO
    inner::IOBuffer
    left::Int
end

struct OutOfPaper <: Exception end

function Base.unsafe_write(io::Failing, bytes::Ptr{UInt8}, count::UInt)
    (io.left -= Int(count)) >= 0 || throw(OutOfPaper())
    yield()    # as a socket may
    return unsafe_write(io.inner, bytes, count)
end

function Base.unsafe_read(io::Failing, bytes::Ptr{UInt8}, count::UInt)
    (io.left -= Int(count)) >= 0 || throw(OutOfPaper())
    yield()
    return unsafe_read(io.inner, bytes, count)
end

@testset "streamed states" begin
    rng = MersenneTwister(63)
    options = (history_size = 7, momentum_kind = :gradient, clip_kind = :graft_ema_norm, average_beta = 0.5)

    function trained(T, blocks)
        opt, w = Lmada.Optimizer{T}(blocks; options...), randn(rng, T, sum(blocks))
        foreach(_ -> step!(opt, w, randn(rng, T, length(w))), 1:9)
        Lmada.set_config!(opt; lr = 0.03, weight_decay = 0.25)
        set_groups!(opt, [Lmada.Group(2:3; lr_scale = 0)])
        return opt, w
    end

    @testset "the bytes of a saved state, $T" for T in (Float32, Float64)
        for blocks in ([5000], [3, 0, 4000, 6], ones(Int, 300))
            opt, w = trained(T, blocks)
            stream = IOBuffer()
            @test write(stream, opt) == length(Lmada.save(opt))
            write(stream, "and more")
            @test take!(copy(stream))[1:end-8] == Lmada.save(opt)

            seekstart(stream)
            other, v, g = read(stream, Lmada.Optimizer), copy(w), randn(rng, T, length(w))
            @test read(stream, String) == "and more"
            @test other isa Lmada.Optimizer{T} && other.blocks == blocks
            @test Lmada.config(other) == Lmada.config(opt)
            @test Lmada.save(other) == Lmada.save(opt)
            step!(opt, w, g)
            close(opt)
            @test step!(other, v, g) == w
            @test Lmada.averaged_params(other) != v
        end
    end

    @testset "files" begin
        opt, _ = trained(Float64, [300])
        mktempdir() do place
            path = joinpath(place, "run.lmada")
            @test write(path, opt) == filesize(path)
            @test Lmada.save(read(path, Lmada.Optimizer)) == Lmada.save(opt)
            @test Lmada.save(read(path, Lmada.Optimizer{Float64})) == Lmada.save(opt)
            @test_throws ArgumentError read(path, Lmada.Optimizer{Float32})
            loaded = Lmada.Optimizer{Float64}(300; options..., weight_decay = 0.25)
            @test Lmada.save(Lmada.load!(loaded, read(path))) == Lmada.save(opt)
        end
    end

    @testset "an IO that fails" begin
        opt, _ = trained(Float32, [3000])
        state = Lmada.save(opt)
        for left in (0, 5, 100, length(state) ÷ 2, length(state) - 1)
            @test_throws OutOfPaper write(Failing(IOBuffer(), left), opt)
            @test_throws OutOfPaper read(Failing(IOBuffer(state), left), Lmada.Optimizer)
            @test_throws EOFError read(IOBuffer(state[1:left]), Lmada.Optimizer)
        end
        @test Lmada.save(opt) == state
        whole = Failing(IOBuffer(state), length(state))
        @test Lmada.save(read(whole, Lmada.Optimizer)) == state
        @test_throws InterruptException Lmada.write_pieces((bytes, count) -> throw(InterruptException()), opt)
        @test write(Failing(IOBuffer(), length(state)), opt) == length(state)
    end

    @testset "forged states" begin
        opt, _ = trained(Float32, [300])
        state = Lmada.save(opt)
        for at in (1, 9, 13, 40, 200, 300, length(state) ÷ 2, length(state))
            damaged = copy(state)
            damaged[at] ⊻= 0x40
            @test failure_of(() -> read(IOBuffer(damaged), Lmada.Optimizer)).status == Lmada.BAD_STATE
        end
    end

    @testset "not during other calls" begin
        opt, _ = trained(Float32, [300])
        busy = []
        Lmada.write_pieces(opt) do bytes, count
            push!(busy, failure_of(() -> set_lr!(opt, 1)).status)
            set_lr!(Lmada.Optimizer(3), 1)    # other optimizers are usable
        end
        @test unique(busy) == [Lmada.BUSY]
        Lmada.begin!(opt)
        @test failure_of(() -> write(IOBuffer(), opt)).status == Lmada.WRONG_PHASE
        close(opt)
        @test_throws ArgumentError write(IOBuffer(), opt)
    end

    # Tasks that write in turns leave no signal blocked, and each has its own state.
    @testset "several tasks at a time" begin
        opts = [trained(Float32, [100 * i])[1] for i in 1:4]
        streams = [Failing(IOBuffer(), typemax(Int)) for _ in opts]
        @sync for (stream, opt) in zip(streams, opts)
            @async write(stream, opt)
        end
        for (stream, opt) in zip(streams, opts)
            @test take!(stream.inner) == Lmada.save(opt)
        end
        @test Lmada.CALLS_HELD[] == 0
    end
end
