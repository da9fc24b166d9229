# Steps until a file appears, while the parent process presses Ctrl-C. ARGS: "throws" or "ends", and the file.

using Lmada

const DIM = 4_000_000

function steps!(opt, w, g, done, most)
    interrupts = 0
    while true
        try
            while most > 0 && !isfile(done)
                most -= 1
                step!(opt, w, g)
            end
            return interrupts
        catch failure
            failure isa InterruptException || rethrow()
            interrupts += 1
        end
    end
end

say(text) = (println(text); flush(stdout))

# An interrupt that Julia forces may break its compiler, so everything is compiled before "ready".
function warm_up(g)
    say("warming up")
    return steps!(Lmada.Optimizer(3), zeros(Float32, 3), g[1:3], "nowhere", 10)
end

function main(way, done)
    g = Float32.(sin.(1:DIM))
    warm_up(g)
    Base.exit_on_sigint(way == "ends")
    opt, w = Lmada.Optimizer(DIM; history_size = 8, threads = 1), zeros(Float32, DIM)
    step!(opt, w, g)
    say("ready")
    interrupts = steps!(opt, w, g, done, typemax(Int))

    # Every step was complete and counted, or did not happen.
    twin, v = Lmada.Optimizer(DIM; history_size = 8, threads = 1), zeros(Float32, DIM)
    foreach(_ -> step!(twin, v, g), 1:Lmada.stats(opt).steps)
    println("interrupts: ", interrupts, ", steps are whole: ", v == w && Lmada.save(opt) == Lmada.save(twin))
end

main(ARGS...)
