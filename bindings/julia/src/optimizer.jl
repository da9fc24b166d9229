"""
    Lmada.Optimizer{T}(dim; options...)
    Lmada.Optimizer{T}(blocks; options...)
    Lmada.Optimizer(...)

An optimizer for `dim` parameters of type `T`, `Float32` (also where `T` is left out) or `Float64`. All memory that its
steps need is reserved here: about `history_size * dim` numbers, in as many bytes as `history_format` has for them.

`blocks` is a vector of lengths. Each block has a preconditioner, clip reference and scale of its own, as if it were a
model of its own: one block a layer makes the matrix block-diagonal. The parameters are the blocks one after the other.

The memory is given back when the optimizer is garbage-collected, or at once by `close(opt)`, which may be called more
than once; `isopen(opt)` tells. `length(opt)` is the number of parameters. `copy(opt)` and `deepcopy(opt)` make a second
optimizer in the same state; `write(io, opt)` and `Serialization.serialize` store one, with its options, to go on with
the same bits in another process. One optimizer is for one task at a time (a second call under way at once throws
`BUSY`), and none may be using it when it is closed; different optimizers are independent.

# Options

`w` are the parameters, `g` the gradient, `M` the matrix whose columns are the stored gradients, `M = U S V'`,
`u = U f(S^2) U' v` the update, and `v` the gradient or a momentum of it. A value out of range is refused.

- `lr = 1e-2`: learning rate, at least 0. With the default power and no momentum `norm(u) <= 1`, so that `lr` bounds the
  length of a step. The first thing to tune, over factors of 3. [`set_lr!`](@ref) changes it between steps.
- `history_size = 10`: how many gradients are kept, 1 to 4096. More sees more directions of curvature and takes more
  memory: 10 to 30 serve small and stochastic problems, 100 long ones.
- `eps = 1e-6`: added to the eigenvalues of `MM'`, at least 0. Raise it towards the squared norm of the gradients to
  come nearer to plain gradient descent.
- `eps_relative = 0`: adds this part of the largest eigenvalue to `eps`. Use it (1e-6 to 1e-2) in place of `eps` where
  the gradients' scale is unknown or falls during training.
- `power = 0.5`: `p` in `f(x) = (x + eps)^-p`, above 0 and at most 1. 0.5 is Adagrad, 1 a natural gradient over the
  window.
- `eps_on_root = false`: `f(x) = 1/(x^p + eps)` instead, to carry over an `eps` tuned for implementations that do so.
- `rank_tol = 1e-14`: eigenvalues at or below this part of the largest are taken as absent, where `v` may leave the span
  of the window (gradient momentum, centering) or `eps` is 0; 0 to below 1. Raise it if such runs are noisy.
- `centered = false`: subtract the mean of the stored gradients from each of them (not from `v`), for stochastic
  gradients whose mean is large against their spread.
- `history_decay = 1`: weight of a stored gradient for each step of its age, above 0 and at most 1. Below 1 old
  gradients fade instead of falling out.
- `orthogonal_scale = 0`: factor on the part of `v` that the window does not span, at least 0. Of effect with gradient
  momentum or centering only.
- `momentum_kind = :none`: what is averaged over time. `:gradient`: the gradients, before preconditioning. `:update`:
  the updates, after preconditioning and clipping. `:window`: the gradients in the window, at no cost; it needs
  `history_decay >= momentum`.
- `momentum = 0.9`: weight of the past in that average, 0 to below 1.
- `bias_correction = true`: divide the momentum by the sum of its weights, so that early steps are not short.
- `clip_kind = :none`: how the length of an update is bounded or set. `:norm`: at most `clip_norm`. `:ema_norm`: at most
  `clip_factor` times the moving average of past norms. `:graft_ema_norm`: exactly that average. `:ema_vector`: at most
  `clip_factor` times the norm of the moving average of the updates. `:graft_ema_vector`: exactly that norm.
  `:graft_input`: as long as a step without preconditioning; with `diagonal_beta` that is as long as Adam's.
- `clip_norm = 1`: at least 0. `clip_factor = 1`: at least 0. `clip_beta = 0.99`: weight of the past in the moving
  averages behind the clips, 0 to below 1.
- `weight_decay = 0`: decoupled; each step first multiplies the parameters by `1 - lr * weight_decay`. At least 0, and
  `lr * weight_decay` at most 1.
- `threads = 0`: threads of a step, 0 for as many as the process may run on, 1 for the calling one only. The results are
  the same bits for any number; small models use one whatever it says.
- `diagonal_beta = 0`: beta2 of diagonal preconditioning, after which Adam is spherical and `lr` is Adam's, 0 to below
  1; 0 is off. For deep networks, whose parameters' gradients differ by orders of magnitude: 0.95 to 0.999, with
  `eps = 0`, `eps_relative = 1e-9` and `diagonal_eps = 1e-30`. One more buffer of the model's length. Not with
  `centered`, nor with the clips by vectors. `diagonal_eps = 1e-16`: what is added to the average of the squares; above
  0.
- `history_format = :full`: how the gradients are kept; with `Float64` only `:full`, as given. `:f16`: half precision
  relative to a power of two for each 256 numbers, in half the memory; the first to try where that is short. `:bf16`:
  likewise without such scales, for numbers side by side that differ by more than nine decades. `:int8`: a quarter of
  the memory; numbers below 1/254 of the largest of their 256 are lost. `:sparse`: of each 4,096 numbers only the
  largest, and what is left out is added to the next gradient, in one more buffer of the model's length; for long
  windows of large models and long runs. The update is exact for the gradients as stored.
- `density = 0.01`: share of a gradient's entries that `:sparse` keeps, rounded up in each 4,096; above 0 and at most 1.
  It takes some `1 / density` steps for an entry to have its turn.
- `grad_scale = 1`: factor on every gradient before anything is done with it, at least 0: to undo the scale of a loss or
  to average a gradient that was summed over several batches. [`set_grad_scale!`](@ref) changes it between steps.
- `grad_clip_norm = 0`: largest norm of a gradient, after `grad_scale` and over all blocks together; a longer one is
  scaled down to it. 0 is off. Against single gradients that are orders of magnitude too long.
- `average_beta = 0`: weight of the past in an average of the parameters, 0 to below 1; 0 is off. One more buffer of the
  model's length. [`Lmada.averaged_params`](@ref) gives it; [`direction!`](@ref), which does not see the parameters,
  refuses it.

[`Lmada.set_config!`](@ref) changes them between steps. See also [`Lmada.config`](@ref), [`Lmada.defaults`](@ref),
[`Lmada.recommended`](@ref) and [`Lmada.memory`](@ref).
"""
mutable struct Optimizer{T<:Real32or64}
    handle::Ptr{Cvoid}    # C_NULL once closed
    blocks::Vector{Csize_t}
    seal::UInt64          # tells the optimizer from a copy of its fields

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
    create() = @whole $(library().create_blocks)(config::Ref{Config}, blocks::Ptr{Csize_t}, length(blocks)::Csize_t,
                                                 handle::Ref{Ptr{Cvoid}})::Int32
    code = create()
    # The collector does not see the memory of optimizers that are no longer used.
    code == Int32(OUT_OF_MEMORY) && (GC.gc(); code = create())
    check(code)
    return handle[]
