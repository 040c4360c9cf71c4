//! Call sites whose fields are only expected: their lines are those of records without call site.

use std::time::SystemTime;

use crate::Severity;
use crate::json::{Format, Meta, Record, Schema};

const NAMES: [&str; 14] = [
    "a",
    "message",
    "a",
    "level",
    "spans",
    "quote\"",
    "r",
    "long_long_long_long_long_long",
    "",
    "ab",
    "ac",
    "abc",
    "abd",
    "xbc",
];

fn fill(record: &mut Record<'_>, names: &[&str], text: &str, next: bool) {
    record.message().str("m");
    for (place, name) in names.iter().enumerate() {
        let value = if next { record.next_field(name) } else { record.field(name) };
        match place % 6 {
            0 => value.u64(u64::MAX >> place),
            1 => value.str(text),
            2 => value.display(&text),
            3 => value.f64(-0.125),
            4 => value.bool(true),
            _ => value.i64(-7),
        }
    }
}

/// Every record of some fields at a call site that expects others.
fn compare(format: &Format, text: &str) {
    let meta = Meta::new(Severity::Info, "shop").time(SystemTime::UNIX_EPOCH);
    let orders: [&[usize]; 11] = [
        &[0, 1, 2, 3, 4, 5, 6, 7, 8],
        &[6, 0, 7],
        &[0, 6],
        &[0],
        &[],
        &[2, 0, 1],
        &[0, 0, 1, 0],
        &[5, 8],
        &[9, 11],
        &[10, 12],
        &[9, 13],
    ];
    let keep = |_, line: &[u8]| String::from_utf8(line.to_vec()).unwrap();
    let orders = orders.map(|order| order.iter().map(|&at| NAMES[at]).collect::<Vec<_>>());
    let sites = orders.each_ref().map(|names| format.expected_call_site(&meta, names.clone()));
    for names in &orders {
        let plain = format.encode(&meta, |record| fill(record, names, text, false), keep).unwrap();
        super::reader::check_line(plain.result.as_bytes());
        for (expected, site) in orders.iter().zip(&sites) {
            let time = Some(SystemTime::UNIX_EPOCH);
            let quick = site.encode(time, |record| fill(record, names, text, true), keep).unwrap();
            // How many `_` the keys of fields that were left out would have had is known only here.
            let head = |line: &str| line.split("\"original_bytes\"").next().map(str::to_owned);
            assert_eq!(
                (quick.format_errors, quick.truncated),
                (plain.format_errors, plain.truncated)
            );
            assert_eq!(
                head(&quick.result),
                head(&plain.result),
                "{names:?} where {expected:?} are expected"
            );
            if quick.result != plain.result {
                super::reader::check_line(quick.result.as_bytes());
            }
        }
    }
}

#[test]
fn a_line_is_the_same_whether_its_fields_come_as_expected_or_not() {
    for &schema in Schema::ALL {
        let builder = || Format::builder().schema(schema);
        compare(&builder().build().unwrap(), "text \u{1b}");
        compare(&builder().redact(["r"]).build().unwrap(), "text");
    }
}

#[test]
fn a_line_is_cut_the_same_whether_its_fields_come_as_expected_or_not() {
    let format = Format::builder().max_record_bytes(4096).build().unwrap();
    for len in (1_200..1_400).chain(1_850..1_950).chain(3_500..3_900) {
        compare(&format, &"x".repeat(len));
    }
}

