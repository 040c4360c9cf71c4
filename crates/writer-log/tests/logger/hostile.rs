//! Values, sources, filters and places that mean harm.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use log::kv::{self, Key, Source, VisitSource};
use log::{Level, LevelFilter, Log, Record};
use serde_json::{Value, json};
use writer_core::{Sink, Writer};
use writer_log::{InitError, Logger};

/// A file in memory.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn lines(&self, logger: &Logger) -> Vec<Value> {
        logger.writer().flush(Duration::from_secs(10)).unwrap();
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Sink for Memory {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(lines);
        Ok(lines.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
    fn sync(&mut self) -> std::io::Result<()> {
        Ok(())
    }
    fn close(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn logger(directives: &str) -> (Logger, Memory, writer_log::WriterGuard) {
    log::set_max_level(LevelFilter::Trace);
    let memory = Memory::default();
    let builder = writer_log::builder(Writer::to(memory.clone())).filter(directives);
    let (logger, guard) = builder.build().unwrap();
    (logger, memory, guard)
}

/// What happens while a record is formatted.
enum Act {
    Fail,
    Panic,
    Recurse(Logger),
}

// The recursion is the point of one test.
#[allow(clippy::recursive_format_impl)]
impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("begun")?;
        match self {
            Act::Fail => Err(fmt::Error),
            Act::Panic => panic!("on purpose"),
            Act::Recurse(logger) => {
                log::info!(logger: logger, "{self}");
                Ok(())
            }
        }
    }
}

#[test]
fn a_message_that_fails_or_panics_keeps_its_key_values() {
    let (logger, memory, _guard) = logger("info");
    for act in [Act::Fail, Act::Panic] {
        log::info!(logger: logger, n = 1; "{act}");
    }
    let lines = memory.lines(&logger);
    for line in &lines {
        assert!(line["message"].as_str().unwrap().starts_with("<format_error"), "{line}");
        assert_eq!(line["n"], 1);
    }
    assert_eq!(lines.len(), 2);
    assert_eq!(logger.writer().metrics().format_errors, 2);
}

#[test]
fn a_message_that_logs_itself_without_end_comes_to_an_end() {
    let (logger, memory, _guard) = logger("info");
    let act = Act::Recurse(logger.clone());
    log::info!(logger: logger, "{act}");
    let lines = memory.lines(&logger);
    assert_eq!(lines.len(), 8);
    assert!(lines.iter().all(|line| line["message"] == "begun"));
    // The ninth, which was one too many.
    assert_eq!(logger.writer().metrics().format_errors, 1);
}

/// Gives one pair, then does what a source must not do.
struct Half(Act);

impl Source for Half {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), kv::Error> {
        visitor.visit_pair(Key::from("kept"), kv::Value::from(1))?;
        match &self.0 {
            Act::Panic => panic!("on purpose"),
            _ => Err(kv::Error::msg("half way")),
        }
    }
}

#[test]
fn a_source_that_fails_or_panics_midway_keeps_what_came_and_is_counted() {
    let (logger, memory, _guard) = logger("info");
    for act in [Act::Fail, Act::Panic] {
        let source = Half(act);
        let mut record = Record::builder();
        record.key_values(&source).args(format_args!("half"));
        logger.log(&record.build());
    }
    let lines = memory.lines(&logger);
    for line in &lines {
        assert_eq!((&line["message"], &line["kept"]), (&json!("half"), &json!(1)));
    }
    assert_eq!(lines.len(), 2);
    assert_eq!(logger.writer().metrics().format_errors, 2);
}

#[derive(Debug)]
struct Outer(std::num::ParseIntError);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot read the port")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn an_error_shows_its_sources_whichever_way_it_comes() {
    let (logger, memory, _guard) = logger("info");
    let error = Outer("x".parse::<i32>().unwrap_err());
    log::info!(logger: logger, error:err = error; "captured");
    let pair = ("error", kv::Value::from_dyn_error(&error));
    let mut record = Record::builder();
    record.key_values(&pair).args(format_args!("borrowed"));
    logger.log(&record.build());
    let expected =
        json!({"message": "cannot read the port", "chain": ["invalid digit found in string"]});
    let lines = memory.lines(&logger);
    assert_eq!((&lines[0]["error"], &lines[1]["error"]), (&expected, &expected));
}

