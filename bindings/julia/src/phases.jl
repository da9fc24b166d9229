# One step in phases, for gradients that come in pieces and for parameters split over processes.

"""
    Lmada.begin!(opt)

Opens a step in phases. The order is:

- [`Lmada.begin!`](@ref)
- [`Lmada.feed!`](@ref) for every piece of the gradient, in any order
- [`Lmada.partials`](@ref), if the parameters are split over processes
- [`Lmada.solve!`](@ref)
- [`Lmada.apply!`](@ref) for every piece of the parameters, in any order; or [`Lmada.apply_direction!`](@ref)
- [`Lmada.finish!`](@ref)

The result is that of [`step!`](@ref). Until the end, or [`Lmada.cancel!`](@ref), `step!`, `direction!`, `set_lr!`,
`Lmada.save` and `Lmada.load!` throw `WRONG_PHASE`.
"""
function begin!(opt::Optimizer)
    check(@guard $(library()[:begin])(opt::Ptr{Cvoid})::Int32)
    return opt
end

"""
    Lmada.feed!(opt, grads; offset = 0)

Passes a piece of the gradient. `offset` is the number of parameters before the piece. The pieces may have any length,
and must cover every parameter once.
"""
function feed!(opt::Optimizer{T}, grads::AbstractArray; offset::Integer = 0) where {T}
    check(@guard $(library(T).feed)(opt::Ptr{Cvoid}, nonnegative(offset)::Csize_t, dense(T, grads, "grads")::Ptr{T},
                                    length(grads)::Csize_t)::Int32)
    return opt
end

"""
    Lmada.partials(opt) -> Vector{Float64}

The sums of the step, for parameters split over processes. Add them over all processes, element by element and to the
same bits on each, and pass the totals to [`Lmada.solve!`](@ref). There are at most `2 * history_size + 16` numbers for
each block, `3 * history_size + 16` with the clips by the average of updates. With an `MPI.Comm` or an
[`Lmada.Communicator`](@ref), call `Lmada.solve!(opt, comm)` instead.
"""
function partials(opt::Optimizer)
    GC.@preserve opt begin
        values, count = partials_in_place(opt)
        return copy(unsafe_wrap(Array, values, count))
    end
end

# The library's array of partials and its length. Valid until the step is solved.
function partials_in_place(opt::Optimizer)
    values, count = Ref{Ptr{Float64}}(), Ref{Csize_t}()
    check(@guard $(library().partials)(opt::Ptr{Cvoid}, values::Ref{Ptr{Float64}}, count::Ref{Csize_t})::Int32)
    return values[], Int(count[])
end

"""
    Lmada.solve!(opt)
    Lmada.solve!(opt, totals)

Computes the step, without changing state or parameters. `totals` are the [`Lmada.partials`](@ref) summed over the
processes. [`Lmada.stats`](@ref) then describes this step, so the caller can inspect and cancel it. If `solve!` throws,
for example because of a NaN in the gradient, call `Lmada.cancel!`.
"""
function solve!(opt::Optimizer)
    check(@guard $(library().solve)(opt::Ptr{Cvoid})::Int32)
    return opt
end

function solve!(opt::Optimizer, totals::AbstractVector{<:Real})
    GC.@preserve opt begin
        values, count = partials_in_place(opt)
        length(totals) == count || throw(DimensionMismatch("totals has $(length(totals)) elements: there are $count partials"))
        copyto!(unsafe_wrap(Array, values, count), totals)
    end
    return solve!(opt)
end

"""
    Lmada.apply!(opt, params, grads; offset = 0) -> params

Moves a piece of the parameters. `offset` is the number of parameters before the piece. The pieces may differ from those
of the gradient, and must cover every parameter once. `grads` is the gradient that [`Lmada.feed!`](@ref) got for these
parameters.
"""
function apply!(opt::Optimizer{T}, params::AbstractArray, grads::AbstractArray; offset::Integer = 0) where {T}
    same_size(params, grads)
    check(@guard $(library(T).apply)(opt::Ptr{Cvoid}, nonnegative(offset)::Csize_t, dense(T, params, "params")::Ptr{T},
                                     dense(T, grads, "grads")::Ptr{T}, length(params)::Csize_t)::Int32)
    return params
end

"""
    Lmada.apply_direction!(opt, direction, grads; offset = 0) -> direction

[`Lmada.apply!`](@ref), but writes the direction instead of moving parameters, like [`direction!`](@ref): without
learning rate and weight decay.
"""
function apply_direction!(opt::Optimizer{T}, direction::AbstractArray, grads::AbstractArray;
                          offset::Integer = 0) where {T}
    same_size(direction, grads)
    check(@guard $(library(T).apply_direction)(opt::Ptr{Cvoid}, nonnegative(offset)::Csize_t,
                                               dense(T, direction, "direction")::Ptr{T},
                                               dense(T, grads, "grads")::Ptr{T}, length(direction)::Csize_t)::Int32)
    return direction
end

"""
    Lmada.finish!(opt)

Ends a step in phases. The step then counts.
"""
function finish!(opt::Optimizer)
    check(@guard $(library()[:end])(opt::Ptr{Cvoid})::Int32)
    return opt
end

"""
    Lmada.cancel!(opt)

Drops an open step and returns to the state before [`Lmada.begin!`](@ref). Possible before the first `Lmada.apply!`.
"""
function cancel!(opt::Optimizer)
    check(@guard $(library().cancel)(opt::Ptr{Cvoid})::Int32)
    return opt
end

nonnegative(offset) = offset >= 0 ? offset : throw(ArgumentError("offset cannot be $offset"))
