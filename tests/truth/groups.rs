//! Parameter groups and tensors without a gradient, against directions that the test applies itself, with zeros for
//! missing gradients.

use crate::common;

use common::{Random, every_kind_and_format, gradient};
use lmada::{Config, Element, Group, Optimizer};

const DIMS: [usize; 3] = [4500, 0, 700];

fn groups() -> [Group; 5] {
    [
        Group::new(4000..4600).frozen(),
        Group::new(0..100).with_lr_scale(0.25).with_weight_decay_scale(3.0),
        Group::new(100..101).with_weight_decay_scale(0.0),
        Group::new(300..700).frozen(),
        Group::new(5100..5200).with_lr_scale(4.0),
    ]
}

/// The factors on learning rate and weight decay of each parameter.
fn rates(dim: usize) -> Vec<(f64, f64)> {
    let mut rates = vec![(1.0, 1.0); dim];
    for Group { offset, len, lr_scale, weight_decay_scale, .. } in groups() {
        rates[offset..offset + len].fill((lr_scale, weight_decay_scale));
    }
    rates
}

fn options<T: Element>() -> impl Iterator<Item = Config> {
    every_kind_and_format::<T>().map(|config| config.with_average_beta(0.0).with_lr(0.05).with_weight_decay(0.5))
}

fn rates_are_those_of_the_groups<T: Element>() {
    let dim = DIMS.iter().sum();
    let rates = rates(dim);
    for config in options::<T>() {
        let mut grouped = Optimizer::<T>::new(&config, &DIMS).unwrap();
        grouped.set_groups(&groups()).unwrap();
        let mut plain = Optimizer::<T>::new(&config, &DIMS).unwrap();
        let mut w: Vec<T> = gradient(dim, 50);
        let mut direction = vec![T::default(); dim];
        for number in 0..8 {
            let before = w.clone();
            let mut given: Vec<T> = gradient(dim, number);
            let zeroed: Vec<T> =
                given.iter().zip(&rates).map(|(g, rate)| if rate.0 == 0.0 { T::default() } else { *g }).collect();
            // The gradient of frozen parameters is not read.
            given[300] = T::from_f64(f64::NAN);
            given[4599] = T::from_f64(f64::INFINITY);
            plain.direction(&mut direction, &zeroed).unwrap();
            grouped.step(&mut w, &given).unwrap();
            for (i, (lr_scale, decay_scale)) in rates.iter().enumerate() {
                let (now, old, u) = (w[i].to_f64(), before[i].to_f64(), direction[i].to_f64());
                let lr = config.lr * lr_scale;
                let expected = old * (1.0 - lr * config.weight_decay * decay_scale) - lr * u;
                let allowed = if *lr_scale == 0.0 { 0.0 } else { 2.0 * T::ROUNDOFF * (old.abs() + lr * u.abs()) };
                assert!((now - expected).abs() <= allowed, "{i} in step {number}: {now:e}, {expected:e}, {config:?}");
            }
        }
    }
}

#[test]
fn rates_are_those_of_the_groups_f32() {
    rates_are_those_of_the_groups::<f32>();
}

#[test]
fn rates_are_those_of_the_groups_f64() {
    rates_are_those_of_the_groups::<f64>();
}

/// Tensors that end at other places than the groups, some without a gradient; and pieces.
#[test]
fn tensors_and_pieces_cut_groups() {
    let dim: usize = DIMS.iter().sum();
    let mut random = Random(5);
    for config in options::<f32>() {
        let mut whole = Optimizer::<f32>::new(&config, &DIMS).unwrap();
        let mut listed = Optimizer::<f32>::new(&config.with_threads(3), &DIMS).unwrap();
        whole.set_groups(&groups()).unwrap();
        listed.set_groups(&groups()).unwrap();
        let (mut w, mut v): (Vec<f32>, Vec<f32>) = (gradient(dim, 50), gradient(dim, 50));
        for number in 0..6 {
            let grads: Vec<f32> = gradient(dim, number);
            let mut ends = common::cuts(dim, 7, &mut random);
            ends.dedup();
            let missing: Vec<bool> = ends.windows(2).map(|_| random.below(3) == 0).collect();
            let tensors = ends.windows(2).map(|cut| cut[0]..cut[1]).zip(&missing);
            // For one step a tensor without a gradient is a frozen group.
            let mut frozen: Vec<Group> = Vec::new();
            for (range, missing) in tensors.clone() {
                for i in range {
                    let rate = rates(dim)[i];
                    let lr_scale = if *missing { 0.0 } else { rate.0 };
                    let same = Group::new(i..i + 1).with_lr_scale(lr_scale).with_weight_decay_scale(rate.1);
                    match frozen.last_mut() {
                        Some(last) if last.lr_scale == lr_scale && last.weight_decay_scale == rate.1 => last.len += 1,
                        _ => frozen.push(same),
                    }
                }
            }
            whole.set_groups(&frozen).unwrap();
            whole.step(&mut w, &grads).unwrap();
            let given: Vec<Option<&[f32]>> =
                tensors.map(|(range, missing)| (!missing).then(|| &grads[range])).collect();
            let mut rest = v.as_mut_slice();
            let mut params = Vec::new();
            for cut in ends.windows(2) {
                let (tensor, after) = rest.split_at_mut(cut[1] - cut[0]);
                params.push(tensor);
                rest = after;
            }
            listed.step_some_tensors(&mut params, &given).unwrap();
            assert!(w == v, "step {number}, {config:?}");
        }
    }
}

#[test]
fn groups_are_saved() {
    let config = Config::default().with_threads(1);
    let mut saved = Optimizer::<f32>::new(&config, &[20]).unwrap();
    let set = [Group::new(3..9).frozen(), Group::new(12..20).with_lr_scale(2.0)];
    saved.set_groups(&[set[1], set[0]]).unwrap();
    let mut w: Vec<f32> = gradient(20, 50);
    saved.step(&mut w, &gradient(20, 1)).unwrap();
    let mut bytes = vec![0; saved.state_size()];
    saved.state_save(&mut bytes).unwrap();
    let mut loaded = Optimizer::<f32>::new(&config, &[20]).unwrap();
    loaded.set_groups(&[Group::new(0..20).frozen()]).unwrap();
    loaded.state_load(&bytes).unwrap();
    let streamed = Optimizer::<f32>::from_state(&bytes[..]).unwrap();
    for optimizer in [&mut loaded, &mut { streamed }] {
        assert_eq!(optimizer.groups(), set);
        let mut other = w.clone();
        let mut own = w.clone();
        optimizer.step(&mut other, &gradient(20, 2)).unwrap();
        let mut twin = Optimizer::<f32>::from_state(&bytes[..]).unwrap();
        twin.step(&mut own, &gradient(20, 2)).unwrap();
        assert_eq!(own, other);
        assert_eq!(own[3..9], w[3..9]);
    }
}
