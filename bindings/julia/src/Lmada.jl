"""
Limited-memory full-matrix Adagrad: the Julia interface of the library lmada.

    using Lmada

    opt = Lmada.Optimizer(length(w); lr = 0.05)
    for _ in 1:steps
        step!(opt, w, gradient(w))
    end

[`Lmada.Optimizer`](@ref) is the optimizer and lists the options. [`step!`](@ref) moves the parameters. The other
functions are:

- [`direction!`](@ref), [`reset!`](@ref), [`Lmada.stats`](@ref)
- states: [`Lmada.save`](@ref), [`Lmada.load!`](@ref), `write(io, opt)` and `read(io, Lmada.Optimizer)`
- changes between steps: [`set_lr!`](@ref), [`Lmada.set_config!`](@ref), [`set_groups!`](@ref),
  [`Lmada.schedule`](@ref)
- the averaged parameters: [`Lmada.averaged_params`](@ref)
- gradients in bfloat16: [`step_bf16!`](@ref)
- your own update rules: [`Lmada.observe!`](@ref), [`Lmada.precondition!`](@ref)
- a step in phases: [`Lmada.begin!`](@ref)
- processes that share a model: [`Lmada.Communicator`](@ref)
- Optimisers.jl: [`Lmada.optimisers_rule`](@ref), [`Lmada.setup`](@ref)

A call that fails throws an [`LmadaError`](@ref) and has changed nothing.
"""
module Lmada

using Libdl, Serialization

# The other names (save, stats, init, apply!, ...) are too common to export.
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

# Julia 1.11 and later have a list of public names, exported or not.
if VERSION >= v"1.11"
    eval(Expr(:public, :Optimizer, :defaults, :recommended, :config, :set_config!, :Group, :schedule, :memory,
              :stats, :save, :load!, :load_shares!,
              :begin!, :feed!, :partials, :solve!, :apply!, :apply_direction!, :finish!,
              :cancel!, :observe!, :precondition!, :precondition, :averaged_params!, :averaged_params,
              :feed_bf16!, :apply_bf16!, :Communicator, :comm_rank, :comm_size, :comm_sum!, :comm_min, :comm_bcast!,
              :Rule, :init, :optimisers_rule, :setup, :Status, Symbol.(instances(Status))..., :version, :library_path))
end

end
