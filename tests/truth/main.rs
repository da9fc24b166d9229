//! The library against independent truths: a float64 SVD of the stored gradients (`oracle`), dense references,
//! properties. One program, so that shared code is compiled once.

#[path = "../common/mod.rs"]
mod common;
#[path = "../oracle/mod.rs"]
mod oracle;
#[path = "../settings/mod.rs"]
mod settings;

mod config;
mod diagonal;
mod formats;
mod groups;
mod in_flight;
mod long;
mod norms;
mod options;
mod references;
mod refusals;
mod sizes;
mod sparse;
mod states;
mod stats;
mod stored;
mod the_oracle;
mod units;
mod weights;
