//! The mapping: growth, trimming, files cut underneath and full disks.

#![cfg(target_os = "linux")]

use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::*;
use crate::io::Reopened;
use crate::io::fault::{self, Plan};
use Strategy::MemoryMapped;

const CHUNK: usize = 16 << 10;

fn cut(path: &Path, len: u64) {
    fs::File::options().write(true).open(path).unwrap().set_len(len).unwrap();
}

/// Whether this process has a mapping of a file.
fn is_mapped(path: &Path) -> bool {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    maps.contains(fs::canonicalize(path).unwrap().to_str().unwrap())
}

#[test]
fn space_is_reserved_at_the_first_write_and_given_back_at_close() {
    let dir = directory();
    let mut sink = sink(&file(&dir), MemoryMapped);
    assert_eq!(length(&file(&dir)), 0);
    assert!(!sink.wants_idle());
    write_all(&mut *sink, b"one\n");
    assert_eq!(length(&file(&dir)), CHUNK);
    assert!(sink.wants_idle());
    sink.flush().unwrap();
    assert_eq!(length(&file(&dir)), CHUNK, "a flush does not trim");
    assert!(is_mapped(&file(&dir)));
    sink.close().unwrap();
    assert_eq!(read(&file(&dir)), "one\n");
    assert!(!is_mapped(&file(&dir)));
}

#[test]
fn many_chunks_are_filled_without_a_gap() {
    for lines_a_write in [1, 3, 100, 700] {
        let dir = directory();
        fs::write(file(&dir), "from before\n").unwrap();
        let mut expected = b"from before\n".to_vec();
        let mut sink = sink(&file(&dir), MemoryMapped);
        for from in (0..3500).step_by(lines_a_write) {
            let lines = numbered(from, lines_a_write);
            write_all(&mut *sink, &lines);
            expected.extend_from_slice(&lines);
        }
        assert!(expected.len() > 10 * CHUNK);
        sink.close().unwrap();
        assert!(fs::read(file(&dir)).unwrap() == expected, "{lines_a_write} lines a write");
    }
}

#[test]
fn every_alignment_of_start_and_length_is_copied_exactly() {
    let dir = directory();
    let mut sink = sink(&file(&dir), MemoryMapped);
    let mut expected = Vec::new();
    for length in (1..40).chain((1..40).rev()) {
        let line: Vec<u8> = (1..length).map(|n| b'a' + n % 26).chain([b'\n']).collect();
        write_all(&mut *sink, &line);
        expected.extend(line);
    }
    sink.close().unwrap();
    assert_eq!(fs::read(file(&dir)).unwrap(), expected);
}

#[test]
fn a_slice_larger_than_the_chunk_is_taken_whole() {
    let dir = directory();
    let mut sink = sink(&file(&dir), MemoryMapped);
    let lines = numbered(0, 2000);
    assert!(lines.len() > 4 * CHUNK);
    write_all(&mut *sink, b"small\n");
    assert_eq!(sink.write(&lines, false).unwrap(), lines.len());
    write_all(&mut *sink, b"small\n");
    sink.close().unwrap();
    assert!(fs::read(file(&dir)).unwrap() == [b"small\n", &lines[..], b"small\n"].concat());
}

#[test]
fn sync_and_idle_trim_and_writing_goes_on() {
    let dir = directory();
    let mut sink = sink(&file(&dir), MemoryMapped);
    let mut expected = String::new();
    for round in 0..20 {
        for n in 0..round * 20 {
            let line = format!("line {n} of round {round}\n");
            write_all(&mut *sink, line.as_bytes());
            expected += &line;
        }
        if round % 2 == 0 {
            sink.sync().unwrap()
        } else {
            sink.idle().unwrap()
        }
        assert!(!sink.wants_idle());
        assert_eq!(read(&file(&dir)), expected);
    }
    sink.close().unwrap();
    assert_eq!(read(&file(&dir)), expected);
}

#[test]
fn a_file_emptied_underneath_is_filled_from_its_start() {
    let dir = directory();
    let mut sink = sink(&file(&dir), MemoryMapped);
    for round in 0..50 {
        // The second slice needs a window that starts behind the first page.
        write_all(&mut *sink, &numbered(0, 300));
        write_all(&mut *sink, &numbered(300, 300));
        cut(&file(&dir), 0);
        write_all(&mut *sink, format!("round {round}\n").as_bytes());
        if round % 3 == 0 {
            sink.idle().unwrap();
            assert_eq!(read(&file(&dir)), format!("round {round}\n"));
        }
        cut(&file(&dir), 0);
    }
    sink.close().unwrap();
    assert_eq!(read(&file(&dir)), "", "close does not stretch a file that was emptied");
}

#[test]
fn a_file_cut_within_a_line_gets_a_line_end_first() {
    let dir = directory();
    let mut sink = sink(&file(&dir), MemoryMapped);
    write_all(&mut *sink, b"one\ntwo\n");
    cut(&file(&dir), 6);
    write_all(&mut *sink, b"three\n");
    sink.close().unwrap();
    assert_eq!(read(&file(&dir)), "one\ntw\nthree\n");
}

