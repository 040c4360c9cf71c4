//! Where the time of a record comes from.

#[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
mod counter;

#[cfg(not(all(target_arch = "x86_64", target_os = "linux", not(miri))))]
mod counter {
    pub(super) fn usable() -> bool {
        false
    }

    pub(super) fn now() -> (i64, u32) {
        super::system()
    }
}

/// Which clock gives records their time. The default is [`TimeSource::Counted`].
///
/// All tell the time of the system; they differ in price and in how closely they follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum TimeSource {
    /// The system's clock, read by each thread at most every four milliseconds; in between the
    /// processor's counter of time is added to it. The default.
    ///
    /// It is within three microseconds of the system's clock, mostly within 50 ns, and so are lines
    /// of several threads among each other. Where somebody sets the clock, or makes it faster or
    /// slower by more than the kernel does by itself, a thread that is just logging notices up to four
    /// milliseconds later. A thread that logs more often than that pays less than half of what the
    /// system's clock costs, one that logs less often up to twice as much.
    ///
    /// The counter is used on Linux on x86-64, if the kernel itself takes its time from it (`tsc`
    /// in `/sys/devices/system/clocksource/clocksource0/current_clocksource`) when the first format
    /// is built; elsewhere this is [`TimeSource::System`].
    #[default]
    Counted,
    /// The system's clock, read for each record.
    System,
    /// A clock of the system that stands still between two ticks, 1 to 10 ms
    /// (`CLOCK_REALTIME_COARSE` of
    /// [`clock_gettime(2)`](https://man7.org/linux/man-pages/man2/clock_gettime.2.html)), and is
    /// the cheapest. Elsewhere than on Linux this is [`TimeSource::System`].
    ///
    /// Lines of one tick have one timestamp; their order in the file is still that of acceptance.
    /// Against clocks that are exact, this one is late by up to a tick.
    Coarse,
}

impl TimeSource {
    /// What serves on this machine.
    pub(super) fn available(self) -> Self {
        match self {
            TimeSource::Counted if !counter::usable() => TimeSource::System,
            source => source,
        }
    }

    /// Seconds since 1970, rounded down, and the nanoseconds since that second. The source must be
    /// one that is [available](TimeSource::available).
    #[inline(always)]
    pub(super) fn now(self) -> (i64, u32) {
        match self {
            TimeSource::Counted => counter::now(),
            TimeSource::System => system(),
            TimeSource::Coarse => coarse(),
        }
    }
}

/// The system's time, without the way through [`SystemTime`](std::time::SystemTime).
#[cfg(unix)]
fn system() -> (i64, u32) {
    read(rustix::time::ClockId::Realtime)
}

#[cfg(not(unix))]
fn system() -> (i64, u32) {
    super::time::since_epoch(std::time::SystemTime::now())
}

#[cfg(target_os = "linux")]
fn coarse() -> (i64, u32) {
    read(rustix::time::ClockId::RealtimeCoarse)
}

#[cfg(not(target_os = "linux"))]
fn coarse() -> (i64, u32) {
    system()
}

#[cfg(unix)]
#[inline]
fn read(clock: rustix::time::ClockId) -> (i64, u32) {
    let now = rustix::time::clock_gettime(clock);
    (now.tv_sec as i64, now.tv_nsec as u32)
}
