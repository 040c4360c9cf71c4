//! Code of the user that does, in the midst of a line, what it should not; and texts and lengths
//! that mean harm, in every schema.

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use crate::keys::repeated_keys;
use log::kv::{self, Key, Source, VisitSource};
use log::{Level, LevelFilter, Log, Record};
use serde_json::Value;
use writer_core::WriterGuard;
use writer_core::json::{Part, Schema};
use writer_log::{LogBuilder, Logger};

struct Program {
    logger: Logger,
    guard: RefCell<Option<WriterGuard>>,
    folder: tempfile::TempDir,
}

impl Program {
    fn new(change: impl FnOnce(LogBuilder) -> LogBuilder) -> Self {
        log::set_max_level(LevelFilter::Trace);
        let folder = tempfile::tempdir().unwrap();
        let builder = writer_log::builder(folder.path().join("app.jsonl")).filter("trace");
        let (logger, guard) = change(builder).build().unwrap();
        Program { logger, guard: Some(guard).into(), folder }
    }

    /// Ends the writer and reads the file.
    fn text(&self) -> String {
        drop(self.guard.take());
        std::fs::read_to_string(self.folder.path().join("app.jsonl")).unwrap()
    }

    fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Runs some code when it is formatted.
struct Act<F>(F);

impl<F: Fn()> fmt::Display for Act<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("before")?;
        (self.0)();
        f.write_str(" after")
    }
}

#[test]
fn a_message_may_flush_exchange_the_filter_and_end_the_writer() {
    let program = Program::new(|builder| builder);
    let logger = &program.logger;
    let other = Program::new(|builder| builder);
    let say = |act: &dyn Fn()| log::info!(logger: logger, "{}", Act(act));
    say(&|| logger.writer().flush(Duration::from_secs(60)).unwrap());
    say(&|| logger.flush());
    say(&|| logger.set_filter("off").unwrap());
    say(&|| unreachable!("this record is filtered"));
    logger.set_filter("info").unwrap();
    say(&|| log::info!(logger: &other.logger, "{}", Act(|| logger.flush())));
    say(&|| drop(program.guard.take()));
    say(&|| ());
    assert_eq!(other.lines().len(), 1);
    let lines = program.lines();
    assert_eq!(lines.len(), 4);
    assert!(lines.iter().all(|line| line["message"] == "before after"), "{lines:?}");
    let metrics = logger.writer().metrics();
    assert_eq!((metrics.sent, metrics.rejected), (6, 2), "{metrics:?}");
}

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

/// Every string of a line that is a value, and every one that is a key.
fn strings(value: &Value, values: &mut Vec<String>, keys: &mut Vec<String>) {
    match value {
        Value::String(text) => values.push(text.clone()),
        Value::Array(list) => list.iter().for_each(|value| strings(value, values, keys)),
        Value::Object(members) => {
            for (key, value) in members {
                keys.push(key.clone());
                strings(value, values, keys);
            }
        }
        _ => {}
    }
}

#[derive(Debug)]
#[allow(dead_code, reason = "printed by Debug")]
struct Lines<'a> {
    text: &'a str,
    list: Vec<u8>,
}

#[test]
fn texts_are_read_back_as_they_were_in_every_schema() {
    for &schema in Schema::ALL {
        let program = Program::new(|builder| builder.schema(schema));
        for text in TEXTS {
            let debugged = Lines { text, list: vec![1, 2] };
            // Different keys, so that every text can be found as one.
            let pairs = [
                (text, kv::Value::from("as key")),
                ("string", kv::Value::from(text)),
                ("display", kv::Value::from_display(&text)),
                ("debug", kv::Value::from_debug(&debugged)),
            ];
            let mut record = Record::builder();
            record.key_values(&pairs).target(text);
            program.logger.log(&record.args(format_args!("{text}")).build());
        }
        let text = program.text();
        let bad = |c: char| {
            c != '\n' && c.is_control()
                || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!text.chars().any(bad), "{schema:?}");
        let lines = program.lines();
        assert_eq!(lines.len(), TEXTS.len(), "{schema:?}");
        for (text, line) in TEXTS.iter().zip(&lines) {
            let (mut values, mut keys) = (Vec::new(), Vec::new());
            strings(line, &mut values, &mut keys);
            let count = |text: &str| values.iter().filter(|value| **value == *text).count();
            // Target, message, a field, and one by Display.
            assert!(count(text) >= 4, "{schema:?} {text:?} {line}");
            let debugged = format!("{:?}", Lines { text, list: vec![1, 2] });
            assert_eq!((count(&debugged), count("as key")), (1, 1), "{schema:?} {line}");
            // In the schema of OTLP keys are values too.
            let as_key = keys.iter().chain(&values).any(|key| *key == *text);
            assert!(as_key, "{schema:?} {text:?} {line}");
        }
    }
}

/// Gives one key a hundred times, between others that clash with the metadata, and then fails.
struct Repeating;

impl Source for Repeating {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), kv::Error> {
        for number in 0..100_u64 {
            visitor.visit_pair(Key::from("k"), kv::Value::from(1_000_000 + number))?;
            let key = ["level", "message", "spans", "truncated", "k_", "@timestamp"];
            let key = key[number as usize % 6];
            visitor.visit_pair(Key::from(key), kv::Value::from(2_000_000 + number))?;
        }
        Err(kv::Error::msg("at the end"))
    }
}

#[test]
fn a_source_that_repeats_keys_and_fails_loses_nothing_in_any_schema() {
    for &schema in Schema::ALL {
        // The digits of a time could be those of a value.
        let program = Program::new(|builder| builder.schema(schema).hide(Part::Timestamp));
        for _ in 0..3 {
            let mut record = Record::builder();
            record.key_values(&Repeating).level(Level::Error).file_static(Some("f")).line(Some(1));
            record.module_path_static(Some("m"));
            program.logger.log(&record.args(format_args!("m")).build());
        }
        let text = program.text();
        assert_eq!(text.lines().count(), 3);
        for line in text.lines() {
            serde_json::from_str::<Value>(line).unwrap();
            assert_eq!(repeated_keys(line), [""; 0], "{schema:?} {line}");
            for number in 0..100 {
                let numbers = [1_000_000 + number, 2_000_000 + number];
                assert!(
                    numbers.iter().all(|n| line.matches(&n.to_string()).count() == 1),
                    "{line}"
                );
            }
        }
        assert_eq!(program.logger.writer().metrics().format_errors, 3, "{schema:?}");
    }
}

#[test]
fn values_of_every_length_around_the_cap_leave_valid_lines_in_every_schema() {
    const CAP: usize = 4096;
    for &schema in Schema::ALL {
        let program = Program::new(|builder| builder.schema(schema).max_record_bytes(CAP));
        let lengths = || (3200..4200).step_by(7);
        for length in lengths() {
            let text = "\u{e9}\"".repeat(length / 4);
            log::info!(logger: program.logger, text = text.as_str(), after = 1; "m");
            log::info!(logger: program.logger, text:? = text, after = 1; "m");
            log::info!(logger: program.logger, before = 1; "{text}");
        }
        let text = program.text();
        let mut cut = 0;
        for line in text.lines() {
            serde_json::from_str::<Value>(line).unwrap();
            assert_eq!(repeated_keys(line), [""; 0], "{schema:?} {line}");
            // With its line end.
            assert!(line.len() < CAP, "{schema:?} {}", line.len());
            cut += u64::from(line.contains("original_bytes"));
        }
        assert_eq!(text.lines().count(), 3 * lengths().count());
        assert!(cut > 0 && cut == program.logger.writer().metrics().truncated, "{schema:?} {cut}");
    }
}
