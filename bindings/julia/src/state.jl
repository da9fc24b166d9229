# Statistics of an optimizer; saving and restoring its state.

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

Statistics of the last step, or of the open step between `Lmada.solve!` and `Lmada.finish!`:

- `steps`: steps accepted since creation, reset or the start of the loaded run
- `history_len`: gradients in the window
- `rank`: directions that the preconditioner acts on
- `grad_norm`: norm of the gradient
- `update_norm`: norm of the update, before clipping and update momentum
- `scale`: factor of clipping or grafting on the update
- `eig_max`, `eig_min`: largest eigenvalue of `MM'`, and smallest above the noise floor, without eps; 0 at rank 0
- `state_bytes`: memory that the optimizer holds
- `lr`: learning rate of the next step
- `refused`: steps refused as `NON_FINITE` since creation or reset; not part of a saved state
- `non_finite_index`: the first element that was not finite in the last refused gradient, counted over all parameters
  from 1; `nothing` if no gradient was refused

Over several blocks, norms are the root of the sum of squares, `scale` is the smallest, `rank` is the sum, `eig_max` and
`eig_min` are the largest and the smallest.
"""
function stats(opt::Optimizer)
    filled = Ref{Stats}()
    check(@guard $(library().stats)(opt::Ptr{Cvoid}, filled::Ref{Stats}, sizeof(Stats)::Csize_t)::Int32)
    s = filled[]
    return (steps = Int(s.steps), history_len = Int(s.history_len), rank = Int(s.rank), grad_norm = s.grad_norm,
            update_norm = s.update_norm, scale = s.scale, eig_max = s.eig_max, eig_min = s.eig_min,
            state_bytes = Int(s.state_bytes), lr = s.lr, refused = Int(s.refused),
            non_finite_index = s.non_finite_index == typemax(UInt64) ? nothing : Int(s.non_finite_index) + 1)
end

"""
    Lmada.save(opt) -> Vector{UInt8}

The complete state: window, averages, step count, learning rate, options, parameter groups, a checksum. A run that
resumes from the state has the same bits as one that was never interrupted. `write(io, opt)` writes the same bytes
without a copy in memory.

    state = Lmada.save(opt)
    Lmada.load!(opt, state)                       # into an optimizer made with the same options
    read(IOBuffer(state), Lmada.Optimizer)        # or into a new one
"""
function save(opt::Optimizer)
    bytes = Ref{Csize_t}()
    check(@guard $(library().state_size)(opt::Ptr{Cvoid}, bytes::Ref{Csize_t})::Int32)
    state = Vector{UInt8}(undef, bytes[])
    check(@guard $(library().state_save)(opt::Ptr{Cvoid}, state::Ptr{UInt8}, length(state)::Csize_t)::Int32)
    return state
end

"""
    Lmada.load!(opt, state) -> opt

Replaces the current state with one of [`Lmada.save`](@ref). `opt` must have the type, lengths, `history_size`,
`history_format`, `density`, `momentum_kind` and `clip_kind` of the state, and `diagonal_beta` and `average_beta` must
be on or off as in the state. Other options may differ, and keep their values. `opt` gets the state's learning rate and
parameter groups. `load!` checks everything before it changes anything.
"""
function load!(opt::Optimizer, state::AbstractVector{UInt8})
    check(@guard $(library().state_load)(opt::Ptr{Cvoid}, dense(UInt8, state, "state")::Ptr{UInt8},
                                         length(state)::Csize_t)::Int32)
    return opt
end

"""
    Lmada.load_shares!(opt, firsts, states) -> opt

Computes the state of `opt` from states that several processes saved, for a restart on another number of processes or
with other shares. Each process loads its own share from the same states.

`firsts[b]` is the number of parameters of block b that the states hold before the share of `opt`. With one block,
`firsts` may be a number. In every block the shares of the states follow each other in the order of `states`. `states`
may be all states, or the consecutive ones that overlap the shares of `opt`.

    # process `rank` of 2 goes on with what 4 processes saved
    states = [read("run.\$i.lmada") for i in 0:3]
    share = dim ÷ 2
    Lmada.load_shares!(Lmada.Optimizer(share), rank * share, states)

If `history_format` is not `:full`, old and new shares start at multiples of 4,096 parameters from the start of their
block (`:sparse`), or of 256 (`:f16`, `:int8`). The rules of [`Lmada.load!`](@ref) apply too.
"""
function load_shares!(opt::Optimizer, firsts::AbstractVector{<:Integer},
                      states::AbstractVector{<:AbstractVector{UInt8}})
    blocks = length(opt.blocks)
    length(firsts) == blocks || throw(DimensionMismatch("firsts has $(length(firsts)) elements: this optimizer has $blocks blocks"))
    all(>=(0), firsts) || throw(ArgumentError("firsts cannot be negative: $firsts"))
    kept = collect(states)
    bytes = Csize_t[length(state) for state in kept]
    GC.@preserve kept begin
        states_at = addresses_of(UInt8, kept, "states")
        check(@guard $(library().state_load_shares)(opt::Ptr{Cvoid}, Vector{Csize_t}(firsts)::Ptr{Csize_t},
                                                    states_at::Ptr{Ptr{UInt8}}, bytes::Ptr{Csize_t},
                                                    length(kept)::Csize_t)::Int32)
    end
    return opt
end

load_shares!(opt::Optimizer, first::Integer, states) = load_shares!(opt, [first], states)
