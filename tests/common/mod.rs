//! Shared by tests that compare two runs of the library: gradients from a seed, every kind of state.

#![allow(dead_code)]

use lmada::{Clip, Config, Element, HistoryFormat, Momentum, Optimizer};

/// Returns numbers in (−1, 1) from a seed (xorshift64*).
pub struct Random(pub u64);

impl Random {
    pub fn number(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11;
        bits as f64 / (1u64 << 52) as f64 - 1.0
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.number().abs() * bound as f64) as usize % bound.max(1)
    }
}

/// Returns the gradient of step `number`. Part of it is common to all steps, as in training.
pub fn gradient<T: Element>(dim: usize, number: usize) -> Vec<T> {
    let (mut common, mut own) = (Random(7), Random(1000 + number as u64));
    (0..dim).map(|_| T::from_f64(0.3 * common.number() + own.number())).collect()
}

/// Returns every kind of momentum with every kind of clip; other options in turn.
pub fn every_kind() -> impl Iterator<Item = Config> {
    use Clip::{EmaNorm, EmaVector, GraftEmaNorm, GraftEmaVector, Norm};
    let momenta = [Momentum::None, Momentum::Gradient, Momentum::Update, Momentum::Window];
    let clips = [Clip::None, Norm, EmaNorm, GraftEmaNorm, EmaVector, GraftEmaVector];
    let pairs = momenta.into_iter().flat_map(move |momentum| clips.map(|clip| (momentum, clip)));
    pairs.enumerate().map(|(index, (momentum_kind, clip_kind))| {
        Config::default()
            .with_history_size(5)
            .with_momentum_kind(momentum_kind)
            .with_clip_kind(clip_kind)
            .with_clip_norm(0.4)
            .with_clip_factor(0.7)
            .with_centered(index % 3 == 1)
            .with_orthogonal_scale([0.0, 0.5][index % 2])
            .with_history_decay([1.0, 0.95][index / 2 % 2])
            .with_weight_decay(0.1)
            .with_grad_scale([1.0, 1.0, 0.3][index % 3])
            .with_grad_clip_norm([0.0, 2.0][index / 3 % 2])
            .with_average_beta([0.0, 0.0, 0.0, 0.9][index % 4])
            .with_threads(1)
    })
}

/// Returns every kind of momentum with diagonal preconditioning, with its clips in turn; and the clip that
/// [`every_kind`] does not have.
pub fn every_diagonal_kind() -> impl Iterator<Item = Config> {
    use Clip::{EmaNorm, GraftEmaNorm, GraftInput, Norm};
    let kinds = [
        (0.9, Momentum::None, GraftInput),
        (0.9, Momentum::None, Norm),
        (0.99, Momentum::Gradient, Clip::None),
        (0.99, Momentum::Gradient, GraftInput),
        (0.5, Momentum::Update, GraftEmaNorm),
        (0.9, Momentum::Update, EmaNorm),
        (0.99, Momentum::Window, GraftInput),
        (0.99, Momentum::Update, Clip::None),
        (0.0, Momentum::Gradient, GraftInput),
        (0.0, Momentum::Window, GraftInput),
    ];
    kinds.into_iter().enumerate().map(|(index, (diagonal_beta, momentum_kind, clip_kind))| {
        Config::default()
            .with_history_size(5)
            .with_diagonal_beta(diagonal_beta)
            .with_diagonal_eps([1e-16, 1e-6][index % 2])
            .with_momentum_kind(momentum_kind)
            .with_clip_kind(clip_kind)
            .with_clip_norm(0.4)
            .with_clip_factor(0.7)
            .with_orthogonal_scale([0.0, 0.5][index / 2 % 2])
            .with_history_decay([1.0, 0.95][index % 2])
            .with_weight_decay(0.1)
            .with_grad_scale([1.0, 0.3][index % 2])
            .with_grad_clip_norm([0.0, 0.0, 2.0][index % 3])
            .with_average_beta([0.0, 0.0, 0.5][index % 3])
            .with_threads(1)
    })
}

