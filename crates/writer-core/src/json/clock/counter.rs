//! The system's clock, carried on by the processor's counter of time.
//!
//! Each thread keeps an [`Anchor`]: a reading of the clock, and the count at that moment. What is
//! counted since is added. After [`SPAN`] the clock is read anew, so an error of the counter's rate
//! does not add up. That rate is measured against the clock that nobody sets, once per process and
//! then about once a second, since the system's clock is itself made a little faster or slower to stay
//! right (by at most 500 millionths, `adjtimex(2)`; half a microsecond in [`SPAN`]).
//!
//! A count and a reading of the clock belong together only if the thread was not stopped between
//! them: so the counter is read before and after, and what took too long is not used.
#![allow(unsafe_code, reason = "reading the counter has no safe wrapper")]

use std::cell::Cell;
use std::fs;
use std::sync::{Mutex, OnceLock};

use rustix::time::ClockId;

use super::read;

/// How long a reading of the clock serves, in nanoseconds.
const SPAN: u64 = 1_000_000;

/// The rate is measured over at least, is valid for, and is measured over at most so long, in
/// nanoseconds.
const SHORTEST: u64 = 10_000_000;
const VALID: u64 = 1_000_000_000;
const LONGEST: u64 = 10_000_000_000;

/// The most counts that may pass while the clock is read: with counters of 1 to 4 GHz, 0.25 to 1 us. It
/// takes about a hundred.
const CLOSE: u64 = 1000;

/// Rates are nanoseconds per count in so many binary places.
const PLACES: u32 = 32;

/// Rates of counters between 0.5 and 10 GHz.
const PLAUSIBLE: std::ops::RangeInclusive<u64> = (1 << PLACES) / 10..=2 << PLACES;

const SECOND: u64 = 1_000_000_000;

/// Whether the kernel takes its own time from the counter: then it counts evenly, and alike on all
/// cores.
pub(super) fn usable() -> bool {
    static USABLE: OnceLock<bool> = OnceLock::new();
    *USABLE.get_or_init(|| {
        let path = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
        fs::read(path).is_ok_and(|name| name.trim_ascii() == b"tsc")
    })
}

/// The counter. It may be read a few instructions early or late, which is some nanoseconds.
#[inline(always)]
fn count() -> u64 {
    // Safety: the instruction is part of the architecture. Where a process has been forbidden to use
    // it (`PR_SET_TSC` of `prctl(2)`), the system's clock cannot be read either.
    unsafe { std::arch::x86_64::_rdtsc() }
}

/// A thread's last reading of the clock.
struct Anchor {
    /// The count at the reading.
    count: Cell<u64>,
    /// For how many counts it serves; 0 for none.
    serves: Cell<u64>,
    rate: Cell<u64>,
    second: Cell<i64>,
    nanos: Cell<u64>,
}

thread_local! {
    // Without a destructor it also works while the thread's other values are torn down.
    static ANCHOR: Anchor = const {
        Anchor {
            count: Cell::new(0),
            serves: Cell::new(0),
            rate: Cell::new(0),
            second: Cell::new(0),
            nanos: Cell::new(0),
        }
    };
}

#[inline(always)]
pub(super) fn now() -> (i64, u32) {
    ANCHOR.with(|anchor| {
        // A counter that goes back, or was set anew with the whole machine, makes this large.
        let since = count().wrapping_sub(anchor.count.get());
        if since < anchor.serves.get() { anchor.plus(since) } else { anchor.renew() }
    })
}

impl Anchor {
    #[inline(always)]
    fn plus(&self, since: u64) -> (i64, u32) {
        // At most 2^24 counts of at most 2^33 each.
        let nanos = self.nanos.get() + ((since * self.rate.get()) >> PLACES);
        match nanos.checked_sub(SECOND) {
            None => (self.second.get(), nanos as u32),
            Some(nanos) => (self.second.get() + 1, nanos as u32),
        }
    }

    #[cold]
    #[inline(never)]
    fn renew(&self) -> (i64, u32) {
        self.serves.set(0);
        let (time, count) = read_with_count(ClockId::Realtime);
        // Another thread that holds the lock is measuring the rate, or was while this process was
        // forked off.
        if let Some(count) = count
            && let Ok(mut rate) = RATE.try_lock()
            && let Some(rate) = rate.at(count, || read_with_count(ClockId::Monotonic))
        {
            self.count.set(count);
            self.serves.set((SPAN << PLACES) / rate);
            self.rate.set(rate);
            self.second.set(time.0);
            self.nanos.set(u64::from(time.1));
        }
        time
    }
}

/// Reads a clock, and the count of nearly the same moment unless the thread was stopped meanwhile.
fn read_with_count(clock: ClockId) -> ((i64, u32), Option<u64>) {
    let before = count();
    let time = read(clock);
    let after = count();
    (time, Some(after).filter(|_| after.wrapping_sub(before) < CLOSE))
}

static RATE: Mutex<Rate> = Mutex::new(Rate { since: None, rate: None });

/// What is known of the counter's rate.
struct Rate {
    /// The count and the nanoseconds of the monotonic clock from where on it is measured.
    since: Option<(u64, u64)>,
    rate: Option<u64>,
}

