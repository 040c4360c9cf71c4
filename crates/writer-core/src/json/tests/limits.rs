//! The cap on the size of a line.

use std::fmt;

use super::encode;
use crate::Severity;
use crate::json::{EncodedSpan, Format, Meta, Part, Record, Schema, SpanList};
use serde_json::json;

fn capped(bytes: usize) -> Format {
    Format::builder().max_record_bytes(bytes).build().unwrap()
}

#[test]
fn a_line_is_cut_at_every_size_around_the_cap_and_stays_valid() {
    let text = "aé\n—\u{1b}😀\"".repeat(600);
    let start = |len: usize| {
        let at = (0..=len).rev().find(|&at| text.is_char_boundary(at)).unwrap();
        &text[..at]
    };
    for size in 2000..3000 {
        let fill = |record: &mut Record<'_>| {
            record.message().str(start(size / 2));
            record.field("number").u64(7);
            record.field("display").display(&start(size / 3));
            record.field("bytes").bytes(start(size / 8).as_bytes());
            record.field("last").bool(true);
        };
        let cut = encode(&capped(4096), fill);
        let whole = encode(&capped(1 << 20), fill);
        assert!(cut.result.len() <= 4096 && !whole.truncated);
        let json = super::reader::check_line(&cut.result);
        if cut.truncated {
            assert_eq!(json["truncated"], true);
            assert_eq!(json["original_bytes"], whole.result.len() as u64);
        } else {
            assert_eq!(json["last"], true);
        }
    }
}

/// An error with two sources.
#[derive(Debug)]
struct Chained(u32);

impl fmt::Display for Chained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error {}", "e".repeat(40))
    }
}

impl std::error::Error for Chained {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        static SOURCES: [Chained; 2] = [Chained(0), Chained(1)];
        SOURCES.get((self.0 as usize).checked_sub(1)?).map(|source| source as _)
    }
}

// In OTLP what closed the message of the error stood at the front of its chain, and was left out
// with it.
#[test]
fn an_error_with_sources_is_cut_at_every_place_and_stays_valid() {
    for schema in [Schema::Default, Schema::Otel] {
        let format = Format::builder().schema(schema).max_record_bytes(4096).build().unwrap();
        let mut cut = 0;
        for size in 2400..4000 {
            let fill = "x".repeat(size);
            let line = encode(&format, |record| {
                record.field("fill").str(&fill);
                record.field("error").error(&Chained(2));
                record.field("last").bool(true);
            });
            super::reader::check_line(&line.result);
            cut += u32::from(line.truncated);
            let mut span = format.span("s");
            span.record(0, "fill").str(&fill[..size / 4]);
            span.record(1, "error").error(&Chained(2));
            super::reader::check_line(&encode(&format, |record| record.spans([&span])).result);
        }
        assert!((10..1590).contains(&cut), "{schema:?} {cut}");
    }
}

/// What a cut line says of the length that it would have had.
fn original_bytes(schema: Schema, line: &[u8]) -> u64 {
    let json = super::reader::check_line(line);
    let length = match schema {
        Schema::Otel => super::every_schema::fields(schema, &json)["original_bytes"].clone(),
        _ => json["original_bytes"].clone(),
    };
    length.as_u64().unwrap()
}

