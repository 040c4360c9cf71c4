//! Whoever read the other end of an inherited pipe has gone, as in `program | head`.

use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::time::Duration;

use crate::common::{LIMIT, in_time};
use writer_core::{
    FlushError, Metrics, QueuePolicy, ShutdownError, State, Strategy, WriteSink, Writer,
    WriterBuilder, WriterGuard,
};

/// A writer to a pipe out of which one line was read before its other end was closed.
fn cut_off(change: impl Fn(WriterBuilder) -> WriterBuilder) -> (Writer, WriterGuard) {
    let (mut read, pipe) = io::pipe().unwrap();
    let path = format!("/dev/fd/{}", pipe.as_raw_fd());
    let builder = Writer::builder(path).strategy(Strategy::LineBuffered).max_queue_size(100);
    let (writer, guard) = change(builder.on_error(|_| {})).build().unwrap();
    assert_eq!(writer.send("first"), Ok(true));
    writer.flush(LIMIT).unwrap();
    read.read_exact(&mut [0; 6]).unwrap();
    (writer, guard)
}

/// It stood still for the 30 seconds of `fail_after`, and the drop of the guard for five.
#[test]
fn nobody_waits_for_a_reader_that_has_gone() {
    for synchronous in [false, true] {
        let metrics: Metrics = in_time(move || {
            // An hour is longer than any test may take.
            let hour = Duration::from_secs(3600);
            let (writer, guard) =
                cut_off(|builder| builder.synchronous(synchronous).fail_after(hour));
            let taken = (0..1_000).filter(|_| writer.send("line").unwrap()).count() as u64;
            assert!(taken < 1_000);
            assert!(matches!(writer.flush(hour), Err(FlushError::Failed { .. })) || synchronous);
            let ended = guard.shutdown(hour);
            assert!(matches!(ended, Err(ShutdownError::Lost { .. })) || synchronous, "{ended:?}");
            writer.metrics()
        });
        assert_eq!((metrics.state, metrics.pending), (State::Failed, 0), "{synchronous}");
        assert_eq!(metrics.lost + metrics.dropped, 1_000, "{synchronous}: {metrics:?}");
    }
}

#[test]
fn lines_go_to_the_fallback_at_once() {
    let metrics = in_time(|| {
        let hour = Duration::from_secs(3600);
        let (writer, guard) =
            cut_off(|builder| builder.fail_after(hour).fallback(WriteSink::new(io::sink())));
        for _ in 0..1_000 {
            assert_eq!(writer.send("line"), Ok(true));
        }
        guard.shutdown(hour).unwrap();
        writer.metrics()
    });
    assert_eq!((metrics.diverted, metrics.lost, metrics.dropped), (1_000, 0, 0));
}

/// A named pipe may get another reader: what is sent meanwhile waits for it.
#[test]
fn a_named_pipe_is_tried_again() {
    for inherited in [false, true] {
        try_again(inherited);
    }
}

/// As in `program > pipe`, if the pipe was inherited.
fn try_again(inherited: bool) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let open = || std::fs::File::open(&path).unwrap();
    let text = std::thread::scope(|scope| {
        let first = scope.spawn(open);
        let stdout =
            inherited.then(|| std::fs::OpenOptions::new().write(true).open(&path).unwrap());
        let name = match &stdout {
            Some(stdout) => format!("/dev/fd/{}", stdout.as_raw_fd()).into(),
            None => path.clone(),
        };
        let (writer, guard) = loop {
            // It has a reader as soon as the thread has come so far.
            let builder = Writer::builder(&name).allow_special(true).on_error(|_| {});
            match builder.queue_policy(QueuePolicy::DropNewest).build() {
                Ok(built) => break built,
                Err(_) => std::thread::yield_now(),
            }
        };
        drop(first.join().unwrap());
        assert_eq!(writer.send("waits"), Ok(true));
        while writer.metrics().errors == 0 {
            std::thread::yield_now();
        }
        assert_eq!(writer.metrics().state, State::Retrying);
        let mut second = open();
        writer.flush(LIMIT).unwrap();
        drop((guard, stdout));
        let mut text = String::new();
        second.read_to_string(&mut text).unwrap();
        text
    });
    assert_eq!(text, "waits\n");
}