impl Rate {
    /// The rate, measured anew if it is time to.
    fn at(&mut self, count: u64, read: impl FnOnce() -> ((i64, u32), Option<u64>)) -> Option<u64> {
        if let (Some((since, _)), Some(rate)) = (self.since, self.rate)
            && u128::from(count.wrapping_sub(since)) * u128::from(rate)
                < u128::from(VALID) << PLACES
        {
            return self.rate;
        }
        if let ((second, nanos), Some(count)) = read() {
            self.measure(count, second as u64 * SECOND + u64::from(nanos));
        }
        self.rate
    }

    fn measure(&mut self, count: u64, now: u64) {
        let Some((first, begin)) = self.since else {
            self.since = Some((count, now));
            return;
        };
        let elapsed = now.saturating_sub(begin);
        if elapsed < SHORTEST {
            return;
        }
        self.since = Some((count, now));
        if elapsed > LONGEST {
            return;
        }
        let counts = count.wrapping_sub(first).max(1);
        let measured = u64::try_from((u128::from(elapsed) << PLACES) / u128::from(counts));
        let measured = measured.ok().filter(|rate| PLAUSIBLE.contains(rate));
        self.rate = match (self.rate, measured) {
            // The machine slept meanwhile, or is another one.
            (Some(known), Some(rate)) if rate.abs_diff(known) > known / 1000 => None,
            (_, measured) => measured,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2.5 counts a nanosecond.
    fn count_at(nanos: u64) -> u64 {
        nanos * 5 / 2
    }

    const EXPECTED: u64 = (2 << PLACES) / 5;

    fn measured(at: impl IntoIterator<Item = (u64, u64)>) -> Option<u64> {
        let mut rate = Rate { since: None, rate: None };
        at.into_iter().for_each(|(count, now)| rate.measure(count, now));
        rate.rate
    }

    #[test]
    fn the_rate_needs_ten_milliseconds_and_a_plausible_counter() {
        let even = |nanos| (count_at(nanos), nanos);
        assert_eq!(measured([even(7)]), None);
        assert_eq!(measured([even(7), even(SHORTEST - 7)]), None);
        assert_eq!(measured([even(0), even(1000), even(SHORTEST)]), Some(EXPECTED));
        assert_eq!(measured([even(0), even(LONGEST + 1)]), None);
        assert_eq!(measured([(0, 0), (1, SHORTEST)]), None);
        assert_eq!(measured([(0, 0), (u64::MAX, SHORTEST)]), None);
        assert_eq!(measured([(9, 9), (9, SHORTEST * 2)]), None);
    }

    #[test]
    fn the_rate_is_forgotten_where_the_counter_went_on_without_the_clock() {
        let even = |nanos| (count_at(nanos), nanos);
        let asleep = |nanos: u64| (count_at(nanos + nanos / 500), nanos);
        assert_eq!(measured([even(0), even(SHORTEST), asleep(VALID)]), None);
        let after = [asleep(VALID), asleep(VALID + SHORTEST)];
        assert!(measured([even(0), even(SHORTEST)].into_iter().chain(after)).is_some());
        // A long pause says nothing new.
        assert_eq!(measured([even(0), even(SHORTEST), asleep(LONGEST * 2)]), Some(EXPECTED));
    }

    #[test]
    fn a_valid_rate_is_not_measured_again_and_an_old_one_is() {
        let mut rate = Rate { since: Some((0, 0)), rate: Some(EXPECTED) };
        assert_eq!(rate.at(count_at(VALID - 10), || unreachable!()), Some(EXPECTED));
        let mut asked = false;
        let now = ((1, 10), Some(count_at(VALID + 10)));
        rate.at(count_at(VALID + 10), || {
            asked = true;
            now
        });
        assert!(asked);
        assert_eq!(rate.since, Some((count_at(VALID + 10), VALID + 10)));
        // A clock that could not be read closely leaves things as they are.
        assert_eq!(rate.at(count_at(VALID * 3), || ((3, 0), None)), Some(EXPECTED));
    }

    #[test]
    fn what_is_counted_passes_over_the_end_of_a_second() {
        let anchor = Anchor {
            count: Cell::new(0),
            serves: Cell::new(u64::MAX),
            rate: Cell::new(EXPECTED),
            second: Cell::new(-1),
            nanos: Cell::new(SECOND - 100),
        };
        assert_eq!(anchor.plus(0), (-1, 999_999_900));
        assert_eq!(anchor.plus(count_at(99)).0, -1);
        assert_eq!(anchor.plus(count_at(102)), (0, 1));
        assert_eq!(anchor.plus(count_at(SPAN)), (0, SPAN as u32 - 101));
    }

    #[test]
    fn counted_time_is_that_of_the_system() {
        if !usable() {
            eprintln!("skipped: the kernel does not take its time from the counter");
            return;
        }
        let nanos = |(second, nanos): (i64, u32)| second * SECOND as i64 + i64::from(nanos);
        let mut counted = 0u32;
        for round in 0.. {
            let serves = ANCHOR.with(|anchor| anchor.serves.get());
            let before = nanos(super::super::system());
            let time = nanos(now());
            let after = nanos(super::super::system());
            // A clock that somebody sets during the test would be in between somewhere else.
            assert!(before - 2000 <= time && time <= after + 2000, "{before} {time} {after}");
            let anchored = ANCHOR.with(|anchor| anchor.serves.get());
            counted += u32::from(serves > 0 && anchored == serves);
            if counted == 100_000 {
                return;
            }
            assert!(round < 100_000_000, "never counted");
        }
    }
}
