//! Messages that are no text.

use std::fmt;

use serde_json::{Value as Json, json};

use super::{encode, reader};
use crate::json::{Format, Part, Record, Schema, TOO_LONG};

#[derive(Debug)]
struct Broken(Option<Box<Broken>>);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken, \"so\"")
    }
}

impl std::error::Error for Broken {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.as_deref().map(|source| source as &dyn std::error::Error)
    }
}

type Fill = fn(&mut Record<'_>);

/// Messages that are no text, each with the text that stands for it.
const FILLS: [(Fill, &str); 7] = [
    (|record| record.message().u64(5), "5"),
    (|record| record.message().f64(-0.5), "-0.5"),
    (|record| record.message().bool(true), "true"),
    (|record| record.message().null(), ""),
    (|record| record.message().u128(5), "5"),
    (|record| record.message().error(&Broken(None)), "broken, \"so\""),
    (
        |record| record.message().error(&Broken(Some(Box::new(Broken(None))))),
        r#"{"message":"broken, \"so\"","chain":["broken, \"so\""]}"#,
    ),
];

fn demanding() -> [(Schema, &'static str); 2] {
    [(Schema::Bunyan, "msg"), (Schema::Ecs, "message")]
}

// The program `bunyan` ended at the first line with a message that was a number; ECS logging's
// specification has a string.
#[test]
fn a_message_is_a_string_where_readers_demand_one() {
    for (schema, key) in demanding() {
        let base = || Format::builder().schema(schema);
        let builders = [
            base(),
            base().nest_fields("fields"),
            base().show(Part::TaskId).show(Part::ThreadName).sequence(true),
            base().redact(["b"]),
            base().show(Part::TraceId).show(Part::SpanId),
        ];
        for (builder, (message, text)) in builders.iter().flat_map(|b| FILLS.map(|f| (b, f))) {
            let format = builder.clone().build().unwrap();
            let mut span = format.span("s");
            span.record(0, "trace_id").str("4bf92f3577b34da6a3ce929d0e0e4736");
            for late in [false, true] {
                let encoded = encode(&format, |record| {
                    if !late {
                        message(record);
                    }
                    record.field("a").u64(1);
                    record.field("b").str("2");
                    if late {
                        message(record);
                    }
                    record.spans([&span]);
                });
                let json = reader::check_line(&encoded.result);
                assert_eq!(json[key], text, "{json}");
                let fields = json.get("fields").unwrap_or(&json);
                assert_eq!((&fields["a"], &json["spans"][0]["name"]), (&json!(1), &json!("s")));
                assert!(fields["b"].is_string() && !encoded.truncated, "{json}");
            }
        }
    }
}

#[test]
fn a_message_keeps_its_type_where_readers_take_any() {
    for &schema in Schema::ALL.iter().filter(|&&schema| demanding().iter().all(|d| d.0 != schema)) {
        let format = Format::builder().schema(schema).build().unwrap();
        let line = encode(&format, |record| record.message().u64(5)).result;
        let line = String::from_utf8(line).unwrap();
        assert!(line.contains(":5") || line.contains("{\"intValue\":\"5\"}"), "{line}");
    }
}

#[test]
fn a_message_that_becomes_a_string_keeps_the_cap() {
    for (schema, key) in demanding() {
        let format = Format::builder().schema(schema).max_record_bytes(4096).build().unwrap();
        for (message, text) in FILLS {
            for pad in 3500..3850 {
                for late in [false, true] {
                    let encoded = encode(&format, |record| {
                        if !late {
                            message(record);
                        }
                        record.field("pad").str(&"p".repeat(pad));
                        if late {
                            message(record);
                        }
                    });
                    assert!(encoded.result.len() <= 4096, "{} {pad}", encoded.result.len());
                    let json = reader::check_line(&encoded.result);
                    assert_eq!(json.get("truncated").is_some(), encoded.truncated, "{json}");
                    let found = json.get(key).and_then(Json::as_str);
                    let whole = found == Some(text);
                    assert!(whole || encoded.truncated, "{late} {json}");
                    assert!(found.is_some() || schema == Schema::Ecs, "{json}");
                }
            }
        }
    }
}

/// Failed: the line had an empty message, as that of a record without one has, and was said to have
/// been longer than it was.
#[test]
fn a_message_that_did_not_fit_is_not_taken_for_one_that_was_not_there() {
    for (schema, key) in demanding() {
        let line = |cap: usize| {
            let format = Format::builder().schema(schema).max_record_bytes(cap).build().unwrap();
            let encoded = encode(&format, |record| {
                record.field("pad").str(&"p".repeat(5000));
                record.message().str("disk full");
            });
            (encoded.result.len(), reader::check_line(&encoded.result))
        };
        let (whole, json) = line(1 << 20);
        assert_eq!(json[key], "disk full");
        let (_, json) = line(4096);
        assert_eq!((&json[key], &json["truncated"]), (&json!(TOO_LONG), &json!(true)), "{json}");
        assert_eq!(json["original_bytes"], whole, "{json}");
    }
}

/// Failed: a line that was cut inside a span of a trace had none.
#[test]
fn a_message_is_there_in_every_line_that_is_cut() {
    for (schema, key) in demanding() {
        let builder = Format::builder().schema(schema).show(Part::TraceId).show(Part::SpanId);
        let format = builder.show(Part::TaskId).max_record_bytes(4096).build().unwrap();
        let mut span = format.span("s");
        span.record(0, "trace_id").str("4bf92f3577b34da6a3ce929d0e0e4736");
        span.record(1, "span_id").str("00f067aa0ba902b7");
        for pad in 2800..4100 {
            for sent in [false, true] {
                let encoded = encode(&format, |record| {
                    record.field("pad").str(&"p".repeat(pad));
                    if sent {
                        record.message().str("disk full");
                    }
                    record.spans([&span]);
                });
                assert!(encoded.result.len() <= 4096);
                let json = reader::check_line(&encoded.result);
                let expected: &[&str] = if sent { &["disk full", TOO_LONG] } else { &[""] };
                let found = json.get(key).and_then(Json::as_str);
                assert!(found.is_some_and(|found| expected.contains(&found)), "{pad} {json}");
            }
        }
    }
}
