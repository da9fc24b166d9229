@testset "saved states" begin
    rng = MersenneTwister(50)
    gradients = [randn(rng, 40) for _ in 1:30]

    @testset "a resumed run has the same bits, $T" for T in (Float32, Float64)
        options = (history_size = 7, momentum_kind = :gradient, clip_kind = :graft_ema_vector)
        opt, w = Lmada.Optimizer{T}(40; options...), zeros(T, 40)
        foreach(g -> step!(opt, w, T.(g)), gradients[1:12])
        set_lr!(opt, 0.004)
        state, v = Lmada.save(opt), copy(w)
        foreach(g -> step!(opt, w, T.(g)), gradients[13:30])

        path = tempname()
        write(path, state)
        other = Lmada.Optimizer{T}(40; options...)
        @test Lmada.load!(other, read(path)) === other
        rm(path)
        @test Lmada.save(other) == state
        foreach(g -> step!(other, v, T.(g)), gradients[13:30])
        @test v == w
        @test Lmada.save(other) == Lmada.save(opt)
        @test Lmada.stats(other).steps == 30
    end

    @testset "mistakes" begin
        opt = Lmada.Optimizer(40)
        step!(opt, zeros(Float32, 40), Float32.(gradients[1]))
        state = Lmada.save(opt)
        status(opt, state) = failure_of(() -> Lmada.load!(opt, state)).status
        damaged = copy(state)
        damaged[end÷2] ⊻= 0x10
        for broken in (damaged, state[1:end-1], vcat(state, 0x00), UInt8[], zeros(UInt8, length(state)))
            @test status(opt, broken) == Lmada.BAD_STATE
        end
        @test status(Lmada.Optimizer(41), state) == Lmada.DIMENSION_MISMATCH
        @test status(Lmada.Optimizer(40; history_size = 11), state) == Lmada.DIMENSION_MISMATCH
        @test status(Lmada.Optimizer{Float64}(40), state) == Lmada.INVALID_ARGUMENT
        @test status(Lmada.Optimizer(40; momentum_kind = :update), state) == Lmada.INVALID_ARGUMENT
        @test_throws ArgumentError Lmada.load!(opt, view(repeat(state, inner = 2), 1:2:2length(state)))
        @test Lmada.save(opt) == state
    end
end
