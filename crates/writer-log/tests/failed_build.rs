//! A log file that cannot be opened must not cost the program its other logger: one process, one
//! test.
#![allow(missing_docs, clippy::unwrap_used)]

use log::{Log, Metadata, Record};
use writer_log::InitError;

struct Fallback;

impl Log for Fallback {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn log(&self, _: &Record<'_>) {}
    fn flush(&self) {}
}

#[test]
fn after_a_failure_to_build_any_logger_can_be_installed() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(writer_log::init(folder.path()), Err(InitError::Build(_))));
    log::set_logger(&Fallback).unwrap();
    assert!(log::logger().enabled(&Metadata::builder().build()));
}
