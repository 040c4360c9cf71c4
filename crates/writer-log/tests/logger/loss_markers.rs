//! Dropped records are told of in the file, unless that is turned off.

use log::Log;
use serde_json::Value;
use writer_log::{LogBuilder, QueuePolicy, Schema, Writer, WriterGuard};

/// Logs a record that never fits the queue, and returns the lines of the file.
fn lines(change: impl FnOnce(LogBuilder) -> LogBuilder) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.jsonl");
    let builder = writer_log::builder(&path).level(log::LevelFilter::Info).max_queue_bytes(10);
    let (logger, guard): (_, WriterGuard) =
        change(builder.queue_policy(QueuePolicy::DropNewest)).build().unwrap();
    logger.log(&log::Record::builder().level(log::Level::Error).build());
    drop(guard);
    let text = std::fs::read_to_string(&path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_dropped_record_leaves_a_marker_in_the_schema_of_the_lines() {
    let [line] = &*lines(|builder| builder) else { panic!() };
    assert_eq!((&line["target"], &line["level"]), (&"writer".into(), &"WARN".into()));
    assert_eq!((&line["dropped"], &line["dropped_error"]), (&1.into(), &1.into()));
    assert_eq!(line["policy"], "drop_newest");
    let [line] = &*lines(|builder| builder.schema(Schema::Ecs)) else { panic!() };
    assert_eq!((&line["log.logger"], &line["log.level"]), (&"writer".into(), &"WARN".into()));
    assert_eq!(line["dropped"], 1);
}

#[test]
fn markers_can_be_turned_off_or_written_in_another_way() {
    assert_eq!(lines(|builder| builder.no_loss_marker()).len(), 0);
    let own = lines(|builder| {
        builder.loss_marker(|losses, line| line.extend(losses.lines().to_string().bytes()))
    });
    assert_eq!(own, [Value::from(1)]);
}

#[test]
fn a_shared_writer_marks_in_the_format_of_the_first_adapter() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.jsonl");
    let builder = Writer::builder(&path).max_queue_bytes(10);
    let (writer, guard) = builder.queue_policy(QueuePolicy::DropNewest).build().unwrap();
    // Dropped before there is a format to tell of it.
    assert_eq!(writer.send("far longer than the queue"), Ok(false));
    let on = || writer_log::on(writer.clone()).level(log::LevelFilter::Info);
    let first = on().schema(Schema::Logxpy).build().unwrap();
    let _second = on().build().unwrap();
    first.log(&log::Record::builder().build());
    drop(guard);
    let line: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!((&line["mt"], &line["dropped"]), (&"warning".into(), &2.into()));
}
