//! Sinks of every character: failing, stingy, panicking, holding back. No line is torn, doubled or
//! glued to another by any of them.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::common::{
    self, Gate, LIMIT, Paused, Record, TestSink, assert_ended, assert_snapshot, in_time, lines_of,
    numbered, send_numbered,
};
use writer_core::{
    Metrics, Mode, ReopenReason, Reopened, ShutdownError, Sink, WriteSink, Writer, WriterBuilder,
};

/// Sends `count` numbered lines through `sink`, ends the writer, and returns the counters.
fn through(sink: TestSink, count: usize) -> Metrics {
    in_time(move || {
        let (writer, guard) = Writer::to(sink).on_error(|_| {}).build().unwrap();
        send_numbered(&writer, 0..count);
        guard.shutdown(LIMIT).unwrap();
        let m = writer.metrics();
        assert_ended(&m, count);
        m
    })
}

fn assert_complete(record: &Record, m: &Metrics, count: usize) {
    assert!(record.lines() == numbered(0..count), "{:?}", record.lines());
    assert_eq!((m.written, m.lost), (count as u64, 0));
    assert_eq!(m.bytes_written, record.bytes().len() as u64);
}

/// Notes which methods are called.
struct Notes(Arc<Mutex<Vec<&'static str>>>);

impl Notes {
    fn note(&self, method: &'static str) {
        self.0.lock().unwrap().push(method);
    }
}

impl Sink for Notes {
    fn write(&mut self, lines: &[u8], more_waiting: bool) -> io::Result<usize> {
        self.note(if more_waiting { "write, more waits" } else { "write" });
        Ok(lines.len() + 1)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.note("flush");
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.note("sync");
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        self.note("close");
        Ok(())
    }

    fn wants_idle(&self) -> bool {
        self.note("wants_idle");
        true
    }

    fn idle(&mut self) -> io::Result<()> {
        self.note("idle");
        Ok(())
    }

    fn reopen(&mut self, _: ReopenReason<'_>) -> io::Result<Option<Reopened>> {
        self.note("reopen");
        Ok(Some(Reopened::default()))
    }
}

#[test]
fn a_boxed_sink_hands_every_call_on() {
    // By its type, since a method call would find the sink in the box.
    fn call_all<S: Sink>(mut sink: S) {
        assert_eq!(sink.write(b"abc", false).unwrap(), 4);
        assert_eq!(sink.write(b"abc", true).unwrap(), 4);
        sink.flush().unwrap();
        sink.sync().unwrap();
        sink.close().unwrap();
        assert!(sink.wants_idle());
        sink.idle().unwrap();
        assert!(sink.reopen(ReopenReason::Asked).unwrap().is_some());
    }
    let notes = Arc::default();
    let boxed: Box<dyn Sink> = Box::new(Notes(Arc::clone(&notes)));
    call_all(boxed);
    let called = ["write", "write, more waits", "flush", "sync", "close"];
    let called = [&called[..], &["wants_idle", "idle", "reopen"]].concat();
    assert_eq!(*notes.lock().unwrap(), called);
}

#[test]
fn a_writer_takes_a_sink_in_a_box() {
    let (sink, record) = TestSink::answering(|lines, _| Ok(lines.len()));
    let boxed: Box<dyn Sink> = Box::new(sink);
    let (writer, guard) = Writer::to(boxed).build().unwrap();
    send_numbered(&writer, 0..3);
    guard.shutdown(LIMIT).unwrap();
    assert_complete(&record, &writer.metrics(), 3);
}

#[test]
fn short_writes_of_one_byte_lose_nothing() {
    let (sink, record) = TestSink::answering(|_, _| Ok(1));
    let m = through(sink, 300);
    assert_complete(&record, &m, 300);
    assert_eq!(m.errors, 0, "a short write is no failure");
}

#[test]
fn a_line_counts_as_written_with_its_newline() {
    let gate = Gate::new_closed();
    let mut calls = 0;
    let (sink, record) = TestSink::answering(move |lines, _| {
        calls += 1;
        match calls {
            1 => Ok(3),
            2 => Ok(lines.len() - 1),
            _ => Ok(lines.len()),
        }
    });
    let (writer, guard) = Writer::to(sink.at_gate(&gate)).build().unwrap();
    writer.send("a line").unwrap();
    writer.flush(std::time::Duration::ZERO).unwrap_err();
    for call in 1..=3 {
        gate.wait_until_entered(call);
        let m = writer.metrics();
        assert_snapshot(&m);
        assert_eq!((m.written, m.pending), (0, 1), "before call {call}");
        gate.let_one_pass();
    }
    gate.open();
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(record.lines(), ["a line"]);
    assert_eq!((writer.metrics().written, writer.metrics().bytes_written), (1, 7));
}

#[test]
fn a_failing_sink_is_offered_the_same_bytes_again() {
    let mut calls = 0;
    let (sink, record) = TestSink::answering(move |lines, _| {
        calls += 1;
        match calls % 3 {
            1 => Err(io::Error::other("no")),
            // Breaks off in the middle of a line.
            2 => Ok(lines.len().min(10)),
            _ => Ok(lines.len()),
        }
    });
    let m = through(sink, 100);
    assert_complete(&record, &m, 100);
    assert!(m.errors >= 1);
    let calls = record.calls();
    assert_eq!(calls[0].0, calls[1].0);
    assert_eq!(calls[2].0[..], calls[1].0[10..calls[1].0.len()][..calls[2].0.len()]);
}

#[test]
fn failures_between_single_bytes_tear_nothing() {
    let mut calls = 0;
    let (sink, record) = TestSink::answering(move |_, _| {
        calls += 1;
        if calls % 4 == 0 { Err(io::Error::other("no")) } else { Ok(1) }
    });
    let m = through(sink, 5);
    assert_complete(&record, &m, 5);
    // 35 bytes, an error after every three.
    assert_eq!(m.errors, 11);
}

#[test]
fn an_interrupted_write_is_repeated_at_once_and_is_no_failure() {
    let mut calls = 0;
    let (sink, record) = TestSink::answering(move |lines, _| {
        calls += 1;
        if calls % 5 == 0 { Ok(lines.len().min(7)) } else { Err(io::ErrorKind::Interrupted.into()) }
    });
    let m = through(sink, 50);
    assert_complete(&record, &m, 50);
    assert_eq!(m.errors, 0);
}

#[test]
fn taking_nothing_when_nothing_follows_is_a_failure() {
    let mut left = 2;
    let kinds = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&kinds);
    let (sink, record) = TestSink::answering(move |lines, more| {
        if left > 0 && !more {
            left -= 1;
            return Ok(0);
        }
        Ok(lines.len())
    });
    let (writer, guard) = Writer::to(sink)
        .on_error(move |error| heard.lock().unwrap().push(error.source.kind()))
        .build()
        .unwrap();
    send_numbered(&writer, 0..10);
    guard.shutdown(LIMIT).unwrap();
    let m = writer.metrics();
    assert_ended(&m, 10);
    assert_complete(&record, &m, 10);
    assert_eq!(m.errors, 2);
    assert_eq!(*kinds.lock().unwrap(), [io::ErrorKind::WriteZero]);
}

