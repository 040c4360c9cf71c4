//! Pipes, which others hold too.
#![cfg(unix)]

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::*;
use crate::io::file::LogFile;
use crate::io::folders::Folders;

/// Both ends of a pipe, of which that for writing answers at once.
fn nonblocking_pipe() -> (File, File) {
    let (reader, writer) = std::io::pipe().unwrap();
    let writer = File::from(OwnedFd::from(writer));
    let flags = fcntl_getfl(writer.as_fd()).unwrap();
    fcntl_setfl(writer.as_fd(), flags | OFlags::NONBLOCK).unwrap();
    (File::from(OwnedFd::from(reader)), writer)
}

/// What comes of a line for a full pipe once `meanwhile` is done, which begins when the line is
/// waiting: its write and the wait are two operations.
fn write_to_a_full_pipe(meanwhile: impl FnOnce(File, usize)) -> Result<usize, ErrorKind> {
    let (reader, mut writer) = nonblocking_pipe();
    let mut filled = 0;
    while let Ok(taken) = writer.write(&[b'.'; 4096]) {
        filled += taken;
    }
    let mut log = LogFile::new(writer, None, Folders::default());
    let (from, times, error, short) = (usize::MAX, 0, 0, false);
    let plan = Arc::new(Plan { from, times, error, short, count: 0.into() });
    std::thread::scope(|scope| {
        let for_writer = Arc::clone(&plan);
        let writing = scope.spawn(move || {
            fault::enter(Some(for_writer));
            log.append(b"a line\n").map_err(|e| e.kind())
        });
        while plan.count.load(Ordering::Relaxed) < 2 && !writing.is_finished() {
            std::thread::yield_now();
        }
        meanwhile(reader, filled);
        writing.join().unwrap()
    })
}

#[test]
fn a_full_pipe_that_does_not_wait_by_itself_is_waited_for() {
    let mut line = [0; 7];
    let written = write_to_a_full_pipe(|mut reader, filled| {
        reader.read_exact(&mut vec![0; filled]).unwrap();
        let _ = reader.read_exact(&mut line);
    });
    assert_eq!(written, Ok(7));
    assert_eq!(&line, b"a line\n");
}

/// What the first has not read waits for the second, and the rest of the line that is partly out
/// belongs behind it.
#[test]
fn the_next_reader_of_a_named_pipe_goes_on_where_the_last_one_stopped() {
    let dir = directory();
    fifo(&file(&dir));
    let mut first =
        File::options().read(true).custom_flags(libc::O_NONBLOCK).open(file(&dir)).unwrap();
    let settings = Config { allow_special: true, ..config(file(&dir), Strategy::BlockBuffered) };
    let mut sink = open(&settings).unwrap().sink;
    let lines = numbered(0, 5000);
    let mut read = vec![0; lines.len()];
    let (failed, has_failed) = std::sync::mpsc::channel();
    let (there, is_there) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let mut rest = &lines[..];
        scope.spawn(move || {
            while !rest.is_empty() {
                match sink.write(rest, false) {
                    Ok(taken) => rest = &rest[taken..],
                    Err(error) => {
                        failed.send(error.kind()).unwrap();
                        is_there.recv().unwrap();
                    }
                }
            }
        });
        let stopped = loop {
            if let Ok(taken @ 1..) = first.read(&mut read[..4096]) {
                break taken;
            }
        };
        drop(first);
        assert_eq!(has_failed.recv().unwrap(), ErrorKind::BrokenPipe);
        let mut second = File::open(file(&dir)).unwrap();
        there.send(()).unwrap();
        second.read_exact(&mut read[stopped..]).unwrap();
    });
    assert!(read == lines);
}

#[test]
fn a_full_pipe_that_loses_its_reader_while_it_is_waited_for_is_a_failure() {
    assert_eq!(write_to_a_full_pipe(|reader, _| drop(reader)), Err(ErrorKind::BrokenPipe));
}
