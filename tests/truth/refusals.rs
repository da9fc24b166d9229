//! Refused calls change nothing: a twin without the call has the same parameters, state and later steps, bit for bit.

use crate::common;

use common::{COMPRESSED, Model, assert_same, every_kind, every_kind_and_format, gradient};
use lmada::{Argument, Clip, Config, Element, Error, HistoryFormat, Momentum, Optimizer};

const DIMS: &[usize] = &[5, 0, 1, 1030];
const DIM: usize = 1036;

/// Elements that a test makes non-finite: first, middle and last of each block, and one in a group that a piece cuts.
const PLACES: [usize; 8] = [0, 2, 4, 5, 6, 500, 710, 1035];

/// A model after some steps and its twin.
fn twins<T: Element>(config: &Config, steps: usize) -> [Model<T>; 2] {
    [(); 2].map(|()| {
        let mut model = Model::new(config, DIMS);
        (0..steps).for_each(|number| model.step(number));
        model
    })
}

/// Checks that they are equal now and after enough steps to replace the window twice.
fn assert_twins<T: Element>(mut model: Model<T>, mut twin: Model<T>, what: &str) {
    assert_same(&model, &twin, what);
    let stats = |model: &mut Model<T>| {
        let mut stats = model.optimizer.stats().unwrap();
        // Everything except the counters of refused steps.
        (stats.refused, stats.non_finite_index) = (0, None);
        stats
    };
    assert_eq!(stats(&mut model), stats(&mut twin), "{what}");
    for number in 100..111 {
        model.step(number);
        twin.step(number);
    }
    assert_same(&model, &twin, &format!("{what}, later"));
}

/// Takes a step with gradient `grads` by every method; each has to be refused.
fn refuse_every_way<T: Element>(model: &mut Model<T>, grads: &[T]) {
    let non_finite = |result: Result<(), Error>| {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::NonFinite { .. }), "{error}");
    };
    let Model { optimizer, params } = model;
    non_finite(optimizer.step(params, grads));
    let (head, tail) = params.split_at_mut(3);
    non_finite(optimizer.step_tensors(&mut [head, &mut [], tail], &[&grads[..3], &[], &grads[3..]]));
    if optimizer.config().average_beta == 0.0 {
        let mut direction = vec![T::from_f64(7.5); DIM];
        non_finite(optimizer.direction(&mut direction, grads));
        assert!(direction.iter().all(|x| x.to_f64() == 7.5), "a refused direction was written");
    }

    optimizer.begin().unwrap();
    optimizer.feed(700, &grads[700..]).unwrap();
    optimizer.feed(0, &grads[..700]).unwrap();
    non_finite(optimizer.solve());
    // The step stays open, and is cancelled.
    non_finite(optimizer.solve());
    expect_wrong_phase(optimizer.apply(0, params, grads));
    expect_wrong_phase(optimizer.end());
    expect_wrong_phase(optimizer.feed(0, &grads[..1]));
    optimizer.cancel().unwrap();
}

fn expect_wrong_phase(result: Result<(), Error>) {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::WrongPhase { .. }), "{error}");
}

fn gradients_that_are_not_finite<T: Element>() {
    for (index, config) in every_kind_and_format::<T>().enumerate() {
        // Before the first step, with a half full window, and with a replaced window.
        let [mut model, twin] = twins::<T>(&config, [0, 3, 8][index % 3]);
        for place in PLACES {
            for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let mut grads = gradient::<T>(DIM, 50);
                grads[place] = T::from_f64(bad);
                refuse_every_way(&mut model, &grads);
            }
        }
        let all = vec![T::from_f64(f64::NAN); DIM];
        refuse_every_way(&mut model, &all);
        assert_twins(model, twin, &format!("{config:?}"));
    }
}

#[test]
fn gradients_that_are_not_finite_f32() {
    gradients_that_are_not_finite::<f32>();
}

#[test]
fn gradients_that_are_not_finite_f64() {
    gradients_that_are_not_finite::<f64>();
}

#[test]
fn products_that_overflow() {
    for config in every_kind() {
        let [mut model, twin] = twins::<f64>(&config, 6);
        for place in PLACES {
            let mut grads = gradient::<f64>(DIM, 50);
            grads[place] = 1e200;
            refuse_every_way(&mut model, &grads);
        }
        assert_twins(model, twin, &format!("{config:?}"));
    }
    // Products of the largest f32 fit in f64.
    let mut optimizer = Optimizer::<f32>::new(&Config::default().with_threads(1), &[3]).unwrap();
    let mut direction = [0.0f32; 3];
    optimizer.direction(&mut direction, &[f32::MAX; 3]).unwrap();
    assert!(direction.iter().all(|u| (u - 3f32.sqrt().recip()).abs() < 1e-6), "{direction:?}");
}

