//! The memory of this process, from the C library and Linux.

/// The memory use at one moment, or a difference of two.
#[derive(Clone, Copy)]
pub struct Usage {
    /// Bytes allocated by `malloc`. Freed memory may stay mapped and hide a leak from the other numbers.
    pub allocated: i64,
    /// Bytes of address space, which directly mapped memory adds to, as that of large models.
    pub mapped: i64,
    /// Bytes of resident memory.
    pub resident: i64,
    /// Number of mappings.
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

    /// Returns the growth since `earlier`.
    fn since(self, earlier: Self) -> Self {
        Self {
            // The difference is right even if the numbers wrapped around.
            allocated: (self.allocated as i32).wrapping_sub(earlier.allocated as i32).into(),
            mapped: self.mapped - earlier.mapped,
            resident: self.resident - earlier.resident,
            mappings: self.mappings - earlier.mappings,
        }
    }
}

/// Number of stretches of a run that are compared.
const STRETCHES: u64 = 8;
/// Number of stretches that must grow for a leak.
const GROWING: usize = 6;
/// Smallest growth in a stretch that counts: bytes, pages (above random variation), a mapping. Memory taken once, as a
/// heap of the C library when threads meet or a huge page that fills up, shows in one or two stretches.
const COUNTING: Usage = Usage { allocated: 4 << 10, mapped: 16 << 10, resident: 16 << 10, mappings: 1 };

/// Memory over a run, measured between stretches of equal length. The check looks for a trend: a fixed bound that
/// allows for a busy machine would also allow leaks.
pub struct Watch {
    /// Number of rounds before the first stretch and before the end of the last.
    begin: u64,
    end: u64,
    looks: Vec<Usage>,
}

impl Watch {
    /// Watches rounds `begin`, by which everything has been done once, to `end`.
    pub fn new(begin: u64, end: u64) -> Self {
        assert!(begin < end);
        Self { begin, end, looks: Vec::with_capacity(STRETCHES as usize + 1) }
    }

    /// Called after each round with the number of rounds so far.
    pub fn look_after(&mut self, round: u64) {
        let next = self.begin + (self.end - self.begin) * self.looks.len() as u64 / STRETCHES;
        if self.looks.len() <= STRETCHES as usize && round >= next {
            self.looks.push(Usage::now());
        }
    }

    /// Returns the growth from the beginning to the end, and a message if memory grew all the time.
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

/// Returns the bytes in use by `malloc`, in heaps and mapped, modulo 2³².
#[cfg(target_env = "gnu")]
fn allocated() -> i32 {
    // SAFETY: it only reads the allocator's counters, under their locks.
    let info = unsafe { libc::mallinfo() };
    info.uordblks.wrapping_add(info.hblkhd)
}

/// Other C libraries do not tell this number.
#[cfg(not(target_env = "gnu"))]
fn allocated() -> i32 {
    0
}