#[test]
fn a_cut_line_of_every_schema_tells_the_length_of_the_whole_one() {
    let long = "x\"é".repeat(5000);
    let few = |record: &mut Record<'_>| record.message().str(&long);
    let first = |record: &mut Record<'_>| {
        record.message().str(&long[..9000]);
        record.field(&long[..6000]).str("is left out");
    };
    let number = |record: &mut Record<'_>| {
        record.message().str("m");
        record.field(&"k".repeat(3000)).u64(u64::MAX);
        record.field(&"l".repeat(2000)).u64(1);
        record.field("last").u64(2);
    };
    let late = |record: &mut Record<'_>| {
        record.field("a").str("1");
        record.field("b").bool(true);
        record.message().str(&long);
        record.field("c").f64(0.5);
        record.field("d").display(&long);
    };
    let fills: [&dyn Fn(&mut Record<'_>); 4] = [&few, &first, &number, &late];
    for &schema in Schema::ALL {
        let format = |cap| Format::builder().schema(schema).max_record_bytes(cap).build().unwrap();
        for (which, fill) in fills.iter().enumerate() {
            let whole = encode(&format(1 << 20), |record| fill(record));
            let cut = encode(&format(4096), |record| fill(record));
            assert!(cut.truncated && !whole.truncated);
            let original = original_bytes(schema, &cut.result);
            assert_eq!(original, whole.result.len() as u64, "{schema:?}, {which}");
        }
    }
}

#[test]
fn the_value_that_crosses_is_cut_and_later_fields_are_left_out() {
    let encoded = encode(&capped(4096), |record| {
        record.message().str("kept");
        record.field("long").str(&"x".repeat(5000));
        record.field("later").u64(1);
    });
    let json = super::reader::check_line(&encoded.result);
    assert!(encoded.truncated && json["long"].as_str().unwrap().len() > 3000);
    assert_eq!((&json["message"], json.get("later")), (&json!("kept"), None));
}

#[test]
fn numbers_are_left_out_whole() {
    for fields in 100..300 {
        let encoded = encode(&capped(4096), |record| {
            for field in 0..fields {
                record.field(&format!("f{field}")).u64(u64::MAX);
            }
        });
        let json = super::reader::check_line(&encoded.result);
        let object = json.as_object().unwrap();
        let numbers = object.iter().filter(|(key, _)| key.starts_with('f'));
        assert!(numbers.clone().all(|(_, value)| *value == u64::MAX));
        assert_eq!(numbers.count() == fields, !encoded.truncated);
    }
}

// The keys of 3000 fields of one name led 615 bytes beyond a cap of 1 MiB.
#[test]
fn a_key_repeated_many_times_does_not_exceed_the_cap() {
    for &schema in Schema::ALL {
        for pad in 0..90 {
            let format = Format::builder().schema(schema).max_record_bytes(4096).build().unwrap();
            let encoded = encode(&format, |record| {
                record.field("pad").str(&"p".repeat(pad));
                (0..300).for_each(|_| record.field("a").str("v"));
            });
            assert!(encoded.truncated && encoded.result.len() <= 4096, "{schema:?} {pad}");
            let json = super::reader::check_line(&encoded.result);
            assert!(schema != Schema::Bunyan || json["msg"] == "", "{pad}");
        }
    }
}

#[test]
fn the_original_length_counts_the_clashes_of_fields_that_are_left_out() {
    let fill = |record: &mut Record<'_>| {
        record.field("body").str(&"x".repeat(9000));
        for name in ["level", "target", "body", "free"] {
            record.field(name).u64(1);
        }
    };
    let whole = encode(&Format::default(), fill).result.len() as u64;
    let cut = super::reader::check_line(&encode(&capped(4096), fill).result);
    assert_eq!(cut["original_bytes"], whole);
}

struct Huge;

impl fmt::Display for Huge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = "0123456789abcdef".repeat(1 << 12);
        (0..128).try_for_each(|_| f.write_str(&part))
    }
}

#[test]
fn a_huge_display_is_counted_and_not_stored() {
    let meta = Meta::new(Severity::Info, "t");
    let encoded = Format::default()
        .encode(&meta, |record| record.field("huge").display(&Huge), |_, line| line.to_vec())
        .unwrap();
    assert!(encoded.truncated && encoded.result.len() <= 1 << 20);
    let json = super::reader::check_line(&encoded.result);
    assert!(json["original_bytes"].as_u64().unwrap() >= 8 << 20);
}

#[test]
fn hostile_metadata_and_keys_leave_a_valid_line() {
    let long = "\u{1}é".repeat(10_000);
    let meta = Meta::new(Severity::Info, &long).time(std::time::UNIX_EPOCH);
    let fill = |record: &mut Record<'_>| {
        record.message().str("still there");
        record.field(&long).u64(1);
        record.field("k").u64(1);
    };
    let encoded = capped(4096).encode(&meta, fill, |_, line| line.to_vec()).unwrap();
    let json = super::reader::check_line(&encoded.result);
    assert!(encoded.truncated);
    assert_eq!((&json["message"], json.get("k")), (&json!("still there"), None));
}

#[test]
fn a_call_site_tells_that_its_metadata_were_cut_as_the_format_does() {
    let long = "\u{1}é".repeat(10_000);
    for &schema in Schema::ALL {
        let builder = Format::builder().schema(schema).max_record_bytes(4096);
        let format = builder.show(crate::json::Part::File).build().unwrap();
        let meta = Meta::new(Severity::Info, "t").file(Some(&long)).time(std::time::UNIX_EPOCH);
        let fill = |record: &mut Record<'_>| record.message().str("m");
        let plain = format.encode(&meta, fill, |_, line| line.to_vec()).unwrap();
        let site = format.call_site(&meta, []);
        let prepared = site.encode(Some(std::time::UNIX_EPOCH), fill, |_, line| line.to_vec());
        assert_eq!(Some(&plain), prepared.as_ref(), "{schema:?}");
        assert!(plain.truncated);
        assert!(String::from_utf8(plain.result).unwrap().contains("original_bytes"));
    }
}

