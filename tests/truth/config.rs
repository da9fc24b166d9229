//! The range of every option: the last value inside, the first outside, and NaN.

use lmada::{Argument, Config, Dtype, Error, HistoryFormat, Momentum, Optimizer};

type Set = fn(&mut Config, f64);

/// Valid and invalid values.
type GoodAndBad = (Vec<f64>, Vec<f64>);

/// Name, setter, values just inside, finite values just outside.
fn reals() -> Vec<(&'static str, Set, Vec<f64>, Vec<f64>)> {
    let below_one = 1.0 - f64::EPSILON / 2.0;
    let above_one = 1.0 + f64::EPSILON;
    let least = f64::from_bits(1);
    let not_negative = || (vec![0.0, -0.0, least, 1.0, f64::MAX], vec![-least, -1.0, f64::MIN]);
    let to_one = || (vec![least, 0.5, 1.0], vec![0.0, -0.0, -least, above_one, 2.0]);
    let under_one = || (vec![0.0, -0.0, least, below_one], vec![-least, 1.0, above_one]);
    let table: Vec<(&str, Set, GoodAndBad)> = vec![
        ("config.density", |c, x| c.density = x, to_one()),
        ("config.lr", |c, x| c.lr = x, not_negative()),
        ("config.eps", |c, x| c.eps = x, not_negative()),
        ("config.eps_relative", |c, x| c.eps_relative = x, not_negative()),
        ("config.power", |c, x| c.power = x, to_one()),
        ("config.rank_tol", |c, x| c.rank_tol = x, under_one()),
        ("config.history_decay", |c, x| c.history_decay = x, to_one()),
        ("config.orthogonal_scale", |c, x| c.orthogonal_scale = x, not_negative()),
        ("config.momentum", |c, x| c.momentum = x, under_one()),
        ("config.clip_norm", |c, x| c.clip_norm = x, not_negative()),
        ("config.clip_factor", |c, x| c.clip_factor = x, not_negative()),
        ("config.clip_beta", |c, x| c.clip_beta = x, under_one()),
        ("config.weight_decay", |c, x| c.weight_decay = x, not_negative()),
        ("config.diagonal_beta", |c, x| c.diagonal_beta = x, under_one()),
        ("config.diagonal_eps", |c, x| c.diagonal_eps = x, (vec![least, 1.0, f64::MAX], vec![0.0, -0.0, -least])),
        ("config.grad_scale", |c, x| c.grad_scale = x, not_negative()),
        ("config.grad_clip_norm", |c, x| c.grad_clip_norm = x, not_negative()),
        ("config.average_beta", |c, x| c.average_beta = x, under_one()),
    ];
    table.into_iter().map(|(name, set, (good, bad))| (name, set, good, bad)).collect()
}

/// Returns the argument at fault of a configuration, which `validate` and both constructors have to agree on.
fn refused_for(config: &Config) -> Option<&'static str> {
    let name = |result: Result<(), Error>| match result {
        Ok(()) => None,
        Err(Error::InvalidArgument { argument: Argument { name, index: None, .. }, .. }) => Some(name),
        Err(other) => panic!("{other:?} for {config:?}"),
    };
    let found = name(config.validate());
    assert_eq!(found, name(Optimizer::<f32>::new(config, &[3]).map(|_| ())), "{config:?}");
    let compressed = config.history_format != HistoryFormat::Full;
    let wide = found.or(compressed.then_some("config.history_format"));
    assert_eq!(wide, name(Optimizer::<f64>::new(config, &[3]).map(|_| ())), "{config:?}");
    found
}

#[test]
fn reals_within_their_bounds_only() {
    for (name, set, good, bad) in reals() {
        let with = |x: f64| {
            let mut config = Config::default();
            set(&mut config, x);
            if name == "config.weight_decay" {
                config.lr = 0.0; // another test checks their product
            }
            refused_for(&config)
        };
        for x in good {
            assert_eq!(with(x), None, "{name} = {x:e}");
        }
        for x in bad.into_iter().chain([f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY]) {
            assert_eq!(with(x), Some(name), "{name} = {x:e}");
        }
    }
}

#[test]
fn history_sizes_from_1_to_4096() {
    for (history_size, good) in [(0, false), (1, true), (2, true), (4096, true), (4097, false), (u32::MAX, false)] {
        let config = Config::default().with_history_size(history_size);
        assert_eq!(config.validate().is_ok(), good, "{history_size}");
        if !good {
            assert_eq!(refused_for(&config), Some("config.history_size"));
        }
    }
    assert_eq!(Config::MAX_HISTORY, 4096);
}

