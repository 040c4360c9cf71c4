//! Fields of events that are `None`, of which `tracing` tells nobody.

#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use serde_json::{Map, Value, json};
use support::{Log, all_with, one, read};
use tracing::field::Empty;
use tracing::{Event, callsite, debug, info, info_span};
use tracing_subscriber::prelude::*;
use writer_tracing::json::{Part, Schema};

/// All that follows the message, in a file of one line.
fn text_of(body: impl FnOnce()) -> String {
    let log = Log::new();
    let (layer, guard) = writer_tracing::builder(log.path()).hide(Part::Timestamp).build().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), body);
    drop(guard);
    let text = std::fs::read_to_string(log.path()).unwrap();
    text.split_once("\"message\":").map_or(text.clone(), |(_, rest)| rest.trim_end().to_owned())
}

#[test]
fn it_is_null_behind_the_others() {
    let none = None::<u32>;
    assert_eq!(text_of(|| info!(user = none, "m")), r#""m","user":null}"#);
    assert_eq!(
        text_of(|| info!(a = none, b = 1, c = none, d = none, e = 2, f = none, "m")),
        r#""m","b":1,"e":2,"a":null,"c":null,"d":null,"f":null}"#
    );
    assert_eq!(text_of(|| info!(a = none, r#type = none, "m")), r#""m","a":null,"type":null}"#);
    assert_eq!(text_of(|| info!(a = Empty, b = 1, "m")), r#""m","b":1,"a":null}"#);
    assert_eq!(
        text_of(|| info!(a = none, message = "late", b = none)),
        r#""late","a":null,"b":null}"#
    );
    assert_eq!(text_of(|| info!(message = None::<&str>, a = 1)), r#"null,"a":1}"#);
}

#[test]
fn an_event_made_by_hand_in_another_order_keeps_its_values() {
    let lines = all_with(
        |builder| builder,
        || {
            let metadata = {
                static SITE: callsite::DefaultCallsite = {
                    static META: tracing::Metadata<'static> = tracing::metadata! {
                        name: "by hand",
                        target: "shop",
                        level: tracing::Level::INFO,
                        fields: tracing::fieldset!(a, b, c, d),
                        callsite: &SITE,
                        kind: tracing::metadata::Kind::EVENT,
                    };
                    callsite::DefaultCallsite::new(&META)
                };
                use tracing::Callsite;
                SITE.metadata()
            };
            let fields = metadata.fields();
            let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| fields.field(name).unwrap());
            // The last first, one not at all, one as nothing.
            let values: [(_, Option<&dyn tracing::Value>); 3] =
                [(&d, Some(&4)), (&a, Some(&1)), (&c, Some(&None::<u8>))];
            let _ = b;
            Event::dispatch(metadata, &fields.value_set(&values));
        },
    );
    let expected = json!({"a": 1, "b": null, "c": null, "d": 4});
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(lines[0].get(key), Some(value), "{key}");
    }
    assert!(!lines[0].contains_key("a_") && !lines[0].contains_key("d_"));
}

#[test]
fn more_fields_than_are_prepared_are_all_there() {
    // 70 fields: each tenth has a value.
    macro_rules! wide {
        ($($name:ident)*) => {
            one(|| info!($($name = if stringify!($name).ends_with('0') { Some(1) } else { None },)* "m"))
        };
    }
    let line = wide!(
        f00 f01 f02 f03 f04 f05 f06 f07 f08 f09 f10 f11 f12 f13 f14 f15 f16 f17 f18 f19
        f20 f21 f22 f23 f24 f25 f26 f27 f28 f29 f30 f31 f32 f33 f34 f35 f36 f37 f38 f39
        f40 f41 f42 f43 f44 f45 f46 f47 f48 f49 f50 f51 f52 f53 f54 f55 f56 f57 f58 f59
        f60 f61 f62 f63 f64 f65 f66 f67 f68 f69
    );
    for number in 0..70 {
        let expected = if number % 10 == 0 { json!(1) } else { json!(null) };
        assert_eq!(line.get(&format!("f{number:02}")), Some(&expected), "{number}");
    }
    assert_eq!(line.len(), 74);
}

/// A record with a value, one without, a secret one without, and one whose name is taken.
fn some(schema: Schema) -> Map<String, Value> {
    let mut lines = all_with(
        |builder| builder.schema(schema).redact_defaults(),
        || info!(a = 1, none = None::<u8>, token = None::<&str>, spans = None::<u8>, "m"),
    );
    lines.remove(0)
}

#[test]
fn every_schema_has_it_as_it_has_that_of_log() {
    for schema in [Schema::Default, Schema::Ecs, Schema::Gcp, Schema::Bunyan] {
        let line = some(schema);
        assert_eq!(line.get("none"), Some(&json!(null)), "{schema:?}");
        assert_eq!(line.get("token"), Some(&json!("[redacted]")), "{schema:?}");
        assert_eq!(line.get("spans_"), Some(&json!(null)), "{schema:?}");
    }
    let attributes =
        some(Schema::Otel)["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["attributes"]
            .clone();
    assert_eq!(
        attributes,
        json!([
            {"key": "a", "value": {"intValue": "1"}},
            {"key": "none", "value": {}},
            {"key": "token", "value": {"stringValue": "[redacted]"}},
            {"key": "spans_", "value": {}},
        ])
    );
    let fields = &some(Schema::Tracing)["fields"];
    assert_eq!(*fields, json!({"message": "m", "a": 1}));
    let line = some(Schema::Logxpy);
    assert_eq!(line["a"], 1);
    assert!(!["none", "token", "spans_"].iter().any(|key| line.contains_key(*key)), "{line:?}");
}

#[test]
fn nesting_and_hiding_are_followed() {
    let lines = all_with(
        |builder| builder.nest_fields("fields").hide(Part::Level),
        || {
            info!(none = None::<u8>, level = None::<u8>, "m");
            info!(none = None::<u8>);
        },
    );
    assert_eq!(lines[0]["fields"], json!({"none": null, "level": null}));
    assert_eq!(lines[1]["fields"], json!({"none": null}));
    let lines = all_with(
        |builder| builder.hide(Part::Message),
        || info!(message = None::<&str>, none = None::<u8>),
    );
    assert!(!lines[0].contains_key("message"));
    assert_eq!(lines[0]["none"], json!(null));
}

#[test]
fn a_line_that_is_full_leaves_it_out() {
    let lines = all_with(
        |builder| builder.max_record_bytes(4096),
        || info!(long = "x".repeat(10_000), none = None::<u8>, "m"),
    );
    assert_eq!(lines[0]["truncated"], true);
    assert!(!lines[0].contains_key("none"));
}

#[test]
fn fields_of_spans_that_are_nothing_stay_absent() {
    let lines = all_with(
        |builder| builder.flatten_spans(),
        || {
            let span = info_span!("s", none = None::<u8>, late = Empty, given = 1);
            span.in_scope(|| info!(own = None::<u8>, "m"));
        },
    );
    assert_eq!((&lines[0]["own"], &lines[0]["given"]), (&json!(null), &json!(1)));
    assert!(!lines[0].contains_key("none") && !lines[0].contains_key("late"));
}

#[test]
fn what_a_record_of_log_lacks_is_no_field() {
    let log = Log::new();
    let (layer, guard) = writer_tracing::layer(log.path()).unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let record = log::Record::builder().args(format_args!("bridged")).build();
        tracing_log::format_trace(&record).unwrap();
        debug!(none = None::<u8>, "own");
    });
    drop(guard);
    let lines = read(&log.path());
    assert_eq!(lines[0]["message"], "bridged");
    assert!(!lines[0].keys().any(|key| key.starts_with("log.")), "{:?}", lines[0]);
    assert_eq!(lines[1].get("none"), Some(&json!(null)));
}
