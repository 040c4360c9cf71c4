//! From the first event to the end of the writer.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use crate::support::{Log, read, spans};
use tracing::{Level, debug, info, info_span, subscriber::with_default, trace, warn};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;
use writer_tracing::{
    FlushError, Mode, ReopenError, Schema, SendError, Severity, ShutdownError, Sink, State,
    Strategy, WriteError, WriteSink, Writer,
};

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
fn a_layer_shows_its_writer() {
    let log = Log::new();
    let (layer, guard) = writer_tracing::layer(log.path()).unwrap();
    let writer: writer_tracing::writer_core::Writer = layer.writer().clone();
    with_default(Registry::default().with(layer), || info!("x"));
    writer.flush(Duration::from_secs(10)).unwrap();
    assert_eq!(guard.writer().metrics().written, 1);
    assert_eq!(read(&log.path()).len(), 1);
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

#[test]
fn an_event_in_a_destructor_while_unwinding_is_written() {
    struct LogsWhenDropped;
    impl Drop for LogsWhenDropped {
        fn drop(&mut self) {
            info!("unwinding");
        }
    }
    let log = Log::new();
    let (layer, guard) = writer_tracing::layer(log.path()).unwrap();
    let unwound = with_default(Registry::default().with(layer), || {
        std::panic::catch_unwind(|| {
            let _span = info_span!("s").entered();
            let _logs = LogsWhenDropped;
            panic!("unwinds");
        })
    });
    assert!(unwound.is_err());
    drop(guard);
    let lines = read(&log.path());
    assert_eq!(lines.len(), 1);
    assert_eq!(spans(&lines[0]), r#"[{"name":"s"}]"#);
}

#[test]
fn levels_targets_and_child_spans_all_reach_the_one_file() {
    let log = Log::new();
    let (layer, guard) = writer_tracing::layer(log.path()).unwrap();
    let filter = Targets::new().with_target("shop", Level::DEBUG).with_default(Level::WARN);
    with_default(Registry::default().with(layer.with_filter(filter)), || {
        let _request = info_span!(target: "shop::web", "request").entered();
        debug!(target: "shop::orders", "1");
        trace!(target: "shop::orders", "not");
        let _query = info_span!(target: "shop::db", "query").entered();
        info!(target: "other", "not");
        warn!(target: "other", "2");
    });
    drop(guard);
    let lines = read(&log.path());
    let seen: Vec<_> =
        lines.iter().map(|line| (line["target"].as_str().unwrap(), spans(line))).collect();
    assert_eq!(
        seen,
        [
            ("shop::orders", r#"[{"name":"request"}]"#.to_owned()),
            ("other", r#"[{"name":"request"},{"name":"query"}]"#.to_owned()),
        ]
    );
}

/// What a program meets has its name in this crate: it needs no dependency on the core.
#[test]
fn a_program_can_name_what_it_meets() {
    struct Full;
    impl Sink for Full {
        fn write(&mut self, _: &[u8], _: bool) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
    }
    let states = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&states);
    let builder = Writer::to(Full)
        .fail_after(Duration::ZERO)
        .fallback(WriteSink::new(Vec::new()))
        .on_error(move |error: &WriteError| told.lock().unwrap().push(error.state))
        .on_recover(|_| {});
    let (_layer, guard) = writer_tracing::builder(builder).schema(Schema::Ecs).build().unwrap();
    let writer = guard.writer().clone();
    assert_eq!(writer.send_with(Severity::Warn, "{}"), Ok(true));
    let flushed: Result<(), FlushError> = writer.flush(Duration::from_secs(60));
    assert!(flushed.is_ok(), "{flushed:?}");
    let ended: Result<(), ShutdownError> = guard.shutdown(Duration::from_secs(60));
    assert!(ended.is_ok(), "{ended:?}");
    assert_eq!(writer.send("{}"), Err(SendError::Closed));
    assert_eq!(writer.reopen(), Err(ReopenError::Closed));
    assert!(states.lock().unwrap().contains(&State::Failed));
}