#[test]
fn spans_that_do_not_fit_are_left_out_whole() {
    let format = capped(4096);
    let mut span = format.span("s");
    span.record(0, "a").str(&"x".repeat(800));
    let fits = encode(&format, |record| record.spans([&span; 4]));
    assert!(!fits.truncated);
    let cut = encode(&format, |record| record.spans([&span; 5]));
    assert!(cut.truncated);
    assert_eq!(super::reader::check_line(&cut.result).get("spans"), None);
    span.record(1, "b").str(&"x".repeat(800));
    let cut = encode(&format, |record| record.spans([&span]));
    assert!(cut.truncated);
    assert_eq!(super::reader::check_line(&cut.result)["spans"][0]["name"], "s");
}

#[test]
fn a_failing_display_at_the_cap_is_rolled_back() {
    struct Fails;
    impl fmt::Display for Fails {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(&"x".repeat(10_000))?;
            Err(fmt::Error)
        }
    }
    let encoded = encode(&capped(4096), |record| {
        record.field("a").display(&Fails);
        record.field("b").u64(1);
    });
    assert_eq!((encoded.truncated, encoded.format_errors), (false, 1));
    assert_eq!(super::reader::check_line(&encoded.result)["b"], 1);
}

#[test]
fn a_field_without_a_name_is_left_out_of_a_full_line() {
    let encoded = encode(&capped(4096), |record| {
        record.message().str(&"x".repeat(5000));
        record.field("").str("");
        record.field("").u64(1);
    });
    assert!(encoded.truncated);
    assert_eq!(super::reader::check_line(&encoded.result).get(""), None);
}

/// The letters that two fields of a span begin with, and their lengths.
fn shown(span: &EncodedSpan) -> serde_json::Value {
    let json = serde_json::from_slice::<serde_json::Value>(&span.json()).unwrap();
    let text = |key: &str| match json[key].as_str() {
        Some(text) => json!([&text[..1], text.len()]),
        None => json[key].clone(),
    };
    json!([text("body"), text("status")])
}

// A body of 140 000 bytes recorded a second time stayed the first one, and the status was lost.
#[test]
fn a_value_recorded_again_replaces_the_old_one_also_near_the_cap() {
    for (cap, len) in [(16 << 10, 2_500), (1 << 20, 140_000)] {
        let format = capped(cap);
        let record = |span: &mut EncodedSpan, apart: bool, letter: &str| {
            let text = letter.repeat(len);
            if apart {
                let mut newer = format.span_update();
                newer.record(0, "body").str(&text);
                span.update(&newer, [(0, "body"), (1, "status")]);
            } else {
                span.record(0, "body").str(&text);
            }
        };
        for apart in [false, true] {
            let mut span = format.span("s");
            for letter in ["a", "b", "c"] {
                record(&mut span, apart, letter);
                assert_eq!(shown(&span), json!([[letter, len], null]), "{cap} {apart}");
            }
            span.record(1, "status").u64(200);
            assert_eq!(shown(&span), json!([["c", len], 200]), "{cap} {apart}");
            assert!(!span.truncated());
        }
    }
}

#[test]
fn a_value_recorded_again_is_cut_where_the_first_would_be() {
    for &kind in Schema::ALL {
        let format = Format::builder().schema(kind).max_record_bytes(16 << 10).build().unwrap();
        let mut first = format.span("s");
        first.record(0, "body").str(&"b".repeat(9000));
        for old in (0..9000).step_by(500) {
            let mut span = format.span("s");
            span.record(0, "body").str(&"a".repeat(old));
            span.record(0, "body").str(&"b".repeat(9000));
            assert!(span.truncated());
            assert_eq!(span.json(), first.json(), "{kind:?} {old}");
        }
    }
}

