@testset "tasks" begin
    dim = 20_000
    rng = MersenneTwister(60)
    gradients = [randn(rng, Float32, dim) for _ in 1:12]

    @testset "different optimizers at once" begin
        function run()
            opt, w = Lmada.Optimizer(dim), zeros(Float32, dim)
            foreach(g -> step!(opt, w, g), gradients)
            return w
        end
        expected = run()
        @test all(==(expected), fetch.([Threads.@spawn(run()) for _ in 1:8]))
    end

    @testset "each task gets its own error" begin
        function fail(len)
            opt, w = Lmada.Optimizer(3), zeros(Float32, len)
            return all(1:200) do _
                failure = failure_of(() -> step!(opt, w, ones(Float32, len)))
                return failure.status == Lmada.DIMENSION_MISMATCH && occursin("$len", failure.message)
            end
        end
        @test all(fetch.([Threads.@spawn(fail(len)) for len in 1001:1008]))
    end

    @testset "two tasks on one optimizer: a step completes or is refused" begin
        opt = Lmada.Optimizer(dim)
        function hammer()
            w = zeros(Float32, dim)
            return [failure_of(() -> step!(opt, w, g)) for _ in 1:20 for g in gradients]
        end
        outcomes = vcat(fetch.([Threads.@spawn(hammer()) for _ in 1:2])...)
        taken = count(isnothing, outcomes)
        @test all(failure -> failure === nothing || failure.status == Lmada.BUSY, outcomes)
        @test taken == Lmada.stats(opt).steps
        @test taken >= 20 * length(gradients)
    end

    @testset "the same bits for any number of threads" begin
        d = 300_000
        long_gradients = [randn(rng, Float32, d) for _ in 1:3]
        function run(threads)
            opt, w = Lmada.Optimizer(d; threads = threads), zeros(Float32, d)
            foreach(g -> step!(opt, w, g), long_gradients)
            return w
        end
        @test run(1) == run(2) == run(0)
    end
end
