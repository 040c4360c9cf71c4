//! Sinks that fail, tear a line or panic.

use super::*;

#[test]
fn a_failing_sink_is_tried_again_under_block() {
    let (sink, record) = TestSink::failing(3);
    let (writer, guard) = Writer::to(sink).synchronous(true).on_error(|_| {}).build().unwrap();
    send_numbered(&writer, 0..5);
    assert_eq!(record.lines(), numbered(0..5));
    guard.shutdown(LIMIT).unwrap();
    let m = writer.metrics();
    assert_ended(&m, 5);
    assert_eq!((m.errors, m.written, m.state), (3, 5, State::Healthy));
}

#[test]
fn a_failing_sink_is_tried_once_under_the_other_policies() {
    for policy in [QueuePolicy::DropNewest, QueuePolicy::DropOldest, QueuePolicy::Warn] {
        let drops = Arc::new(AtomicU64::new(0));
        let heard = Arc::clone(&drops);
        let (sink, record) = TestSink::failing(2);
        let (writer, guard) = Writer::to(sink)
            .synchronous(true)
            .queue_policy(policy)
            .on_error(|_| {})
            .on_drop(move |lines| {
                heard.fetch_add(lines, Ordering::Relaxed);
            })
            .build()
            .unwrap();
        let taken = [0, 1, 2].map(|i| writer.send(format!("line {i}")).unwrap());
        assert_eq!(taken, [false, false, true], "{policy}");
        guard.shutdown(LIMIT).unwrap();
        assert_eq!(record.lines(), ["line 2"], "{policy}");
        let m = writer.metrics();
        assert_ended(&m, 3);
        assert_eq!((m.errors, m.dropped, m.written, m.lost), (2, 2, 1, 0), "{policy}");
        assert_eq!(drops.load(Ordering::Relaxed), 2, "{policy}");
    }
}

/// A sink that fails while it is told to.
fn breakable() -> (TestSink, Arc<Record>, Arc<AtomicBool>) {
    let broken = Arc::new(AtomicBool::new(true));
    let is_broken = Arc::clone(&broken);
    let (sink, record) = TestSink::answering(move |lines, _| {
        if is_broken.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(lines.len())
    });
    (sink, record, broken)
}

/// Failed: `on_error` never heard of the fallback.
#[test]
fn what_a_round_inside_a_callback_has_to_tell_is_told_by_the_next_sender() {
    let (sink, _, broken) = breakable();
    broken.store(false, Ordering::Relaxed);
    let to_itself = Arc::new(OnceLock::<Writer>::new());
    let (itself, heard) = (Arc::clone(&to_itself), Arc::new(Mutex::new(Vec::new())));
    let (hears, breaks) = (Arc::clone(&heard), Arc::clone(&broken));
    let (writer, guard) = Writer::to(sink)
        .fallback(TestSink::answering(|_, _| Err(io::ErrorKind::BrokenPipe.into())).0)
        .synchronous(true)
        .queue_policy(QueuePolicy::DropNewest)
        .fail_after(Duration::ZERO)
        .on_write(move |_| {
            let writer = itself.get().unwrap();
            if writer.metrics().written == 1 {
                breaks.store(true, Ordering::Relaxed);
                assert_eq!(writer.send("refused"), Ok(false));
            }
        })
        .on_error(move |error| hears.lock().unwrap().push(error.operation))
        .build()
        .unwrap();
    assert!(to_itself.set(writer.clone()).is_ok());
    assert_eq!(writer.send("first"), Ok(true));
    assert!(heard.lock().unwrap().is_empty());
    assert_eq!(writer.send("refused"), Ok(false));
    assert_eq!(*heard.lock().unwrap(), [Operation::Write, Operation::Fallback]);
    drop(guard);
}

/// Failed: the line of the callback ended the episode, of which nothing is told in a callback.
#[test]
fn the_end_of_a_failure_is_told_although_a_callback_sends() {
    let (sink, record, broken) = breakable();
    let to_itself = Arc::new(OnceLock::<Writer>::new());
    let (itself, recovered) = (Arc::clone(&to_itself), Arc::new(AtomicU64::new(0)));
    let heard = Arc::clone(&recovered);
    let (writer, guard) = Writer::to(sink)
        .synchronous(true)
        .queue_policy(QueuePolicy::DropNewest)
        .on_error(move |_| {
            let writer = itself.get().unwrap();
            broken.store(false, Ordering::Relaxed);
            assert_eq!(writer.send("of the failure"), Ok(true));
            assert_eq!(writer.metrics().state, State::Healthy);
        })
        .on_recover(move |_| {
            heard.fetch_add(1, Ordering::Relaxed);
        })
        .build()
        .unwrap();
    assert!(to_itself.set(writer.clone()).is_ok());
    assert_eq!(writer.send("refused"), Ok(false));
    assert_eq!(writer.send("taken"), Ok(true));
    assert_eq!((recovered.load(Ordering::Relaxed), writer.metrics().state), (1, State::Healthy));
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(record.lines(), ["of the failure", "taken"]);
    assert_eq!(writer.metrics().callback_panics, 0);
}

#[test]
fn block_gives_up_after_its_timeout() {
    let (sink, record, broken) = breakable();
    let (writer, guard) =
        Writer::to(sink).synchronous(true).block_timeout(50 * MS).on_error(|_| {}).build().unwrap();
    in_time(move || {
        let start = Instant::now();
        assert_eq!(writer.send("refused"), Ok(false));
        assert!(start.elapsed() >= 50 * MS);
        broken.store(false, Ordering::Relaxed);
        assert_eq!(writer.send("taken"), Ok(true));
        guard.shutdown(LIMIT).unwrap();
        let m = writer.metrics();
        assert_ended(&m, 2);
        assert_eq!((m.refused, m.written), (1, 1));
        assert!(m.errors >= 2);
    });
    assert_eq!(record.lines(), ["taken"]);
}

