//! Timestamps with an offset.

use std::time::{Duration, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use crate::json::buf::Buf;
use crate::json::local::write_in;
use crate::json::time::Stamps;
use crate::json::{Precision, TimeSource, TimeStyle};

fn text(second: i64, nanos: u32, precision: Precision, zone: Option<&TimeZone>) -> String {
    let mut buf = Buf::default();
    write_in(&mut buf, second, nanos, precision, zone);
    String::from_utf8(buf.to_vec()).unwrap()
}

fn seconds(second: i64, zone: &TimeZone) -> String {
    text(second, 0, Precision::Seconds, Some(zone))
}

fn berlin() -> TimeZone {
    TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
}

#[test]
fn the_offset_follows_summer_time() {
    for (second, expected) in [
        (1_774_745_999, "2026-03-29T01:59:59+01:00"),
        (1_774_746_000, "2026-03-29T03:00:00+02:00"),
        (1_792_889_999, "2026-10-25T02:59:59+02:00"),
        (1_792_890_000, "2026-10-25T02:00:00+01:00"),
        (1_795_421_742, "2026-11-23T09:15:42+01:00"),
    ] {
        assert_eq!(seconds(second, &berlin()), format!("\"{expected}\""));
    }
}

#[test]
fn offsets_west_and_with_minutes_are_written() {
    for (zone, expected) in [
        ("NST3:30NDT,M3.2.0,M11.1.0", "1969-12-31T20:30:00-03:30"),
        ("<+0545>-5:45", "1970-01-01T05:45:00+05:45"),
        ("HST10", "1969-12-31T14:00:00-10:00"),
        ("<-00>0", "1970-01-01T00:00:00+00:00"),
        ("<+14>-14", "1970-01-01T14:00:00+14:00"),
    ] {
        assert_eq!(seconds(0, &TimeZone::posix(zone).unwrap()), format!("\"{expected}\""));
    }
}

// The offset was written as `+25:00`, which no reader takes.
#[test]
fn an_offset_of_a_day_or_more_is_left_in_utc() {
    for zone in ["AAA-24:59:59", "AAA24:59:59", "AAA-24", "AAA24", "AAA-23:59:30"] {
        let zone = TimeZone::posix(zone).unwrap();
        assert_eq!(seconds(0, &zone), "\"1970-01-01T00:00:00Z\"", "{zone:?}");
    }
    let last = TimeZone::posix("AAA-23:59:29").unwrap();
    assert_eq!(seconds(0, &last), "\"1970-01-01T23:59:00+23:59\"");
}

#[test]
fn an_offset_with_seconds_keeps_the_instant() {
    // Berlin before 1893, and its mirror image.
    for (offset, expected) in [(3208, "00:53:00+00:53"), (-3208, "23:07:00-00:53")] {
        let zone = TimeZone::fixed(Offset::from_seconds(offset).unwrap());
        let text = seconds(0, &zone);
        assert!(text.contains(expected), "{text}");
        let instant: Timestamp = text.trim_matches('"').parse().unwrap();
        assert_eq!(instant.as_second(), 0);
    }
}

#[test]
fn every_hour_of_a_year_reads_back_as_its_instant() {
    let zones = [berlin(), TimeZone::posix("NST3:30NDT,M3.2.0,M11.1.0").unwrap()];
    for hour in 0..366 * 24 {
        let second = 1_767_225_600 + hour * 3600 - 1;
        for zone in &zones {
            let text = text(second, 123_456_789, Precision::Nanos, Some(zone));
            let instant: Timestamp = text.trim_matches('"').parse().unwrap();
            assert_eq!(instant.as_nanosecond(), i128::from(second) * 1_000_000_000 + 123_456_789);
        }
    }
}

#[test]
fn without_a_zone_the_time_is_in_utc() {
    let micros = text(1_795_421_742, 123_456_000, Precision::Micros, None);
    assert_eq!(micros, "\"2026-11-23T08:15:42.123456Z\"");
    let far = text(i64::MAX / 2, 0, Precision::Nanos, Some(&berlin()));
    assert!(far.starts_with("\"+146138") && far.ends_with(".000000000Z\""), "{far}");
}

#[test]
fn the_zone_of_the_system_gives_the_same_instant() {
    for second in [0, 1_774_745_999, 1_774_746_000, 1_795_421_742, 1_795_421_742] {
        let mut buf = Buf::default();
        let time = UNIX_EPOCH + Duration::from_secs(second);
        let (style, precision) = (TimeStyle::Rfc3339Local, Precision::Millis);
        Stamps { style, precision, source: TimeSource::System }.write(&mut buf, Some(time));
        let text = String::from_utf8(buf.to_vec()).unwrap();
        let instant: Timestamp = text.trim_matches('"').parse().unwrap();
        assert_eq!(instant.as_second(), second as i64);
    }
}
