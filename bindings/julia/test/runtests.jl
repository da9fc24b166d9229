using Test
using LinearAlgebra
using Random
using Serialization

using Lmada

const PACKAGE = dirname(@__DIR__)
const REPOSITORY = normpath(PACKAGE, "..", "..")

"The `LmadaError` that a call throws; `nothing` if it throws none."
function failure_of(call)
    try
        call()
    catch failure
        return failure isa LmadaError ? failure : rethrow()
    end
    return nothing
end

"The message of the exception that a call throws."
message_of(call) =
    try
        call()
        ""
    catch failure
        sprint(showerror, failure)
    end

"A separate process that runs a script with this package and this library."
function julia_command(script, arguments...)
    environment = merge(ENV, Dict("JULIA_LOAD_PATH" => "@:@stdlib", "LMADA_LIBRARY" => Lmada.library_path()))
    return setenv(`$(Base.julia_cmd()) --startup-file=no --project=$PACKAGE $script $arguments`, environment)
end

include("reference.jl")

@testset "Lmada" begin
    include("layout.jl")
    include("options.jl")
    include("steps.jl")
    include("arrays.jl")
    include("lifetime.jl")
    include("inflight.jl")
    include("own_rule.jl")
    include("phases.jl")
    include("bf16.jl")
    include("processes.jl")
    include("state.jl")
    include("stream.jl")
    include("copies.jl")
    include("interrupts.jl")
    include("tasks.jl")
    include("rule.jl")
    include("loading.jl")
    include("example.jl")
end