/// The sum of feedback and gradient of the sparse format is checked too. A refusal does not change the feedback.
#[test]
fn feedback_that_overflows() {
    // With diagonal preconditioning no number is that large, and a graft to the input refuses such long steps.
    let overflows = |config: &Config| config.diagonal_beta == 0.0 && config.clip_kind != Clip::GraftInput;
    let sparse = every_kind_and_format::<f32>().filter(|config| config.history_format == HistoryFormat::Sparse);
    for config in sparse.filter(overflows) {
        let config = config.with_density(0.01).with_eps(1.0).with_orthogonal_scale(0.0).with_grad_scale(1.0);
        let [mut model, mut twin] = twins::<f32>(&config, 2);
        for block in [0..5, 6..DIM] {
            // One or eleven entries are stored and the others go to the feedback; twice that overflows.
            let with = |x: f32| -> Vec<f32> { (0..DIM).map(|i| if block.contains(&i) { x } else { 0.1 }).collect() };
            let both = |model: &mut Model<f32>, twin: &mut Model<f32>, grads: &[f32]| {
                for Model { optimizer, params } in [model, twin] {
                    optimizer.step(params, grads).unwrap();
                }
            };
            both(&mut model, &mut twin, &with(3e38));
            refuse_every_way(&mut model, &with(3e38));
            both(&mut model, &mut twin, &with(-3e38));
        }
        assert_twins(model, twin, &format!("{config:?}"));
    }
}

fn steps_too_long_for_the_type<T: Element>(largest: f64) {
    // With g = 1 and ε = 0, ‖u‖ = 1, so the limit is at lr = half the largest number.
    for momentum_kind in [Momentum::None, Momentum::Gradient, Momentum::Update, Momentum::Window] {
        let config = Config::default().with_eps(0.0).with_momentum_kind(momentum_kind).with_threads(1);
        let mut optimizer = Optimizer::<T>::new(&config, &[1]).unwrap();
        let mut params = [T::from_f64(3.0)];
        let one = [T::from_f64(1.0)];
        let mut before = vec![0; optimizer.state_size()];
        let mut after = before.clone();
        optimizer.set_lr(largest / 2.0 * (1.0 + f64::EPSILON)).unwrap();
        optimizer.state_save(&mut before).unwrap();
        let error = optimizer.step(&mut params, &one).unwrap_err();
        assert!(matches!(error, Error::NonFinite { .. }), "{error}");
        optimizer.state_save(&mut after).unwrap();
        assert!(before == after && params[0].to_f64() == 3.0);
        // Slightly below that, ‖u‖ with its rounding passes the check.
        optimizer.set_lr(largest / 2.0 * (1.0 - 1e-12)).unwrap();
        optimizer.step(&mut params, &one).unwrap();
        let moved = params[0].to_f64();
        assert!(moved.is_finite() && moved < -0.49 * largest, "{momentum_kind:?}: {moved:e}");
    }
}

#[test]
fn steps_too_long_for_the_type_are_refused() {
    steps_too_long_for_the_type::<f32>(f32::MAX.into());
    steps_too_long_for_the_type::<f64>(f64::MAX);
}

#[test]
fn huge_learning_rates_change_nothing_but_themselves() {
    for (index, config) in every_kind_and_format::<f32>().enumerate() {
        let config = config.with_weight_decay(0.0);
        let [mut model, twin] = twins::<f32>(&config, [0, 3, 8][index % 3]);
        model.optimizer.set_lr(1e45).unwrap();
        // An update of exactly 0 would not be refused; these updates are not 0.
        refuse_every_way(&mut model, &gradient::<f32>(DIM, 50));
        model.optimizer.set_lr(config.lr).unwrap();
        assert_twins(model, twin, &format!("{config:?}"));
    }
}

