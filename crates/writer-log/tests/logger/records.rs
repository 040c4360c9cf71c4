//! What a record of `log` looks like in the file.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use log::{Level, Log, Record};
use serde_json::{Value, json};
use writer_core::json::Part;
use writer_core::{Mode, QueuePolicy, Strategy, WriterGuard};
use writer_log::{InitError, LogBuilder, Logger};

struct Program {
    logger: Logger,
    guard: WriterGuard,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Program {
    fn new(change: impl FnOnce(LogBuilder) -> LogBuilder) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.jsonl");
        let (logger, guard) = change(writer_log::builder(&path).filter("trace")).build().unwrap();
        Program { logger, guard, path, _folder: folder }
    }

    fn text(&self) -> String {
        self.guard.writer().flush(Duration::from_secs(10)).unwrap();
        std::fs::read_to_string(&self.path).unwrap()
    }

    fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Logs through the macros' own way, to a logger that is not installed.
macro_rules! say {
    ($program:expr, $level:expr, $($rest:tt)+) => {
        log::log!(logger: $program.logger, $level, $($rest)+)
    };
}

fn program() -> Program {
    // The macros compare with it before they ask the logger.
    log::set_max_level(log::LevelFilter::Trace);
    Program::new(|builder| builder)
}

#[test]
fn the_default_line_has_its_keys_in_order() {
    let program = program();
    say!(program, Level::Warn, user_id = 42, ok = true; "request {}", "handled");
    let text = program.text();
    let (start, rest) = text.split_at("{\"timestamp\":\"2026-11-23T08:15:42.123456Z\"".len());
    assert!(start.starts_with("{\"timestamp\":\"2") && start.ends_with("Z\""), "{text}");
    assert_eq!(
        rest,
        ",\"level\":\"WARN\",\"target\":\"logger::records\",\"message\":\"request handled\",\
         \"user_id\":42,\"ok\":true}\n"
    );
}

#[test]
fn key_values_keep_their_types() {
    let program = program();
    let error = "x".parse::<i32>().unwrap_err();
    let none: Option<i32> = None;
    say!(program, Level::Info,
        big = u64::MAX, small = i64::MIN, huge = u128::MAX, float = 1.5, flag = false,
        text = "a\"b\n", letter = 'ß', debug:? = vec![1, 2], display:% = PathLike,
        error:err = error, nothing:? = none, string_number = "12345";
        "typed");
    let mut line = program.lines().remove(0);
    let fields = line.as_object_mut().unwrap();
    for key in ["timestamp", "level", "target", "message"] {
        fields.remove(key).unwrap();
    }
    assert_eq!(
        line,
        json!({
            "big": u64::MAX, "small": i64::MIN, "huge": u128::MAX.to_string(), "float": 1.5,
            "flag": false, "text": "a\"b\n", "letter": "ß", "debug": "[1, 2]",
            "display": "path/like", "error": "invalid digit found in string", "nothing": "None",
            "string_number": "12345",
        })
    );
}

struct PathLike;

impl fmt::Display for PathLike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("path/like")
    }
}

#[test]
fn no_key_stands_twice_and_no_value_is_lost() {
    let program = program();
    say!(program, Level::Info, message = 1, level = 2, target = 3, a = 4, a = 5, timestamp = 6; "m");
    let text = program.text();
    assert!(
        text.ends_with(
            "\"message\":\"m\",\"message_\":1,\"level_\":2,\"target_\":3,\"a\":4,\"a_\":5,\
             \"timestamp_\":6}\n"
        ),
        "{text}"
    );
}

#[test]
fn hostile_text_is_one_line_and_reads_back_equal() {
    let program = program();
    let long = "A".repeat(10_000);
    let texts = ["a\"b\\c", "two\nlines\r\n", "tab\t nul\0 esc\u{1b}[31m", "世界 🌍", "", &long];
    for text in texts {
        say!(program, Level::Info, value = text; "{text}");
    }
    let lines = program.lines();
    assert_eq!(lines.len(), texts.len());
    for (line, text) in lines.iter().zip(texts) {
        assert_eq!((&line["message"], &line["value"]), (&json!(text), &json!(text)));
    }
}

#[test]
fn a_value_that_fails_or_panics_costs_only_itself() {
    struct Bad(bool);
    impl fmt::Display for Bad {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("begun")?;
            if self.0 { panic!("on purpose") } else { Err(fmt::Error) }
        }
    }
    let program = program();
    for panics in [true, false] {
        say!(program, Level::Info, before = 1, bad:% = Bad(panics), after = 2; "kept");
    }
    for line in program.lines() {
        assert_eq!(
            (&line["message"], &line["before"], &line["after"]),
            (&json!("kept"), &json!(1), &json!(2))
        );
        assert!(line["bad"].as_str().unwrap().contains("format_error"), "{line}");
    }
    assert_eq!(program.guard.writer().metrics().format_errors, 2);
}

