//! Moments as the lines write them.

/// Microseconds since 1970 of a timestamp: RFC 3339, or the digits of a number of seconds or of
/// nanoseconds since 1970.
pub fn micros(text: &str) -> Option<i64> {
    match text.as_bytes().get(4) {
        Some(b'-') => rfc3339(text),
        _ => unix(text),
    }
}

fn unix(text: &str) -> Option<i64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits && text.len() > 16 {
        return text.parse::<i64>().ok().map(|nanos| nanos / 1000);
    }
    let seconds: f64 = text.parse().ok()?;
    // A float holds microseconds for some centuries to come.
    (seconds.abs() < 1e11).then(|| (seconds * 1e6).round() as i64)
}

fn rfc3339(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let part = text.get(range)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?
    };
    let bytes = text.as_bytes();
    if !(*bytes.get(10)? == b'T' || bytes[10] == b' ')
        || bytes[7] != b'-'
        || *bytes.get(13)? != b':'
    {
        return None;
    }
    let date = (number(0..4)?, number(5..7)?, number(8..10)?);
    let days = days_from_civil(date.0, date.1, date.2);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    // A second may be a leap second.
    if civil_from_days(days) != date || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = hour * 3600 + minute * 60 + second;
    let mut rest = text.get(19..)?;
    let mut fraction = 0;
    if let Some(decimals) = rest.strip_prefix('.') {
        let len = decimals.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, zone) = decimals.split_at(len);
        fraction = format!("{digits:0<6}").get(..6)?.parse().ok()?;
        rest = zone;
    }
    let offset = match rest.as_bytes() {
        [b'Z' | b'z'] | [] => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let end = text.len();
            let offset = number(end - 5..end - 3)? * 3600 + number(end - 2..end)? * 60;
            if *sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    Some((days * 86_400 + seconds - offset) * 1_000_000 + fraction)
}

/// Such a moment as `2026-11-23T08:15:42.123456Z`.
pub fn show(micros: i64) -> String {
    let (seconds, fraction) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil_from_days(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z")
}

/// Days since 1970, after <https://howardhinnant.github.io/date_algorithms.html>.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The reverse.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_moment_is_read() {
        let expected = Some(1_770_563_890_786_117);
        for text in [
            "2026-02-08T15:18:10.786117Z",
            "2026-02-08T15:18:10.786117999Z",
            "2026-02-08T16:18:10.786117+01:00",
            "2026-02-08T10:48:10.786117-04:30",
            "1770563890.786117",
            "1770563890786117000",
        ] {
            assert_eq!(micros(text), expected, "{text}");
        }
        assert_eq!(micros("1969-12-31T23:59:59.5Z"), Some(-500_000));
        assert_eq!(
            micros("2000-02-29T00:00:00Z").map(show).unwrap(),
            "2000-02-29T00:00:00.000000Z"
        );
        for text in [
            "",
            "now",
            "2026-02-08",
            "2026-02-08Tno:no:no",
            "2026-02-0815:18:10.7861é7",
            "ééééééééééé",
            "2026-02-08T15:18:10+9223372036854775807:00",
            "2026-02-08T15:18:10+00:-9223372036854775808",
            "2026-02-08T15:18:10-1:30",
            "2026-02-30T15:18:10Z",
            "2026-13-08T15:18:10Z",
            "2026-02-08T24:18:10Z",
            "2026-02-08T15:60:10Z",
            "2026-02-08T15:18:61Z",
        ] {
            assert_eq!(micros(text), None, "{text}");
        }
    }

    #[test]
    fn moments_are_shown_as_they_are_read() {
        for micros in (-3_000_000_000_000_000..9_000_000_000_000_000).step_by(7_777_777_777_777) {
            assert_eq!(super::micros(&show(micros)), Some(micros));
        }
    }
}
