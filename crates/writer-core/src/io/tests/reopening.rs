//! Which file is written after a failure, a change of names, and on demand.

#![cfg(target_os = "linux")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::*;
use crate::io::fault::{self, Plan};
use crate::io::{ReopenReason, Reopened};

/// The next `times` operations of this thread fail with `error`.
fn fail(times: usize, error: i32) {
    let count = AtomicUsize::new(0);
    fault::enter(Some(Arc::new(Plan { from: 0, times, error, short: false, count })));
}

pub(super) fn failed(sink: &mut dyn Sink, error: i32) -> Option<Reopened> {
    let error = io::Error::from_raw_os_error(error);
    sink.reopen(ReopenReason::Failure(&error)).unwrap()
}

/// One write that fails, and what the sink makes of it.
fn failing_write(sink: &mut dyn Sink, error: i32) -> Option<Reopened> {
    fail(1, error);
    let answer = sink.write(b"line\n", false).unwrap_err();
    assert_eq!(answer.raw_os_error(), Some(error));
    fault::enter(None);
    failed(sink, error)
}

pub(super) fn libc_error(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}

pub(super) fn torn(lines: u64) -> Option<Reopened> {
    Some(Reopened { torn_lines: lines, ..Reopened::default() })
}

#[test]
fn a_descriptor_that_fails_three_times_is_opened_once_more_behind_a_line_end() {
    for strategy in [Strategy::LineBuffered, Strategy::BlockBuffered] {
        let dir = directory();
        let mut sink = sink(&file(&dir), strategy);
        write_all(&mut *sink, b"one\ntw");
        assert_eq!(failing_write(&mut *sink, libc::EIO), None);
        assert_eq!(failing_write(&mut *sink, libc::EIO), None);
        assert_eq!(failing_write(&mut *sink, libc::EIO), torn(1));
        write_all(&mut *sink, b"two\n");
        assert_eq!(read(&file(&dir)), "one\ntw\ntwo\n");
        assert_eq!(failing_write(&mut *sink, libc::EIO), None, "the count begins anew");
        sink.close().unwrap();
        build(&file(&dir), Strategy::MemoryMapped).unwrap();
    }
}

#[test]
fn a_mapping_that_fails_three_times_is_opened_once_more_and_still_locked() {
    let dir = directory();
    let mut sink = sink(&file(&dir), Strategy::MemoryMapped);
    write_all(&mut *sink, b"one\n");
    for _ in 0..2 {
        assert_eq!(failing_write(&mut *sink, libc::EIO), None);
    }
    assert_eq!(failing_write(&mut *sink, libc::EIO), torn(0));
    write_all(&mut *sink, b"two\n");
    assert!(matches!(build(&file(&dir), Strategy::LineBuffered), Err(BuildError::Locked { .. })));
    sink.close().unwrap();
    assert_eq!(read(&file(&dir)), "one\ntwo\n");
}

/// A file that is full to the last byte that was reserved has nothing to give back when it is left.
#[test]
fn a_mapping_of_a_full_file_is_left_with_it() {
    const STEP: usize = 1 << 20;
    let dir = directory();
    let old = dir.path().join("old");
    let settings = Config { mmap_chunk: 2 * STEP, ..config(file(&dir), Strategy::MemoryMapped) };
    let mut sink = open(&settings).unwrap().sink;
    let lines = ["one\n", &"x".repeat(STEP - 5), "\n"].concat();
    write_all(&mut *sink, b"one\n");
    write_all(&mut *sink, &lines.as_bytes()[4..]);
    assert!(!sink.wants_idle());
    fs::rename(file(&dir), &old).unwrap();
    assert_eq!(sink.reopen(ReopenReason::Asked).unwrap(), torn(0));
    write_all(&mut *sink, b"two\n");
    assert_eq!(length(&file(&dir)), STEP, "the first step of this file");
    sink.close().unwrap();
    assert_eq!(read(&file(&dir)), "two\n");
    assert!(read(&old) == lines);
}

