@testset "own rules and averages" begin
    rng = MersenneTwister(61)

    @testset "observe and precondition give the direction, $T" for T in (Float32, Float64)
        opt, other, reference = Lmada.Optimizer{T}(40), Lmada.Optimizer{T}(40), Reference(40)
        @test failure_of(() -> Lmada.precondition(opt, ones(T, 40))).status == Lmada.WRONG_PHASE
        for _ in 1:14
            g, v = randn(rng, T, 5, 8), randn(rng, T, 40)
            @test Lmada.observe!(opt, g) === opt
            expected = reference_direction!(reference, vec(g))
            state = Lmada.save(opt)
            @test norm(vec(Lmada.precondition(opt, g)) - expected) <= TOLERANCE[T] * norm(expected)
            @test size(Lmada.precondition(opt, g)) == (5, 8)

            # Another vector, compared with the singular value decomposition.
            F = svd(hcat(reference.window...))
            wanted = F.U * ((F.S .^ 2 .+ 1e-6) .^ -0.5 .* (F.U' * v))
            out = zeros(T, 40)
            @test Lmada.precondition!(opt, out, v) === out
            @test norm(out - wanted) <= TOLERANCE[T] * norm(wanted)
            @test Lmada.save(opt) == state
        end
        @test Lmada.stats(opt).steps == 14
        @test_throws DimensionMismatch Lmada.precondition!(opt, zeros(T, 39), zeros(T, 40))
        @test failure_of(() -> Lmada.precondition(opt, fill(T(NaN), 40))).status == Lmada.NON_FINITE
        @test failure_of(() -> Lmada.observe!(opt, zeros(T, 39))).status == Lmada.DIMENSION_MISMATCH
    end

    @testset "averaged parameters, $T" for T in (Float32, Float64)
        opt, w, average = Lmada.Optimizer{T}(24; average_beta = 0.75, lr = 0.5), randn(rng, T, 24), zeros(24)
        @test failure_of(() -> Lmada.averaged_params(opt)).status == Lmada.WRONG_PHASE
        for t in 1:9
            step!(opt, w, randn(rng, T, 24))
            average .= 0.75 .* average .+ 0.25 .* w
            @test Lmada.averaged_params(opt) ≈ average ./ (1 - 0.75^t) rtol = 8 * eps(T)
        end
        averages = Lmada.averaged_params(opt)
        out = (zeros(T, 4, 5), zeros(T, 4))
        @test Lmada.averaged_params!(opt, out) === out
        @test vcat(vec(out[1]), out[2]) == averages
        @test Lmada.averaged_params!(opt, zeros(T, 4, 6)) == reshape(averages, 4, 6)
        @test_throws DimensionMismatch Lmada.averaged_params!(opt, (zeros(T, 4), zeros(T, 4)))
        @test failure_of(() -> direction!(opt, zeros(T, 24), ones(T, 24))).status == Lmada.INVALID_ARGUMENT
        @test_throws ArgumentError Lmada.Rule(average_beta = 0.9)
        @test failure_of(() -> Lmada.averaged_params(Lmada.Optimizer{T}(4))).status == Lmada.WRONG_PHASE
    end
end
