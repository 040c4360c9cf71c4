//! A log file that cannot be opened must not cost the program its other logger: one process, one
//! test.
#![allow(missing_docs, clippy::unwrap_used)]

use std::error::Error;

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

/// The program's report had the text of the writer's error twice.
fn each_cause_is_told_once(error: &InitError) {
    let InitError::Build(build) = error else { unreachable!() };
    assert!(error.to_string().ends_with(&build.to_string()));
    let mut cause = error.source();
    while let Some(error) = cause {
        assert_ne!(error.to_string(), build.to_string());
        cause = error.source();
    }
}

#[test]
fn after_a_failure_to_build_any_logger_can_be_installed() {
    let folder = tempfile::tempdir().unwrap();
    let refused = writer_log::init(folder.path()).unwrap_err();
    assert!(matches!(refused, InitError::Build(_)));
    each_cause_is_told_once(&refused);
    log::set_logger(&Fallback).unwrap();
    assert!(log::logger().enabled(&Metadata::builder().build()));
}
