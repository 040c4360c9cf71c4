//! The system's clock, carried on by the processor's counter of time.
//!
//! Each thread keeps an [`Anchor`]: a reading of the clock, and the count at that moment. What is
//! counted since is added. After [`SPAN`] the clock is read anew, so an error of the counter's rate
//! does not add up. That rate is measured against the clock that nobody sets, and again about once
//! a second, since the system's clock is itself made a little faster or slower to stay right: by at
//! most 500 millionths where the kernel does it (`adjtimex(2)`), two microseconds in [`SPAN`].
//! Where it is more than that, or the clock was set, the next reading shows it, and the rate is
//! forgotten.
//!
//! A count and a reading of the clock belong together only if the thread was not stopped between
//! them: so the counter is read before and after, and what took too long is not used.
#![allow(unsafe_code, reason = "reading the counter has no safe wrapper")]

use std::cell::Cell;
use std::fs;
use std::sync::{Mutex, OnceLock};

use rustix::time::ClockId;

use super::read;
use crate::sync::unless_taken;

/// How long a reading of the clock serves, in nanoseconds.
///
/// With a millisecond one call in a hundred read the clock where one came every 10 us, and so that
/// reading was what the 99th percentile of their times showed: 154 ns rather than 123.
const SPAN: u64 = 4_000_000;

/// How far the clock may be from what was expected of it at the end of a [`SPAN`], in nanoseconds.
const OFF: u64 = 3000;

/// The fewest counts over which a rate is measured: 2 to 6 ms with counters of 1 to 3 GHz. The error
/// of the two readings of the clock is at most some 1/10 000 of that, mostly 1/100 000.
const SHORTEST: u64 = 6_000_000;

/// How long a rate serves before it is measured again, in nanoseconds.
const VALID: u64 = 1_000_000_000;

/// The longest time over which a rate is measured, in nanoseconds: in a longer one the machine may
/// have slept.
const LONGEST: u64 = 10_000_000_000;

/// The most counts that may pass while the clock is read: with counters of 1 to 4 GHz, 0.25 to 1
/// us. It takes about a hundred.
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
    // SAFETY: the instruction is part of the architecture. Where a process has been forbidden to
    // use it (`PR_SET_TSC` of `prctl(2)`), the system's clock cannot be read either.
    unsafe { std::arch::x86_64::_rdtsc() }
}

/// A thread's last reading of the clock.
#[derive(Clone, Copy)]
struct Anchor {
    /// The count at the reading.
    count: u64,
    /// For how many counts it serves; 0 for none.
    serves: u64,
    rate: u64,
    second: i64,
    nanos: u64,
}

thread_local! {
    // Without a destructor it also works while the thread's other values are torn down.
    static ANCHOR: Cell<Anchor> = const {
        Cell::new(Anchor { count: 0, serves: 0, rate: 0, second: 0, nanos: 0 })
    };
}

#[inline(always)]
pub(super) fn now() -> (i64, u32) {
    let anchor = ANCHOR.get();
    // A counter that goes back, or was set anew with the whole machine, makes this large.
    let since = count().wrapping_sub(anchor.count);
    if since < anchor.serves { anchor.plus(since) } else { renew() }
}

#[cold]
#[inline(never)]
fn renew() -> (i64, u32) {
    let mut anchor = ANCHOR.get();
    let (time, count) = read_with_count(ClockId::Realtime);
    match (count, unless_taken(RATE.try_lock())) {
        (Some(count), Some(mut rate)) => {
            anchor.begin(&mut rate, count, time, || read_with_count(ClockId::Monotonic));
        }
        // Another thread that holds the lock is measuring the rate, or was while this process was
        // forked off.
        _ => anchor.serves = 0,
    }
    ANCHOR.set(anchor);
    time
}

impl Anchor {
    #[inline(always)]
    fn plus(&self, since: u64) -> (i64, u32) {
        // At most 2^27 counts, those of twice the span at 10 GHz, of at most 2^33 each.
        let nanos = self.nanos + ((since * self.rate) >> PLACES);
        match nanos.checked_sub(SECOND) {
            None => (self.second, nanos as u32),
            Some(nanos) => (self.second + 1, nanos as u32),
        }
    }

    /// Begins anew with this reading of the clock, if the rate is known.
    fn begin(
        &mut self,
        rate: &mut Rate,
        count: u64,
        time: (i64, u32),
        read: impl FnOnce() -> ((i64, u32), Option<u64>),
    ) {
        if self.is_off(count, time) {
            *rate = Rate::UNKNOWN;
        }
        self.serves = 0;
        if let Some(rate) = rate.at(count, read) {
            *self = Anchor {
                count,
                serves: (SPAN << PLACES) / rate,
                rate,
                second: time.0,
                nanos: u64::from(time.1),
            };
        }
    }

