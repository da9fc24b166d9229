@testset "phases" begin
    rng = MersenneTwister(40)
    dim = 30
    gradients = [randn(rng, dim) for _ in 1:15]
    options = (history_size = 5, momentum_kind = :gradient, clip_kind = :ema_vector, weight_decay = 0.1)

    expected = zeros(dim)
    whole = Lmada.Optimizer{Float64}(dim; options...)
    foreach(g -> step!(whole, expected, g), gradients)

    @testset "pieces in any order, $T" for T in (Float32, Float64)
        opt, other = Lmada.Optimizer{T}(dim; options...), Lmada.Optimizer{T}(dim; options...)
        w, v = zeros(T, dim), zeros(T, dim)
        for g in map(g -> T.(g), gradients)
            step!(other, v, g)
            @test Lmada.begin!(opt) === opt
            @test Lmada.feed!(opt, g[11:30]; offset = 10) === opt
            Lmada.feed!(opt, T[]; offset = 30)
            Lmada.feed!(opt, reshape(g[1:10], 2, 5))
            @test Lmada.solve!(opt) === opt
            @test Lmada.stats(opt).grad_norm ≈ norm(g)
            for piece in (21:30, 1:3, 4:20)
                part = view(w, piece)
                @test Lmada.apply!(opt, part, view(g, piece); offset = first(piece) - 1) === part
            end
            @test Lmada.finish!(opt) === opt
        end
        @test w ≈ v rtol = 100 * eps(T)
    end

    @testset "directions in pieces" begin
        opt, other = Lmada.Optimizer{Float64}(dim; options...), Lmada.Optimizer{Float64}(dim; options...)
        u, in_one = zeros(dim), zeros(dim)
        for g in gradients
            direction!(other, in_one, g)
            Lmada.begin!(opt)
            Lmada.feed!(opt, g)
            @test failure_of(() -> Lmada.apply_direction!(opt, u, g)).status == Lmada.WRONG_PHASE
            Lmada.solve!(opt)
            for piece in (13:30, 1:12)
                part = view(u, piece)
                @test Lmada.apply_direction!(opt, part, g[piece]; offset = first(piece) - 1) === part
            end
            Lmada.finish!(opt)
            @test u == in_one
        end
        @test_throws DimensionMismatch Lmada.apply_direction!(opt, u, zeros(dim - 1))
        @test_throws ArgumentError Lmada.apply_direction!(opt, u, gradients[1]; offset = -1)
        @test Lmada.save(opt) == Lmada.save(other)
    end

    @testset "parameters split over processes" begin
        shares = (1:18, 19:30)
        opts = [Lmada.Optimizer{Float64}(length(share); options...) for share in shares]
        w = zeros(dim)
        for g in gradients
            sums = map(opts, shares) do opt, share
                Lmada.begin!(opt)
                Lmada.feed!(opt, g[share])
                return Lmada.partials(opt)
            end
            @test Lmada.partials(opts[1]) == sums[1]
            @test length(sums[1]) <= 3 * 5 + 16
            totals = sum(sums)
            for (opt, share) in zip(opts, shares)
                Lmada.solve!(opt, totals)
                Lmada.apply!(opt, view(w, share), g[share])
                Lmada.finish!(opt)
            end
        end
        @test w ≈ expected rtol = 1e-9
        @test Lmada.stats(opts[1]).update_norm ≈ Lmada.stats(whole).update_norm
    end

    @testset "partials are a copy" begin
        opt = Lmada.Optimizer(3)
        Lmada.begin!(opt)
        Lmada.feed!(opt, ones(Float32, 3))
        sums = Lmada.partials(opt)
        kept = copy(sums)
        close(opt)
        @test sums == kept
    end

    @testset "mistakes" begin
        opt, g, w = Lmada.Optimizer(3), ones(Float32, 3), zeros(Float32, 3)
        status(call) = failure_of(call).status
        @test status(() -> Lmada.feed!(opt, g)) == Lmada.WRONG_PHASE
        @test status(() -> Lmada.solve!(opt)) == Lmada.WRONG_PHASE
        @test status(() -> Lmada.cancel!(opt)) == Lmada.WRONG_PHASE
        Lmada.begin!(opt)
        @test status(() -> Lmada.begin!(opt)) == Lmada.WRONG_PHASE
        @test status(() -> step!(opt, w, g)) == Lmada.WRONG_PHASE
        @test status(() -> set_lr!(opt, 0.1)) == Lmada.WRONG_PHASE
        @test status(() -> Lmada.save(opt)) == Lmada.WRONG_PHASE
        @test status(() -> Lmada.feed!(opt, g; offset = 1)) == Lmada.INVALID_ARGUMENT
        @test_throws ArgumentError Lmada.feed!(opt, g; offset = -1)
        @test_throws ArgumentError Lmada.feed!(opt, ones(3))
        Lmada.feed!(opt, g[1:2])
        @test status(() -> Lmada.feed!(opt, g[1:2]; offset = 1)) == Lmada.INVALID_ARGUMENT
        @test status(() -> Lmada.partials(opt)) == Lmada.WRONG_PHASE
        Lmada.feed!(opt, g[3:3]; offset = 2)
        @test_throws DimensionMismatch Lmada.solve!(opt, zeros(2))
        Lmada.solve!(opt)
        @test_throws DimensionMismatch Lmada.apply!(opt, w, g[1:2])
        @test status(() -> Lmada.apply!(opt, w, g; offset = 1)) == Lmada.INVALID_ARGUMENT
        Lmada.apply!(opt, view(w, 1:1), g[1:1])
        @test status(() -> Lmada.finish!(opt)) == Lmada.WRONG_PHASE
        @test status(() -> Lmada.cancel!(opt)) == Lmada.WRONG_PHASE
        Lmada.apply!(opt, view(w, 2:3), g[2:3]; offset = 1)
        Lmada.finish!(opt)
        @test w == step!(Lmada.Optimizer(3), zeros(Float32, 3), g)
    end

    @testset "cancel" begin
        opt, w = Lmada.Optimizer(3), zeros(Float32, 3)
        state = Lmada.save(opt)
        Lmada.begin!(opt)
        Lmada.feed!(opt, Float32[1, NaN, 1])
        @test failure_of(() -> Lmada.solve!(opt)).status == Lmada.NON_FINITE
        @test failure_of(() -> Lmada.apply!(opt, w, ones(Float32, 3))).status == Lmada.WRONG_PHASE
        @test Lmada.cancel!(opt) === opt
        @test Lmada.save(opt) == state
    end
end
