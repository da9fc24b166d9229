# lmada in Optimisers.jl: the package's extension compared with direct calls, with a substitute that has the
# requirements of Optimisers.jl.

push!(LOAD_PATH, joinpath(PACKAGE, "test"))
const Optimisers = Base.require(Base.PkgId(Base.UUID("3bd65402-5787-11e9-1adc-39752487f4e2"), "Optimisers"))
if VERSION < v"1.9"    # later versions load the extension themselves
    push!(LOAD_PATH, PACKAGE)
    include(joinpath(PACKAGE, "ext", "LmadaOptimisersExt.jl"))
    pop!(LOAD_PATH)
end
pop!(LOAD_PATH)

const RULE_OPTIONS = (lr = 0.05, weight_decay = 0.2, history_size = 4, momentum_kind = :update)

nested_model(rng) = (
    first = (weight = randn(rng, Float32, 3, 4), bias = randn(rng, Float32, 3), act = tanh, sizes = [3, 4]),
    second = (randn(rng, Float32, 2, 3), randn(rng, Float32, 2)),
)
nested_gradient(rng) = (
    first = (weight = randn(rng, Float32, 4, 3)', bias = randn(rng, Float32, 3), act = nothing, sizes = nothing),
    second = (randn(rng, Float32, 2, 3), randn(rng, Float32, 2)),
)
arrays_of(model) = (model.first.weight, model.first.bias, model.second...)
plain_arrays(gradient) = map(Array, arrays_of(gradient))

@testset "a rule: an optimizer for each array" begin
    rng = MersenneTwister(70)
    model = (weight = randn(rng, Float32, 3, 4), bias = randn(rng, 5), fixed = ones(Float32, 2))
    expected = deepcopy(model)
    weight_opt = Lmada.Optimizer{Float32}(12; RULE_OPTIONS...)
    bias_opt = Lmada.Optimizer{Float64}(5; RULE_OPTIONS...)

    tree = Optimisers.setup(Lmada.optimisers_rule(; RULE_OPTIONS...), model)
    for t in 1:16
        if t == 7
            Optimisers.adjust!(tree, 0.01)
            foreach(opt -> set_lr!(opt, 0.01), (weight_opt, bias_opt))
        elseif t == 10
            # `beta` belongs to another rule.
            Optimisers.adjust!(tree; eta = 0.02, momentum = 0.5, beta = (0.9, 0.99))
            foreach(opt -> Lmada.set_config!(opt; lr = 0.02, momentum = 0.5), (weight_opt, bias_opt))
        end
        t == 12 && Optimisers.freeze!(tree.bias)
        t == 14 && Optimisers.thaw!(tree)
        weight_grads, bias_grads = randn(rng, Float32, 3, 4), randn(rng, 5)
        # Gradients like those of a transposed layer, and of an earlier rule of a chain.
        lazy = Base.broadcasted(*, bias_grads, 0.5)
        Optimisers.update!(tree, model, (weight = permutedims(weight_grads)', bias = lazy, fixed = nothing))
        step!(weight_opt, expected.weight, weight_grads)
        t in (12, 13) || step!(bias_opt, expected.bias, 0.5 .* bias_grads)
    end
    @test model.weight ≈ expected.weight rtol = 1e-5
    @test model.bias ≈ expected.bias rtol = 1e-13
    @test model.fixed == ones(Float32, 2)

    # `update` steps a copy, and the original continues unchanged.
    grads = (weight = ones(Float32, 3, 4), bias = ones(5), fixed = nothing)
    before = deepcopy(model)
    _, updated = Optimisers.update(tree, model, grads)
    @test model == before
    Optimisers.update!(tree, model, grads)
    @test model == updated
    @test model != before

    @test sprint(show, Lmada.optimisers_rule(lr = 0.5, clip_kind = :norm)) ==
          "Lmada.optimisers_rule(lr = 0.5, clip_kind = :norm)"
    @test_throws ArgumentError Lmada.optimisers_rule(learning_rate = 1)
    # Options that cannot change after creation.
    Optimisers.adjust!(tree; history_size = 9)
    @test failure_of(() -> Optimisers.update!(tree, model, grads)).status == Lmada.INVALID_ARGUMENT
end

@testset "a flat vector: one optimizer for the model, through the rule" begin
    rng = MersenneTwister(71)
    model = nested_model(rng)
    flat, rebuild = Optimisers.destructure(model)
    expected = copy(flat)
    opt = Lmada.Optimizer(length(flat); RULE_OPTIONS...)
    tree = Optimisers.setup(Lmada.optimisers_rule(; RULE_OPTIONS...), flat)
    for t in 1:6
        gradient = randn(rng, Float32, length(flat))
        Optimisers.adjust!(tree, Lmada.schedule(:cosine, 0.05, t; total = 10))
        set_lr!(opt, Lmada.schedule(:cosine, 0.05, t; total = 10))
        tree, flat = Optimisers.update!(tree, flat, gradient)
        step!(opt, expected, gradient)
    end
    @test flat ≈ expected rtol = 1e-5
    @test rebuild(flat).second[2] == flat[end-1:end]
end

@testset "a nested model: one optimizer" begin
    rng = MersenneTwister(72)
    model = nested_model(rng)
    expected = deepcopy(model)
    options = (RULE_OPTIONS..., average_beta = 0.9)    # the average includes frozen arrays
    state = Lmada.setup(model; options...)
    opt = Lmada.Optimizer(12 + 3 + 6 + 2; options...)
    for t in 1:9
        gradient = nested_gradient(rng)
        t == 3 && Optimisers.freeze!(state.tree.first)
        t == 5 && Optimisers.thaw!(state)
        if t == 6
            Optimisers.adjust!(state, 0.02)
            set_lr!(opt, 0.02)
        elseif t == 7
            Optimisers.adjust!(state; eta = 0.01, momentum = 0.5, beta = 1)
            Lmada.set_config!(opt; lr = 0.01, momentum = 0.5)
        end
        t == 8 && (gradient = (first = nothing, second = gradient.second))
        _, model = Optimisers.update!(state, model, gradient)
        grads = t == 8 ? (nothing, nothing, gradient.second...) : plain_arrays(gradient)
        t in (3, 4) && (grads = (nothing, nothing, grads[3:4]...))
        step!(opt, arrays_of(expected), grads)
        @test model == expected    # the same bits
        @test Lmada.averaged_params(state.opt) == Lmada.averaged_params(opt)
    end

    # `update` steps copies, with or without a gradient for all arrays.
    gradient = nested_gradient(rng)
    before = deepcopy(model)
    copied, updated = Optimisers.update(state, model, gradient)
    @test model == before
    average = copy(Lmada.averaged_params(copied.opt))
    copied, again = Optimisers.update!(copied, updated, (first = nothing, second = nothing))
    @test again == updated
    flat = reduce(vcat, vec.(collect(arrays_of(updated))))
    @test norm(Lmada.averaged_params(copied.opt) - flat) < norm(average - flat)
    Optimisers.update!(state, model, gradient)
    @test model == updated != before

    # A refused step changes nothing, and the next one steps as usual.
    before = deepcopy(model)
    gradient.second[2][1] = NaN
    @test failure_of(() -> Optimisers.update!(state, model, gradient)).status == Lmada.NON_FINITE
    @test model == before
    gradient.second[2][1] = 0
    Optimisers.update!(state, model, gradient)
    @test Lmada.stats(state.opt).refused == 1 && model != before

    # An array that occurs twice is one parameter, with the sum of its gradients.
    shared = ones(Float32, 3)
    tied = (a = shared, b = shared)
    state = Lmada.setup(tied)
    @test length(state.opt) == 3
    Optimisers.update!(state, tied, (a = Float32[1, 0, 0], b = Float32[0, 2, 0]))
    alone = step!(Lmada.Optimizer(3), ones(Float32, 3), Float32[1, 2, 0])
    @test shared == alone

    @test_throws ArgumentError Lmada.setup((a = ones(Float32, 2), b = ones(2)))
    @test_throws ArgumentError Lmada.setup((a = [1, 2], b = tanh))
end

@testset "the functions of the rule" begin
    @test sprint(show, Lmada.Rule(lr = 0.5, clip_kind = :norm)) == "Lmada.Rule(lr = 0.5, clip_kind = :norm)"

    @test_throws ArgumentError Lmada.Rule(learning_rate = 1)
    @test_throws LmadaError Lmada.Rule(lr = -1)
    @test_throws MethodError Lmada.init(Lmada.Rule(), [1, 2])
    state = Lmada.init(Lmada.Rule(), zeros(Float32, 3))
    @test_throws DimensionMismatch Lmada.apply!(Lmada.Rule(), state, zeros(Float32, 3), zeros(Float32, 2))
    @test failure_of(() -> Lmada.apply!(Lmada.Rule(), state, zeros(Float32, 2), zeros(Float32, 2))).status ==
          Lmada.DIMENSION_MISMATCH
end
