//! C's `bool`. The header generator does not read this file and prints the name as `bool`.

/// A C `bool` as a byte. A caller may pass any byte, so the value is checked before use.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a C bool does not grow")]
pub struct CBool(pub u8);
