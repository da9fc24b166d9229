"""
    Lmada.Optimizer{T}(dim; options...)
    Lmada.Optimizer{T}(blocks; options...)
    Lmada.Optimizer(...)

An optimizer for `dim` parameters of type `T`, `Float32` (the default) or `Float64`. The constructor reserves all memory
for the steps: about `history_size * dim` numbers in the format `history_format`.

`blocks` is a vector of lengths. Each block has its own preconditioner, clip reference and scale, as if the block were a
separate model. With one block for each layer the matrix is block-diagonal. The parameters are the blocks, one after the
other.

The memory is released when the optimizer is garbage-collected, or at once by `close(opt)`, which may be called more
than once. `isopen(opt)` is false after `close`. `length(opt)` is the number of parameters. `copy(opt)` and
`deepcopy(opt)` make a second optimizer in the same state. `write(io, opt)` and `Serialization.serialize` store the
optimizer with its options; another process can read it and continue with the same bits.

Only one task at a time may use an optimizer: a second call at the same time throws `BUSY`. No task may use an optimizer
while it is closed. Different optimizers are independent.

# Options

`w` are the parameters, `g` the gradient, `M` the matrix whose columns are the stored gradients, `M = U S V'`,
`u = U f(S^2) U' v` the update, and `v` the gradient or a momentum of it. A value out of range is refused.

- `lr = 1e-2`: learning rate, at least 0. With the default power and no momentum `norm(u) <= 1`, so `lr` bounds the
  length of a step. Tune it first, in factors of 3. [`set_lr!`](@ref) changes it between steps.
- `history_size = 10`: k, the number of gradients in the window, 1 to 4096. A longer window covers more directions of
  curvature and takes more memory. Use 10 to 30 for small and stochastic problems, 100 for long runs.
- `eps = 1e-6`: added to the eigenvalues of `MM'`, at least 0. A value near the squared norm of the gradients brings the
  update nearer to plain gradient descent.
- `eps_relative = 0`: adds this fraction of the largest eigenvalue to `eps`. Use it (1e-6 to 1e-2) instead of `eps` if
  the scale of the gradients is unknown or falls during training.
- `power = 0.5`: `p` in `f(x) = (x + eps)^-p`, above 0 and at most 1. 0.5 is Adagrad, 1 a natural gradient over the
  window.
- `eps_on_root = false`: uses `f(x) = 1/(x^p + eps)` instead, for an `eps` tuned for implementations with this formula.
- `rank_tol = 1e-14`: eigenvalues up to this fraction of the largest count as zero, if `v` may leave the span of the
  window (gradient momentum, centering) or `eps` is 0; 0 to below 1. Raise it if such runs are noisy.
- `centered = false`: subtracts the mean of the stored gradients from each of them (not from `v`), for stochastic
  gradients whose mean is large compared with their spread.
- `history_decay = 1`: the weight of a stored gradient is this number to the power of the gradient's age in steps; above
  0 and at most 1.
- `orthogonal_scale = 0`: factor on the part of `v` outside the span of the window, at least 0. It has an effect only
  with gradient momentum or centering.
- `momentum_kind = :none`: what momentum averages. `:gradient`: the gradients, before preconditioning. `:update`: the
  updates, after preconditioning and clipping. `:window`: the gradients in the window, at no cost; it needs
  `history_decay >= momentum`.
- `momentum = 0.9`: weight of the past in the momentum, 0 to below 1.
- `bias_correction = true`: divides the momentum by the sum of its weights, so that early steps are not too short.
- `clip_kind = :none`: rule that bounds (clip) or sets (graft) the length of an update. `:norm`: at most `clip_norm`.
  `:ema_norm`: at most `clip_factor` times the moving average of past norms. `:graft_ema_norm`: exactly this average.
  `:ema_vector`: at most `clip_factor` times the norm of the moving average of the updates. `:graft_ema_vector`: exactly
  this norm. `:graft_input`: the length of a step without preconditioning; with `diagonal_beta` the length of Adam's
  step.
- `clip_norm = 1`: at least 0. `clip_factor = 1`: at least 0. `clip_beta = 0.99`: weight of the past in the moving
  averages of the clips, 0 to below 1.
- `weight_decay = 0`: decoupled weight decay; each step first multiplies the parameters by `1 - lr * weight_decay`. At
  least 0, and `lr * weight_decay` at most 1.
- `threads = 0`: largest number of threads of a step, including the calling thread. 0: one for each processor that the
  process may use. 1: the calling thread only. Results have the same bits for any number. Small models use one thread.
- `diagonal_beta = 0`: beta2 of diagonal preconditioning, Adam's second moment, 0 to below 1; 0 is off. `lr` is then on
  Adam's scale. For deep networks, whose gradients differ by orders of magnitude between parameters, use 0.95 to 0.999
  with `eps = 0`, `eps_relative = 1e-9` and `diagonal_eps = 1e-30`. Takes one more buffer of the model's length. Cannot
  be combined with `centered` or with the clips by vectors.
- `diagonal_eps = 1e-16`: added to the second moment of diagonal preconditioning; above 0.
- `history_format = :full`: number format of the window. `Float64` allows only `:full`. The update is exact for the
  gradients as stored. `:f16`: half precision with a scale for each group of 256 numbers, half the memory; try it first
  if memory is short. `:bf16`: half the memory without scales, for neighbouring numbers that differ by more than nine
  decades. `:int8`: a quarter of the memory; numbers below 1/254 of the largest in their group of 256 become zero.
  `:sparse`: only the largest numbers of each 4,096; the others are added to the next gradient, in one more buffer of
  the model's length; for long windows of large models and long runs.
- `density = 0.01`: fraction of a gradient's entries that `:sparse` keeps, rounded up in each 4,096; above 0 and at most
  1. An entry waits about `1 / density` steps before it enters the window.
- `grad_scale = 1`: factor on every gradient, applied first, at least 0. Use it to remove the scale of a loss, or to
  turn a sum of gradients into a mean. [`set_grad_scale!`](@ref) changes it between steps.
- `grad_clip_norm = 0`: largest norm of a gradient after `grad_scale`, over all blocks; longer gradients are scaled down
  to this norm. 0 is off. Use it against single gradients that are orders of magnitude too long.
- `average_beta = 0`: weight of the past in the average of the parameters, 0 to below 1; 0 is off. Takes one more buffer
  of the model's length. [`Lmada.averaged_params`](@ref) returns the average. [`direction!`](@ref) fails with this
  option, because it does not see the parameters.

[`Lmada.set_config!`](@ref) changes options between steps. See also [`Lmada.config`](@ref), [`Lmada.defaults`](@ref),
[`Lmada.recommended`](@ref) and [`Lmada.memory`](@ref).
"""
mutable struct Optimizer{T<:Real32or64}
    handle::Ptr{Cvoid}    # C_NULL once closed
    blocks::Vector{Csize_t}
    seal::UInt64          # distinguishes the optimizer from a copy of its fields

    function Optimizer{T}(handle::Ptr{Cvoid}, blocks::Vector{Csize_t}) where {T}
        opt = new{T}(handle, blocks)
        opt.seal = seal_of(opt)
        return finalizer(close, opt)
    end
