# The parts of an Optimisers.jl rule. The package does not depend on Optimisers.jl: ext/LmadaOptimisersExt.jl connects
# the two.

"""
    Lmada.Rule(; options...)
    Lmada.Rule(rule; options...)

The options of [`Lmada.Optimizer`](@ref) without an optimizer, or the options of `rule` with some changes. Together with
[`Lmada.init`](@ref) and [`Lmada.apply!`](@ref) it has the form of an Optimisers.jl rule.
"""
struct Rule
    options::NamedTuple

    function Rule(options::NamedTuple)
        # Makes an optimizer of one parameter, so that wrong options fail here and not in the first `init`.
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

The state of the rule for the array `x`: a separate optimizer. One [`Lmada.Optimizer`](@ref) for the complete model
costs less and sees correlations between arrays.
"""
init(rule::Rule, x::AbstractArray{T}) where {T<:Real32or64} = Optimizer{T}([length(x)]; rule.options...)

"""
    Lmada.apply!(rule, state, x, dx) -> state, change

Steps `state` by the gradient `dx` of `x`. The caller subtracts `change` from `x`; it includes direction, learning rate
and weight decay. Learning rate and weight decay are those of `rule`; all other options are those of `state`.
"""
function apply!(rule::Rule, state::Optimizer{T}, x::AbstractArray{T}, dx) where {T}
    change = direction!(state, Array{T}(undef, size(x)), gradient_array(T, x, dx))
    lr, decay = T(rule.options.lr), T(rule.options.weight_decay)
    change .= lr .* (change .+ decay .* x)
    return state, change
end

# A gradient may be any object that broadcasts: a lazy product of an earlier rule, a Fill, a transpose.
gradient_array(::Type{T}, x, dx::Array{T}) where {T} = dx
gradient_array(::Type{T}, x, dx) where {T} = Array{T}(undef, size(x)) .= dx

"""
    Lmada.optimisers_rule(; options...)

A rule for `Optimisers.setup`, with the options of [`Lmada.Optimizer`](@ref). Each array has its own optimizer. For one
optimizer over a model, set up the rule for a flat vector (`Optimisers.destructure`), or use [`Lmada.setup`](@ref).
`Optimisers.adjust!` changes the learning rate (`eta`) and the options that can change between steps.

The function needs Optimisers.jl: load both packages. On Julia before 1.9, also include `ext/LmadaOptimisersExt.jl` of
this package.
"""
function optimisers_rule end

"""
    Lmada.setup(model; options...) -> state

One optimizer over all arrays of a nested model. Use it instead of `Optimisers.setup`. The arrays have one element type,
`Float32` or `Float64`.

    state = Lmada.setup(model; lr = 0.01)
    state, model = Optimisers.update!(state, model, gradient)
    Optimisers.adjust!(state, 0.001)               # or options, as weight_decay = 0.1
    Optimisers.freeze!(state.tree.layers[1])       # and thaw!

`state.opt` is the [`Lmada.Optimizer`](@ref): save this object. The function needs Optimisers.jl, like
[`Lmada.optimisers_rule`](@ref).
"""
function setup end
