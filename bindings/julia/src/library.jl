# Finds liblmada, checks that its binary interface is the one of this package, and keeps the addresses of its functions.

"The binary interface that this package is written for: `LMADA_ABI_VERSION` of lmada.h."
const ABI_VERSION = 1

const LIBRARY_NAME = Sys.iswindows() ? "lmada" : "liblmada"

# The path of the library in a source tree, from `make`.
const SOURCE_TREE = normpath(@__DIR__, "..", "..", "..", "target", "lmada", "$LIBRARY_NAME.$(Libdl.dlext)")

const FUNCTIONS = (:abi_version, :version, :status_string, :last_error, :config_init, :config_recommended,
                   :create_blocks, :memory, :reset, :free, :begin, :partials, :solve, :end, :cancel, :set_lr,
                   :get_config, :set_config, :set_grad_scale, :set_groups, :schedule, :stats, :step_bf16, :feed_bf16,
                   :apply_bf16, :state_size, :state_save, :state_load, :state_load_shares, :state_write,
                   :create_from_state)

# Each of these functions exists under this name for Float32 and with the suffix "_f64" for Float64.
const TYPED_FUNCTIONS = (:step, :step_tensors, :direction, :feed, :apply, :apply_direction, :observe, :precondition,
                         :averaged_params)

addresses_type(names) = NamedTuple{names,NTuple{length(names),Ptr{Cvoid}}}

const LIBRARY = Ref{addresses_type(FUNCTIONS)}()
const LIBRARY_F32 = Ref{addresses_type(TYPED_FUNCTIONS)}()
const LIBRARY_F64 = Ref{addresses_type(TYPED_FUNCTIONS)}()
const LIBRARY_PATH = Ref("")

library() = LIBRARY[]
library(::Type{Float32}) = LIBRARY_F32[]
library(::Type{Float64}) = LIBRARY_F64[]

const HOW_TO_SET = "Set the environment variable LMADA_LIBRARY to the full path of liblmada before `using Lmada`, " *
                   "or install the library where the system's loader looks for it."

function open_library()
    chosen = get(ENV, "LMADA_LIBRARY", "")
    candidates = isempty(chosen) ? [LIBRARY_NAME, SOURCE_TREE] : [chosen]
    for candidate in candidates
        handle = dlopen(candidate; throw_error = false)
        handle === nothing || return handle
    end
    isempty(chosen) && error("Lmada: found no library as ", join(candidates, " or "), ". ", HOW_TO_SET)
    # Tries again to get the loader's message.
    reason = try dlopen(chosen); "" catch failure; sprint(showerror, failure) end
    error("Lmada: LMADA_LIBRARY is $chosen, which cannot be loaded: $reason. ", HOW_TO_SET)
end

function check_abi(found, path)
    found == ABI_VERSION && return nothing
    error("Lmada: $path has binary interface $found, this package needs $ABI_VERSION: ",
          found > ABI_VERSION ? "update the package. " : "update the library. ", HOW_TO_SET)
end

function addresses(handle, names, suffix = "")
    return NamedTuple{names}(map(name -> dlsym(handle, Symbol("lmada_", name, suffix)), names))
end

function __init__()
    handle = open_library()
    path = dlpath(handle)
    abi_version = dlsym(handle, :lmada_abi_version; throw_error = false)
    abi_version === nothing && error("Lmada: $path is not an lmada library. ", HOW_TO_SET)
    check_abi(Int(@ccall $abi_version()::UInt32), path)

    LIBRARY[] = addresses(handle, FUNCTIONS)
    LIBRARY_F32[] = addresses(handle, TYPED_FUNCTIONS)
    LIBRARY_F64[] = addresses(handle, TYPED_FUNCTIONS, "_f64")
    LIBRARY_PATH[] = path
    PROCESS[] = hash((getpid(), time(), time_ns()))
    return nothing
end

"The path of the library in use."
library_path() = LIBRARY_PATH[]

"The version of the library in use."
version() = VersionNumber(unsafe_string(@ccall $(library().version)()::Cstring))
