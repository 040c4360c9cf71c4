//! Members that are written in few steps: their lines are those of the long way.

use std::fmt;
use std::sync::LazyLock;
use std::time::SystemTime;

use crate::Severity;
use crate::json::{Format, Meta, Record, Value};

/// A message and two fields, of a call site or not.
fn line(format: &Format, site: bool, write: &dyn Fn(Value<'_>)) -> (String, u32, bool) {
    let meta = Meta::new(Severity::Info, "shop").time(SystemTime::UNIX_EPOCH);
    let names = ["text", "a_key_that_is_longer_than_a_block"];
    let fill = |record: &mut Record<'_>| {
        write(record.message());
        for (position, name) in names.into_iter().enumerate() {
            write(if site { record.site_field(position, || name) } else { record.field(name) });
        }
    };
    let keep = |_, line: &[u8]| String::from_utf8(line.to_vec()).unwrap();
    let encoded = match site {
        true => format.call_site(&meta, names).encode(meta.time, fill, keep),
        false => format.encode(&meta, fill, keep),
    };
    let encoded = encoded.unwrap();
    (encoded.result, encoded.format_errors, encoded.truncated)
}

static SHORT_WAY: LazyLock<Format> = LazyLock::new(Format::default);

/// With this option each key is looked at, and nothing is short.
static LONG_WAY: LazyLock<Format> =
    LazyLock::new(|| Format::builder().redact(["nothing"]).build().unwrap());

fn compare(write: &dyn Fn(Value<'_>)) {
    let long = line(&LONG_WAY, false, write);
    assert_eq!(line(&LONG_WAY, true, write), long);
    for site in [true, false] {
        assert_eq!(line(&SHORT_WAY, site, write), long);
    }
}

#[test]
fn a_text_of_any_length_is_escaped_wherever_it_has_to_be() {
    for len in 0..70 {
        let plain: String = ('!'..).filter(|c| !matches!(c, '"' | '\\')).take(len).collect();
        compare(&|value| value.str(&plain));
        compare(&|value| value.display(&plain));
        compare(&|value| value.args(format_args!("{plain}{plain}")));
        for at in 0..len {
            for special in ['"', '\\', '\u{1f}', '\u{7f}', '\u{80}', 'é', '\u{2028}'] {
                let text = format!("{}{special}{}", &plain[..at], &plain[at + 1..]);
                compare(&|value| value.str(&text));
                compare(&|value| value.display(&text));
            }
        }
    }
}

#[test]
fn numbers_of_any_length_are_whole() {
    for power in 0..64 {
        let number = u64::MAX >> power;
        compare(&|value| value.u64(number));
        compare(&|value| value.i64(-(number as i64 >> 1)));
        compare(&|value| value.f64(number as f64 / 1000.0));
        compare(&|value| value.f64(-1.0 / number as f64));
        compare(&|value| value.bool(power % 2 == 0));
    }
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, f64::MAX] {
        compare(&|value| value.f64(odd));
    }
}

/// Prints something, and then fails or panics.
struct Halfway(bool);

impl fmt::Display for Halfway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("half")?;
        if self.0 { Err(fmt::Error) } else { panic!("in a Display") }
    }
}

#[test]
fn a_text_that_fails_leaves_nothing_but_its_marker() {
    compare(&|value| value.display(&Halfway(true)));
    compare(&|value| value.display(&Halfway(false)));
    let (text, errors, _) = line(&Format::default(), true, &|value| value.display(&Halfway(true)));
    assert!(!text.contains("half") && text.contains(r#""message":"<format_error>""#), "{text}");
    assert_eq!(errors, 3);
}

#[test]
fn a_member_without_a_value_leaves_its_key_free() {
    compare(&|value| drop(value));
    let meta = Meta::new(Severity::Info, "shop");
    let text = |_, line: &[u8]| String::from_utf8_lossy(line).into_owned();
    let fill = |next: bool| {
        move |record: &mut Record<'_>| {
            drop(if next { record.next_field("a") } else { record.site_field(0, || "a") });
            for name in ["b", "a"] {
                match next {
                    true => record.next_field(name).u64(1),
                    false => record.site_field(usize::from(name == "b"), || name).u64(1),
                }
            }
        }
    };
    let format = Format::default();
    let sites = [format.call_site(&meta, ["a", "b"]), format.expected_call_site(&meta, ["a", "b"])];
    for (next, site) in [false, true].into_iter().zip(sites) {
        let line = site.encode(meta.time, fill(next), text).unwrap().result;
        assert!(line.ends_with("\"b\":1,\"a\":1}\n"), "{line}");
    }
}
