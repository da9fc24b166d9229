//! What this process takes of memory, as the C library and Linux tell it.

/// A moment's use, or how it differs from another.
#[derive(Clone, Copy)]
pub struct Usage {
    /// Bytes that `malloc` has handed out. What was given back may stay mapped and hide a leak from the others.
    pub allocated: i64,
    /// Bytes of address space: what is mapped directly, as that of all large models.
    pub mapped: i64,
    /// Bytes of it that are in memory.
    pub resident: i64,
    /// Pieces of it.
    pub mappings: i64,
}

impl Usage {
    /// The fields, with their names.
    fn parts(&self) -> [(&'static str, i64); 4] {
        let Self { allocated, mapped, resident, mappings } = *self;
        [("allocated", allocated), ("mapped", mapped), ("resident", resident), ("mappings", mappings)]
    }

    pub fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
        let kilobytes = |name: &str| -> i64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of its status");
            line.trim_start_matches(':').trim_end_matches("kB").trim().parse().expect("a number")
        };
        let mappings = std::fs::read("/proc/self/maps").expect("Linux").iter().filter(|&&byte| byte == b'\n').count();
        Self {
            allocated: allocated().into(),
            mapped: kilobytes("VmSize") << 10,
            resident: kilobytes("VmRSS") << 10,
            mappings: mappings as i64,
        }
    }

    /// How much more this is than `earlier`.
    fn since(self, earlier: Self) -> Self {
        Self {
            // The difference is right even where the numbers are too large for their type.
            allocated: (self.allocated as i32).wrapping_sub(earlier.allocated as i32).into(),
            mapped: self.mapped - earlier.mapped,
            resident: self.resident - earlier.resident,
            mappings: self.mappings - earlier.mappings,
        }
    }
}

/// Stretches of a run that are compared.
const STRETCHES: u64 = 8;
/// In so many of them what is lost all the time shows.
const GROWING: usize = 6;
/// Growth in a stretch that counts: bytes, pages that chance moves less of, a piece. What is taken once, as a heap of the
/// C library when threads meet, or a huge page that fills up, shows in one or two stretches.
const COUNTING: Usage = Usage { allocated: 4 << 10, mapped: 16 << 10, resident: 16 << 10, mappings: 1 };

/// Memory over a run, looked at between stretches of the same length. Growth is a trend: a bound would have to be wide
/// enough for what chance does on a busy machine, and so for leaks.
pub struct Watch {
    /// Rounds that the first stretch begins and the last one ends after.
    begin: u64,
    end: u64,
    looks: Vec<Usage>,
}

impl Watch {
    /// For rounds `begin`, by which all has been done once, to `end`.
    pub fn new(begin: u64, end: u64) -> Self {
        assert!(begin < end);
        Self { begin, end, looks: Vec::with_capacity(STRETCHES as usize + 1) }
    }

    /// Is told after each round how many are over.
    pub fn look_after(&mut self, round: u64) {
        let next = self.begin + (self.end - self.begin) * self.looks.len() as u64 / STRETCHES;
        if self.looks.len() <= STRETCHES as usize && round >= next {
            self.looks.push(Usage::now());
        }
    }

    /// How much more is used at the end than at the beginning; what to say of it where it became more all the time.
    pub fn growth(&self) -> Result<Usage, String> {
        assert_eq!(self.looks.len(), STRETCHES as usize + 1, "stretches of a round at least");
        let stretches: Vec<Usage> = self.looks.windows(2).map(|pair| pair[1].since(pair[0])).collect();
        for (index, (name, least)) in COUNTING.parts().into_iter().enumerate() {
            let growth: Vec<i64> = stretches.iter().map(|stretch| stretch.parts()[index].1).collect();
            if growth.iter().filter(|&&growth| growth >= least).count() >= GROWING {
                return Err(format!("memory grows all the time: {name}, by {growth:?}"));
            }
        }
        Ok(self.looks[STRETCHES as usize].since(self.looks[0]))
    }
}

/// Bytes in use, of the heaps and mapped by `malloc`, modulo 2³².
#[cfg(target_env = "gnu")]
fn allocated() -> i32 {
    // SAFETY: it only reads the allocator's books, under their locks.
    let info = unsafe { libc::mallinfo() };
    info.uordblks.wrapping_add(info.hblkhd)
}

/// Other C libraries do not tell.
#[cfg(not(target_env = "gnu"))]
fn allocated() -> i32 {
    0
}
