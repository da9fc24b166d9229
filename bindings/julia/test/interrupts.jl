# Ctrl-C, pressed by this process for a child process that takes steps.

Lmada.HOLDS_INTERRUPTS && @testset "interrupts" begin
    script = joinpath(@__DIR__, "children", "interrupted.jl")

    # The child, while `press` is called with it; what it printed, and what it and Julia said on stderr.
    function interrupted(press, way)
        mktempdir() do place
            done = joinpath(place, "done")
            output, words = Pipe(), joinpath(place, "words")
            child = run(pipeline(julia_command(script, way, done), stdout = output, stderr = words); wait = false)
            close(output.in)
            watchdog = Timer(_ -> kill(child, Base.SIGKILL), 300)    # a call that was aborted may hang
            @test readline(output) == "warming up" && readline(output) == "ready"
            sleep(0.5)    # until it is inside a step
            press(child)
            touch(done)
            printed = read(output, String)
            wait(child)
            close(watchdog)
            return child, printed, read(words, String)
        end
    end

    @testset "pressed again and again, it comes between calls" begin
        child, printed, words = interrupted("throws") do child
            for _ in 1:12
                for _ in 1:12    # several during one step: then Julia forces the interrupt
                    kill(child, Base.SIGINT)
                    sleep(0.003)
                end
                sleep(0.3)
            end
            sleep(1)    # until the last one has arrived
        end
        success(child) || print(words)
        @test success(child)
        @test occursin(r"interrupts: [1-9]\d*, steps are whole: true", printed)
    end

    @testset "it ends a script, after the step" begin
        child, printed, words = interrupted(child -> (kill(child, Base.SIGINT); wait(child)), "ends")
        @test printed == ""
        @test child.exitcode == 130 || child.termsignal == Base.SIGINT
        @test !occursin("signal (11)", words)
    end
end
