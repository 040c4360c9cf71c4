//! What this process has used.

use std::time::Duration;

/// The processor time of all threads so far.
pub fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The most memory that was resident at once, in KiB; zero where the system does not say.
pub fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// Begins the measure of [`peak_memory`] anew; without effect where the system cannot.
pub fn reset_peak_memory() {
    // Where this fails, the peak is that of the whole process, which is never too small.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
