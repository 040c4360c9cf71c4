//! Every value reads back as what it was, and a failing one does no harm.

use std::cell::Cell;
use std::error::Error;
use std::fmt;

use super::{encode, read, reader, text};
use crate::json::{FORMAT_ERROR, FORMAT_PANIC, Format, Part, Schema, WideIntegers};
use serde_json::json;

#[test]
fn numbers_are_exact() {
    let line = text(&Format::default(), |record| {
        record.field("a").u64(u64::MAX);
        record.field("b").i64(i64::MIN);
        record.field("c").u128(u128::MAX);
        record.field("d").i128(i128::MIN);
        record.field("e").u128(u64::MAX.into());
        record.field("f").i128(i64::MIN.into());
        record.field("g").f64(-0.0);
        record.field("h").f32(0.1);
        record.field("i").f64(f64::NAN);
        record.field("j").f32(f32::NEG_INFINITY);
        record.field("k").f64(f64::INFINITY);
    });
    assert!(line.ends_with(concat!(
        r#""a":18446744073709551615,"b":-9223372036854775808,"#,
        r#""c":"340282366920938463463374607431768211455","#,
        r#""d":"-170141183460469231731687303715884105728","e":18446744073709551615,"#,
        r#""f":-9223372036854775808,"g":-0.0,"h":0.1,"i":"NaN","j":"-Infinity","k":"Infinity"}"#
    )));
    let format = Format::builder().wide_integers(WideIntegers::Digits).build().unwrap();
    let line = text(&format, |record| record.field("c").u128(u128::MAX));
    assert!(line.ends_with(r#""c":340282366920938463463374607431768211455}"#));
}

#[test]
fn extreme_floats_read_back_equal() {
    for value in [
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        5e-324,
        -5.7142808126146e-310,
        1e16,
        1e21,
        123_456.789,
    ] {
        let line = text(&Format::default(), |record| record.field("f").f64(value));
        let digits = line.rsplit_once(':').unwrap().1.trim_end_matches('}');
        assert_eq!(digits.parse::<f64>(), Ok(value));
    }
}

#[test]
fn every_character_that_matters_is_escaped() {
    let all: String = ('\0'..='\u{A1}')
        .chain("é—€日本\u{2027}".chars())
        .chain('\u{2028}'..='\u{202F}')
        .chain('\u{2065}'..='\u{206A}')
        .chain("😀\u{FFFF}\u{1b}[31m".chars())
        .collect();
    let json = read(|record| {
        record.message().str(&all);
        record.field(&all).str(&all);
        record.field("c").char('\u{9b}');
    });
    assert_eq!(json["message"], all);
    assert_eq!(json[&all], all);
    let line = text(&Format::default(), |record| {
        record.message().str("\u{8}\t\n\u{c}\r\"\\\0\u{1f}\u{7f}\u{80}\u{2028}\u{2069}/é");
    });
    let expected = r#""\b\t\n\f\r\"\\\u0000\u001f\u007f\u0080\u2028\u2069/é"}"#;
    assert!(line.ends_with(expected), "{line}");
}

#[test]
fn an_escape_is_found_at_every_place_of_a_string() {
    for len in 0..40 {
        for at in 0..=len {
            let text = format!("{}\u{1b}{}", "x".repeat(at), "~".repeat(len - at));
            assert_eq!(read(|record| record.message().str(&text))["message"], text);
        }
    }
}

#[test]
fn bytes_chars_null_and_debug_have_their_forms() {
    let json = read(|record| {
        record.field("bytes").bytes(&[0, 0x7f, 0xff]);
        record.field("many").bytes(&[0xab; 100]);
        record.field("char").char('"');
        record.field("null").null();
        record.field("debug").debug(&"a\"b");
        record.field("args").args(format_args!("{}-{}", 1, "\n"));
        let _ = record.field("nothing");
    });
    assert_eq!(json["bytes"], "007fff");
    assert_eq!(json["many"], "ab".repeat(100));
    assert_eq!(json["char"], "\"");
    assert_eq!(json["null"], json!(null));
    assert_eq!(json["debug"], r#""a\"b""#);
    assert_eq!(json["args"], "1-\n");
    assert_eq!(json.get("nothing"), None);
}

#[derive(Debug)]
enum Bad {
    Fails,
    Panics,
    PanicsWithBomb,
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the payload panics when dropped");
    }
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("half \" written")?;
        match self {
            Bad::Fails => Err(fmt::Error),
            Bad::Panics => panic!("on purpose"),
            Bad::PanicsWithBomb => std::panic::panic_any(Bomb),
        }
    }
}

#[test]
fn a_value_that_fails_or_panics_leaves_a_marker_and_the_rest() {
    let encoded = encode(&Format::default(), |record| {
        record.field("before").u64(1);
        record.field("fails").display(&Bad::Fails);
        record.field("panics").display(&Bad::Panics);
        record.message().args(format_args!("m {}", Bad::Panics));
        record.field("bomb").display(&Bad::PanicsWithBomb);
        record.field("fails").u64(2);
    });
    let json = super::reader::check_line(&encoded.result);
    assert_eq!(json["fails"], FORMAT_ERROR);
    assert_eq!(json["panics"], FORMAT_PANIC);
    assert_eq!(json["message"], FORMAT_PANIC);
    assert_eq!(json["bomb"], FORMAT_PANIC);
    assert_eq!((&json["before"], &json["fails_"]), (&json!(1), &json!(2)));
    assert_eq!(encoded.format_errors, 4);
    assert!(!encoded.truncated);
}

#[test]
fn a_panic_between_fields_keeps_the_fields_before() {
    let encoded = encode(&Format::default(), |record| {
        record.field("before").u64(1);
        panic!("on purpose");
    });
    assert_eq!(super::reader::check_line(&encoded.result)["before"], 1);
    assert_eq!(encoded.format_errors, 1);
}

#[test]
fn a_span_takes_over_values_encoded_apart() {
    let format = Format::default();
    let (mut span, mut newer) = (format.span("s"), format.span(""));
    span.record(0, "a").u64(1);
    span.record(1, "name").str("old");
    newer.record(2, "c").bool(true);
    newer.record(1, "name").display(&Bad::Panics);
    span.update(&newer, [(0, "a"), (1, "name"), (2, "c"), (3, "never")]);
    assert_eq!(span.json(), br#"{"name":"s","a":1,"name_":"<format_error: panic>","c":true}"#);
    assert!(!span.truncated());
    let mut long = format.span("");
    long.record(0, "a").str(&"x".repeat(2 << 20));
    span.update(&long, [(0, "a")]);
    assert!(span.truncated());
    assert!(serde_json::from_slice::<serde_json::Value>(&span.json()).is_ok());
}

#[test]
fn a_failing_value_of_a_span_is_counted_once() {
    let mut span = Format::default().span("s");
    span.record(0, "a").u64(1);
    span.record(0, "a").display(&Bad::Panics);
    assert_eq!(span.json(), br#"{"name":"s","a":"<format_error: panic>"}"#);
    assert_eq!((span.take_format_errors(), span.take_format_errors()), (1, 0));
}

#[derive(Debug)]
struct Chain(u32, Option<Box<Chain>>);

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error {}", self.0)
    }
}

impl Error for Chain {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}

#[derive(Debug)]
struct Cycle;

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("round")
    }
}

