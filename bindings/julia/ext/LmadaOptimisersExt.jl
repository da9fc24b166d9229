# lmada in Optimisers.jl: one optimizer for a whole model, or a rule with an optimizer for each array. Julia 1.9 and
# later load this with Lmada and Optimisers; for older ones, include this file.
#
# It relies on Optimisers.jl for this: `setup` calls `init(rule, x)` for each array and keeps what that returns;
# `update!` calls `apply!(rule, state, x, dx)` for each array that has a gradient and is not frozen, and subtracts what
# that returns, or nothing if that is `nothing`; `update` first copies the states that `maywrite` is true of; `adjust!`
# replaces the rule by `adjust(rule, ...)`.
module LmadaOptimisersExt

import Lmada, Optimisers

# --- A rule: an optimizer for each array.

struct LmadaRule <: Optimisers.AbstractRule
    rule::Lmada.Rule
end

# The optimizer of an array, and the options that it was given last.
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

# `adjust!` goes to all rules of a chain, so a name that another rule has is no mistake, as in Optimisers.jl. There `eta`
# is the name of the learning rate.
function known(changes)
    named = Dict(name === :eta ? :lr => value : name => value for (name, value) in changes)
    return (; (name => value for (name, value) in named if name in Lmada.OPTIONS)...)
end

# --- One optimizer for a whole model.

# A rule that moves nothing, but notes which array has which gradient. Its state is the number of the array.
struct Collector <: Optimisers.AbstractRule
    lens::Vector{Int}
    types::Vector{DataType}
    found::Dict{Int,Any}
end
Collector() = Collector(Int[], DataType[], Dict{Int,Any}())

function Optimisers.init(o::Collector, x::AbstractArray)
    push!(o.lens, length(x))
    push!(o.types, eltype(x))
    return length(o.lens)
end
function Optimisers.apply!(o::Collector, number, x, dx)
    o.found[number] = (x, dx)
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
    isempty(collector.lens) && throw(ArgumentError("the model has no parameters"))
    T = first(collector.types)
    all(==(T), collector.types) ||
        throw(ArgumentError("the arrays of the model have several types, $(join(unique(collector.types), ", "))"))
    return ModelState(Lmada.Optimizer{T}(sum(collector.lens); options...), tree, collector)
end

Base.show(io::IO, state::ModelState) = print(io, "Lmada.setup(model) with ", state.opt)
function Base.copy(state::ModelState)
    tree, collector = deepcopy((state.tree, state.collector))    # together: the leaves have the collector as their rule
    return ModelState(copy(state.opt), tree, collector)
end

"""
    Optimisers.update!(state, model, gradient) -> state, model

One step of the optimizer of `state = Lmada.setup(model; ...)` over all arrays of the model, in place. Arrays that are
frozen or have no gradient keep their bits.
"""
function Optimisers.update!(state::ModelState{T}, model, gradient) where {T}
    found = state.collector.found
    empty!(found)
    try
        Optimisers.update!(state.tree, model, gradient)
        # Without a gradient the library leaves an array alone; any array of the length stands for it.
        lens = state.collector.lens
        params = [haskey(found, n) ? found[n][1] : Vector{T}(undef, lens[n]) for n in eachindex(lens)]
        grads = [haskey(found, n) ? dense(T, found[n]...) : nothing for n in eachindex(lens)]
        Lmada.step!(state.opt, params, grads)
    finally
        empty!(found)
    end
    return state, model
end

# A gradient may be anything that broadcasts: a lazy product, a Fill, a transpose.
dense(::Type{T}, x, dx::Array{T}) where {T} = dx
dense(::Type{T}, x, dx) where {T} = Array{T}(undef, size(x)) .= dx

function Optimisers.update(state::ModelState, model, gradient)
    return Optimisers.update!(copy(state), deepcopy(model), gradient)
end

Optimisers.adjust!(state::ModelState, eta::Real) = (Lmada.set_lr!(state.opt, eta); nothing)
Optimisers.adjust!(state::ModelState; changes...) = (Lmada.set_config!(state.opt; known(changes)...); nothing)

Optimisers.freeze!(state::ModelState) = Optimisers.freeze!(state.tree)
Optimisers.thaw!(state::ModelState) = Optimisers.thaw!(state.tree)

end