end

# An interrupt between the call and the finalizer would lose the handle.
Optimizer{T}(config::Config, blocks::Vector{Csize_t}) where {T} =
    disable_sigint(() -> Optimizer{T}(created(config, blocks), blocks))

function created(config, blocks)
    handle = Ref{Ptr{Cvoid}}(C_NULL)
    create() = @guard $(library().create_blocks)(config::Ref{Config}, blocks::Ptr{Csize_t}, length(blocks)::Csize_t,
                                                 handle::Ref{Ptr{Cvoid}})::Int32
    code = create()
    # The garbage collector does not see the memory of optimizers that are no longer used.
    code == Int32(OUT_OF_MEMORY) && (GC.gc(); code = create())
    check(code)
    return handle[]
end

# Precompilation, and packages that store any object, make field-by-field copies of optimizers. Such a copy has the
# address of a handle that was freed or belongs to another object. The seal makes the fields valid only for the object
# and the process that they were created for.
seal_of(opt) = UInt64(pointer_from_objref(opt)) ⊻ PROCESS[]
is_original(opt) = opt.seal == seal_of(opt)

const PROCESS = Ref(UInt64(0))    # a number that no other process has, once the module is loaded

function Optimizer{T}(blocks::AbstractVector{<:Integer}; options...) where {T}
    all(>=(0), blocks) || throw(ArgumentError("the lengths of blocks cannot be negative: $blocks"))
    return Optimizer{T}(Config(T; options...), Vector{Csize_t}(blocks))
