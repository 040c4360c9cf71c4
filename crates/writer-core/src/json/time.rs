//! Timestamps: the calendar, and a cache of the part that changes once a second.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

use super::buf::Buf;
use super::clock::TimeSource;
use super::digits;

/// How many decimals of a second a timestamp shows. The default is [`Precision::Micros`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Precision {
    /// Whole seconds.
    Seconds,
    /// Three decimals.
    Millis,
    /// Six decimals; the default.
    #[default]
    Micros,
    /// Nine decimals.
    Nanos,
}

impl Precision {
    const fn digits(self) -> usize {
        match self {
            Precision::Seconds => 0,
            Precision::Millis => 3,
            Precision::Micros => 6,
            Precision::Nanos => 9,
        }
    }
}

/// How a timestamp is written. Fractions are cut, not rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum TimeStyle {
    /// A string such as `"2026-11-23T08:15:42.123456Z"` as in
    /// [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339), in UTC; the default. Years outside 0 to
    /// 9999 are written with a sign, as in the expanded form of ISO 8601.
    #[default]
    Rfc3339,
    /// A string such as `"2026-11-23T09:15:42.123456+01:00"`: RFC 3339 in the time zone of the
    /// system, with its offset; needs the feature `local-time`.
    ///
    /// The zone is read once per process, when the first format with such timestamps is built.
    /// Where there is none to be found, timestamps are in UTC and end in `Z`. An offset that is no
    /// whole number of minutes, as some were before 1972, is rounded to one; the instant stays the
    /// same.
    #[cfg(feature = "local-time")]
    Rfc3339Local,
    /// A number of seconds since 1970, such as `1770563890.786117`.
    Unix,
    /// A string of nanoseconds since 1970, such as `"1770563890786117000"`: what JSON of Protocol
    /// Buffers makes of a 64-bit integer. The precision has no effect. A time before 1970 is 0.
    UnixNanos,
}

/// How the timestamps of a format are taken and written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stamps {
    pub(super) style: TimeStyle,
    pub(super) precision: Precision,
    /// Where the time comes from if none is given.
    pub(super) source: TimeSource,
}

/// The longest text that [`Stamps::write`] makes, in bytes: sign, 12 digits of year, 15 bytes from
/// month to second, point, 9 digits, zone and two quotes.
const LONGEST: usize = 48;

/// The text `"2026-11-23T08:15:42.` of a second: a quote, `len` bytes, a point.
#[derive(Clone, Copy)]
pub(super) struct Prefix {
    text: [u8; 32],
    /// Zero while nothing is cached.
    pub(super) len: u8,
}

impl Prefix {
    pub(super) const EMPTY: Prefix = Prefix { text: [0; 32], len: 0 };
}

thread_local! {
    // Without a destructor the cache also works while the thread's other values are torn down.
    static RECENT: Cell<(i64, Prefix)> = const { Cell::new((0, Prefix::EMPTY)) };
}

/// Seconds since 1970, rounded down, and the nanoseconds since that second.
pub(super) fn since_epoch(time: SystemTime) -> (i64, u32) {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => (i64::try_from(after.as_secs()).unwrap_or(i64::MAX), after.subsec_nanos()),
        Err(error) => {
            let before = error.duration();
            let second = 0i64.saturating_sub_unsigned(before.as_secs());
            match before.subsec_nanos() {
                0 => (second, 0),
                nanos => (second.saturating_sub(1), 1_000_000_000 - nanos),
            }
        }
    }
}

/// The length of a timestamp in its common form, in bytes.
pub(super) const COMMON: usize = 29;

impl Stamps {
    /// Reads what is read once in a process: the zone.
    pub(super) fn prepare(self) {
        #[cfg(feature = "local-time")]
        if let TimeStyle::Rfc3339Local = self.style {
            super::local::prepare();
        }
    }

    /// Whether timestamps have their common form, in four digits of year: RFC 3339 in UTC with six
    /// decimals.
    pub(super) fn is_common(&self) -> bool {
        self.style == TimeStyle::Rfc3339 && self.precision == Precision::Micros
    }

    /// Writes the time of now in the common form, in moves of constant length; false where the
    /// thread has not written one of this second before.
    #[inline(always)]
    pub(super) fn write_common(&self, space: &mut [u8; 32]) -> bool {
        let (second, nanos) = self.source.now();
        let (known, prefix) = RECENT.get();
        if known != second || prefix.len != 19 {
            return false;
        }
        *space = prefix.text;
        space[21..29].copy_from_slice(&digits::six_and(nanos / 1000, *b"Z\""));
        true
    }

