//! Somebody else's logger is there first: one process, one test.
#![allow(missing_docs, clippy::unwrap_used)]

use log::{LevelFilter, Log, Metadata, Record};
use writer_log::InitError;

struct Other;

impl Log for Other {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn log(&self, _: &Record<'_>) {}
    fn flush(&self) {}
}

#[test]
fn nothing_is_touched_where_another_logger_is_installed() {
    log::set_logger(&Other).unwrap();
    log::set_max_level(LevelFilter::Warn);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.jsonl");
    std::fs::write(&path, "precious\n").unwrap();

    let refused = writer_log::builder(&path).truncate(true).init();

    assert!(matches!(refused, Err(InitError::AlreadyInstalled)));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious\n");
    assert_eq!(log::max_level(), LevelFilter::Warn);
}
