//! No key twice, no value lost.

use super::{encode, read, text};
use crate::Severity;
use crate::json::{EncodedSpan, Format, Meta, Part, SpanList};
use serde_json::json;

#[test]
fn a_line_has_the_default_order() {
    let format = Format::default();
    let mut span = format.span("request");
    span.record(0, "request_id").str("7f3a");
    let server = format.span("server");
    let line = text(&format, |record| {
        record.message().str("request handled");
        record.field("user_id").u64(42);
        record.field("ok").bool(true);
        record.spans([&server, &span]);
    });
    assert_eq!(
        line,
        r#""level":"INFO","target":"shop::orders","message":"request handled","user_id":42,"ok":true,"spans":[{"name":"server"},{"name":"request","request_id":"7f3a"}]}"#
    );
}

#[test]
fn fields_named_like_metadata_get_an_underscore() {
    let names = ["message", "level", "target", "timestamp", "span", "spans", "truncated"];
    let free = ["name", "thread", "file", "line", "trace_id", "", "__proto__", "a.b"];
    let json = read(|record| {
        record.message().str("m");
        for name in names.iter().chain(&free) {
            record.field(name).str(name);
        }
    });
    for name in names {
        assert_eq!(json[format!("{name}_")], name);
    }
    for name in free {
        assert_eq!(json[name], name);
    }
    assert_eq!(json["message"], "m");
}

#[test]
fn shown_metadata_keeps_its_key() {
    let format = Format::builder().show(Part::File).show(Part::ThreadName).build().unwrap();
    let json = super::reader::check_line(
        &encode(&format, |record| {
            record.field("file").u64(1);
            record.field("thread").u64(2);
        })
        .result,
    );
    assert_eq!((&json["file_"], &json["thread_"]), (&json!(1), &json!(2)));
}

#[test]
fn a_repeated_field_takes_the_next_free_name() {
    let json = read(|record| {
        for value in 0..4 {
            record.field("a").u64(value);
        }
        record.field("a_").u64(4);
        record.field("a\n").u64(5);
        record.field("a\n").u64(6);
    });
    for (key, value) in [("a", 0), ("a_", 1), ("a__", 2), ("a___", 3), ("a____", 4)] {
        assert_eq!(json[key], value);
    }
    assert_eq!((&json["a\n"], &json["a\n_"]), (&json!(5), &json!(6)));
}

#[test]
fn hundreds_of_repeated_fields_are_all_there() {
    let json = read(|record| {
        for round in 0..2 {
            for field in 0..700 {
                record.field(&format!("field_with_a_name_{field}")).u64(round);
            }
        }
    });
    for field in 0..700 {
        assert_eq!(json[format!("field_with_a_name_{field}")], 0);
        assert_eq!(json[format!("field_with_a_name_{field}_")], 1);
    }
}

#[test]
fn a_late_message_stands_before_the_fields() {
    let line = text(&Format::default(), |record| {
        record.field("a").u64(1);
        record.field("b").str("two");
        record.message().args(format_args!("late {}", 3));
        record.field("a").u64(4);
        record.field("message").u64(5);
        record.message().u64(6);
    });
    assert_eq!(
        line,
        r#""level":"INFO","target":"shop::orders","message":"late 3","a":1,"b":"two","a_":4,"message_":5,"message__":6}"#
    );
}