    /// Whether the clock shows another time than what this anchor would, if it has just run out.
    fn is_off(&self, count: u64, (second, nanos): (i64, u32)) -> bool {
        let since = count.wrapping_sub(self.count);
        if since >= 2 * self.serves {
            return false;
        }
        let expected = self.plus(since);
        let seconds = second.saturating_sub(expected.0).saturating_mul(SECOND as i64);
        let apart = seconds.saturating_add(i64::from(nanos) - i64::from(expected.1));
        apart.unsigned_abs() > OFF
    }
}

/// Reads a clock, and the count of nearly the same moment unless the thread was stopped meanwhile.
fn read_with_count(clock: ClockId) -> ((i64, u32), Option<u64>) {
    let before = count();
    let time = read(clock);
    let after = count();
    (time, Some(after).filter(|_| after.wrapping_sub(before) < CLOSE))
}

static RATE: Mutex<Rate> = Mutex::new(Rate::UNKNOWN);

/// What is known of the counter's rate.
struct Rate {
    /// The count and the nanoseconds of the monotonic clock from where on it is measured.
    since: Option<(u64, u64)>,
    /// What the last measurement said, and whether the one before it had said the same.
    last: Option<u64>,
    confirmed: bool,
}

impl Rate {
    const UNKNOWN: Rate = Rate { since: None, last: None, confirmed: false };

    /// The rate, measured anew if it is time to.
    fn at(&mut self, count: u64, read: impl FnOnce() -> ((i64, u32), Option<u64>)) -> Option<u64> {
        let counts = self.since.map_or(u64::MAX, |(since, _)| count.wrapping_sub(since));
        let due = match self.known() {
            Some(rate) => u128::from(counts) * u128::from(rate) >= u128::from(VALID) << PLACES,
            None => counts >= SHORTEST,
        };
        if due && let ((second, nanos), Some(count)) = read() {
            self.measure(count, second as u64 * SECOND + u64::from(nanos));
        }
        self.known()
    }

    /// One measurement alone may have been spoiled by a sleep of the machine, which the counter
    /// went through and the clock did not.
    fn known(&self) -> Option<u64> {
        self.last.filter(|_| self.confirmed)
    }

