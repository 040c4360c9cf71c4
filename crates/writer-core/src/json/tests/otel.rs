//! Lines of OTLP.

use serde_json::{Value as Json, json};

use super::schemas::{SPAN, TRACE, busy, read, schema};
use crate::json::{FormatBuilder, Part, Precision, Schema, TimeStyle};

/// The one log record of a line of OTLP, with its attributes as an object.
pub(super) fn record_of(json: &Json) -> (&Json, serde_json::Map<String, Json>) {
    assert_eq!(json["resourceLogs"].as_array().unwrap().len(), 1);
    let record = &json["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    let attributes = record.get("attributes").and_then(Json::as_array).unwrap();
    let mut object = serde_json::Map::new();
    for attribute in attributes {
        assert_eq!(attribute.as_object().unwrap().len(), 2);
        let key = attribute["key"].as_str().unwrap().to_owned();
        assert!(object.insert(key, attribute["value"].clone()).is_none(), "{attribute} twice");
    }
    (record, object)
}

#[test]
fn otel_is_one_message_of_otlp_json() {
    // https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding,
    // https://github.com/open-telemetry/opentelemetry-proto/blob/main/examples/logs.json,
    // https://protobuf.dev/programming-guides/json/ for 64-bit integers and NaN,
    // https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber.
    let format = schema(Schema::Otel).static_field("service.name", |v| v.str("shop"));
    let plain = read(&format.build().unwrap(), |record| record.message().str("m"));
    let expected = json!({"resourceLogs": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
        "scopeLogs": [{"scope": {"name": "shop::orders"}, "logRecords": [{
            "timeUnixNano": "1770563890786117000", "severityNumber": 9, "severityText": "INFO",
            "body": {"stringValue": "m"}, "attributes": [],
        }]}],
    }]});
    assert_eq!(plain, expected);
    let json = busy(&schema(Schema::Otel).build().unwrap(), &["body", "traceId", "spans"]);
    let (record, attributes) = record_of(&json);
    assert_eq!((&record["traceId"], &record["spanId"]), (&json!(TRACE), &json!(SPAN)));
    for key in ["body", "traceId", "spans_"] {
        assert_eq!(attributes[key], json!({"boolValue": true}));
    }
    assert_eq!(attributes["user_id"], json!({"intValue": "7"}));
    let spans = &attributes["spans"]["arrayValue"]["values"];
    let request = &spans[1]["kvlistValue"]["values"];
    assert_eq!(request[0], json!({"key": "name", "value": {"stringValue": "request"}}));
    assert_eq!(request[2], json!({"key": "name_", "value": {"stringValue": "n"}}));
}

#[test]
fn otel_types_every_value() {
    // https://github.com/open-telemetry/opentelemetry-proto, `AnyValue` in common.proto
    let format = schema(Schema::Otel).build().unwrap();
    let json = read(&format, |record| {
        record.field("i").i64(-1);
        record.field("u").u64(u64::MAX);
        record.field("w").u128(u128::MAX);
        record.field("d").f64(0.5);
        record.field("n").f64(f64::NAN);
        record.field("b").bool(false);
        record.field("x").null();
        record.field("s").display(&"s\"");
        record.field("bytes").bytes(&[1, 255]);
        let inner = std::io::Error::other("inner");
        record.field("e").error(&std::io::Error::other(inner));
        record.message().args(format_args!("late {}", 1));
    });
    let (record, attributes) = record_of(&json);
    assert_eq!(record["body"], json!({"stringValue": "late 1"}));
    for (key, value) in [
        ("i", json!({"intValue": "-1"})),
        ("u", json!({"stringValue": u64::MAX.to_string()})),
        ("w", json!({"stringValue": u128::MAX.to_string()})),
        ("d", json!({"doubleValue": 0.5})),
        ("n", json!({"doubleValue": "NaN"})),
        ("b", json!({"boolValue": false})),
        ("x", json!({})),
        ("s", json!({"stringValue": "s\""})),
        ("bytes", json!({"stringValue": "01ff"})),
    ] {
        assert_eq!(attributes[key], value, "{key}");
    }
}

