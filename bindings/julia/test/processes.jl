# Models split over processes. Tasks act as the processes, with a communicator of the tests and with a module that has
# MPI.jl's functions.

include("meeting.jl")

struct Neighbours <: Lmada.Communicator
    meeting::Meeting
    rank::Int
end

Lmada.comm_rank(comm::Neighbours) = comm.rank
Lmada.comm_size(comm::Neighbours) = length(comm.meeting.given)
Lmada.comm_sum!(values::Vector{Float64}, comm::Neighbours) =
    copyto!(values, sum(meet(comm.meeting, comm.rank, :sum, values)))

neighbours(size) = (meeting = Meeting(size); [Neighbours(meeting, rank) for rank in 0:size-1])

push!(LOAD_PATH, joinpath(PACKAGE, "test"))
const MPI = Base.require(Lmada.MPI_PACKAGE)
pop!(LOAD_PATH)

"The result or the exception of `work` on each process. Each process is a task."
function on_all(work, comms)
    guarded(rank, comm) =
        try
            work(rank, comm)
        catch failure
            failure
        end
    return fetch.([Threads.@spawn(guarded(rank, comm)) for (rank, comm) in enumerate(comms)])
end

# A model in two blocks, and the uneven shares of each process: one has nothing of a block, one has nothing at all.
const BLOCKS = [23, 14]
const SHARES = [[10, 6], [0, 0], [13, 0], [0, 8]]

"The ranges of the whole model's parameters that each process has, by block."
function ranges(shares = SHARES)
    return map(1:length(shares)) do rank
        map(1:length(BLOCKS)) do block
            before = sum(BLOCKS[1:block-1]) + sum(Int[share[block] for share in shares[1:rank-1]])
            return before+1:before+shares[rank][block]
        end
    end
end

share_of(x, pieces) = vcat((x[piece] for piece in pieces)...)

function put_together(parts, pieces)
    x = zeros(eltype(parts[1]), sum(BLOCKS))
    for (part, own) in zip(parts, pieces)
        x[vcat(own...)] = part
    end
    return x
end

optimizers(T, shares; options...) = [Lmada.Optimizer{T}(share; options...) for share in shares]

const OPTIONS_OF_SHARES = ((;),
                           (history_size = 70,),    # more partials than fit into the first message
                           (centered = true, momentum_kind = :window, eps_relative = 1e-3),
                           (momentum_kind = :gradient, clip_kind = :ema_vector, weight_decay = 0.1),
                           (momentum_kind = :update, clip_kind = :graft_ema_norm, history_decay = 0.9))

