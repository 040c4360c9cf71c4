//! Who may have a file at the same time.

#![cfg(unix)]

use std::sync::Barrier;
use std::thread;

use super::*;
use crate::io::ReopenReason;
use Strategy::{BlockBuffered, LineBuffered, MemoryMapped};

/// What the system answers while the other process gives the file up, as one that serves it over
/// the network does. The opening is the third operation, after looks at the file and its folder.
#[test]
fn a_file_under_the_lease_of_another_process_is_opened_as_soon_as_it_gives_that_up() {
    let held = |times| {
        let dir = directory();
        fs::write(file(&dir), "").unwrap();
        let error = libc::EWOULDBLOCK;
        let mut opened = None;
        failing(Plan { from: 2, times, error, short: false, count: 0.into() }, || {
            opened = Some(build(&file(&dir), BlockBuffered).map(drop));
        });
        opened.unwrap()
    };
    held(3).unwrap();
    let error = held(usize::MAX).unwrap_err();
    assert!(matches!(error, BuildError::Io { operation: "open", .. }), "{error}");
}

#[test]
fn append_writers_share_a_file() {
    let dir = directory();
    let mut first = sink(&file(&dir), LineBuffered);
    let mut second = sink(&file(&dir), BlockBuffered);
    write_all(&mut *first, b"one\n");
    write_all(&mut *second, b"two\n");
    write_all(&mut *first, b"three\n");
    assert_eq!(read(&file(&dir)), "one\ntwo\nthree\n");
}

#[test]
fn a_mapping_writer_is_refused_beside_anything_and_nothing_beside_it() {
    for (holder, newcomer) in [
        (MemoryMapped, MemoryMapped),
        (MemoryMapped, LineBuffered),
        (MemoryMapped, BlockBuffered),
        (LineBuffered, MemoryMapped),
        (BlockBuffered, MemoryMapped),
    ] {
        for truncate in [false, true] {
            let dir = directory();
            let mut held = sink(&file(&dir), holder);
            write_all(&mut *held, b"kept\n");
            let settings = Config { truncate, ..config(file(&dir), newcomer) };
            let error = refusal(&settings);
            assert!(matches!(error, BuildError::Locked { .. }), "{newcomer} beside {holder}");
            held.close().unwrap();
            assert_eq!(read(&file(&dir)), "kept\n");
        }
    }
}

/// A lock belongs to the file, and so does the answer to the question whether it is still in its
/// place.
#[test]
fn several_names_of_a_file_are_one_file() {
    let dir = directory();
    fs::write(file(&dir), "").unwrap();
    let (hard, soft) = (dir.path().join("hard"), dir.path().join("soft"));
    fs::hard_link(file(&dir), &hard).unwrap();
    std::os::unix::fs::symlink(file(&dir), &soft).unwrap();
    let roundabout = dir.path().join("..").join(dir.path().file_name().unwrap()).join("app.jsonl");
    assert_eq!(fs::canonicalize(&roundabout).unwrap(), fs::canonicalize(file(&dir)).unwrap());
    let mut expected = String::new();
    for other in [hard, soft, roundabout] {
        for (holder, newcomer) in [(MemoryMapped, BlockBuffered), (LineBuffered, MemoryMapped)] {
            let mut held = sink(&file(&dir), holder);
            let error = refusal(&config(&other, newcomer));
            assert!(matches!(error, BuildError::Locked { .. }), "{other:?}: {error}");
            held.close().unwrap();
        }
        let (mut first, mut second) =
            (sink(&file(&dir), LineBuffered), sink(&other, BlockBuffered));
        for sink in [&mut first, &mut second] {
            write_all(&mut **sink, b"line\n");
            expected += "line\n";
            assert_eq!(sink.reopen(ReopenReason::Check).unwrap(), None, "{other:?}");
        }
        first.close().unwrap();
        second.close().unwrap();
    }
    assert_eq!(read(&file(&dir)), expected);
}

#[test]
fn a_file_is_not_emptied_beside_another_append_writer() {
    let dir = directory();
    let mut held = sink(&file(&dir), LineBuffered);
    write_all(&mut *held, b"kept\n");
    let settings = Config { truncate: true, ..config(file(&dir), BlockBuffered) };
    assert!(matches!(refusal(&settings), BuildError::Locked { .. }));
    assert_eq!(read(&file(&dir)), "kept\n");
}

#[test]
fn the_end_is_not_repaired_beside_another_append_writer() {
    let dir = directory();
    let mut held = sink(&file(&dir), LineBuffered);
    write_all(&mut *held, b"on its way");
    let opened = build(&file(&dir), BlockBuffered).unwrap();
    assert_eq!(opened.found.torn_lines, 0);
    assert_eq!(read(&file(&dir)), "on its way");
}

#[test]
fn close_and_drop_release_the_file() {
    let dir = directory();
    for &strategy in Strategy::ALL {
        let mut closed = sink(&file(&dir), strategy);
        closed.close().unwrap();
        let dropped = sink(&file(&dir), MemoryMapped);
        drop(closed);
        drop(dropped);
        build_after_drop(&file(&dir), MemoryMapped).sink.close().unwrap();
    }
}

#[test]
fn append_writers_that_open_at_the_same_moment_all_succeed() {
    let dir = directory();
    let barrier = Barrier::new(4);
    for _ in 0..200 {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    barrier.wait();
                    // As `open` does it, with a patience that ends on no machine.
                    let (path, settings) = (file(&dir), config(file(&dir), LineBuffered));
                    let found = open::find(&path, &settings).unwrap();
                    let (file, _) = open::claim(&path, &settings, found, LIMIT).unwrap();
                    let mut sink = super::super::line_buffered::LineBuffered::new(file);
                    write_all(&mut sink, b"line\n");
                    sink.close().unwrap();
                });
            }
        });
    }
    assert_eq!(read(&file(&dir)), "line\n".repeat(800));
}
