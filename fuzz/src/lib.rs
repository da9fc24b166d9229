//! The fuzz targets. Each calls the functions of the C interface, so that the boundary is tested, and knows their
//! expected results.
//!
//! - [`state`]: bytes that claim to be a saved state.
//! - [`calls`]: a sequence of calls on a handle, compared with the oracle of the truth tests.
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
