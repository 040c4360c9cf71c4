//! Options of the format.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value as Json, json};

use super::{encode, reader};
use crate::json::{Format, FormatBuilder, Meta, Part, Precision, Schema, TimeStyle};
use crate::{BuildError, Severity};

fn line(builder: FormatBuilder) -> String {
    let meta = Meta::new(Severity::Warn, "shop")
        .module(Some("shop::orders"))
        .file(Some("src/orders.rs"))
        .line(Some(42))
        .time(UNIX_EPOCH + Duration::from_millis(1500));
    let encoded = builder.build().unwrap().encode(
        &meta,
        |record| {
            record.message().str("m");
            record.field("a").u64(1);
        },
        |severity, line| {
            assert_eq!(severity, Severity::Warn);
            super::reader::check_line(line);
            String::from_utf8(line.to_vec()).unwrap()
        },
    );
    encoded.unwrap().result
}

#[test]
fn all_parts_are_written_in_one_order() {
    let builder = [Part::Module, Part::File, Part::Line, Part::ThreadName, Part::ProcessId]
        .into_iter()
        .fold(Format::builder(), FormatBuilder::show)
        .precision(Precision::Millis)
        .static_field("service", |value| value.str("shop"));
    let name = std::thread::current().name().unwrap().to_owned();
    let pid = std::process::id();
    assert_eq!(
        line(builder),
        format!(
            "{{\"timestamp\":\"1970-01-01T00:00:01.500Z\",\"level\":\"WARN\",\"target\":\"shop\",\
             \"module\":\"shop::orders\",\"file\":\"src/orders.rs\",\"line\":42,\
             \"process_id\":{pid},\"service\":\"shop\",\"thread\":\"{name}\",\
             \"message\":\"m\",\"a\":1}}\n"
        )
    );
}

#[test]
fn parts_can_be_renamed_and_hidden() {
    let builder = Format::builder()
        .time_style(TimeStyle::Unix)
        .rename(Part::Timestamp, "ts")
        .rename(Part::Message, "a")
        .hide(Part::Level)
        .hide(Part::Target);
    assert_eq!(line(builder.clone()), "{\"ts\":1.500000,\"a\":\"m\",\"a_\":1}\n");
    let builder = builder.hide(Part::Timestamp).hide(Part::Message);
    assert_eq!(line(builder), "{\"a\":1}\n");
}

#[test]
fn the_number_of_the_thread_is_that_of_std() {
    let line = line(Format::builder().show(Part::ThreadId));
    let id = format!("{:?}", std::thread::current().id());
    let id = id.trim_start_matches("ThreadId(").trim_end_matches(')');
    assert!(line.contains(&format!("\"thread_id\":{id},")), "{line}");
}