    /// Appends a timestamp, the system's time where none is given.
    #[inline]
    pub(super) fn write(&self, buf: &mut Buf, time: Option<SystemTime>) {
        let (second, nanos) = time.map_or_else(|| self.source.now(), since_epoch);
        let precision = self.precision;
        match self.style {
            TimeStyle::Rfc3339 => rfc3339(buf, second, nanos, precision),
            #[cfg(feature = "local-time")]
            TimeStyle::Rfc3339Local => super::local::write(buf, second, nanos, precision),
            TimeStyle::Unix => unix(buf, second, nanos, precision),
            TimeStyle::UnixNanos => unix_nanos(buf, second, nanos),
        }
    }
}

fn rfc3339(buf: &mut Buf, second: i64, nanos: u32, precision: Precision) {
    let (known, mut prefix) = RECENT.get();
    if known != second || prefix.len == 0 {
        prefix = prefix_of(second);
        RECENT.set((second, prefix));
    }
    with_zone(buf, &prefix, nanos, precision, b"Z");
}

/// Appends a timestamp of any length.
pub(super) fn with_zone(
    buf: &mut Buf,
    prefix: &Prefix,
    nanos: u32,
    precision: Precision,
    zone: &[u8],
) {
    let mut text = [0; LONGEST];
    let mut len = 1 + prefix.len as usize;
    text[..len].copy_from_slice(&prefix.text[..len]);
    len += fraction(&mut text[len..], nanos, precision);
    text[len..len + zone.len()].copy_from_slice(zone);
    len += zone.len();
    text[len] = b'"';
    buf.extend_from_slice(&text[..=len]);
}

fn unix(buf: &mut Buf, second: i64, nanos: u32, precision: Precision) {
    let mut text = [0; 10];
    let (whole, nanos) = if second < 0 && nanos > 0 {
        // -1 s and 0.75 s make -0.25 s: sign and size are written apart.
        (second + 1, 1_000_000_000 - nanos)
    } else {
        (second, nanos)
    };
    if whole == 0 && second < 0 {
        buf.push(b'-');
    }
    buf.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
    let len = fraction(&mut text, nanos, precision);
    buf.extend_from_slice(&text[..len]);
}

fn unix_nanos(buf: &mut Buf, second: i64, nanos: u32) {
    let seconds = u64::try_from(second).unwrap_or(0);
    let nanos = if second < 0 { 0 } else { u64::from(nanos) };
    let total = seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
    buf.extend_quoted(itoa::Buffer::new().format(total).as_bytes(), b"\"");
}

/// Writes the point and the decimals; returns how many bytes.
fn fraction(text: &mut [u8], nanos: u32, precision: Precision) -> usize {
    let digits = precision.digits();
    if digits == 0 {
        return 0;
    }
    text[0] = b'.';
    put_digits(&mut text[1..=digits], nanos / 10u32.pow(9 - digits as u32));
    digits + 1
}

/// Fills the slice with the last decimal digits of a number.
#[inline]
pub(super) fn put_digits(text: &mut [u8], mut number: u32) {
    for digit in text.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cold]
pub(super) fn prefix_of(second: i64) -> Prefix {
    let (year, month, day) = civil_from_days(second.div_euclid(86_400));
    let time = second.rem_euclid(86_400) as u32;
    let mut text = [0; 32];
    text[0] = b'"';
    let mut len = 1;
    let mut number = itoa::Buffer::new();
    if (0..=9999).contains(&year) {
        put_digits(&mut text[1..5], year as u32);
        len += 4;
    } else {
        text[1] = if year < 0 { b'-' } else { b'+' };
        let digits = number.format(year.unsigned_abs()).as_bytes();
        // The sign is followed by at least four digits.
        let width = digits.len().max(4);
        text[2..2 + width].fill(b'0');
        text[2 + width - digits.len()..2 + width].copy_from_slice(digits);
        len += 1 + width;
    }
    let parts = [
        (b'-', month),
        (b'-', day),
        (b'T', time / 3600),
        (b':', time / 60 % 60),
        (b':', time % 60),
    ];
    for (mark, value) in parts {
        text[len] = mark;
        put_digits(&mut text[len + 1..len + 3], value);
        len += 3;
    }
    text[len] = b'.';
    Prefix { text, len: len as u8 - 1 }
}

/// Year, month and day of a number of days since 1970 in the proleptic Gregorian calendar.
///
/// The algorithm is Howard Hinnant's `civil_from_days`,
/// <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>: it counts in eras of 400
/// years that begin on the first of March, so that the leap day is the last of its year.
fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month as u32, day as u32)
}
