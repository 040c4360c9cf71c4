//! `LineWriter`: a writer as `io::Write`.

use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use crate::common::{self, LIMIT, Paused, Target, assert_ended, of_thread};
use writer_core::{Mode, QueuePolicy, Writer};

#[test]
fn fragments_wait_for_their_newline() {
    let target = Target::new();
    let (writer, guard) = target.builder().build().unwrap();
    let mut out = writer.line_writer();
    for fragment in ["a", "b", "\nc", "d\n\ne"] {
        assert_eq!(out.write(fragment.as_bytes()).unwrap(), fragment.len());
    }
    assert_eq!(writer.metrics().sent, 3);
    writer.flush(LIMIT).unwrap();
    assert_eq!(target.bytes(), b"ab\ncd\n\n");
    drop(out);
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(target.bytes(), b"ab\ncd\n\ne\n");
    assert_ended(&writer.metrics(), 4);
}

#[test]
fn a_flush_sends_the_fragment_and_waits_until_it_is_written() {
    for &mode in Mode::ALL {
        let target = Target::new();
        let (writer, _guard) = target.builder().mode(mode).tick(common::NEVER).build().unwrap();
        let mut out = writer.line_writer();
        out.write_all(b"one\ntwo").unwrap();
        out.flush().unwrap();
        assert_eq!(target.bytes(), b"one\ntwo\n", "{mode}");
        out.flush().unwrap();
        assert_eq!(target.bytes(), b"one\ntwo\n", "{mode}: nothing is sent twice");
        out.write_all(b"three\n").unwrap();
        out.flush().unwrap();
        assert_eq!(target.bytes(), b"one\ntwo\nthree\n", "{mode}");
    }
}

#[test]
fn fragments_of_two_writers_do_not_mix() {
    let target = Target::new();
    let (writer, guard) = target.builder().build().unwrap();
    let (mut one, mut two) = (writer.line_writer(), writer.line_writer());
    write!(one, "o").unwrap();
    write!(two, "t").unwrap();
    writeln!(one, "ne").unwrap();
    writeln!(two, "wo").unwrap();
    drop((one, two));
    drop(guard);
    assert_eq!(target.bytes(), b"one\ntwo\n");
}

#[test]
fn lines_of_many_threads_stay_whole() {
    let target = Target::new();
    let (writer, guard) = target.builder().build().unwrap();
    let threads: Vec<_> = (0..4)
        .map(|t| {
            let mut out = writer.line_writer();
            thread::spawn(move || {
                for i in 0..500 {
                    // `write!` calls `write` once per piece.
                    writeln!(out, "t{} {}", t, i).unwrap();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    drop(guard);
    let lines = target.lines();
    assert_eq!(lines.len(), 2000);
    for t in 0..4 {
        let expected: Vec<String> = (0..500).map(|i| format!("t{t} {i}")).collect();
        assert_eq!(of_thread(&lines, t), expected);
    }
}

#[test]
fn after_shutdown_the_pipe_is_broken() {
    let target = Target::new();
    let (writer, guard) = target.builder().build().unwrap();
    let mut out = writer.line_writer();
    out.write_all(b"in\nfragment").unwrap();
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(out.write(b"rest\n").unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(out.write(b"line\n").unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(out.write(b"fragment").unwrap_err().kind(), ErrorKind::BrokenPipe);
    // Nothing is left that could be lost.
    out.flush().unwrap();
    drop(out);
    assert_eq!(target.bytes(), b"in\n");
    let m = writer.metrics();
    assert_ended(&m, 3);
    assert_eq!((m.written, m.rejected), (1, 2));
}

/// It was taken, and nobody heard that it was rejected later.
#[test]
fn after_shutdown_no_fragment_is_taken() {
    for synchronous in [false, true] {
        let target = Target::new();
        let (writer, guard) = target.builder().synchronous(synchronous).build().unwrap();
        let mut out = writer.line_writer();
        out.write_all(b"before").unwrap();
        guard.shutdown(LIMIT).unwrap();
        assert_eq!(out.write(b"fragment").unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(writer.metrics().rejected, 0, "it is no line yet");
        assert_eq!(out.flush().unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(writer.metrics().rejected, 1, "what was taken before");
        assert_eq!(target.bytes(), b"");
    }
}

#[test]
fn a_line_dropped_by_the_policy_is_still_taken() {
    let paused =
        Paused::with(|b| b.max_queue_size(1).queue_policy(QueuePolicy::DropNewest).on_drop(|_| {}));
    let mut out = paused.writer.line_writer();
    for _ in 0..3 {
        assert_eq!(out.write(b"line\n").unwrap(), 5);
    }
    let (lines, m) = paused.finish();
    assert_eq!((lines, m.refused), (vec!["line".to_owned()], 2));
}

/// The line was torn: `front` was gone.
#[test]
fn what_would_block_in_a_callback_is_not_taken_and_may_be_tried_again() {
    static WRITER: OnceLock<Writer> = OnceLock::new();
    let (sink, record) = common::TestSink::recording();
    let (hand_out, handed_out) = mpsc::channel();
    let first = AtomicBool::new(true);
    let (writer, guard) = Writer::to(sink)
        .max_queue_size(1)
        .flush_interval(Duration::ZERO)
        .on_write(move |_| {
            if !first.swap(false, Ordering::SeqCst) {
                return;
            }
            let writer = WRITER.wait();
            let mut line = writer.line_writer();
            assert_eq!(writer.send("fills the queue"), Ok(true));
            line.write_all(b"front ").unwrap();
            for _ in 0..2 {
                let kind = line.write(b"back\n").unwrap_err().kind();
                assert_eq!(kind, ErrorKind::WouldBlock);
                assert_eq!(line.flush().unwrap_err().kind(), ErrorKind::WouldBlock);
            }
            hand_out.send(line).unwrap();
        })
        .build()
        .unwrap();
    assert!(WRITER.set(writer.clone()).is_ok());
    writer.send("first").unwrap();
    let mut line = handed_out.recv_timeout(LIMIT).unwrap();
    line.write_all(b"back\n").unwrap();
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(record.lines(), ["first", "fills the queue", "front back"]);
    let m = writer.metrics();
    assert_eq!((m.rejected, m.callback_panics), (4, 0));
}

#[test]
fn a_fragment_of_a_line_writer_that_outlives_everything_is_harmless() {
    let target = Target::new();
    let out = {
        let (writer, _guard) = target.builder().build().unwrap();
        let mut out = writer.line_writer();
        out.write_all(b"never finished").unwrap();
        out
    };
    drop(out);
    assert_eq!(target.bytes(), b"");
}
