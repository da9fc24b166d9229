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

/// Growth that is no leak: of what is given back, `malloc` keeps up to a quarter of this as if it were in use. Over a
/// million steps half a byte a step is more.
const SLACK: i64 = 512 << 10;
/// The heap grows ahead of its use, and huge pages fill up what was touched in part.
const SLACK_RESIDENT: i64 = 2 << 20;
const SLACK_MAPPINGS: i64 = 4;

impl Usage {
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

    /// How much more is used now; what to say of it where that is more than the slack.
    pub fn growth(self) -> Result<Self, String> {
        let now = Self::now();
        let growth = Self {
            // The difference is right even where the numbers are too large for their type.
            allocated: (now.allocated as i32).wrapping_sub(self.allocated as i32).into(),
            mapped: now.mapped - self.mapped,
            resident: now.resident - self.resident,
            mappings: now.mappings - self.mappings,
        };
        let Self { allocated, mapped, resident, mappings } = growth;
        if allocated > SLACK || mapped > SLACK || resident > SLACK_RESIDENT || mappings > SLACK_MAPPINGS {
            return Err(format!(
                "memory grew by {allocated} bytes allocated, {mapped} mapped, {resident} resident, {mappings} mappings"
            ));
        }
        Ok(growth)
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