/// The average of updates may be long when the update is 0. Its bound is saved, and loaded with states of shares.
fn momentum_too_long_for_the_type<T: Element>(largest: f64) {
    let config = Config::default().with_eps(0.0).with_power(0.25).with_momentum_kind(Momentum::Update).with_threads(1);
    let new = |len: usize| Optimizer::<T>::new(&config, &[len]).unwrap();
    let (first, zero) = ([T::from_f64(16.0), T::from_f64(0.0)], [T::from_f64(0.0); 2]);
    let mut source = new(2);
    let mut params = [T::from_f64(3.0); 2];
    source.step(&mut params, &first).unwrap();
    let mut state = vec![0; source.state_size()];
    source.state_save(&mut state).unwrap();
    let mut loaded = new(2);
    loaded.state_load(&state).unwrap();
    let mut share = new(1);
    share.state_load_shares(&[0], &[&state]).unwrap();
    // ‖u‖ = √16, so b = 0.4, then 0.36 over 1 − 0.9².
    let length = 0.36 / 0.19;
    for optimizer in [&mut source, &mut loaded, &mut share] {
        let len = optimizer.dim();
        let mut params = [T::from_f64(3.0); 2];
        for lr in [largest, largest / 2.0 / length * (1.0 + 1e-5)] {
            optimizer.set_lr(lr).unwrap();
            let error = optimizer.step(&mut params[..len], &zero[..len]).unwrap_err();
            assert!(matches!(error, Error::NonFinite { .. }), "{error}");
            assert!(params.iter().all(|w| w.to_f64() == 3.0));
        }
        optimizer.set_lr(largest / 2.0 / length * (1.0 - 1e-5)).unwrap();
        optimizer.step(&mut params[..len], &zero[..len]).unwrap();
        let moved = params[0].to_f64();
        assert!(moved.is_finite() && moved < -0.49 * largest, "{moved:e}");
        // After a reset there is no average.
        optimizer.reset();
        optimizer.set_lr(largest).unwrap();
        optimizer.step(&mut params[..len], &zero[..len]).unwrap();
        assert!(params[0].to_f64() == moved);
    }
}

#[test]
fn momentum_too_long_for_the_type_is_refused() {
    momentum_too_long_for_the_type::<f32>(f32::MAX.into());
    momentum_too_long_for_the_type::<f64>(f64::MAX);
}

/// The largest learning rate makes no parameter overflow, whatever the computed norm is: here u is only rounding.
#[test]
fn updates_of_rounding_alone_do_not_overflow() {
    for config in every_kind() {
        for lr in [1e30, 1e300, f64::MAX] {
            let config = config.with_weight_decay(0.0).with_centered(true);
            let mut model = Model::<f32>::new(&config, &[7]);
            for number in 0..12 {
                let result = model.optimizer.step(&mut model.params, &gradient(7, number / 6));
                assert!(result.is_ok() || matches!(result, Err(Error::NonFinite { .. })), "{result:?}");
                assert!(model.params.iter().all(|w| w.is_finite()), "{config:?}");
                model.optimizer.set_lr(if number % 3 == 1 { lr } else { 1e-3 }).unwrap();
            }
        }
    }
}

/// 1 − lr·weight_decay stays between 0 and 1, if either of the two changes.
#[test]
fn weight_decay_of_more_than_all_is_refused() {
    let config = Config::default().with_weight_decay(4.0).with_lr(0.25).with_threads(1);
    let names = |result: Result<(), Error>, expected: &str| {
        let Err(Error::InvalidArgument { argument: Argument { name, .. }, .. }) = result else { panic!("{result:?}") };
        assert_eq!(name, expected);
    };
    let [mut model, twin] = twins::<f32>(&config, 3);
    for lr in [0.25 + 1e-9, 1e40, f64::MAX] {
        names(model.optimizer.set_lr(lr), "lr");
    }
    model.optimizer.set_lr(0.0).unwrap();
    model.optimizer.set_lr(0.25).unwrap();
    // The state of a run with less decay has a learning rate that is too large here.
    let mut other = Model::<f32>::new(&config.with_weight_decay(0.1).with_lr(1.0), DIMS);
    (0..3).for_each(|number| other.step(number));
    let state = other.state();
    names(model.optimizer.state_load(&state), "the state's lr");
    names(model.optimizer.state_load_shares(&[0; 4], &[&state]), "the state's lr");
    assert_twins(model, twin, "weight decay");
}