/// Elements in a group of f16 and int8, and in a group of sparse.
pub const SCALED_UNIT: usize = 256;
pub const SPARSE_UNIT: usize = 4096;

/// The compressed formats.
pub const COMPRESSED: [HistoryFormat; 4] =
    [HistoryFormat::Bf16, HistoryFormat::F16, HistoryFormat::Int8, HistoryFormat::Sparse];

/// Returns every kind, for `f32` also with a compressed format: each format is combined with each kind of momentum and
/// each kind of clip.
pub fn every_kind_and_format<T: Element>() -> impl Iterator<Item = Config> {
    let compressed = every_kind().enumerate().map(|(index, config)| {
        config.with_history_format(COMPRESSED[(index / 6 + index % 6) % 4]).with_density([0.01, 0.3][index % 2])
    });
    let diagonal = every_diagonal_kind()
        .enumerate()
        .map(|(index, config)| config.with_history_format(COMPRESSED[index % 4]).with_density([0.01, 0.3][index % 2]));
    let full = every_kind().chain(every_diagonal_kind());
    full.chain(compressed.chain(diagonal).take_while(|_| size_of::<T>() == 4))
}

/// An optimizer and its parameters.
pub struct Model<T: Element> {
    pub optimizer: Optimizer<T>,
    pub params: Vec<T>,
}

impl<T: Element> Model<T> {
    pub fn new(config: &Config, dims: &[usize]) -> Self {
        let optimizer = Optimizer::new(config, dims).expect("a valid configuration");
        let params = gradient(optimizer.dim(), 999);
        Self { optimizer, params }
    }

    pub fn step(&mut self, number: usize) {
        let grads = gradient(self.params.len(), number);
        self.optimizer.step(&mut self.params, &grads).expect("a good step");
    }

    pub fn state(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.optimizer.state_size()];
        self.optimizer.state_save(&mut bytes).expect("no step is open");
        bytes
    }
}

/// Returns the ends of the three parts of a saved state: the options and counts; the lengths of the blocks, the weights
/// of the columns and the groups; the contents. A checksum of 4 bytes follows each. The last end is computed from the
/// length.
pub fn part_ends(state: &[u8]) -> [usize; 3] {
    let word = |at: usize| u64::from_le_bytes(state[at..at + 8].try_into().unwrap()) as usize;
    let options = u32::from_le_bytes(state[12..16].try_into().unwrap()) as usize;
    let head = OPTIONS + 8 * options + 32;
    let (blocks, history_size, groups) = (word(head - 16), word(OPTIONS + 8), word(head - 8));
    [head, head + 4 + 8 * (blocks + history_size + 4 * groups), state.len() - 4]
}

/// Offset of the options in a saved state, 8 bytes each; and the index of `threads`, the only option that may differ.
pub const OPTIONS: usize = 16;
const THREADS: usize = 21;

/// Returns a saved state without the number of threads and the checksums that depend on it.
pub fn without_threads(mut state: Vec<u8>) -> Vec<u8> {
    for end in part_ends(&state) {
        state[end..end + 4].fill(0);
    }
    state[OPTIONS + 8 * THREADS..][..8].fill(0);
    state
}

/// Compares bit for bit: −0 is not 0.
pub fn assert_same<T: Element>(a: &Model<T>, b: &Model<T>, what: &str) {
    let bits = |model: &Model<T>| model.params.iter().map(|w| w.to_f64().to_bits()).collect::<Vec<_>>();
    assert!(bits(a) == bits(b), "{what}: parameters differ");
    assert!(without_threads(a.state()) == without_threads(b.state()), "{what}: states differ");
}

/// Cuts `len` at random places; parts may be empty.
pub fn cuts(len: usize, parts: usize, random: &mut Random) -> Vec<usize> {
    let mut ends: Vec<usize> = (1..parts).map(|_| random.below(len + 1)).collect();
    ends.extend([0, 0, len, len]);
    ends.sort_unstable();
    ends
}
