//! The logger of the program: one process, one test.
#![allow(missing_docs, clippy::unwrap_used)]

use std::time::Duration;

use log::LevelFilter;
use writer_core::BuildError;
use writer_log::{InitError, Logger};

#[test]
fn the_first_logger_stays_and_an_attempt_that_fails_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first.jsonl"), folder.path().join("second.jsonl"));
    std::fs::write(&second, "precious\n").unwrap();

    // What cannot be built leaves the place free.
    let unbuildable = writer_log::init(folder.path());
    assert!(matches!(unbuildable, Err(InitError::Build(BuildError::SpecialFile { .. }))));
    let unreadable = writer_log::builder(&first).filter("a=b=c").init();
    assert!(matches!(unreadable, Err(InitError::Filter { .. })));
    assert!(!first.exists());
    assert_eq!(log::max_level(), LevelFilter::Off);
    assert!(Logger::installed().is_none());

    let guard = writer_log::builder(&first).filter("info").init().unwrap();
    assert_eq!(log::max_level(), LevelFilter::Info);
    log::info!(n = 1; "first");

    let again = writer_log::builder(&second).filter("trace").truncate(true).init();
    assert!(matches!(again, Err(InitError::AlreadyInstalled)));
    let other = folder.path().join("other.jsonl");
    assert!(matches!(writer_log::init(&other), Err(InitError::AlreadyInstalled)));
    let shared = writer_log::on(guard.writer().clone()).init();
    assert!(matches!(shared, Err(InitError::AlreadyInstalled)));
    assert!(!other.exists());
    assert_eq!(std::fs::read_to_string(&second).unwrap(), "precious\n");
    assert_eq!(log::max_level(), LevelFilter::Info);

    log::debug!("not yet");
    Logger::installed().unwrap().set_filter("debug").unwrap();
    assert_eq!(log::max_level(), LevelFilter::Debug);
    log::debug!("second");
    log::logger().flush();
    assert_eq!(std::fs::read_to_string(&first).unwrap().lines().count(), 2);

    guard.shutdown(Duration::from_secs(10)).unwrap();
    log::error!("too late, and no panic");
    assert_eq!(guard.writer().metrics().rejected, 1);
    assert_eq!(std::fs::read_to_string(&first).unwrap().lines().count(), 2);
}
