# The rule as the README has it, in a stand-in for Optimisers.jl that asks of a rule what the real one does.

module StandIn
    abstract type AbstractRule end
    init(::AbstractRule, x) = error("no rule")
    apply!(::AbstractRule, state, x, dx) = error("no rule")
    maywrite(::DenseArray) = true
    maywrite(_) = false

    mutable struct Leaf
        rule
        state
    end
    setup(rule, model::NamedTuple) = map(x -> Leaf(rule, init(rule, x)), model)
    function update!(tree, model::NamedTuple, grads::NamedTuple)
        for name in keys(model)
            grads[name] === nothing && continue
            leaf, x = tree[name], model[name]
            leaf.state, change = apply!(leaf.rule, leaf.state, x, grads[name])
            x .= x .- change
        end
        return tree, model
    end
    copied(x) = maywrite(x) ? copy(x) : x
    update(tree, model, grads) =
        update!(map(leaf -> Leaf(leaf.rule, copied(leaf.state)), tree), map(copied, model), grads)
    adjust!(tree, eta) = foreach(leaf -> leaf.rule = adjust(leaf.rule, eta), tree)
    adjust(rule, eta) = error("no rule")
end

struct LmadaRule <: StandIn.AbstractRule
    rule::Lmada.Rule
end
LmadaRule(; options...) = LmadaRule(Lmada.Rule(; options...))

StandIn.init(o::LmadaRule, x::AbstractArray) = Lmada.init(o.rule, x)
StandIn.apply!(o::LmadaRule, state, x, dx) = Lmada.apply!(o.rule, state, x, dx)
StandIn.adjust(o::LmadaRule, eta::Real) = LmadaRule(Lmada.Rule(o.rule; lr = eta))
StandIn.maywrite(::Lmada.Optimizer) = true

@testset "rule" begin
    rng = MersenneTwister(70)
    options = (lr = 0.05, weight_decay = 0.2, history_size = 4, momentum_kind = :update)
    model = (weight = randn(rng, Float32, 3, 4), bias = randn(rng, 5), fixed = ones(Float32, 2))
    expected = deepcopy(model)
    weight_opt = Lmada.Optimizer{Float32}(12; options...)
    bias_opt = Lmada.Optimizer{Float64}(5; options...)

    tree = StandIn.setup(LmadaRule(; options...), model)
    for t in 1:12
        if t == 7
            StandIn.adjust!(tree, 0.01)
            set_lr!(weight_opt, 0.01)
            set_lr!(bias_opt, 0.01)
        end
        weight_grads, bias_grads = randn(rng, Float32, 3, 4), randn(rng, 5)
        # As from a transposed layer, and as from an earlier rule of a chain.
        lazy = Base.broadcasted(*, bias_grads, 0.5)
        StandIn.update!(tree, model, (weight = permutedims(weight_grads)', bias = lazy, fixed = nothing))
        step!(weight_opt, expected.weight, weight_grads)
        step!(bias_opt, expected.bias, 0.5 .* bias_grads)
    end
    @test model.weight ≈ expected.weight rtol = 1e-5
    @test model.bias ≈ expected.bias rtol = 1e-13
    @test model.fixed == ones(Float32, 2)

    # `update` steps a copy, and the original goes on as if nothing had been.
    grads = (weight = ones(Float32, 3, 4), bias = ones(5), fixed = nothing)
    before = deepcopy(model)
    _, updated = StandIn.update(tree, model, grads)
    @test model == before
    StandIn.update!(tree, model, grads)
    @test model == updated
    @test model != before

    @test sprint(show, Lmada.Rule(lr = 0.5, clip_kind = :norm)) == "Lmada.Rule(lr = 0.5, clip_kind = :norm)"

    @test_throws ArgumentError Lmada.Rule(learning_rate = 1)
    @test_throws LmadaError Lmada.Rule(lr = -1)
    @test_throws MethodError Lmada.init(Lmada.Rule(), [1, 2])
    state = Lmada.init(Lmada.Rule(), zeros(Float32, 3))
    @test_throws DimensionMismatch Lmada.apply!(Lmada.Rule(), state, zeros(Float32, 3), zeros(Float32, 2))
    @test failure_of(() -> Lmada.apply!(Lmada.Rule(), state, zeros(Float32, 2), zeros(Float32, 2))).status ==
          Lmada.DIMENSION_MISMATCH
end
