# Resumes the run in a file and saves it to the file. ARGS: the file.

using Lmada, Serialization

let (opt, w, gradients) = deserialize(ARGS[1])
    foreach(g -> step!(opt, w, g), gradients)
    serialize(ARGS[1], (opt, w))
end
