# Optimizers that other packages copy or store.

@testset "copies by other packages" begin
    rng = MersenneTwister(80)
    options = (history_size = 5, momentum_kind = :update, clip_kind = :ema_norm, lr = 0.5, threads = 1)

    function trained(T, blocks; count = 8)
        opt, w = Lmada.Optimizer{T}(blocks; options...), zeros(T, sum(blocks))
        foreach(_ -> step!(opt, w, randn(rng, T, length(w))), 1:count)
        set_lr!(opt, 0.125)
        return opt, w
    end

    @testset "Serialization, $T" for T in (Float32, Float64)
        opt, w = trained(T, [3, 0, 6])
        stream = IOBuffer()
        serialize(stream, (opt, w, Dict("again" => opt)))
        seekstart(stream)
        other, v, again = deserialize(stream)
        @test other isa Lmada.Optimizer{T} && other.handle != opt.handle
        @test again["again"] === other
        @test other.blocks == opt.blocks && Lmada.config(other) == Lmada.config(opt)
        @test Lmada.save(other) == Lmada.save(opt)
        close(opt)
        step!(other, v, ones(T, 9))
        @test Lmada.stats(other).steps == 9
    end

    @testset "Serialization, to another process" begin
        opt, w = trained(Float64, [40])
        gradients = [randn(rng, 40) for _ in 1:12]
        mktempdir() do place
            file = joinpath(place, "run")
            serialize(file, (opt, w, gradients))
            @test success(julia_command(joinpath(@__DIR__, "children", "resumed.jl"), file))
            foreach(g -> step!(opt, w, g), gradients)
            resumed, v = deserialize(file)
            @test v == w && Lmada.save(resumed) == Lmada.save(opt)
        end
    end

    @testset "Serialization of optimizers without a state to store" begin
        stream, opt = IOBuffer(), Lmada.Optimizer(2)
        serializer = Serializer(stream)
        Lmada.begin!(opt)
        @test failure_of(() -> serialize(serializer, opt)).status == Lmada.WRONG_PHASE
        close(opt)
        @test_throws ArgumentError serialize(serializer, opt)
        @test position(stream) == 0
    end

    # Like packages that store any object: makes a new object and copies the fields.
    function walked(x::T) where {T}
        y = ccall(:jl_new_struct_uninit, Any, (Any,), T)
        for i in 0:fieldcount(T)-1
            ccall(:jl_set_nth_field, Cvoid, (Any, Csize_t, Any), y, i, getfield(x, i + 1))
        end
        return y
    end

    @testset "field by field" begin
        opt, w = trained(Float32, [4])
        before, state = copy(w), Lmada.save(opt)
        fake, g = walked(opt), ones(Float32, 4)
        for call in (() -> step!(fake, w, g), () -> step!(fake, [w], [g]), () -> direction!(fake, w, g),
                     () -> Lmada.save(fake), () -> Lmada.load!(fake, state), () -> Lmada.stats(fake),
                     () -> reset!(fake), () -> set_lr!(fake, 1), () -> Lmada.begin!(fake), () -> copy(fake),
                     () -> Lmada.config(fake), () -> Lmada.set_config!(fake; lr = 1), () -> set_groups!(fake, []),
                     () -> write(IOBuffer(), fake), () -> Lmada.observe!(fake, g),
                     () -> deepcopy(fake), () -> serialize(IOBuffer(), fake))
            @test_throws ArgumentError call()
            @test occursin("Serialization", message_of(call))
        end
        @test !isopen(fake)
        @test sprint(show, fake) == "Lmada.Optimizer{Float32}(a copy of its fields only)"
        finalizer(close, fake)
        finalize(fake)
        close(fake)
        @test w == before && Lmada.save(opt) == state    # the original has not changed
        step!(opt, w, g)
    end

    @testset "a global of a precompiled package" begin
        mktempdir() do place
            mkpath(joinpath(place, "Holder", "src"))
            write(joinpath(place, "Holder", "Project.toml"), """
                name = "Holder"
                uuid = "c8b0b4c4-5d0b-4b6c-9a55-0f7f3d2b8c11"
                [deps]
                Lmada = "e92a292d-a324-48cf-9285-e6cc45867b5f"
                """)
            write(joinpath(place, "Holder", "src", "Holder.jl"), """
                module Holder
                using Lmada
                const OPT = Lmada.Optimizer(4)
                step!(OPT, zeros(Float32, 4), ones(Float32, 4))
                end
                """)
            symlink(PACKAGE, joinpath(place, "Lmada"))
            code = """
                using Holder, Lmada
                print(isopen(Holder.OPT), " ")
                close(Holder.OPT)
                try
                    step!(Holder.OPT, zeros(Float32, 4), ones(Float32, 4))
                catch failure
                    showerror(stdout, failure)
                end
                """
            environment = merge(ENV, Dict("JULIA_LOAD_PATH" => "$place:@stdlib", "JULIA_DEPOT_PATH" => "$place/depot:",
                                          "LMADA_LIBRARY" => Lmada.library_path()))
            said = read(setenv(`$(Base.julia_cmd()) --startup-file=no -e $code`, environment), String)
            @test startswith(said, "false ArgumentError")
            @test occursin("__init__", said)
        end
    end

    Sys.islinux() && @testset "memory that only the garbage collector can release" begin
        @test success(julia_command(joinpath(@__DIR__, "children", "abandoned.jl")))
    end
end
