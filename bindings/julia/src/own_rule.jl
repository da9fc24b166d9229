# What rules of one's own are built from, and the average of the parameters.

"""
    Lmada.observe!(opt, grads)

Takes the gradient into the window and moves nothing: what `opt` keeps changes as in [`step!`](@ref), and the step
counts. With [`Lmada.precondition!`](@ref) it makes rules of one's own:

    Lmada.observe!(opt, grads)
    Lmada.precondition!(opt, direction, grads)
    velocity .= 0.9f0 .* velocity .+ direction
    params .-= 0.01f0 .* velocity
"""
function observe!(opt::Optimizer{T}, grads::AbstractArray) where {T}
    check(@whole $(library(T).observe)(opt::Ptr{Cvoid}, dense(T, grads, "grads")::Ptr{T},
                                       length(grads)::Csize_t)::Int32)
    return opt
end

"""
    Lmada.precondition!(opt, out, v) -> out
    Lmada.precondition(opt, v) -> Array

Preconditions a vector with the window as it is: `u = U f(S^2) U' v`, and `orthogonal_scale` times the part of `v` that
the window does not span. No state changes. For the newest gradient that is the direction of the last step without clip,
graft and momentum. Before the first step it throws `WRONG_PHASE`.
"""
function precondition!(opt::Optimizer{T}, out::AbstractArray, v::AbstractArray) where {T}
    size(out) == size(v) || throw(DimensionMismatch("out of size $(size(out)), but v of size $(size(v))"))
    check(@whole $(library(T).precondition)(opt::Ptr{Cvoid}, dense(T, out, "out")::Ptr{T}, dense(T, v, "v")::Ptr{T},
                                            length(v)::Csize_t)::Int32)
    return out
end

"See [`Lmada.precondition!`](@ref)."
precondition(opt::Optimizer{T}, v::AbstractArray) where {T} = precondition!(opt, Array{T}(undef, size(v)), v)

"""
    Lmada.averaged_params!(opt, out) -> out
    Lmada.averaged_params(opt) -> Vector

The average of the parameters over the steps, bias-corrected: with the option `average_beta`, what to evaluate where the
learning rate does not fall. `out` is an array of any shape, or a vector or tuple of arrays as the model lies in. Before
the first step, and with `average_beta = 0`, it throws `WRONG_PHASE`.
"""
function averaged_params!(opt::Optimizer{T}, out::AbstractArray) where {T}
    check(@whole $(library(T).averaged_params)(opt::Ptr{Cvoid}, dense(T, out, "out")::Ptr{T},
                                               length(out)::Csize_t)::Int32)
    return out
end

function averaged_params!(opt::Optimizer{T}, out::Tensors) where {T}
    foreach(x -> dense(T, x, "out"), out)
    total = mapreduce(length, +, out; init = 0)
    total == length(opt) || throw(DimensionMismatch("out has $total elements: this optimizer has $(length(opt))"))
    averages, offset = averaged_params(opt), 0
    for x in out
        copyto!(x, 1, averages, offset + 1, length(x))
        offset += length(x)
    end
    return out
end

"See [`Lmada.averaged_params!`](@ref)."
averaged_params(opt::Optimizer{T}) where {T} = averaged_params!(opt, Vector{T}(undef, length(opt)))