#[test]
fn a_file_is_mapped_though_the_one_before_could_not_be() {
    let dir = directory();
    let mut sink = sink(&file(&dir), Strategy::MemoryMapped);
    // The look at the length, and the mapping.
    let plan = Plan { from: 1, times: 1, error: libc::ENOMEM, short: false, count: 0.into() };
    failing(plan, || write_all(&mut *sink, b"one\n"));
    assert!(!sink.wants_idle());
    fs::rename(file(&dir), dir.path().join("old")).unwrap();
    assert_eq!(sink.reopen(ReopenReason::Asked).unwrap(), torn(0));
    write_all(&mut *sink, b"two\n");
    assert!(sink.wants_idle());
    sink.close().unwrap();
    assert_eq!(read(&file(&dir)), "two\n");
}

#[test]
fn a_line_end_is_added_beside_another_writer_too() {
    let dir = directory();
    let mut sink = sink(&file(&dir), Strategy::LineBuffered);
    let _other = build(&file(&dir), Strategy::LineBuffered).unwrap();
    write_all(&mut *sink, b"one\ntw");
    for _ in 0..2 {
        failing_write(&mut *sink, libc::EIO);
    }
    assert_eq!(failing_write(&mut *sink, libc::EIO), torn(1));
    write_all(&mut *sink, b"two\n");
    assert_eq!(read(&file(&dir)), "one\ntw\ntwo\n");
}

#[test]
fn a_file_system_that_takes_nothing_more_is_left_when_the_name_leads_elsewhere() {
    for error in [libc::EDQUOT, libc::EROFS, libc::ENODEV, libc::ESTALE, libc::ENOSPC] {
        for &strategy in Strategy::ALL {
            let dir = directory();
            let old = dir.path().join("old");
            let mut sink = sink(&file(&dir), strategy);
            write_all(&mut *sink, b"one\n");
            fs::rename(file(&dir), &old).unwrap();
            let moved = failing_write(&mut *sink, error);
            // A stale handle is a failure of the device: two more are forgiven.
            let moved = moved.or_else(|| {
                assert_eq!(error, libc::ESTALE);
                failed(&mut *sink, error).or_else(|| failed(&mut *sink, error))
            });
            assert_eq!(moved, torn(0), "{strategy}, {error}");
            write_all(&mut *sink, b"two\n");
            sink.close().unwrap();
            assert_eq!((read(&old), read(&file(&dir))), ("one\n".into(), "two\n".into()));
        }
    }
}

#[test]
fn a_file_at_its_name_is_continued_from_the_byte_reached() {
    for error in [libc::EDQUOT, libc::EROFS, libc::ENODEV, libc::ENOSPC, libc::EFBIG] {
        let dir = directory();
        let mut sink = sink(&file(&dir), Strategy::LineBuffered);
        write_all(&mut *sink, b"one\ntw");
        assert_eq!(failing_write(&mut *sink, error), None);
        write_all(&mut *sink, b"o\n");
        assert_eq!(read(&file(&dir)), "one\ntwo\n");
    }
}

#[test]
fn a_full_disk_does_not_make_a_writer_leave_that_is_not_to_follow() {
    let dir = directory();
    let settings = Config { follow_path: false, ..config(file(&dir), Strategy::LineBuffered) };
    let mut sink = open(&settings).unwrap().sink;
    fs::remove_file(file(&dir)).unwrap();
    assert_eq!(failing_write(&mut *sink, libc::ENOSPC), None);
    assert_eq!(failing_write(&mut *sink, libc::EROFS), torn(0));
}

#[test]
fn the_name_is_looked_at_once_a_second_while_writes_fail() {
    let dir = directory();
    let mut sink = sink(&file(&dir), Strategy::LineBuffered);
    // The first look is not before this, and thus the second one not before a second is over.
    let start = Instant::now();
    assert_eq!(failing_write(&mut *sink, libc::ENOSPC), None);
    fs::remove_file(file(&dir)).unwrap();
    while failing_write(&mut *sink, libc::ENOSPC).is_none() {
        assert!(start.elapsed() < LIMIT);
    }
    let took = start.elapsed();
    assert!(took >= Duration::from_secs(1), "{took:?}");
}