end

# A field-by-field copy of an optimizer, as precompilation and packages that store any object make it, holds the address
# of a handle that was freed or belongs to another object. The seal makes the fields valid only for the object and the
# process that they were created for.
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
    @whole $(library().free)(handle::Ptr{Cvoid})::Cvoid
    return nothing
end

Base.isopen(opt::Optimizer) = is_original(opt) && opt.handle != C_NULL

const NOT_ORIGINAL =
    "this is no optimizer but a copy of the fields of one, as precompilation and packages that store objects make. " *
    "Make the optimizers of a module in its `__init__`; to store one, use Serialization or the bytes of " *
    "`Lmada.save(opt)`; to copy one, `copy` or `deepcopy`"

# ccall takes an Optimizer where the library takes a handle, and keeps it alive during the call.
function Base.unsafe_convert(::Type{Ptr{Cvoid}}, opt::Optimizer)
    is_original(opt) || throw(ArgumentError(NOT_ORIGINAL))
    opt.handle == C_NULL && throw(ArgumentError("this optimizer has been closed"))
    return opt.handle
end

"""
    Lmada.memory(dim; options...) -> Int
    Lmada.memory(T, dim; options...)

The bytes that an optimizer for `dim` parameters of type `T` (`Float32` where it is left out) would hold, without making
one: the `state_bytes` of [`Lmada.stats`](@ref). `dim` and the options are those of [`Lmada.Optimizer`](@ref).
"""
function memory(::Type{T}, dim::Integer; options...) where {T<:Real32or64}
    config, bytes = Config(T; options...), Ref{UInt64}()
    dim >= 1 || throw(ArgumentError("an optimizer has at least one parameter, not $dim"))
    check(@whole $(library().memory)(config::Ref{Config}, dim::Csize_t, bytes::Ref{UInt64})::Int32)
    return Int(bytes[])
end

memory(dim::Integer; options...) = memory(Float32, dim; options...)

Base.length(opt::Optimizer) = Int(sum(opt.blocks))

function Base.copy(opt::Optimizer{T}) where {T}
    state = save(opt)
    return load!(Optimizer{T}(current(opt), copy(opt.blocks)), state)
end

# Field by field it would be a second owner of the same handle.
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

Forgets every gradient and average, as if `opt` had just been made, and ends a step in phases. Options and learning rate
are kept.
"""
function reset!(opt::Optimizer)
    check(@whole $(library().reset)(opt::Ptr{Cvoid})::Int32)
    return opt
end
