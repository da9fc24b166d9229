# Optimizers in Julia's Serialization, and so between the processes of Distributed: the type, then the saved state.

function Serialization.serialize(s::AbstractSerializer, opt::Optimizer)
    # With the first piece: where the library refuses, nothing has been written.
    begun, known = false, false
    write_pieces(opt) do bytes, count
        begun || (begun = true; known = Serialization.serialize_cycle_header(s, opt))
        known || unsafe_write(s.io, bytes, count)
    end
    return nothing
end

function Serialization.deserialize(s::AbstractSerializer, ::Type{Optimizer{T}}) where {T}
    opt = read(s.io, Optimizer{T})
    Serialization.deserialize_cycle(s, opt)    # later references in the stream to the same object
    return opt
end
