//! Children of a process whose threads hold the locks of logger, filter and stderr again and again:
//! they wait for none of them. One process, one test.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../../writer-tracing/tests/support/fork.rs"]
mod fork;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use fork::{End, in_child};
use log::{Level, Log, Record};
use writer_log::Logger;

const FORKS: usize = 200;
const LINES: usize = 20;

/// Logs from a place that no record came from before.
fn log_anew(logger: &Logger, level: Level, message: std::fmt::Arguments<'_>) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let line = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut record = Record::builder();
    record.level(level).target("shop").line(Some(line));
    record.module_path_static(Some("shop")).file_static(Some("shop.rs"));
    logger.log(&record.args(message).build());
}

#[test]
fn a_child_of_busy_threads_waits_for_none_of_their_locks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.jsonl");
    let errors = folder.path().join("errors");
    let (writer, guard) = writer_log::Writer::builder(&path).build().unwrap();
    // One for each fork, for a logger prepares no more places than a program has.
    let loggers: Vec<Logger> = (0..FORKS)
        .map(|_| writer_log::on(writer.clone()).filter("info").build().unwrap())
        .collect();
    let (done, turn) = (AtomicBool::new(false), AtomicUsize::new(0));
    let busy = |work: &dyn Fn(&Logger)| {
        while !done.load(Ordering::Relaxed) {
            work(&loggers[turn.load(Ordering::Relaxed)]);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| busy(&|logger| log_anew(logger, Level::Info, format_args!("parent"))));
        scope.spawn(|| {
            busy(&|logger| {
                logger.set_filter("warn,shop=info").unwrap();
                logger.set_filter("info").unwrap();
            });
        });
        scope.spawn(|| {
            busy(&|_| {
                let _printing = std::io::stderr().lock();
                std::hint::spin_loop();
            });
        });
        let ended = catch_unwind(AssertUnwindSafe(|| {
            for (number, logger) in loggers.iter().enumerate() {
                turn.store(number, Ordering::Relaxed);
                in_child(&errors, End::AtOnce, || {
                    for _ in 0..LINES {
                        log_anew(logger, Level::Info, format_args!("lost"));
                    }
                    logger.flush();
                    assert_eq!(writer.metrics().rejected, LINES as u64);
                    if number % 2 == 0 {
                        return;
                    }
                    guard.restart_after_fork().unwrap();
                    for _ in 0..LINES {
                        log_anew(logger, Level::Info, format_args!("child {number}."));
                        // A thread that has no filter yet, and a place that is known by now.
                        std::thread::scope(|scope| {
                            scope.spawn(|| logger.log(&Record::builder().build()));
                        });
                    }
                    log_anew(logger, Level::Debug, format_args!("filtered {number}."));
                    logger.set_filter("debug").unwrap();
                    log_anew(logger, Level::Debug, format_args!("debug {number}."));
                    guard.shutdown(Duration::from_secs(10)).unwrap();
                    log_anew(logger, Level::Info, format_args!("late"));
                });
            }
        }));
        done.store(true, Ordering::Relaxed);
        ended.unwrap();
    });
    drop(guard);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("lost") && !text.contains("filtered") && !text.contains("late"));
    for number in (1..FORKS).step_by(2) {
        assert_eq!(text.matches(&format!("\"child {number}.\"")).count(), LINES);
        assert_eq!(text.matches(&format!("\"debug {number}.\"")).count(), 1);
    }
    // Each child says it once, and what to do.
    let errors = std::fs::read_to_string(&errors).unwrap();
    assert_eq!(errors.lines().count(), FORKS, "{errors}");
    assert!(
        errors.lines().all(|line| line.contains("`restart_after_fork` of the guard")),
        "{errors}"
    );
}