#[test]
fn a_sink_that_always_takes_nothing_is_given_up_at_the_end() {
    let (sink, record) = TestSink::answering(|_, _| Ok(0));
    let (writer, guard) = Writer::to(sink).on_error(|_| {}).build().unwrap();
    send_numbered(&writer, 0..10);
    let result = common::give_up(&guard, std::time::Duration::from_millis(50));
    assert!(matches!(result, Err(ShutdownError::Lost { lines: 10 })), "{result:?}");
    assert!(record.bytes().is_empty());
    assert_ended(&writer.metrics(), 10);
}

/// A sink that takes nothing while more waits, unless it has `block` bytes.
fn holding_back(block: usize) -> (TestSink, Arc<Record>) {
    TestSink::answering(
        move |lines, more| {
            if more && lines.len() < block { Ok(0) } else { Ok(lines.len()) }
        },
    )
}

#[test]
fn a_sink_may_hold_back_while_more_lines_wait() {
    for block in [10, 1000, 100_000, usize::MAX] {
        let (sink, record) = holding_back(block);
        let m = through(sink, 20_000);
        assert_complete(&record, &m, 20_000);
        assert_eq!(m.errors, 0, "block {block}");
    }
}

#[test]
fn what_is_held_back_is_out_when_a_flush_returns_or_time_has_passed() {
    let (sink, record) = holding_back(usize::MAX);
    let (writer, guard) = Writer::to(sink).batch_size(1).build().unwrap();
    for round in 0..50 {
        send_numbered(&writer, round * 10..round * 10 + 10);
        writer.flush(LIMIT).unwrap();
        assert_eq!(record.lines(), numbered(0..round * 10 + 10));
    }
    send_numbered(&writer, 500..510);
    common::eventually("without a flush too", || record.lines() == numbered(0..510));
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(writer.metrics().errors, 0);
    assert_ended(&writer.metrics(), 510);
}

