//! What holds in every schema.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::encode;
use super::properties::{Field, expected, field, fill, name};
use super::reader::check_line;
use crate::Severity;
use crate::json::{EncodedSpan, Format, Meta, Part, Schema, SpanList};

/// A value of OTLP as the value that it stands for.
fn untyped(value: &Json) -> Json {
    let Some((kind, value)) = value.as_object().and_then(|object| object.iter().next()) else {
        return Json::Null;
    };
    match kind.as_str() {
        "intValue" => value.as_str().unwrap().parse::<i64>().unwrap().into(),
        "stringValue" | "boolValue" | "doubleValue" => value.clone(),
        "arrayValue" => value["values"].as_array().unwrap().iter().map(untyped).collect(),
        "kvlistValue" => pairs(&value["values"]).into(),
        other => panic!("{other}"),
    }
}

/// Attributes of OTLP as an object.
fn pairs(attributes: &Json) -> Map<String, Json> {
    let mut object = Map::new();
    for attribute in attributes.as_array().unwrap() {
        let key = attribute["key"].as_str().unwrap().to_owned();
        let before = object.insert(key, untyped(&attribute["value"]));
        assert_eq!(before, None, "{attribute} stands twice");
    }
    object
}

/// The user's fields, and what else stands beside them.
pub(super) fn fields(schema: Schema, json: &Json) -> Map<String, Json> {
    match schema {
        Schema::Otel => {
            pairs(&json["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["attributes"])
        }
        Schema::Tracing => json["fields"].as_object().unwrap().clone(),
        _ => json.as_object().unwrap().clone(),
    }
}

/// What the field reads back as.
fn value(schema: Schema, field: &Field) -> Json {
    match field {
        Field::Float(value)
            if !value.is_finite() && [Schema::Ecs, Schema::Gcp].contains(&schema) =>
        {
            Json::Null
        }
        Field::Unsigned(value) if schema == Schema::Otel && *value > i64::MAX as u64 => {
            value.to_string().into()
        }
        _ => expected(field),
    }
}

/// Whether the fields hold each of the values under its key or under the key with `_` appended.
fn holds(
    schema: Schema,
    object: &Map<String, Json>,
    fields: &[(String, Field)],
) -> Result<(), TestCaseError> {
    let mut used = Vec::new();
    for (name, field) in fields {
        if matches!(field, Field::Message(_)) {
            continue;
        }
        let mut key = name.clone();
        let wanted = value(schema, field);
        while used.contains(&key) || object.get(&key) != Some(&wanted) {
            key.push('_');
            prop_assert!(key.len() < name.len() + 100, "{name:?} {field:?} {object:?}");
        }
        used.push(key);
    }
    Ok(())
}

fn formats(schema: Schema, cap: usize, all_parts: bool) -> Format {
    let mut builder = Format::builder().schema(schema).max_record_bytes(cap);
    if all_parts {
        let source = [Part::Module, Part::File, Part::Line, Part::ThreadId];
        for part in source.into_iter().chain([Part::Span, Part::TraceId, Part::SpanId]) {
            builder = builder.show(part);
        }
    }
    builder.build().unwrap()
}

fn span(format: &Format, parent: Option<&EncodedSpan>, list: &[(String, Field)]) -> EncodedSpan {
    let mut span = match parent {
        Some(parent) => format.child_span("child", parent),
        None => format.span("root"),
    };
    for (id, (name, field)) in list.iter().enumerate() {
        let value = span.record(id as u32, name);
        match field {
            Field::Text(text) => value.display(text),
            Field::Float(float) => value.f64(*float),
            _ => value.u64(7),
        }
        // Again: the new value takes the place of the old one.
        if let Field::Bool(bool) = field {
            span.record(id as u32, name).bool(*bool);
        }
    }
    span
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_line_of_every_schema_reads_back(
        list in vec((name(), field()), 0..30),
        outer in vec((name(), field()), 0..6),
        inner in vec((name(), field()), 0..6),
        all in any::<bool>(),
    ) {
        for &schema in Schema::ALL {
            let format = formats(schema, 1 << 20, all);
            let root = span(&format, None, &outer);
            let child = span(&format, Some(&root), &inner);
            let mut spans = SpanList::new();
            spans.push(&root);
            spans.push(&child);
            let meta = Meta::new(Severity::Info, "t").file(Some("f")).line(Some(1));
            let names = list.iter().map(|(name, _)| name.as_str());
            let site = format.call_site(&meta, names);
            let lines = [
                encode(&format, |record| {
                    fill(record, &list);
                    record.spans([&root, &child]);
                }).result,
                format.encode(&meta, |record| {
                    record.span_list(&spans);
                    fill(record, &list);
                }, |_, line| line.to_vec()).unwrap().result,
                site.encode(None, |record| {
                    for (position, (name, field)) in list.iter().enumerate() {
                        field.write(record, Some(position), name);
                    }
                    record.span_list(&spans);
                }, |_, line| line.to_vec()).unwrap().result,
            ];
            for (way, line) in lines.iter().enumerate() {
                let json = check_line(line);
                let mut object = fields(schema, &json);
                if way == 1 && schema == Schema::Tracing {
                    // Fields that come after the spans stand beside them.
                    object = json.as_object().unwrap().clone();
                }
                holds(schema, &object, &list)?;
                if schema == Schema::Logxpy {
                    prop_assert!(json["lvl"].as_array().is_some_and(|lvl| lvl.len() == 2));
                } else {
                    let place = if schema == Schema::Otel { &object } else { json.as_object().unwrap() };
                    let spans = place["spans"].as_array().unwrap();
                    prop_assert_eq!(spans.len(), 2);
                    prop_assert_eq!(&spans[1]["name"], &json!("child"));
                    prop_assert_eq!(spans[0].as_object().unwrap().len(), 1 + outer.len());
                }
            }
        }
    }

    #[test]
    fn every_cut_line_of_every_schema_is_valid(
        list in vec((name(), field()), 0..400),
        message in 0usize..12_000,
        all in any::<bool>(),
        late in any::<bool>(),
    ) {
        for &schema in Schema::ALL {
            let format = formats(schema, 8192, all);
            let root = span(&format, None, &list[..list.len().min(20)]);
            let long = "x".repeat(message);
            let fill = |record: &mut crate::json::Record<'_>| {
                if !late {
                    record.message().str(&long);
                }
                fill(record, &list);
                record.spans([&root]);
                if late {
                    record.message().str(&long);
                }
            };
            let encoded = encode(&format, fill);
            prop_assert!(encoded.result.len() <= 8192, "{} {schema:?}", encoded.result.len());
            let json = check_line(&encoded.result);
            let marked = match schema {
                Schema::Otel => fields(schema, &json).get("truncated") == Some(&json!(true)),
                _ => json["truncated"] == true,
            };
            prop_assert_eq!(marked, encoded.truncated);
            if encoded.truncated && !root.truncated() {
                let json = match schema {
                    Schema::Otel => fields(schema, &json)["original_bytes"].clone(),
                    _ => json["original_bytes"].clone(),
                };
                prop_assert!(json.as_u64().unwrap() > 4000);
            }
        }
    }
}
