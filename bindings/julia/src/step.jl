"""
    step!(opt, params, grads) -> params

One step: stores the gradient in the window and moves the parameters, in place, against the preconditioned direction.

`params` and `grads` are arrays of the optimizer's type and of equal size, of any shape. For a model in several arrays
they are vectors or tuples of arrays, which together have `length(opt)` elements. Arrays have to be contiguous in memory
(`Array`s, or views of ranges of columns). The step copies no array. A gradient in a list may be `nothing`: it counts as
zeros, and its array keeps its bits, also with weight decay.

A step that throws, for example because of a NaN in the gradient, has changed neither `params` nor `opt`.
"""
function step!(opt::Optimizer, params, grads)
    check(status_of_step(opt, params, grads))
    return params
end

function status_of_step(opt::Optimizer{T}, params::AbstractArray, grads::AbstractArray) where {T}
    same_size(params, grads)
    return @guard $(library(T).step)(opt::Ptr{Cvoid}, dense(T, params, "params")::Ptr{T},
                                     dense(T, grads, "grads")::Ptr{T}, length(params)::Csize_t)::Int32
end

function status_of_step(opt::Optimizer{T}, params::Tensors, grads::Gradients) where {T}
    count = length(params)
    count == length(grads) || throw(DimensionMismatch("$count arrays of parameters, but $(length(grads)) of gradients"))
    kept_params, kept_grads = arrays(params), arrays(grads)
    foreach(same_size, kept_params, kept_grads)
    lens = Csize_t[length(x) for x in kept_params]
    GC.@preserve kept_params kept_grads begin
        params_at = addresses_of(T, kept_params, "params")
        grads_at = addresses_of(T, kept_grads, "grads")
        return @guard $(library(T).step_tensors)(opt::Ptr{Cvoid}, params_at::Ptr{Ptr{T}}, grads_at::Ptr{Ptr{T}},
                                                 lens::Ptr{Csize_t}, count::Csize_t)::Int32
    end
end

"""
    direction!(opt, direction, grads) -> direction

Stores the gradient in the window and writes the direction, instead of moving parameters. The direction is the vector
that [`step!`](@ref) would multiply by the learning rate and subtract, without weight decay. For callers that apply
updates themselves.
"""
function direction!(opt::Optimizer, direction::AbstractArray, grads::AbstractArray)
    check(status_of_direction(opt, direction, grads))
    return direction
end

function status_of_direction(opt::Optimizer{T}, direction::AbstractArray, grads::AbstractArray) where {T}
    same_size(direction, grads)
    return @guard $(library(T).direction)(opt::Ptr{Cvoid}, dense(T, direction, "direction")::Ptr{T},
                                          dense(T, grads, "grads")::Ptr{T}, length(direction)::Csize_t)::Int32
end
