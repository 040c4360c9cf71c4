//! Another process writes to the file and is killed inside a line.
#![cfg(unix)]

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::io::ReopenReason;

/// Appends as another process does.
fn other(path: &Path, bytes: &[u8]) {
    File::options().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

const APPENDING: [Strategy; 2] = [Strategy::LineBuffered, Strategy::BlockBuffered];

#[test]
fn a_line_behind_the_fragment_of_another_writer_is_written_once_more() {
    for strategy in APPENDING {
        let dir = directory();
        let mut sink = sink(&file(&dir), strategy);
        write_all(&mut *sink, b"one\ntwo\n");
        other(&file(&dir), b"whole\n");
        write_all(&mut *sink, b"three\nfour\n");
        other(&file(&dir), b"half a li");
        write_all(&mut *sink, b"five\nsix\n");
        other(&file(&dir), b"ha");
        write_all(&mut *sink, b"seven\n");
        let expected = "one\ntwo\nwhole\nthree\nfour\nhalf a lifive\nfive\nsix\nhaseven\nseven\n";
        assert_eq!(read(&file(&dir)), expected, "{strategy}");
    }
}

#[test]
fn a_fragment_that_stands_there_before_the_first_write_swallows_no_line() {
    for strategy in APPENDING {
        let dir = directory();
        let mut first = sink(&file(&dir), strategy);
        write_all(&mut *first, b"one\n");
        other(&file(&dir), b"half");
        // Beside another writer the end of the file is not repaired.
        let mut second = sink(&file(&dir), strategy);
        write_all(&mut *second, b"two\nthree\n");
        assert_eq!(read(&file(&dir)), "one\nhalftwo\ntwo\nthree\n", "{strategy}");
    }
}

#[test]
fn the_first_write_of_another_may_already_be_a_fragment() {
    for strategy in APPENDING {
        let dir = directory();
        let mut sink = sink(&file(&dir), strategy);
        write_all(&mut *sink, b"one\n");
        other(&file(&dir), b"half");
        write_all(&mut *sink, b"two\nthree\n");
        let text = read(&file(&dir));
        assert_eq!(text, "one\nhalftwo\nthree\ntwo\n", "{strategy}: late, and not lost");
    }
}

/// Failed on a full disk that two writers share: the rest stood behind the line of the other, where
/// nobody could read it.
#[test]
fn a_line_begins_anew_when_another_has_written_behind_its_front() {
    for strategy in APPENDING {
        let dir = directory();
        let (mut one, mut other) = (sink(&file(&dir), strategy), sink(&file(&dir), strategy));
        write_all(&mut *one, b"one\ntw");
        write_all(&mut *other, b"three\n");
        let error = one.write(b"o\n", false).unwrap_err();
        let answer = one.reopen(ReopenReason::Failure(&error)).unwrap();
        assert!(answer.is_some(), "the line is to be offered from its start");
        write_all(&mut *one, b"two\n");
        assert_eq!(read(&file(&dir)), "one\ntwthree\nthree\ntwo\n", "{strategy}");
    }
}

/// Failed: the line was in two pieces, and counted as written.
#[test]
fn a_line_begins_anew_when_another_writes_right_before_its_rest() {
    // In the second case the rest itself is taken in part.
    for (rest, end) in [("o\nfour\n", "o\ntwo\nfour\n"), ("oo", "oo\ntwo\nfour\n")] {
        for strategy in APPENDING {
            let dir = directory();
            let mut sink = sink(&file(&dir), strategy);
            write_all(&mut *sink, b"one\ntw");
            let path = file(&dir);
            // The first operation is the look at the length.
            fault::do_before(1, move || other(&path, b"line\n"));
            let error = sink.write(rest.as_bytes(), false).unwrap_err();
            assert!(sink.reopen(ReopenReason::Failure(&error)).unwrap().is_some(), "begins anew");
            write_all(&mut *sink, b"two\nfour\n");
            assert_eq!(read(&file(&dir)), format!("one\ntwline\n{end}"), "{strategy}");
        }
    }
}

/// Failed: an empty line stood behind that of the other.
#[test]
fn half_a_line_behind_which_another_has_written_gets_no_line_end() {
    type Next = fn(&mut dyn Sink);
    let nexts: [(Next, &str); 2] = [
        (|sink| write_all(sink, b"four\n"), "two\nfour\n"),
        (|sink| assert!(sink.reopen(ReopenReason::Asked).unwrap().is_some()), "two\n"),
    ];
    for strategy in APPENDING {
        for (next, end) in nexts {
            let dir = directory();
            let mut sink = sink(&file(&dir), strategy);
            write_all(&mut *sink, b"one\n");
            other(&file(&dir), b"half");
            // The line is repeated, of which half is taken, and the line end behind that fails.
            let plan =
                Plan { from: 2, times: 2, error: libc::ENOSPC, short: true, count: 0.into() };
            failing(plan, || write_all(&mut *sink, b"two\nthree\n"));
            assert_eq!(read(&file(&dir)), "one\nhalftwo\nthree\ntw");
            other(&file(&dir), b"line\nline\n");
            let moved = dir.path().join("moved");
            std::fs::rename(file(&dir), &moved).unwrap();
            next(&mut *sink);
            let expected = format!("one\nhalftwo\nthree\ntwline\nline\n{end}");
            assert_eq!(read(&moved), expected, "{strategy}");
        }
    }
}

/// The third operation repeats the line: after the write, and a look at the byte before it.
#[test]
fn a_repetition_that_fails_is_made_up_for() {
    type Next = fn(&mut dyn Sink);
    let nexts: [(Next, &str); 5] = [
        (|sink| write_all(sink, b"four\n"), "four\n"),
        (|sink| sink.flush().unwrap(), ""),
        (|sink| sink.close().unwrap(), ""),
        (|sink| sink.sync().unwrap(), ""),
        (|sink| assert!(sink.reopen(ReopenReason::Asked).unwrap().is_some()), ""),
    ];
    for strategy in APPENDING {
        for (short, part) in [(false, ""), (true, "tw\n")] {
            for (next, more) in nexts {
                let dir = directory();
                let mut sink = sink(&file(&dir), strategy);
                write_all(&mut *sink, b"one\n");
                other(&file(&dir), b"half");
                let moved = dir.path().join("moved");
                std::fs::rename(file(&dir), &moved).unwrap();
                failing(
                    Plan { from: 2, times: 2, error: libc::ENOSPC, short, count: 0.into() },
                    || {
                        assert_eq!(sink.write(b"two\nthree\n", false).unwrap(), 10);
                    },
                );
                next(&mut *sink);
                let expected = format!("one\nhalftwo\nthree\n{part}two\n{more}");
                assert_eq!(read(&moved), expected, "{strategy}, {short}");
            }
        }
    }
}

#[test]
fn a_mapping_that_has_to_append_makes_up_for_it_too() {
    let dir = directory();
    let mut sink = sink(&file(&dir), Strategy::MemoryMapped);
    let fail = |from, times, error| Plan { from, times, error, short: false, count: 0.into() };
    // The look at the length, and the mapping.
    failing(fail(1, 1, libc::ENOMEM), || write_all(&mut *sink, b"one\n"));
    other(&file(&dir), b"half");
    failing(fail(2, 2, libc::ENOSPC), || write_all(&mut *sink, b"two\nthree\n"));
    assert_eq!(read(&file(&dir)), "one\nhalftwo\nthree\n");
    sink.flush().unwrap();
    assert_eq!(read(&file(&dir)), "one\nhalftwo\nthree\ntwo\n");
}

#[test]
fn a_repetition_that_fails_again_is_a_failed_flush_and_a_failed_end() {
    for strategy in APPENDING {
        let dir = directory();
        let mut sink = sink(&file(&dir), strategy);
        write_all(&mut *sink, b"one\n");
        other(&file(&dir), b"half");
        let plan =
            Plan { from: 2, times: usize::MAX, error: libc::ENOSPC, short: false, count: 0.into() };
        failing(plan, || {
            assert_eq!(sink.write(b"two\nthree\n", false).unwrap(), 10);
            assert_eq!(sink.flush().unwrap_err().raw_os_error(), Some(libc::ENOSPC));
            assert_eq!(sink.close().unwrap_err().raw_os_error(), Some(libc::ENOSPC));
        });
        build(&file(&dir), Strategy::MemoryMapped).unwrap();
    }
}

/// Of a write that a fragment precedes, the system may take a part only, up to any byte.
#[test]
fn behind_a_fragment_a_write_that_is_taken_in_part_is_made_good() {
    let cases: [(&[u8], &str); 2] =
        [(b"longline\n", "halflong\nlongline\n"), (b"two\nthree\n", "halftwo\nt\ntwo\nthree\n")];
    for strategy in APPENDING {
        for (lines, expected) in cases {
            let dir = directory();
            let mut sink = sink(&file(&dir), strategy);
            write_all(&mut *sink, b"one\n");
            other(&file(&dir), b"half");
            let plan = Plan { from: 0, times: 1, error: 0, short: true, count: 0.into() };
            failing(plan, || write_all(&mut *sink, lines));
            assert_eq!(read(&file(&dir)), format!("one\n{expected}"), "{strategy}");
        }
    }
}

#[test]
fn a_line_that_is_still_to_be_repeated_is_so_after_the_same_file_was_opened_anew() {
    for strategy in APPENDING {
        let dir = directory();
        let mut sink = sink(&file(&dir), strategy);
        write_all(&mut *sink, b"one\n");
        other(&file(&dir), b"half");
        let fail = |from, error| Plan { from, times: 1, error, short: false, count: 0.into() };
        failing(fail(2, libc::ENOSPC), || write_all(&mut *sink, b"two\nthree\n"));
        let error = io::Error::from_raw_os_error(libc::EIO);
        let reopened = |_| sink.reopen(ReopenReason::Failure(&error)).unwrap().is_some();
        assert_eq!([1, 2, 3].map(reopened), [false, false, true], "{strategy}");
        sink.flush().unwrap();
        assert_eq!(read(&file(&dir)), "one\nhalftwo\nthree\ntwo\n", "{strategy}");
    }
}

#[test]
fn a_line_that_cannot_be_repeated_in_a_file_that_is_left_goes_to_the_next() {
    for strategy in APPENDING {
        let mut in_the_next = 0;
        for from in 0.. {
            let dir = directory();
            let mut sink = sink(&file(&dir), strategy);
            write_all(&mut *sink, b"one\n");
            other(&file(&dir), b"half");
            let moved = dir.path().join("moved");
            std::fs::rename(file(&dir), &moved).unwrap();
            let full = |from, times| Plan {
                from,
                times,
                error: libc::ENOSPC,
                short: false,
                count: 0.into(),
            };
            failing(full(2, 1), || write_all(&mut *sink, b"two\nthree\n"));
            let there = failing(full(from, usize::MAX), || {
                let _ = sink.reopen(ReopenReason::Asked);
            });
            sink.close().unwrap();
            let next = std::fs::read_to_string(file(&dir)).unwrap_or_default();
            let text = read(&moved) + &next;
            assert_eq!(text, "one\nhalftwo\nthree\ntwo\n", "{strategy}, {from}");
            in_the_next += usize::from(!next.is_empty());
            if there <= from {
                break;
            }
        }
        assert!(in_the_next > 0, "{strategy}");
    }
}

#[test]
fn beside_a_program_that_never_ends_a_line_each_line_is_written_a_few_times_and_once_on_its_own() {
    for strategy in APPENDING {
        let dir = directory();
        let mut sink = sink(&file(&dir), strategy);
        let done = AtomicBool::new(false);
        let line = |n| format!("{{\"n\":{n}}}\n");
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let mut dots = File::options().append(true).open(file(&dir)).unwrap();
                let done = &done;
                scope.spawn(move || {
                    while !done.load(Ordering::Relaxed) {
                        dots.write_all(b".").unwrap();
                    }
                });
            }
            // Two lines at a time: the first of them may have to be repeated behind the second.
            for n in (0..40).step_by(2) {
                let len = || std::fs::metadata(file(&dir)).unwrap().len();
                let before = len();
                while len() < before + 2 {
                    std::thread::yield_now();
                }
                write_all(&mut *sink, (line(n) + &line(n + 1)).as_bytes());
            }
            sink.flush().unwrap();
            done.store(true, Ordering::Relaxed);
        });
        let text = read(&file(&dir));
        for n in 0..40 {
            let copies = text.matches(line(n).trim_end()).count();
            // Once in front of others, while nobody else was seen, and three times to make up for
            // it.
            assert!((1..=4).contains(&copies), "{strategy}, {n}: {copies}");
            assert_eq!(text.split('\n').filter(|one| *one == line(n).trim_end()).count(), 1);
        }
    }
}

/// A write and a look at the position for the first line, and the same for all others.
#[test]
fn beside_others_many_lines_still_go_out_with_two_writes() {
    for strategy in APPENDING {
        let dir = directory();
        let mut sink = sink(&file(&dir), strategy);
        write_all(&mut *sink, b"one\n");
        other(&file(&dir), b"whole\n");
        write_all(&mut *sink, b"two\n");
        let lines = b"three\nfour\nfive\nsix\n".repeat(10);
        assert_eq!(operations(|| assert_eq!(sink.write(&lines, false).unwrap(), lines.len())), 2);
        let expected = [b"one\nwhole\ntwo\n", &lines[..]].concat();
        assert_eq!(read(&file(&dir)).as_bytes(), expected, "{strategy}");
    }
}

#[test]
fn a_file_that_is_cut_has_no_neighbours() {
    for strategy in APPENDING {
        let dir = directory();
        let mut sink = sink(&file(&dir), strategy);
        write_all(&mut *sink, b"one\ntwo\n");
        File::options().write(true).open(file(&dir)).unwrap().set_len(0).unwrap();
        write_all(&mut *sink, b"three\nfour\n");
        assert_eq!(read(&file(&dir)), "three\nfour\n", "{strategy}");
    }
}
