# Mixed precision: gradients and a copy of the parameters in bfloat16.

# Julia has no bfloat16 type. Packages have such a type, or a UInt16 holds the bits.
function dense_bf16(x::AbstractArray{E}, name) where {E}
    isbitstype(E) && sizeof(E) == 2 && E !== Float16 && (x isa DenseArray || x isa StridedArray && contiguous(x)) &&
        return x
    throw(ArgumentError("$name has to be an array of bfloat16 numbers, of a type of 2 bytes such as UInt16 that " *
                        "holds their bits, and contiguous in memory, not a $(summary(x))"))
end

dense_bf16(::Nothing, name) = nothing

address_bf16(x) = Ptr{UInt16}(pointer(x))
address_bf16(::Nothing) = Ptr{UInt16}(C_NULL)

"""
    step_bf16!(opt, params, grads; params_bf16 = nothing) -> params

[`step!`](@ref) with the gradient in bfloat16, the upper halves of `Float32` numbers: an array of `UInt16` or of a
package's bfloat16 type. `opt` and `params` are `Float32`. The step writes the moved parameters to `params_bf16`, an
array of a bfloat16 type, rounded to nearest, ties to even.
"""
function step_bf16!(opt::Optimizer{Float32}, params::AbstractArray, grads::AbstractArray; params_bf16 = nothing)
    same_size(params, grads)
    same_size(params, params_bf16)
    dense_bf16(grads, "grads")
    dense_bf16(params_bf16, "params_bf16")
    GC.@preserve grads params_bf16 begin
        check(@guard $(library().step_bf16)(opt::Ptr{Cvoid}, dense(Float32, params, "params")::Ptr{Float32},
                                            address_bf16(params_bf16)::Ptr{UInt16}, address_bf16(grads)::Ptr{UInt16},
                                            length(params)::Csize_t)::Int32)
    end
    return params
end

"""
    Lmada.feed_bf16!(opt, grads; offset = 0)

[`Lmada.feed!`](@ref) with the gradient in bfloat16, as in [`step_bf16!`](@ref).
"""
function feed_bf16!(opt::Optimizer{Float32}, grads::AbstractArray; offset::Integer = 0)
    dense_bf16(grads, "grads")
    GC.@preserve grads begin
        check(@guard $(library().feed_bf16)(opt::Ptr{Cvoid}, nonnegative(offset)::Csize_t,
                                            address_bf16(grads)::Ptr{UInt16}, length(grads)::Csize_t)::Int32)
    end
    return opt
end

"""
    Lmada.apply_bf16!(opt, params, grads; params_bf16 = nothing, offset = 0) -> params

[`Lmada.apply!`](@ref) with the gradient and a copy of the parameters in bfloat16, as in [`step_bf16!`](@ref).
"""
function apply_bf16!(opt::Optimizer{Float32}, params::AbstractArray, grads::AbstractArray; params_bf16 = nothing,
                     offset::Integer = 0)
    same_size(params, grads)
    same_size(params, params_bf16)
    dense_bf16(grads, "grads")
    dense_bf16(params_bf16, "params_bf16")
    GC.@preserve grads params_bf16 begin
        check(@guard $(library().apply_bf16)(opt::Ptr{Cvoid}, nonnegative(offset)::Csize_t,
                                             dense(Float32, params, "params")::Ptr{Float32},
                                             address_bf16(params_bf16)::Ptr{UInt16},
                                             address_bf16(grads)::Ptr{UInt16}, length(params)::Csize_t)::Int32)
    end
    return params
end
