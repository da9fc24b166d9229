# Optimizers in Julia's Serialization, and so between the processes of Distributed: type, options, blocks, saved state.

function Serialization.serialize(s::AbstractSerializer, opt::Optimizer)
    state = save(opt)    # first: where this throws, nothing has been written
    Serialization.serialize_cycle_header(s, opt) && return nothing
    serialize(s, options_of(opt.config))
    serialize(s, Vector{Int}(opt.blocks))
    serialize(s, state)
    return nothing
end

function Serialization.deserialize(s::AbstractSerializer, ::Type{Optimizer{T}}) where {T}
    options, blocks, state = deserialize(s), deserialize(s), deserialize(s)
    opt = load!(Optimizer{T}(blocks; options...), state)
    Serialization.deserialize_cycle(s, opt)    # later references in the stream to the same object
    return opt
end
