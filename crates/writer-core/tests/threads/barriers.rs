//! Flush, sync and shutdown by many threads at once, and against producers that do not stop.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::common::{
    self, LIMIT, Paused, Target, TestSink, assert_ended, assert_snapshot, eventually, in_time,
    send_numbered,
};
use writer_core::{FlushError, Mode, QueuePolicy, SendError, Sink, Strategy, Writer};

#[test]
fn flushes_from_16_threads_return_while_the_queue_overflows() {
    let target = Target::new();
    let (writer, guard) =
        target.builder().max_queue_size(8).queue_policy(QueuePolicy::DropOldest).build().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let load = {
        let (writer, stop) = (writer.clone(), Arc::clone(&stop));
        thread::spawn(move || {
            let mut sent = 0;
            while !stop.load(Ordering::Relaxed) {
                writer.send("load").unwrap();
                sent += 1;
            }
            sent
        })
    };
    let flusher = writer.clone();
    in_time(move || {
        let threads: Vec<_> = (0..16)
            .map(|_| {
                let writer = flusher.clone();
                thread::spawn(move || {
                    for _ in 0..200 {
                        writer.send("mine").unwrap();
                        writer.flush(LIMIT).unwrap();
                        assert_snapshot(&writer.metrics());
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    stop.store(true, Ordering::Relaxed);
    let load: usize = load.join().unwrap();
    guard.shutdown(LIMIT).unwrap();
    let m = writer.metrics();
    assert_ended(&m, load + 3200);
    assert_eq!((m.refused, m.rejected, m.lost), (0, 0, 0));
    assert_eq!(target.lines().len() as u64, m.written);
}

/// Eight threads send until they are told that the writer is closed: what each had accepted, and
/// how many were refused.
fn send_until_closed(writer: &Writer) -> Vec<thread::JoinHandle<(Vec<String>, u64)>> {
    let started = Arc::new(AtomicU64::new(0));
    let threads = (0..8)
        .map(|t| {
            let (writer, started) = (writer.clone(), Arc::clone(&started));
            thread::spawn(move || {
                let (mut accepted, mut refused) = (Vec::new(), 0);
                for i in 0.. {
                    let line = format!("t{t} {i}");
                    match writer.send(&line) {
                        Ok(true) => accepted.push(line),
                        Ok(false) => refused += 1,
                        Err(error) => {
                            assert_eq!(error, SendError::Closed);
                            break;
                        }
                    }
                    if i == 3 {
                        started.fetch_add(1, Ordering::Relaxed);
                    }
                }
                (accepted, refused)
            })
        })
        .collect();
    eventually("every thread sends", || started.load(Ordering::Relaxed) == 8);
    threads
}

#[test]
fn a_shutdown_against_racing_producers_keeps_every_accepted_line() {
    for round in 0..100 {
        in_time(move || {
            let strategy = Strategy::ALL[round % 3];
            let policy = QueuePolicy::ALL[round % 4];
            let target = Target::new();
            let (writer, guard) = target
                .builder()
                .strategy(strategy)
                .queue_policy(policy)
                .max_queue_size(50)
                .on_drop(|_| {})
                .build()
                .unwrap();
            let threads = send_until_closed(&writer);
            guard.shutdown(LIMIT).unwrap();
            let results: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();

            let label = format!("round {round}: {strategy} + {policy}");
            let lines = target.lines();
            let m = writer.metrics();
            let accepted: usize = results.iter().map(|(accepted, ..)| accepted.len()).sum();
            let refused: u64 = results.iter().map(|&(_, refused)| refused).sum();
            assert_ended(&m, accepted + refused as usize + 8);
            assert_eq!((m.enqueued, m.refused), (accepted as u64, refused), "{label}");
            assert_eq!((m.rejected, m.lost), (8, 0), "{label}");
            assert_eq!(lines.len() as u64, m.written, "{label}");
            if policy == QueuePolicy::DropOldest {
                let all: HashSet<_> = results.iter().flat_map(|(accepted, _)| accepted).collect();
                assert!(lines.iter().all(|line| all.contains(line)), "{label}");
            } else {
                for (t, (accepted, ..)) in results.iter().enumerate() {
                    assert_eq!(&common::of_thread(&lines, t), accepted, "{label}");
                }
            }
        });
    }
}

#[test]
fn shutdowns_from_many_threads_all_succeed() {
    let paused = Paused::with(|b| b);
    send_numbered(&paused.writer, 0..5);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let writer = paused.writer.clone();
            thread::spawn(move || writer.shutdown(LIMIT))
        })
        .collect();
    eventually("one of them closed it", || paused.writer.send("late").is_err());
    paused.gate.open();
    threads.into_iter().for_each(|thread| thread.join().unwrap().unwrap());
    let record = Arc::clone(&paused.record);
    assert_eq!(paused.finish().0.len(), record.lines().len() - 1);
    assert_eq!(record.closes.load(Ordering::Relaxed), 1);
}

#[test]
fn a_flush_waits_only_for_what_was_accepted_before_it() {
    // In Manual nothing but the flush has the worker come back for the three lines: the gate knows
    // that it was called.
    let paused = Paused::with(|b| b.mode(Mode::Manual));
    send_numbered(&paused.writer, 0..3);
    let flushing = {
        let writer = paused.writer.clone();
        // Its time is never over, after which it would find its own lines written.
        thread::spawn(move || writer.flush(Duration::MAX))
    };
    paused.gate.let_one_pass();
    paused.gate.wait_until_entered(2);
    send_numbered(&paused.writer, 3..6);
    paused.gate.let_one_pass();
    in_time(move || flushing.join().unwrap()).unwrap();
    let m = paused.writer.metrics();
    assert_eq!((m.written, m.pending, m.queue_len), (4, 3, 3));
    assert_eq!(paused.finish().0, common::numbered(0..6));
}

#[test]
fn every_duration_is_a_legal_timeout() {
    let target = Target::new();
    let (writer, guard) = target.builder().build().unwrap();
    writer.send("x").unwrap();
    writer.flush(Duration::MAX).unwrap();
    writer.sync(Duration::MAX).unwrap();
    guard.shutdown(Duration::MAX).unwrap();
    assert_eq!(target.bytes(), b"x\n");
}

/// `tick(Duration::MAX)` in Loop stopped the first sender for ever: the worker took the tick that
/// the clock cannot express for one that is due, and looked again and again under its lock.
#[test]
fn every_duration_is_a_legal_setting() {
    for &mode in Mode::ALL {
        in_time(move || {
            let target = Target::new();
            let (writer, guard) = target
                .builder()
                .mode(mode)
                .flush_interval(Duration::MAX)
                .tick(Duration::MAX)
                .block_timeout(Duration::MAX)
                .fail_after(Duration::MAX)
                .build()
                .unwrap();
            // The worker is up and sleeps again.
            writer.sync(LIMIT).unwrap();
            writer.send("x").unwrap();
            writer.flush(LIMIT).unwrap();
            drop(guard);
            assert_eq!(target.bytes(), b"x\n", "{mode}");
        });
    }
}

#[test]
fn syncs_from_many_threads_mean_that_the_bytes_are_in_the_file() {
    for &strategy in Strategy::ALL {
        let target = Arc::new(Target::new());
        let (writer, guard) = target.builder().strategy(strategy).build().unwrap();
        let threads: Vec<_> = (0..4)
            .map(|t| {
                let (writer, target) = (writer.clone(), Arc::clone(&target));
                thread::spawn(move || {
                    for i in 0..5 {
                        let line = format!("t{t} {i}");
                        writer.send(&line).unwrap();
                        writer.sync(LIMIT).unwrap();
                        let bytes = target.bytes_so_far();
                        let text = std::str::from_utf8(&bytes).unwrap();
                        assert!(text.contains(&(line + "\n")));
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        guard.shutdown(LIMIT).unwrap();
        assert_eq!(target.lines().len(), 20, "{strategy}");
        assert_ended(&writer.metrics(), 20);
    }
}

#[test]
fn a_sync_trims_the_reserve_of_a_mapping_and_the_writer_goes_on() {
    let target = Target::new();
    let (writer, guard) = target.builder().strategy(Strategy::MemoryMapped).build().unwrap();
    send_numbered(&writer, 0..10);
    writer.sync(LIMIT).unwrap();
    assert_eq!(target.lines(), common::numbered(0..10));
    send_numbered(&writer, 10..20);
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(target.lines(), common::numbered(0..20));
}

/// Syncs as it is told, and takes everything.
struct Syncing(io::Result<()>);

impl Sink for Syncing {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        Ok(lines.len())
    }

    fn sync(&mut self) -> io::Result<()> {
        match &self.0 {
            Ok(()) => Ok(()),
            Err(error) => Err(error.kind().into()),
        }
    }
}

#[test]
fn a_sync_that_fails_says_so_and_writing_goes_on() {
    let unsupported = Syncing(Err(io::ErrorKind::Unsupported.into()));
    let (writer, guard) = Writer::to(unsupported).build().unwrap();
    writer.send("x").unwrap();
    assert!(matches!(writer.sync(LIMIT), Err(FlushError::Unsupported)));
    writer.send("y").unwrap();
    writer.flush(LIMIT).unwrap();
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(writer.metrics().written, 2);

    let broken = Syncing(Err(io::ErrorKind::StorageFull.into()));
    let (writer, guard) = Writer::to(broken).build().unwrap();
    writer.send("x").unwrap();
    let error = writer.sync(LIMIT).unwrap_err();
    assert!(matches!(error, FlushError::Sync { .. }), "{error}");
    assert!(std::error::Error::source(&error).is_some());
    writer.send("y").unwrap();
    writer.flush(LIMIT).unwrap();
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(writer.metrics().written, 2);

    let (writer, _guard) = Writer::to(Syncing(Ok(()))).build().unwrap();
    writer.send("x").unwrap();
    writer.sync(LIMIT).unwrap();
}

#[test]
fn a_sink_learns_of_flushes_and_of_one_close() {
    let (sink, record) = TestSink::recording();
    let (writer, guard) = Writer::to(sink).build().unwrap();
    writer.send("x").unwrap();
    writer.flush(LIMIT).unwrap();
    assert!(record.flushes.load(Ordering::Relaxed) >= 1);
    writer.sync(LIMIT).unwrap();
    assert!(record.syncs.load(Ordering::Relaxed) >= 1);
    assert_eq!(record.closes.load(Ordering::Relaxed), 0);
    drop(guard);
    assert_eq!(record.closes.load(Ordering::Relaxed), 1);
}