#[test]
fn a_key_used_twice_or_too_long_is_an_error_that_names_the_option() {
    let long = "k".repeat(10_000);
    let small = || Format::builder().max_record_bytes(4096);
    for (builder, expected) in [
        (Format::builder().rename(Part::Level, "target"), "rename"),
        (Format::builder().static_field("level", |v| v.null()), "static_field"),
        (Format::builder().nest_fields("spans"), "nest_fields"),
        (Format::builder().max_record_bytes(100), "max_record_bytes"),
        // Keys that alone are longer than the line may be.
        (small().nest_fields(&long), "max_record_bytes"),
        (small().show(Part::TraceId).rename(Part::TraceId, &long), "max_record_bytes"),
        (small().show(Part::TaskId).rename(Part::TaskId, &long), "max_record_bytes"),
        (small().schema(Schema::Gcp).trace_prefix(&long), "max_record_bytes"),
        (
            small().schema(Schema::Otel).show(Part::File).rename(Part::File, &long),
            "max_record_bytes",
        ),
        // What the level brings along in some schemas.
        (
            Format::builder().schema(Schema::Logxpy).static_field("log_level", |v| v.null()),
            "static_field",
        ),
        (
            Format::builder().schema(Schema::Otel).show(Part::File).rename(Part::File, "spans"),
            "rename",
        ),
    ] {
        match builder.build() {
            Err(BuildError::InvalidOption { option, .. }) => assert_eq!(option, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[derive(Default)]
struct Adapter {
    format: FormatBuilder,
}

#[allow(dead_code, unreachable_pub, reason = "the macro gives all options, for a public builder")]
impl Adapter {
    crate::__format_options!(format);
}

#[test]
fn an_adapter_has_the_options_of_the_format() {
    let adapter = Adapter::default()
        .schema(crate::json::Schema::Bunyan)
        .redact(["a"])
        .redact_defaults()
        .level_names(["t", "d", "i", "w", "e"])
        .hide(Part::Timestamp)
        .static_field("name", |value| value.str("n"))
        .static_field("hostname", |value| value.str("h"));
    let pid = std::process::id();
    assert_eq!(
        line(adapter.format),
        format!(
            "{{\"level\":\"w\",\"target\":\"shop\",\"v\":0,\"pid\":{pid},\"name\":\"n\",\
             \"hostname\":\"h\",\"msg\":\"m\",\"a\":\"[redacted]\"}}\n"
        )
    );
}

#[test]
fn the_innermost_span_is_switched_as_its_part_is() {
    for (schema, default) in [(Schema::Default, false), (Schema::Tracing, true)] {
        for (shown, builder) in [
            (default, Format::builder()),
            (true, Adapter::default().span(true).format),
            (true, Adapter::default().hide(Part::Span).span(true).format),
            (false, Adapter::default().show(Part::Span).span(false).format),
        ] {
            let format = builder.schema(schema).build().unwrap();
            let span = format.span("leaf");
            let json = reader::check_line(&encode(&format, |record| record.spans([&span])).result);
            assert_eq!(json.get("span"), shown.then(|| json!({"name": "leaf"})).as_ref());
            assert_eq!(json["spans"], json!([{"name": "leaf"}]));
        }
    }
}

/// All strings in a piece of JSON, keys too.
fn strings(json: &Json, found: &mut Vec<String>) {
    match json {
        Json::String(text) => found.push(text.clone()),
        Json::Array(elements) => elements.iter().for_each(|element| strings(element, found)),
        Json::Object(members) => {
            for (key, value) in members {
                found.push(key.clone());
                strings(value, found);
            }
        }
        _ => {}
    }
}

#[test]
fn every_string_that_is_no_value_of_a_record_is_escaped_too() {
    const BAD: &str = "\"\\\n\u{1b}[31m\u{7f}\u{9b}\u{2028}\u{202e}\u{2069}\u{61c}\u{200e}\u{200f}";
    let bad = |what: &str| format!("{what}{BAD}");
    for &schema in Schema::ALL {
        let mut builder = Format::builder().schema(schema);
        let names = Part::ALL.map(|part| bad(&format!("{part:?}")));
        for (part, name) in Part::ALL.into_iter().zip(&names) {
            builder = builder.show(part).rename(part, name);
        }
        let format = builder
            .static_field(&bad("static"), |value| value.str(&bad("value")))
            .nest_fields(&bad("nest"))
            .group_source(&bad("group"))
            .level_names([&bad("level"); 5])
            .build()
            .unwrap();
        let mut span = format.span(&bad("span"));
        span.record(0, "trace_id").str("x");
        span.record(1, &bad("field of span")).str(&bad("value of span"));
        let (target, module, file) = (bad("target"), bad("module"), bad("file"));
        let meta = Meta::new(Severity::Info, &target).module(Some(&module)).file(Some(&file));
        let name = bad("thread");
        let line = || {
            let fill = |record: &mut crate::json::Record<'_>| record.spans([&span]);
            let encoded = format.encode(&meta, fill, |_, line| reader::check_line(line));
            encoded.unwrap().result
        };
        let json = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name(name).spawn_scoped(scope, line).unwrap();
            thread.join().unwrap()
        });
        let mut found = Vec::new();
        strings(&json, &mut found);
        let mut wanted: Vec<_> = ["target", "module", "file", "thread", "level", "static", "value"]
            .into_iter()
            .chain(["field of span", "value of span"])
            .map(bad)
            .collect();
        if schema != Schema::Logxpy {
            wanted.push(bad("span"));
        }
        match schema {
            Schema::Otel => wanted.extend(["Module", "File", "ThreadId", "Spans"].map(bad)),
            _ => {
                wanted.extend(["nest", "group"].map(bad));
                wanted.extend(names.into_iter().filter(|name| !name.starts_with("SpanId")));
            }
        }
        for text in &wanted {
            let there = found.iter().any(|other| other == text);
            let elsewhere = ["Message", "Line"].iter().any(|part| text.starts_with(part));
            assert!(there || elsewhere, "{schema:?} {text:?} {json}");
        }
    }
}

#[test]
fn whatever_the_options_keys_of_static_fields_and_spans_clash_with_nothing() {
    for &schema in Schema::ALL {
        let static_key = if schema == Schema::Otel { "service.name" } else { "own" };
        let twice = Format::builder()
            .schema(schema)
            .static_field(static_key, |value| value.null())
            .static_field(static_key, |value| value.null());
        assert!(matches!(
            twice.build(),
            Err(BuildError::InvalidOption { option: "static_field", .. })
        ));
    }
}
