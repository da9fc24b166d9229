//! Error messages of the Rust interface name its methods, arguments and values, not those of the C interface.

use lmada::{Clip, Config, Error, HistoryFormat, Optimizer};

fn small(config: &Config) -> Optimizer<f32> {
    Optimizer::new(&config.with_threads(1), &[3, 2]).unwrap()
}

/// Every kind of refusal of the Rust interface.
fn refusals() -> Vec<(&'static str, Error)> {
    let config = Config::default();
    let (mut w, g) = ([0.0_f32; 5], [1.0_f32; 5]);
    let mut found = Vec::new();
    let mut keep = |what, result: lmada::Result<()>| found.push((what, result.expect_err(what)));

    for (what, config) in [
        ("history_size", config.with_history_size(0)),
        ("density", config.with_density(2.0)),
        ("lr", config.with_lr(-1.0)),
        ("eps", config.with_eps(f64::NAN)),
        ("centered", config.with_diagonal_beta(0.9).with_centered(true)),
        ("clip_kind", config.with_diagonal_beta(0.9).with_clip_kind(Clip::EmaVector)),
        ("clip_kind", config.with_diagonal_beta(0.9).with_clip_kind(Clip::GraftEmaVector)),
        ("history_decay", config.with_momentum_kind(lmada::Momentum::Window).with_history_decay(0.5)),
    ] {
        keep(what, Optimizer::<f32>::new(&config, &[3]).map(drop));
    }
    for format in [HistoryFormat::Bf16, HistoryFormat::F16, HistoryFormat::Int8, HistoryFormat::Sparse] {
        keep("history_format", Optimizer::<f64>::new(&config.with_history_format(format), &[3]).map(drop));
    }
    keep("dims", Optimizer::<f32>::new(&config, &[]).map(drop));
    keep("out of memory", Optimizer::<f32>::new(&config, &[usize::MAX / 2, usize::MAX]).map(drop));

    let mut optimizer = small(&config);
    keep("params", optimizer.step(&mut w[1..], &g));
    keep("grads", optimizer.step(&mut w, &g[1..]));
    keep("direction", optimizer.direction(&mut w[1..], &g));
    keep("grads", optimizer.step_tensors(&mut [&mut w[..2]], &[&g[..1], &g[1..]]));
    keep("grads", optimizer.step_tensors(&mut [&mut w[..2]], &[&g[..1]]));
    keep("grads", optimizer.step_tensors(&mut [&mut w[..2]], &[&g[..2]]));
    keep("gradient", optimizer.step(&mut w, &[f32::NAN; 5]));
    keep("gradient", optimizer.step(&mut w, &[f32::NAN, 1.0, 1.0, 1.0, 1.0]));
    keep("lr", optimizer.set_lr(f64::INFINITY));
    keep("buffer", optimizer.state_save(&mut [0; 7]));
    let mut state = vec![0; optimizer.state_size()];
    optimizer.state_save(&mut state).unwrap();
    keep("state", optimizer.state_load(&state[1..]));
    keep("states", optimizer.state_load_shares(&[0, 0], &[]));
    keep("firsts", optimizer.state_load_shares(&[0], &[&state]));
    keep("firsts", optimizer.state_load_shares(&[1, 1], &[&state]));
    keep("states", optimizer.state_load_shares(&[0, 0], &[&state[1..]]));
    for other in [
        config.with_history_size(4),
        config.with_history_format(HistoryFormat::F16),
        config.with_density(0.5),
        config.with_clip_kind(Clip::Norm),
        config.with_momentum_kind(lmada::Momentum::Update),
        config.with_diagonal_beta(0.9),
    ] {
        keep("state", small(&other).state_load(&state));
    }
    keep("state", Optimizer::<f64>::new(&config.with_threads(1), &[3, 2]).unwrap().state_load(&state));
    keep("state", Optimizer::<f32>::new(&config.with_threads(1), &[5]).unwrap().state_load(&state));

    for call in 0..8 {
        let mut optimizer = small(&config);
        let result = match call {
            0 => optimizer.feed(0, &g),
            1 => optimizer.partials().map(drop),
            2 => optimizer.solve(),
            3 => optimizer.apply(0, &mut w, &g),
            4 => optimizer.apply_direction(0, &mut w, &g),
            5 => optimizer.end(),
            6 => optimizer.cancel(),
            _ => {
                optimizer.begin().unwrap();
                optimizer.begin()
            }
        };
        let name = ["feed", "partials", "solve", "apply", "apply_direction", "end", "cancel", "begin"][call];
        keep(name, result);
    }
    let mut open = small(&config);
    open.begin().unwrap();
    keep("step", open.step(&mut w, &g));
    keep("direction", open.direction(&mut w, &g));
    keep("set_lr", open.set_lr(1.0));
    keep("state_save", open.state_save(&mut state.clone()));
    keep("state_load", open.state_load(&state));
    keep("state_load_shares", open.state_load_shares(&[0, 0], &[&state]));
    keep("offset", open.feed(4, &g));
    open.feed(0, &g[..2]).unwrap();
    keep("offset", open.feed(1, &g[..2]));
    keep("solve", open.solve());
    open.feed(2, &g[2..]).unwrap();
    open.partials().unwrap()[0] = f64::NAN;
    keep("partials or gradient", open.solve());
    found
}

#[test]
fn errors_speak_of_rust_names() {
    let refusals = refusals();
    assert!(refusals.len() > 50);
    for (what, error) in refusals {
        let text = error.to_string();
        for word in ["lmada_", "LMADA_", "NULL", "handle", "sum of lens", "struct"] {
            assert!(!text.contains(word), "{what}: {text}");
        }
        let about = matches!(what, "out of memory" | "gradient" | "partials or gradient" | "state" | "states");
        assert!(about || text.contains(what), "{what}: {text}");
    }
}

#[test]
fn values_of_enums_are_named() {
    let config = Config::default().with_history_format(HistoryFormat::Sparse);
    let text = Optimizer::<f64>::new(&config, &[3]).map(drop).unwrap_err().to_string();
    assert_eq!(
        text,
        "config.history_format is HistoryFormat::Sparse: expected HistoryFormat::Full with f64: the others store 32-bit \
         numbers"
    );
    let config = Config::default().with_diagonal_beta(0.9).with_clip_kind(Clip::GraftEmaVector);
    let text = Optimizer::<f32>::new(&config, &[3]).map(drop).unwrap_err().to_string();
    assert!(text.starts_with("config.clip_kind is Clip::GraftEmaVector: "), "{text}");
}
