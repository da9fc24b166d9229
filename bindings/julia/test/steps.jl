# Steps compared with the reference, in both types.

const TOLERANCE = Dict(Float32 => 2e-6, Float64 => 1e-10)

const VARIANTS = ((;),
                  (eps = 1e-2, power = 0.25),
                  (eps_on_root = true, eps_relative = 1e-3),
                  (history_decay = 0.9, eps_relative = 1e-4),
                  (centered = true, orthogonal_scale = 0.5),
                  (momentum_kind = :gradient, orthogonal_scale = 1.0),
                  (momentum_kind = :gradient, bias_correction = false, centered = true),
                  (momentum_kind = :update, momentum = 0.8),
                  (momentum_kind = :update, bias_correction = false, clip_kind = :norm, clip_norm = 0.5),
                  (momentum_kind = :window,),
                  (momentum_kind = :window, history_decay = 0.95, bias_correction = false),
                  (clip_kind = :norm, clip_norm = 0.7),
                  (clip_kind = :ema_norm, clip_factor = 0.9, clip_beta = 0.8),
                  (clip_kind = :graft_ema_norm, clip_beta = 0.7),
                  (clip_kind = :ema_vector, clip_beta = 0.6),
                  (clip_kind = :graft_ema_vector, clip_beta = 0.6),
                  (grad_scale = 0.25, eps = 1e-2),
                  (grad_clip_norm = 20, momentum_kind = :gradient, orthogonal_scale = 1.0),
                  (grad_scale = 0.5, grad_clip_norm = 11, momentum_kind = :window))

@testset "steps" begin
    dim, history, steps = 60, 6, 20

    @testset "$T $variant" for T in (Float32, Float64), variant in VARIANTS
        rng = MersenneTwister(7)
        options = (history_size = history, lr = 0.03, weight_decay = 0.1, variant...)
        mover, director = Lmada.Optimizer{T}(dim; options...), Lmada.Optimizer{T}(dim; options...)
        reference = Reference(dim; options...)
        w, direction = randn(rng, T, dim), zeros(T, dim)
        for _ in 1:steps
            g = randn(rng, T, dim) .* T(3)
            before = Float64.(w)
            expected = reference_direction!(reference, g)
            @test direction!(director, direction, g) === direction
            @test norm(direction - expected) <= TOLERANCE[T] * norm(expected)

            @test step!(mover, w, g) === w
            moved = before .* (1 - 0.03 * 0.1) .- 0.03 .* expected
            @test norm(w - moved) <= 2 * eps(T) * norm(before) + TOLERANCE[T] * norm(moved - before)
        end
        stats = Lmada.stats(mover)
        @test stats == Lmada.stats(director)
        @test (stats.steps, stats.history_len) == (steps, history)
    end

    @testset "format $format" for format in (:full, :bf16, :f16, :int8, :sparse)
        opt = Lmada.Optimizer{Float32}(4; history_format = format, density = 1)
        # Each format stores this gradient exactly: the first update is parallel to the gradient, with length 1.
        w = Float32[1, 2, 3, 4]
        step!(opt, w, Float32[127, -127, 127, -127])
        @test w ≈ Float32[0.995, 2.005, 2.995, 4.005]
        before = norm(w)
        foreach(_ -> step!(opt, w, copy(w)), 1:20)
        @test norm(w) < before
        @test Lmada.stats(opt).steps == 21
    end

    @testset "a run of many steps" begin
        rng = MersenneTwister(8)
        opt, reference = Lmada.Optimizer{Float64}(dim; lr = 0.1), Reference(dim; lr = 0.1)
        start = randn(rng, dim)
        w, v = copy(start), copy(start)
        scales = exp.(randn(rng, dim))
        for _ in 1:300
            noise = randn(rng, dim)
            step!(opt, w, scales .* w .+ noise)
            reference_step!(reference, v, scales .* v .+ noise)
        end
        @test w ≈ v rtol = 1e-9
        @test norm(w) < 0.5 * norm(start)
    end

    @testset "blocks step like separate optimizers" begin
        rng = MersenneTwister(9)
        lens = [5, 0, 12]
        together, apart = Lmada.Optimizer(lens), [Lmada.Optimizer(5), Lmada.Optimizer(12)]
        @test length(together) == 17
        w = randn(rng, Float32, 17)
        parts = [w[1:5], w[6:17]]
        for _ in 1:12
            g = randn(rng, Float32, 17)
            step!(together, w, g)
            step!(apart[1], parts[1], g[1:5])
            step!(apart[2], parts[2], g[6:17])
        end
        @test w == vcat(parts...)
    end

    @testset "stats" begin
        opt = Lmada.Optimizer(3; clip_kind = :norm, clip_norm = 0.5, eps = 0)
        @test Lmada.stats(opt).steps == 0
        @test Lmada.stats(opt).scale == 1
        step!(opt, zeros(Float32, 3), Float32[3, 0, 4])
        stats = Lmada.stats(opt)
        @test stats.grad_norm ≈ 5
        @test stats.update_norm ≈ 1
        @test stats.scale ≈ 0.5
        @test stats.eig_max ≈ 25
        @test stats.eig_min ≈ 25
        @test (stats.steps, stats.history_len, stats.rank) === (1, 1, 1)
        @test stats.state_bytes >= 10 * 3 * sizeof(Float32)
    end

    @testset "learning rate" begin
        opt, w = Lmada.Optimizer(2; eps = 0), zeros(Float32, 2)
        @test set_lr!(opt, 2) === opt
        step!(opt, w, Float32[0, 1])
        @test w ≈ [0, -2]
        reset!(opt)
        step!(opt, w, Float32[0, 1])
        @test w ≈ [0, -4]
        @test failure_of(() -> set_lr!(opt, NaN)).status == Lmada.INVALID_ARGUMENT
    end

    @testset "reset" begin
        rng = MersenneTwister(10)
        gradients = [randn(rng, Float32, 8) for _ in 1:5]
        run!(opt) = (w = ones(Float32, 8); foreach(g -> step!(opt, w, g), gradients); w)
        opt = Lmada.Optimizer(8; momentum_kind = :gradient, clip_kind = :ema_norm)
        first_run = run!(opt)
        @test reset!(opt) === opt
        @test Lmada.stats(opt).steps == 0
        @test run!(opt) == first_run
    end

    @testset "a refused step changes nothing" begin
        opt, w = Lmada.Optimizer(4), Float32[1, 2, 3, 4]
        step!(opt, w, ones(Float32, 4))
        before, state = copy(w), Lmada.save(opt)
        failure = failure_of(() -> step!(opt, w, Float32[1, NaN, 1, 1]))
        @test failure.status == Lmada.NON_FINITE
        @test !isempty(failure.message)
        @test sprint(showerror, failure) == "LmadaError (NON_FINITE): $(failure.message)"
        @test w == before
        @test Lmada.save(opt) == state
        @test failure_of(() -> step!(opt, w, ones(Float32, 4))) === nothing
    end
end