#[test]
fn what_a_failing_file_has_of_a_line_is_closed_when_it_is_left() {
    let dir = directory();
    let old = dir.path().join("old");
    let mut sink = sink(&file(&dir), Strategy::BlockBuffered);
    write_all(&mut *sink, b"one\ntw");
    fs::rename(file(&dir), &old).unwrap();
    assert_eq!(failing_write(&mut *sink, libc::ENOSPC), torn(1));
    write_all(&mut *sink, b"two\n");
    assert_eq!((read(&old), read(&file(&dir))), ("one\ntw\n".into(), "two\n".into()));
}

#[test]
fn a_failed_sync_is_over_with_another_file_and_not_with_the_same_one() {
    for &strategy in Strategy::ALL {
        let dir = directory();
        let mut sink = sink(&file(&dir), strategy);
        write_all(&mut *sink, b"one\n");
        fail(1, libc::EIO);
        sink.sync().unwrap_err();
        fault::enter(None);
        sink.sync().unwrap_err();
        for _ in 0..3 {
            failed(&mut *sink, libc::EIO);
        }
        write_all(&mut *sink, b"two\n");
        sink.sync().unwrap_err();
        fs::rename(file(&dir), dir.path().join("old")).unwrap();
        assert!(sink.reopen(ReopenReason::Asked).unwrap().is_some());
        sink.sync().unwrap();
        sink.close().unwrap();
        assert_eq!(read(&dir.path().join("old")), "one\ntwo\n");
    }
}

#[test]
fn lines_that_came_after_a_failed_sync_are_told_of_once_when_their_file_is_left() {
    for &strategy in Strategy::ALL {
        for same_first in [false, true] {
            let dir = directory();
            let mut sink = sink(&file(&dir), strategy);
            write_all(&mut *sink, b"one\n");
            fail(1, libc::EIO);
            sink.sync().unwrap_err();
            fault::enter(None);
            write_all(&mut *sink, b"two\n");
            if same_first {
                for _ in 0..3 {
                    failed(&mut *sink, libc::EIO);
                }
            }
            fs::rename(file(&dir), dir.path().join("old")).unwrap();
            assert!(sink.reopen(ReopenReason::Asked).unwrap().is_some());
            let error = sink.sync().unwrap_err();
            assert!(error.to_string().contains("a file that was left"), "{strategy}: {error}");
            sink.sync().unwrap();
            sink.close().unwrap();
            assert_eq!(read(&dir.path().join("old")), "one\ntwo\n");
        }
    }
}

#[test]
fn however_many_files_were_made_in_a_folder_it_is_open_once() {
    for &strategy in Strategy::ALL {
        let dir = directory();
        let mut sink = sink(&file(&dir), strategy);
        for n in 0..20 {
            fs::rename(file(&dir), dir.path().join(format!("app.{n}"))).unwrap();
            assert!(sink.reopen(ReopenReason::Asked).unwrap().is_some());
            assert_eq!(descriptors_of(dir.path()), 1, "{strategy}, after file {n}");
        }
        sink.sync().unwrap();
        assert_eq!(descriptors_of(dir.path()), 0, "{strategy}");
    }
}

/// Failed: whoever removed the logs, folder and all, once in a while made the program run out of
/// descriptors, unless it synced.
#[test]
fn a_folder_that_is_gone_stays_open_no_longer_than_the_file_in_it() {
    for &strategy in Strategy::ALL {
        let dir = directory();
        let (logs, file) = (dir.path().join("logs"), dir.path().join("logs/app.jsonl"));
        let mut sink = sink(&file, strategy);
        for n in 0..5 {
            write_all(&mut *sink, b"one\n");
            fs::remove_dir_all(&logs).unwrap();
            assert!(sink.reopen(ReopenReason::Asked).unwrap().is_some());
            let gone = descriptors_of(&dir.path().join("logs (deleted)"));
            let there = (descriptors_of(dir.path()), descriptors_of(&logs));
            assert_eq!((gone, there), (0, (1, 1)), "{strategy}, after file {n}");
        }
    }
}

