//! Lines of logxpy: tasks, message types, merged fields.

use std::collections::HashSet;

use serde_json::{Value as Json, json};

use super::reader::check_line;
use super::schemas::{meta, read, schema, text};
use crate::Severity;
use crate::json::{Format, Meta, Part, Record, Schema, SpanList, SpanMoment, TaskIds};

#[test]
fn logxpy_writes_the_line_of_the_reference_system() {
    // The line that logxpy documents for a message outside a task, with the target as `logger`.
    let format = schema(Schema::Logxpy).build().unwrap();
    let fill = |record: &mut Record<'_>| {
        record.message().str("User logged in");
        record.field("user_id").u64(123);
    };
    let line = text(&format, Severity::Info, fill);
    let (before, rest) = line.split_once("\"tid\":\"").unwrap();
    let (tid, rest) = rest.split_once('"').unwrap();
    assert_eq!(before, "{\"ts\":1770563890.786117,");
    let expected = ",\"lvl\":[1],\"mt\":\"info\",\"logger\":\"shop::orders\",\
                    \"msg\":\"User logged in\",\"user_id\":123}\n";
    assert_eq!(rest, expected);
    let (pid, counter) = tid.split_once('.').unwrap();
    assert!(pid.len() == 2 && !counter.is_empty());
    assert!(tid.chars().all(|c| c.is_ascii_alphanumeric() || c == '.'));
    assert_eq!(line, text(&format, Severity::Info, fill));
    let types = Severity::ALL.map(|severity| {
        let json = check_line(text(&format, severity, |_| {}).as_bytes());
        (json["mt"].as_str().unwrap().to_owned(), json.get("log_level").cloned())
    });
    assert_eq!(types[0], ("debug".to_owned(), Some("TRACE".into())));
    assert_eq!(
        types[1..].iter().map(|(name, _)| &**name).collect::<Vec<_>>(),
        ["debug", "info", "warning", "error"]
    );
    assert!(types[1..].iter().all(|(_, level)| level.is_none()));
}

#[test]
fn logxpy_gives_each_root_span_a_task_and_each_record_its_place() {
    let format = schema(Schema::Logxpy).build().unwrap();
    let line = |spans: &[&crate::json::EncodedSpan]| {
        let mut list = crate::json::SpanList::new();
        spans.iter().for_each(|span| list.push(span));
        let line = format.encode(
            &meta(Severity::Info),
            |record| {
                record.field("a").u64(1);
                record.span_list(&list);
                record.message().str("late");
            },
            |_, line| check_line(line),
        );
        let json = line.unwrap().result;
        (json["tid"].as_str().unwrap().to_owned(), json["lvl"].clone())
    };
    let (outside, place) = line(&[]);
    assert_eq!(place, json!([1]));
    let root = format.span("root");
    let (task, place) = line(&[&root]);
    assert_eq!(place, json!([2]));
    assert_ne!(task, outside);
    let child = format.child_span("child", &root);
    assert_eq!(line(&[&root, &child]), (task.clone(), json!([3, 2])));
    assert_eq!(line(&[&root, &child]), (task.clone(), json!([3, 3])));
    assert_eq!(line(&[&root]), (task.clone(), json!([4])));
    let other = format.span("other");
    assert_ne!(line(&[&other]).0, task);
    let mut deep = vec![root];
    for _ in 0..1000 {
        deep.push(format.child_span("deeper", &deep[deep.len() - 1]));
    }
    assert_eq!(line(&deep.iter().collect::<Vec<_>>()).0, task);
}

#[test]
fn logxpy_merges_the_fields_of_spans_and_loses_no_value() {
    let format = schema(Schema::Logxpy).build().unwrap();
    let mut outer = format.span("outer");
    outer.record(0, "a").str("outer");
    outer.record(1, "b").str("outer");
    outer.record(2, "name").str("n");
    outer.record(3, "msg").str("outer");
    let mut inner = format.child_span("inner", &outer);
    inner.record(0, "a").str("inner");
    inner.record(1, "b").str("inner");
    let json = read(&format, |record| {
        record.message().str("m");
        record.field("a").str("event");
        record.spans([&outer, &inner]);
    });
    for (key, value) in [
        ("a", "event"),
        ("a_", "inner"),
        ("a__", "outer"),
        ("b", "inner"),
        ("b_", "outer"),
        ("name", "n"),
        ("msg", "m"),
        ("msg_", "outer"),
    ] {
        assert_eq!(json[key], value, "{key}");
    }
    assert_eq!(json.as_object().unwrap().len(), 5 + 8);
}

