//! The fields of spans among those of the record.

use serde_json::json;

use super::every_schema::fields;
use super::schemas::{read, schema};
use crate::Severity;
use crate::json::{Format, Meta, Part, REDACTED, Record, Schema, SpanList};

/// An outer and an inner span, and a record whose fields clash with theirs.
fn spans(format: &Format) -> SpanList {
    let mut outer = format.span("outer");
    outer.record(0, "a").str("outer");
    outer.record(1, "b").str("outer");
    outer.record(2, "only_outer").u64(1);
    outer.record(3, "name").str("n");
    let mut inner = format.child_span("inner", &outer);
    inner.record(0, "a").str("inner");
    inner.record(1, "b").bool(true);
    let mut list = SpanList::new();
    list.push(&outer);
    list.push(&inner);
    list
}

#[test]
fn every_schema_can_have_the_fields_of_spans_among_those_of_the_record() {
    for &kind in Schema::ALL {
        for nested in [false, true] {
            for late in [false, true] {
                let mut builder = schema(kind).flatten_spans().hide(Part::TaskLevel);
                if nested {
                    builder = builder.nest_fields(if kind == Schema::Otel {
                        "attributes"
                    } else {
                        "fields"
                    });
                }
                let format = builder.build().unwrap();
                let list = spans(&format);
                let json = read(&format, |record: &mut Record<'_>| {
                    record.field("a").str("record");
                    record.span_list(&list);
                    if late {
                        record.message().str("late");
                    }
                });
                let object = match (kind, nested) {
                    (Schema::Otel | Schema::Tracing, _) | (_, false) => fields(kind, &json),
                    (_, true) => json["fields"].as_object().unwrap().clone(),
                };
                let expected = [
                    ("a", json!("record")),
                    ("a_", json!("inner")),
                    ("a__", json!("outer")),
                    ("b", json!(true)),
                    ("b_", json!("outer")),
                    ("only_outer", json!(1)),
                ];
                for (key, value) in expected {
                    assert_eq!(object[key], value, "{kind:?} {nested} {key} {json}");
                }
                // Bunyan has a member of that name at the top.
                let name = if kind == Schema::Bunyan && !nested { "name_" } else { "name" };
                assert_eq!(object[name], "n", "{kind:?}");
                for key in ["span", "spans"] {
                    assert!(json.get(key).is_none() && !object.contains_key(key), "{json}");
                }
            }
        }
    }
}

#[test]
fn the_list_may_stay_besides() {
    for kind in [Schema::Default, Schema::Tracing, Schema::Logxpy] {
        let builder = schema(kind).flatten_spans().hide(Part::TaskLevel);
        let format = builder.show(Part::Spans).show(Part::Span).nest_fields("fields").build();
        let format = format.unwrap();
        let list = spans(&format);
        let json = read(&format, |record| record.span_list(&list));
        let inner = json!({"name": "inner", "a": "inner", "b": true});
        assert_eq!((&json["span"], &json["spans"][1]), (&inner, &inner), "{kind:?} {json}");
        assert_eq!(json["spans"][0]["name_"], "n");
        assert_eq!(
            (&json["fields"]["a"], &json["fields"]["a_"]),
            (&json!("inner"), &json!("outer"))
        );
    }
}

#[test]
fn fields_of_spans_are_left_out_of_a_line_that_is_full() {
    for kind in [Schema::Default, Schema::Otel] {
        let builder = schema(kind).flatten_spans().max_record_bytes(4096);
        let format = builder.build().unwrap();
        let mut span = format.span("s");
        for id in 0..8 {
            span.record(id, "k").str(&"x".repeat(90));
        }
        let mut list = SpanList::new();
        list.push(&span);
        for filled in 2000..3900 {
            let text = "y".repeat(filled);
            let line = super::encode(&format, |record| {
                record.message().str(&text);
                record.span_list(&list);
            });
            assert!(line.result.len() <= 4096);
        }
    }
}

// `user_id` of the span was written as `user_id_` where the event had none.
#[test]
fn a_field_that_the_record_leaves_unset_does_not_take_the_key_of_a_span() {
    for &kind in Schema::ALL {
        for redacted in [false, true] {
            let builder = schema(kind).flatten_spans().hide(Part::TaskLevel);
            let builder = if redacted { builder.redact(["user_id"]) } else { builder };
            let format = builder.build().unwrap();
            let mut span = format.span("s");
            span.record(0, "user_id").u64(7);
            let value = |number: u64| if redacted { json!(REDACTED) } else { json!(number) };
            let meta = Meta::new(Severity::Info, "shop::orders");
            for expected in [false, true] {
                let names = ["other", "user_id"];
                let site = match expected {
                    true => format.expected_call_site(&meta, names),
                    false => format.call_site(&meta, names),
                };
                for (set, late) in [(false, false), (true, false), (false, true)] {
                    let line = site.encode(
                        None,
                        |record| {
                            record.message().str("m");
                            if set {
                                record.site_field(1, || "user_id").u64(1);
                            }
                            record.spans([&span]);
                            if late {
                                record.site_field(1, || "user_id").u64(1);
                            }
                        },
                        |_, line| super::reader::check_line(line),
                    );
                    let fields = fields(kind, &line.unwrap().result);
                    let (of_span, of_record) = match (set, late) {
                        (true, _) => ("user_id_", Some("user_id")),
                        (false, true) => ("user_id", Some("user_id_")),
                        (false, false) => ("user_id", None),
                    };
                    assert_eq!(fields[of_span], value(7), "{kind:?} {fields:?}");
                    let other = if set { "user_id" } else { "user_id_" };
                    let number = of_record.map(|_| value(1));
                    assert_eq!(fields.get(other), number.as_ref(), "{kind:?} {fields:?}");
                }
            }
        }
    }
}

/// Failed: a field of a span got as many `_` as one of the record needed, for which keys are taken
/// that were not written; and that was remembered where there were many fields.
#[test]
fn the_keys_of_spans_do_not_depend_on_how_many_fields_there_are() {
    let format = Format::builder().flatten_spans().build().unwrap();
    // `a`, `a_`, `a__` and `a___` are prepared and not written.
    let site = format.call_site(&Meta::new(Severity::Info, "shop"), ["a"; 4]);
    let spans = ["outer", "inner"].map(|name| {
        let mut span = format.span(name);
        span.record(0, "a").str(name);
        span
    });
    for others in [4, 40] {
        let fill = |record: &mut Record<'_>| {
            (0..others).for_each(|n| record.field(&format!("other{n}")).u64(1));
            record.field("a").str("own");
            record.spans(&spans);
        };
        let keep = |_, line: &[u8]| String::from_utf8(line.to_vec()).unwrap();
        let line = site.encode(None, fill, keep).unwrap().result;
        let end = r#""a____":"own","a":"inner","a_":"outer"}"#;
        assert!(line.trim_end().ends_with(end), "{others}: {line}");
    }
}
