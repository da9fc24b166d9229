//! Endurance: many steps, with other calls in between. Memory does not grow, the Gram matrix stays that of the stored
//! columns, and all numbers stay finite.
//!
//! `cargo test` runs the short form, `make soak` (`cargo test --release --test endurance -- --long`) the long form.
//! This is a separate program because it measures its own memory. It prints a table, and panics at the first flaw.

mod examine;
mod flaws;
mod gradients;
mod handles;
mod memory;
#[path = "../oracle/mod.rs"]
mod oracle;
mod progress;
mod run;

use lmada::{Clip, Config, Dtype, HistoryFormat, Momentum};
use memory::Usage;
use progress::Progress;
use run::{Plan, Report};
use std::time::Instant;

/// More than one group of 256, less than two.
const DIM: &[usize] = &[300];
const BLOCKS: &[usize] = &[100, 0, 257, 43];
const LONG_BLOCKS: &[usize] = &[5000, 4096, 3];
const WORTH_TWO_THREADS: &[usize] = &[200_000];
const MILLION: &[usize] = &[1_000_000];

/// Runs on small models.
fn small(long: bool) -> Vec<Plan> {
    let plan = |name, config: Config, dims| Plan {
        name,
        config: config.with_threads(1),
        dims,
        pieces: false,
        steps: if long { 1_000_000 } else { 10_000 },
        pace: if long { 500 } else { 100 },
        examined_every: if long { 1000 } else { 100 },
    };
    let full = Config::default();
    let format = |history_format| full.with_history_format(history_format).with_density(0.05);
    let (bf16, f16) = (format(HistoryFormat::Bf16), format(HistoryFormat::F16));
    let (int8, sparse) = (format(HistoryFormat::Int8), format(HistoryFormat::Sparse));
    let f64 = full.with_dtype(Dtype::F64);
    let gradient = full.with_momentum_kind(Momentum::Gradient).with_clip_kind(Clip::EmaVector);
    let update = full.with_momentum_kind(Momentum::Update).with_clip_kind(Clip::GraftEmaNorm).with_weight_decay(0.1);
    let window = f64.with_momentum_kind(Momentum::Window).with_history_decay(0.95).with_clip_kind(Clip::EmaNorm);
    let tenth = |plan: Plan| Plan { steps: plan.steps / 10, pace: 100, examined_every: 100, ..plan };
    let in_pieces = |plan| Plan { pieces: true, ..plan };
    vec![
        plan("f32", full, DIM),
        plan("f64", f64, DIM),
        plan("bf16", bf16, DIM),
        plan("f16", f16, DIM),
        plan("int8", int8, DIM),
        plan("sparse", sparse, DIM),
        plan("f32, gradient momentum, clipped, blocks", gradient, BLOCKS),
        plan("f32, k = 1", full.with_history_size(1), DIM),
        in_pieces(plan("f32, update momentum, grafted, pieces", update, DIM)),
        in_pieces(plan("f64, window momentum, blocks, pieces", window, BLOCKS)),
        in_pieces(plan("int8, update momentum, blocks, pieces", merge(update, int8).with_eps(0.0), BLOCKS)),
        tenth(plan("f64, centered, k = 40", f64.with_centered(true).with_history_size(40), DIM)),
        tenth(in_pieces(plan("sparse, gradient momentum, blocks, pieces", merge(gradient, sparse), LONG_BLOCKS))),
    ]
}

/// Returns these options with another format.
fn merge(options: Config, format: Config) -> Config {
    options.with_history_format(format.history_format).with_density(format.density)
}

/// Runs on models whose steps are bounded by memory.
fn large(long: bool) -> Vec<Plan> {
    let plan = |name, config: Config, dims, steps: u64| Plan {
        name,
        config: config.with_threads(1),
        dims,
        pieces: false,
        steps: if long { steps } else { 60 },
        pace: if long { 200 } else { 20 },
        examined_every: if long { steps / 20 } else { 20 },
    };
    let on_two_threads = |plan: Plan| Plan { config: plan.config.with_threads(2), ..plan };
    let full = Config::default();
    let mut plans = vec![
        on_two_threads(plan("f32, 200,000 on two threads", full, WORTH_TWO_THREADS, 5000)),
        on_two_threads(Plan { pieces: true, ..plan("f32, the same in pieces", full, WORTH_TWO_THREADS, 5000) }),
    ];
    if long {
        let format = |history_format| full.with_history_format(history_format);
        plans.extend([
            plan("f32, a million", full, MILLION, 10_000),
            plan("f64, a million", full.with_dtype(Dtype::F64), MILLION, 1000),
            plan("bf16, a million", format(HistoryFormat::Bf16), MILLION, 1000),
            plan("f16, a million", format(HistoryFormat::F16), MILLION, 1000),
            plan("int8, a million", format(HistoryFormat::Int8), MILLION, 1000),
            plan("sparse, a million", format(HistoryFormat::Sparse), MILLION, 1000),
        ]);
    }
    plans
}

/// Prints growth in KiB, and mappings.
fn growth(usage: Usage) -> String {
    let Usage { allocated, mapped, resident, mappings } = usage;
    format!("{:>9} | {:>6} | {:>8} | {mappings:>8}", allocated >> 10, mapped >> 10, resident >> 10)
}

fn main() {
    // Other arguments are filters of test names.
    let long = std::env::args().any(|argument| argument == "--long");
    flaws::are_seen();
    let mut progress = Progress::new();
    println!(
        "| {:41} |     steps | refused | loaded | resets | cancelled | written | compared | worst error | allocated | \
         mapped | resident | mappings | seconds |",
        ""
    );
    println!("| --- |{}", " ---: |".repeat(13));
    for plan in small(long).into_iter().chain(large(long)) {
        let start = Instant::now();
        let Report { counts, examined, worst, growth: grown } = match plan.config.dtype {
            Dtype::F32 => run::run::<f32>(&plan, &mut progress),
            Dtype::F64 => run::run::<f64>(&plan, &mut progress),
            other => unreachable!("{other:?} is not known here"),
        };
        progress.wipe();
        println!(
            "| {:41} | {:>9} | {:>7} | {:>6} | {:>6} | {:>9} | {:>7} | {examined:>8} | {worst:>11.1e} | {} | {:>7.1} |",
            plan.name,
            plan.steps,
            counts.refused,
            counts.loads,
            counts.resets,
            counts.cancelled,
            counts.directions,
            growth(grown),
            start.elapsed().as_secs_f64()
        );
    }
    let (start, handles) = (Instant::now(), if long { 100_000 } else { 2000 });
    let (grown, refused) = handles::run(handles, &mut progress);
    progress.wipe();
    println!(
        "| {:41} | {handles:>9} | {refused:>7} | {:>6} | {:>6} | {:>9} | {:>7} | {:>8} | {:>11} | {} | {:>7.1} |",
        "handles made and freed",
        "",
        "",
        "",
        "",
        "",
        "",
        growth(grown),
        start.elapsed().as_secs_f64()
    );
}