#[test]
fn block_does_not_wait_for_a_sink_that_has_failed() {
    let states = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&states);
    let (sink, record, broken) = breakable();
    let (writer, guard) = Writer::to(sink)
        .synchronous(true)
        .fail_after(50 * MS)
        .on_error(move |error| heard.lock().unwrap().push(error.state))
        .build()
        .unwrap();
    in_time(move || {
        assert_eq!(writer.send("refused"), Ok(false));
        assert_eq!(writer.send("refused"), Ok(false));
        assert_eq!(writer.metrics().state, State::Failed);
        assert!(states.lock().unwrap().contains(&State::Failed));
        broken.store(false, Ordering::Relaxed);
        assert_eq!(writer.send("taken"), Ok(true));
        assert_eq!(writer.metrics().state, State::Healthy);
        guard.shutdown(LIMIT).unwrap();
        assert_ended(&writer.metrics(), 3);
    });
    assert_eq!(record.lines(), ["taken"]);
}

#[test]
fn a_sender_that_tries_again_is_released_by_a_shutdown() {
    let (sink, record, _broken) = breakable();
    let (writer, guard) = Writer::to(sink).synchronous(true).on_error(|_| {}).build().unwrap();
    let sender = {
        let writer = writer.clone();
        thread::spawn(move || writer.send("x"))
    };
    eventually("it has failed once", || writer.metrics().errors >= 1);
    let result = guard.shutdown(LIMIT);
    assert_eq!(in_time(move || sender.join().unwrap()), Err(SendError::Closed));
    assert!(result.is_ok(), "nothing accepted is left: {result:?}");
    assert!(record.bytes().is_empty());
    let m = writer.metrics();
    assert_ended(&m, 1);
    assert_eq!((m.rejected, m.enqueued, m.lost), (1, 0, 0));
}

#[test]
fn the_rest_of_a_torn_line_goes_first() {
    let mut calls = 0;
    let (sink, record) = TestSink::answering(move |lines, _| {
        calls += 1;
        match calls {
            1 => Ok(3),
            2 | 3 => Err(io::Error::other("no")),
            _ => Ok(lines.len()),
        }
    });
    let (writer, guard) = Writer::to(sink)
        .synchronous(true)
        .queue_policy(QueuePolicy::DropNewest)
        .on_error(|_| {})
        .on_drop(|_| {})
        .build()
        .unwrap();
    // A part of it is out: it cannot be refused any more.
    assert_eq!(writer.send("first line"), Ok(true));
    assert_eq!((writer.metrics().pending, record.bytes()), (1, b"fir".to_vec()));
    assert_eq!(writer.send("refused"), Ok(false));
    assert_eq!(writer.send("third line"), Ok(true));
    assert_eq!(record.lines(), ["first line", "third line"]);
    guard.shutdown(LIMIT).unwrap();
    let m = writer.metrics();
    assert_ended(&m, 3);
    assert_eq!((m.written, m.refused, m.lost), (2, 1, 0));
}

#[test]
fn a_torn_line_is_finished_by_a_flush_and_given_up_by_a_shutdown() {
    for finished in [true, false] {
        let broken = Arc::new(AtomicBool::new(false));
        let breaks = Arc::clone(&broken);
        let (sink, record) = TestSink::answering(move |lines, _| {
            if breaks.load(Ordering::Relaxed) {
                return Err(io::Error::other("no"));
            }
            if lines == b"torn line\n" {
                breaks.store(true, Ordering::Relaxed);
                return Ok(4);
            }
            Ok(lines.len())
        });
        let (writer, guard) = Writer::to(sink)
            .synchronous(true)
            .queue_policy(QueuePolicy::DropNewest)
            .on_error(|_| {})
            .build()
            .unwrap();
        assert_eq!(writer.send("torn line"), Ok(true));
        let result = writer.flush(20 * MS);
        assert!(matches!(result, Err(FlushError::Timeout { pending: 1 })), "{result:?}");
        if finished {
            broken.store(false, Ordering::Relaxed);
            writer.flush(LIMIT).unwrap();
            assert_eq!(record.lines(), ["torn line"]);
            guard.shutdown(LIMIT).unwrap();
        } else {
            let result = guard.shutdown(20 * MS);
            assert!(matches!(result, Err(ShutdownError::Lost { lines: 1 })), "{result:?}");
        }
        let m = writer.metrics();
        assert_ended(&m, 1);
        assert_eq!((m.written, m.lost), if finished { (1, 0) } else { (0, 1) });
    }
}

#[test]
fn a_panicking_sink_loses_the_line_and_repeats_nothing() {
    let mut calls = 0;
    let (sink, record) = TestSink::answering(move |lines, _| {
        calls += 1;
        assert!(calls != 2, "the sink's own");
        Ok(lines.len())
    });
    let (writer, guard) = Writer::to(sink).synchronous(true).on_error(|_| {}).build().unwrap();
    for i in 0..4 {
        writer.send(format!("line {i}")).unwrap();
    }
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(record.lines(), ["line 0", "line 2", "line 3"]);
    let m = writer.metrics();
    assert_ended(&m, 4);
    assert_eq!((m.written, m.lost), (3, 1));
}