fn dropped_steps<T: Element>() {
    for config in every_kind_and_format::<T>() {
        let [mut model, twin] = twins::<T>(&config, 7);
        let (before, grads) = (model.optimizer.stats().unwrap(), gradient::<T>(DIM, 50));
        for depth in 0..5 {
            let optimizer = &mut model.optimizer;
            optimizer.begin().unwrap();
            if depth >= 1 {
                optimizer.feed(0, &grads[..600]).unwrap();
            }
            if depth >= 2 {
                optimizer.feed(600, &grads[600..]).unwrap();
            }
            if depth >= 3 {
                optimizer.partials().unwrap();
            }
            if depth >= 4 {
                optimizer.solve().unwrap();
                assert_eq!(optimizer.stats().unwrap().steps, before.steps + 1, "stats tell of the step under way");
            }
            optimizer.cancel().unwrap();
            assert_eq!(optimizer.stats().unwrap(), before);
        }
        assert_twins(model, twin, &format!("{config:?}"));
    }
}

#[test]
fn dropped_steps_change_nothing() {
    dropped_steps::<f32>();
    dropped_steps::<f64>();
}

#[test]
fn wrong_lengths() {
    for config in every_kind_and_format::<f32>() {
        let [mut model, twin] = twins::<f32>(&config, 7);
        let grads = gradient::<f32>(DIM + 1, 50);
        let mismatch = |result: Result<(), Error>| {
            let error = result.unwrap_err();
            assert!(matches!(error, Error::DimensionMismatch { .. }), "{error}");
        };
        let Model { optimizer, params } = &mut model;
        mismatch(optimizer.step(params, &grads));
        mismatch(optimizer.step(&mut params[1..], &grads[..DIM]));
        mismatch(optimizer.step(&mut [], &[]));
        mismatch(optimizer.direction(&mut params.clone()[..DIM - 1], &grads[..DIM]));
        mismatch(optimizer.step_tensors(&mut [params], &[&grads]));
        mismatch(optimizer.step_tensors(&mut [params], &[]));
        mismatch(optimizer.step_tensors(&mut [params], &[&grads[..5], &grads[5..DIM]]));
        mismatch(optimizer.step_tensors(&mut [&mut params[..DIM - 1]], &[&grads[..DIM - 1]]));
        assert_twins(model, twin, &format!("{config:?}"));
    }
}

/// Every call in a wrong phase, and bad pieces.
#[test]
fn calls_out_of_place() {
    for config in every_kind_and_format::<f32>() {
        let [mut model, mut twin] = twins::<f32>(&config, 7);
        let grads = gradient::<f32>(DIM, 50);
        let mut state = model.state();
        let Model { optimizer, params } = &mut model;
        expect_wrong_phase(optimizer.feed(0, &grads));
        expect_wrong_phase(optimizer.partials().map(|_| ()));
        expect_wrong_phase(optimizer.solve());
        expect_wrong_phase(optimizer.apply(0, params, &grads));
        expect_wrong_phase(optimizer.end());
        expect_wrong_phase(optimizer.cancel());

        let closed = |optimizer: &mut Optimizer<f32>, params: &mut [f32], state: &mut [u8]| {
            expect_wrong_phase(optimizer.begin());
            expect_wrong_phase(optimizer.step(params, &grads));
            expect_wrong_phase(optimizer.step_tensors(&mut [params], &[&grads]));
            expect_wrong_phase(optimizer.direction(params, &grads));
            expect_wrong_phase(optimizer.set_lr(0.5));
            expect_wrong_phase(optimizer.state_save(state));
            expect_wrong_phase(optimizer.state_load(state));
        };
        let misfit = |result: Result<(), Error>| {
            let error = result.unwrap_err();
            assert!(matches!(error, Error::InvalidArgument { .. }), "{error}");
        };
        optimizer.begin().unwrap();
        closed(optimizer, params, &mut state);
        optimizer.feed(10, &grads[10..20]).unwrap();
        misfit(optimizer.feed(0, &grads[..11]));
        misfit(optimizer.feed(19, &grads[19..21]));
        misfit(optimizer.feed(12, &grads[12..13]));
        misfit(optimizer.feed(DIM, &grads[..1]));
        misfit(optimizer.feed(usize::MAX, &grads[..2]));
        optimizer.feed(15, &[]).unwrap();
        expect_wrong_phase(optimizer.partials().map(|_| ()));
        expect_wrong_phase(optimizer.solve());
        expect_wrong_phase(optimizer.apply(0, params, &grads));
        optimizer.feed(0, &grads[..10]).unwrap();
        optimizer.feed(20, &grads[20..]).unwrap();
        let sums = optimizer.partials().unwrap().to_vec();
        assert!(optimizer.partials().unwrap() == &sums[..], "a second call gives the same");
        closed(optimizer, params, &mut state);
        expect_wrong_phase(optimizer.feed(0, &[]));
        expect_wrong_phase(optimizer.end());
        optimizer.solve().unwrap();
        closed(optimizer, params, &mut state);
        expect_wrong_phase(optimizer.solve());
        expect_wrong_phase(optimizer.partials().map(|_| ()));
        expect_wrong_phase(optimizer.feed(0, &[]));
        expect_wrong_phase(optimizer.end());
        optimizer.apply(100, &mut params[100..200], &grads[100..200]).unwrap();
        misfit(optimizer.apply(0, &mut params[..101], &grads[..101]));
        misfit(optimizer.apply(DIM - 1, &mut params[..2], &grads[..2]));
        let short = optimizer.apply(0, &mut params[..100], &grads[..99]);
        assert!(matches!(short, Err(Error::DimensionMismatch { .. })), "{short:?}");
        expect_wrong_phase(optimizer.cancel());
        expect_wrong_phase(optimizer.end());
        closed(optimizer, params, &mut state);
        optimizer.apply(0, &mut params[..100], &grads[..100]).unwrap();
        optimizer.apply(200, &mut params[200..], &grads[200..]).unwrap();
        optimizer.end().unwrap();

        // The twin takes the same step in pieces, without the refused calls.
        let Model { optimizer, params } = &mut twin;
        optimizer.begin().unwrap();
        for piece in [10..20, 0..10, 20..DIM] {
            optimizer.feed(piece.start, &grads[piece]).unwrap();
        }
        optimizer.solve().unwrap();
        optimizer.apply(0, params, &grads).unwrap();
        optimizer.end().unwrap();
        assert_twins(model, twin, &format!("{config:?}"));
    }
}

