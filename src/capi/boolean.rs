//! `bool` as C has it. The header generator does not read this file and prints the name as `bool`.

/// A C `bool` as the byte it is: any byte may arrive here, so it is checked before it is believed.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a C bool does not grow")]
pub struct CBool(pub u8);