#[test]
fn a_span_that_is_full_still_replaces_the_values_it_has() {
    let mut span = capped(16 << 10).span("s");
    span.record(1, "status").u64(200);
    span.record(0, "body").str(&"a".repeat(9000));
    span.record(1, "status").u64(404);
    span.record(0, "body").str("b");
    assert_eq!(shown(&span), json!([["b", 1], 404]));
    span.record(2, "later").u64(1);
    assert!(span.truncated() && !String::from_utf8(span.json()).unwrap().contains("later"));
}

// A body of 300 000 bytes was missing as a whole where it was recorded later.
#[test]
fn a_value_recorded_later_is_cut_where_one_at_creation_would_be() {
    let text = "aé\n—\u{1b}😀\"\\".repeat(1000);
    for &kind in Schema::ALL {
        let format = Format::builder().schema(kind).max_record_bytes(16 << 10).build().unwrap();
        for before in 0..40 {
            let start = || {
                let mut span = format.span("s");
                span.record(0, "before").str(&"b".repeat(before));
                span
            };
            let (mut one, mut other, mut newer) = (start(), start(), format.span_update());
            one.record(1, "body").str(&text);
            newer.record(1, "body").str(&text);
            other.update(&newer, [(1, "body")]);
            assert!(one.truncated() && other.truncated());
            assert_eq!(one.json(), other.json(), "{kind:?} {before}");
        }
    }
}

// Of a span with 600 000 bytes the line said that it would have had 262 188.
#[test]
fn the_original_length_counts_what_was_cut_of_spans() {
    for &kind in Schema::ALL {
        for flat in [false, true] {
            let line = |bytes: usize, apart: bool| {
                let builder = Format::builder().schema(kind).hide(Part::TaskLevel);
                let builder = if flat { builder.flatten_spans() } else { builder };
                let format = builder.max_record_bytes(bytes).build().unwrap();
                let (mut outer, mut inner) = (format.span("outer"), format.span("inner"));
                outer.record(0, "o").str(&"o".repeat(9_000));
                if apart {
                    let mut newer = format.span_update();
                    newer.record(0, "i").str(&"i".repeat(7_000));
                    inner.update(&newer, [(0, "i")]);
                } else {
                    inner.record(0, "i").str(&"i".repeat(7_000));
                }
                encode(&format, |record| {
                    record.message().str("m");
                    record.spans([&outer, &inner]);
                })
            };
            let whole = line(1 << 20, false).result.len() as u64;
            for apart in [false, true] {
                let cut = line(16 << 10, apart);
                assert!(cut.truncated);
                let text = String::from_utf8(cut.result).unwrap();
                let digits = text.split_once("original_bytes").unwrap().1.chars();
                let digits = digits.skip_while(|char| !char.is_ascii_digit());
                let digits: String = digits.take_while(char::is_ascii_digit).collect();
                assert_eq!(digits.parse::<u64>().unwrap(), whole, "{kind:?} {flat} {apart}");
            }
        }
    }
}

#[test]
fn a_span_of_another_shape_is_left_out() {
    let format = |&kind: &Schema| Format::builder().schema(kind).build().unwrap();
    let formats: Vec<Format> = Schema::ALL.iter().map(format).collect();
    let otel = |format: &Format| format.span("s").is_typed();
    for one in &formats {
        for other in &formats {
            let (mut span, mut own) = (other.span("foreign"), one.span("own"));
            span.record(0, "f").u64(1);
            own.record(0, "o").u64(1);
            let mut list = SpanList::new();
            list.push(&own);
            list.push(&span);
            let mut foreign = SpanList::new();
            foreign.push(&span);
            let direct = encode(one, |record| record.spans([&own, &span]));
            let listed = encode(one, |record| record.span_list(&list));
            let alone = encode(one, |record| record.span_list(&foreign));
            for encoded in [direct, listed, alone] {
                assert_eq!(encoded.truncated, otel(one) != otel(other));
            }
        }
    }
}

#[test]
fn a_long_prefix_of_the_trace_keeps_within_the_cap() {
    for len in [300, 1000] {
        let format = Format::builder()
            .schema(Schema::Gcp)
            .trace_prefix(&"p".repeat(len))
            .max_record_bytes(16 << 10)
            .build()
            .unwrap();
        let mut list = SpanList::new();
        list.push(&format.span("a"));
        list.set_trace([1; 16], [2; 8]);
        for body in (13 << 10)..(16 << 10) {
            let encoded = encode(&format, |record| {
                record.field("body").str(&"b".repeat(body));
                record.span_list(&list);
            });
            assert!(encoded.result.len() <= 16 << 10, "{len} {body} {}", encoded.result.len());
        }
    }
}
