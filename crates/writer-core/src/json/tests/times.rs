//! Timestamps.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::json::time::Stamps;
use crate::json::{Precision, TimeSource, TimeStyle};

fn at(second: i64, nanos: u32) -> SystemTime {
    checked_at(second).unwrap() + Duration::from_nanos(nanos.into())
}

/// Some systems have no times before 1601.
fn checked_at(second: i64) -> Option<SystemTime> {
    let whole = Duration::from_secs(second.unsigned_abs());
    if second < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) }
}

fn text(time: SystemTime, style: TimeStyle, precision: Precision) -> String {
    let mut buf = crate::json::buf::Buf::default();
    Stamps { style, precision, source: TimeSource::System }.write(&mut buf, Some(time));
    String::from_utf8(buf.to_vec()).unwrap()
}

#[test]
fn known_days_have_their_dates() {
    for (second, expected) in [
        (0, "1970-01-01T00:00:00Z"),
        (1_795_421_742, "2026-11-23T08:15:42Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (4_107_542_399, "2100-02-28T23:59:59Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59Z"),
        (-2_203_891_200, "1900-03-01T00:00:00Z"),
        (253_402_300_799, "9999-12-31T23:59:59Z"),
        (253_402_300_800, "+10000-01-01T00:00:00Z"),
        (-62_167_219_200, "0000-01-01T00:00:00Z"),
        (-62_167_219_201, "-0001-12-31T23:59:59Z"),
    ] {
        let Some(time) = checked_at(second) else {
            assert_eq!(std::env::consts::OS, "windows", "{expected}");
            continue;
        };
        let text = text(time, TimeStyle::Rfc3339, Precision::Seconds);
        assert_eq!(text, format!("\"{expected}\""));
    }
}

#[test]
fn precision_cuts_and_does_not_round() {
    // Windows counts in steps of 100 ns.
    let time = at(0, 123_456_700);
    for (precision, decimals) in [
        (Precision::Seconds, ""),
        (Precision::Millis, ".123"),
        (Precision::Micros, ".123456"),
        (Precision::Nanos, ".123456700"),
    ] {
        let rfc = text(time, TimeStyle::Rfc3339, precision);
        assert_eq!(rfc, format!("\"1970-01-01T00:00:00{decimals}Z\""));
        assert_eq!(text(time, TimeStyle::Unix, precision), format!("0{decimals}"));
    }
}

#[test]
fn time_before_1970_counts_down() {
    let time = UNIX_EPOCH - Duration::from_millis(250);
    let rfc = text(time, TimeStyle::Rfc3339, Precision::Millis);
    assert_eq!(rfc, "\"1969-12-31T23:59:59.750Z\"");
    assert_eq!(text(time, TimeStyle::Unix, Precision::Millis), "-0.250");
    let time = UNIX_EPOCH - Duration::from_millis(1250);
    assert_eq!(text(time, TimeStyle::Unix, Precision::Micros), "-1.250000");
    assert_eq!(text(at(-1, 0), TimeStyle::Unix, Precision::Millis), "-1.000");
}

#[test]
fn the_furthest_times_are_written() {
    let far = UNIX_EPOCH.checked_add(Duration::from_secs(i64::MAX as u64));
    let past = UNIX_EPOCH.checked_sub(Duration::from_secs(i64::MAX as u64));
    for time in [far, past].into_iter().flatten() {
        let rfc = text(time, TimeStyle::Rfc3339, Precision::Nanos);
        assert!(rfc.contains("292277"), "{rfc}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_coarse_clock_stands_still_between_ticks() {
    let stamps = |source| {
        let stamps = Stamps { style: TimeStyle::UnixNanos, source, ..Stamps::default() };
        let mut buf = crate::json::buf::Buf::default();
        for _ in 0..1000 {
            stamps.write(&mut buf, None);
        }
        let text = String::from_utf8(buf.to_vec()).unwrap();
        text.split("\"\"").map(|stamp| stamp.trim_matches('"').to_owned()).collect::<Vec<_>>()
    };
    let [before, coarse, exact] =
        [TimeSource::System, TimeSource::Coarse, TimeSource::System].map(stamps);
    let repeats = |stamps: &[String]| stamps.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert!(repeats(&coarse) > repeats(&exact), "{coarse:?} {exact:?}");
    // All have 19 digits: the order of texts is that of times.
    assert!(coarse.is_sorted() && coarse[999] <= exact[0], "{coarse:?} {exact:?}");
    let second = |stamp: &str| stamp[..10].parse::<u64>().unwrap();
    assert!(second(&coarse[0]) + 1 >= second(&before[0]), "{before:?} {coarse:?}");
}
