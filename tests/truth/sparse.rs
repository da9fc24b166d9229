//! The sparse window and its feedback, bit for bit against a simple reference that sorts.

use crate::common;

use common::{Model, Random, assert_same, cuts, every_kind, gradient, part_ends};
use lmada::{Config, Error, HistoryFormat, Optimizer};

const TILE: usize = 4096;

/// The window and the feedback of one block, by the definition of the format.
struct Reference {
    density: f64,
    feedback: Vec<f32>,
    /// By slot, then by tile: indices and values.
    columns: Vec<Vec<(Vec<u16>, Vec<u16>)>>,
    steps: usize,
}

impl Reference {
    fn new(config: &Config, len: usize) -> Self {
        let mut empty = Vec::new();
        for start in (0..len).step_by(TILE) {
            let kept = kept(config.density, TILE.min(len - start));
            empty.push((vec![0; kept], vec![0; kept]));
        }
        let columns = vec![empty; config.history_size as usize];
        Self { density: config.density, feedback: vec![0.0; len], columns, steps: 0 }
    }

    fn step(&mut self, gradient: &[f32]) {
        let slot = self.steps % self.columns.len();
        let tiles = self.feedback.chunks_mut(TILE).zip(gradient.chunks(TILE));
        for ((feedback, gradient), entries) in tiles.zip(&mut self.columns[slot]) {
            feedback.iter_mut().zip(gradient).for_each(|(e, g)| *e += g);
            let mut places: Vec<usize> = (0..feedback.len()).collect();
            places.sort_by(|&a, &b| feedback[b].abs().total_cmp(&feedback[a].abs()).then(a.cmp(&b)));
            places.truncate(kept(self.density, feedback.len()));
            places.sort_unstable();
            *entries = places.iter().map(|&place| (place as u16, to_bf16(feedback[place]))).unzip();
            for (&index, &value) in entries.0.iter().zip(&entries.1) {
                feedback[usize::from(index)] -= f32::from_bits(u32::from(value) << 16);
            }
        }
        self.steps += 1;
    }

    /// Returns their bytes in a saved state.
    fn bytes(&self) -> Vec<u8> {
        let numbers = self.columns.iter().flatten().flat_map(|(indices, values)| indices.iter().chain(values));
        let mut bytes: Vec<u8> = numbers.flat_map(|number| number.to_le_bytes()).collect();
        bytes.extend(self.feedback.iter().flat_map(|e| e.to_le_bytes()));
        bytes
    }
}

fn kept(density: f64, len: usize) -> usize {
    ((density * len as f64).ceil() as usize).max(1).min(len)
}

/// Returns the nearest finite bfloat16, ties to even.
fn to_bf16(number: f32) -> u16 {
    let down = (number.to_bits() >> 16) as u16;
    let wide = |value: u16| f64::from(f32::from_bits(u32::from(value) << 16));
    let up = if down & 0x7fff == 0x7f7f { down } else { down + 1 };
    let (below, above) = ((f64::from(number) - wide(down)).abs(), (wide(up) - f64::from(number)).abs());
    if below < above || (below == above && down.is_multiple_of(2)) { down } else { up }
}

/// Returns the window and feedback of a model's state, block by block. Without momentum and clip a block ends with
/// them.
fn assert_stored(model: &Model<f32>, references: &[Reference], what: &str) {
    let state = model.state();
    let stored: Vec<Vec<u8>> = references.iter().map(Reference::bytes).collect();
    let k = references[0].columns.len();
    let [_, before_contents, end] = part_ends(&state);
    let matrix = (k * k + 2 + 1 + 3) * 8;
    let mut place = before_contents + 4;
    for (block, stored) in stored.iter().enumerate() {
        place += matrix;
        let found = &state[place..place + stored.len()];
        let first = found.iter().zip(stored).position(|(a, b)| a != b);
        assert_eq!(first, None, "{what}, block {block}: the first byte of {} that differs", stored.len());
        place += stored.len();
    }
    assert_eq!(place, end);
}

fn sparse(density: f64, history_size: u32, threads: u32) -> Config {
    Config::default()
        .with_history_format(HistoryFormat::Sparse)
        .with_density(density)
        .with_history_size(history_size)
        .with_threads(threads)
}

