# One step in phases, for gradients that come in pieces and for parameters split over processes.

"""
    Lmada.begin!(opt)

Opens a step in phases. In order:

- [`Lmada.begin!`](@ref)
- [`Lmada.feed!`](@ref) for every piece of the gradient, in any order
- [`Lmada.partials`](@ref), where the parameters are split over processes
- [`Lmada.solve!`](@ref)
- [`Lmada.apply!`](@ref) for every piece of the parameters, in any order; or [`Lmada.apply_direction!`](@ref)
- [`Lmada.finish!`](@ref)

The result is that of [`step!`](@ref). Until the end, or [`Lmada.cancel!`](@ref), `step!`, `direction!`, `set_lr!`,
`Lmada.save` and `Lmada.load!` throw `WRONG_PHASE`.
"""
function begin!(opt::Optimizer)
    check(@whole $(library()[:begin])(opt::Ptr{Cvoid})::Int32)
    return opt
end

"""
    Lmada.feed!(opt, grads; offset = 0)

Takes in a piece of the gradient, that of the parameters which `offset` others come before. The pieces may be of any
length; together they cover every parameter once.
"""
function feed!(opt::Optimizer{T}, grads::AbstractArray; offset::Integer = 0) where {T}
    check(@whole $(library(T).feed)(opt::Ptr{Cvoid}, nonnegative(offset)::Csize_t, dense(T, grads, "grads")::Ptr{T},
                                    length(grads)::Csize_t)::Int32)
    return opt
end

"""
    Lmada.partials(opt) -> Vector{Float64}

The sums that the step needs, for parameters split over processes: add them up over all processes, element by element,
to the same bits on each, and give the totals to [`Lmada.solve!`](@ref). They are at most `2 * history_size + 16`
numbers a block, `3 * history_size + 16` with the clips by the average of updates. Over an `MPI.Comm` or an
[`Lmada.Communicator`](@ref), `Lmada.solve!(opt, comm)` does all that.
"""
function partials(opt::Optimizer)
    GC.@preserve opt begin
        values, count = partials_in_place(opt)
        return copy(unsafe_wrap(Array, values, count))
    end
end

# Where they lie in the library, for as long as the step is not solved.
function partials_in_place(opt::Optimizer)
    values, count = Ref{Ptr{Float64}}(), Ref{Csize_t}()
    check(@whole $(library().partials)(opt::Ptr{Cvoid}, values::Ref{Ptr{Float64}}, count::Ref{Csize_t})::Int32)
    return values[], Int(count[])
end

"""
    Lmada.solve!(opt)
    Lmada.solve!(opt, totals)

Computes the step, of [`Lmada.partials`](@ref) summed over the processes where `totals` are given, without changing
state or parameters yet. [`Lmada.stats`](@ref) now describes this step, so that a caller can look and cancel it. Where
it is refused, on a NaN in the gradient for example, `Lmada.cancel!` is the way on.
"""
function solve!(opt::Optimizer)
    check(@whole $(library().solve)(opt::Ptr{Cvoid})::Int32)
    return opt
end

function solve!(opt::Optimizer, totals::AbstractVector{<:Real})
    GC.@preserve opt begin
        values, count = partials_in_place(opt)
        length(totals) == count || throw(DimensionMismatch("$(length(totals)) totals for $count partials"))
        copyto!(unsafe_wrap(Array, values, count), totals)
    end
    return solve!(opt)
end

"""
    Lmada.apply!(opt, params, grads; offset = 0) -> params

Moves a piece of the parameters, which `offset` others come before. The pieces may be cut otherwise than those of the
gradient; together they cover every parameter once. `grads` is what [`Lmada.feed!`](@ref) got for these parameters.
"""
function apply!(opt::Optimizer{T}, params::AbstractArray, grads::AbstractArray; offset::Integer = 0) where {T}
    same_size(params, grads)
    check(@whole $(library(T).apply)(opt::Ptr{Cvoid}, nonnegative(offset)::Csize_t, dense(T, params, "params")::Ptr{T},
                                     dense(T, grads, "grads")::Ptr{T}, length(params)::Csize_t)::Int32)
    return params
end

"""
    Lmada.apply_direction!(opt, direction, grads; offset = 0) -> direction

[`Lmada.apply!`](@ref) that writes the direction instead of moving parameters, as [`direction!`](@ref) does: without
learning rate and weight decay.
"""
function apply_direction!(opt::Optimizer{T}, direction::AbstractArray, grads::AbstractArray;
                          offset::Integer = 0) where {T}
    same_size(direction, grads)
    check(@whole $(library(T).apply_direction)(opt::Ptr{Cvoid}, nonnegative(offset)::Csize_t,
                                               dense(T, direction, "direction")::Ptr{T},
                                               dense(T, grads, "grads")::Ptr{T}, length(direction)::Csize_t)::Int32)
    return direction
end

"""
    Lmada.finish!(opt)

Ends a step in phases: it now counts as accepted.
"""
function finish!(opt::Optimizer)
    check(@whole $(library()[:end])(opt::Ptr{Cvoid})::Int32)
    return opt
end

"""
    Lmada.cancel!(opt)

Drops an open step, back to before [`Lmada.begin!`](@ref). Possible while nothing is applied.
"""
function cancel!(opt::Optimizer)
    check(@whole $(library().cancel)(opt::Ptr{Cvoid})::Int32)
    return opt
end

nonnegative(offset) = offset >= 0 ? offset : throw(ArgumentError("offset cannot be $offset"))
