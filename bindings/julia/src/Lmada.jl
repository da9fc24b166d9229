"""
Limited-memory full-matrix Adagrad: the Julia interface of the library lmada.

    using Lmada

    opt = Lmada.Optimizer(length(w); lr = 0.05)
    for _ in 1:steps
        step!(opt, w, gradient(w))
    end

[`Lmada.Optimizer`](@ref) is the optimizer and lists the options; [`step!`](@ref) moves the parameters. Everything else:
[`direction!`](@ref), [`reset!`](@ref), [`set_lr!`](@ref), [`Lmada.stats`](@ref), [`Lmada.save`](@ref),
[`Lmada.load!`](@ref), the step in phases ([`Lmada.begin!`](@ref)), what joins processes that share a model
([`Lmada.Communicator`](@ref)), and the two functions of an Optimisers.jl rule ([`Lmada.Rule`](@ref)). A call that fails
throws an [`LmadaError`](@ref) and has changed nothing.
"""
module Lmada

using Libdl, Serialization

# The other names (save, stats, init, apply!, ...) are too common to be brought into every user's scope.
export step!, direction!, reset!, set_lr!, LmadaError

include("library.jl")
include("interrupts.jl")
include("errors.jl")
include("config.jl")
include("optimizer.jl")
include("arrays.jl")
include("step.jl")
include("phases.jl")
include("communicator.jl")
include("processes.jl")
include("state.jl")
include("serialized.jl")
include("rule.jl")

# Julia 1.11 and later tell the names that are meant for users, exported or not.
if VERSION >= v"1.11"
    eval(Expr(:public, :Optimizer, :defaults, :recommended, :stats, :save, :load!, :load_shares!,
              :begin!, :feed!, :partials, :solve!, :apply!, :apply_direction!, :finish!,
              :cancel!, :Communicator, :comm_rank, :comm_size, :comm_sum!, :comm_min, :comm_bcast!,
              :Rule, :init, :Status, Symbol.(instances(Status))..., :version, :library_path))
end

end
