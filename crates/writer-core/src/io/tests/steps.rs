//! The steps in which a mapping reserves space, and what happens where one cannot be had.

#![cfg(target_os = "linux")]

use std::io;

use super::*;
use Strategy::MemoryMapped;

/// How the length of a file grows while lines come, each step in MiB.
fn steps(sink: &mut dyn Sink, path: &Path, count: usize) -> Vec<usize> {
    let (mut steps, mut before) = (Vec::new(), length(path));
    let lines = numbered(0, 1000);
    while steps.len() < count {
        write_all(sink, &lines);
        let now = length(path);
        if now != before {
            steps.push((now - before).div_ceil(1 << 20));
        }
        before = now;
    }
    steps
}

#[test]
fn space_is_reserved_in_steps_that_double_up_to_the_chunk() {
    let dir = directory();
    let settings = Config { mmap_chunk: 4 << 20, ..config(file(&dir), MemoryMapped) };
    let mut sink = open(&settings).unwrap().sink;
    for _ in 0..2 {
        assert_eq!(steps(&mut *sink, &file(&dir), 5), [1, 2, 4, 4, 4]);
        sink.idle().unwrap();
    }
}

#[test]
fn a_reservation_that_is_interrupted_again_and_again_gives_way_to_a_smaller_one() {
    let dir = directory();
    let mut sink = sink(&file(&dir), MemoryMapped);
    let interrupted = |from, times| {
        let (error, short, count) = (libc::EINTR, false, 0.into());
        Plan { from, times, error, short, count }
    };
    // The look at the length comes first, and the mapping, which then stays.
    failing(interrupted(2, usize::MAX), || {
        let error = sink.write(b"one\n", false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Interrupted);
    });
    failing(interrupted(1, 3), || write_all(&mut *sink, b"one\n"));
    assert_eq!(length(&file(&dir)), crate::io::round_chunk(1), "the least that serves");
    write_all(&mut *sink, &numbered(0, 100));
    assert!(length(&file(&dir)) >= 16 << 10, "the next one is whole again");
}

#[test]
fn where_a_larger_mapping_finds_no_address_space_plain_writes_take_its_place() {
    let dir = directory();
    let mut sink = sink(&file(&dir), MemoryMapped);
    let (first, rest) = (numbered(0, 500), numbered(500, 500));
    write_all(&mut *sink, &first);
    // The second operation, behind the look at the length.
    let plan = Plan { from: 1, times: 1, error: libc::ENOMEM, short: false, count: 0.into() };
    failing(plan, || write_all(&mut *sink, &rest));
    assert!(fs::read(file(&dir)).unwrap() == numbered(0, 1000), "no space is reserved any more");
    assert!(!sink.wants_idle());
    sink.close().unwrap();
}

#[test]
fn an_interrupted_sync_of_the_mapping_is_begun_anew() {
    let dir = directory();
    let mut sink = sink(&file(&dir), MemoryMapped);
    write_all(&mut *sink, b"one\n");
    let plan = Plan { from: 0, times: 3, error: libc::EINTR, short: false, count: 0.into() };
    failing(plan, || sink.sync().unwrap());
    sink.sync().unwrap();
}
