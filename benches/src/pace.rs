//! Calls at a steady pace, and how long each took.

use std::hint::spin_loop;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// The quantiles that are printed, with their names.
pub const QUANTILES: [(f64, &str); 5] =
    [(0.5, "p50"), (0.99, "p99"), (0.999, "p99.9"), (0.9999, "p99.99"), (1.0, "max")];

/// When calls are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// One call every 10 us.
    Steady,
    /// 100 calls back to back, a burst every millisecond.
    Bursts,
}

impl Pace {
    fn burst_and_period(self) -> (usize, Duration) {
        match self {
            Pace::Steady => (1, Duration::from_micros(10)),
            Pace::Bursts => (100, Duration::from_millis(1)),
        }
    }
}

/// How many calls come before the first that is measured: caches, buffers and threads come to be.
pub const FIRST: usize = 1000;

/// Makes `calls` calls, each with its number, and returns how long they took, in ns.
///
/// The pace is kept by spinning, so that the caller's processor stays awake. Each value includes
/// reading the clock, about 20 ns. 1000 calls come first and are not measured; their numbers are
/// the smallest.
///
/// # Panics
///
/// When a call takes more than an hour.
pub fn measure(pace: Pace, calls: usize, mut call: impl FnMut(u64)) -> Histogram<u64> {
    const HOUR: u64 = 3_600_000_000_000;
    let mut histogram = Histogram::new_with_max(HOUR, 3).expect("three digits are allowed");
    let (burst, period) = pace.burst_and_period();
    let mut next = Instant::now();
    let mut number = 0;
    while number < FIRST + calls {
        while Instant::now() < next {
            spin_loop();
        }
        for _ in 0..burst.min(FIRST + calls - number) {
            let start = Instant::now();
            call(number as u64);
            let elapsed = start.elapsed();
            if number >= FIRST {
                histogram.record(elapsed.as_nanos() as u64).expect("less than an hour");
            }
            number += 1;
        }
        // A stall is one slow call, not a queue of calls that are late because of it.
        next = (next + period).max(Instant::now());
    }
    histogram
}
