//! From the first event to the end of the writer.

#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::sync::mpsc;
use std::time::Duration;

use support::{Log, read, spans};
use tracing::{info, info_span, subscriber::with_default};
use tracing_subscriber::Registry;
use tracing_subscriber::prelude::*;
use writer_tracing::{Mode, Strategy};

#[test]
fn every_strategy_in_every_mode_writes_all_events_in_order() {
    for strategy in [Strategy::LineBuffered, Strategy::BlockBuffered, Strategy::MemoryMapped] {
        for mode in [Mode::Trigger, Mode::Loop, Mode::Manual] {
            let log = Log::new();
            let (sender, written) = mpsc::channel();
            let (layer, guard) = writer_tracing::builder(log.path())
                .strategy(strategy)
                .mode(mode)
                .mmap_chunk(1 << 20)
                .on_write(move |lines| sender.send(lines).unwrap())
                .build()
                .unwrap();
            with_default(Registry::default().with(layer), || {
                for number in 0..6 {
                    info!(number, "x");
                }
            });
            if mode == Mode::Manual {
                guard.writer().trigger();
            }
            let mut lines = 0;
            while lines < 6 {
                lines += written.recv_timeout(Duration::from_secs(10)).unwrap();
            }
            drop(guard);
            let numbers: Vec<_> =
                read(&log.path()).iter().map(|line| line["number"].as_u64().unwrap()).collect();
            assert_eq!(numbers, [0, 1, 2, 3, 4, 5], "{strategy} {mode}");
        }
    }
}

#[test]
fn events_carry_the_ids_of_request_and_user() {
    let log = Log::new();
    let (layer, guard) = writer_tracing::layer(log.path()).unwrap();
    with_default(Registry::default().with(layer), || {
        let _request = info_span!("request", request_id = "r-1").entered();
        info!("request");
        let _user = info_span!("user", user_id = 7).entered();
        info!("user");
    });
    drop(guard);
    let lines = read(&log.path());
    assert_eq!(spans(&lines[0]), r#"[{"name":"request","request_id":"r-1"}]"#);
    assert_eq!(
        spans(&lines[1]),
        r#"[{"name":"request","request_id":"r-1"},{"name":"user","user_id":7}]"#
    );
}

#[test]
fn dropping_the_guard_completes_the_file() {
    const EVENTS: usize = 30_000;
    let log = Log::new();
    let (layer, guard) = writer_tracing::layer(log.path()).unwrap();
    with_default(Registry::default().with(layer), || {
        for number in 0..EVENTS {
            info!(number, "x");
        }
        drop(guard);
        let lines = read(&log.path());
        assert_eq!(lines.len(), EVENTS);
        assert_eq!(lines[EVENTS - 1]["number"], EVENTS - 1);
    });
}

#[test]
fn events_after_the_shutdown_are_counted_and_nothing_panics() {
    let log = Log::new();
    let (layer, guard) = writer_tracing::layer(log.path()).unwrap();
    let writer = guard.writer().clone();
    with_default(Registry::default().with(layer), || {
        let span = info_span!("s", id = tracing::field::Empty);
        info!("before");
        drop(guard);
        span.record("id", 1);
        span.in_scope(|| info!("after"));
        info!("after");
    });
    let metrics = writer.metrics();
    assert_eq!((metrics.sent, metrics.written, metrics.rejected), (3, 1, 2));
    assert_eq!(read(&log.path()).len(), 1);
}
