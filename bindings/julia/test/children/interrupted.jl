# Steps while whoever started it presses Ctrl-C, until a file appears. ARGS: "throws" or "ends", and the file.

using Lmada

const DIM = 5_000_000

function steps!(opt, w, g, done)
    interrupts = 0
    while true
        try
            while !isfile(done)
                step!(opt, w, g)
            end
            return interrupts
        catch failure
            failure isa InterruptException || rethrow()
            interrupts += 1
        end
    end
end

function main(way, done)
    Base.exit_on_sigint(way == "ends")
    small, g = Lmada.Optimizer(3), [0.5f0, 0.25f0, 1f0]
    steps!(small, zeros(Float32, 3), g, @__FILE__)    # so that nothing is compiled while Ctrl-C is pressed
    step!(small, zeros(Float32, 3), g)

    opt, w, g = Lmada.Optimizer(DIM; history_size = 4), zeros(Float32, DIM), Float32.(sin.(1:DIM))
    step!(opt, w, g)
    println("ready")
    flush(stdout)
    interrupts = steps!(opt, w, g, done)

    # Each step counts and is whole, or is neither.
    twin, v = Lmada.Optimizer(DIM; history_size = 4), zeros(Float32, DIM)
    foreach(_ -> step!(twin, v, g), 1:Lmada.stats(opt).steps)
    println("interrupts: ", interrupts, ", steps are whole: ", v == w && Lmada.save(opt) == Lmada.save(twin))
end

main(ARGS...)
