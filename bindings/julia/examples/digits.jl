# Trains a 64-32-10 perceptron to read handwritten digits, and prints the accuracy on the test digits.
#
#     julia --project=bindings/julia bindings/julia/examples/digits.jl

using Lmada
using Random: MersenneTwister, randperm

const DATA = joinpath(@__DIR__, "..", "..", "..", "examples", "data", "digits.csv.gz")

"Images as columns of 64 pixels from 0 to 1, and their digits."
function read_digits(path)
    rows = [parse.(Int, split(line, ',')) for line in eachline(`gzip -dc $path`)]
    return Float32[row[pixel] / 16 for pixel in 1:64, row in rows], [row[65] for row in rows]
end

glorot(rng, outputs, inputs) = randn(rng, Float32, outputs, inputs) .* sqrt(2f0 / (outputs + inputs))

perceptron(rng) = (glorot(rng, 32, 64), zeros(Float32, 32), glorot(rng, 10, 32), zeros(Float32, 10))

hidden((W1, b1, W2, b2), images) = tanh.(W1 * images .+ b1)

function probabilities((W1, b1, W2, b2), activity)
    scores = W2 * activity .+ b2
    weights = exp.(scores .- maximum(scores, dims = 1))
    return weights ./ sum(weights, dims = 1)
end

"Mean cross-entropy over a batch, and its gradient in the shapes of the parameters."
function loss_and_gradient(params, images, digits)
    _, _, W2, _ = params
    count = length(digits)
    activity = hidden(params, images)
    p = probabilities(params, activity)
    right = [CartesianIndex(digit + 1, column) for (column, digit) in enumerate(digits)]
    loss = -sum(log, p[right]) / count

    p[right] .-= 1
    d_scores = p ./ count
    d_hidden = (W2' * d_scores) .* (1 .- activity .^ 2)
    return loss, (d_hidden * images', vec(sum(d_hidden, dims = 2)), d_scores * activity', vec(sum(d_scores, dims = 2)))
end

function accuracy(params, images, digits)
    p = probabilities(params, hidden(params, images))
    return count(argmax(p[:, i]) - 1 == digit for (i, digit) in enumerate(digits)) / length(digits)
end

function main(; epochs = 20, batch = 64, lr = 0.3)
    images, digits = read_digits(DATA)
    rng = MersenneTwister(1)
    order = randperm(rng, length(digits))
    test, training = order[1:360], order[361:end]

    params = perceptron(rng)
    opt = Lmada.Optimizer(sum(length, params))
    steps, step = epochs * cld(length(training), batch), 0
    for epoch in 1:epochs
        losses = Float64[]
        for chosen in Iterators.partition(training[randperm(rng, length(training))], batch)
            loss, gradient = loss_and_gradient(params, images[:, chosen], digits[chosen])
            step += 1
            set_lr!(opt, Lmada.schedule(:linear, lr, step; total = steps))
            step!(opt, params, gradient)
            push!(losses, loss)
        end
        println("epoch ", lpad(epoch, 2), "  loss ", round(sum(losses) / length(losses), digits = 4))
    end
    println("test accuracy reached: ", round(accuracy(params, images[:, test], digits[test]), digits = 4))
end

main()
