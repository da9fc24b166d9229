# The two functions that an Optimisers.jl rule is made of. The package does not depend on Optimisers.jl; its README
# shows the few lines in between.

"""
    Lmada.Rule(; options...)
    Lmada.Rule(rule; options...)

The options of [`Lmada.Optimizer`](@ref) without an optimizer, or those of `rule` with some changed. With
[`Lmada.init`](@ref) and [`Lmada.apply!`](@ref) it has the shape of an Optimisers.jl rule.
"""
struct Rule
    options::NamedTuple

    function Rule(options::NamedTuple)
        # An optimizer of one parameter, so that a mistake shows here and not in the first `init`.
        close(Optimizer(1; options...))
        all = merge(defaults(), options)
        all.average_beta == 0 ||
            throw(ArgumentError("a rule cannot average parameters, which it does not move: average_beta is 0 in it"))
        return new(all)
    end
end

Rule(; options...) = Rule(values(options))
Rule(rule::Rule; options...) = Rule(merge(rule.options, values(options)))

function Base.show(io::IO, rule::Rule)
    changed = [name for name in OPTIONS if rule.options[name] != defaults()[name]]
    print(io, "Lmada.Rule(", join(("$name = $(repr(rule.options[name]))" for name in changed), ", "), ")")
end

"""
    Lmada.init(rule, x) -> Lmada.Optimizer

The state of the rule for the array `x`: an optimizer of its own. One [`Lmada.Optimizer`](@ref) for the whole model
costs less, and sees correlations between arrays.
"""
init(rule::Rule, x::AbstractArray{T}) where {T<:Real32or64} = Optimizer{T}([length(x)]; rule.options...)

"""
    Lmada.apply!(rule, state, x, dx) -> state, change

Steps `state` by the gradient `dx` of `x`. `change` is what is then to be subtracted from `x`: direction, learning rate
and weight decay in one. `rule` has the learning rate and the weight decay that count, `state` all else.
"""
function apply!(rule::Rule, state::Optimizer{T}, x::AbstractArray{T}, dx) where {T}
    # dx may be anything that broadcasts: a lazy product of an earlier rule, a Fill, a transpose.
    grads = dx isa Array{T} ? dx : (Array{T}(undef, size(x)) .= dx)
    change = direction!(state, Array{T}(undef, size(x)), grads)
    lr, decay = T(rule.options.lr), T(rule.options.weight_decay)
    change .= lr .* (change .+ decay .* x)
    return state, change
end