#[test]
fn a_late_message_stands_before_nested_fields() {
    let format = Format::builder().nest_fields("fields").build().unwrap();
    let span = format.span("s");
    let line = text(&format, |record| {
        record.field("level").u64(1);
        record.message().str("late");
        record.field("level").u64(2);
        record.spans([&span]);
        record.field("level").u64(3);
    });
    assert_eq!(
        line,
        r#""level":"INFO","target":"shop::orders","message":"late","fields":{"level":1,"level_":2},"spans":[{"name":"s"}],"level__":3}"#
    );
    let line = text(&format, |record| record.message().str("m"));
    assert_eq!(line, r#""level":"INFO","target":"shop::orders","message":"m","fields":{}}"#);
}

#[test]
fn a_call_site_writes_what_the_format_writes() {
    let format = Format::builder().static_field("service", |v| v.str("shop")).build().unwrap();
    let meta = Meta::new(Severity::Info, "shop::orders");
    let names = ["level", "a", "a", "service", "x\"y"];
    let site = format.call_site(&meta, names);
    let prepared = site.encode(
        None,
        |record| {
            for (position, name) in names.iter().enumerate() {
                record.site_field(position, || name).u64(position as u64);
            }
            record.site_field(1, || "a").str("again");
            record.field("a_").str("dynamic");
            record.message().str("m");
        },
        |_, line| line.to_vec(),
    );
    let prepared = prepared.unwrap().result;
    super::reader::check_line(&prepared);
    let plain = text(&format, |record| {
        for (position, name) in names.iter().enumerate() {
            record.field(name).u64(position as u64);
        }
        record.field("a").str("again");
        record.field("a_").str("dynamic");
        record.message().str("m");
    });
    let prepared = String::from_utf8(prepared).unwrap();
    assert_eq!(prepared.split_once("Z\",").unwrap().1.trim_end(), plain);
}

#[test]
fn a_field_of_a_span_recorded_again_is_replaced_at_its_place() {
    let mut span = Format::default().span("s");
    span.record(0, "a").u64(1);
    span.record(1, "name").str("user");
    span.record(2, "a").bool(true);
    span.record(3, "z").null();
    assert_eq!(span.json(), br#"{"name":"s","a":1,"name_":"user","a_":true,"z":null}"#);
    span.record(0, "a").str("a longer one");
    span.record(2, "a").f64(0.5);
    span.record(3, "z").u64(9);
    span.record(1, "name").i64(-1);
    let expected = r#"{"name":"s","a":"a longer one","name_":-1,"a_":0.5,"z":9}"#;
    assert_eq!(String::from_utf8(span.json()).unwrap(), expected);
    assert_eq!(span.value(2), Some(&b"0.5"[..]));
    assert_eq!(span.value(4), None);
}

#[test]
fn a_list_of_spans_equals_its_spans() {
    let format = Format::builder().show(Part::Span).build().unwrap();
    let (mut outer, inner): (EncodedSpan, _) = (format.span("outer"), format.span("inner"));
    outer.record(0, "x").u64(1);
    let mut list = SpanList::new();
    list.push(&outer);
    list.push(&inner);
    let one = text(&format, |record| record.span_list(&list));
    let each = text(&format, |record| record.spans([&outer, &inner]));
    assert!(each.ends_with(r#"{"name":"inner"}],"span":{"name":"inner"}}"#), "{each}");
    assert_eq!(one, each);
    assert!(!text(&format, |record| record.spans([])).contains("span"));
}

/// The names that the clash rule gives fields, by looking at each.
fn expected_names<'n>(names: impl IntoIterator<Item = &'n str>) -> Vec<String> {
    let mut taken: Vec<String> = ["timestamp", "level", "target", "message"].map(Into::into).into();
    for name in names {
        let mut name = name.to_owned();
        while taken.contains(&name) {
            name.push('_');
        }
        taken.push(name);
    }
    taken.split_off(4)
}

#[test]
fn fields_of_few_names_repeated_many_times_take_the_first_free_one() {
    let few = ["id", "level", "id_", "a", "id__", "é\u{1}", "id", "b___", "b"];
    let names: Vec<&str> = (0..300).map(|at| few[at * at % 31 % few.len()]).collect();
    let expected = expected_names(names.iter().copied());
    let json = read(|record| names.iter().for_each(|name| record.field(name).str(name)));
    for (name, expected) in names.iter().zip(&expected) {
        assert_eq!(json[expected], *name, "{expected}");
    }
    let object = json.as_object().unwrap();
    assert_eq!(object.len(), 3 + names.len());
}

#[cfg(feature = "serde")]
#[test]
fn keys_of_fields_that_are_nothing_are_free_behind_many_others() {
    let format = Format::builder().schema(crate::json::Schema::Tracing).build().unwrap();
    let names: Vec<String> = (0..100).map(|at| format!("name_{at}")).collect();
    let line = encode(&format, |record| {
        for name in &names {
            record.field(name).serialize(&None::<u8>);
            record.field(name).u64(1);
            record.field(name).serialize(&None::<u8>);
            record.field("again").u64(2);
        }
    });
    let json = super::reader::check_line(&line.result);
    for (at, name) in names.iter().enumerate() {
        let again = format!("again{}", "_".repeat(at));
        assert_eq!((&json["fields"][name], &json["fields"][again]), (&json!(1), &json!(2)));
    }
    assert_eq!(json["fields"].as_object().unwrap().len(), 200);
}

// The second one became `____`.
#[test]
fn a_name_that_is_empty_gets_one_underscore_among_many_fields() {
    let json = read(|record| {
        for name in ["___", "", "", ""] {
            record.field(name).u64(1);
            (0..40).for_each(|at| record.field(&format!("{name}{at}")).u64(2));
        }
    });
    let names = ["", "_", "__", "___", "____"].map(|name| json.get(name).is_some());
    assert_eq!(names, [true, true, true, true, false]);
}