#[test]
fn weight_decay_takes_at_most_all_of_a_parameter() {
    let with = |lr, weight_decay| refused_for(&Config::default().with_lr(lr).with_weight_decay(weight_decay));
    for (lr, weight_decay) in [(0.1, 10.0), (1.0, 1.0), (0.0, f64::MAX), (f64::MAX, 0.0), (1e-3, 1e3)] {
        assert_eq!(with(lr, weight_decay), None, "{lr:e}, {weight_decay:e}");
    }
    for (lr, weight_decay) in [(1.0, 1.0 + f64::EPSILON), (1.0, 1e40), (1e40, 0.1), (f64::MAX, f64::MAX)] {
        assert_eq!(with(lr, weight_decay), Some("config.weight_decay"), "{lr:e}, {weight_decay:e}");
    }
}

/// The coefficients `(β/history_decay)^age` of window momentum would grow with age. Other kinds allow it.
#[test]
fn window_momentum_decays_at_least_as_fast_as_the_window() {
    let with = |momentum_kind, history_decay, momentum| {
        refused_for(
            &Config::default()
                .with_momentum_kind(momentum_kind)
                .with_history_decay(history_decay)
                .with_momentum(momentum),
        )
    };
    assert_eq!(with(Momentum::Window, 0.9, 0.9), None);
    assert_eq!(with(Momentum::Window, 0.9 + f64::EPSILON, 0.9), None);
    assert_eq!(with(Momentum::Window, 0.9 - f64::EPSILON, 0.9), Some("config.history_decay"));
    assert_eq!(with(Momentum::Window, 0.5, 0.9), Some("config.history_decay"));
    for kind in [Momentum::None, Momentum::Gradient, Momentum::Update] {
        assert_eq!(with(kind, 0.5, 0.9), None, "{kind:?}");
    }
}

/// f32 allows every format; `refused_for` checks that f64 allows only the full one.
#[test]
fn formats() {
    use HistoryFormat::{Bf16, F16, Full, Int8, Sparse};
    for history_format in [Full, Bf16, F16, Int8, Sparse] {
        let config = Config::default().with_history_format(history_format);
        assert_eq!(refused_for(&config), None, "{history_format:?}");
        assert_eq!(refused_for(&config.with_density(0.0)), Some("config.density"), "{history_format:?}");
    }
}

#[test]
fn defaults_and_the_recommended_setting_are_valid() {
    assert_eq!(refused_for(&Config::default()), None);
    assert_eq!(refused_for(&Config::recommended()), None);
    assert_eq!(refused_for(&Config::recommended_in_plain_coordinates()), None);
    // The type parameter decides; the option is for the C interface.
    assert_eq!(refused_for(&Config::default().with_dtype(Dtype::F64)), None);
}

#[test]
fn learning_rates_set_later_are_held_to_the_same_bounds() {
    let mut optimizer = Optimizer::<f32>::new(&Config::default(), &[2]).unwrap();
    for lr in [-f64::from_bits(1), -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = optimizer.set_lr(lr).unwrap_err();
        assert!(matches!(error, Error::InvalidArgument { argument: Argument { name: "lr", .. }, .. }), "{lr}: {error}");
        assert_eq!(optimizer.config().lr, Config::default().lr);
    }
    for lr in [0.0, 1e-300, 3.0, f64::MAX] {
        optimizer.set_lr(lr).unwrap();
        assert_eq!(optimizer.config().lr, lr);
    }
}

#[test]
fn blocks_may_be_empty_but_not_none() {
    assert!(matches!(Optimizer::<f32>::new(&Config::default(), &[]), Err(Error::InvalidArgument { .. })));
    let mut optimizer = Optimizer::<f32>::new(&Config::default(), &[0, 0]).unwrap();
    assert_eq!(optimizer.dim(), 0);
    optimizer.step(&mut [], &[]).unwrap();
    let huge = Optimizer::<f32>::new(&Config::default(), &[usize::MAX, 2]);
    assert!(matches!(huge, Err(Error::OutOfMemory { .. })));
    let huge = Optimizer::<f64>::new(&Config::default(), &[usize::MAX / 16]);
    assert!(matches!(huge, Err(Error::OutOfMemory { .. })));
}
