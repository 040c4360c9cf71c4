//! Somebody cuts the file while a line is partly out.
#![cfg(unix)]

use std::fs::File;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::io::{ReopenReason, Reopened};
use crate::{WriteSink, Writer, WriterBuilder};

const APPENDING: [Strategy; 2] = [Strategy::LineBuffered, Strategy::BlockBuffered];

/// As `truncate -s LEN`.
fn cut(path: &Path, len: u64) {
    File::options().write(true).open(path).unwrap().set_len(len).unwrap();
}

/// Offers bytes to a file that was cut, and draws the consequences as the worker does.
fn refused(sink: &mut dyn Sink, bytes: &[u8]) {
    let error = sink.write(bytes, false).unwrap_err();
    let answer = sink.reopen(ReopenReason::Failure(&error)).unwrap();
    assert_eq!(answer, Some(Reopened::default()), "the line is to be offered from its start");
}

#[test]
fn the_rest_of_a_line_does_not_go_on_at_the_front_of_a_file_that_was_cut() {
    for strategy in APPENDING {
        for (len, left) in [(0, ""), (4, "one\n")] {
            let dir = directory();
            let mut sink = sink(&file(&dir), strategy);
            for line in ["two\n", "three\n"] {
                write_all(&mut *sink, b"one\ntw");
                cut(&file(&dir), len);
                // The second time it is not a second since the last.
                refused(&mut *sink, b"o\n");
                write_all(&mut *sink, line.as_bytes());
                assert_eq!(read(&file(&dir)), format!("{left}{line}"), "{strategy}, {len}");
                cut(&file(&dir), 0);
            }
        }
    }
}

#[test]
fn a_line_whose_front_was_cut_inside_is_written_whole_behind_what_is_left() {
    for strategy in APPENDING {
        let dir = directory();
        let mut sink = sink(&file(&dir), strategy);
        write_all(&mut *sink, b"one\ntw");
        cut(&file(&dir), 2);
        refused(&mut *sink, b"o\n");
        write_all(&mut *sink, b"two\nthree\n");
        let text = read(&file(&dir));
        assert!(["ontwo\ntwo\nthree\n", "ontwo\nthree\ntwo\n"].contains(&&*text), "{text:?}");
    }
}

#[test]
fn half_a_line_that_is_written_anew_gets_no_line_end_once_it_was_cut_off() {
    for strategy in APPENDING {
        let dir = directory();
        let mut sink = sink(&file(&dir), strategy);
        write_all(&mut *sink, b"one\n");
        File::options().append(true).open(file(&dir)).unwrap().write_all(b"half").unwrap();
        // The line is repeated, of which half is taken, and the line end behind that fails.
        let plan = Plan { from: 2, times: 2, error: libc::ENOSPC, short: true, count: 0.into() };
        failing(plan, || write_all(&mut *sink, b"two\nthree\n"));
        assert_eq!(read(&file(&dir)), "one\nhalftwo\nthree\ntw");
        cut(&file(&dir), 0);
        write_all(&mut *sink, b"four\n");
        assert_eq!(read(&file(&dir)), "two\nfour\n", "{strategy}");
    }
}

#[test]
fn a_file_that_was_cut_gets_no_line_end_when_it_is_left() {
    for strategy in APPENDING {
        let dir = directory();
        let old = dir.path().join("old");
        let mut sink = sink(&file(&dir), strategy);
        write_all(&mut *sink, b"one\ntw");
        cut(&file(&dir), 0);
        fs::rename(file(&dir), &old).unwrap();
        assert!(sink.reopen(ReopenReason::Asked).unwrap().is_some());
        write_all(&mut *sink, b"two\n");
        assert_eq!((read(&old), read(&file(&dir))), (String::new(), "two\n".into()));
    }
}

/// Failed: the rest of the line stood at the front of the file, a line that nobody had sent.
#[test]
fn the_rest_of_a_line_does_not_go_on_in_a_descriptor_that_was_cut() {
    for strategy in APPENDING {
        let dir = directory();
        let open = File::options().append(true).create(true).open(file(&dir)).unwrap();
        let path = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&open));
        let mut sink = sink(Path::new(&path), strategy);
        write_all(&mut *sink, b"one\ntw");
        cut(&file(&dir), 0);
        refused(&mut *sink, b"o\n");
        write_all(&mut *sink, b"two\n");
        assert_eq!(read(&file(&dir)), "two\n", "{strategy}");
    }
}

