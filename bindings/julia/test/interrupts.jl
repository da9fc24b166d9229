# This process presses Ctrl-C for a child process that takes steps.

Lmada.HOLDS_INTERRUPTS && @testset "interrupts" begin
    script = joinpath(@__DIR__, "children", "interrupted.jl")

    # Runs a child and calls `press` with it. Returns the child, its output, and its and Julia's messages on stderr.
    function interrupted(press, way)
        mktempdir() do place
            done = joinpath(place, "done")
            output, words = Pipe(), joinpath(place, "words")
            child = run(pipeline(julia_command(script, way, done), stdout = output, stderr = words); wait = false)
            close(output.in)
            watchdog = Timer(_ -> kill(child, Base.SIGKILL), 300)    # an aborted call may hang
            @test readline(output) == "warming up" && readline(output) == "ready"
            sleep(0.5)    # until the child is inside a step
            press(child)
            touch(done)
            printed = read(output, String)
            wait(child)
            close(watchdog)
            return child, printed, read(words, String)
        end
    end

    @testset "Ctrl-C pressed repeatedly takes effect between calls" begin
        child, printed, words = interrupted("throws") do child
            for _ in 1:12
                for _ in 1:12    # Julia forces the interrupt if there are several during one step
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

    @testset "Ctrl-C ends a script after the step" begin
        child, printed, words = interrupted(child -> (kill(child, Base.SIGINT); wait(child)), "ends")
        @test printed == ""
        @test child.exitcode == 130 || child.termsignal == Base.SIGINT
        @test !occursin("signal (11)", words)
    end
end
