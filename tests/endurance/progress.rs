//! Progress on stderr: a line that is redrawn on a terminal, or a line now and then elsewhere.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

pub struct Progress {
    terminal: bool,
    last: Instant,
}

impl Progress {
    pub fn new() -> Self {
        Self { terminal: stderr().is_terminal(), last: Instant::now() }
    }

    pub fn tell(&mut self, name: &str, done: u64, total: u64) {
        let pause = Duration::from_millis(if self.terminal { 200 } else { 30_000 });
        // Reading the clock takes longer than a small step.
        if !done.is_multiple_of((total / 4096).max(1)) || self.last.elapsed() < pause {
            return;
        }
        self.last = Instant::now();
        let (start, end) = if self.terminal { ("\r", "\x1b[K") } else { ("", "\n") };
        eprint!("{start}{:3} % of {total}: {name}{end}", done * 100 / total);
        // Errors of printing are ignored.
        let _ = stderr().flush();
    }

    /// Clears the line.
    pub fn wipe(&self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}
