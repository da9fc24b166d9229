//! What the fuzz targets do with an input. Each drives the functions of the C interface, so that the boundary is what
//! is tested, and knows what they have to answer.
//!
//! - [`state`]: bytes that claim to be a saved state.
//! - [`calls`]: a sequence of calls on a handle, next to the update rule done the long way.
//! - [`config`]: bytes that claim to be an `lmada_config_t`.

pub mod calls;
pub mod config;
pub mod coverage;
mod form;
pub mod handle;
pub mod input;
pub mod options;
pub mod state;

#[path = "../../tests/oracle/mod.rs"]
mod oracle;