#[test]
fn numbers_at_their_limits_and_beyond() {
    let (logger, memory, _guard) = logger("info");
    log::info!(logger: logger,
        min = i128::MIN, fits = u128::from(u64::MAX), nan = f64::NAN, infinite = f64::NEG_INFINITY,
        zero = -0.0, single = 0.1_f32, tiny = f64::MIN_POSITIVE, none = None::<u64>,
        some = Some(7), byte = 200_u8; "");
    let line = memory.lines(&logger).remove(0);
    assert_eq!(line["min"], i128::MIN.to_string());
    assert_eq!(line["fits"], u64::MAX);
    assert_eq!((&line["nan"], &line["infinite"]), (&json!("NaN"), &json!("-Infinity")));
    assert!(line["zero"].as_f64().unwrap().is_sign_negative());
    // What `log` makes of it.
    assert_eq!(line["single"], f64::from(0.1_f32));
    assert_eq!(line["tiny"], f64::MIN_POSITIVE);
    assert_eq!(
        (&line["none"], &line["some"], &line["byte"]),
        (&json!(null), &json!(7), &json!(200))
    );
}

#[test]
fn keys_and_targets_may_hold_anything() {
    let (logger, memory, _guard) = logger("trace");
    let keys = ["a\"b", "", "line\nbreak", "\u{1b}[31m", "世界", "{}", "truncated"];
    let pairs: Vec<_> = keys.iter().map(|key| (*key, kv::Value::from(1))).collect();
    let mut record = Record::builder();
    record.key_values(&pairs).target("t\"\n").args(format_args!("m"));
    logger.log(&record.build());
    let line = memory.lines(&logger).remove(0);
    assert_eq!(line["target"], "t\"\n");
    for key in &keys[..6] {
        assert_eq!(line[*key], 1, "{key:?}");
    }
    assert_eq!(line["truncated_"], 1);
}

#[test]
fn a_filter_on_the_text_of_messages_is_refused() {
    // Otherwise a message that panics would take the program down, and `enabled` would say yes to
    // what `log` leaves out.
    let refused = writer_log::builder(Writer::to(Memory::default())).filter("info/shop").build();
    let Err(InitError::Filter { reason, .. }) = refused else { panic!("{refused:?}") };
    assert!(reason.contains("text"), "{reason}");
    let (logger, memory, _guard) = logger("info");
    assert!(logger.set_filter("info/shop").is_err());
    log::info!(logger: logger, "still there");
    assert_eq!(memory.lines(&logger).len(), 1);
}

#[test]
fn a_record_from_a_thread_local_that_dies_and_from_an_unwinding_drop_arrives() {
    struct Last(Logger);
    impl Drop for Last {
        fn drop(&mut self) {
            log::info!(logger: self.0, n = 1; "last words");
        }
    }
    thread_local! {
        static BEFORE: RefCell<Option<Last>> = const { RefCell::new(None) };
    }
    let (logger, memory, _guard) = logger("info");
    let in_thread = logger.clone();
    let unwound = std::thread::spawn(move || {
        // The destructor runs after those of what the logger keeps per thread, or before them.
        BEFORE.set(Some(Last(in_thread.clone())));
        log::info!(logger: in_thread, "alive");
        let _last = Last(in_thread);
        panic!("on purpose");
    })
    .join();
    assert!(unwound.is_err());
    assert_eq!(memory.lines(&logger).len(), 3);
}

#[test]
fn records_arrive_in_the_order_of_the_calls() {
    let (logger, memory, _guard) = logger("info");
    for n in 0..20_000 {
        log::info!(logger: logger, n = n; "record {n}");
    }
    let lines = memory.lines(&logger);
    assert_eq!(lines.len(), 20_000);
    assert!(lines.iter().enumerate().all(|(n, line)| line["n"] == n));
}

#[test]
fn each_level_has_its_name_and_below_the_filter_there_is_no_line() {
    let (logger, memory, _guard) = logger("debug");
    for level in Level::iter() {
        log::log!(logger: logger, level, "{level}");
    }
    let lines = memory.lines(&logger);
    let levels: Vec<&str> = lines.iter().map(|line| line["level"].as_str().unwrap()).collect();
    assert_eq!(levels, ["ERROR", "WARN", "INFO", "DEBUG"]);
}