/// Returns gradients of several kinds.
fn stream(nature: &str, dim: usize, number: usize) -> Vec<f32> {
    let mut random = Random(77 + number as u64);
    match nature {
        "random" => gradient(dim, number),
        "the same" => gradient(dim, 0),
        "ties" => (0..dim).map(|_| [-2.0, -1.0, 1.0, 2.0][random.below(4)]).collect(),
        "zeros" => (0..dim).map(|_| [0.0, -0.0][random.below(2)]).collect(),
        "one huge" => {
            let mut gradient = gradient(dim, number);
            gradient[random.below(dim)] = -1e30;
            gradient
        }
        "tiny" => (0..dim).map(|_| (random.number() * 1e-30) as f32).collect(),
        "denormal" => (0..dim).map(|_| (random.number() * 1e-40) as f32).collect(),
        "few" => (0..dim).map(|_| if random.below(300) == 0 { random.number() as f32 } else { 0.0 }).collect(),
        _ => unreachable!(),
    }
}

const NATURES: [&str; 8] = ["random", "the same", "ties", "zeros", "one huge", "tiny", "denormal", "few"];

/// Lengths of blocks: tiles of several lengths, an empty block, a block of more than one chunk.
const DIMS: [&[usize]; 4] = [&[1], &[10_000, 0, 5, 4096], &[70_001], &[4097, 8192]];

fn blocks<'a>(dims: &'a [usize], gradient: &'a [f32]) -> impl Iterator<Item = &'a [f32]> {
    let mut rest = gradient;
    dims.iter().map(move |&len| {
        let (block, after) = rest.split_at(len);
        rest = after;
        block
    })
}

#[test]
fn steps_store_what_the_definition_says() {
    for (index, nature) in NATURES.into_iter().enumerate() {
        for (turn, dims) in DIMS.into_iter().enumerate() {
            let density = [1e-4, 0.01, 0.1, 0.9, 1.0][(index + turn) % 5];
            let config = sparse(density, 5, 1);
            let mut alone = Model::<f32>::new(&config, dims);
            let mut shared = Model::<f32>::new(&config.with_threads(2), dims);
            let mut references: Vec<_> = dims.iter().map(|&len| Reference::new(&config, len)).collect();
            let what = format!("{nature}, {dims:?}, {density}");
            assert_stored(&alone, &references, &what);
            for number in 0..13 {
                let grads = stream(nature, alone.params.len(), number);
                for (reference, block) in references.iter_mut().zip(blocks(dims, &grads)) {
                    reference.step(block);
                }
                for model in [&mut alone, &mut shared] {
                    model.optimizer.step(&mut model.params, &grads).unwrap();
                }
                assert_stored(&alone, &references, &what);
            }
            assert_same(&alone, &shared, &what);
            assert!(alone.params.iter().all(|w| w.is_finite()));
            alone.optimizer.reset();
            let fresh = Model::<f32>::new(&config, dims);
            assert!(alone.state() == fresh.state(), "{what}: reset is not as new");
        }
    }
}

/// Takes a step in phases, in pieces that cut tiles, fed and applied in different orders.
fn step_in_pieces(model: &mut Model<f32>, grads: &[f32], parts: usize, random: &mut Random) {
    let mut shuffled = |ends: Vec<usize>| {
        let mut pieces: Vec<_> = ends.windows(2).map(|cut| cut[0]..cut[1]).collect();
        for last in (1..pieces.len()).rev() {
            pieces.swap(last, random.below(last + 1));
        }
        pieces
    };
    let mut seed = Random(grads.len() as u64 + parts as u64);
    let (feeds, applies) =
        (shuffled(cuts(grads.len(), parts, &mut seed)), shuffled(cuts(grads.len(), parts + 3, &mut seed)));
    let Model { optimizer, params } = model;
    optimizer.begin().unwrap();
    feeds.into_iter().for_each(|piece| optimizer.feed(piece.start, &grads[piece]).unwrap());
    optimizer.solve().unwrap();
    for piece in applies {
        optimizer.apply(piece.start, &mut params[piece.clone()], &grads[piece]).unwrap();
    }
    optimizer.end().unwrap();
}

