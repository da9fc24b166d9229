# Optimizers in Julia's Serialization, which Distributed uses too: the type, then the saved state.

function Serialization.serialize(s::AbstractSerializer, opt::Optimizer)
    # Writes the header with the first piece, so that nothing is written if the library refuses.
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
