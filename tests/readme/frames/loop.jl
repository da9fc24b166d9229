# What the blocks of Julia in docs/in-your-training-loop.md stand in: the names that they take as given. Each file of
# ARGS is a block, which is run in a module of its own; its name ends with its line.

using Lmada

# The model: an embedding, weights, biases, one after the other.
const EMBEDDING, WEIGHTS, BIASES, STEPS, BATCHES = 4, 6, 2, 200, 4
const dim = EMBEDDING + WEIGHTS + BIASES

# The loss of batch b has its minimum where all parameters are b + 1; they are 2.5 where the sum has its own.
loss(w) = sum((1:dim) .* (w .- 2.5) .^ 2) / 2

# Adds scale times the gradient of a batch's loss.
add_gradient(batch, w, gradient, scale) = gradient .+= Float32(scale) .* (1:dim) .* (w .- (batch + 1))

# Writes the gradient of the loss, times scale.
compute_gradient(w, gradient, scale) = gradient .= Float32(scale) .* (1:dim) .* (w .- 2.5f0)

from_bf16(x::UInt16) = reinterpret(Float32, UInt32(x) << 16)

function to_bf16(x::Real)
    bits = reinterpret(UInt32, Float32(x))
    return UInt16((bits + 0x7fff + (bits >> 16) & 1) >> 16)
end

const GIVEN = (:EMBEDDING, :WEIGHTS, :BIASES, :STEPS, :BATCHES, :dim, :loss, :add_gradient, :compute_gradient,
               :from_bf16, :to_bf16)

for file in ARGS
    println("== ", match(r"\d+$", file).match)
    block = Module(:Block)
    Core.eval(block, :(using Lmada))
    Core.eval(block, Meta.parse("using Main: $(join(GIVEN, ", "))"))
    Core.eval(block, :(opt = Lmada.Optimizer(dim; Lmada.recommended()...)))
    Core.eval(block, :((params, grads) = (zeros(Float32, dim), zeros(Float32, dim))))
    Base.include(block, abspath(file))
end
