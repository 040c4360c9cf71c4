//! A child restarts its writer, and a child of that child its own: each goes on with the filter of
//! its parent, for no other thread was exchanging it at the fork. One process, one test.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../../writer-tracing/tests/support/fork.rs"]
mod fork;

use std::time::Duration;

use fork::{End, in_child};
use log::{Level, Log, Record};
use serde_json::Value;
use writer_log::{Logger, WriterGuard};

/// Logs what the filters of this test tell apart, and what the last of them lets through alone.
fn log_all(logger: &Logger, who: &str) {
    for (target, level) in [
        ("bank", Level::Info),
        ("shop", Level::Info),
        ("shop", Level::Debug),
        ("shop", Level::Trace),
    ] {
        let mut record = Record::builder();
        record.level(level).target(target);
        logger.log(&record.args(format_args!("{who} {target} {level}")).build());
    }
}

/// Logs in a child that was not restarted, of which the filter lets `passing` through, then
/// restarts it.
fn reject_and_restart(guard: &WriterGuard, logger: &Logger, passing: u64) {
    let before = guard.writer().metrics().rejected;
    log_all(logger, "lost");
    assert_eq!(guard.writer().metrics().rejected - before, passing);
    guard.restart_after_fork().unwrap();
}

#[test]
fn a_child_and_its_child_keep_the_latest_filter() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.jsonl");
    let errors = folder.path().join("errors");
    let (logger, guard) = writer_log::builder(&path).filter("info,shop=warn").build().unwrap();
    log_all(&logger, "first");
    logger.set_filter("warn,shop=debug").unwrap();

    // None of these is flushed before the fork: a child that had the queue would write them again.
    log_all(&logger, "parent");
    in_child(&errors, End::Exit, || {
        reject_and_restart(&guard, &logger, 2);
        log_all(&logger, "child");
        logger.set_filter("warn,shop=trace").unwrap();
        in_child(&errors, End::Exit, || {
            reject_and_restart(&guard, &logger, 3);
            log_all(&logger, "grandchild");
            logger.set_filter("off").unwrap();
            log_all(&logger, "silent");
            guard.shutdown(Duration::from_secs(10)).unwrap();
        });
        log_all(&logger, "child-end");
        guard.shutdown(Duration::from_secs(10)).unwrap();
    });
    log_all(&logger, "parent-end");
    guard.shutdown(Duration::from_secs(10)).unwrap();

    let text = std::fs::read_to_string(&path).unwrap();
    let message = |line| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["message"].as_str().unwrap().to_owned()
    };
    let mut messages: Vec<String> = text.lines().map(message).collect();
    messages.sort();
    let expected = [
        "child shop DEBUG",
        "child shop INFO",
        "child-end shop DEBUG",
        "child-end shop INFO",
        "child-end shop TRACE",
        "first bank INFO",
        "grandchild shop DEBUG",
        "grandchild shop INFO",
        "grandchild shop TRACE",
        "parent shop DEBUG",
        "parent shop INFO",
        "parent-end shop DEBUG",
        "parent-end shop INFO",
    ];
    assert_eq!(messages, expected);
    let errors = std::fs::read_to_string(&errors).unwrap();
    assert_eq!(errors.matches("`restart_after_fork` of the guard").count(), 2, "{errors}");
}
