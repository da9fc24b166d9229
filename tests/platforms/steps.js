// steps.js LIBRARY EXPECTED : takes the steps of steps.c with lmada.wasm and compares the final parameters. WebAssembly
// rounds as other machines do, but uses the portable loops.
const fs = require("fs");

const [library, expected] = process.argv.slice(2);
const DIM = 1000, STEPS = 20;
const { memory, ...lmada } = new WebAssembly.Instance(new WebAssembly.Module(fs.readFileSync(library)), {}).exports;

// The library exports no allocator: the arrays are in separate pages.
const page = 1 << 16;
let next = memory.grow(2) * page;
const take = (bytes) => ((next += bytes), next - bytes);
const view = () => new DataView(memory.buffer); // a new one after each call, which may have moved the memory
const text = (at) => {
  const bytes = new Uint8Array(memory.buffer, at);
  return Buffer.from(bytes.subarray(0, bytes.indexOf(0))).toString();
};
const good = (status) => {
  if (status !== 0) throw new Error(text(lmada.lmada_last_error()));
};
const element = (step, index) => ((index * 37 + step * 101 + index * step * 7) % 65) / 32 - 1;

// The options up to the learning rate, on 32 bits; the others keep their defaults.
const CONFIG = 32, DTYPE = 4, FORMAT = 12, DENSITY = 16, LR = 24;
const config = take(CONFIG), handle = take(8), params = take(8 * DIM), grads = take(8 * DIM);
for (const line of fs.readFileSync(expected, "utf8").trim().split("\n")) {
  const [dtype, format, ...end] = line.split(" ").map(Number);
  good(lmada.lmada_config_init(config, CONFIG));
  view().setInt32(config + DTYPE, dtype, true);
  view().setInt32(config + FORMAT, format, true);
  view().setFloat64(config + DENSITY, 0.1, true);
  view().setFloat64(config + LR, 0.1, true);
  good(lmada.lmada_create(config, DIM, handle));
  const opt = view().getUint32(handle, true);
  const array = (at) => new (dtype ? Float64Array : Float32Array)(memory.buffer, at, DIM);
  array(params).fill(0);
  for (let step = 0; step < STEPS; step++) {
    for (let i = 0; i < DIM; i++) array(grads)[i] = element(step, i);
    good((dtype ? lmada.lmada_step_f64 : lmada.lmada_step)(opt, params, grads, DIM));
  }
  const length = (numbers) => Math.hypot(...numbers);
  const apart = length(end.map((x, i) => x - array(params)[i])) / length(end);
  if (!(length(end) > 0.1 && apart <= (dtype ? 1e-10 : 1e-5)))
    throw new Error(`dtype ${dtype}, format ${format}: ${apart} apart, relative to ${length(end)}`);
  console.log(`ok: dtype ${dtype}, history format ${format}: ${apart.toExponential(1)} from the native result`);
  lmada.lmada_free(opt);
}

// A refusal is a status with a message here too.
if (lmada.lmada_create(config, 0xffffffff, handle) === 0) throw new Error("a model beyond the memory was made");
console.log(`ok: refused: ${text(lmada.lmada_last_error())}`);
