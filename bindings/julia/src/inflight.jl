# Options that change between steps, parameter groups, schedules.

# The current options of the library's handle.
function current(opt::Optimizer)
    config = Ref{Config}()
    check(@guard $(library().get_config)(opt::Ptr{Cvoid}, config::Ref{Config}, sizeof(Config)::Csize_t)::Int32)
    return config[]
end

"""
    Lmada.config(opt) -> NamedTuple

The current value of every option, including the learning rate. [`Lmada.Optimizer`](@ref) documents each option.
"""
config(opt::Optimizer) = options_of(current(opt))

"""
    Lmada.set_config!(opt; options...)

Sets options for the next steps. Other options keep their values. Options that determine the layout of the state cannot
change: `history_size`, `history_format`, `density`, `momentum_kind`, whether `diagonal_beta` and `average_beta` are 0,
and whether `clip_kind` is one of the clips by vectors.
"""
function set_config!(opt::Optimizer{T}; options...) where {T}
    config = with_options(current(opt), dtype(T), values(options))
    check(@guard $(library().set_config)(opt::Ptr{Cvoid}, config::Ref{Config})::Int32)
    return opt
end

"""
    set_lr!(opt, lr)

Sets the learning rate of the next steps.
"""
function set_lr!(opt::Optimizer, lr::Real)
    check(@guard $(library().set_lr)(opt::Ptr{Cvoid}, lr::Float64)::Int32)
    return opt
end

"""
    set_grad_scale!(opt, scale)

Sets the factor on the gradients of the next steps, the option `grad_scale`. Use it to remove the scale of a loss:

    set_grad_scale!(opt, 1 / loss_scale)
"""
function set_grad_scale!(opt::Optimizer, scale::Real)
    check(@guard $(library().set_grad_scale)(opt::Ptr{Cvoid}, scale::Float64)::Int32)
    return opt
end

# lmada_group_t, field by field.
struct CGroup
    offset::Csize_t
    len::Csize_t
    lr_scale::Float64
    weight_decay_scale::Float64
end

"""
    Lmada.Group(range; lr_scale = 1, weight_decay_scale = 1)

The parameters `range`, counted over the model from 1, with their own factors on learning rate and weight decay, each at
least 0. `lr_scale = 0` freezes the range: the parameters keep their bits, and their gradient is not read and counts as
zeros. For [`set_groups!`](@ref).
"""
struct Group
    range::UnitRange{Int}
    lr_scale::Float64
    weight_decay_scale::Float64

    function Group(range::AbstractUnitRange{<:Integer}; lr_scale::Real = 1, weight_decay_scale::Real = 1)
        first(range) >= 1 || throw(ArgumentError("parameters count from 1: a group cannot begin at $(first(range))"))
        return new(range, lr_scale, weight_decay_scale)
    end
end

CGroup(group::Group) = CGroup(first(group.range) - 1, length(group.range), group.lr_scale, group.weight_decay_scale)

"""
    set_groups!(opt, groups)

Replaces all parameter groups, for the next steps, by an array or tuple of [`Lmada.Group`](@ref). The ranges must be
disjoint. Parameters in no group have factors of 1. A saved state includes the groups, and `reset!` keeps them. Groups
take no time.

    # No weight decay on the biases; the embedding is frozen.
    set_groups!(opt, [Lmada.Group(biases; weight_decay_scale = 0), Lmada.Group(embedding; lr_scale = 0)])
    set_groups!(opt, [])    # no groups
"""
function set_groups!(opt::Optimizer, groups)
    list = CGroup[CGroup(group) for group in groups]
    check(@guard $(library().set_groups)(opt::Ptr{Cvoid}, list::Ptr{CGroup}, sizeof(CGroup)::Csize_t,
                                         length(list)::Csize_t)::Int32)
    return opt
end

# Numbered from 0 in this order.
const SCHEDULES = (:constant, :linear, :cosine)

"""
    Lmada.schedule(kind, peak, step; warmup = 0, total) -> Float64

The learning rate of step number `step`, from 1, in a run of `total` steps. Over the first `warmup` steps the rate rises
linearly to `peak`. Then it stays at `peak` (`kind` is `:constant`), or falls to 0 at `total`, linearly (`:linear`) or
by half a cosine (`:cosine`). Beyond `total` the rate is 0.

    set_lr!(opt, Lmada.schedule(:cosine, 0.01, step; warmup = 50, total = 1000))
"""
function schedule(kind::Symbol, peak::Real, step::Integer; warmup::Integer = 0, total::Integer)
    number = findfirst(isequal(kind), SCHEDULES)
    number === nothing && throw(ArgumentError("a schedule cannot be $(repr(kind)); it is one of $SCHEDULES"))
    step >= 1 && total >= warmup >= 0 && isfinite(peak) && peak >= 0 ||
        throw(ArgumentError("a schedule needs a finite peak >= 0, step >= 1 and 0 <= warmup <= total: peak is $peak, " *
                            "step $step, warmup $warmup, total $total"))
    return @ccall $(library().schedule)((number - 1)::Int32, peak::Float64, step::UInt64, warmup::UInt64,
                                        total::UInt64)::Float64
end
