//! Each schema has the shape of the specification it is named after.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value as Json, json};

use super::otel::record_of;
use super::reader::check_line;
use crate::Severity;
use crate::json::{Format, FormatBuilder, Meta, Part, Record, Schema, SpanList};

pub(super) const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
pub(super) const SPAN: &str = "00f067aa0ba902b7";

pub(super) fn meta(severity: Severity) -> Meta<'static> {
    Meta::new(severity, "shop::orders")
        .module(Some("shop::orders"))
        .file(Some("src/orders.rs"))
        .line(Some(42))
        .time(UNIX_EPOCH + Duration::from_micros(1_770_563_890_786_117))
}

pub(super) fn schema(schema: Schema) -> FormatBuilder {
    Format::builder().schema(schema)
}

/// Encodes one record through the format and through a call site, which must agree.
pub(super) fn text(format: &Format, severity: Severity, fill: impl Fn(&mut Record<'_>)) -> String {
    let meta = meta(severity);
    let keep = |_: Severity, line: &[u8]| String::from_utf8(line.to_vec()).unwrap();
    let line = format.encode(&meta, &fill, keep).unwrap().result;
    let time = UNIX_EPOCH + Duration::from_micros(1_770_563_890_786_117);
    let site = format.call_site(&meta, ["not_written"]);
    let other = site.encode(Some(time), &fill, keep).unwrap().result;
    if !line.contains("\"lvl\":[2") {
        assert_eq!(line, other);
    }
    check_line(line.as_bytes());
    line
}

pub(super) fn read(format: &Format, fill: impl Fn(&mut Record<'_>)) -> Json {
    check_line(text(format, Severity::Info, fill).as_bytes())
}

/// Message, a field, one that clashes with each of the keys, and two spans with ids.
pub(super) fn busy(format: &Format, clashes: &[&str]) -> Json {
    let mut server = format.span("server");
    server.record(0, "trace_id").str(TRACE);
    server.record(1, "span_id").str("0000000000000001");
    let mut request = format.child_span("request", &server);
    request.record(0, "span_id").str(SPAN);
    request.record(1, "name").str("n");
    read(format, |record| {
        record.message().str("handled");
        record.field("user_id").u64(7);
        for key in clashes {
            record.field(key).bool(true);
        }
        record.spans([&server, &request]);
    })
}

#[test]
fn tracing_is_what_tracing_subscriber_prints() {
    // https://docs.rs/tracing-subscriber/latest/tracing_subscriber/fmt/format/struct.Json.html
    // and the members written by its `fmt/format/json.rs`.
    let format = schema(Schema::Tracing).build().unwrap();
    let plain = read(&format, |record| record.message().str("m"));
    let expected = json!({
        "timestamp": "2026-02-08T15:18:10.786117Z", "level": "INFO", "target": "shop::orders",
        "fields": {"message": "m"},
    });
    assert_eq!(plain, expected);
    let json = busy(&format, &["level", "message", "span"]);
    assert_eq!(
        json["fields"],
        json!({"message": "handled", "user_id": 7, "level": true, "message_": true, "span": true})
    );
    let server = json!({"name": "server", "trace_id": TRACE, "span_id": "0000000000000001"});
    let request = json!({"name": "request", "span_id": SPAN, "name_": "n"});
    assert_eq!((&json["span"], &json["spans"]), (&request, &json!([server, request])));
    let parts = [Part::File, Part::Line, Part::ThreadName, Part::ThreadId];
    let format = parts.into_iter().fold(schema(Schema::Tracing), FormatBuilder::show);
    let json = read(&format.build().unwrap(), |_| {});
    let thread = std::thread::current();
    assert_eq!((&json["filename"], &json["line_number"]), (&json!("src/orders.rs"), &json!(42)));
    assert_eq!(json["threadName"], thread.name().unwrap());
    assert_eq!(json["threadId"], format!("{:?}", thread.id()));
    assert_eq!(json["fields"], json!({}));
}

#[test]
fn ecs_has_the_keys_of_ecs_logging() {
    // https://github.com/elastic/ecs-logging/blob/main/spec/spec.json: `@timestamp`, `log.level`,
    // `message` and `ecs.version` are required, those with dots "at the top level".
    // https://www.elastic.co/guide/en/ecs/current/ecs-log.html, ecs-process.html, ecs-tracing.html
    let format = schema(Schema::Ecs).show(Part::ThreadName).show(Part::ProcessId).build().unwrap();
    let plain = read(&format, |record| {
        record.message().str("m");
        record.field("f").f64(f64::NAN);
    });
    let expected = json!({
        "@timestamp": "2026-02-08T15:18:10.786117Z", "log.level": "INFO", "message": "m",
        "ecs.version": "8.11.0", "log.logger": "shop::orders",
        "log.origin.file.name": "src/orders.rs", "log.origin.file.line": 42,
        "process.thread.name": std::thread::current().name().unwrap(),
        "process.pid": std::process::id(), "f": null,
    });
    assert_eq!(plain, expected);
    let objects = ["log.origin", "log.origin.file", "process.thread", "span"];
    let json = busy(&format, &objects);
    assert!(objects.iter().all(|key| json[format!("{key}_")] == true), "{json}");
    let json = busy(&format, &["log.level", "log", "message", "trace.id", "level"]);
    assert_eq!((&json["trace.id"], &json["span.id"]), (&json!(TRACE), &json!(SPAN)));
    for key in ["log.level_", "log_", "message_", "trace.id_", "level"] {
        assert_eq!(json[key], true, "{key}");
    }
    assert_eq!(json["spans"][1]["name"], "request");
    // https://www.elastic.co/guide/en/ecs/current/ecs-custom-fields-in-ecs.html
    let own = schema(Schema::Ecs).nest_fields("shop").build().unwrap();
    let json = busy(&own, &["error", "log.level"]);
    assert_eq!(json["shop"], json!({"user_id": 7, "error": true, "log.level": true}));
    assert_eq!((&json["error"], &json["log.level"]), (&Json::Null, &json!("INFO")));
}

#[test]
fn gcp_has_the_special_fields_of_cloud_logging() {
    // https://cloud.google.com/logging/docs/structured-logging#special-payload-fields,
    // https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#LogSeverity and
    // …#LogEntrySourceLocation, where the line is an int64, in JSON a string.
    let format = schema(Schema::Gcp).build().unwrap();
    let plain = read(&format, |record| {
        record.message().str("m");
        record.field("f").f32(f32::INFINITY);
    });
    let expected = json!({
        "time": "2026-02-08T15:18:10.786117Z", "severity": "INFO", "message": "m",
        "target": "shop::orders", "f": null,
        "logging.googleapis.com/sourceLocation":
            {"file": "src/orders.rs", "line": "42", "function": "shop::orders"},
    });
    assert_eq!(plain, expected);
    let json = busy(&format, &["severity", "time", "file", "logging.googleapis.com/trace"]);
    assert_eq!(json["logging.googleapis.com/trace"], TRACE);
    assert_eq!(json["logging.googleapis.com/spanId"], SPAN);
    for key in ["severity_", "time_", "file", "logging.googleapis.com/trace_"] {
        assert_eq!(json[key], true, "{key}");
    }
    let names = Severity::ALL.map(|severity| {
        let line = text(&format, severity, |_| {});
        check_line(line.as_bytes())["severity"].as_str().unwrap().to_owned()
    });
    assert_eq!(names, ["DEBUG", "DEBUG", "INFO", "WARNING", "ERROR"]);
}

#[test]
fn gcp_names_the_trace_with_its_project() {
    // https://cloud.google.com/trace/docs/trace-log-integration: "the trace field must be set to a
    // string with the following format: projects/PROJECT_ID/traces/TRACE_ID", and the span's id is
    // "the 16-character hexadecimal encoding".
    const PREFIX: &str = "projects/shop-4711/traces/";
    let key = "logging.googleapis.com/trace";
    let format = schema(Schema::Gcp).trace_prefix(PREFIX).build().unwrap();
    let json = busy(&format, &[key]);
    assert_eq!(json[key], format!("{PREFIX}{TRACE}"));
    assert_eq!(json["logging.googleapis.com/spanId"], SPAN);
    assert_eq!(json["spans"][0]["trace_id"], TRACE);
    let mut list = SpanList::new();
    list.push(&format.span("s"));
    list.set_trace([0xAB; 16], [1; 8]);
    let json = read(&format, |record| record.span_list(&list));
    assert_eq!(json[key], format!("{PREFIX}{}", "ab".repeat(16)));
    // What is no id of W3C is written as it is: a name that is whole already, or another system's
    // id.
    for other in ["projects/other/traces/4bf92f3577b34da6a3ce929d0e0e4736", "12345", "\u{1b}"] {
        let mut span = format.span("s");
        span.record(0, "trace_id").str(other);
        assert_eq!(read(&format, |record| record.spans([&span]))[key], other);
    }
    // The same option in every schema but that of OTLP, whose ids are digits and nothing else.
    let json = busy(&schema(Schema::Ecs).trace_prefix("a\"/").build().unwrap(), &[]);
    assert_eq!(json["trace.id"], format!("a\"/{TRACE}"));
    let json = busy(&schema(Schema::Otel).trace_prefix("a/").build().unwrap(), &[]);
    assert_eq!(record_of(&json).0["traceId"], TRACE);
}

#[test]
fn a_record_outside_spans_can_carry_the_trace_where_the_part_is_hidden() {
    let keys = ["logging.googleapis.com/trace", "logging.googleapis.com/spanId"];
    let builder = schema(Schema::Gcp).hide(Part::TraceId).hide(Part::SpanId);
    let json = read(&builder.build().unwrap(), |record| {
        keys.iter().for_each(|key| record.field(key).str("projects/p/traces/1"));
    });
    assert!(keys.iter().all(|key| json[key] == "projects/p/traces/1"), "{json}");
}

#[test]
fn bunyan_has_the_core_fields() {
    // https://github.com/trentm/node-bunyan#core-fields: v, level, name, hostname, pid, time, msg
    let format = schema(Schema::Bunyan).static_field("name", |v| v.str("shop")).build().unwrap();
    let json = busy(&format, &["name", "pid", "v", "msg"]);
    let hostname = json["hostname"].as_str().unwrap();
    assert!(!hostname.is_empty());
    let plain = read(&format, |record| record.message().str("m"));
    let expected = json!({
        "v": 0, "name": "shop", "hostname": hostname, "pid": std::process::id(), "level": 30,
        "time": "2026-02-08T15:18:10.786117Z", "msg": "m", "target": "shop::orders",
    });
    assert_eq!(plain, expected);
    for key in ["name_", "pid_", "v_", "msg_"] {
        assert_eq!(json[key], true, "{key}");
    }
    let levels = Severity::ALL.map(|severity| {
        check_line(text(&format, severity, |_| {}).as_bytes())["level"].as_u64().unwrap()
    });
    assert_eq!(levels, [10, 20, 30, 40, 50]);
    let format = schema(Schema::Bunyan).build().unwrap();
    assert!(read(&format, |_| {})["name"].as_str().unwrap().starts_with("writer_core"));
}

#[test]
fn the_default_schema_shows_ids_where_asked() {
    let format = Format::builder().show(Part::TraceId).show(Part::SpanId).build().unwrap();
    let json = busy(&format, &["trace_id"]);
    assert_eq!((&json["trace_id"], &json["span_id"]), (&json!(TRACE), &json!(SPAN)));
    assert_eq!(json["trace_id_"], true);
    let json = busy(&Format::default(), &["trace_id"]);
    assert_eq!((&json["trace_id"], json.get("span_id")), (&json!(true), None));
}

#[test]
fn ids_given_with_the_list_fill_what_fields_leave_out() {
    // 16 and 8 bytes, in lower-case hexadecimal digits; zeros are no id:
    // https://www.w3.org/TR/trace-context/#trace-id, …/#parent-id
    let trace = u128::from_str_radix(TRACE, 16).unwrap().to_be_bytes();
    let span = u64::from_str_radix(SPAN, 16).unwrap().to_be_bytes();
    let shown = |kind| schema(kind).show(Part::TraceId).show(Part::SpanId);
    let places = [
        (schema(Schema::Ecs), "", "trace.id", "span.id"),
        (schema(Schema::Otel), "/resourceLogs/0/scopeLogs/0/logRecords/0", "traceId", "spanId"),
        (schema(Schema::Gcp), "", "logging.googleapis.com/trace", "logging.googleapis.com/spanId"),
        (shown(Schema::Bunyan), "", "trace_id", "span_id"),
        (shown(Schema::Tracing), "", "trace_id", "span_id"),
    ];
    let other = TRACE.replace('4', "5");
    let upper = TRACE.to_uppercase();
    for (builder, record, trace_key, span_key) in places {
        let format = builder.build().unwrap();
        assert!(format.shows_trace());
        let ids = |fields: &[(&str, &str)], trace: [u8; 16], span: [u8; 8]| {
            let mut encoded = format.span("s");
            for (id, (name, value)) in fields.iter().enumerate() {
                encoded.record(id as u32, name).str(value);
            }
            let mut list = SpanList::new();
            list.push(&encoded);
            list.set_trace(trace, span);
            let json = read(&format, |line| {
                line.field("trace_id").str("of the record");
                line.field("a").u64(1);
                line.span_list(&list);
                line.message().str("late");
            });
            if json.get("fields").is_some() {
                let expected = json!({"message": "late", "trace_id": "of the record", "a": 1});
                assert_eq!(json["fields"], expected);
            }
            let record = json.pointer(record).unwrap();
            [trace_key, span_key]
                .map(|key| record.get(key).and_then(Json::as_str).map(str::to_owned))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(ids(&[], trace, span), [some(TRACE), some(SPAN)]);
        assert_eq!(ids(&[], [0; 16], span), [None, None]);
        assert_eq!(ids(&[], trace, [0; 8]), [None, None]);
        assert_eq!(ids(&[("trace_id", &other)], trace, span), [Some(other.clone()), None]);
        assert_eq!(ids(&[("trace_id", &upper)], trace, span), [Some(upper.clone()), some(SPAN)]);
        let own = "1111111111111111";
        assert_eq!(ids(&[("span_id", own)], trace, span), [some(TRACE), some(own)]);
    }
    assert!(!Format::default().shows_trace());
}

#[test]
fn a_user_can_make_bunyan_from_the_default_schema() {
    let builder = Format::builder()
        .rename(Part::Timestamp, "time")
        .level_numbers([10, 20, 30, 40, 50])
        .rename(Part::Message, "msg")
        .show(Part::ProcessId)
        .rename(Part::ProcessId, "pid")
        .static_field("v", |value| value.u64(0))
        .static_field("name", |value| value.str("shop"))
        .static_field("hostname", |value| value.str("till"));
    let bunyan = schema(Schema::Bunyan)
        .static_field("name", |value| value.str("shop"))
        .static_field("hostname", |value| value.str("till"));
    let (own, bunyan) = (builder.clone().build().unwrap(), bunyan.build().unwrap());
    assert_eq!(busy(&own, &["pid", "v"]), busy(&bunyan, &["pid", "v"]));
    let names = builder.level_names(["t", "d", "i\n", "w", "e"]).build().unwrap();
    assert_eq!(read(&names, |_| {})["level"], "i\n");
    let grouped = Format::builder().show(Part::Line).group_source("src").build().unwrap();
    assert_eq!(read(&grouped, |_| {})["src"], json!({"line": 42}));
}

// A line of an event without a message had no `msg`, which bunyan's program does not take.
#[test]
fn a_line_of_bunyan_has_all_core_fields_also_without_a_message() {
    let plain = schema(Schema::Bunyan);
    let nested = schema(Schema::Bunyan).nest_fields("fields");
    let flat = schema(Schema::Bunyan).flatten_spans();
    let capped = schema(Schema::Bunyan).max_record_bytes(4096);
    for builder in [plain, nested, flat, capped] {
        let format = builder.build().unwrap();
        let mut span = format.span("s");
        span.record(0, "a").u64(1);
        for len in [0, 1, 5000] {
            let json = read(&format, |record| {
                record.field("text").str(&"x".repeat(len));
                record.field("msg").u64(1);
                record.spans([&span]);
            });
            let keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
            for key in ["v", "name", "hostname", "pid", "level", "time", "msg"] {
                assert!(keys.contains(&key), "{key} {json}");
            }
            assert_eq!(json["msg"], "");
        }
        let text = super::text(&format, |record| record.field("a").u64(1));
        let place = |key: &str| text.find(key).unwrap();
        assert!(place("\"msg\":\"\",") < place("\"a\":1"), "{text}");
        let json = read(&format, |_| ());
        assert_eq!(json["msg"], "");
        let json = read(&format, |record| record.message().str("m"));
        assert_eq!((&json["msg"], json.get("msg_")), (&json!("m"), None));
    }
    let hidden = schema(Schema::Bunyan).hide(Part::Message).build().unwrap();
    assert!(read(&hidden, |_| ()).get("msg").is_none());
}

/// A line had the trace of the inner span and the id of the outer one.
#[test]
fn no_span_is_shown_with_the_trace_of_another() {
    let ids = |kind, spans: &[&[(&str, &str)]]| {
        let format = schema(kind).show(Part::TraceId).show(Part::SpanId).build().unwrap();
        let mut list = SpanList::new();
        for fields in spans {
            let mut span = format.span("s");
            for (id, (name, value)) in fields.iter().enumerate() {
                span.record(id as u32, name).str(value);
            }
            list.push(&span);
        }
        let json = read(&format, |record| record.span_list(&list));
        let record = if kind == Schema::Otel { record_of(&json).0 } else { &json };
        let keys =
            if kind == Schema::Otel { ["traceId", "spanId"] } else { ["trace.id", "span.id"] };
        keys.map(|key| record.get(key).and_then(Json::as_str).map(str::to_owned))
    };
    let (other, upper) = (TRACE.replace('4', "5"), TRACE.to_uppercase());
    let some = |text: &str| Some(text.to_owned());
    let outer = [("trace_id", TRACE), ("span_id", SPAN)];
    for kind in [Schema::Otel, Schema::Ecs] {
        assert_eq!(ids(kind, &[&outer, &[("trace_id", &other)]]), [some(&other), None]);
        let own = [("span_id", "0000000000000001"), ("trace_id", &*other)];
        assert_eq!(ids(kind, &[&outer, &own]), [some(&other), some("0000000000000001")]);
        // The same trace once more, and a span of it that has no id of its own.
        assert_eq!(ids(kind, &[&outer, &[("trace_id", &upper)]]), [some(&upper), some(SPAN)]);
        assert_eq!(ids(kind, &[&outer, &[]]), [some(TRACE), some(SPAN)]);
    }
    let apart: &[&[(&str, &str)]] = &[&[("span_id", SPAN)], &[("trace_id", TRACE)]];
    assert_eq!(ids(Schema::Ecs, apart), [some(TRACE), some(SPAN)]);
    assert_eq!(ids(Schema::Otel, &[&[("span_id", SPAN)]]), [None, None]);
    assert_eq!(ids(Schema::Ecs, &[&[("span_id", SPAN)]]), [None, some(SPAN)]);
}

/// What was taken over was no value of OTLP.
#[test]
fn a_span_takes_over_nothing_of_another_shape() {
    let otel = schema(Schema::Otel).build().unwrap();
    let plain = Format::default();
    for (of, other) in [(&otel, &plain), (&plain, &otel)] {
        let mut span = of.span("s");
        let mut newer = other.span_update();
        newer.record(0, "a").u64(1);
        span.update(&newer, [(0, "a")]);
        let encoded = super::encode(of, |record| record.spans([&span]));
        check_line(&encoded.result);
        let line = String::from_utf8(encoded.result).unwrap();
        assert!(encoded.truncated && !line.contains("\"a\""), "{line}");
    }
}

#[test]
fn a_list_that_was_cleared_has_no_ids() {
    let format = Format::builder().schema(Schema::Ecs).build().unwrap();
    let mut list = SpanList::new();
    list.push(&format.span("a"));
    list.set_trace([1; 16], [2; 8]);
    list.clear();
    list.push(&format.span("b"));
    let line = read(&format, |record| record.span_list(&list));
    assert!(line.get("trace.id").is_none() && line.get("span.id").is_none(), "{line}");
}

#[test]
fn the_ids_of_a_list_too_long_for_a_line_are_shown() {
    let builder = Format::builder().schema(Schema::Ecs).max_record_bytes(4096);
    let format = builder.build().unwrap();
    for spans in [3, 5, 7, 9] {
        let mut list = SpanList::new();
        for number in 0..spans {
            let mut span = format.span("s");
            if number == 0 {
                span.record(0, "trace_id").str("4bf92f3577b34da6a3ce929d0e0e4736");
                span.record(1, "span_id").str("00f067aa0ba902b7");
            }
            span.record(2, "body").str(&"b".repeat(800));
            list.push(&span);
        }
        let line = read(&format, |record| record.span_list(&list));
        assert_eq!(line["trace.id"], "4bf92f3577b34da6a3ce929d0e0e4736", "{spans}");
        assert_eq!(line["span.id"], "00f067aa0ba902b7", "{spans}");
    }
}