#[test]
fn a_refused_file_leaves_the_lock_and_the_lines_where_they_were() {
    for &strategy in Strategy::ALL {
        let dir = directory();
        let mut sink = sink(&file(&dir), strategy);
        write_all(&mut *sink, b"one\n");
        fail(usize::MAX, libc::EIO);
        for _ in 0..3 {
            let error = io::Error::from_raw_os_error(libc::EIO);
            let _ = sink.reopen(ReopenReason::Failure(&error));
        }
        fault::enter(None);
        write_all(&mut *sink, b"two\n");
        let refused = build(&file(&dir), Strategy::MemoryMapped);
        assert!(matches!(refused, Err(BuildError::Locked { .. })), "{strategy}");
        sink.close().unwrap();
        assert_eq!(read(&file(&dir)), "one\ntwo\n");
    }
}

#[test]
fn what_was_deleted_with_its_file_is_told_of_although_another_file_was_left_since() {
    let dir = directory();
    let mut sink = sink(&file(&dir), Strategy::LineBuffered);
    write_all(&mut *sink, b"one\n");
    std::fs::remove_file(file(&dir)).unwrap();
    assert_eq!(sink.reopen(ReopenReason::Asked).unwrap(), torn(0));
    write_all(&mut *sink, b"two\n");
    std::fs::rename(file(&dir), dir.path().join("older")).unwrap();
    assert_eq!(sink.reopen(ReopenReason::Asked).unwrap(), torn(0));
    assert_eq!(sink.sync().unwrap_err().kind(), io::ErrorKind::NotFound);
    sink.sync().unwrap();
}

#[test]
fn a_write_that_is_interrupted_is_begun_anew_and_a_file_that_is_busy_is_a_failure() {
    for strategy in [Strategy::LineBuffered, Strategy::BlockBuffered] {
        let dir = directory();
        let mut sink = sink(&file(&dir), strategy);
        fail(2, libc::EINTR);
        assert_eq!(sink.write(b"line\n", false).unwrap(), 5);
        fail(1, libc::EAGAIN);
        assert_eq!(sink.write(b"line\n", false).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        fault::enter(None);
    }
}

#[test]
fn failures_with_a_success_between_them_are_not_in_a_row() {
    for &strategy in Strategy::ALL {
        let dir = directory();
        let mut sink = sink(&file(&dir), strategy);
        for _ in 0..4 {
            assert_eq!(failing_write(&mut *sink, libc::EIO), None, "{strategy}");
            write_all(&mut *sink, b"line\n");
        }
        sink.close().unwrap();
    }
}

#[test]
fn a_file_that_is_refused_after_its_lock_was_let_go_is_locked_again() {
    for &strategy in Strategy::ALL {
        let mut refused = 0;
        for from in 0..20 {
            let dir = directory();
            let mut sink = sink(&file(&dir), strategy);
            write_all(&mut *sink, b"one\n");
            for _ in 0..2 {
                assert_eq!(failed(&mut *sink, libc::EIO), None);
            }
            let (times, count) = (usize::MAX, AtomicUsize::new(0));
            let plan = Plan { from, times, error: libc::EIO, short: false, count };
            fault::enter(Some(Arc::new(plan)));
            let answer = sink.reopen(ReopenReason::Failure(&libc_error(libc::EIO)));
            fault::enter(None);
            refused += usize::from(answer.is_err());
            let other = build(&file(&dir), Strategy::MemoryMapped);
            assert!(matches!(other, Err(BuildError::Locked { .. })), "{strategy} {from}");
            write_all(&mut *sink, b"two\n");
            sink.close().unwrap();
            assert_eq!(read(&file(&dir)), "one\ntwo\n", "{strategy} {from}");
        }
        assert!((2..20).contains(&refused), "{strategy} {refused}");
    }
}
