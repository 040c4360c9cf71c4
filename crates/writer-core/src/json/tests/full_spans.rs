//! Spans that are full: no old value is shown as the present one, and what is known by a field
//! stays known.

use std::time::UNIX_EPOCH;

use serde_json::{Value, json};

use super::{encode, reader::check_line};
use crate::Severity;
use crate::json::{EncodedSpan, Format, Meta, Part, Schema, SpanList, TOO_LONG};

const CAP: usize = 16 << 10;

fn format(schema: Schema) -> Format {
    Format::builder().schema(schema).max_record_bytes(CAP).build().unwrap()
}

/// An error with a source, which cannot be cut.
#[derive(Debug)]
struct Wraps(String, Option<Box<Wraps>>);

impl std::fmt::Display for Wraps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Wraps {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}

fn wraps(len: usize) -> Wraps {
    Wraps("e".repeat(len), Some(Box::new(Wraps("f".repeat(len), None))))
}

/// A span with a short value, filled up by one of another field.
fn full(format: &Format) -> EncodedSpan {
    let mut span = format.span("s");
    span.record(0, "state").u64(9);
    span.record(1, "body").str(&"b".repeat(CAP));
    assert!(span.truncated());
    span
}

/// The JSON of a value that is recorded in a span without others.
fn alone(format: &Format, record: &dyn Fn(&mut EncodedSpan)) -> String {
    let mut span = format.span("s");
    record(&mut span);
    String::from_utf8(span.value(0).unwrap().to_vec()).unwrap()
}

fn state(span: &EncodedSpan) -> String {
    let json = span.json();
    serde_json::from_slice::<serde_json::Value>(&json).unwrap();
    String::from_utf8(span.value(0).unwrap().to_vec()).unwrap()
}

// A counter that went from 9 to 10 was shown as 9 in every line inside.
#[test]
fn a_short_value_replaces_the_old_one_in_a_full_span() {
    let values: [&dyn Fn(&mut EncodedSpan); 6] = [
        &|span| span.record(0, "state").u64(100_000),
        &|span| span.record(0, "state").bool(false),
        &|span| span.record(0, "state").str("finished"),
        &|span| span.record(0, "state").i128(i128::MIN),
        &|span| span.record(0, "state").f64(f64::MIN_POSITIVE),
        &|span| span.record(0, "state").u64(7),
    ];
    for &schema in Schema::ALL {
        let format = format(schema);
        let mut span = full(&format);
        let len = span.json().len();
        for _ in 0..100 {
            for record in values {
                record(&mut span);
                assert_eq!(state(&span), alone(&format, record), "{schema:?}");
                let mut newer = format.span_update();
                record(&mut newer);
                let mut span = full(&format);
                span.update(&newer, [(0, "state")]);
                assert_eq!(state(&span), alone(&format, record), "{schema:?}");
            }
        }
        assert!(span.truncated() && span.json().len() < len + 64, "{schema:?}");
    }
}

#[test]
fn a_long_value_does_not_leave_the_old_one_in_a_full_span() {
    for schema in [Schema::Default, Schema::Tracing, Schema::Ecs, Schema::Logxpy] {
        let format = format(schema);
        for len in 0..400 {
            let (text, error) = ("t".repeat(len), wraps(len));
            let long: [&dyn Fn(&mut EncodedSpan); 3] = [
                &|span| span.record(0, "state").str(&text),
                &|span| span.record(0, "state").bytes(text.as_bytes()),
                &|span| span.record(0, "state").error(&error),
            ];
            for record in long {
                let mut span = full(&format);
                record(&mut span);
                assert_ne!(state(&span), "9", "{schema:?} {len}");
                let mut newer = format.span_update();
                record(&mut newer);
                let mut span = full(&format);
                span.update(&newer, [(0, "state")]);
                assert_ne!(state(&span), "9", "{schema:?} {len}");
                assert!(span.value(0).unwrap().len() < 192, "{schema:?} {len}");
                span.record(0, "state").u64(10);
                assert_eq!(state(&span), "10", "{schema:?} {len}");
            }
        }
    }
}