#[test]
fn a_file_that_lost_only_reserved_space_keeps_its_lines() {
    let dir = directory();
    let mut sink = sink(&file(&dir), MemoryMapped);
    write_all(&mut *sink, b"one\n");
    cut(&file(&dir), 100);
    write_all(&mut *sink, b"two\n");
    assert_eq!(sink.mended(), Reopened::default(), "its own space is no find");
    sink.close().unwrap();
    assert_eq!(read(&file(&dir)), "one\ntwo\n");
}

#[test]
fn a_file_emptied_and_stretched_gets_no_nuls_in_front_of_its_lines() {
    let dir = directory();
    let mut sink = sink(&file(&dir), MemoryMapped);
    write_all(&mut *sink, b"one\n");
    cut(&file(&dir), 0);
    cut(&file(&dir), 100);
    write_all(&mut *sink, b"two\n");
    assert_eq!(
        sink.mended(),
        Reopened { torn_lines: 0, recovered_nul_bytes: 100, line_completed: false }
    );
    sink.close().unwrap();
    assert_eq!(read(&file(&dir)), "two\n");
}

#[test]
fn a_sync_after_the_file_was_emptied_does_not_stretch_it() {
    let dir = directory();
    let mut sink = sink(&file(&dir), MemoryMapped);
    write_all(&mut *sink, b"one\n");
    cut(&file(&dir), 0);
    sink.sync().unwrap();
    assert_eq!(length(&file(&dir)), 0);
    write_all(&mut *sink, b"two\n");
    sink.close().unwrap();
    assert_eq!(read(&file(&dir)), "two\n");
}

/// A small file system of its own, or none where mounting is not allowed.
struct Mounted(TempDir);

impl Mounted {
    fn tmpfs(size: &str) -> Option<Mounted> {
        Mounted::new("tmpfs", &format!("size={size}"))
    }

