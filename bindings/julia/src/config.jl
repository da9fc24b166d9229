# The options: lmada_config_t, and its translation from and to keywords.

# lmada_config_t, field by field. The keywords of Optimizer are the fields from the third on.
struct Config
    struct_size::Csize_t
    dtype::Int32
    history_size::UInt32
    history_format::Int32
    density::Float64
    lr::Float64
    eps::Float64
    eps_relative::Float64
    power::Float64
    eps_on_root::Bool
    rank_tol::Float64
    centered::Bool
    history_decay::Float64
    orthogonal_scale::Float64
    momentum_kind::Int32
    momentum::Float64
    bias_correction::Bool
    clip_kind::Int32
    clip_norm::Float64
    clip_factor::Float64
    clip_beta::Float64
    weight_decay::Float64
    threads::UInt32
    diagonal_beta::Float64
    diagonal_eps::Float64
    grad_scale::Float64
    grad_clip_norm::Float64
    average_beta::Float64
end

const OPTIONS = fieldnames(Config)[3:end]

# Options with a choice. The choices are numbered from 0 in this order.
const CHOICES = (history_format = (:full, :bf16, :f16, :int8, :sparse),
                 momentum_kind = (:none, :gradient, :update, :window),
                 clip_kind = (:none, :norm, :ema_norm, :graft_ema_norm, :ema_vector, :graft_ema_vector,
                              :graft_input))

const Real32or64 = Union{Float32,Float64}

dtype(::Type{Float32}) = Int32(0)
dtype(::Type{Float64}) = Int32(1)

function filled(init::Ptr{Cvoid})
    config = Ref{Config}()
    check(@ccall $init(config::Ref{Config}, sizeof(Config)::Csize_t)::Int32)
    return config[]
end

function Config(::Type{T}; options...) where {T<:Real32or64}
    return with_options(filled(library().config_init), dtype(T), values(options))
end

# `config` with this element type and these options.
function with_options(config::Config, dtype::Int32, options::NamedTuple)
    for name in keys(options)
        name in OPTIONS || throw(ArgumentError("there is no option $name; the options are $(join(OPTIONS, ", "))"))
    end
    return Config(map(fieldnames(Config)) do name
        name === :dtype && return dtype
        return haskey(options, name) ? to_c(name, options[name]) : getfield(config, name)
    end...)
end

function to_c(name::Symbol, value)
    haskey(CHOICES, name) && return number_of(name, value)
    type = fieldtype(Config, name)
    try
        return convert(type, value)
    catch failure
        failure isa Union{InexactError,MethodError} || rethrow()
        throw(ArgumentError("option $name cannot be $(repr(value))"))
    end
end

function number_of(name::Symbol, value)
    number = findfirst(isequal(value), CHOICES[name])
    number === nothing && throw(ArgumentError("option $name cannot be $(repr(value)); it is one of $(CHOICES[name])"))
    return Int32(number - 1)
end

function to_julia(config::Config, name::Symbol)
    value = getfield(config, name)
    haskey(CHOICES, name) && return CHOICES[name][value + 1]
    return value isa UInt32 ? Int(value) : value
end

options_of(config::Config) = NamedTuple{OPTIONS}(map(name -> to_julia(config, name), OPTIONS))

"""
    Lmada.defaults() -> NamedTuple

Every option with its default value. [`Lmada.Optimizer`](@ref) documents each option.
"""
defaults() = options_of(filled(library().config_init))

"""
    Lmada.recommended() -> NamedTuple

Every option with the value that trained best in the library's own measurements. The options use diagonal
preconditioning, which excludes `centered` and the clips by EMA vectors. `lr` is on Adam's scale. Use them as a start:

    opt = Lmada.Optimizer(dim; Lmada.recommended()..., lr = 0.003)
"""
recommended() = options_of(filled(library().config_recommended))