    fn measure(&mut self, count: u64, now: u64) {
        let Some((first, begin)) = self.since else {
            self.since = Some((count, now));
            return;
        };
        let elapsed = now.saturating_sub(begin);
        self.since = Some((count, now));
        if elapsed > LONGEST {
            return;
        }
        let counts = count.wrapping_sub(first).max(1);
        let measured = u64::try_from((u128::from(elapsed) << PLACES) / u128::from(counts));
        let measured = measured.ok().filter(|rate| PLAUSIBLE.contains(rate));
        let same = |(last, rate): (u64, u64)| rate.abs_diff(last) <= last / 1000;
        self.confirmed = self.last.zip(measured).is_some_and(same);
        self.last = measured;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2.5 counts a nanosecond.
    fn count_at(nanos: u64) -> u64 {
        nanos * 5 / 2
    }

    const MS: u64 = 1_000_000;

    const EXPECTED: u64 = (2 << PLACES) / 5;

    fn measured(at: impl IntoIterator<Item = (u64, u64)>) -> Option<u64> {
        let mut rate = Rate::UNKNOWN;
        at.into_iter().for_each(|(count, now)| rate.measure(count, now));
        rate.known()
    }

    fn even(nanos: u64) -> (u64, u64) {
        (count_at(nanos), nanos)
    }

    #[test]
    fn the_rate_needs_two_measurements_that_agree() {
        let twice = [even(0), even(2 * MS), even(4 * MS)];
        assert_eq!(measured(twice), Some(EXPECTED));
        assert_eq!(measured([even(7)]), None);
        assert_eq!(measured([even(7), even(2 * MS)]), None);
        assert_eq!(measured([even(0), even(LONGEST + 1), even(LONGEST * 3)]), None);
        for odd in [1, u64::MAX / 2, 9] {
            let still = (0..5).map(|step| (odd * step.min(2), step * MS));
            assert_eq!(measured(still), None);
        }
    }

    #[test]
    fn a_sleep_that_the_counter_goes_through_gives_no_rate() {
        let slept = |nanos: u64| (count_at(nanos + 3 * SECOND), nanos);
        assert_eq!(measured([even(0), slept(5 * SECOND)]), None);
        let once_more = [even(0), slept(5 * SECOND), slept(6 * SECOND)];
        assert_eq!(measured(once_more), None);
        let again = slept(7 * SECOND);
        assert_eq!(measured(once_more.into_iter().chain([again])), Some(EXPECTED));
        // Set back, by a sleep in which it stood still and began anew.
        assert_eq!(measured([even(20 * SECOND), (even(24 * SECOND).0, 28 * SECOND)]), None);
        // Later, and over so long a time that it says nothing.
        let good = [even(0), even(2 * MS), even(4 * MS)];
        let long = good.into_iter().chain([slept(LONGEST * 2)]);
        assert_eq!(measured(long), Some(EXPECTED));
        assert_eq!(measured(good.into_iter().chain([slept(SECOND)])), None);
    }

    #[test]
    fn a_rate_that_is_unknown_is_measured_after_some_milliseconds() {
        let mut rate = Rate::UNKNOWN;
        let mut asked = Vec::new();
        for nanos in (0..10).map(|step| step * MS) {
            let known = rate.at(count_at(nanos), || {
                asked.push(nanos / MS);
                ((0, nanos as u32), Some(count_at(nanos)))
            });
            assert_eq!(known.is_some(), nanos >= 6 * MS);
        }
        // 2.4 ms are the shortest.
        assert_eq!(asked, [0, 3, 6]);
    }

    #[test]
    fn a_valid_rate_is_not_measured_again_and_an_old_one_is() {
        let mut rate = Rate { since: Some((0, 0)), last: Some(EXPECTED), confirmed: true };
        assert_eq!(rate.at(count_at(VALID - 10), || unreachable!()), Some(EXPECTED));
        let now = ((1, 10), Some(count_at(VALID + 10)));
        assert_eq!(rate.at(count_at(VALID + 10), || now), Some(EXPECTED));
        assert_eq!(rate.since, Some(even(VALID + 10)));
        // A clock that could not be read closely leaves things as they are.
        assert_eq!(rate.at(count_at(VALID * 3), || ((3, 0), None)), Some(EXPECTED));
        assert_eq!(rate.since, Some(even(VALID + 10)));
    }

    #[test]
    fn an_anchor_notices_a_clock_that_is_set_or_runs_otherwise() {
        let anchor = anchor(5, 0);
        let end = count_at(SPAN);
        let off = |count, nanos: u64| anchor.is_off(count, (5, nanos as u32));
        assert!(!off(end, SPAN) && !off(end, SPAN + OFF - 2) && !off(end, SPAN - OFF + 2));
        assert!(off(end, SPAN + OFF + 2) && off(end, SPAN - OFF - 2));
        // Slewed by a twelfth, as some programs for the network's time do.
        assert!(off(end, SPAN - SPAN / 12));
        assert!(anchor.is_off(end, (4, 0)) && anchor.is_off(end, (1 << 33, 0)));
        // Long over: no longer known as well.
        assert!(!off(count_at(SPAN * 2 + 10), 0));
        // Without an anchor.
        assert!(!Anchor { serves: 0, ..anchor }.is_off(end, (5, 0)));
    }

    #[test]
    fn a_clock_that_is_elsewhere_makes_the_rate_unknown() {
        let end = count_at(SPAN);
        let begun = |nanos: u64| {
            let mut anchor = anchor(5, 0);
            let mut rate = Rate { since: Some((0, 0)), last: Some(EXPECTED), confirmed: true };
            anchor.begin(&mut rate, end, (5, nanos as u32), || ((0, SPAN as u32), Some(end)));
            (rate.known(), anchor.serves > 0, anchor.nanos)
        };
        assert_eq!(begun(SPAN + 100), (Some(EXPECTED), true, SPAN + 100));
        assert_eq!(begun(SPAN + 2 * OFF), (None, false, 0));
    }

    fn anchor(second: i64, nanos: u64) -> Anchor {
        Anchor { count: 0, serves: (SPAN << PLACES) / EXPECTED, rate: EXPECTED, second, nanos }
    }

    #[test]
    fn what_is_counted_passes_over_the_end_of_a_second() {
        let anchor = anchor(-1, SECOND - 100);
        assert_eq!(anchor.plus(0), (-1, 999_999_900));
        assert_eq!(anchor.plus(count_at(99)).0, -1);
        assert_eq!(anchor.plus(count_at(102)), (0, 1));
        assert_eq!(anchor.plus(count_at(SPAN)), (0, SPAN as u32 - 101));
    }

    #[test]
    fn a_panic_under_the_lock_of_the_rate_does_not_end_the_counting() {
        if !usable() {
            crate::report::to_stderr(format_args!("skipped: the kernel's clock is another"));
            return;
        }
        let poisoned = std::thread::spawn(|| {
            let _rate = RATE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            panic!("while the lock is held");
        });
        assert!(poisoned.join().is_err());
        let begun = std::time::Instant::now();
        while ANCHOR.get().serves == 0 {
            assert!(begun.elapsed().as_secs() < 30, "never counted");
            now();
        }
    }

    #[test]
    fn counted_time_is_that_of_the_system() {
        if !usable() {
            crate::report::to_stderr(format_args!("skipped: the kernel's clock is another"));
            return;
        }
        let nanos = |(second, nanos): (i64, u32)| second * SECOND as i64 + i64::from(nanos);
        let mut counted = 0u32;
        for round in 0.. {
            let serves = ANCHOR.get().serves;
            let before = nanos(super::super::system());
            let time = nanos(now());
            let after = nanos(super::super::system());
            // A clock that somebody sets during the test would be in between somewhere else.
            assert!(before - 3000 <= time && time <= after + 3000, "{before} {time} {after}");
            let anchored = ANCHOR.get().serves;
            counted += u32::from(serves > 0 && anchored == serves);
            if counted == 100_000 {
                return;
            }
            assert!(round < 100_000_000, "never counted");
        }
    }
}