#[test]
fn a_value_that_logs_puts_its_own_record_first() {
    struct Logs<'a>(&'a Logger);
    impl fmt::Display for Logs<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            log::log!(logger: self.0, Level::Info, "inner");
            f.write_str("shown")
        }
    }
    let program = program();
    let value = Logs(&program.logger);
    say!(program, Level::Info, value:% = value; "outer");
    let lines = program.lines();
    assert_eq!((&lines[0]["message"], &lines[1]["message"]), (&json!("inner"), &json!("outer")));
    assert_eq!(lines[1]["value"], "shown");
}

#[test]
fn place_and_thread_are_shown_on_request() {
    let program = Program::new(|builder| {
        builder.show(Part::Module).show(Part::File).show(Part::Line).show(Part::ThreadName)
    });
    say!(program, Level::Info, "here");
    let line = program.lines().remove(0);
    assert_eq!(line["module"], "logger::records");
    assert!(line["file"].as_str().unwrap().ends_with("records.rs"));
    assert!(line["line"].is_u64());
    assert_eq!(line["thread"], "records::place_and_thread_are_shown_on_request");
}

#[test]
fn enabled_says_what_log_does() {
    let program = Program::new(|builder| builder.filter("warn,shop=debug"));
    let cases = [
        ("shop", Level::Debug),
        ("shop", Level::Trace),
        ("other", Level::Info),
        ("other", Level::Error),
    ];
    let mut expected = 0;
    for (target, level) in cases {
        let metadata = log::Metadata::builder().target(target).level(level).build();
        expected += usize::from(program.logger.enabled(&metadata));
        program.logger.log(&Record::builder().metadata(metadata).args(format_args!("x")).build());
    }
    assert_eq!(expected, 2);
    assert_eq!(program.lines().len(), expected);
    assert_eq!(program.logger.max_level(), log::LevelFilter::Debug);
}

#[test]
fn the_filter_can_be_exchanged_while_running() {
    let program = Program::new(|builder| builder.filter("error"));
    say!(program, Level::Info, "too early");
    program.logger.set_filter("info").unwrap();
    say!(program, Level::Info, "now");
    assert!(matches!(program.logger.set_filter("a=b=c"), Err(InitError::Filter { .. })));
    say!(program, Level::Info, "still");
    let messages: Vec<Value> = program.lines().iter().map(|line| line["message"].clone()).collect();
    assert_eq!(messages, ["now", "still"]);
}

#[test]
fn every_strategy_and_mode_writes_what_is_logged() {
    log::set_max_level(log::LevelFilter::Trace);
    for &strategy in Strategy::ALL {
        for &mode in Mode::ALL {
            let program = Program::new(|builder| {
                builder.strategy(strategy).mode(mode).queue_policy(QueuePolicy::Block)
            });
            for i in 0..6 {
                say!(program, Level::Info, i = i; "record");
            }
            program.guard.writer().trigger();
            program.guard.shutdown(Duration::from_secs(10)).unwrap();
            let text = std::fs::read_to_string(&program.path).unwrap();
            let numbers: Vec<u64> = text
                .lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap()["i"].as_u64().unwrap())
                .collect();
            assert_eq!(numbers, [0, 1, 2, 3, 4, 5], "{strategy} {mode}");
        }
    }
}

#[test]
fn a_record_after_shutdown_is_rejected_and_counted() {
    let program = program();
    say!(program, Level::Info, "in time");
    program.guard.shutdown(Duration::from_secs(10)).unwrap();
    let before = std::fs::read(&program.path).unwrap();
    say!(program, Level::Info, "too late");
    assert_eq!(std::fs::read(&program.path).unwrap(), before);
    assert_eq!(program.guard.writer().metrics().rejected, 1);
}

#[test]
fn threads_and_levels_all_arrive() {
    let program = program();
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let program = &program;
            scope.spawn(move || {
                let level = [Level::Debug, Level::Info, Level::Error][thread % 3];
                for i in 0..5000 {
                    say!(program, level, thread = thread, i = i; "x");
                }
            });
        }
    });
    let lines = program.lines();
    assert_eq!(lines.len(), 30_000);
    for level in ["DEBUG", "INFO", "ERROR"] {
        assert_eq!(lines.iter().filter(|line| line["level"] == level).count(), 10_000);
    }
    let mut next = [0; 6];
    for line in &lines {
        let thread = line["thread"].as_u64().unwrap() as usize;
        assert_eq!(line["i"], next[thread]);
        next[thread] += 1;
    }
}
