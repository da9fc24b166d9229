@testset "options" begin
    @testset "defaults" begin
        @test Lmada.defaults() ===
              (history_size = 10, history_format = :full, density = 0.01, lr = 1e-2, eps = 1e-6, eps_relative = 0.0,
               power = 0.5, eps_on_root = false, rank_tol = 1e-14, centered = false, history_decay = 1.0,
               orthogonal_scale = 0.0, momentum_kind = :none, momentum = 0.9, bias_correction = true,
               clip_kind = :none, clip_norm = 1.0, clip_factor = 1.0, clip_beta = 0.99, weight_decay = 0.0, threads = 0,
               diagonal_beta = 0.0, diagonal_eps = 1e-16, grad_scale = 1.0, grad_clip_norm = 0.0, average_beta = 0.0)
    end

    @testset "recommended, some changed" begin
        recommended = Lmada.recommended()
        @test keys(recommended) == keys(Lmada.defaults())
        opt = Lmada.Optimizer(4; recommended..., lr = 0.125)
        @test Lmada.config(opt) == merge(recommended, (lr = 0.125,))
    end

    @testset "every choice of $option is accepted" for option in (:momentum_kind, :clip_kind)
        for choice in Lmada.CHOICES[option]
            opt = Lmada.Optimizer(4; Dict(option => choice)...)
            @test Lmada.config(opt)[option] === choice
        end
    end

    @testset "mistakes" begin
        @test_throws ArgumentError Lmada.Optimizer(4; learning_rate = 0.1)
        @test_throws ArgumentError Lmada.Optimizer(4; struct_size = 8)
        @test_throws ArgumentError Lmada.Optimizer(4; clip_kind = :ema)
        @test_throws ArgumentError Lmada.Optimizer(4; history_size = -1)
        @test_throws ArgumentError Lmada.Optimizer(4; history_size = 2.5)
        @test_throws ArgumentError Lmada.Optimizer(4; lr = "fast")
        @test_throws ArgumentError Lmada.Optimizer(4; centered = 2)
        message = message_of(() -> Lmada.Optimizer(4; learning_rate = 0.1))
        @test occursin("learning_rate", message) && occursin("lr", message)

        @test_throws ArgumentError Lmada.Optimizer(0)
        @test_throws ArgumentError Lmada.Optimizer(-3)
        @test_throws ArgumentError Lmada.Optimizer([3, -1])
        @test_throws TypeError Lmada.Optimizer{Float16}(4)

        for (option, value) in ((:lr, -1.0), (:power, 0.0), (:history_size, 0), (:eps, NaN), (:momentum, 1.0))
            failure = failure_of(() -> Lmada.Optimizer(4; Dict(option => value)...))
            @test failure.status == Lmada.INVALID_ARGUMENT
            @test occursin(String(option), failure.message)
        end
        failure = failure_of(() -> Lmada.Optimizer{Float64}(4; history_format = :sparse))
        @test failure.status == Lmada.INVALID_ARGUMENT && occursin("history_format", failure.message)
        failure = failure_of(() -> Lmada.Optimizer(Int[]))
        @test failure.status == Lmada.INVALID_ARGUMENT
    end

    @testset "numbers of other types" begin
        opt = Lmada.Optimizer(4; lr = 1 // 2, history_size = 0x07, power = 1, centered = 1)
        options = Lmada.config(opt)
        @test (options.lr, options.history_size, options.power, options.centered) === (0.5, 7, 1.0, true)
    end
end
