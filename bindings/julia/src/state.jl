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

Over several blocks the norms are root-sum-squares, `scale` is the least, `rank` the sum, the eigenvalues the extremes.
"""
function stats(opt::Optimizer)
    filled = Ref{Stats}()
    check(@ccall $(library().stats)(opt::Ptr{Cvoid}, filled::Ref{Stats}, sizeof(Stats)::Csize_t)::Int32)
    s = filled[]
    return (steps = Int(s.steps), history_len = Int(s.history_len), rank = Int(s.rank), grad_norm = s.grad_norm,
            update_norm = s.update_norm, scale = s.scale, eig_max = s.eig_max, eig_min = s.eig_min,
            state_bytes = Int(s.state_bytes))
end

"""
    Lmada.save(opt) -> Vector{UInt8}

The whole state: window, averages, step count, learning rate; checksummed. A run that goes on from it has the same bits
as one that was never interrupted. The options are not in it.

    write("run.lmada", Lmada.save(opt))
    Lmada.load!(opt, read("run.lmada"))
"""
function save(opt::Optimizer)
    bytes = Ref{Csize_t}()
    check(@ccall $(library().state_size)(opt::Ptr{Cvoid}, bytes::Ref{Csize_t})::Int32)
    state = Vector{UInt8}(undef, bytes[])
    check(@ccall $(library().state_save)(opt::Ptr{Cvoid}, state::Ptr{UInt8}, length(state)::Csize_t)::Int32)
    return state
end

"""
    Lmada.load!(opt, state) -> opt

Puts a state that [`Lmada.save`](@ref) returned in place of the present one. `opt` must have been made with the same
type, lengths, `history_size`, `history_format`, `density`, `momentum_kind` and `clip_kind`; other options may differ.
The state's learning rate becomes that of `opt`. Everything is checked before anything is changed.
"""
function load!(opt::Optimizer, state::AbstractVector{UInt8})
    check(@ccall $(library().state_load)(opt::Ptr{Cvoid}, dense(UInt8, state, "state")::Ptr{UInt8},
                                         length(state)::Csize_t)::Int32)
    return opt
end
