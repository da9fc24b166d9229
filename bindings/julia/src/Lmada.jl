"""
Limited-memory full-matrix Adagrad: the Julia interface of the library lmada.

    using Lmada

    opt = Lmada.Optimizer(length(w); lr = 0.05)
    for _ in 1:steps
        step!(opt, w, gradient(w))
    end

[`Lmada.Optimizer`](@ref) is the optimizer and lists the options; [`step!`](@ref) moves the parameters. Everything else:
[`direction!`](@ref), [`reset!`](@ref), [`set_lr!`](@ref), [`Lmada.stats`](@ref), [`Lmada.save`](@ref),
[`Lmada.load!`](@ref), `write(io, opt)` and `read(io, Lmada.Optimizer)`, what changes between steps
([`Lmada.set_config!`](@ref), [`set_groups!`](@ref), [`Lmada.schedule`](@ref)), the averaged parameters
([`Lmada.averaged_params`](@ref)), gradients in bfloat16 ([`step_bf16!`](@ref)), what rules of one's own are made of
([`Lmada.observe!`](@ref), [`Lmada.precondition!`](@ref)), the step in phases ([`Lmada.begin!`](@ref)), what joins
processes that share a model ([`Lmada.Communicator`](@ref)), and what joins Optimisers.jl
([`Lmada.optimisers_rule`](@ref), [`Lmada.setup`](@ref)). A call that fails throws an [`LmadaError`](@ref) and has
changed nothing.
"""
module Lmada

using Libdl, Serialization

# The other names (save, stats, init, apply!, ...) are too common to be brought into every user's scope.
export step!, step_bf16!, direction!, reset!, set_lr!, set_grad_scale!, set_groups!, LmadaError

include("library.jl")
include("interrupts.jl")
include("errors.jl")
include("config.jl")
include("optimizer.jl")
include("arrays.jl")
include("inflight.jl")
include("step.jl")
include("own_rule.jl")
include("phases.jl")
include("bf16.jl")
include("communicator.jl")
include("processes.jl")
include("state.jl")
include("stream.jl")
include("serialized.jl")
include("rule.jl")

# Julia 1.11 and later tell the names that are meant for users, exported or not.
if VERSION >= v"1.11"
    eval(Expr(:public, :Optimizer, :defaults, :recommended, :config, :set_config!, :Group, :schedule, :memory,
              :stats, :save, :load!, :load_shares!,
              :begin!, :feed!, :partials, :solve!, :apply!, :apply_direction!, :finish!,
              :cancel!, :observe!, :precondition!, :precondition, :averaged_params!, :averaged_params,
              :feed_bf16!, :apply_bf16!, :Communicator, :comm_rank, :comm_size, :comm_sum!, :comm_min, :comm_bcast!,
              :Rule, :init, :optimisers_rule, :setup, :Status, Symbol.(instances(Status))..., :version, :library_path))
end

end