impl Error for Cycle {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&Cycle)
    }
}

#[test]
fn a_chain_of_errors_is_cut_at_sixteen_sources() {
    let long = (0..1000).fold(Chain(1000, None), |chain, n| Chain(999 - n, Some(Box::new(chain))));
    let json = read(|record| {
        record.field("plain").error(&Chain(7, None));
        record.field("two").error(&Chain(1, Some(Box::new(Chain(2, None)))));
        record.field("long").error(&long);
        record.field("cycle").error(&Cycle);
    });
    assert_eq!(json["plain"], "error 7");
    assert_eq!(json["two"], json!({"message": "error 1", "chain": ["error 2"]}));
    assert_eq!(json["long"]["message"], "error 0");
    assert_eq!(json["long"]["chain"].as_array().unwrap().len(), 16);
    assert_eq!(json["cycle"]["chain"], json!(vec!["round"; 16]));
}

/// An error whose source fails or panics while it is printed, or that panics when asked for it.
#[derive(Debug)]
enum Broken {
    Source(Bad),
    Asked,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken")
    }
}

impl Error for Broken {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Broken::Source(source) => Some(source),
            Broken::Asked => panic!("on purpose"),
        }
    }
}

impl Error for Bad {}

#[test]
fn an_error_that_fails_or_panics_anywhere_leaves_a_marker_and_the_rest() {
    for &schema in Schema::ALL {
        let format = Format::builder().schema(schema).build().unwrap();
        let encoded = encode(&format, |record| {
            record.field("itself").error(&Bad::Panics);
            record.field("fails").error(&Broken::Source(Bad::Fails));
            record.field("panics").error(&Broken::Source(Bad::Panics));
            record.field("asked").error(&Broken::Asked);
            record.field("after").u64(1);
        });
        let json = super::reader::check_line(&encoded.result);
        let fields = super::every_schema::fields(schema, &json);
        assert_eq!(
            (&fields["itself"], &fields["asked"]),
            (&FORMAT_PANIC.into(), &FORMAT_PANIC.into())
        );
        // That of tracing-subscriber shows no sources.
        let whole = schema == crate::json::Schema::Tracing;
        let or = |marker: &str| json!(if whole { "broken" } else { marker });
        assert_eq!((&fields["fails"], &fields["panics"]), (&or(FORMAT_ERROR), &or(FORMAT_PANIC)));
        assert_eq!(fields["after"], 1);
        assert_eq!(encoded.format_errors, if whole { 2 } else { 4 });
    }
}

