# Goes on with the run that is in a file, and puts it back there. ARGS: the file.

using Lmada, Serialization

let (opt, w, gradients) = deserialize(ARGS[1])
    foreach(g -> step!(opt, w, g), gradients)
    serialize(ARGS[1], (opt, w))
end