/// Checks the form of a version 4 UUID: https://www.rfc-editor.org/rfc/rfc9562#section-4 and
/// #section-5.4.
fn check_uuid(id: &Json) -> String {
    let id = id.as_str().unwrap();
    let groups: Vec<_> = id.split('-').collect();
    assert_eq!(groups.iter().map(|group| group.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    assert_eq!(id.len(), 36);
    assert!(groups.concat().bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{id}");
    assert!(groups[2].starts_with('4') && groups[3].starts_with(['8', '9', 'a', 'b']), "{id}");
    id.to_owned()
}

#[test]
fn ids_of_tasks_may_be_random_uuids() {
    let format = schema(Schema::Logxpy).task_ids(TaskIds::Uuid).build().unwrap();
    let outside = check_uuid(&read(&format, |_| {})["tid"]);
    assert_eq!(check_uuid(&read(&format, |_| {})["tid"]), outside);
    let line = |list: &SpanList| {
        let fill = |record: &mut Record<'_>| record.span_list(list);
        let encoded = format.encode(&meta(Severity::Info), fill, |_, line| check_line(line));
        check_uuid(&encoded.unwrap().result["tid"])
    };
    let mut seen = HashSet::from([outside.clone()]);
    let mut bits = [0_u128; 2];
    for _ in 0..1000 {
        let root = format.span("root");
        let child = format.child_span("child", &root);
        let mut list = SpanList::new();
        list.push(&root);
        let id = line(&list);
        list.push(&child);
        assert_eq!(line(&list), id);
        let number = u128::from_str_radix(&id.replace('-', ""), 16).unwrap();
        bits = [bits[0] | number, bits[1] | !number];
        assert!(seen.insert(id));
    }
    // Each of the 122 bits that are free was a 1 and a 0 at some time.
    let both = (bits[0] & bits[1]).count_ones();
    assert_eq!(both, 122);
    // Two formats, one process.
    let other = schema(Schema::Logxpy).task_ids(TaskIds::Uuid).build().unwrap();
    assert_eq!(read(&other, |_| {})["tid"], outside);
    let short = schema(Schema::Logxpy).build().unwrap();
    assert!(read(&short, |_| {})["tid"].as_str().unwrap().len() <= 12);
}

#[test]
fn ids_of_tasks_have_their_form_where_they_are_shown_in_another_schema() {
    let builder = schema(Schema::Default).show(Part::TaskId).task_ids(TaskIds::Uuid);
    check_uuid(&read(&builder.build().unwrap(), |_| {})["task_id"]);
}

#[test]
fn a_field_sets_the_message_type_to_one_that_is_no_level() {
    let format = schema(Schema::Logxpy).hide(Part::TaskId).build().unwrap();
    for word in ["success", "note", "critical"] {
        for severity in Severity::ALL {
            let line = text(&format, severity, |record| {
                record.field("a").u64(1);
                record.field("mt").str(word);
                record.message().str("m");
                record.field("b").u64(2);
            });
            let level = if severity == Severity::Trace { ",\"log_level\":\"TRACE\"" } else { "" };
            let expected = format!(
                "{{\"ts\":1770563890.786117,\"lvl\":[1],\"mt\":\"{word}\"{level},\
                 \"logger\":\"shop::orders\",\"msg\":\"m\",\"a\":1,\"b\":2}}\n"
            );
            assert_eq!(line, expected);
        }
    }
}

type Fill = fn(&mut Record<'_>);

#[test]
fn only_the_first_of_these_words_on_its_own_is_a_message_type() {
    let format = schema(Schema::Logxpy).build().unwrap();
    // Each with the type, and what stands under `mt_` and `mt__`.
    let none = Json::Null;
    let cases: [(Fill, [Json; 3]); 9] = [
        (|r| r.field("mt").u64(1), ["info".into(), 1.into(), none.clone()]),
        (|r| r.field("mt").str("error"), ["info".into(), "error".into(), none.clone()]),
        (|r| r.field("mt").str("Success"), ["info".into(), "Success".into(), none.clone()]),
        (|r| r.field("mt").display(&"note"), ["note".into(), none.clone(), none.clone()]),
        (|r| r.field("mt_").str("note"), ["info".into(), "note".into(), none.clone()]),
        (|r| r.field("log_level").str("note"), ["info".into(), none.clone(), none.clone()]),
        (
            |r| {
                r.field("mt").str("note");
                r.field("mt").str("critical");
                r.field("mt_").u64(3);
            },
            ["note".into(), "critical".into(), 3.into()],
        ),
        (
            |r| {
                r.field("mt").null();
                r.field("mt").str("critical");
            },
            ["critical".into(), none.clone(), none.clone()],
        ),
        (
            |r| {
                r.field("mt_").u64(3);
                r.field("mt").bool(true);
            },
            ["info".into(), 3.into(), true.into()],
        ),
    ];
    for (number, (fill, expected)) in cases.iter().enumerate() {
        let json = read(&format, fill);
        let seen = ["mt", "mt_", "mt__"].map(|key| json[key].clone());
        assert_eq!(seen, *expected, "{number}");
    }
}

#[test]
fn what_is_nothing_is_left_out_of_a_record_and_stays_in_a_span() {
    for name in [Schema::Logxpy, Schema::Tracing] {
        let format = schema(name).redact_defaults().build().unwrap();
        let mut span = format.span("request");
        span.record(0, "cleared").u64(1);
        span.record(0, "cleared").null();
        let json = read(&format, |record| {
            record.message().null();
            record.field("user").null();
            record.field("password").null();
            record.field("n").u64(1);
            record.spans([&span]);
        });
        let text = json.to_string();
        assert!(text.contains("\"n\":1") && text.contains("\"cleared\":null"), "{text}");
        assert!(
            !["user", "password", "message", "msg"].iter().any(|key| text.contains(key)),
            "{text}"
        );
    }
}

#[test]
fn a_call_site_may_name_the_field_of_the_message_type() {
    let format = schema(Schema::Logxpy).build().unwrap();
    let names = ["mt_", "mt", "a"];
    let site = format.call_site(&meta(Severity::Info), names);
    let line = |values: [&str; 3]| {
        let encoded = site.encode(
            None,
            |record| {
                for (position, (name, value)) in names.iter().zip(values).enumerate() {
                    record.site_field(position, || name).str(value);
                }
                record.message().str("m");
            },
            |_, line| check_line(line),
        );
        let json = encoded.unwrap().result;
        assert_eq!(json["msg"], "m");
        ["mt", "mt_", "mt__", "a"].map(|key| json[key].as_str().map(str::to_owned))
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(line(["x", "success", "y"]), [some("success"), some("x"), None, some("y")]);
    assert_eq!(line(["note", "z", "y"]), [some("info"), some("note"), some("z"), some("y")]);
}

#[test]
fn the_message_type_goes_with_the_key_of_the_level() {
    let renamed = schema(Schema::Logxpy).rename(Part::Level, "type").build().unwrap();
    let fill = |record: &mut Record<'_>| {
        record.field("type").str("note");
        record.field("mt").str("note");
    };
    let json = read(&renamed, fill);
    assert_eq!((&json["type"], &json["mt"]), (&json!("note"), &json!("note")));
    let hidden = schema(Schema::Logxpy).hide(Part::Level).build().unwrap();
    assert_eq!(read(&hidden, fill)["type"], "note");
    let named = schema(Schema::Logxpy).level_names(["t", "d", "i\",\\", "w", "e"]).build().unwrap();
    let json = read(&named, |record| record.field("mt").str("success"));
    assert_eq!((&json["mt"], json.get("mt_")), (&json!("success"), None));
    let numbers = schema(Schema::Logxpy).level_numbers([1, 2, 3, 4, 5]).build().unwrap();
    assert_eq!(read(&numbers, fill)["mt"], "note");
    let nested = schema(Schema::Logxpy).nest_fields("fields").build().unwrap();
    let json = read(&nested, fill);
    assert_eq!((&json["mt"], &json["fields"]), (&json!("note"), &json!({"type": "note"})));
    // A secret stays one.
    let secret = schema(Schema::Logxpy).redact(["mt"]).build().unwrap();
    let json = read(&secret, fill);
    assert_eq!((&json["mt"], &json["mt_"]), (&json!("info"), &json!("[redacted]")));
    // In the other schemas the name means nothing.
    let json = read(&schema(Schema::Default).build().unwrap(), fill);
    assert_eq!((&json["level"], &json["mt"]), (&json!("INFO"), &json!("note")));
}

#[test]
fn a_span_sets_no_message_type() {
    let format = schema(Schema::Logxpy).hide(Part::TaskLevel).build().unwrap();
    let mut span = format.span("s");
    span.record(0, "mt").str("success");
    let json = read(&format, |record| record.spans([&span]));
    assert_eq!((&json["mt"], &json["mt_"]), (&json!("info"), &json!("success")));
}

#[test]
fn the_key_beside_the_level_is_taken_whatever_is_shown() {
    for builder in [Format::builder(), Format::builder().hide(Part::Level)] {
        let format = builder.schema(Schema::Logxpy).build().unwrap();
        let line = read(&format, |record| record.field("log_level").u64(1));
        assert_eq!((line.get("log_level"), &line["log_level_"]), (None, &json!(1)));
    }
}

#[test]
fn a_field_of_a_span_has_the_same_key_in_the_lines_that_tell_of_the_span() {
    let builder = Format::builder().schema(Schema::Logxpy);
    let (lines, format) = (builder.span_lines().unwrap(), builder.build().unwrap());
    let mut span = format.span("s");
    for (id, name) in (0..).zip(["mt", "msg", "level"]) {
        span.record(id, name).u64(u64::from(id));
    }
    let mut list = SpanList::new();
    list.push(&span);
    let event = read(&format, |record| {
        record.message().str("m");
        record.span_list(&list);
    });
    let meta = Meta::new(Severity::Info, "t");
    let line = lines.encode(&meta, "s", SpanMoment::New, &list, |_, line| check_line(line));
    let line = line.unwrap().result;
    for key in ["mt_", "msg_", "level"] {
        assert_eq!((line.get(key), event.get(key).is_some()), (event.get(key), true), "{key}");
    }
    assert!(line.get("mt").is_none() && line.get("msg").is_none(), "{line}");
}
