# lmada in Optimisers.jl: one optimizer for a model, or a rule with an optimizer for each array. Julia 1.9 and later
# load this extension with Lmada and Optimisers. For older versions, include this file.
#
# The extension relies on this behaviour of Optimisers.jl:
#
# - `setup` calls `init(rule, x)` for each array and keeps the result.
# - `update!` calls `apply!(rule, state, x, dx)` for each array that has a gradient and is not frozen. It subtracts the
#   change that `apply!` returns, or nothing if the change is `nothing`.
# - `update` first copies the states for which `maywrite` is true.
# - `adjust!` replaces the rule by `adjust(rule, ...)`.
module LmadaOptimisersExt

import Lmada, Optimisers

# --- A rule: an optimizer for each array.

struct LmadaRule <: Optimisers.AbstractRule
    rule::Lmada.Rule
end

# The optimizer of an array, and its last options.
mutable struct ArrayState
    opt::Lmada.Optimizer
    options::NamedTuple
end
Base.copy(state::ArrayState) = ArrayState(copy(state.opt), state.options)

Lmada.optimisers_rule(; options...) = LmadaRule(Lmada.Rule(; options...))

Base.show(io::IO, o::LmadaRule) = print(io, replace(sprint(show, o.rule), "Lmada.Rule" => "Lmada.optimisers_rule"))

Optimisers.maywrite(::ArrayState) = true    # so that `update` steps a copy

Optimisers.init(o::LmadaRule, x::AbstractArray) = ArrayState(Lmada.init(o.rule, x), o.rule.options)

function Optimisers.apply!(o::LmadaRule, state::ArrayState, x, dx)
    if o.rule.options != state.options
        Lmada.set_config!(state.opt; o.rule.options...)
        state.options = o.rule.options
    end
    _, change = Lmada.apply!(o.rule, state.opt, x, dx)
    return state, change
end

Optimisers.adjust(o::LmadaRule, eta::Real) = LmadaRule(Lmada.Rule(o.rule; lr = eta))
Optimisers.adjust(o::LmadaRule; changes...) = LmadaRule(Lmada.Rule(o.rule; known(changes)...))

# `adjust!` reaches all rules of a chain, so names of other rules are ignored, as in Optimisers.jl. Its name for the
# learning rate is `eta`.
function known(changes)
    named = Dict(name === :eta ? :lr => value : name => value for (name, value) in changes)
    return (; (name => value for (name, value) in named if name in Lmada.OPTIONS)...)
end

# --- One optimizer for a model.

# A rule that records each array and its gradient, and moves nothing. Its state is the number of the array. An array
# without a gradient is the one of the last step: the library adds it to the average of the parameters.
struct Collector <: Optimisers.AbstractRule
    arrays::Vector{AbstractArray}
    grads::Dict{Int,Any}
end
Collector() = Collector(AbstractArray[], Dict{Int,Any}())

function Optimisers.init(o::Collector, x::AbstractArray)
    push!(o.arrays, x)
    return length(o.arrays)
end
function Optimisers.apply!(o::Collector, number, x, dx)
    o.arrays[number] = x
    o.grads[number] = dx
    return number, nothing    # nothing is subtracted
end

# See Lmada.setup. `tree` is for `freeze!` and `thaw!`.
struct ModelState{T}
    opt::Lmada.Optimizer{T}
    tree
    collector::Collector
end

function Lmada.setup(model; options...)
    collector = Collector()
    tree = Optimisers.setup(collector, model)
    isempty(collector.arrays) && throw(ArgumentError("the model has no parameters"))
    types = unique(eltype.(collector.arrays))
    length(types) == 1 || throw(ArgumentError("the arrays of the model have several types, $(join(types, ", "))"))
    return ModelState(Lmada.Optimizer{only(types)}(sum(length, collector.arrays); options...), tree, collector)
end

Base.show(io::IO, state::ModelState) = print(io, "Lmada.setup(model) with ", state.opt)
Base.copy(state::ModelState) = first(copies(state, nothing))
# Copies state and model together: the rule of the leaves is the collector, which has the model's arrays.
function copies(state, model)
    tree, collector, model = deepcopy((state.tree, state.collector, model))
    return ModelState(copy(state.opt), tree, collector), model
end

"""
    Optimisers.update!(state, model, gradient) -> state, model

One step of the optimizer of `state = Lmada.setup(model; ...)` over all arrays of the model, in place. Arrays that are
frozen or without a gradient keep their bits.
"""
function Optimisers.update!(state::ModelState{T}, model, gradient) where {T}
    arrays, found = state.collector.arrays, state.collector.grads
    empty!(found)
    try
        Optimisers.update!(state.tree, model, gradient)
        grads = [haskey(found, n) ? Lmada.gradient_array(T, arrays[n], found[n]) : nothing for n in eachindex(arrays)]
        Lmada.step!(state.opt, arrays, grads)
    finally
        empty!(found)
    end
    return state, model
end

Optimisers.update(state::ModelState, model, gradient) = Optimisers.update!(copies(state, model)..., gradient)

Optimisers.adjust!(state::ModelState, eta::Real) = (Lmada.set_lr!(state.opt, eta); nothing)
Optimisers.adjust!(state::ModelState; changes...) = (Lmada.set_config!(state.opt; known(changes)...); nothing)

Optimisers.freeze!(state::ModelState) = Optimisers.freeze!(state.tree)
Optimisers.thaw!(state::ModelState) = Optimisers.thaw!(state.tree)

end