#[test]
fn a_sink_that_holds_back_large_lines_gets_them_all() {
    let gate = Gate::new_closed();
    let (sink, record) = holding_back(300_000);
    let (writer, guard) = Writer::to(sink.at_gate(&gate)).build().unwrap();
    let mut expected = Vec::new();
    for i in 0..4000 {
        let line = format!("{i} {}\n", "x".repeat(i));
        writer.send(&line).unwrap();
        expected.extend_from_slice(line.as_bytes());
    }
    gate.open();
    guard.shutdown(LIMIT).unwrap();
    assert!(record.bytes() == expected);
    assert_ended(&writer.metrics(), 4000);
    let calls = record.calls();
    assert!(calls.iter().all(|(lines, _)| lines.ends_with(b"\n")), "only whole lines are offered");
}

#[test]
fn a_panic_loses_the_lines_of_that_call_and_repeats_none() {
    let lost = Arc::new(Mutex::new(Vec::new()));
    let doomed = Arc::clone(&lost);
    let mut calls = 0;
    let (sink, record) = TestSink::answering(move |lines, _| {
        calls += 1;
        if calls % 3 == 0 {
            doomed.lock().unwrap().extend_from_slice(lines);
            panic!("the sink's own");
        }
        Ok(lines.len())
    });
    let (writer, guard) = Writer::to(sink).on_error(|_| {}).build().unwrap();
    for i in 0..200 {
        send_numbered(&writer, i..i + 1);
        // Some are lost; that is said here.
        let _ = writer.flush(LIMIT);
        assert_snapshot(&writer.metrics());
    }
    assert!(writer.is_running());
    guard.shutdown(LIMIT).unwrap();
    let m = writer.metrics();
    assert_ended(&m, 200);
    let lost = lines_of(&lost.lock().unwrap());
    assert_eq!((m.lost, m.written), (lost.len() as u64, 200 - lost.len() as u64));
    assert!(m.lost >= 60);
    let mut all = [record.lines(), lost].concat();
    all.sort_by_key(|line| line[5..].parse::<usize>().unwrap());
    assert_eq!(all, numbered(0..200), "each line once, written or lost");
}

#[test]
fn a_panic_in_the_middle_of_a_line_glues_nothing_to_its_first_part() {
    let mut calls = 0;
    let (sink, record) = TestSink::answering(move |lines, _| {
        calls += 1;
        match calls {
            1 => Ok(3),
            2 => panic!("the sink's own"),
            _ => Ok(lines.len()),
        }
    });
    // Nothing is written before the flush, which would then not hear of the loss.
    let (writer, guard) = Writer::to(sink).mode(Mode::Manual).on_error(|_| {}).build().unwrap();
    writer.send("torn line").unwrap();
    writer.flush(LIMIT).unwrap_err();
    send_numbered(&writer, 0..3);
    writer.flush(LIMIT).unwrap();
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(record.lines(), ["tor", "line 0", "line 1", "line 2"]);
    let m = writer.metrics();
    assert_ended(&m, 4);
    assert_eq!((m.lost, m.written), (1, 3));
}

/// Panics in everything but `write`.
struct Panicking {
    written: Arc<AtomicU64>,
    flushes: u64,
}

impl Sink for Panicking {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        self.written.fetch_add(lines.len() as u64, Ordering::Relaxed);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushes += 1;
        assert!(self.flushes.is_multiple_of(2), "the sink's own");
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        panic!("the sink's own")
    }

    fn close(&mut self) -> io::Result<()> {
        panic!("the sink's own")
    }
}

#[test]
fn panics_in_flush_sync_and_close_are_errors() {
    let written = Arc::new(AtomicU64::new(0));
    let sink = Panicking { written: Arc::clone(&written), flushes: 0 };
    let (writer, guard) = Writer::to(sink).on_error(|_| {}).build().unwrap();
    in_time(move || {
        writer.send("x").unwrap();
        writer.flush(LIMIT).unwrap();
        writer.sync(LIMIT).unwrap_err();
        assert!(writer.is_running());
        let result = guard.shutdown(LIMIT);
        assert!(matches!(result, Err(ShutdownError::Close { .. })), "{result:?}");
        let m = writer.metrics();
        assert_ended(&m, 1);
        assert_eq!((m.written, m.lost), (1, 0));
    });
    assert_eq!(written.load(Ordering::Relaxed), 2, "nothing is repeated");
}

/// Says that it took more than it was offered.
struct Lying;

impl Sink for Lying {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        Ok(lines.len() * 2 + 1)
    }
}

#[test]
fn a_sink_cannot_take_more_than_there_is() {
    let (writer, guard) = Writer::to(Lying).build().unwrap();
    send_numbered(&writer, 0..100);
    guard.shutdown(LIMIT).unwrap();
    let m = writer.metrics();
    assert_ended(&m, 100);
    assert_eq!((m.written, m.bytes_written), (100, 10 * 7 + 90 * 8));
}

