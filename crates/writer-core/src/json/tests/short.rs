//! Members that are written in few steps: their lines are those of the long way.

use std::fmt;
use std::sync::LazyLock;
use std::time::SystemTime;

use crate::Severity;
use crate::json::{Format, FormatBuilder, Meta, Part, Record, SpanList, Value};

/// A message and two fields, of a call site or not.
fn line(format: &Format, site: bool, write: &dyn Fn(Value<'_>)) -> (String, u32, bool) {
    let meta = Meta::new(Severity::Info, "shop").time(SystemTime::UNIX_EPOCH);
    let names = ["text", "a_key_that_is_longer_than_a_block"];
    let fill = |record: &mut Record<'_>| {
        write(record.message());
        for (position, name) in names.into_iter().enumerate() {
            write(if site { record.site_field(position, || name) } else { record.field(name) });
        }
    };
    let keep = |_, line: &[u8]| String::from_utf8(line.to_vec()).unwrap();
    let encoded = match site {
        true => format.call_site(&meta, names).encode(meta.time, fill, keep),
        false => format.encode(&meta, fill, keep),
    };
    let encoded = encoded.unwrap();
    (encoded.result, encoded.format_errors, encoded.truncated)
}

static SHORT_WAY: LazyLock<Format> = LazyLock::new(Format::default);

/// With this option each key is looked at, and nothing is short.
static LONG_WAY: LazyLock<Format> =
    LazyLock::new(|| Format::builder().redact(["nothing"]).build().unwrap());

fn compare(write: &dyn Fn(Value<'_>)) {
    let long = line(&LONG_WAY, false, write);
    assert_eq!(line(&LONG_WAY, true, write), long);
    for site in [true, false] {
        assert_eq!(line(&SHORT_WAY, site, write), long);
    }
}

#[test]
fn a_text_of_any_length_is_escaped_wherever_it_has_to_be() {
    for len in 0..70 {
        let plain: String = ('!'..).filter(|c| !matches!(c, '"' | '\\')).take(len).collect();
        compare(&|value| value.str(&plain));
        compare(&|value| value.display(&plain));
        compare(&|value| value.args(format_args!("{plain}{plain}")));
        for at in 0..len {
            for special in ['"', '\\', '\u{1f}', '\u{7f}', '\u{80}', 'é', '\u{2028}'] {
                let text = format!("{}{special}{}", &plain[..at], &plain[at + 1..]);
                compare(&|value| value.str(&text));
                compare(&|value| value.display(&text));
            }
        }
    }
}

#[test]
fn numbers_of_any_length_are_whole() {
    for power in 0..64 {
        let number = u64::MAX >> power;
        compare(&|value| value.u64(number));
        compare(&|value| value.i64(-(number as i64 >> 1)));
        compare(&|value| value.f64(number as f64 / 1000.0));
        compare(&|value| value.f64(-1.0 / number as f64));
        compare(&|value| value.bool(power % 2 == 0));
    }
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, f64::MAX] {
        compare(&|value| value.f64(odd));
    }
}

/// Prints something, and then fails or panics.
struct Halfway(bool);

impl fmt::Display for Halfway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("half")?;
        if self.0 { Err(fmt::Error) } else { panic!("in a Display") }
    }
}

#[test]
fn a_text_that_fails_leaves_nothing_but_its_marker() {
    compare(&|value| value.display(&Halfway(true)));
    compare(&|value| value.display(&Halfway(false)));
    let (text, errors, _) = line(&Format::default(), true, &|value| value.display(&Halfway(true)));
    assert!(!text.contains("half") && text.contains(r#""message":"<format_error>""#), "{text}");
    assert_eq!(errors, 3);
}

#[test]
fn a_member_without_a_value_leaves_its_key_free() {
    compare(&|value| drop(value));
    let meta = Meta::new(Severity::Info, "shop");
    let text = |_, line: &[u8]| String::from_utf8_lossy(line).into_owned();
    let fill = |next: bool| {
        move |record: &mut Record<'_>| {
            drop(if next { record.next_field("a") } else { record.site_field(0, || "a") });
            for name in ["b", "a"] {
                match next {
                    true => record.next_field(name).u64(1),
                    false => record.site_field(usize::from(name == "b"), || name).u64(1),
                }
            }
        }
    };
    let format = Format::default();
    let sites = [format.call_site(&meta, ["a", "b"]), format.expected_call_site(&meta, ["a", "b"])];
    for (next, site) in [false, true].into_iter().zip(sites) {
        let line = site.encode(meta.time, fill(next), text).unwrap().result;
        assert!(line.ends_with("\"b\":1,\"a\":1}\n"), "{line}");
    }
}

#[test]
fn a_text_that_fails_does_not_hide_what_was_cut_before() {
    let build = |builder: FormatBuilder| builder.max_record_bytes(4096).build().unwrap();
    let short = build(Format::builder());
    let long = build(Format::builder().redact(["nothing"]));
    let target = "t".repeat(1000);
    let meta = Meta::new(Severity::Info, &target).time(SystemTime::UNIX_EPOCH);
    let line = |format: &Format| {
        let site = format.call_site(&meta, ["a"]);
        let fill = |record: &mut Record<'_>| {
            record.message().display(&Halfway(true));
            record.site_field(0, || "a").display(&Halfway(false));
        };
        let encoded = site.encode(meta.time, fill, |_, line| line.to_vec()).unwrap();
        assert!(encoded.truncated);
        String::from_utf8(encoded.result).unwrap()
    };
    assert_eq!(line(&short), line(&long));
}

