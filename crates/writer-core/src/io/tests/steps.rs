//! The steps in which a mapping reserves space, and what happens where one cannot be had.

#![cfg(target_os = "linux")]

use std::io;

use super::*;
use crate::io::Reopened;
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

fn cut(path: &Path, len: u64) {
    fs::File::options().write(true).open(path).unwrap().set_len(len).unwrap();
}

/// Not every kernel can.
fn pages_can_be_made_ready() -> bool {
    let page = crate::io::os::page_size();
    let file = tempfile::tempfile().unwrap();
    file.set_len(page as u64).unwrap();
    let mapping = crate::io::mapping::Mapping::new(&file, 0, page).unwrap();
    mapping.populate(0, page as u64).is_ok()
}

/// The operations of those among a thousand writes of 1000 bytes that need more than two.
fn costly_writes(sink: &mut dyn Sink) -> Vec<(usize, usize)> {
    let line = [vec![b'x'; 999], b"\n".to_vec()].concat();
    let counts = (0..1000).map(|_| operations(|| write_all(sink, &line)));
    counts.enumerate().filter(|(_, count)| *count != 2).collect()
}

/// The plan by which some operations fail, from one on.
fn failure(error: i32, from: usize, times: usize) -> Plan {
    Plan { from, times, error, short: false, count: 0.into() }
}

#[test]
fn a_write_costs_a_look_and_a_copy_and_pages_are_made_ready_ahead() {
    if !pages_can_be_made_ready() {
        return skip("the kernel makes no pages ready");
    }
    let dir = directory();
    let settings = Config { mmap_chunk: 1 << 20, ..config(file(&dir), MemoryMapped) };
    let mut sink = open(&settings).unwrap().sink;
    // The first one also maps, reserves and makes ready; for the last there is more every 256 KiB.
    assert_eq!(costly_writes(&mut *sink), [(0, 5), (262, 3), (524, 3), (786, 3)]);
    // As the space is given back, so are its pages.
    sink.idle().unwrap();
    assert_eq!(operations(|| write_all(&mut *sink, b"one\n")), 5);
    sink.idle().unwrap();
    // As many as a long write needs, at once.
    assert_eq!(operations(|| write_all(&mut *sink, &numbered(0, 10_000))), 5);
    assert_eq!(operations(|| write_all(&mut *sink, b"two\n")), 2);
}

#[test]
fn a_kernel_that_makes_no_pages_ready_is_asked_once() {
    let dir = directory();
    let settings = Config { mmap_chunk: 1 << 20, ..config(file(&dir), MemoryMapped) };
    let mut sink = open(&settings).unwrap().sink;
    // Behind the look at the length, the mapping and the reservation.
    let asked = failing(failure(libc::EINVAL, 3, 1), || write_all(&mut *sink, b"one\n"));
    assert_eq!(asked, 5);
    assert_eq!(costly_writes(&mut *sink), []);
    assert_eq!(length(&file(&dir)), 1 << 20, "it is mapped all the same");
}

#[test]
fn pages_that_cannot_be_made_ready_are_not_stored_to() {
    let dir = directory();
    let mut sink = sink(&file(&dir), MemoryMapped);
    failing(failure(libc::EIO, 3, 1), || {
        let error = sink.write(b"one\n", false).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EIO));
    });
    assert_eq!(operations(|| write_all(&mut *sink, b"two\n")), 3, "they are asked for again");
    sink.close().unwrap();
    assert_eq!(read(&file(&dir)), "two\n");
}

#[test]
fn a_file_cut_while_space_is_made_for_a_line_takes_the_line_all_the_same() {
    if !pages_can_be_made_ready() {
        return skip("the kernel makes no pages ready");
    }
    let dir = directory();
    let mut sink = sink(&file(&dir), MemoryMapped);
    let path = file(&dir);
    fault::do_before(3, move || cut(&path, 0));
    assert_eq!(sink.write(b"one\n", false).unwrap(), 4);
    sink.close().unwrap();
    assert_eq!(read(&file(&dir)), "one\n");
}

