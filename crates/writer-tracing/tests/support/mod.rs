//! What the tests share.

#![allow(dead_code, missing_docs, clippy::unwrap_used)]

mod keys;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use tempfile::TempDir;
use tracing_subscriber::Registry;
use tracing_subscriber::prelude::*;
use writer_tracing::LayerBuilder;

pub(crate) use keys::repeated_keys;

/// Held by a test that changes what the whole process shares.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A folder with the file of one test.
pub(crate) struct Log {
    folder: TempDir,
}

impl Log {
    pub(crate) fn new() -> Self {
        Log { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("app.jsonl")
    }

    pub(crate) fn other(&self) -> PathBuf {
        self.folder.path().join("other.jsonl")
    }
}

/// Every line of the file as an object. Each must be one, and no key may stand in it twice.
pub(crate) fn read(path: &Path) -> Vec<Map<String, Value>> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines()
        .map(|line| {
            let value: Value = serde_json::from_str(line).unwrap();
            assert_eq!(repeated_keys(line), [""; 0], "{line}");
            value.as_object().unwrap().clone()
        })
        .collect()
}

/// The one line that `body` logs.
pub(crate) fn one(body: impl FnOnce()) -> Map<String, Value> {
    let mut lines = all(body);
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0)
}

/// The lines that `body` logs through one layer.
pub(crate) fn all(body: impl FnOnce()) -> Vec<Map<String, Value>> {
    all_with(|builder| builder, body)
}

pub(crate) fn all_with(
    set: impl FnOnce(LayerBuilder) -> LayerBuilder,
    body: impl FnOnce(),
) -> Vec<Map<String, Value>> {
    let log = Log::new();
    let (layer, guard) = set(writer_tracing::builder(log.path())).build().unwrap();
    let subscriber = Registry::default().with(layer);
    tracing::subscriber::with_default(subscriber, body);
    drop(guard);
    read(&log.path())
}

/// The spans of a line, as compact JSON; empty if there are none.
pub(crate) fn spans(line: &Map<String, Value>) -> String {
    line.get("spans").map(ToString::to_string).unwrap_or_default()
}
