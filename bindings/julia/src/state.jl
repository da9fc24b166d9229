# Looking at an optimizer, saving and restoring it.

# lmada_stats_t, field by field.
struct Stats
    struct_size::Csize_t
    steps::UInt64
    history_len::UInt32
    rank::UInt32
    grad_norm::Float64
    update_norm::Float64
    scale::Float64
    eig_max::Float64
    eig_min::Float64
    state_bytes::UInt64
    lr::Float64
    refused::UInt64
    non_finite_index::UInt64
end

"""
    Lmada.stats(opt) -> NamedTuple

What the last step looked like, or the one under way between `Lmada.solve!` and `Lmada.finish!`:

- `steps`: steps accepted since creation, reset or the start of the loaded run
- `history_len`: gradients in the window
- `rank`: directions that the preconditioner acts on
- `grad_norm`: norm of the gradient
- `update_norm`: norm of the update, before clipping and update momentum
- `scale`: factor that clipping or grafting put on the update
- `eig_max`, `eig_min`: largest and smallest eigenvalue of `MM'` that counts as present, without eps; 0 at rank 0
- `state_bytes`: memory that the optimizer holds
- `lr`: learning rate of the next step
- `refused`: steps refused as `NON_FINITE` since creation or reset; no part of a saved state
- `non_finite_index`: which element was the first that was not finite in the last gradient that was refused, counted
  over all parameters from 1; `nothing` where no gradient was refused

Over several blocks the norms are root-sum-squares, `scale` is the least, `rank` the sum, the eigenvalues the extremes.
"""
function stats(opt::Optimizer)
    filled = Ref{Stats}()
    check(@whole $(library().stats)(opt::Ptr{Cvoid}, filled::Ref{Stats}, sizeof(Stats)::Csize_t)::Int32)
    s = filled[]
    return (steps = Int(s.steps), history_len = Int(s.history_len), rank = Int(s.rank), grad_norm = s.grad_norm,
            update_norm = s.update_norm, scale = s.scale, eig_max = s.eig_max, eig_min = s.eig_min,
            state_bytes = Int(s.state_bytes), lr = s.lr, refused = Int(s.refused),
            non_finite_index = s.non_finite_index == typemax(UInt64) ? nothing : Int(s.non_finite_index) + 1)
end

"""
    Lmada.save(opt) -> Vector{UInt8}

The whole state: window, averages, step count, learning rate, options, parameter groups; checksummed. A run that goes on
from it has the same bits as one that was never interrupted. `write(io, opt)` writes the same bytes without a copy of
them in memory.

    state = Lmada.save(opt)
    Lmada.load!(opt, state)                       # into an optimizer made with the same options
    read(IOBuffer(state), Lmada.Optimizer)        # or into a new one
"""
function save(opt::Optimizer)
    bytes = Ref{Csize_t}()
    check(@whole $(library().state_size)(opt::Ptr{Cvoid}, bytes::Ref{Csize_t})::Int32)
    state = Vector{UInt8}(undef, bytes[])
    check(@whole $(library().state_save)(opt::Ptr{Cvoid}, state::Ptr{UInt8}, length(state)::Csize_t)::Int32)
    return state
end

"""
    Lmada.load!(opt, state) -> opt

Puts a state that [`Lmada.save`](@ref) returned in place of the present one. `opt` must have been made with the same
type, lengths, `history_size`, `history_format`, `density`, `momentum_kind` and `clip_kind`, and have `diagonal_beta`
and `average_beta` on or off alike; other options may differ, and stay as they are. The state's learning rate and
parameter groups become those of `opt`. Everything is checked before anything is changed.
"""
function load!(opt::Optimizer, state::AbstractVector{UInt8})
    check(@whole $(library().state_load)(opt::Ptr{Cvoid}, dense(UInt8, state, "state")::Ptr{UInt8},
                                         length(state)::Csize_t)::Int32)
    return opt
end

"""
    Lmada.load_shares!(opt, firsts, states) -> opt

Puts together, from states that several processes saved, the state of `opt`: for a restart on another number of
processes, or with other shares. What they hold beyond the share of `opt` belongs to others, who load it from the same
states.

`firsts` has for each block of `opt` how many parameters of the block the states hold before its share; a number will do
where there is one block. In every block the shares of the states follow each other in the order of `states`. These may
be all, or those consecutive ones that have a part of the shares of `opt`.

    # process `rank` of 2 goes on with what 4 processes saved
    states = [read("run.\$i.lmada") for i in 0:3]
    share = dim ÷ 2
    Lmada.load_shares!(Lmada.Optimizer(share), rank * share, states)

Where `history_format` is not `:full`, old and new shares have to start at multiples of 4,096 parameters from the start
of their block (`:sparse`; of 256 for `:f16` and `:int8`). Else as [`Lmada.load!`](@ref).
"""
function load_shares!(opt::Optimizer, firsts::AbstractVector{<:Integer},
                      states::AbstractVector{<:AbstractVector{UInt8}})
    blocks = length(opt.blocks)
    length(firsts) == blocks || throw(DimensionMismatch("$(length(firsts)) firsts for $blocks blocks"))
    all(>=(0), firsts) || throw(ArgumentError("firsts cannot be negative: $firsts"))
    kept = collect(states)
    bytes = Csize_t[length(state) for state in kept]
    GC.@preserve kept begin
        states_at = addresses_of(UInt8, kept, "states")
        check(@whole $(library().state_load_shares)(opt::Ptr{Cvoid}, Vector{Csize_t}(firsts)::Ptr{Csize_t},
                                                    states_at::Ptr{Ptr{UInt8}}, bytes::Ptr{Csize_t},
                                                    length(kept)::Csize_t)::Int32)
    end
    return opt
end

load_shares!(opt::Optimizer, first::Integer, states) = load_shares!(opt, [first], states)