/// Logs when printed, itself again until the count is used up.
struct Logs<'a>(u32, &'a Cell<Vec<String>>, &'a Cell<u32>);

impl fmt::Display for Logs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meta = crate::json::Meta::new(crate::Severity::Info, "inner");
        let inner = Format::default().encode(
            &meta,
            |record| match self.0 {
                0 => record.field("depth").u64(0),
                n => record.field("depth").display(&Logs(n - 1, self.1, self.2)),
            },
            |_, line| {
                let mut lines = self.1.take();
                lines.push(String::from_utf8(line.to_vec()).unwrap());
                self.1.set(lines);
            },
        );
        if inner.is_none() {
            self.2.set(self.2.get() + 1);
        }
        write!(f, "printed {}", self.0)
    }
}

#[test]
fn a_record_inside_a_record_comes_first_and_both_are_right() {
    let (lines, refused) = (Cell::new(Vec::new()), Cell::new(0));
    let json = read(|record| record.field("d").display(&Logs(2, &lines, &refused)));
    assert_eq!(json["d"], "printed 2");
    let lines = lines.take();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].contains(r#""target":"inner","depth":0}"#));
    assert!(lines[1].contains(r#""depth":"printed 0"}"#));
    assert!(lines[2].contains(r#""depth":"printed 1"}"#));
    assert_eq!(refused.get(), 0);
}

#[test]
fn an_endless_chain_of_records_ends_at_eight() {
    let (lines, refused) = (Cell::new(Vec::new()), Cell::new(0));
    read(|record| record.field("d").display(&Logs(u32::MAX, &lines, &refused)));
    assert_eq!((lines.take().len(), refused.get()), (7, 1));
    assert_eq!(read(|record| record.field("after").u64(1))["after"], 1);
}

/// Failed: the list was left open.
#[test]
fn spans_whose_iterator_panics_are_taken_back() {
    for &schema in Schema::ALL {
        let format = Format::builder().schema(schema).show(Part::Span).build().unwrap();
        for panics_at in 0..3 {
            let span = format.span("a");
            let encoded = encode(&format, |record| {
                record.field("x").u64(1);
                record.spans((0..3).map(|at| {
                    assert_ne!(at, panics_at, "on purpose");
                    &span
                }));
            });
            let line = String::from_utf8(encoded.result).unwrap();
            reader::check_line(line.as_bytes());
            assert!(line.contains("\"x\"") && !line.contains("\"a\""), "{line}");
            assert_eq!((encoded.format_errors, encoded.truncated), (1, false), "{line}");
        }
    }
}