    fn new(kind: &str, options: &str) -> Option<Mounted> {
        let dir = directory();
        let mounted = Command::new("mount")
            .args(["-t", kind, "-o", options, kind])
            .arg(dir.path())
            .stderr(Stdio::null())
            .status();
        match mounted {
            Ok(status) if status.success() => Some(Mounted(dir)),
            _ => {
                skip("mounting a file system needs root");
                None
            }
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: the test may have failed with the file open.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_an_error_and_writing_resumes_when_space_is_free() {
    for &strategy in Strategy::ALL {
        let Some(disk) = Mounted::tmpfs("256k") else { return };
        let filler = disk.0.path().join("filler");
        fs::write(&filler, vec![b'x'; 100 << 10]).unwrap();
        let path = disk.0.path().join("app.jsonl");
        let settings = Config { mmap_chunk: 64 << 10, ..config(&path, strategy) };
        let mut sink = open(&settings).unwrap().sink;
        let mut written = Vec::new();
        let mut failures = 0;
        for n in 0..3000 {
            let line = numbered(n, 1);
            let mut rest = &line[..];
            while !rest.is_empty() {
                match sink.write(rest, false) {
                    Ok(taken) => rest = &rest[taken..],
                    Err(error) => {
                        assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{strategy}");
                        failures += 1;
                        if failures == 3 {
                            fs::remove_file(&filler).unwrap();
                        }
                        assert!(failures < 10, "{strategy} does not resume");
                    }
                }
            }
            written.extend(line);
        }
        assert_eq!(failures, 3, "{strategy}");
        sink.close().unwrap();
        assert!(fs::read(&path).unwrap() == written, "{strategy}");
    }
}

#[test]
fn the_last_free_pages_are_used_before_a_disk_counts_as_full() {
    let Some(disk) = Mounted::tmpfs("64k") else { return };
    let path = disk.0.path().join("app.jsonl");
    let settings = Config { mmap_chunk: usize::MAX, ..config(&path, MemoryMapped) };
    let mut sink = open(&settings).unwrap().sink;
    let mut written = Vec::new();
    let error = loop {
        let lines = numbered(written.len(), 1);
        match sink.write(&lines, false) {
            Ok(_) => written.extend(lines),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert!(written.len() > 63 << 10, "{} bytes of 64 KiB", written.len());
    assert!(fs::read(&path).unwrap() == written, "trimmed while the disk is full");
}

/// The operations on files during a call.
fn counting<T>(call: impl FnOnce() -> T) -> (T, usize) {
    let plan = Plan { from: usize::MAX, times: 0, error: 0, short: false, count: 0.into() };
    let plan = Arc::new(plan);
    fault::enter(Some(Arc::clone(&plan)));
    let result = call();
    fault::enter(None);
    (result, plan.count.load(Ordering::Relaxed))
}

#[test]
fn of_lines_that_do_not_fit_the_disk_takes_those_that_do() {
    for &strategy in Strategy::ALL {
        let Some(disk) = Mounted::tmpfs("64k") else { return };
        let path = disk.0.path().join("app.jsonl");
        let mut sink = open(&config(&path, strategy)).unwrap().sink;
        let long = [b"x".repeat(100 << 10), b"\n".to_vec()].concat();
        let lines: Vec<u8> = (0..2000).flat_map(|n| numbered(n, 1)).chain(long).collect();
        let (mut taken, mut calls) = (0, Vec::new());
        let error = loop {
            let (result, count) = counting(|| sink.write(&lines[taken..], false));
            calls.push(count);
            match result {
                Ok(more) => taken += more,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{strategy}");
        assert!(taken > 63 << 10, "{strategy}: {taken} bytes of 64 KiB");
        assert!(fs::read(&path).unwrap() == lines[..taken], "{strategy}");
        if strategy == MemoryMapped {
            // One write finds all that fits. While the disk stays full, a try costs a few calls of
            // the system, however many lines wait.
            assert!(matches!(calls[..], [..=64, ..=20]), "{calls:?}");
        }
    }
}

/// Also where the search for the lines that fit breaks off.
#[test]
fn whatever_fails_on_a_full_disk_each_line_is_taken_that_is_there() {
    let Some(disk) = Mounted::tmpfs("64k") else { return };
    let lines = numbered(0, 2000);
    let path = disk.0.path().join("app.jsonl");
    let free = || rustix::fs::statvfs(disk.0.path()).unwrap().f_bfree;
    let (mut from, empty) = (0, free());
    loop {
        // Where another test starts a program just now, that holds what was removed for a moment.
        until(|| free() >= empty);
        let mut sink = sink(&path, MemoryMapped);
        let plan = Plan { from, times: 1, error: libc::EIO, short: false, count: 0.into() };
        let mut taken = 0;
        let count = failing(plan, || taken = sink.write(&lines, false).unwrap_or(0));
        if taken == 0 {
            taken = sink.write(&lines, false).unwrap();
        }
        sink.close().unwrap();
        assert!(fs::read(&path).unwrap() == lines[..taken], "operation {from}");
        fs::remove_file(&path).unwrap();
        if count <= from {
            break;
        }
        from += 1;
    }
    assert!(from > 20, "{from}");
}

#[test]
fn a_file_system_that_cannot_reserve_gets_plain_writes() {
    let Some(disk) = Mounted::new("ramfs", "mode=700") else { return };
    let path = disk.0.path().join("app.jsonl");
    fs::write(&path, "from before\n").unwrap();
    let mut sink = sink(&path, MemoryMapped);
    write_all(&mut *sink, b"one\n");
    assert_eq!(read(&path), "from before\none\n");
    assert!(!sink.wants_idle() && !is_mapped(&path));
    assert_eq!(sink.write(b"held back\n", true).unwrap(), 0, "as block buffered");
    write_all(&mut *sink, b"two\n");
    sink.idle().unwrap();
    sink.sync().unwrap();
    assert!(matches!(build(&path, MemoryMapped), Err(BuildError::Locked { .. })));
    sink.close().unwrap();
    assert_eq!(read(&path), "from before\none\ntwo\n");
}

/// The writer is a process of its own, which runs this test again and is killed while it writes.
#[test]
fn a_killed_process_leaves_whole_lines_and_at_most_one_torn_one() {
    const TARGET: &str = "WRITER_TEST_KILLED_FILE";
    if let Some(path) = std::env::var_os(TARGET) {
        let settings = Config { mmap_chunk: 1 << 20, ..config(path, MemoryMapped) };
        let mut sink = open(&settings).unwrap().sink;
        for n in (0..2_000_000).step_by(1000) {
            write_all(&mut *sink, &numbered(n, 1000));
            if n == 0 {
                // The parent waits for this before it kills.
                io::Write::write_all(&mut io::stderr(), b"!").unwrap();
            }
        }
        // The parent is late: enough is written for every round, and the disk may be small.
        loop {
            std::thread::park();
        }
    }
    let name = "io::tests::mapping::a_killed_process_leaves_whole_lines_and_at_most_one_torn_one";
    for round in 0..10 {
        let dir = directory();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(TARGET, file(&dir))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stderr.take().unwrap().read_exact(&mut [0]).unwrap();
        // Each round kills a little later, paced by the file itself.
        while length(&file(&dir)) < (round + 2) << 20 {
            assert_eq!(child.try_wait().unwrap(), None, "ended by itself");
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();

        let opened = build(&file(&dir), MemoryMapped).unwrap();
        assert!(opened.found.torn_lines <= 1);
        let left = fs::read(file(&dir)).unwrap();
        let whole = left.len() - if opened.found.torn_lines == 1 { 1 } else { 0 };
        let lines = left.iter().filter(|&&byte| byte == b'\n').count();
        let expected = numbered(0, lines);
        assert!(left[..whole] == expected[..whole], "round {round}: not a prefix");
    }
}
