//! Loss markers under storms: whatever drops lines, the markers tell of exactly those.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::common::{self, LIMIT, TestSink, assert_ended, combinations, for_each, in_time};
use serde_json::Value;
use writer_core::json::{Format, LOSS_MESSAGE, LOSS_TARGET, Meta};
use writer_core::{Metrics, QueuePolicy, Severity, Writer, WriterBuilder};

fn marked(builder: WriterBuilder) -> WriterBuilder {
    let format = Format::default();
    builder.loss_marker(move |losses, line| {
        format.encode_losses(losses, |_, encoded| line.extend_from_slice(encoded));
    })
}

/// Four threads that send lines of all severities as fast as they can.
fn storm(writer: &Writer, each: usize) {
    let format = Format::default();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for i in 0..each {
                    let severity = Severity::ALL[i % 5];
                    let meta = Meta::new(severity, "storm");
                    format.encode(
                        &meta,
                        |record| record.field("n").u64(i as u64),
                        |severity, line| writer.send_with(severity, line).unwrap(),
                    );
                }
            });
        }
    });
}

/// What the lines of a file say: how many of each severity are no markers, and the markers.
fn read(bytes: &[u8]) -> ([u64; 5], Vec<Value>) {
    let (mut lines, mut markers) = ([0; 5], Vec::new());
    for line in std::str::from_utf8(bytes).unwrap().lines() {
        let json: Value = serde_json::from_str(line).unwrap();
        if json["target"] == LOSS_TARGET {
            assert_eq!((&json["level"], &json["message"]), (&"WARN".into(), &LOSS_MESSAGE.into()));
            markers.push(json);
        } else {
            let level = Severity::ALL.iter().position(|s| json["level"] == s.as_str()).unwrap();
            lines[level] += 1;
        }
    }
    (lines, markers)
}

/// Each line is either there or told of by a marker, for every severity.
fn assert_marked(bytes: &[u8], m: &Metrics, policy: QueuePolicy, each: usize) -> usize {
    assert_ended(m, 4 * each);
    let (lines, markers) = read(bytes);
    let sum = |key: &str| markers.iter().map(|json| json[key].as_u64().unwrap_or(0)).sum::<u64>();
    assert_eq!((sum("dropped"), markers.len() as u64), (m.dropped, m.markers));
    assert_eq!(lines.iter().sum::<u64>(), m.written);
    assert_eq!(bytes.len() as u64, m.bytes_written);
    for (severity, lines) in Severity::ALL.iter().zip(lines) {
        let key = format!("dropped_{}", severity.as_str().to_lowercase());
        assert_eq!(lines + sum(&key), 4 * each as u64 / 5, "{key}");
    }
    for json in &markers {
        assert_eq!(json["policy"], policy.as_str());
        assert!(json["since"].as_str() <= json["until"].as_str(), "{json}");
    }
    markers.len()
}

#[test]
fn markers_tell_of_exactly_what_a_storm_dropped_under_every_policy() {
    let each = 2000;
    for_each(combinations(), |c| {
        let target = common::Target::new();
        let builder = c.builder(&target).max_queue_size(16).on_drop(|_| {});
        let (writer, guard) = marked(builder).build().unwrap();
        storm(&writer, each);
        guard.shutdown(LIMIT).unwrap();
        let m = writer.metrics();
        let markers = assert_marked(&target.bytes(), &m, c.policy, each);
        assert_eq!(markers > 0, m.dropped > 0);
        assert!(c.policy != QueuePolicy::Block || markers == 0);
    });
}

#[test]
fn lines_refused_by_block_after_its_timeout_are_marked() {
    let (sink, record) = TestSink::recording();
    let gate = common::Gate::new_closed();
    let builder = Writer::to(sink.at_gate(&gate)).max_queue_size(16).block_timeout(Duration::ZERO);
    let (writer, guard) = marked(builder).build().unwrap();
    storm(&writer, 100);
    gate.open();
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(assert_marked(&record.bytes(), &writer.metrics(), QueuePolicy::Block, 100), 1);
}

#[test]
fn lines_refused_because_the_sink_has_failed_are_marked_when_it_works_again() {
    in_time(|| {
        let works = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let sees = Arc::clone(&works);
        let (sink, record) = TestSink::answering(move |lines, _| {
            match sees.load(std::sync::atomic::Ordering::SeqCst) {
                true => Ok(lines.len()),
                false => Err(io::ErrorKind::StorageFull.into()),
            }
        });
        let builder =
            Writer::to(sink).max_queue_size(16).fail_after(Duration::ZERO).on_error(|_| {});
        let (writer, guard) = marked(builder).build().unwrap();
        storm(&writer, 100);
        let dropped = writer.metrics().dropped;
        assert!(dropped > 0, "nobody waits for a sink that has failed");
        works.store(true, std::sync::atomic::Ordering::SeqCst);
        writer.flush(LIMIT).unwrap();
        guard.shutdown(LIMIT).unwrap();
        let m = writer.metrics();
        assert_eq!(m.dropped, dropped);
        assert_eq!(assert_marked(&record.bytes(), &m, QueuePolicy::Block, 100), 1);
    });
}

#[test]
fn a_marker_is_counted_nowhere_but_as_a_marker() {
    let written = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let sees = Arc::clone(&written);
    let (sink, record) = TestSink::recording();
    let builder = Writer::to(sink).max_queue_bytes(10).queue_policy(QueuePolicy::Warn);
    let builder = builder.on_drop(|_| {}).on_write(move |lines| {
        sees.fetch_add(lines, std::sync::atomic::Ordering::SeqCst);
    });
    let (writer, guard) = marked(builder).build().unwrap();
    writer.send("{}").unwrap();
    writer.send("far longer than the queue").unwrap();
    writer.flush(LIMIT).unwrap();
    guard.shutdown(LIMIT).unwrap();
    let m = writer.metrics();
    assert_eq!((m.sent, m.enqueued, m.written, m.refused), (2, 1, 1, 1));
    assert_eq!((m.markers, record.lines().len()), (1, 2));
    assert_eq!(written.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[test]
fn in_core_nothing_is_marked_unless_it_is_asked_for() {
    let (sink, record) = TestSink::recording();
    let (writer, guard) =
        Writer::to(sink).max_queue_bytes(10).queue_policy(QueuePolicy::DropNewest).build().unwrap();
    writer.send("far longer than the queue").unwrap();
    drop(guard);
    assert_eq!((writer.metrics().markers, record.bytes().len()), (0, 0));
}
