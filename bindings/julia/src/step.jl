"""
    step!(opt, params, grads) -> params

One step: takes the gradient into the window and moves the parameters, in place, against the preconditioned direction.

`params` and `grads` are arrays of the optimizer's type and of equal size, of any shape; or, for a model that lies in
several arrays, vectors or tuples of them, which together have `length(opt)` elements. The arrays have to be contiguous
in memory (`Array`s, or views of ranges of columns). Nothing is copied. A gradient in a list may be `nothing`: it counts
as zeros, and its array keeps its bits, under weight decay too.

A step is all or nothing: one that throws, on a NaN in the gradient for example, has changed neither `params` nor `opt`.
"""
function step!(opt::Optimizer, params, grads)
    check(status_of_step(opt, params, grads))
    return params
end

function status_of_step(opt::Optimizer{T}, params::AbstractArray, grads::AbstractArray) where {T}
    same_size(params, grads)
    return @whole $(library(T).step)(opt::Ptr{Cvoid}, dense(T, params, "params")::Ptr{T},
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
        return @whole $(library(T).step_tensors)(opt::Ptr{Cvoid}, params_at::Ptr{Ptr{T}}, grads_at::Ptr{Ptr{T}},
                                                 lens::Ptr{Csize_t}, count::Csize_t)::Int32
    end
end

"""
    direction!(opt, direction, grads) -> direction

Steps the state of `opt` but writes the direction instead of moving parameters: what [`step!`](@ref) would multiply by
the learning rate and subtract, without learning rate and weight decay. For callers that apply updates themselves.
"""
function direction!(opt::Optimizer, direction::AbstractArray, grads::AbstractArray)
    check(status_of_direction(opt, direction, grads))
    return direction
end

function status_of_direction(opt::Optimizer{T}, direction::AbstractArray, grads::AbstractArray) where {T}
    same_size(direction, grads)
    return @whole $(library(T).direction)(opt::Ptr{Cvoid}, dense(T, direction, "direction")::Ptr{T},
                                          dense(T, grads, "grads")::Ptr{T}, length(direction)::Csize_t)::Int32
end
