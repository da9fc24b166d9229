# Gradients in bfloat16, compared with steps on the same numbers as Float32.

primitive type Brain16 16 end

@testset "bfloat16" begin
    rng = MersenneTwister(62)
    upper(x::Float32) = UInt16(reinterpret(UInt32, x) >> 16)
    widened(bits::UInt16) = reinterpret(Float32, UInt32(bits) << 16)
    # Rounds to nearest, ties to even.
    function rounded(x::Float32)
        bits = reinterpret(UInt32, x)
        return UInt16((bits + 0x7fff + ((bits >> 16) & 1)) >> 16)
    end

    @testset "a step equals the step on the same Float32 numbers, gradients as $E" for E in (UInt16, Brain16)
        opt, pieces, other = Lmada.Optimizer(60), Lmada.Optimizer(60), Lmada.Optimizer(60)
        start = randn(rng, Float32, 60)
        w, p, v = copy(start), copy(start), copy(start)
        for _ in 1:14
            bits = upper.(randn(rng, Float32, 60))
            g, rough = reinterpret(E, bits), reinterpret(E, zeros(UInt16, 60))
            E === Brain16 && (g = collect(g))
            copied = zeros(UInt16, 60)
            @test step_bf16!(opt, w, g; params_bf16 = copied) === w
            step!(other, v, widened.(bits))
            @test w == v
            @test copied == rounded.(w)

            Lmada.begin!(pieces)
            Lmada.feed_bf16!(pieces, bits[31:60]; offset = 30)
            Lmada.feed_bf16!(pieces, bits[1:30])
            Lmada.solve!(pieces)
            copied .= 0
            Lmada.apply_bf16!(pieces, view(p, 1:60), bits; params_bf16 = copied)
            Lmada.finish!(pieces)
            @test p ≈ v rtol = 1e-5
            @test copied == rounded.(p)
        end
    end

    @testset "mistakes" begin
        opt, w, bits = Lmada.Optimizer(4), ones(Float32, 4), upper.(ones(Float32, 4))
        @test_throws ArgumentError step_bf16!(opt, w, ones(Float16, 4))
        @test_throws ArgumentError step_bf16!(opt, w, ones(Float32, 4))
        @test_throws ArgumentError step_bf16!(opt, w, view(repeat(bits, inner = 2), 1:2:8))
        @test_throws ArgumentError step_bf16!(opt, ones(4), bits)
        @test_throws ArgumentError step_bf16!(opt, w, bits; params_bf16 = ones(Float32, 4))
        @test_throws DimensionMismatch step_bf16!(opt, w, bits[1:3])
        @test_throws DimensionMismatch step_bf16!(opt, w, bits; params_bf16 = bits[1:3])
        @test_throws MethodError step_bf16!(Lmada.Optimizer{Float64}(4), ones(4), bits)
        @test failure_of(() -> step_bf16!(opt, w, bits; params_bf16 = bits)).status == Lmada.INVALID_ARGUMENT
        @test failure_of(() -> step_bf16!(opt, w, [bits[1:3]; 0x7f80])).status == Lmada.NON_FINITE
        @test Lmada.stats(opt).non_finite_index == 4
        @test w == ones(Float32, 4) && Lmada.stats(opt).steps == 0
    end
end
