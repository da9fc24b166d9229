//! The C boundary: handles, statuses, panics, pointers, messages. No maths.
//!
//! Every exported function is a few lines inside `guard`: turn pointers into slices (`pointers`), then call the
//! optimizer. The header is generated from these files: C programmers read the doc comments of this folder.

mod bf16;
mod boolean;
mod config;
mod create;
#[cfg(test)]
mod defects;
mod guard;
mod handle;
mod hold;
mod info;
mod lock;
mod message;
mod options;
mod panics;
mod phases;
mod pointers;
mod precondition;
mod state;
mod step;
mod stream;
mod types;
mod words;

pub use bf16::*;
pub use boolean::CBool;
pub use config::*;
pub use create::*;
pub use handle::lmada_t;
pub use hold::*;
pub use info::*;
pub use options::*;
pub use phases::*;
pub use precondition::*;
pub use state::*;
pub use step::*;
pub use stream::*;
pub use types::*;
