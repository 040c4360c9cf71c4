//! A line that lacks nothing but its newline when its file has to be left.

#![cfg(target_os = "linux")]

use std::fs::File;
use std::sync::atomic::AtomicUsize;

use super::reopening::{failed, libc_error, torn};
use super::*;
use crate::io::fault::{self, Plan};
use crate::io::{ReopenReason, Reopened};

const COMPLETED: Option<Reopened> =
    Some(Reopened { torn_lines: 0, recovered_nul_bytes: 0, line_completed: true });

/// Writes one line, and of the next all but its line end.
///
/// A write that is cut short takes half, which is here all before the second line end, and never all
/// of a line but its end: that makes it the first.
fn write_all_but_a_line_end(sink: &mut dyn Sink) {
    write_all(sink, b"one\n");
    let plan = Plan { from: 0, times: 1, error: 0, short: true, count: 0.into() };
    failing(plan, || assert_eq!(sink.write(b"two\n\nsix\n", false).unwrap(), 3));
}

/// Failed: the line was in both files.
#[test]
fn a_line_that_lacks_its_end_alone_is_completed_where_it_is_left() {
    for strategy in [Strategy::LineBuffered, Strategy::BlockBuffered] {
        for reason in [ReopenReason::Asked, ReopenReason::Failure(&libc_error(libc::ENOSPC))] {
            let dir = directory();
            let old = dir.path().join("old");
            let mut sink = sink(&file(&dir), strategy);
            write_all_but_a_line_end(&mut *sink);
            fs::rename(file(&dir), &old).unwrap();
            assert_eq!(sink.reopen(reason).unwrap(), COMPLETED, "{strategy}");
            write_all(&mut *sink, b"three\n");
            assert_eq!((read(&old), read(&file(&dir))), ("one\ntwo\n".into(), "three\n".into()));
        }
    }
}

#[test]
fn a_line_whose_end_finds_no_room_is_still_a_part_of_one() {
    let leave = |from| {
        let dir = directory();
        let mut sink = sink(&file(&dir), Strategy::LineBuffered);
        write_all_but_a_line_end(&mut *sink);
        fs::rename(file(&dir), dir.path().join("old")).unwrap();
        let plan =
            Plan { from, times: 1, error: libc::ENOSPC, short: false, count: AtomicUsize::new(0) };
        let mut reopened = Ok(None);
        let operations = failing(plan, || reopened = sink.reopen(ReopenReason::Asked));
        (operations, reopened.ok().flatten(), read(&dir.path().join("old")))
    };
    let (operations, ..) = leave(usize::MAX);
    let mut left_without = 0;
    for from in 0..operations {
        let (_, Some(found), old) = leave(from) else { continue };
        assert_eq!(found.line_completed, old == "one\ntwo\n", "operation {from}: {old:?}");
        assert_eq!(found.torn_lines, u64::from(!found.line_completed));
        left_without += found.torn_lines;
    }
    assert_eq!(left_without, 1, "one operation is the line end");
}

/// Failed: the line was there twice.
#[test]
fn a_line_that_lacks_its_end_alone_is_completed_in_a_file_that_is_opened_anew() {
    for has_neighbour in [false, true] {
        let dir = directory();
        let mut sink = sink(&file(&dir), Strategy::BlockBuffered);
        let _other = has_neighbour.then(|| build(&file(&dir), Strategy::BlockBuffered).unwrap());
        write_all_but_a_line_end(&mut *sink);
        for _ in 0..2 {
            assert_eq!(failed(&mut *sink, libc::EIO), None);
        }
        assert_eq!(failed(&mut *sink, libc::EIO), COMPLETED);
        write_all(&mut *sink, b"three\n");
        assert_eq!(read(&file(&dir)), "one\ntwo\nthree\n");
    }
}

/// Failed: what another process had written between the look at the file and the line end stood in
/// the line, which was taken for whole.
#[test]
fn a_line_that_gets_its_end_behind_what_another_has_written_is_not_completed() {
    let mut completed = [0; 2];
    for moves in [false, true] {
        for at in 0..40 {
            let dir = directory();
            let (path, old) = (file(&dir), dir.path().join("old"));
            let mut sink = sink(&path, Strategy::LineBuffered);
            write_all_but_a_line_end(&mut *sink);
            if moves {
                fs::rename(&path, &old).unwrap();
            } else {
                failed(&mut *sink, libc::EIO);
                failed(&mut *sink, libc::EIO);
            }
            let written_to = if moves { old.clone() } else { path.clone() };
            let theirs = written_to.clone();
            fault::do_before(at, move || {
                File::options().append(true).open(theirs).unwrap().write_all(b"other\n").unwrap();
            });
            let found = match moves {
                true => sink.reopen(ReopenReason::Asked).unwrap().unwrap(),
                false => failed(&mut *sink, libc::EIO).unwrap(),
            };
            // Where there were fewer operations, it comes before none of the next round.
            fault::do_before(usize::MAX, || {});
            let is_whole = read(&written_to).lines().any(|line| line == "two");
            assert!(is_whole || !found.line_completed, "{moves} {at}: {}", read(&written_to));
            completed[usize::from(moves)] += usize::from(found.line_completed);
        }
    }
    assert!(completed.iter().all(|&times| (1..40).contains(&times)), "{completed:?}");
}

/// Of a deleted file nothing is left.
#[test]
fn a_line_that_lacks_its_end_alone_is_written_anew_where_its_file_was_deleted() {
    let dir = directory();
    let mut sink = sink(&file(&dir), Strategy::LineBuffered);
    write_all_but_a_line_end(&mut *sink);
    fs::remove_file(file(&dir)).unwrap();
    assert_eq!(sink.reopen(ReopenReason::Asked).unwrap(), torn(1));
    write_all(&mut *sink, b"two\n");
    assert_eq!(read(&file(&dir)), "two\n");
}

/// What others have written behind it is not to be mistaken for it.
#[test]
fn a_line_that_lacks_its_end_is_written_anew_where_others_have_written_behind_it() {
    let dir = directory();
    let old = dir.path().join("old");
    let mut sink = sink(&file(&dir), Strategy::LineBuffered);
    write_all_but_a_line_end(&mut *sink);
    File::options().append(true).open(file(&dir)).unwrap().write_all(b"other\n").unwrap();
    fs::rename(file(&dir), &old).unwrap();
    assert_eq!(sink.reopen(ReopenReason::Asked).unwrap(), torn(0));
    write_all(&mut *sink, b"two\n");
    assert_eq!((read(&old), read(&file(&dir))), ("one\ntwoother\n".into(), "two\n".into()));
}
