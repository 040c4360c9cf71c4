//! A logger on a writer that exists: one process, one test.
#![allow(missing_docs, clippy::unwrap_used)]

use std::time::Duration;

use log::LevelFilter;
use writer_core::{Mode, Writer};
use writer_log::Logger;

#[test]
fn the_maximum_level_follows_the_filter_whoever_changes_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.jsonl");
    let (writer, guard) = Writer::builder(&path).mode(Mode::Manual).build().unwrap();
    writer_log::on(writer.clone()).level(LevelFilter::Warn).init().unwrap();
    assert_eq!(log::max_level(), LevelFilter::Warn);
    log::warn!("from the macro");
    log::info!("below the level");
    writer.send("{\"message\":\"from the writer\"}").unwrap();
    log::logger().flush();
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);

    // Whatever the order of the changes, level and filter are those of the same one.
    let logger = Logger::installed().unwrap();
    for _ in 0..200 {
        std::thread::scope(|scope| {
            for directives in ["error", "trace", "info,shop=debug", "off"] {
                scope.spawn(|| logger.set_filter(directives).unwrap());
            }
        });
        assert_eq!(log::max_level(), logger.max_level());
    }

    guard.shutdown(Duration::from_secs(10)).unwrap();
}
