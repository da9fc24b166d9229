# The functions for your own update rules, and the average of the parameters.

"""
    Lmada.observe!(opt, grads)

Stores the gradient in the window without moving parameters. The state of `opt` changes as in [`step!`](@ref), and the
step counts. Use it with [`Lmada.precondition!`](@ref) for your own update rules:

    Lmada.observe!(opt, grads)
    Lmada.precondition!(opt, direction, grads)
    velocity .= 0.9f0 .* velocity .+ direction
    params .-= 0.01f0 .* velocity
"""
function observe!(opt::Optimizer{T}, grads::AbstractArray) where {T}
    check(@guard $(library(T).observe)(opt::Ptr{Cvoid}, dense(T, grads, "grads")::Ptr{T},
                                       length(grads)::Csize_t)::Int32)
    return opt
end

"""
    Lmada.precondition!(opt, out, v) -> out
    Lmada.precondition(opt, v) -> Array

Preconditions a vector with the current window: `u = U f(S^2) U' v`, plus `orthogonal_scale` times the part of `v`
outside the span of the window. The state does not change. For the newest gradient the result is the direction of the
last step without clip, graft and momentum. Throws `WRONG_PHASE` before the first step.
"""
function precondition!(opt::Optimizer{T}, out::AbstractArray, v::AbstractArray) where {T}
    size(out) == size(v) || throw(DimensionMismatch("out of size $(size(out)), but v of size $(size(v))"))
    check(@guard $(library(T).precondition)(opt::Ptr{Cvoid}, dense(T, out, "out")::Ptr{T}, dense(T, v, "v")::Ptr{T},
                                            length(v)::Csize_t)::Int32)
    return out
end

"See [`Lmada.precondition!`](@ref)."
precondition(opt::Optimizer{T}, v::AbstractArray) where {T} = precondition!(opt, Array{T}(undef, size(v)), v)

"""
    Lmada.averaged_params!(opt, out) -> out
    Lmada.averaged_params(opt) -> Vector

Writes the bias-corrected average of the parameters over the steps. Needs the option `average_beta`. Evaluate the
average if the learning rate does not fall. `out` is an array of any shape, or a vector or tuple of the arrays of the
model. Throws `WRONG_PHASE` before the first step and with `average_beta = 0`.
"""
function averaged_params!(opt::Optimizer{T}, out::AbstractArray) where {T}
    check(@guard $(library(T).averaged_params)(opt::Ptr{Cvoid}, dense(T, out, "out")::Ptr{T},
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
