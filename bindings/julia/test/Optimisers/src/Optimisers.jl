# A substitute for Optimisers.jl, which needs a registry: the parts that rules use, written from the documented
# protocol. Models are arrays, and tuples and named tuples of models.
#
# - `setup` makes a leaf for each array of numbers other than integers, and one leaf for an array that occurs twice.
# - `update!` adds up the gradients of a leaf, leaves out `nothing`, and stops at frozen leaves.
# - `apply!` may return any object that broadcasts, or `nothing` for no change.
# - `update` copies the states and the parts of the model for which `maywrite` is true.
# - `adjust!` applies to all rules; `freeze!` and `thaw!` apply to all leaves of a tree or of a part of one.
module Optimisers

abstract type AbstractRule end

mutable struct Leaf
    rule
    state
    frozen::Bool
end

init(rule::AbstractRule, x) = error("the rule has no init for $(typeof(x))")
apply!(rule::AbstractRule, state, x, dx) = error("the rule has no apply!")
adjust(rule::AbstractRule, eta::Real) = error("the rule has no adjust")

maywrite(::DenseArray) = true
maywrite(_) = false

const Nested = Union{Tuple,NamedTuple}

setup(rule::AbstractRule, model) = grown(rule, model, IdDict())
grown(rule, x::AbstractArray{<:Number}, leaves) = get!(() -> Leaf(rule, init(rule, x), false), leaves, x)
grown(rule, x::AbstractArray{<:Integer}, leaves) = ()
grown(rule, x::Nested, leaves) = map(part -> grown(rule, part, leaves), x)
grown(rule, x, leaves) = ()

function update!(tree, model, gradient)
    grads = IdDict()
    gather!(grads, tree, gradient)
    return tree, moved(tree, model, grads, IdDict())
end

gather!(grads, tree, gradient) = nothing
gather!(grads, leaf::Leaf, gradient) = (grads[leaf] = haskey(grads, leaf) ? grads[leaf] .+ gradient : gradient; nothing)
gather!(grads, leaf::Leaf, ::Nothing) = nothing
gather!(grads, tree::Nested, gradient::Nested) =
    foreach(key -> gather!(grads, tree[key], gradient[key]), keys(gradient))

moved(tree, x, grads, done) = x
moved(tree::Nested, x::Nested, grads, done) = map((t, part) -> moved(t, part, grads, done), tree, x)
function moved(leaf::Leaf, x, grads, done)
    leaf.frozen && return x
    return get!(done, leaf) do
        haskey(grads, leaf) || return x
        leaf.state, change = apply!(leaf.rule, leaf.state, x, grads[leaf])
        change === nothing ? x : x .= x .- change
    end
end

copied(x) = maywrite(x) ? copy(x) : x
copied(x::Nested) = map(copied, x)
copied(leaf::Leaf) = Leaf(leaf.rule, copied(leaf.state), leaf.frozen)
update(tree, model, gradient) = update!(copied(tree), copied(model), gradient)

adjust!(tree, eta::Real) = foreach(part -> adjust!(part, eta), tree)
adjust!(tree; changes...) = foreach(part -> adjust!(part; changes...), tree)
adjust!(leaf::Leaf, eta::Real) = (leaf.rule = adjust(leaf.rule, eta); nothing)
adjust!(leaf::Leaf; changes...) = (leaf.rule = adjust(leaf.rule; changes...); nothing)

freeze!(tree) = foreach(freeze!, tree)
freeze!(leaf::Leaf) = (leaf.frozen = true; nothing)
thaw!(tree) = foreach(thaw!, tree)
thaw!(leaf::Leaf) = (leaf.frozen = false; nothing)

"All numbers of a model in one vector, and the function that makes a model of such a vector."
function destructure(model)
    arrays = leaves(model)
    starts = cumsum([0; length.(arrays)])
    rebuilt(flat, x::AbstractArray{<:Integer}, next) = x
    rebuilt(flat, x::AbstractArray, next) =
        (i = next[] += 1; reshape(flat[starts[i]+1:starts[i+1]], size(x)))
    rebuilt(flat, x::Nested, next) = map(part -> rebuilt(flat, part, next), x)
    rebuilt(flat, x, next) = x
    return reduce(vcat, vec.(arrays)), flat -> rebuilt(flat, model, Ref(0))
end
leaves(x::AbstractArray{<:Integer}) = []
leaves(x::AbstractArray) = [x]
leaves(x::Nested) = reduce(vcat, map(leaves, values(x)); init = [])
leaves(x) = []

end