/// An `io::Write` that takes three bytes at a time and must be flushed.
#[derive(Clone, Default)]
struct Pipe {
    taken: Arc<Mutex<Vec<u8>>>,
    flushed: Arc<Mutex<Vec<u8>>>,
}

impl io::Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(3);
        self.taken.lock().unwrap().extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        *self.flushed.lock().unwrap() = self.taken.lock().unwrap().clone();
        Ok(())
    }
}

#[test]
fn any_io_write_serves_as_a_sink() {
    let pipe = Pipe::default();
    let (writer, guard) = Writer::to(WriteSink::new(pipe.clone())).build().unwrap();
    send_numbered(&writer, 0..20);
    writer.flush(LIMIT).unwrap();
    assert_eq!(lines_of(&pipe.flushed.lock().unwrap()), numbered(0..20));
    assert!(matches!(writer.sync(LIMIT), Err(writer_core::FlushError::Unsupported)));
    guard.shutdown(LIMIT).unwrap();
}

#[test]
fn a_line_offered_twice_keeps_its_place_while_the_policy_drops_others() {
    let mut left = 3;
    let gate = Gate::new_closed();
    let (sink, record) = TestSink::answering(move |lines, _| {
        if left > 0 {
            left -= 1;
            return Err(io::Error::other("no"));
        }
        Ok(lines.len())
    });
    let settings = |b: WriterBuilder| {
        b.max_queue_size(5).queue_policy(writer_core::QueuePolicy::DropOldest).on_error(|_| {})
    };
    let (writer, guard) = settings(Writer::to(sink.at_gate(&gate))).build().unwrap();
    writer.send("first").unwrap();
    writer.flush(std::time::Duration::ZERO).unwrap_err();
    gate.wait_until_entered(1);
    send_numbered(&writer, 0..20);
    gate.open();
    guard.shutdown(LIMIT).unwrap();
    let m = writer.metrics();
    assert_ended(&m, 21);
    // What is taken is never evicted.
    assert_eq!(record.lines(), [vec!["first".to_owned()], numbered(15..20)].concat());
    assert_eq!((m.errors, m.evicted, m.lost), (3, 15, 0));
}

#[test]
fn memory_is_at_most_one_queue_and_one_batch() {
    let paused = Paused::with(|b| {
        b.max_queue_bytes(10_000).queue_policy(writer_core::QueuePolicy::DropNewest)
    });
    for i in 0..10_000 {
        paused.writer.send(format!("line {i}")).unwrap();
        let m = paused.writer.metrics();
        assert!(m.queue_bytes <= 10_000 && m.pending <= m.queue_len as u64 + 1);
    }
    paused.finish();
}

#[test]
fn a_sink_that_waits_for_a_block_as_large_as_a_chunk_gets_one() {
    const BLOCK: usize = 256 << 10;
    let (sink, record) = TestSink::answering(|lines, more_waiting| {
        let holds = more_waiting && lines.len() < BLOCK;
        Ok(if holds { 0 } else { lines.len() })
    });
    let (writer, guard) =
        Writer::to(sink).mode(Mode::Manual).block_size(BLOCK).max_queue_size(0).build().unwrap();
    let line = "x".repeat(150);
    let mut blocks = Vec::new();
    for lines in [600, 600, 600, 12_000] {
        let before = record.bytes().len();
        for _ in 0..lines {
            writer.send(&line).unwrap();
        }
        writer.flush(LIMIT).unwrap();
        blocks.push(record.bytes().len() - before);
    }
    assert_eq!(blocks, [600, 600, 600, 12_000].map(|lines| lines * 151));
    let taken = record.calls().into_iter().filter(|(lines, more)| !more || lines.len() >= BLOCK);
    let taken: Vec<usize> = taken.map(|(lines, _)| lines.len()).collect();
    let short = taken.iter().filter(|&&bytes| bytes < BLOCK).count();
    assert_eq!(short, 4, "one remainder for each flush: {taken:?}");
    guard.shutdown(LIMIT).unwrap();
}

#[test]
fn a_recovery_without_a_callback_is_told_on_stderr() {
    const TEST: &str = "sinks::a_recovery_without_a_callback_is_told_on_stderr";
    if common::is_child() {
        let (sink, record) = TestSink::failing(1);
        let (writer, guard) = Writer::to(sink).build().unwrap();
        send_numbered(&writer, 0..1);
        guard.shutdown(LIMIT).unwrap();
        return assert_eq!(record.lines(), numbered(0..1));
    }
    let stderr = String::from_utf8(common::run_alone(TEST, &[]).stderr).unwrap();
    // Nothing is said of a fallback where no line went to one.
    assert!(stderr.lines().any(|line| line == "writer: the sink is written again"), "{stderr}");
}