end

function Optimizer{T}(dim::Integer; options...) where {T}
    dim >= 1 || throw(ArgumentError("an optimizer has at least one parameter, not $dim"))
    return Optimizer{T}([dim]; options...)
end

Optimizer(lengths; options...) = Optimizer{Float32}(lengths; options...)

function Base.close(opt::Optimizer)
    is_original(opt) || return nothing
    handle, opt.handle = opt.handle, C_NULL
    @guard $(library().free)(handle::Ptr{Cvoid})::Cvoid
    return nothing
end

Base.isopen(opt::Optimizer) = is_original(opt) && opt.handle != C_NULL

const NOT_ORIGINAL =
    "this is a field-by-field copy of an optimizer, as precompilation and packages that store objects make. " *
    "Make the optimizers of a module in its `__init__`; to store one, use Serialization or the bytes of " *
    "`Lmada.save(opt)`; to copy one, `copy` or `deepcopy`"

# With this method, ccall accepts an Optimizer for a handle, and keeps the Optimizer alive during the call.
function Base.unsafe_convert(::Type{Ptr{Cvoid}}, opt::Optimizer)
    is_original(opt) || throw(ArgumentError(NOT_ORIGINAL))
    opt.handle == C_NULL && throw(ArgumentError("this optimizer has been closed"))
    return opt.handle
end

"""
    Lmada.memory(dim; options...) -> Int
    Lmada.memory(T, dim; options...)

The bytes that an optimizer for `dim` parameters of type `T` (default `Float32`) would hold, without making one: the
`state_bytes` of [`Lmada.stats`](@ref). `dim` and the options are those of [`Lmada.Optimizer`](@ref).
"""
function memory(::Type{T}, dim::Integer; options...) where {T<:Real32or64}
    config, bytes = Config(T; options...), Ref{UInt64}()
    dim >= 1 || throw(ArgumentError("an optimizer has at least one parameter, not $dim"))
    check(@guard $(library().memory)(config::Ref{Config}, dim::Csize_t, bytes::Ref{UInt64})::Int32)
    return Int(bytes[])
end

memory(dim::Integer; options...) = memory(Float32, dim; options...)

Base.length(opt::Optimizer) = Int(sum(opt.blocks))

function Base.copy(opt::Optimizer{T}) where {T}
    state = save(opt)
    return load!(Optimizer{T}(current(opt), copy(opt.blocks)), state)
end

# A field-by-field copy would be a second owner of the handle.
Base.deepcopy_internal(opt::Optimizer, copies::IdDict) = get!(() -> copy(opt), copies, opt)

function Base.show(io::IO, opt::Optimizer{T}) where {T}
    print(io, "Lmada.Optimizer{", T, "}(")
    if isopen(opt)
        print(io, length(opt), " parameters")
        length(opt.blocks) == 1 || print(io, " in ", length(opt.blocks), " blocks")
    else
        print(io, is_original(opt) ? "closed" : "a copy of its fields only")
    end
    print(io, ")")
end

"""
    reset!(opt)

Forgets every gradient and average, like a new optimizer, and ends a step in phases. Keeps the options and the learning
rate.
"""
function reset!(opt::Optimizer)
    check(@guard $(library().reset)(opt::Ptr{Cvoid})::Int32)
    return opt
end
