# Compares the C structs and numbers in this package with the header and with the library.

const HEADER = read(joinpath(REPOSITORY, "include", "lmada.h"), String)

const C_TYPES = Dict("size_t" => Csize_t, "uint32_t" => UInt32, "uint64_t" => UInt64, "double" => Float64,
                     "bool" => Bool, "lmada_dtype_t" => Int32, "lmada_history_format_t" => Int32,
                     "lmada_momentum_t" => Int32, "lmada_clip_t" => Int32)

"The fields of a struct in the header, as name => type."
function fields_in_header(name)
    body = match(Regex("typedef struct $name \\{(.*?)\\} $name;", "s"), HEADER).captures[1]
    code = replace(body, r"/\*.*?\*/"s => "")
    return [Symbol(m.captures[2]) => C_TYPES[m.captures[1]] for m in eachmatch(r"(\w+)\s+(\w+);", code)]
end

number_in_header(name) = parse(Int, match(Regex("#define $name (\\d+)"), HEADER).captures[1])

@testset "layout" begin
    @testset "$name" for (mirror, name) in ((Lmada.Config, "lmada_config_t"), (Lmada.Stats, "lmada_stats_t"),
                                              (Lmada.CGroup, "lmada_group_t"))
        @test fields_in_header(name) == [fieldname(mirror, i) => fieldtype(mirror, i) for i in 1:fieldcount(mirror)]
    end

    @testset "numbers" begin
        @test number_in_header("LMADA_ABI_VERSION") == Lmada.ABI_VERSION
        @test number_in_header("LMADA_F32") == Lmada.dtype(Float32)
        @test number_in_header("LMADA_F64") == Lmada.dtype(Float64)
        prefixes = (history_format = "HISTORY_", momentum_kind = "MOMENTUM_", clip_kind = "CLIP_")
        for (option, choices) in pairs(Lmada.CHOICES), (i, choice) in enumerate(choices)
            prefix = startswith(String(choice), "graft") ? "" : prefixes[option]
            @test number_in_header("LMADA_$prefix$(uppercase(String(choice)))") == i - 1
        end
        for (i, kind) in enumerate(Lmada.SCHEDULES)
            @test number_in_header("LMADA_SCHEDULE_$(uppercase(String(kind)))") == i - 1
        end
        @test count("#define LMADA_SCHEDULE_", HEADER) == length(Lmada.SCHEDULES)
        in_header = count(r"#define LMADA_(HISTORY|MOMENTUM|CLIP|GRAFT)_", HEADER)
        @test in_header == sum(length, Lmada.CHOICES)
    end

    @testset "statuses" begin
        name_of(code) = unsafe_string(@ccall $(Lmada.library().status_string)(code::Int32)::Cstring)
        for status in instances(Lmada.Status)
            status == Lmada.UNKNOWN && continue
            @test name_of(Int(status)) == (status == Lmada.OK ? "LMADA_OK" : "LMADA_ERROR_$status")
            @test Lmada.known_status(Int32(status)) == status
        end
        beyond = Int32(maximum(Int, instances(Lmada.Status)) + 1)
        @test name_of(beyond) == "unknown status"
        @test Lmada.known_status(beyond) == Lmada.UNKNOWN
    end

    @testset "sizes" begin
        # The library accepts the size of a struct up to the one it knows.
        opt, lib = Lmada.Optimizer(2), Lmada.library()
        memory = zeros(UInt8, 1024)
        fill_config(bytes) = @ccall $(lib.config_init)(memory::Ptr{UInt8}, bytes::Csize_t)::Int32
        fill_stats(bytes) = @ccall $(lib.stats)(opt::Ptr{Cvoid}, memory::Ptr{UInt8}, bytes::Csize_t)::Int32
        for (mirror, fill!) in ((Lmada.Config, fill_config), (Lmada.Stats, fill_stats))
            @test fill!(sizeof(mirror)) == Int32(Lmada.OK)
            @test reinterpret(Csize_t, memory)[1] == sizeof(mirror)
            @test fill!(sizeof(mirror) + 8) == Int32(Lmada.INVALID_ARGUMENT)
        end
    end

    @testset "the library reads the same field: $name" for name in (:dtype, Lmada.OPTIONS...)
        name === :threads && continue    # has no value out of range; the neighbouring fields are checked
        bytes = zeros(UInt8, sizeof(Lmada.Config))
        @test @ccall($(Lmada.library().config_init)(bytes::Ptr{UInt8}, sizeof(bytes)::Csize_t)::Int32) == 0
        at = fieldoffset(Lmada.Config, findfirst(isequal(name), fieldnames(Lmada.Config)))
        bad = Dict(Float64 => NaN, Bool => 0x02, Int32 => Int32(99), UInt32 => UInt32(0))[fieldtype(Lmada.Config, name)]
        bytes[at+1:at+sizeof(bad)] = reinterpret(UInt8, [bad])
        lens, handle = Csize_t[2], Ref{Ptr{Cvoid}}()
        failure = failure_of() do
            Lmada.check(@ccall $(Lmada.library().create_blocks)(bytes::Ptr{UInt8}, lens::Ptr{Csize_t}, 1::Csize_t,
                                                                handle::Ref{Ptr{Cvoid}})::Int32)
        end
        @test failure.status == Lmada.INVALID_ARGUMENT
        @test occursin(Regex("\\b$name\\b"), failure.message)
        @test handle[] == C_NULL
    end
end