/// A disk that takes the front of a line and then nothing, until there is room again.
struct Full {
    sink: Box<dyn Sink>,
    room: Arc<AtomicBool>,
}

/// As many bytes of the first line are written.
const FRONT: usize = 5;

impl Sink for Full {
    fn write(&mut self, lines: &[u8], more_waiting: bool) -> io::Result<usize> {
        if self.room.load(Ordering::SeqCst) {
            return self.sink.write(lines, more_waiting);
        }
        match lines.starts_with(b"{") {
            true => self.sink.write(&lines[..FRONT], false),
            false => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }

    fn close(&mut self) -> io::Result<()> {
        self.sink.close()
    }

    fn reopen(&mut self, reason: ReopenReason<'_>) -> io::Result<Option<Reopened>> {
        self.sink.reopen(reason)
    }
}

/// A writer on a full disk, and what gives it room.
fn full(path: &Path, strategy: Strategy) -> (WriterBuilder, Arc<AtomicBool>) {
    let room = Arc::new(AtomicBool::new(false));
    let sink = Full { sink: sink(path, strategy), room: Arc::clone(&room) };
    (Writer::to(sink).on_error(|_| {}), room)
}

#[test]
fn a_log_that_is_emptied_to_make_room_starts_with_a_whole_line() {
    for strategy in APPENDING {
        for synchronous in [false, true] {
            let dir = directory();
            let (builder, room) = full(&file(&dir), strategy);
            let (writer, guard) = builder.synchronous(synchronous).build().unwrap();
            std::thread::scope(|scope| {
                scope.spawn(|| assert_eq!(writer.send("{\"message\":1}"), Ok(true)));
                until(|| writer.metrics().errors > 0);
                assert_eq!(read(&file(&dir)), "{\"mes");
                cut(&file(&dir), 0);
                room.store(true, Ordering::SeqCst);
            });
            assert_eq!(writer.send("{\"message\":2}"), Ok(true));
            guard.shutdown(LIMIT).unwrap();
            let text = read(&file(&dir));
            assert_eq!(text, "{\"message\":1}\n{\"message\":2}\n", "{strategy}, {synchronous}");
            let m = writer.metrics();
            assert_eq!((m.written, m.lost, m.torn_lines), (2, 0, 0), "{strategy}, {synchronous}");
        }
    }
}

#[derive(Clone, Default)]
struct Elsewhere(Arc<Mutex<Vec<u8>>>);

impl Write for Elsewhere {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_log_that_is_emptied_while_lines_go_elsewhere_starts_with_no_empty_line() {
    for strategy in APPENDING {
        let dir = directory();
        let elsewhere = Elsewhere::default();
        let (builder, room) = full(&file(&dir), strategy);
        let (writer, guard) = builder
            .fail_after(Duration::ZERO)
            .fallback(WriteSink::new(elsewhere.clone()))
            .build()
            .unwrap();
        let mut sent = String::new();
        let mut send = |n: usize| {
            let line = format!("{{\"message\":{n}}}");
            assert_eq!(writer.send(&line), Ok(true));
            sent.extend([&line, "\n"]);
        };
        send(0);
        until(|| writer.metrics().diverted > 0);
        assert_eq!(read(&file(&dir)), "{\"mes");
        cut(&file(&dir), 0);
        room.store(true, Ordering::SeqCst);
        let mut n = 0;
        until(|| {
            n += 1;
            send(n);
            writer.flush(LIMIT).unwrap();
            !read(&file(&dir)).is_empty()
        });
        guard.shutdown(LIMIT).unwrap();
        let text = String::from_utf8(elsewhere.0.lock().unwrap().clone()).unwrap();
        assert!(text + &read(&file(&dir)) == sent, "{strategy}: {:?}", read(&file(&dir)));
        let m = writer.metrics();
        assert_eq!((m.written, m.lost, m.torn_lines), (n as u64 + 1, 0, 0), "{strategy}");
    }
}
