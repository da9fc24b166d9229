# Arrays that a step accepts (any shape, views, lists of arrays) and arrays that it refuses.

@testset "arrays" begin
    rng = MersenneTwister(20)
    gradients = [randn(rng, Float32, 24) for _ in 1:5]
    start = randn(rng, Float32, 24)

    # The parameters after a step on arrays that `shape` makes from the vector `memory`.
    function run(shape)
        opt, w = Lmada.Optimizer(24), copy(start)
        for g in gradients
            step!(opt, shape(w), shape(g))
        end
        return w
    end
    expected = run(identity)
    @test expected != start

    @testset "shapes" begin
        @test run(w -> reshape(w, 4, 6)) == expected
        @test run(w -> reshape(w, 2, 3, 4)) == expected
        @test run(w -> view(w, :)) == expected
        @test run(w -> view(reshape(w, 4, 6), :, 1:6)) == expected
        @test run(w -> reshape(view(w, 1:24), 4, 6)) == expected
        @test run(w -> view(reshape(w, 24, 1), 1:24, 1)) == expected
        @test run(w -> reinterpret(Float32, reinterpret(UInt32, w))) == expected
    end

    @testset "lists" begin
        cut(w) = [view(w, 1:6), reshape(view(w, 7:18), 3, 4), view(w, 19:18), view(w, 19:24)]
        @test run(cut) == expected
        @test run(w -> Tuple(cut(w))) == expected
        matrix_and_vector(w) = (reshape(w[1:20], 4, 5), w[21:24])
        opt, w = Lmada.Optimizer(24), matrix_and_vector(start)
        for g in gradients
            @test step!(opt, w, matrix_and_vector(g)) === w
        end
        @test vcat(vec(w[1]), w[2]) == expected
    end

    @testset "direction" begin
        opt, direction = Lmada.Optimizer(24), zeros(Float32, 4, 6)
        other = Lmada.Optimizer(24)
        @test direction!(opt, direction, reshape(gradients[1], 4, 6)) === direction
        @test vec(direction) == direction!(other, zeros(Float32, 24), gradients[1])
    end

    @testset "mistakes" begin
        opt, w, g = Lmada.Optimizer(24), copy(start), gradients[1]
        state = Lmada.save(opt)
        @test_throws ArgumentError step!(opt, Float64.(w), g)
        @test_throws ArgumentError step!(opt, w, Float64.(g))
        @test_throws ArgumentError step!(Lmada.Optimizer{Float64}(24), w, g)
        @test_throws ArgumentError step!(opt, view(repeat(w, inner = 2), 1:2:48), g)
        @test_throws ArgumentError step!(opt, view(zeros(Float32, 5, 6), 1:4, :), reshape(g, 4, 6))
        @test_throws ArgumentError step!(opt, permutedims(reshape(w, 4, 6))', reshape(g, 4, 6))
        @test_throws ArgumentError step!(opt, w, 1:24)
        @test_throws ArgumentError direction!(opt, zeros(24), g)
        @test_throws DimensionMismatch step!(opt, w, g[1:23])
        @test_throws DimensionMismatch step!(opt, reshape(w, 4, 6), reshape(g, 6, 4))
        @test_throws DimensionMismatch step!(opt, [w[1:12], w[13:24]], [g])
        @test_throws DimensionMismatch step!(opt, [w[1:12], w[13:24]], [g[1:13], g[14:24]])
        message = message_of(() -> step!(opt, w, Float64.(g)))
        @test occursin("grads", message) && occursin("Float32", message) && occursin("Float64", message)
        message = message_of(() -> step!(opt, (w[1:12], zeros(12)), (g[1:12], g[13:24])))
        @test occursin("params[2]", message)

        failure = failure_of(() -> step!(opt, w[1:23], g[1:23]))
        @test failure.status == Lmada.DIMENSION_MISMATCH
        @test occursin("23", failure.message) && occursin("24", failure.message)
        @test failure_of(() -> step!(opt, [w[1:12], w[13:23]], [g[1:12], g[13:23]])).status == Lmada.DIMENSION_MISMATCH
        @test failure_of(() -> step!(opt, w, w)).status == Lmada.INVALID_ARGUMENT
        @test w == start
        @test Lmada.save(opt) == state
    end

    @testset "no allocation" begin
        allocated(opt, w, g) = @allocated step!(opt, w, g)
        directed(opt, u, g) = @allocated direction!(opt, u, g)
        for T in (Float32, Float64)
            opt, w, g = Lmada.Optimizer{T}(24), T.(start), T.(gradients[1])
            allocated(opt, w, g)
            @test allocated(opt, w, g) == 0
            directed(opt, w, g)
            @test directed(opt, w, g) == 0
        end
    end

    @test isempty(detect_ambiguities(Lmada))
end