#[test]
fn an_expected_key_gives_way_to_one_that_came_in_another_way() {
    type Fill = fn(&mut Record<'_>);
    let format = Format::default();
    let meta = Meta::new(Severity::Info, "shop").time(SystemTime::UNIX_EPOCH);
    let cases: [(&[&str], Fill, &str); 4] = [
        (
            &["a"],
            |record| {
                record.field("a").str("x");
                record.next_field("a").u64(1);
            },
            r#""a":"x","a_":1}"#,
        ),
        (
            &["message"],
            |record| {
                record.message().str("x");
                record.message().str("y");
                record.next_field("message").u64(1);
            },
            r#""message":"x","message_":"y","message__":1}"#,
        ),
        (
            &["a", "a"],
            |record| {
                drop(record.next_field("a"));
                record.next_field("a").u64(1);
            },
            r#""target":"shop","a":1}"#,
        ),
        (
            &["a", "b"],
            |record| {
                record.next_field("a").u64(1);
                drop(record.field("c"));
                record.next_field("b").u64(2);
            },
            r#""a":1,"b":2}"#,
        ),
    ];
    let keep = |_, line: &[u8]| String::from_utf8(line.to_vec()).unwrap();
    for (names, fill, end) in cases {
        let site = format.expected_call_site(&meta, names.iter().copied());
        let quick = site.encode(Some(SystemTime::UNIX_EPOCH), fill, keep).unwrap().result;
        assert_eq!(quick, format.encode(&meta, fill, keep).unwrap().result);
        assert!(quick.trim_end().ends_with(end), "{quick}");
    }
}

#[test]
fn a_key_that_came_by_its_name_is_taken_also_by_position() {
    let format = Format::default();
    let site = format.expected_call_site(&Meta::new(Severity::Info, "shop"), ["a", "b"]);
    let fill = |record: &mut Record<'_>| {
        record.field("a").u64(1);
        record.site_field(0, || "a").u64(2);
        record.site_field(1, || "b").u64(3);
        record.site_field(1, || "b").u64(4);
    };
    let line = site.encode(None, fill, |_, line| super::reader::check_line(line)).unwrap().result;
    let numbers = ["a", "a_", "b", "b_"].map(|key| line[key].as_u64().unwrap());
    assert_eq!(numbers, [1, 2, 3, 4]);
}

/// A name may be the escaped form of another.
#[test]
fn a_name_is_not_taken_for_one_whose_escaped_form_it_is() {
    let (format, meta) = (Format::default(), Meta::new(Severity::Info, "shop"));
    let site = format.expected_call_site(&meta, ["quote\""]);
    let fill = |record: &mut Record<'_>| record.next_field("quote\\\"").u64(1);
    let line = site.encode(None, fill, |_, line| super::reader::check_line(line)).unwrap().result;
    assert_eq!(line["quote\\\""], 1);
}

/// Keys are prepared for the first 64 fields; the others come by their names.
#[test]
fn a_call_site_may_have_more_fields_than_have_their_keys_ready() {
    let meta = Meta::new(Severity::Info, "shop").time(SystemTime::UNIX_EPOCH);
    let keep = |_, line: &[u8]| String::from_utf8(line.to_vec()).unwrap();
    for count in [63, 64, 65, 66, 130] {
        // One name on both sides of the limit, and one that is that of a part.
        let mut names: Vec<String> = (0..count).map(|field| format!("field{field}")).collect();
        names[2] = "twice".into();
        names[count - 1] = "twice".into();
        names[count - 2] = "level".into();
        let names = || names.iter().map(String::as_str);
        for &schema in Schema::ALL {
            let format = Format::builder().schema(schema).build().unwrap();
            let plain = |record: &mut Record<'_>| {
                names().enumerate().for_each(|(at, name)| record.field(name).u64(at as u64));
            };
            let next = |record: &mut Record<'_>| {
                names().enumerate().for_each(|(at, name)| record.next_field(name).u64(at as u64));
            };
            let placed = |record: &mut Record<'_>| {
                names().enumerate().for_each(|(at, name)| {
                    record.site_field(at, || name).u64(at as u64);
                });
            };
            let line = format.encode(&meta, plain, keep).unwrap().result;
            let time = Some(SystemTime::UNIX_EPOCH);
            let expected = format.expected_call_site(&meta, names());
            assert_eq!(expected.encode(time, next, keep).unwrap().result, line, "{count}");
            let site = format.call_site(&meta, names());
            assert_eq!(site.encode(time, placed, keep).unwrap().result, line, "{count}");
        }
    }
}
