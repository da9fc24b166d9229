//! What this process takes of memory, as Linux tells it.

/// A moment's use.
#[derive(Clone, Copy)]
pub struct Usage {
    /// Bytes of address space: grows with the first leak that a page of the heap cannot hold.
    pub mapped: i64,
    /// Bytes of it that are in memory.
    pub resident: i64,
    /// Pieces of it.
    pub mappings: i64,
}

/// Growth that is no leak: the heap grows and shrinks by steps of 128 KiB, and huge pages fill up what was touched in
/// part. Over a million steps half a byte a step is more than this.
const SLACK: i64 = 512 << 10;
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
        Self { mapped: kilobytes("VmSize") << 10, resident: kilobytes("VmRSS") << 10, mappings: mappings as i64 }
    }

    /// How much more is used now. Panics where that is more than the slack.
    pub fn growth(self) -> Self {
        let now = Self::now();
        let growth = Self {
            mapped: now.mapped - self.mapped,
            resident: now.resident - self.resident,
            mappings: now.mappings - self.mappings,
        };
        assert!(
            growth.mapped <= SLACK && growth.resident <= SLACK_RESIDENT && growth.mappings <= SLACK_MAPPINGS,
            "memory grew by {} mapped bytes, {} resident ones, {} mappings",
            growth.mapped,
            growth.resident,
            growth.mappings
        );
        growth
    }
}
