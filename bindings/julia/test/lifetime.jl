@testset "lifetime" begin
    @testset "close" begin
        opt = Lmada.Optimizer(4)
        @test isopen(opt)
        @test sprint(show, opt) == "Lmada.Optimizer{Float32}(4 parameters)"
        @test sprint(show, Lmada.Optimizer{Float64}([2, 3])) == "Lmada.Optimizer{Float64}(5 parameters in 2 blocks)"
        @test close(opt) === nothing
        @test close(opt) === nothing
        @test !isopen(opt)
        @test sprint(show, opt) == "Lmada.Optimizer{Float32}(closed)"
        finalize(opt)
        w = ones(Float32, 4)
        for call in (() -> step!(opt, w, ones(Float32, 4)), () -> step!(opt, [w], [ones(Float32, 4)]),
                     () -> reset!(opt), () -> Lmada.stats(opt), () -> Lmada.save(opt), () -> copy(opt),
                     () -> Lmada.begin!(opt), () -> Lmada.partials(opt))
            @test_throws ArgumentError call()
        end
        @test w == ones(Float32, 4)
    end

    @testset "the finalizer closes" begin
        opt = Lmada.Optimizer(4)
        finalize(opt)
        @test !isopen(opt)
        close(opt)
    end

    @testset "memory is released" begin
        dim = 500_000
        # Each writes 10 columns, 20 MB; all together write 1 GB.
        function use(release)
            opt, w, g = Lmada.Optimizer(dim), zeros(Float32, dim), ones(Float32, dim)
            for _ in 1:10
                step!(opt, w, g)
            end
            release(opt)
        end
        use(close)
        before = Sys.maxrss()
        for _ in 1:25
            use(close)
        end
        for _ in 1:25
            use(opt -> nothing)
            GC.gc()
        end
        @test Sys.maxrss() - before < 300_000_000
    end

    @testset "copies have their own state" begin
        rng = MersenneTwister(30)
        for duplicate in (copy, deepcopy)
            opt = Lmada.Optimizer([3, 5]; momentum_kind = :update, lr = 0.5)
            w = zeros(Float32, 8)
            foreach(_ -> step!(opt, w, randn(rng, Float32, 8)), 1:4)
            set_lr!(opt, 0.25)
            twin, v = duplicate(opt), copy(w)
            @test twin.handle != opt.handle
            @test Lmada.save(twin) == Lmada.save(opt)
            g = randn(rng, Float32, 8)
            @test step!(twin, v, g) == step!(opt, w, g)
            close(opt)
            step!(twin, v, g)
            @test Lmada.stats(twin).steps == 6
        end
        opt = Lmada.Optimizer(3)
        first_copy, second_copy = deepcopy((opt, opt))
        @test first_copy === second_copy
        @test first_copy !== opt
    end
end