#[test]
fn otel_shows_the_place_in_the_source_and_the_thread_as_attributes() {
    // https://opentelemetry.io/docs/specs/semconv/registry/attributes/code/, …/thread/, …/process/
    let parts = [Part::File, Part::Line, Part::ThreadName, Part::ThreadId, Part::ProcessId];
    let format = parts.into_iter().fold(schema(Schema::Otel), FormatBuilder::show);
    let format = format.static_field("n", |v| v.f64(0.5)).build().unwrap();
    let json = busy(&format, &["code.file.path", "thread.id"]);
    let (record, attributes) = record_of(&json);
    assert_eq!(record["body"], json!({"stringValue": "handled"}));
    assert_eq!(attributes["code.file.path"], json!({"stringValue": "src/orders.rs"}));
    assert_eq!(attributes["code.line.number"], json!({"intValue": "42"}));
    assert_eq!(attributes["code.file.path_"], json!({"boolValue": true}));
    let name = std::thread::current().name().unwrap().to_owned();
    assert_eq!(attributes["thread.name"], json!({"stringValue": name}));
    assert!(attributes["thread.id"]["intValue"].is_string());
    let resource = json["resourceLogs"][0]["resource"]["attributes"].as_array().unwrap();
    assert_eq!(resource[0]["key"], "service.name");
    let pid = json!({"intValue": std::process::id().to_string()});
    assert_eq!(resource[1], json!({"key": "process.pid", "value": pid}));
    assert_eq!(resource[2], json!({"key": "n", "value": {"doubleValue": 0.5}}));
}

#[test]
fn otel_leaves_ids_out_that_are_not_those_of_w3c() {
    // https://www.w3.org/TR/trace-context/#trace-id: 32 hexadecimal digits, not all zero
    let format = schema(Schema::Otel).build().unwrap();
    for id in ["", "x", "00000000000000000000000000000000", &TRACE[1..]] {
        let mut span = format.span("s");
        span.record(0, "trace_id").str(id);
        let json = read(&format, |record| record.spans([&span]));
        assert_eq!(record_of(&json).0.get("traceId"), None);
    }
}

#[test]
fn otel_keeps_the_form_of_otlp_whatever_the_options() {
    // https://github.com/open-telemetry/opentelemetry-proto, `LogRecord` in logs.proto
    let fixed =
        [Part::Timestamp, Part::Level, Part::Target, Part::Message, Part::TraceId, Part::SpanId];
    let renamed = fixed.into_iter().fold(schema(Schema::Otel), |b, part| b.rename(part, "x"));
    let own = renamed.nest_fields("shop").group_source("src").time_style(TimeStyle::Unix);
    let own = own.precision(Precision::Seconds).show(Part::File).rename(Part::File, "file");
    let plain = schema(Schema::Otel).show(Part::File).rename(Part::File, "file").build().unwrap();
    let json = busy(&own.build().unwrap(), &["x", "shop"]);
    assert_eq!(json, busy(&plain, &["x", "shop"]));
    assert_eq!(record_of(&json).1["file"], json!({"stringValue": "src/orders.rs"}));
}

#[test]
fn otel_has_a_number_and_a_text_of_each_severity() {
    let pair = |format: FormatBuilder| {
        let json = read(&format.build().unwrap(), |_| {});
        let record = record_of(&json).0;
        (record["severityNumber"].clone(), record["severityText"].clone())
    };
    let names = schema(Schema::Otel).level_names(["t", "d", "i,\"", "w", "e"]);
    assert_eq!(pair(names), (json!(9), json!("i,\"")));
    let numbers = schema(Schema::Otel).level_numbers([2, 6, 10, 14, 18]);
    assert_eq!(pair(numbers.clone()), (json!(10), json!("INFO")));
    let both = numbers.level_names(["t", "d", "i", "w", "e"]);
    assert_eq!(pair(both), (json!(10), json!("i")));
    let json = read(&schema(Schema::Otel).hide(Part::Level).build().unwrap(), |_| {});
    let record = record_of(&json).0;
    assert_eq!((record.get("severityNumber"), record.get("severityText")), (None, None));
}
