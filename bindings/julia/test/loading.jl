# The ways to find the library, each in a separate process.

@testset "loading" begin
    library = realpath(Lmada.library_path())

    # The result of `using Lmada` with the package in `package`: whether it worked, and the library's path or the error.
    function load(; package = PACKAGE, settings...)
        code = "using Lmada; print(Lmada.library_path())"
        environment = merge(ENV, Dict("JULIA_LOAD_PATH" => "@:@stdlib", "LMADA_LIBRARY" => ""),
                            Dict(String(name) => value for (name, value) in settings))
        out, err = IOBuffer(), IOBuffer()
        command = setenv(`$(Base.julia_cmd()) --startup-file=no --project=$package -e $code`, environment)
        worked = success(pipeline(command, stdout = out, stderr = err))
        return worked, worked ? String(take!(out)) : String(take!(err))
    end

    # This package as `place/bindings/julia`, without a library near it.
    function elsewhere(place)
        package = joinpath(place, "bindings", "julia")
        mkpath(package)
        for part in ("Project.toml", "src")
            cp(joinpath(PACKAGE, part), joinpath(package, part))
        end
        return package
    end

    @test Lmada.version() >= v"0.1"

    @testset "the environment variable" begin
        @test load(LMADA_LIBRARY = library) == (true, library)
        worked, message = load(LMADA_LIBRARY = "/nowhere/liblmada.so")
        @test !worked
        @test occursin("LMADA_LIBRARY is /nowhere/liblmada.so, which cannot be loaded", message)
        other = first(path for path in Lmada.Libdl.dllist() if occursin("libjulia", path))
        worked, message = load(LMADA_LIBRARY = other)
        @test !worked
        @test occursin("is not an lmada library", message)
    end

    @testset "the source tree" begin
        mktempdir() do place
            package, build = elsewhere(place), joinpath(place, "target", "lmada")
            mkpath(build)
            copied = cp(library, joinpath(build, basename(Lmada.SOURCE_TREE)))
            @test load(package = package) == (true, realpath(copied))
        end
    end

    # On a machine with an installed library, the loader finds this library.
    if Sys.islinux() && !occursin("liblmada", read(`/sbin/ldconfig -p`, String))
        @testset "the system's loader" begin
            mktempdir() do place
                package = elsewhere(place)
                worked, message = load(package = package)
                @test !worked
                @test occursin("found no library", message) && occursin("LMADA_LIBRARY", message)

                folder = mkpath(joinpath(place, "lib"))
                cp(library, joinpath(folder, "liblmada.so"))
                path = join(filter(!isempty, [folder, get(ENV, "LD_LIBRARY_PATH", "")]), ":")
                @test load(package = package, LD_LIBRARY_PATH = path) == (true, joinpath(folder, "liblmada.so"))
            end
        end
    end

    @testset "another binary interface" begin
        @test Lmada.check_abi(Lmada.ABI_VERSION, "liblmada.so") === nothing
        for (found, advice) in ((Lmada.ABI_VERSION + 1, "update the package"), (0, "update the library"))
            message = message_of(() -> Lmada.check_abi(found, "liblmada.so"))
            @test occursin("liblmada.so has binary interface $found", message) && occursin(advice, message)
        end
    end
end
