//! A sink that fails, and holds back in the middle of it, is one episode.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

use crate::common::{LIMIT, NEVER, TestSink, assert_ended, eventually};
use writer_core::Writer;

#[test]
fn a_remainder_that_could_be_held_back_while_writes_fail_begins_no_new_episode() {
    let (more, wanted) = mpsc::channel();
    let (sent, done) = mpsc::channel();
    let mut calls = 0;
    let (sink, record) = TestSink::answering(move |lines, more_waiting| {
        calls += 1;
        match calls {
            // The first try fails; the second takes one line while a batch comes in behind it.
            1 => Err(io::Error::other("full")),
            2 => {
                more.send(()).unwrap();
                done.recv_timeout(LIMIT).unwrap();
                Ok(lines.iter().position(|&byte| byte == b'\n').unwrap() + 1)
            }
            3 if more_waiting => Ok(0),
            3 | 4 => Err(io::Error::other("full")),
            _ => Ok(lines.len()),
        }
    });
    let reports = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&reports);
    let (writer, guard) = Writer::to(sink)
        .batch_size(100)
        .flush_interval(NEVER)
        .on_error(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        })
        .build()
        .unwrap();
    let send = |lines: usize| (0..lines).for_each(|_| assert!(writer.send("a line").unwrap()));
    send(100);
    wanted.recv_timeout(LIMIT).unwrap();
    send(200);
    sent.send(()).unwrap();
    eventually("everything is written", || writer.metrics().written == 300);
    guard.shutdown(LIMIT).unwrap();
    assert_ended(&writer.metrics(), 300);
    assert_eq!(record.lines().len(), 300);
    assert_eq!(reports.load(Ordering::Relaxed), 1, "one report per episode");
}