#[test]
fn pieces_store_and_move_what_a_whole_step_does() {
    let mut random = Random(5);
    for dims in DIMS {
        for (density, parts) in [(0.01, 2), (0.01, 60), (0.3, 7)] {
            let config = sparse(density, 4, 2);
            let mut whole = Model::<f32>::new(&config, dims);
            let mut cut = Model::<f32>::new(&config, dims);
            let mut references: Vec<_> = dims.iter().map(|&len| Reference::new(&config, len)).collect();
            let what = format!("{dims:?}, {density}, {parts} parts");
            for number in 0..9 {
                let grads = gradient::<f32>(whole.params.len(), number);
                for (reference, block) in references.iter_mut().zip(blocks(dims, &grads)) {
                    reference.step(block);
                }
                whole.optimizer.step(&mut whole.params, &grads).unwrap();
                step_in_pieces(&mut cut, &grads, parts, &mut random);
                assert_stored(&cut, &references, &what);
                // Another gradient is fed and cancelled, and changes nothing.
                cut.optimizer.begin().unwrap();
                cut.optimizer.feed(0, &gradient(grads.len(), 500 + number)).unwrap();
                cut.optimizer.cancel().unwrap();
            }
            assert_bits_close(&whole, &cut, &what);
        }
    }
}

/// The sums of a chunk are added in the order of the pieces, so parameters may differ by rounding.
fn assert_bits_close(whole: &Model<f32>, cut: &Model<f32>, what: &str) {
    for (a, b) in whole.params.iter().zip(&cut.params) {
        assert!((a - b).abs() <= 1e-6 * a.abs().max(1e-3), "{what}: {a} and {b}");
    }
}

#[test]
fn saved_runs_go_on_with_the_same_bits() {
    for (index, config) in every_kind().enumerate() {
        let config = config.with_history_format(HistoryFormat::Sparse).with_density(0.02);
        let dims = [&[9000usize, 0, 17][..], &[4096], &[5]][index % 3];
        for saved_after in [0, 3, 5, 12] {
            let mut kept = Model::<f32>::new(&config, dims);
            (0..saved_after).for_each(|number| kept.step(number));
            let mut loaded = Model::<f32>::new(&config.with_threads(2), dims);
            (100..107).for_each(|number| loaded.step(number));
            loaded.optimizer.state_load(&kept.state()).unwrap();
            loaded.params.copy_from_slice(&kept.params);
            assert_same(&kept, &loaded, &format!("loaded after {saved_after} steps, {config:?}"));
            for number in saved_after..saved_after + 9 {
                kept.step(number);
                loaded.step(number);
            }
            assert_same(&kept, &loaded, &format!("gone on after {saved_after} steps, {config:?}"));
        }
    }
}

#[test]
fn a_sum_that_overflows_is_refused_and_changes_nothing() {
    // One entry of a tile is kept, so the other 3e38 stays in the feedback.
    let config = sparse(1e-4, 3, 1);
    for dims in [&[2][..], &[5000], &[9000, 3]] {
        let [mut model, mut twin] = [(); 2].map(|()| Model::<f32>::new(&config, dims));
        let last = model.params.len() - 1;
        let mut grads = vec![0.0; last + 1];
        grads[last - 1..].fill(3e38);
        for model in [&mut model, &mut twin] {
            model.optimizer.step(&mut model.params, &grads).unwrap();
        }
        for bad in [3e38, f32::INFINITY, f32::NAN] {
            grads[last] = bad;
            let error = model.optimizer.step(&mut model.params, &grads).unwrap_err();
            assert!(matches!(error, Error::NonFinite { .. }), "{error}");
            assert_same(&model, &twin, "refused");
        }
        for number in 0..7 {
            let grads: Vec<f32> = gradient(last + 1, number);
            for model in [&mut model, &mut twin] {
                model.optimizer.step(&mut model.params, &grads).unwrap();
            }
        }
        assert_same(&model, &twin, "later");
    }
}

#[test]
fn the_largest_gradients_are_rounded_towards_zero() {
    let config = sparse(1.0, 2, 1);
    let mut model = Model::<f32>::new(&config, &[3]);
    let mut reference = Reference::new(&config, 3);
    let grads = [f32::MAX, -f32::MAX, 1.0];
    reference.step(&grads);
    model.optimizer.step(&mut model.params, &grads).unwrap();
    assert_eq!(reference.columns[0][0].1, [0x7f7f, 0xff7f, 0x3f80]);
    assert_stored(&model, &[reference], "the largest");
}

#[test]
fn the_state_is_what_the_format_promises() {
    let (dim, k) = (4_000_000, 100);
    let mut optimizer = Optimizer::<f32>::new(&sparse(0.01, k, 1), &[dim]).unwrap();
    let bytes = optimizer.stats().unwrap().state_bytes as f64 / dim as f64;
    assert!(bytes <= 8.4, "{bytes} bytes a parameter");
}
