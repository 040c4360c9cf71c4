//! Values of any depth, in the schema in which one level of a value is several of JSON.

use serde_json::Value as Json;

use super::encode;
use super::every_schema::fields;
use super::reader::check_line;
use crate::json::{Format, Record, Schema, SpanList, TOO_DEEP};

/// How many arrays and objects lie one in the other.
fn depth(json: &Json) -> usize {
    match json {
        Json::Array(elements) => 1 + elements.iter().map(depth).max().unwrap_or(0),
        Json::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// A value of so many levels, arrays and objects by turns.
fn value(levels: usize) -> Json {
    (0..levels).fold(Json::from("end"), |inner, level| match level % 2 {
        0 => vec![inner].into(),
        _ => serde_json::json!({ "k": inner }),
    })
}

#[test]
fn lines_with_values_of_any_depth_are_valid_and_not_too_deep_for_readers() {
    for &schema in Schema::ALL {
        let (most, flat) = if schema == Schema::Otel { (24, 17) } else { (64, 4) };
        let format = Format::builder().schema(schema).build().unwrap();
        for levels in (0..=most + 2).chain([100, 120]) {
            let value = value(levels);
            let mut span = format.span("s");
            span.record(0, "deep").serialize(&value);
            span.record(1, "after").u64(1);
            let mut list = SpanList::new();
            list.push(&span);
            let fill = |record: &mut Record<'_>| {
                record.field("deep").serialize(&value);
                record.field("after").u64(2);
                record.span_list(&list);
            };
            let encoded = encode(&format, fill);
            // The reader of the tests stops at 128 levels, as serde_json does unless it is told
            // otherwise; Protocol Buffers stop at 100 messages, of which a level of a value is
            // three where it is four of JSON.
            let json = check_line(&encoded.result);
            let deepest = if schema == Schema::Otel { 4 * most } else { most };
            assert!(depth(&json) <= deepest + flat, "{schema:?} {levels} {}", depth(&json));
            let object = fields(schema, &json);
            assert_eq!(object["after"], 2, "{schema:?}");
            assert_eq!(span.take_format_errors(), u32::from(levels > most));
            assert_eq!(encoded.format_errors, u32::from(levels > most), "{schema:?} {levels}");
            let expected = if levels > most { TOO_DEEP.into() } else { value };
            assert_eq!(object["deep"], expected, "{schema:?} {levels}");
        }
    }
}
