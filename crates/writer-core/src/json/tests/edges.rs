//! Lines that fit the cap but for a few bytes.

use std::error::Error;
use std::fmt;

use super::encode;
use crate::json::{Format, Part, Record, Schema};

/// An error with a source.
#[derive(Debug, Clone)]
struct Failed(String, Option<Box<Failed>>);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Failed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}

type Fill = fn(&mut Record<'_>, &str);

const FILLS: &[(&str, Fill)] = &[
    ("message", |record, text| record.message().str(text)),
    ("message that is formatted", |record, text| record.message().display(&text)),
    ("field", |record, text| record.field("f").str(text)),
    ("field that is formatted", |record, text| record.field("f").display(&text)),
    ("error", |record, text| record.field("f").error(&Failed(text.into(), None))),
    ("source of an error", |record, text| {
        let source = Failed(text.into(), None);
        record.field("f").error(&Failed("e".into(), Some(source.into())));
    }),
    #[cfg(feature = "serde")]
    ("nested", |record, text| {
        record.field("f").serialize(&serde_json::json!({"a": [{"b": {}, "c": [text]}]}));
    }),
    #[cfg(feature = "serde")]
    ("first of several", |record, text| {
        record.field("f").serialize(&serde_json::json!([text, 1]));
    }),
];

/// How much of the text is in the line.
fn kept(line: &[u8]) -> usize {
    line.split(|&byte| byte != b'x').map(<[u8]>::len).max().unwrap_or(0)
}

// Of 1 MiB nothing was left where the text alone would have fitted and its quote did not.
#[test]
fn a_text_of_any_length_is_cut_and_never_left_out() {
    for &schema in Schema::ALL {
        let format = Format::builder().schema(schema).max_record_bytes(4096).build().unwrap();
        for (kind, fill) in FILLS {
            let line = |len: usize| encode(&format, |record| fill(record, &"x".repeat(len)));
            if kept(&line(10).result) == 0 {
                // The schema shows no sources.
                continue;
            }
            let (mut whole, mut cut) = (0, 4096);
            while cut - whole > 1 {
                let len = (whole + cut) / 2;
                if line(len).truncated { cut = len } else { whole = len }
            }
            let mut most = 0;
            for len in whole - 20..whole + 150 {
                let line = line(len);
                let (kept, place) = (kept(&line.result), format!("{schema:?} {kind} {len}"));
                assert!(line.result.len() <= 4096, "{place}");
                assert!(kept == len || line.truncated, "{place}");
                assert!(kept >= most, "{place}: {kept} after {most}");
                most = kept;
            }
        }
    }
}

// A line of 8 KiB had 8384 bytes.
#[test]
fn a_long_key_of_a_late_message_does_not_exceed_the_cap() {
    for &schema in Schema::ALL {
        let builder = Format::builder().schema(schema).max_record_bytes(8192);
        let format = builder.rename(Part::Message, &"m".repeat(400)).build().unwrap();
        for len in (6500..8192).step_by(7) {
            let line = encode(&format, |record| {
                record.field("f").str(&"x".repeat(len));
                record.message().str("late");
            });
            assert!(line.result.len() <= 8192, "{schema:?} {len}: {}", line.result.len());
        }
    }
}

#[test]
fn text_that_looks_like_closing_marks_does_not_make_a_span_longer_than_it_may_be() {
    let format = Format::builder().max_record_bytes(16 << 10).build().unwrap();
    let source = Failed("}".repeat(3000), None);
    for before in (0..4000).step_by(50) {
        let (mut span, mut newer) = (format.span("s"), format.span_update());
        span.record(0, "before").str(&"x".repeat(before));
        newer.record(1, "later").error(&Failed("e".into(), Some(Box::new(source.clone()))));
        span.update(&newer, [(1, "later")]);
        assert!(span.json().len() <= (4 << 10) + 64, "{before}: {}", span.json().len());
        assert_eq!(span.truncated(), span.value(1).is_none(), "{before}");
    }
}