/// Sums that no processes at this step can have, and sums that overflow.
#[test]
fn partials_that_are_no_sums() {
    for config in every_kind_and_format::<f32>() {
        let [mut model, twin] = twins::<f32>(&config, 7);
        let grads = gradient::<f32>(DIM, 50);
        let optimizer = &mut model.optimizer;
        let mut solve = |spoil: &dyn Fn(&mut [f64])| {
            optimizer.begin().unwrap();
            optimizer.feed(0, &grads).unwrap();
            spoil(optimizer.partials().unwrap());
            let result = optimizer.solve();
            optimizer.cancel().unwrap();
            result
        };
        solve(&|_| {}).unwrap();
        // The last two partials of each block: 1 and the step number.
        for spoil in [
            &(|sums: &mut [f64]| *sums.last_mut().unwrap() += 1.0) as &dyn Fn(&mut [f64]),
            &|sums| *sums.last_mut().unwrap() = f64::NAN,
            &|sums| sums[sums.len() - 2] = 0.0,
            &|sums| sums[sums.len() - 2] = 2.0,
            &|sums| sums[sums.len() - 2] = 0.5,
            &|sums| sums[sums.len() - 2] = f64::NAN,
            // Before them the hash of the options: two halves, and the sum of their squares.
            &|sums| sums[sums.len() - 3] += 1.0,
            &|sums| sums[sums.len() - 3] = f64::INFINITY,
            &|sums| sums[sums.len() - 4] += 1.0,
            &|sums| sums[sums.len() - 5] = f64::NAN,
            &|sums| sums.iter_mut().rev().skip(2).take(3).for_each(|sum| *sum = f64::MAX),
        ] {
            let error = solve(spoil).unwrap_err();
            assert!(matches!(error, Error::InvalidArgument { .. }), "{error}");
        }
        for spoil in [
            &(|sums: &mut [f64]| sums[0] = f64::NAN) as &dyn Fn(&mut [f64]),
            &|sums| sums[0] = f64::INFINITY,
            &|sums| sums[sums.len() - 13] = 1.0,
        ] {
            let error = solve(spoil).unwrap_err();
            assert!(matches!(error, Error::NonFinite { .. }), "{error}");
        }
        assert_twins(model, twin, &format!("{config:?}"));
    }
}

/// Compressed formats exist for f32 only.
#[test]
fn f64_takes_whole_gradients_only() {
    for history_format in COMPRESSED {
        let config = Config::default().with_history_format(history_format);
        Optimizer::<f32>::new(&config, &[3]).unwrap();
        let error = Optimizer::<f64>::new(&config, &[3]).map(|_| ()).unwrap_err();
        let Error::InvalidArgument { argument: Argument { name, index: None, .. }, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(name, "config.history_format");
        assert!(error.to_string().contains("config.history_format"), "{error}");
    }
}
