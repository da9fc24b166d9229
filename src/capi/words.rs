//! Error messages for C programs. The core's errors name methods, arguments and values of the Rust interface; this file
//! replaces them by those of `lmada.h`.

use crate::config::FULL_WITH_F64;
use crate::error::{Argument, Error, Value};
use crate::optimizer::{BUFFER_LENGTH, SAME_OPTION, STATES, SUM_OF_LENGTHS};

/// Names of arguments, and texts after "expected", that differ: Rust's, then C's.
const TEXTS: [(&str, &str); 5] = [
    (BUFFER_LENGTH, "bytes"),
    (STATES, "count"),
    (SUM_OF_LENGTHS, "the sum of lens"),
    (SAME_OPTION, "a state of this handle's option"),
    (FULL_WITH_F64, "LMADA_HISTORY_FULL (0) with LMADA_F64: the others store 32-bit numbers"),
];

/// Each method that returns [`Error::WrongPhase`], and its C function.
macro_rules! functions {
    ($($method:ident)*) => { [$((stringify!($method), concat!("lmada_", stringify!($method)))),*] };
}
const FUNCTIONS: [(&str, &str); 24] = functions!(
    step direction begin feed partials solve apply apply_direction end cancel set_lr state_save state_load
    state_load_shares step_bf16 apply_bf16 set_config set_grad_scale set_groups observe precondition averaged_params
    state_write release
);

/// Returns the error with the names of the C interface.
pub(super) fn in_c(error: Error) -> Error {
    match error {
        Error::InvalidArgument { argument, value, expected } => {
            let value = match value {
                Value::Variant(_, number) => Value::Integer(number.into()),
                other => other,
            };
            Error::InvalidArgument { argument: named(argument), value, expected: find(&TEXTS, expected) }
        }
        Error::DimensionMismatch { argument, found, expected } => {
            Error::DimensionMismatch { argument: named(argument), found, expected }
        }
        Error::WrongPhase { call, reason } => Error::WrongPhase { call: find(&FUNCTIONS, call), reason },
        other => other,
    }
}

fn named(argument: Argument) -> Argument {
    Argument { name: find(&TEXTS, argument.name), ..argument }
}

/// Returns the C text for the Rust `text`; `text` itself if no pair has it.
fn find(pairs: &[(&'static str, &'static str)], text: &'static str) -> &'static str {
    pairs.iter().find(|(rust, _)| *rust == text).map_or(text, |&(_, c)| c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clip, Config, Dtype, HistoryFormat, Optimizer};

    fn said(error: Error) -> (String, String) {
        (error.to_string(), in_c(error).to_string())
    }

    #[test]
    fn each_interface_gets_its_own_names() {
        let formats = Config { dtype: Dtype::F64, history_format: HistoryFormat::Int8, ..Config::default() };
        let (rust, c) = said(formats.validate().unwrap_err());
        let its = "config.history_format is HistoryFormat::Int8: expected HistoryFormat::Full with f64";
        assert!(rust.starts_with(its), "{rust}");
        assert!(c.starts_with("config.history_format is 3: expected LMADA_HISTORY_FULL (0) with LMADA_F64"), "{c}");

        let clips = Config { clip_kind: Clip::EmaVector, diagonal_beta: 0.9, ..Config::default() };
        let (rust, c) = said(clips.validate().unwrap_err());
        assert!(rust.starts_with("config.clip_kind is Clip::EmaVector: "), "{rust}");
        assert!(c.starts_with("config.clip_kind is 4: "), "{c}");

        let mut optimizer = Optimizer::<f32>::new(&Config { threads: 1, ..Config::default() }, &[3]).unwrap();
        let (rust, c) = said(optimizer.state_save(&mut [0; 3]).unwrap_err());
        assert!(rust.starts_with("the length of buffer is 3: "), "{rust}");
        assert!(c.starts_with("bytes is 3: "), "{c}");

        let (rust, c) = said(optimizer.end().unwrap_err());
        assert_eq!(rust, "end cannot be called now: no step is open");
        assert_eq!(c, "lmada_end cannot be called now: no step is open");
    }
}
