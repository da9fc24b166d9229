# Options that change between steps, parameter groups, missing gradients, schedules, memory.

@testset "changes between steps" begin
    rng = MersenneTwister(60)
    gradients = [randn(rng, Float32, 24) for _ in 1:12]

    @testset "options between steps" begin
        opt, other = Lmada.Optimizer(24; lr = 0.5), Lmada.Optimizer(24; lr = 0.25, eps = 1e-3, power = 0.25)
        @test Lmada.config(opt) == merge(Lmada.defaults(), (lr = 0.5,))
        @test Lmada.set_config!(opt; lr = 0.25, eps = 1e-3, power = 0.25) === opt
        @test Lmada.config(opt) == Lmada.config(other)
        w, v = zeros(Float32, 24), zeros(Float32, 24)
        for g in gradients
            step!(opt, w, g)
            step!(other, v, g)
        end
        @test w == v
        set_lr!(opt, 0.125)
        set_grad_scale!(opt, 8)
        @test Lmada.config(opt) == merge(Lmada.config(other), (lr = 0.125, grad_scale = 8.0))

        before = Lmada.config(opt)
        for options in ((history_size = 11,), (momentum_kind = :update,), (average_beta = 0.9,), (eps = -1,))
            failure = failure_of(() -> Lmada.set_config!(opt; lr = 0.01, options...))
            @test failure.status == Lmada.INVALID_ARGUMENT
            @test occursin(String(keys(options)[1]), failure.message)
        end
        @test_throws ArgumentError Lmada.set_config!(opt; learning_rate = 0.1)
        @test failure_of(() -> set_grad_scale!(opt, -1)).status == Lmada.INVALID_ARGUMENT
        @test Lmada.config(opt) == before
    end

    @testset "a scaled gradient is the gradient" begin
        opt, scaled = Lmada.Optimizer(24), Lmada.Optimizer(24; grad_scale = 2.0^-10)
        w, v = zeros(Float32, 24), zeros(Float32, 24)
        for (t, g) in enumerate(gradients)
            t == 6 && set_grad_scale!(scaled, 2.0^-12)
            step!(opt, w, g)
            step!(scaled, v, g .* (t < 6 ? 2f0^10 : 2f0^12))
        end
        @test v ≈ w rtol = 1e-6
    end

    @testset "refused steps" begin
        opt = Lmada.Optimizer(24)
        @test (Lmada.stats(opt).refused, Lmada.stats(opt).non_finite_index) == (0, nothing)
        bad = copy(gradients[1])
        bad[[7, 19]] .= (Inf32, NaN32)
        @test occursin("6", failure_of(() -> step!(opt, zeros(Float32, 24), bad)).message)
        @test failure_of(() -> step!(opt, zeros(Float32, 24), bad)).status == Lmada.NON_FINITE
        stats = Lmada.stats(opt)
        @test (stats.refused, stats.non_finite_index, stats.steps, stats.lr) == (2, 7, 0, 0.01)
        reset!(opt)
        @test Lmada.stats(opt).refused == 0
    end

    # Steps with groups, compared with steps by directions, which do not use groups.
    @testset "groups, $T" for T in (Float32, Float64)
        options = (lr = 0.1, weight_decay = 0.5, momentum_kind = :update)
        grouped, plain = Lmada.Optimizer{T}(24; options...), Lmada.Optimizer{T}(24; options...)
        groups = [Lmada.Group(17:24; lr_scale = 0), Lmada.Group(1:4; lr_scale = 2, weight_decay_scale = 0),
                  Lmada.Group(8:8; weight_decay_scale = 3)]
        @test set_groups!(grouped, groups) === grouped
        rates, decays = fill(0.1, 24), fill(0.5, 24)
        rates[1:4], decays[1:4], decays[8], rates[17:24] = fill(0.2, 4), zeros(4), 1.5, zeros(8)
        start = randn(rng, T, 24)
        w, v = copy(start), Float64.(start)
        for g in gradients
            frozen = T.(g)
            frozen[17:24] .= T(NaN)    # is not read
            step!(grouped, w, frozen)
            frozen[17:24] .= 0
            direction = direction!(plain, zeros(T, 24), frozen)
            v .= v .* (1 .- rates .* decays) .- rates .* direction
        end
        @test w ≈ v rtol = 20 * eps(T)
        @test w[17:24] == start[17:24]

        # Groups are saved, and kept until others are set.
        twin, again = copy(grouped), copy(w)
        step!(twin, again, T.(gradients[1]))
        reset!(grouped)
        @test again[17:24] == start[17:24]
        @test set_groups!(twin, ()) === twin
        step!(twin, again, T.(gradients[1]))
        @test all(again[17:24] .!= start[17:24])
    end

    @testset "mistakes in groups" begin
        opt = Lmada.Optimizer(24; lr = 0.5)
        state = Lmada.save(opt)
        for groups in ([Lmada.Group(20:25)], [Lmada.Group(1:5), Lmada.Group(5:6)], [Lmada.Group(1:2; lr_scale = -1)],
                       [Lmada.Group(1:2; weight_decay_scale = NaN)])
            @test failure_of(() -> set_groups!(opt, groups)).status == Lmada.INVALID_ARGUMENT
        end
        @test_throws ArgumentError Lmada.Group(0:3)
        @test Lmada.save(opt) == state
    end

    @testset "a missing gradient: $(nameof(typeof(list)))" for list in (collect, Tuple)
        opt, other = Lmada.Optimizer(24; weight_decay = 0.5), Lmada.Optimizer(24; weight_decay = 0.5)
        start = randn(rng, Float32, 24)
        w, v = list([start[1:10], start[11:24]]), copy(start)
        for g in gradients[1:3]
            step!(opt, w, list([g[1:10], nothing]))
            step!(other, v, vcat(g[1:10], zeros(Float32, 14)))
        end
        @test w[1] == v[1:10]
        @test w[2] == start[11:24]
        step!(opt, w, Any[nothing, gradients[4][11:24]])
        @test w[1] == v[1:10] && w[2] != start[11:24]
        @test_throws DimensionMismatch step!(opt, w, (gradients[1][1:10],))
    end

    @testset "schedules" begin
        @test Lmada.schedule(:constant, 0.3, 7; total = 10) == 0.3
        @test Lmada.schedule(:constant, 0.3, 11; total = 10) == 0
        @test Lmada.schedule(:linear, 1, 1; warmup = 4, total = 10) == 0.25
        @test Lmada.schedule(:linear, 1, 7; warmup = 4, total = 10) == 0.5
        for step in 4:10
            @test Lmada.schedule(:cosine, 2, step; warmup = 4, total = 10) ≈ 1 + cos(pi * (step - 4) / 6) atol = 1e-15
        end
        @test_throws ArgumentError Lmada.schedule(:step, 1, 1; total = 10)
        @test_throws ArgumentError Lmada.schedule(:linear, 1, 0; total = 10)
        @test_throws ArgumentError Lmada.schedule(:linear, -1, 1; total = 10)
        @test_throws ArgumentError Lmada.schedule(:linear, 1, 1; warmup = 11, total = 10)
    end

    @testset "memory" begin
        for (T, options) in ((Float32, (history_format = :int8, history_size = 20, threads = 1)),
                             (Float64, (momentum_kind = :gradient, average_beta = 0.9, threads = 1)))
            @test Lmada.memory(T, 5000; options...) == Lmada.stats(Lmada.Optimizer{T}(5000; options...)).state_bytes
        end
        @test Lmada.memory(5000) == Lmada.memory(Float32, 5000) < Lmada.memory(Float64, 5000)
        @test Lmada.memory(10^12; threads = 1) > 40 * 10^12
        @test_throws ArgumentError Lmada.memory(0)
        @test failure_of(() -> Lmada.memory(4; power = 2)).status == Lmada.INVALID_ARGUMENT
    end
end