#[test]
fn a_value_that_cannot_be_cut_becomes_a_marker_in_a_full_span() {
    let format = format(Schema::Default);
    let mut newer = format.span_update();
    let error = std::io::Error::other(std::io::Error::other("x".repeat(100)));
    newer.record(0, "state").error(&error);
    newer.record(2, "new").error(&error);
    let mut span = full(&format);
    span.update(&newer, [(0, "state"), (2, "new")]);
    let shown = span.value(0).unwrap();
    assert!(shown.starts_with(b"\"xxx") || *shown == *json!(TOO_LONG).to_string().as_bytes());
    assert_eq!(span.value(2), None);
}

// A span with an error behind a long body was told to have succeeded, and belonged to no trace.
#[test]
fn what_is_known_by_a_field_is_known_of_a_full_span() {
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    for &schema in Schema::ALL {
        let format = format(schema);
        let whole = |span: &mut EncodedSpan| {
            span.record(2, "trace_id").str(trace);
            span.record(3, "span_id").str("00f067aa0ba902b7");
        };
        let (mut short, mut span) = (format.span("s"), full(&format));
        whole(&mut short);
        whole(&mut span);
        let len = span.json().len();
        assert_eq!((short.value(2), short.value(3)), (span.value(2), span.value(3)), "{schema:?}");
        span.record(4, "error").str(&"e".repeat(9000));
        span.record(5, "errors").u64(1);
        assert!(span.value(4).is_some() && span.value(5).is_none(), "{schema:?}");
        assert!(span.json().len() < len + 192, "{schema:?}");
        encode(&format, |record| record.spans([&span]));
    }
}

// The name of a trace in Google Cloud, behind a long body, was shown without its last digits: lines
// of several traces came under one.
#[test]
fn a_full_span_is_in_the_trace_that_its_field_names_or_in_none() {
    for schema in [Schema::Default, Schema::Ecs, Schema::Gcp, Schema::Otel] {
        let builder = Format::builder().schema(schema).max_record_bytes(CAP);
        let format =
            builder.hide(Part::Spans).show(Part::TraceId).show(Part::SpanId).build().unwrap();
        // What is left of a line when what tells of the cut is gone.
        let ids = |span: &EncodedSpan| {
            let meta = Meta::new(Severity::Info, "shop").time(UNIX_EPOCH);
            let encoded =
                format.encode(&meta, |record| record.spans([span]), |_, line| line.to_vec());
            let mut line: Value = serde_json::from_slice(&encoded.unwrap().result).unwrap();
            let top = line.as_object_mut().unwrap();
            top.retain(|key, _| !["truncated", "original_bytes"].contains(&key.as_str()));
            if let Some(record) = line.pointer_mut("/resourceLogs/0/scopeLogs/0/logRecords/0") {
                record.as_object_mut().unwrap().remove("attributes");
            }
            line
        };
        for part in ["a", "é", "\u{1b}", "\"", "🌍"] {
            for len in 1..200 {
                let id = part.repeat(len);
                let [mut short, mut late, mut again, mut updated] =
                    [format.span("s"), full(&format), full(&format), full(&format)];
                again.record(2, "trace_id").str("-");
                let mut newer = format.span_update();
                for span in [&mut short, &mut late, &mut again, &mut newer] {
                    span.record(2, "trace_id").str(&id);
                }
                updated.update(&newer, [(2, "trace_id")]);
                for span in [late, again, updated] {
                    assert_eq!(ids(&span), ids(&short), "{schema:?} {id}");
                }
            }
        }
    }
}

