//! Timestamps in the time zone of the system.

use std::cell::Cell;
use std::sync::OnceLock;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::buf::Buf;
use super::time::{self, Precision, Prefix};

/// The parts of a local timestamp that change at most once a second.
#[derive(Clone, Copy)]
struct Local {
    /// The second in UTC that this belongs to.
    second: i64,
    prefix: Prefix,
    zone: Zone,
}

/// An offset as it is written: `Z`, or `+01:00`.
#[derive(Clone, Copy)]
struct Zone {
    text: [u8; 6],
    len: u8,
}

impl Zone {
    const UTC: Zone = Zone { text: *b"Z     ", len: 1 };

    fn new(minutes: i32) -> Zone {
        let mut text = if minutes < 0 { *b"-00:00" } else { *b"+00:00" };
        time::put_digits(&mut text[1..3], minutes.unsigned_abs() / 60);
        time::put_digits(&mut text[4..6], minutes.unsigned_abs() % 60);
        Zone { text, len: 6 }
    }
}

thread_local! {
    // Without a destructor the cache also works while the thread's other values are torn down.
    static LOCAL: Cell<Local> =
        const { Cell::new(Local { second: 0, prefix: Prefix::EMPTY, zone: Zone::UTC }) };
}

/// Appends a timestamp in the zone of the system.
#[inline]
pub(super) fn write(buf: &mut Buf, second: i64, nanos: u32, precision: Precision) {
    let mut local = LOCAL.get();
    if local.second != second || local.prefix.len == 0 {
        local = at(second, system());
        LOCAL.set(local);
    }
    append(buf, &local, nanos, precision);
}

fn append(buf: &mut Buf, local: &Local, nanos: u32, precision: Precision) {
    let zone = &local.zone.text[..local.zone.len as usize];
    time::with_zone(buf, &local.prefix, nanos, precision, zone);
}

/// Reads the zone of the system, unless that is done.
pub(super) fn prepare() {
    system();
}

/// The zone of the system, `None` where it is unknown.
fn system() -> Option<&'static TimeZone> {
    static ZONE: OnceLock<Option<TimeZone>> = OnceLock::new();
    ZONE.get_or_init(|| TimeZone::try_system().ok().filter(|zone| !zone.is_unknown())).as_ref()
}

/// What a second of UTC is in a zone.
#[cold]
fn at(second: i64, zone: Option<&TimeZone>) -> Local {
    // A second too far away for the calendar of the zone is left in UTC, and so is one whose offset
    // RFC 3339 cannot write: it is less than a day.
    let offset = zone.zip(Timestamp::from_second(second).ok());
    let minutes = offset.map(|(zone, time)| {
        // RFC 3339 has whole minutes only; half a minute is rounded up.
        (zone.to_offset(time).seconds() + 30).div_euclid(60)
    });
    let minutes = minutes.filter(|minutes| minutes.abs() < 24 * 60);
    Local {
        second,
        prefix: time::prefix_of(second + i64::from(minutes.unwrap_or(0)) * 60),
        zone: minutes.map_or(Zone::UTC, Zone::new),
    }
}

/// Appends a timestamp in a zone given by a test.
#[cfg(test)]
pub(super) fn write_in(
    buf: &mut Buf,
    second: i64,
    nanos: u32,
    precision: Precision,
    zone: Option<&TimeZone>,
) {
    append(buf, &at(second, zone), nanos, precision);
}