#[test]
fn a_list_of_spans_comes_once_and_what_follows_stands_behind_it() {
    let format = Format::default();
    let mut span = format.span("outer");
    span.record(0, "id").u64(7);
    let spans = [span, format.span("inner")];
    let mut list = SpanList::new();
    spans.iter().for_each(|span| list.push(span));
    let meta = Meta::new(Severity::Info, "shop").time(SystemTime::UNIX_EPOCH);
    let line = |give: &dyn Fn(&mut Record<'_>)| {
        let fill = |record: &mut Record<'_>| {
            record.field("before").u64(1);
            give(record);
            record.field("spans").u64(2);
            give(record);
            record.message().str("late");
        };
        format.encode(&meta, fill, |_, line| line.to_vec()).unwrap().result
    };
    let listed = line(&|record| record.span_list(&list));
    assert_eq!(
        String::from_utf8_lossy(&listed),
        String::from_utf8_lossy(&line(&|record| {
            record.spans(&spans);
        }))
    );
    let listed = String::from_utf8(listed).unwrap();
    assert_eq!(listed.matches("\"spans\":[").count(), 1, "{listed}");
}

#[test]
fn a_line_of_nothing_is_an_empty_object() {
    let hidden = [Part::Timestamp, Part::Level, Part::Target];
    let format = hidden.into_iter().fold(Format::builder(), |format, part| format.hide(part));
    let (format, meta) = (format.build().unwrap(), Meta::new(Severity::Info, "shop"));
    let encoded = format.encode(&meta, |_| {}, |_, line| line.to_vec()).unwrap();
    assert_eq!(encoded.result, b"{}\n");
}

#[test]
fn a_message_that_is_hidden_is_not_written_the_short_way_either() {
    let meta = Meta::new(Severity::Info, "shop");
    // So that the thread's buffer has room for the short way.
    let long = |record: &mut Record<'_>| record.message().str(&"x".repeat(1000));
    assert!(Format::default().encode(&meta, long, |_, _| ()).is_some());
    for hidden in [true, false] {
        let builder = Format::builder();
        let builder = if hidden { builder.hide(Part::Message) } else { builder };
        let fill = |record: &mut Record<'_>| assert_eq!(record.message_str("shown"), !hidden);
        let format = builder.build().unwrap();
        let line = format.encode(&meta, fill, |_, line| line.to_vec()).unwrap();
        assert_eq!(line.format_errors, 0);
        assert_eq!(String::from_utf8(line.result).unwrap().contains("shown"), !hidden);
    }
}

/// The buffer of the thread may be longer than a line of this format.
#[test]
fn no_line_is_longer_for_a_buffer_that_has_grown() {
    let meta = Meta::new(Severity::Info, "shop").time(SystemTime::UNIX_EPOCH);
    let long = |record: &mut Record<'_>| record.message().str(&"x".repeat(40_000));
    assert!(Format::default().encode(&meta, long, |_, _| ()).is_some());
    let format = Format::builder().max_record_bytes(4096).build().unwrap();
    let mut list = SpanList::new();
    list.push(&format.span(&"s".repeat(500)));
    let site = format.call_site(&meta, ["first", "second"]);
    for (spans, room) in [(true, 3000..4000), (false, 0..4000)] {
        for len in room.step_by(50) {
            let fill = |record: &mut Record<'_>| {
                record.site_field(0, || "first").str(&"a".repeat(len));
                if spans {
                    record.span_list(&list);
                }
                record.site_field(1, || "second").str(&"b".repeat(300));
            };
            let encoded = site.encode(meta.time, fill, |_, line| line.len()).unwrap();
            assert!(encoded.result <= 4096, "{len} {}", encoded.result);
        }
    }
}
