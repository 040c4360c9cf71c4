//! Dropped events are told of in the file, unless that is turned off.

use serde_json::Value;
use tracing::subscriber::with_default;
use tracing_subscriber::Registry;
use tracing_subscriber::prelude::*;
use writer_tracing::{LayerBuilder, QueuePolicy, Schema};

/// Logs an event that never fits the queue, and returns the file.
fn text(change: impl FnOnce(LayerBuilder) -> LayerBuilder) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.jsonl");
    let builder = writer_tracing::builder(&path).max_queue_bytes(10);
    let (layer, guard) = change(builder.queue_policy(QueuePolicy::DropNewest)).build().unwrap();
    with_default(Registry::default().with(layer), || tracing::error!("too long"));
    drop(guard);
    std::fs::read_to_string(&path).unwrap()
}

#[test]
fn a_dropped_event_leaves_a_marker_in_the_schema_of_the_lines() {
    let line: Value = serde_json::from_str(&text(|builder| builder)).unwrap();
    assert_eq!((&line["target"], &line["level"]), (&"writer".into(), &"WARN".into()));
    assert_eq!((&line["dropped"], &line["dropped_error"]), (&1.into(), &1.into()));
    let line: Value = serde_json::from_str(&text(|b| b.schema(Schema::Tracing))).unwrap();
    assert_eq!(line["fields"]["dropped"], 1);
}

#[test]
fn markers_can_be_turned_off() {
    assert_eq!(text(|builder| builder.no_loss_marker()), "");
}