@testset "processes" begin
    rng = MersenneTwister(70)
    start = randn(rng, sum(BLOCKS))
    gradients = [randn(rng, sum(BLOCKS)) for _ in 1:15]
    tolerance(T) = T == Float32 ? 2e-5 : 1e-9

    @testset "as one optimizer, $T $options $(nameof(world))" for T in (Float32, Float64), options in OPTIONS_OF_SHARES,
                                                                  world in (neighbours, MPI.world)
        whole, w = Lmada.Optimizer{T}(BLOCKS; lr = 0.05, options...), T.(start)
        directed, u = Lmada.Optimizer{T}(BLOCKS; lr = 0.05, options...), zeros(T, sum(BLOCKS))
        for g in gradients
            step!(whole, w, T.(g))
            direction!(directed, u, T.(g))
        end
        results = on_all(world(length(SHARES))) do rank, comm
            own = ranges()[rank]
            mover, director = (Lmada.Optimizer{T}(SHARES[rank]; lr = 0.05, options...) for _ in 1:2)
            v, d = share_of(T.(start), own), zeros(T, sum(SHARES[rank]))
            for g in gradients
                piece = share_of(T.(g), own)
                step!(mover, v, piece, comm) === v || error("step! returns params")
                direction!(director, d, piece, comm) === d || error("direction! returns the direction")
            end
            return v, d, Lmada.stats(mover)
        end
        @test norm(put_together(first.(results), ranges()) - w) <= tolerance(T) * norm(w - start)
        @test norm(put_together(getindex.(results, 2), ranges()) - u) <= tolerance(T) * norm(u)
        @test all(stats.update_norm == results[1][3].update_norm for (_, _, stats) in results)
        @test all(stats.steps == length(gradients) for (_, _, stats) in results)
    end

    @testset "models in several arrays" begin
        expected, whole = copy(start), Lmada.Optimizer{Float64}(BLOCKS)
        foreach(g -> step!(whole, expected, g), gradients)
        parts = on_all(neighbours(length(SHARES))) do rank, comm
            own = ranges()[rank]
            opt, arrays = Lmada.Optimizer{Float64}(SHARES[rank]), map(piece -> start[piece], own)
            for g in gradients
                step!(opt, arrays, Tuple(map(piece -> g[piece], own)), comm)
            end
            return vcat(arrays...)
        end
        @test norm(put_together(parts, ranges()) - expected) <= 1e-9 * norm(expected)
    end

    @testset "phases, with pieces" begin
        expected, whole = copy(start), Lmada.Optimizer{Float64}(BLOCKS)
        foreach(g -> step!(whole, expected, g), gradients)
        parts = on_all(neighbours(length(SHARES))) do rank, comm
            opt, w = Lmada.Optimizer{Float64}(SHARES[rank]), share_of(start, ranges()[rank])
            middle = length(w) ÷ 2
            for gradient in gradients
                g = share_of(gradient, ranges()[rank])
                Lmada.solve!(opt, comm) do
                    Lmada.begin!(opt)
                    Lmada.feed!(opt, g[middle+1:end]; offset = middle)
                    Lmada.feed!(opt, g[1:middle])
                end === opt || error("solve! returns opt")
                Lmada.apply!(opt, w, g)
                Lmada.finish!(opt)
            end
            Lmada.begin!(opt)
            Lmada.feed!(opt, w)
            Lmada.solve!(opt, comm)
            Lmada.cancel!(opt)
            return w
        end
        @test norm(put_together(parts, ranges()) - expected) <= 1e-9 * norm(expected)
    end

    # Process 2, the third, behaves differently in its fourth step. All processes have to throw the same error, change
    # nothing, and continue as if there had been no such step.
    function refused(mistake!, comms)
        return on_all(comms) do rank, comm
            opt, w = Lmada.Optimizer(SHARES[rank]), Float32.(share_of(start, ranges()[rank]))
            gradient(i) = Float32.(share_of(gradients[i], ranges()[rank]))
            foreach(i -> step!(opt, w, gradient(i), comm), 1:3)
            state, before = Lmada.save(opt), copy(w)
            failures = map((step!, direction!)) do call!
                out = call! === step! ? w : copy(w)
                return failure_of(() -> rank == 3 ? mistake!(call!, opt, out, gradient(4), comm) :
                                        call!(opt, out, gradient(4), comm))
            end
            w == before && Lmada.save(opt) == state || error("something changed")
            foreach(i -> step!(opt, w, gradient(i), comm), 5:9)
            return failures, w
        end
    end

    without_the_fourth = let opt = Lmada.Optimizer(BLOCKS), w = Float32.(start)
        foreach(i -> step!(opt, w, Float32.(gradients[i])), [1:3; 5:9])
        w
    end

    mistakes = (not_a_number = (:NON_FINITE, "process 2: .*grads",
                                (call!, opt, w, g, comm) -> (g[1] = NaN; call!(opt, w, g, comm))),
                too_short = (:DIMENSION_MISMATCH, "process 2: ",
                             (call!, opt, w, g, comm) -> call!(opt, w[2:end], g[2:end], comm)),
                sizes_differ = (:DIMENSION_MISMATCH, "process 2: .*12",
                                (call!, opt, w, g, comm) -> call!(opt, w, g[2:end], comm)),
                other_type = (:INVALID_ARGUMENT, "process 2: .*Float64",
                              (call!, opt, w, g, comm) -> call!(opt, w, Float64.(g), comm)),
                overlap = (:INVALID_ARGUMENT, "process 2: .*overlap",
                           (call!, opt, w, g, comm) -> call!(opt, w, w, comm)),
                closed = (:INVALID_ARGUMENT, "process 2: .*closed",
                          (call!, opt, w, g, comm) -> call!(closed_optimizer(), w, g, comm)))
    closed_optimizer() = (opt = Lmada.Optimizer(13); close(opt); opt)

    @testset "refused on all: $name, $(nameof(world))" for (name, (status, words, mistake!)) in pairs(mistakes),
                                                           world in (neighbours, MPI.world)
        results = refused(mistake!, world(length(SHARES)))
        failures = first(results[1])
        @test all(failure.status == getfield(Lmada, status) for failure in failures)
        @test all(occursin(Regex(words), failure.message) for failure in failures)
        @test all(first(result) == failures for result in results)
        @test put_together(last.(results), ranges()) ≈ without_the_fourth
    end

    @testset "all processes get the first of two failures" begin
        failures = on_all(neighbours(3)) do rank, comm
            opt = Lmada.Optimizer(4)
            return failure_of(() -> step!(opt, zeros(Float32, 4), ones(Float32, rank == 1 ? 4 : 4 + rank), comm))
        end
        @test failures[1].status == Lmada.DIMENSION_MISMATCH
        @test startswith(failures[1].message, "process 1: ") && occursin("(6,)", failures[1].message)
        @test all(==(failures[1]), failures)
    end

    @testset "other optimizers are refused: $difference" for (difference, words, make) in (
        ("history_size", "different numbers of partials", rank -> Lmada.Optimizer(4; history_size = 10 + (rank == 2))),
        ("blocks", "different numbers of partials", rank -> Lmada.Optimizer(rank == 2 ? [2, 2] : [4])),
        ("steps", "", rank -> (opt = Lmada.Optimizer(4);
                               rank == 2 && step!(opt, zeros(Float32, 4), ones(Float32, 4));
                               opt)))
        results = on_all(neighbours(3)) do rank, comm
            opt, w = make(rank), zeros(Float32, 4)
            state = Lmada.save(opt)
            failure = failure_of(() -> step!(opt, w, ones(Float32, 4), comm))
            iszero(w) && Lmada.save(opt) == state || error("something changed")
            return failure
        end
        @test all(failure.status == Lmada.INVALID_ARGUMENT && occursin(words, failure.message) for failure in results)
    end

    @testset "states of 3 shares resume in 2, $T" for T in (Float32, Float64)
        options = (history_size = 6, momentum_kind = :gradient, clip_kind = :ema_vector)
        before, after = [[10, 3], [0, 4], [13, 7]], [[16, 0], [7, 14]]
        whole, expected = Lmada.Optimizer{T}(BLOCKS; options...), T.(start)
        foreach(g -> step!(whole, expected, T.(g)), gradients)
        saved = on_all(neighbours(3)) do rank, comm
            own = ranges(before)[rank]
            opt, w = Lmada.Optimizer{T}(before[rank]; options...), share_of(T.(start), own)
            foreach(g -> step!(opt, w, share_of(T.(g), own), comm), gradients[1:8])
            return w, Lmada.save(opt)
        end
        states = last.(saved)
        middle = put_together(first.(saved), ranges(before))
        parts = on_all(neighbours(2)) do rank, comm
            own = ranges(after)[rank]
            opt, w = Lmada.Optimizer{T}(after[rank]; options...), share_of(middle, own)
            firsts = [first(own[1]) - 1, first(own[2]) - 1 - BLOCKS[1]]
            Lmada.load_shares!(opt, firsts, states) === opt || error("load_shares! returns opt")
            foreach(g -> step!(opt, w, share_of(T.(g), own), comm), gradients[9:end])
            return w
        end
        @test norm(put_together(parts, ranges(after)) - expected) <= tolerance(T) * norm(expected - start)

        # Loaded back into the original shares, the states have the original bytes.
        for (rank, own) in enumerate(ranges(before))
            opt = Lmada.Optimizer{T}(before[rank]; options...)
            Lmada.load_shares!(opt, [first(own[1]) - 1, first(own[2]) - 1 - BLOCKS[1]], states)
            @test Lmada.save(opt) == states[rank]
        end
    end

    @testset "mistakes with states of shares" begin
        opt = Lmada.Optimizer(4)
        step!(opt, zeros(Float32, 4), ones(Float32, 4))
        state, half = Lmada.save(opt), Lmada.Optimizer(2)
        untouched = Lmada.save(half)
        status(arguments...) = failure_of(() -> Lmada.load_shares!(half, arguments...)).status
        @test status(3, [state]) == Lmada.INVALID_ARGUMENT
        @test status(0, Vector{UInt8}[]) == Lmada.INVALID_ARGUMENT
        @test status(0, [state[1:end-1]]) == Lmada.BAD_STATE
        @test status(0, [state, UInt8[]]) == Lmada.BAD_STATE
        @test_throws DimensionMismatch Lmada.load_shares!(half, [0, 0], [state])
        @test_throws ArgumentError Lmada.load_shares!(half, -1, [state])
        @test_throws ArgumentError Lmada.load_shares!(half, 0, [view(repeat(state, inner = 2), 1:2:2length(state))])
        @test Lmada.save(half) == untouched
        Lmada.load_shares!(half, 2, [state])
        @test Lmada.stats(half).steps == 1
    end

    @testset "an exception of the caller" begin
        failures = on_all(neighbours(3)) do rank, comm
            opt = Lmada.Optimizer(4)
            failure = failure_of() do
                Lmada.solve!(opt, comm) do
                    Lmada.begin!(opt)
                    rank == 2 && error("no data: ", "ü"^600)
                    Lmada.feed!(opt, ones(Float32, 4))
                end
            end
            Lmada.cancel!(opt)
            return failure
        end
        @test failures[1].status == Lmada.CALLBACK
        @test occursin(r"^process 1: no data: ü{200,260}$", failures[1].message)
        @test all(==(failures[1]), failures)
    end

    @testset "MPI fails" begin
        worlds = MPI.world(2)
        foreach(comm -> comm.fails = true, worlds)
        failures = on_all(worlds) do rank, comm
            opt, w = Lmada.Optimizer(4), zeros(Float32, 4)
            try
                step!(opt, w, ones(Float32, 4), comm)
            catch failure
                step!(opt, w, ones(Float32, 4))    # the step was dropped
                return failure
            end
        end
        @test failures == [MPI.MPIError(15), MPI.MPIError(15)]
    end

    @testset "the messages between processes" begin
        for (history_size, sums) in ((10, 1), (150, 2))
            comms = MPI.world(2)
            on_all(comms) do rank, comm
                step!(Lmada.Optimizer(4; history_size = history_size), zeros(Float32, 4), ones(Float32, 4), comm)
            end
            @test all(comm.calls == repeat([:Reduce!, :Bcast!], sums) for comm in comms)
        end
    end

    @testset "objects that are not communicators" begin
        opt, w = Lmada.Optimizer(4), zeros(Float32, 4)
        for comm in (nothing, 1, "world", MPI.Request(), Meeting(1))
            @test_throws ArgumentError step!(opt, w, ones(Float32, 4), comm)
        end
        step!(opt, w, ones(Float32, 4), MPI.world(1)[1])
        @test w == step!(Lmada.Optimizer(4), zeros(Float32, 4), ones(Float32, 4))
    end
end
