# Checks of arrays that the package passes to the library without copying.

function dense(::Type{T}, x, name, number = 0) where {T}
    x isa DenseArray{T} || (x isa StridedArray{T} && contiguous(x)) || reject(T, x, name, number)
    return x
end

# Whether the elements of a strided array follow one another in memory, as in a range of columns.
function contiguous(x)
    isempty(x) && return true
    expected = 1
    for (len, stride) in zip(size(x), strides(x))
        len == 1 || stride == expected || return false
        expected *= len
    end
    return true
end

@noinline function reject(::Type{T}, x, name, number) where {T}
    which = number == 0 ? name : "$name[$number]"
    throw(ArgumentError("$which has to be an array of $T that is contiguous in memory, not a $(summary(x))"))
end

function same_size(params, grads)
    size(params) == size(grads) && return nothing
    throw(DimensionMismatch("parameters of size $(size(params)), but a gradient of size $(size(grads))"))
end

same_size(params, ::Nothing) = nothing

# A model in several arrays.
const Tensors = Union{Tuple{Vararg{AbstractArray}},AbstractVector{<:AbstractArray}}

# The gradients of a model in several arrays: `nothing` for an array without a gradient in this step.
const Gradients = Union{Tuple{Vararg{Union{AbstractArray,Nothing}}},AbstractVector{<:Union{AbstractArray,Nothing}},
                        AbstractVector{Any}}

# The arrays in a collection that GC.@preserve can keep alive.
arrays(tensors::Tuple) = tensors
arrays(tensors::AbstractVector) = collect(tensors)

addresses_of(::Type{T}, tensors, name) where {T} =
    Ptr{T}[x === nothing ? Ptr{T}(C_NULL) : pointer(dense(T, x, name, number)) for (number, x) in enumerate(tensors)]
