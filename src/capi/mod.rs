//! The C boundary: handles, statuses, panics, pointers, words. No maths.
//!
//! Every exported function is a few lines: turn pointers into slices (`pointers`), call the optimizer, all inside
//! `guard`, which turns errors and panics into statuses. The header is generated from these files; what stands in a
//! doc comment here is what a C programmer reads.

mod bf16;
mod boolean;
mod config;
mod create;
#[cfg(test)]
mod defects;
mod guard;
mod hold;
mod info;
mod lock;
mod message;
mod options;
mod own_rule;
mod panics;
mod phases;
mod pointers;
mod state;
mod step;
mod stream;
mod types;
mod words;

pub use bf16::*;
pub use boolean::CBool;
pub use config::*;
pub use create::*;
pub use guard::lmada_t;
pub use hold::*;
pub use info::*;
pub use options::*;
pub use own_rule::*;
pub use phases::*;
pub use state::*;
pub use step::*;
pub use stream::*;
pub use types::*;