// 64 spans of 200 000 bytes, with one event in each, took 559 MB.
#[test]
fn a_list_that_no_line_can_hold_takes_no_more_memory_than_one() {
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    for &schema in Schema::ALL {
        for flat in [false, true] {
            let builder = |cap| {
                let builder = Format::builder().schema(schema).span(true).max_record_bytes(cap);
                let builder = if flat { builder.flatten_spans() } else { builder };
                builder.hide(Part::TaskLevel).build().unwrap()
            };
            let line = |cap: usize| {
                let format = builder(cap);
                let (mut list, mut spans) = (SpanList::new(), Vec::new());
                for at in 0..12 {
                    let mut span = format.span("s");
                    if at == 0 {
                        span.record(0, "trace_id").str(trace);
                    }
                    span.record(1, &format!("body{at}")).str(&"b".repeat(2_000));
                    list.push(&span);
                    spans.push(span);
                    assert!(list.bytes.len() <= cap || schema == Schema::Logxpy || flat);
                }
                let listed = encode(&format, |record| record.span_list(&list));
                let direct = encode(&format, |record| record.spans(&spans));
                assert_eq!(listed.truncated, direct.truncated);
                String::from_utf8(listed.result).unwrap()
            };
            let (cut, whole) = (line(CAP), line(1 << 20));
            let digits = cut.split_once("original_bytes").unwrap().1.chars();
            let digits: String = digits
                .skip_while(|char| !char.is_ascii_digit())
                .take_while(char::is_ascii_digit)
                .collect();
            assert_eq!(digits.parse::<usize>().unwrap(), whole.len(), "{schema:?} {flat}");
            let shown = |line: &str| line.contains(trace);
            let taken = [Schema::Ecs, Schema::Gcp].contains(&schema);
            assert!(shown(&whole) && (!taken || shown(&cut)), "{schema:?} {flat}");
        }
    }
}

#[test]
fn a_span_that_is_released_is_its_name() {
    for &schema in Schema::ALL {
        let format = format(schema);
        let (mut span, mut short) = (full(&format), format.span("s"));
        span.release();
        assert_eq!(span.json(), short.json(), "{schema:?}");
        short.record(0, "state").u64(1);
        let before = short.json();
        short.release();
        assert_eq!(short.json(), before, "{schema:?}");
    }
}

#[test]
fn the_original_length_counts_a_value_that_is_too_long_for_a_full_span() {
    let mut shortened = 0;
    for len in 0..200 {
        let error = wraps(len);
        let line = |bytes: usize| {
            let format = Format::builder().max_record_bytes(bytes).build().unwrap();
            let mut span = format.span("s");
            span.record(0, "state").u64(9);
            span.record(1, "body").str(&"b".repeat(5_000));
            let mut newer = format.span_update();
            newer.record(0, "state").error(&error);
            span.update(&newer, [(0, "state")]);
            encode(&format, |record| record.spans([&span]))
        };
        let (whole, cut) = (line(1 << 20), line(16 << 10));
        let text = String::from_utf8(cut.result.clone()).unwrap();
        shortened += usize::from(text.contains("too long"));
        let original = check_line(&cut.result)["original_bytes"].as_u64().unwrap();
        assert_eq!(original, whole.result.len() as u64, "{len} {}", text.contains("too long"));
    }
    assert!(shortened > 0);
}

#[test]
fn a_promised_value_that_cannot_be_cut_becomes_a_marker_in_a_full_span() {
    let format = Format::builder().max_record_bytes(16 << 10).build().unwrap();
    let mut marked = 0;
    for len in 0..200 {
        let error = wraps(len);
        let mut span = format.span("s");
        span.record(1, "body").str(&"b".repeat(5_000));
        let mut newer = format.span_update();
        newer.record(0, "error").error(&error);
        span.update(&newer, [(0, "error")]);
        let value = span.value(0).unwrap();
        serde_json::from_slice::<serde_json::Value>(value).unwrap();
        assert!(value.len() < 192, "{len} {}", value.len());
        marked += usize::from(value == b"\"<too long>\"");
    }
    assert!(marked > 0);
}
