//! Starting processes, breaking things under them, and writing down what was seen.

mod cgroup;
mod disk;
mod row;
mod tools;
mod torture;

pub use cgroup::MemoryLimit;
pub use disk::{Ext4, Tmpfs};
pub use row::{Seen, Skip, figure, is_full, row};
pub use tools::{FakeClock, Preload, Strace, run_tool};
pub use torture::{Ended, Running, Torture};

/// Waits a little before another look at something that cannot announce itself.
#[allow(clippy::disallowed_methods, reason = "another process is watched from outside")]
pub fn pause(time: std::time::Duration) {
    std::thread::sleep(time);
}

/// Looks until `condition` holds, at most for `limit`; says whether it came true.
pub fn eventually(limit: std::time::Duration, mut condition: impl FnMut() -> bool) -> bool {
    let began = std::time::Instant::now();
    loop {
        if condition() {
            return true;
        }
        if began.elapsed() > limit {
            return false;
        }
        pause(std::time::Duration::from_millis(1));
    }
}

/// A number below `limit` that differs from call to call.
pub fn random_below(limit: u64) -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0) % limit
}
