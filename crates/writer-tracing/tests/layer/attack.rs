//! Texts and numbers that mean harm, in every schema.

use crate::support::{Log, read, repeated_keys};
use serde_json::{Value, json};
use tracing::subscriber::with_default;
use tracing::{info, info_span};
use tracing_subscriber::Registry;
use tracing_subscriber::prelude::*;
use writer_tracing::json::{Part, Schema};

/// Texts that a program might log, each to be read back as it was.
const TEXTS: [&str; 14] = [
    "\u{feff}byte order mark",
    "\\u0041 \\ud800 \\x",
    "\\",
    "\"",
    "\\\"}\n{\"level\":\"ERROR\"}\n",
    "\u{7f}\u{80}\u{9b}31m\u{1b}[2J",
    "\u{2028}\u{2029}\u{202e}\u{2066}\u{61c}\u{200e}\u{200f}",
    "\0\u{1}\u{1f}\u{8}\u{c}\r\t",
    "\u{fffd}\u{fffe}\u{ffff}\u{10ffff}",
    "\u{d7ff}\u{e000}",
    "e\u{301} \u{1f468}\u{200d}\u{1f469}",
    "</script>{}[],:",
    "",
    "null",
];

/// Every string and every number of a line.
fn scalars(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Array(list) => list.iter().for_each(|value| scalars(value, found)),
        Value::Object(members) => members.values().for_each(|value| scalars(value, found)),
        other => found.push(other.clone()),
    }
}

#[derive(Debug)]
#[allow(dead_code, reason = "printed by Debug")]
struct Lines<'a> {
    text: &'a str,
    list: Vec<u8>,
}

#[test]
fn texts_and_numbers_are_read_back_as_they_were_in_every_schema() {
    for &schema in Schema::ALL {
        let log = Log::new();
        let builder = writer_tracing::builder(log.path()).schema(schema).show(Part::Spans);
        let (layer, guard) = builder.build().unwrap();
        with_default(Registry::default().with(layer), || {
            for text in TEXTS {
                let span = info_span!("s", text, late = tracing::field::Empty);
                span.record("late", tracing::field::debug(Lines { text, list: vec![1, 2] }));
                span.in_scope(|| {
                    let pretty = format_args!("{:#?}", Lines { text, list: vec![] }).to_string();
                    info!(text, display = %text, debug = ?text, pretty, "{text}");
                });
            }
            info!(
                a = u128::MAX,
                b = i128::MIN,
                c = u64::MAX,
                d = i64::MIN,
                e = f64::MAX,
                f = f64::MIN_POSITIVE,
                g = f64::from_bits(1),
                h = -0.0,
                i = f64::NAN,
                j = f64::INFINITY,
                k = f32::MAX,
                l = i128::from(i64::MIN) - 1,
                m = u128::from(u64::MAX) + 1,
                "numbers"
            );
        });
        drop(guard);
        let text = std::fs::read_to_string(log.path()).unwrap();
        let bad = |c: &char| {
            c.is_control()
                || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!text.trim_end_matches('\n').chars().any(|c| c != '\n' && bad(&c)), "{schema:?}");
        let mut lines = read(&log.path());
        assert_eq!(lines.len(), TEXTS.len() + 1, "{schema:?}");
        let mut numbers = Vec::new();
        scalars(&Value::Object(lines.pop().unwrap()), &mut numbers);
        for number in [json!(f64::MAX), json!(f64::MIN_POSITIVE), json!(f64::from_bits(1))] {
            assert!(numbers.contains(&number), "{schema:?} {number}");
        }
        for digits in [u128::MAX.to_string(), i128::MIN.to_string()] {
            assert!(numbers.contains(&json!(digits)), "{schema:?} {digits}");
        }
        for (text, line) in TEXTS.iter().zip(lines) {
            let mut found = Vec::new();
            scalars(&Value::Object(line), &mut found);
            let count = |text: &str| found.iter().filter(|value| **value == *text).count();
            // As message, field, by Display, and in the span.
            assert!(count(text) >= 4, "{schema:?} {text:?} {found:?}");
            for printed in [
                format!("{text:?}"),
                format!("{:?}", Lines { text, list: vec![1, 2] }),
                format!("{:#?}", Lines { text, list: vec![] }),
            ] {
                assert!(count(&printed) >= 1, "{schema:?} {printed:?} {found:?}");
            }
        }
    }
}

#[test]
fn a_key_that_stands_twice_is_seen_at_every_level() {
    for (line, repeated) in [
        (r#"{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}],"d":"\"a\":"}"#, &[][..]),
        (r#"{"a":1,"b":2,"a":3}"#, &["a"]),
        (r#"{"a":{"b":1,"c":{},"b":2},"d":[{"e":1,"e":2}]}"#, &["b", "e"]),
        (r#"{"a":":","\u0061":{"a":"}{"}}"#, &["a"]),
    ] {
        assert_eq!(repeated_keys(line), repeated, "{line}");
    }
}
