# An independent implementation of the update rule, with a tall SVD of the stored gradients in Float64.

mutable struct Reference
    options::NamedTuple
    window::Vector{Vector{Float64}}    # oldest first
    steps::Int
    gradient_average::Vector{Float64}
    update_average::Vector{Float64}
    norm_average::Float64
    norms::Int
    vector_average::Vector{Float64}
    vectors::Int
end

Reference(dim; options...) = Reference(merge(Lmada.defaults(), values(options)), [], 0, zeros(dim), zeros(dim), 0.0, 0,
                                       zeros(dim), 0)

average(old, new, beta) = beta .* old .+ (1 - beta) .* new

function vector_to_precondition!(r::Reference, g, ages)
    o = r.options
    if o.momentum_kind === :gradient
        r.gradient_average = average(r.gradient_average, g, o.momentum)
        return o.bias_correction ? r.gradient_average ./ (1 - o.momentum^r.steps) : r.gradient_average
    elseif o.momentum_kind === :window
        weights = (1 - o.momentum) .* o.momentum .^ ages
        return hcat(r.window...) * weights ./ (o.bias_correction ? sum(weights) : 1)
    end
    return g
end

function unclipped_update(r::Reference, v, ages)
    o = r.options
    M = hcat(r.window...) * Diagonal(o.history_decay .^ ages)
    centered = o.centered && size(M, 2) >= 2
    centered && (M = M .- sum(M, dims = 2) ./ size(M, 2))

    F = svd(M)
    eigenvalues = F.S .^ 2
    largest = maximum(eigenvalues)
    f = o.eps_on_root ? 1 ./ (eigenvalues .^ o.power .+ o.eps .+ o.eps_relative * largest^o.power) :
        (eigenvalues .+ o.eps .+ o.eps_relative * largest) .^ -o.power
    leaves_span = o.momentum_kind === :gradient || centered
    present = leaves_span ? eigenvalues .> o.rank_tol * largest : trues(length(eigenvalues))
    U = F.U[:, present]
    u = U * (f[present] .* (U' * v))
    return leaves_span ? u + o.orthogonal_scale .* (v - U * (U' * v)) : u
end

function scale!(r::Reference, u)
    o = r.options
    size, kind = norm(u), o.clip_kind
    kind === :none && return 1.0
    kind === :norm && return min(1, o.clip_norm / size)
    if kind === :ema_norm || kind === :graft_ema_norm
        reference = r.norms == 0 ? nothing : r.norm_average / (1 - o.clip_beta^r.norms)
        r.norm_average = average(r.norm_average, size, o.clip_beta)
        r.norms += 1
        reference === nothing && return 1.0
        return kind === :ema_norm ? min(1, o.clip_factor * reference / size) : reference / size
    end
    r.vector_average = average(r.vector_average, u, o.clip_beta)
    r.vectors += 1
    reference = norm(r.vector_average) / (1 - o.clip_beta^r.vectors)
    return kind === :ema_vector ? min(1, o.clip_factor * reference / size) : reference / size
end

function reference_direction!(r::Reference, gradient)
    o = r.options
    g = o.grad_scale .* Float64.(gradient)
    o.grad_clip_norm > 0 && norm(g) > o.grad_clip_norm && (g .*= o.grad_clip_norm / norm(g))
    push!(r.window, g)
    length(r.window) > o.history_size && popfirst!(r.window)
    r.steps += 1
    ages = length(r.window)-1:-1:0

    u = unclipped_update(r, vector_to_precondition!(r, g, ages), ages)
    u = scale!(r, u) .* u
    o.momentum_kind === :update || return u
    r.update_average = average(r.update_average, u, o.momentum)
    return o.bias_correction ? r.update_average ./ (1 - o.momentum^r.steps) : r.update_average
end

function reference_step!(r::Reference, w, g)
    o = r.options
    direction = reference_direction!(r, g)
    w .= w .* (1 - o.lr * o.weight_decay) .- o.lr .* direction
    return w
end