#[test]
fn pages_that_the_file_system_has_no_space_for_are_a_full_disk() {
    let dir = directory();
    let mut sink = sink(&file(&dir), MemoryMapped);
    failing(failure(libc::EFAULT, 3, usize::MAX), || {
        let error = sink.write(b"one\n", false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    });
}

#[test]
fn a_reservation_that_is_interrupted_again_and_again_gives_way_to_a_smaller_one() {
    let dir = directory();
    let mut sink = sink(&file(&dir), MemoryMapped);
    // The look at the length comes first, and the mapping, which then stays.
    failing(failure(libc::EINTR, 2, usize::MAX), || {
        let error = sink.write(b"one\n", false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Interrupted);
    });
    // Part of it may have been had, and is given back.
    let path = file(&dir);
    fault::do_before(4, move || cut(&path, 12 << 10));
    failing(failure(libc::EINTR, 1, 3), || write_all(&mut *sink, b"one\n"));
    assert_eq!(length(&file(&dir)), crate::io::round_chunk(1), "the least that serves");
    write_all(&mut *sink, &numbered(0, 100));
    assert!(length(&file(&dir)) >= 16 << 10, "the next one is whole again");
    assert_eq!(sink.mended(), Reopened::default());
}

#[test]
fn steps_begin_anew_after_one_that_could_not_be_had() {
    let dir = directory();
    let settings = Config { mmap_chunk: 4 << 20, ..config(file(&dir), MemoryMapped) };
    let mut sink = open(&settings).unwrap().sink;
    assert_eq!(steps(&mut *sink, &file(&dir), 3), [1, 2, 4]);
    let more_than_is_reserved = numbered(0, 100_000);
    failing(failure(libc::EINTR, 2, 3), || write_all(&mut *sink, &more_than_is_reserved));
    assert_eq!(steps(&mut *sink, &file(&dir), 3), [1, 2, 4]);
}

#[test]
fn where_a_larger_mapping_finds_no_address_space_plain_writes_take_its_place() {
    let dir = directory();
    let mut sink = sink(&file(&dir), MemoryMapped);
    write_all(&mut *sink, &numbered(0, 500));
    let (more, rest) = (numbered(500, 500), numbered(1000, 500));
    // The second operation, behind the look at the length; and before reserved space is given back
    // there is one more such look.
    failing(failure(libc::ENOMEM, 1, 2), || {
        sink.write(&more, false).unwrap_err();
    });
    assert!(sink.wants_idle(), "nothing is appended while there is reserved space");
    failing(failure(libc::ENOMEM, 1, 1), || write_all(&mut *sink, &more));
    let taken = sink.write(&rest, true).unwrap();
    assert!(taken > 0, "a full block does not wait");
    write_all(&mut *sink, &rest[taken..]);
    assert!(fs::read(file(&dir)).unwrap() == numbered(0, 1500), "no space is reserved any more");
    assert!(!sink.wants_idle());
    sink.close().unwrap();
}

#[test]
fn an_interrupted_sync_of_the_mapping_is_begun_anew() {
    let dir = directory();
    let mut sink = sink(&file(&dir), MemoryMapped);
    write_all(&mut *sink, b"one\n");
    failing(failure(libc::EINTR, 0, 3), || sink.sync().unwrap());
    sink.sync().unwrap();
}

#[test]
fn a_close_that_gives_no_space_back_says_so_and_lets_others_have_the_file() {
    let dir = directory();
    let mut closed = sink(&file(&dir), MemoryMapped);
    write_all(&mut *closed, b"one\n");
    // Behind the look at the length.
    failing(failure(libc::EIO, 1, 1), || {
        assert_eq!(closed.close().unwrap_err().raw_os_error(), Some(libc::EIO));
    });
    let opened = build(&file(&dir), MemoryMapped).unwrap();
    assert_eq!(opened.found.recovered_nul_bytes, (16 << 10) - 4);
    assert_eq!(read(&file(&dir)), "one\n");
}
