//! Somebody else's logger is there first: one process, one test.
#![allow(missing_docs, clippy::unwrap_used)]

use log::{LevelFilter, Log, Metadata, Record};
use writer_log::{InitError, QueuePolicy, Schema, Writer};

struct Other;

impl Log for Other {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn log(&self, _: &Record<'_>) {}
    fn flush(&self) {}
}

/// Lines about losses came in the format of the logger that was refused.
fn a_shared_writer_is_left_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.jsonl");
    let builder = Writer::builder(&path).max_queue_bytes(10);
    let (writer, guard) = builder.queue_policy(QueuePolicy::DropNewest).build().unwrap();
    let on = || writer_log::on(writer.clone()).level(LevelFilter::Info);

    assert_eq!(log::max_level(), LevelFilter::Off, "or nothing would be built");
    let refused = on().schema(Schema::Logxpy).init();

    assert!(matches!(refused, Err(InitError::AlreadyInstalled)));
    let accepted = on().build().unwrap();
    accepted.log(&Record::builder().build());
    drop(guard);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(r#""message":"#) && text.contains(r#""dropped":1"#), "{text}");
}

#[test]
fn nothing_is_touched_where_another_logger_is_installed() {
    log::set_logger(&Other).unwrap();
    a_shared_writer_is_left_as_it_was();
    log::set_max_level(LevelFilter::Warn);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.jsonl");
    std::fs::write(&path, "precious\n").unwrap();

    let refused = writer_log::builder(&path).truncate(true).init();

    assert!(matches!(refused, Err(InitError::AlreadyInstalled)));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious\n");
    assert_eq!(log::max_level(), LevelFilter::Warn);
}
