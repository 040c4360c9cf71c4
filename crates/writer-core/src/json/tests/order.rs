//! The order of the members, where a specification asks for one.

use serde_json::json;

use super::reader::check_line;
use super::schemas::{schema, text};
use crate::Severity;
use crate::json::{Format, Part, Record, Schema, SpanList};

/// The keys of a line at the top level, in their order.
fn keys(line: &str) -> Vec<String> {
    let (mut depth, mut keys, mut at) = (0, Vec::new(), 0);
    let bytes = line.as_bytes();
    while at < bytes.len() {
        match bytes[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b'"' => {
                let start = at + 1;
                at += 1;
                while bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                if depth == 1 && bytes[at + 1] == b':' {
                    keys.push(line[start..at].to_owned());
                }
            }
            _ => {}
        }
        at += 1;
    }
    keys
}

/// <https://github.com/elastic/ecs-logging/blob/main/spec/README.md>: "The ordering of the next three
/// keys must be respected in every ecs-logging library: `@timestamp`, `log.level`, `message`", and
/// the fourth is `ecs.version`.
const FIRST: [&str; 4] = ["@timestamp", "log.level", "message", "ecs.version"];

#[test]
fn ecs_begins_with_the_four_keys_of_ecs_logging_whenever_the_message_comes() {
    let base = || schema(Schema::Ecs).static_field("service.name", |v| v.str("shop"));
    let builders = [
        base(),
        base().nest_fields("labels"),
        base().flatten_spans(),
        base().sequence(true).show(Part::ThreadId).show(Part::Module),
        base().show(Part::TaskId).show(Part::TaskLevel).show(Part::ProcessId),
        base().redact(["a"]),
        base().level_names(["trace", "debug", "informational", "warning", "error"]),
    ];
    for builder in builders {
        // Two lines of one record differ in their numbers and in their places in the task.
        let numbered = builder.sequence || builder.shown[Part::TaskLevel as usize].is_some();
        let format = builder.build().unwrap();
        let mut server = format.span("server");
        server.record(0, "trace_id").str("4bf92f3577b34da6a3ce929d0e0e4736");
        server.record(1, "a").u64(2);
        let mut list = SpanList::new();
        list.push(&server);
        list.push(&format.child_span("request", &server));
        let lines: Vec<String> = (0..4)
            .map(|late| {
                let fill = |record: &mut Record<'_>| {
                    for step in 0..4 {
                        if step == late {
                            record.message().str("m \u{1b}");
                        }
                        match step {
                            0 => record.field("a").u64(1),
                            1 => record.field("message").str("field"),
                            2 => record.span_list(&list),
                            _ => record.field("z").u64(1),
                        }
                    }
                };
                if numbered {
                    let meta = super::schemas::meta(Severity::Info);
                    let keep = |_, line: &[u8]| String::from_utf8(line.to_vec()).unwrap();
                    return format.encode(&meta, fill, keep).unwrap().result;
                }
                text(&format, Severity::Info, fill)
            })
            .collect();
        for line in &lines {
            let json = check_line(line.as_bytes());
            let keys = keys(line);
            assert_eq!(keys[..4], FIRST, "{line}");
            // What never changes, then the rest of the metadata, then the ids.
            let place = |key: &str| keys.iter().position(|other| other == key);
            assert!(place("service.name") < place("log.logger"), "{line}");
            assert!(place("log.logger") < place("trace.id"), "{line}");
            let fields = if json["labels"].is_object() { &json["labels"] } else { &json };
            assert_eq!(json["message"], "m \u{1b}");
            assert!(fields["a"].is_u64() || fields["a"] == "[redacted]", "{line}");
            assert_eq!(json["trace.id"], "4bf92f3577b34da6a3ce929d0e0e4736");
            assert_eq!(json["z"].as_u64().or(fields["z"].as_u64()), Some(1), "{line}");
        }
    }
}

#[test]
fn ecs_begins_as_demanded_without_a_message_too_unless_it_is_hidden() {
    let format = schema(Schema::Ecs).build().unwrap();
    let line = text(&format, Severity::Error, |record| record.field("a").u64(1));
    // Elastic's spec.json of ECS logging demands one in each line.
    assert_eq!(keys(&line)[..4], FIRST);
    assert!(line.contains(r#""message":"","#), "{line}");
    let hidden = schema(Schema::Ecs).hide(Part::Timestamp).hide(Part::Level).hide(Part::Target);
    let line = text(&hidden.build().unwrap(), Severity::Info, |r| r.message().str("m"));
    assert_eq!(keys(&line)[..2], ["message", "ecs.version"]);
    let none = schema(Schema::Ecs).hide(Part::Message).build().unwrap();
    let line = text(&none, Severity::Info, |record| {
        record.message().str("m");
        record.field("message").u64(1);
    });
    assert!(line.ends_with("\"message\":1}\n"), "{line}");
}

#[test]
fn the_members_of_a_task_stay_whole_in_a_line_whose_message_comes_first() {
    let format = schema(Schema::Ecs).show(Part::TaskId).show(Part::TaskLevel).build().unwrap();
    let (mut outer, mut list) = (format.span("outer"), SpanList::new());
    outer.record(0, "trace_id").str("t");
    list.push(&outer);
    list.push(&format.child_span("inner", &outer));
    for late in [false, true] {
        let encoded = super::encode(&format, |record| {
            record.field("task_id").u64(1);
            if !late {
                record.message().str("m");
            }
            record.span_list(&list);
            record.message().str("m or a field");
        });
        let json = check_line(&encoded.result);
        assert!(json["task_id"].as_str().unwrap().contains('.'), "{json}");
        assert_eq!(json["task_level"], json!([2, 2 + u64::from(late)]));
        assert_eq!((&json["task_id_"], &json["trace.id"]), (&json!(1), &json!("t")));
    }
}

#[test]
fn a_message_that_comes_first_is_cut_at_every_size_around_the_cap() {
    let format = schema(Schema::Ecs).max_record_bytes(4096).build().unwrap();
    let mut span = format.span("s");
    span.record(0, "trace_id").str("4bf92f3577b34da6a3ce929d0e0e4736");
    for size in (0..200).chain(3400..4200) {
        for late in [false, true] {
            let message = "é".repeat(size / 2);
            let line = text(&format, Severity::Info, |record| {
                if !late {
                    record.message().str(&message);
                }
                record.field("k").str("value");
                record.spans([&span]);
                if late {
                    record.message().str(&message);
                }
            });
            assert!(line.len() <= 4096, "{size}");
            assert_eq!(keys(&line)[..4], FIRST, "{size} {line}");
        }
    }
}

#[test]
fn the_other_schemas_have_the_message_after_the_metadata() {
    let line = text(&Format::default(), Severity::Info, |record| {
        record.field("a").u64(1);
        record.message().str("m");
    });
    assert_eq!(keys(&line), ["timestamp", "level", "target", "message", "a"]);
}
