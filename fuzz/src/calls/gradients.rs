//! Gradients from an input: ordinary ones, and some at the edges of the number range.

use crate::handle::Real;
use crate::input::Input;

/// Numbers at the edges of formats, in both element types.
const EDGES: [f64; 24] = [
    0.0,
    1.0,
    -1.0,
    0.5,
    2.0,
    -3.0,
    1e-3,
    1e3,
    -0.0,
    127.0,
    63.5,
    65504.0,
    65520.0,
    1e-8,
    1e8,
    -1e-20,
    1e20,
    1e-38,
    1e-42,
    -1e30,
    3e38,
    3.4e38,
    f64::INFINITY,
    f64::NAN,
];

/// Writes the next gradient to `gradient`, which holds the last one.
pub fn next<T: Real>(input: &mut Input<'_>, gradient: &mut [T]) {
    let dim = gradient.len();
    match input.byte() % 10 {
        // Random, of any size.
        0..2 => {
            let norm = 10f64.powi(input.pick(&[0, 0, 0, 0, -3, 3, -10, 10, -30, 30, 38, -45]));
            let random = input.random().vector(dim, norm);
            gradient.iter_mut().zip(random).for_each(|(g, x)| *g = T::of(x));
        }
        // Nearly the last one.
        2 => {
            let noise = input.random().vector(dim, input.pick(&[1e-3, 1e-6, 1e-1, 1e-7, 1e-12]));
            let size = largest(gradient);
            gradient.iter_mut().zip(noise).for_each(|(g, x)| *g = T::of(g.widen() + size * x));
        }
        // The last one, or a multiple of it.
        3 => {
            let factor = input.pick(&[1.0, -1.0, 2.0, 0.5, 1e-4, 1e4, 1.0 + 1e-6, 1e30]);
            gradient.iter_mut().for_each(|g| *g = T::of(g.widen() * factor));
        }
        // A single entry.
        4 => {
            gradient.fill(T::of(0.0));
            let value = input.pick(&EDGES);
            if dim > 0 {
                gradient[input.below(dim)] = T::of(value);
            }
        }
        5 => gradient.fill(T::of(input.pick(&EDGES))),
        // One entry of the last gradient changes.
        6 => {
            let value = input.pick(&EDGES);
            if dim > 0 {
                gradient[input.below(dim)] = T::of(value);
            }
        }
        // Edges, in turn.
        7 => {
            let few = input.array::<4>().map(|byte| EDGES[usize::from(byte) % EDGES.len()]);
            gradient.iter_mut().zip(few.iter().cycle()).for_each(|(g, &x)| *g = T::of(x));
        }
        // Any bits.
        8 => gradient.iter_mut().take(12).for_each(|g| *g = T::from_bytes(input.array())),
        _ => {
            let mut random = input.random();
            let decades = input.pick(&[4.0, 12.0, 30.0]);
            let mut entry = || random.normal() * 10f64.powf(decades * (random.uniform() - 0.5));
            gradient.iter_mut().for_each(|g| *g = T::of(entry()));
        }
    }
}

fn largest<T: Real>(gradient: &[T]) -> f64 {
    gradient.iter().fold(0.0, |most, g| g.widen().abs().max(most))
}
