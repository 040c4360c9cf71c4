//! Records from where records are not expected: while a thread or the program ends, while it
//! unwinds, after the writer has closed.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::{Barrier, Mutex};
use std::time::Duration;

use log::{Level, LevelFilter, Log, Record};
use serde_json::Value;
use writer_core::WriterGuard;
use writer_log::Logger;

struct Program {
    logger: Logger,
    guard: WriterGuard,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

fn program(filter: &str) -> Program {
    log::set_max_level(LevelFilter::Trace);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.jsonl");
    let (logger, guard) = writer_log::builder(&path).filter(filter).build().unwrap();
    Program { logger, guard, path, _folder: folder }
}

impl Program {
    /// The lines; every record that was sent is one of them or counted as refused.
    fn lines(&self) -> Vec<Value> {
        self.guard.shutdown(Duration::from_secs(10)).unwrap();
        let text = std::fs::read_to_string(&self.path).unwrap();
        let lines: Vec<_> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let metrics = self.guard.writer().metrics();
        assert_eq!(metrics.written, lines.len() as u64);
        assert_eq!(metrics.sent, metrics.written + metrics.rejected);
        lines
    }
}

/// Logs when it is dropped.
struct Last(Logger, &'static str);

impl Drop for Last {
    fn drop(&mut self) {
        log::info!(logger: self.0, n = 1, text:? = "x"; "{} {}", self.1, 1);
    }
}

thread_local! {
    static FIRST: RefCell<Option<Last>> = const { RefCell::new(None) };
    static SECOND: RefCell<Option<Last>> = const { RefCell::new(None) };
}

#[test]
fn thread_locals_log_as_they_die() {
    let program = program("info");
    for logged_before in [false, true] {
        let logger = program.logger.clone();
        let thread = std::thread::spawn(move || {
            FIRST.set(Some(Last(logger.clone(), "first")));
            if logged_before {
                // What the logger keeps per thread comes to be between the two.
                log::info!(logger: logger, "alive");
            }
            SECOND.set(Some(Last(logger, "second")));
        });
        thread.join().unwrap();
    }
    assert_eq!(program.lines().len(), 5);
}

#[test]
fn drops_log_while_unwinding() {
    let program = program("info");
    let unwound = panic::catch_unwind(AssertUnwindSafe(|| {
        let _outer = Last(program.logger.clone(), "outer");
        let _inner = Last(program.logger.clone(), "inner");
        panic!("on purpose");
    }));
    assert!(unwound.is_err());
    let messages: Vec<Value> = program.lines().iter().map(|line| line["message"].clone()).collect();
    assert_eq!(messages, ["inner 1", "outer 1"]);
}

#[test]
fn the_panic_hook_logs_also_from_inside_a_value() {
    /// Panics while the record is being encoded.
    struct Panics;
    impl std::fmt::Display for Panics {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("hooked: in a value")
        }
    }
    let program = program("info");
    let hooked = Mutex::new(program.logger.clone());
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let text = info.payload_as_str().unwrap_or_default();
        // Other tests panic too.
        if text.starts_with("hooked") {
            let logger = hooked.lock().unwrap();
            log::error!(logger: *logger, place:? = info.location(); "{text}");
        } else {
            before(info);
        }
    }));
    let unwound = panic::catch_unwind(|| panic!("hooked: outside"));
    assert!(unwound.is_err());
    log::info!(logger: program.logger, value:% = Panics, after = 1; "whole");
    let lines = program.lines();
    let messages: Vec<&str> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["hooked: outside", "hooked: in a value", "whole"]);
    assert_eq!(lines[2]["after"], 1);
    assert!(lines[0]["place"].as_str().unwrap().contains("places.rs"));
}

#[test]
fn sixty_four_threads_and_a_shutdown_among_them() {
    let program = program("info");
    let start = Barrier::new(65);
    std::thread::scope(|scope| {
        for thread in 0..64 {
            let (program, start) = (&program, &start);
            scope.spawn(move || {
                start.wait();
                for i in 0..500 {
                    log::info!(logger: program.logger, thread = thread, i = i; "x");
                }
            });
        }
        start.wait();
        std::thread::yield_now();
        program.guard.shutdown(Duration::from_secs(10)).unwrap();
    });
    let metrics = program.guard.writer().metrics();
    assert_eq!(metrics.sent, 64 * 500);
    let lines = program.lines();
    // Of each thread those before the shutdown, without a gap.
    let mut next = [0; 64];
    for line in &lines {
        let thread = line["thread"].as_u64().unwrap() as usize;
        assert_eq!(line["i"], next[thread]);
        next[thread] += 1;
    }
}

#[test]
fn enabled_says_what_log_does() {
    let program = program("off");
    let directives =
        ["off", "warn", "error,shop=trace", "shop::orders=off,info", "trace,shop=warn", "shop"];
    let targets = ["shop", "shop::orders", "shopping", "other", "", "a\"b\n"];
    let mut expected = 0;
    for directives in directives {
        program.logger.set_filter(directives).unwrap();
        for target in targets {
            for level in Level::iter() {
                let mut record = Record::builder();
                record.level(level).target(target).args(format_args!("m"));
                let record = record.build();
                let enabled = program.logger.enabled(record.metadata());
                program.logger.log(&record);
                expected += u64::from(enabled);
                let sent = program.logger.writer().metrics().sent;
                assert_eq!(sent, expected, "{directives} {target} {level}");
                assert!(!enabled || level <= program.logger.max_level(), "{directives} {level}");
            }
        }
    }
    assert!(expected > 50);
    assert_eq!(program.lines().len() as u64, expected);
}

#[test]
fn log_asks_the_filter_again_after_an_exchange() {
    let program = program("info");
    let say = |level, target| {
        let mut record = Record::builder();
        record.level(level).target(target).args(format_args!("m"));
        program.logger.log(&record.build());
    };
    // Straight to `log()`, without `enabled()` and without regard to `max_level`.
    say(Level::Trace, "shop");
    say(Level::Info, "shop");
    program.logger.set_filter("error,shop=trace").unwrap();
    say(Level::Trace, "shop");
    say(Level::Warn, "other");
    program.logger.set_filter("off").unwrap();
    assert_eq!(program.logger.max_level(), LevelFilter::Off);
    say(Level::Error, "shop");
    let levels: Vec<Value> = program.lines().iter().map(|line| line["level"].clone()).collect();
    assert_eq!(levels, ["INFO", "TRACE"]);
    assert_eq!(program.guard.writer().metrics().sent, 2);
}
