//! Streams of gradients, ordinary and difficult, from a seed.

/// Random numbers by splitmix64 and Box-Muller: a stream depends only on its seed.
#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in (0, 1].
    pub fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound as u64) as usize
    }

    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (core::f64::consts::TAU * self.uniform()).cos()
    }

    /// Returns a vector of about the given norm.
    pub fn vector(&mut self, dim: usize, norm: f64) -> Vec<f64> {
        let scale = norm / (dim as f64).sqrt();
        (0..dim).map(|_| scale * self.normal()).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stream {
    /// Independent gradients, norm about 1.
    White,
    /// Each gradient close to the one before.
    Drifting,
    /// Coordinates' scales over six decades.
    BadlyScaled,
    /// One direction plus a thousandth of noise, norm about 1.
    Collinear,
    /// As `Collinear`, norm about 100.
    CollinearLarge,
    /// Three gradients in a cycle.
    Cyclic,
    /// The same gradient for many steps, then another.
    Repeated,
    /// Zeros, and sometimes a gradient; also runs of zeros longer than a small window.
    Zeros,
    /// Norm 1e-30.
    Tiny,
    /// Norm 1e30.
    Huge,
    /// Norm 1e30, then 1e-30, and so on.
    TinyAndHuge,
    /// Norms over twelve decades.
    Decades,
    /// Norm 1 with spikes of 1e8.
    Spikes,
    /// Two of three gradients along a coordinate axis, this many decades long; the third of norm 1, in all coordinates.
    Between(i32),
    /// The same gradient in every step.
    Same,
    /// Norm 1e-3, and once, in this step, norm 1e30.
    OneHuge(usize),
    /// Zeros before this step, ordinary gradients from it on.
    Late(usize),
    /// In each group of 256, one entry of 1e6 among ordinary ones.
    Lone,
    /// Runs of 128 and of 4,096 zeros, at other places in every step.
    Gaps,
    /// Entries of 1e-30 beside entries of 1.
    Faint,
    /// Entries about 1e-40.
    Subnormal,
    /// Entries up to the largest f32, of either sign.
    Largest,
    /// Entries of many equal magnitudes and both signs, halfway between the multiples of a 127th of the largest.
    Ties,
}

impl Stream {
    pub const ALL: [Self; 14] = [
        Self::White,
        Self::Drifting,
        Self::BadlyScaled,
        Self::Collinear,
        Self::CollinearLarge,
        Self::Cyclic,
        Self::Repeated,
        Self::Zeros,
        Self::Tiny,
        Self::Huge,
        Self::TinyAndHuge,
        Self::Decades,
        Self::Spikes,
        Self::Between(4),
    ];

    /// Streams that are difficult for formats, within one gradient.
    pub const UNEVEN: [Self; 6] = [Self::Lone, Self::Gaps, Self::Faint, Self::Subnormal, Self::Largest, Self::Ties];

    /// Whether the norms in a window are many decades apart, so that the documented limit may exceed a small update.
    pub fn mixes_scales(self) -> bool {
        matches!(self, Self::TinyAndHuge | Self::Decades | Self::Spikes | Self::Between(_) | Self::OneHuge(_))
    }

    pub fn start(self, dim: usize, seed: u64) -> Gradients {
        let mut random = Random(seed);
        let base = (0..3).map(|_| random.vector(dim, 1.0)).collect();
        Gradients { stream: self, dim, random, base, count: 0 }
    }
}

/// A stream and its state.
#[derive(Clone)]
pub struct Gradients {
    stream: Stream,
    dim: usize,
    random: Random,
    base: Vec<Vec<f64>>,
    count: usize,
}

impl Gradients {
    /// Returns the next gradient, in f64. The test rounds it to its element type.
    pub fn draw(&mut self) -> Vec<f64> {
        let step = self.count;
        self.count += 1;
        let dim = self.dim;
        match self.stream {
            Stream::White => self.random.vector(dim, 1.0),
            Stream::Drifting => {
                let news = self.random.vector(dim, 0.3);
                self.base[0].iter_mut().zip(news).for_each(|(x, n)| *x = 0.95 * *x + n);
                self.base[0].clone()
            }
            Stream::BadlyScaled => {
                let scale = |i: usize| 10f64.powf(2.0 - 6.0 * i as f64 / dim as f64);
                let noise = self.random.vector(dim, 1.0);
                noise.iter().enumerate().map(|(i, x)| scale(i) * x).collect()
            }
            Stream::Collinear => self.near_base(1.0),
            Stream::CollinearLarge => self.near_base(100.0),
            Stream::Cyclic => self.base[step % 3].clone(),
            Stream::Repeated => self.base[step / 7 % 3].clone(),
            Stream::Zeros if step % 20 > 7 || !step.is_multiple_of(3) => vec![0.0; dim],
            Stream::Zeros => self.random.vector(dim, 1.0),
            Stream::Tiny => self.random.vector(dim, 1e-30),
            Stream::Huge => self.random.vector(dim, 1e30),
            Stream::TinyAndHuge => self.random.vector(dim, if step.is_multiple_of(2) { 1e30 } else { 1e-30 }),
            Stream::Decades => {
                let exponent = 12.0 * self.random.uniform() - 6.0;
                self.random.vector(dim, 10f64.powf(exponent))
            }
            Stream::Between(decades) if step % 3 < 2 => {
                let mut g = vec![0.0; dim];
                g[step % dim] = 10f64.powi(decades);
                g
            }
            Stream::Between(_) => self.random.vector(dim, 1.0),
            Stream::Same => self.base[0].clone(),
            Stream::OneHuge(huge) => self.random.vector(dim, if step == huge { 1e30 } else { 1e-3 }),
            Stream::Late(first) => self.random.vector(dim, if step < first { 0.0 } else { 1.0 }),
            Stream::Lone => {
                let mut g = self.random.vector(dim, (dim as f64).sqrt());
                for run in g.chunks_mut(256) {
                    let place = self.random.below(run.len());
                    run[place] = 1e6;
                }
                g
            }
            Stream::Gaps => {
                let mut g = self.random.vector(dim, 1.0);
                for len in [128, 4096] {
                    for run in g.chunks_mut(len).filter(|_| self.random.below(3) == 0) {
                        run.fill(0.0);
                    }
                }
                g
            }
            Stream::Faint => (0..dim).map(|_| self.random.normal() * [1.0, 1e-30][self.random.below(2)]).collect(),
            Stream::Subnormal => (0..dim).map(|_| 1e-40 * self.random.normal()).collect(),
            Stream::Largest => (0..dim).map(|_| self.sign() * f64::from(f32::MAX) * self.random.uniform()).collect(),
            Stream::Ties => {
                let halves = |random: &mut Random| random.below(127) as f64 + 0.5;
                let entry = |i: usize, random: &mut Random| if i.is_multiple_of(64) { 127.0 } else { halves(random) };
                (0..dim).map(|i| self.sign() * entry(i, &mut self.random)).collect()
            }
            Stream::Spikes => self.random.vector(dim, if step % 9 == 4 { 1e8 } else { 1.0 }),
        }
    }

    fn sign(&mut self) -> f64 {
        [1.0, -1.0][self.random.below(2)]
    }

    fn near_base(&mut self, norm: f64) -> Vec<f64> {
        let noise = self.random.vector(self.dim, 1e-3);
        self.base[0].iter().zip(noise).map(|(x, n)| norm * (x + n)).collect()
    }
}
