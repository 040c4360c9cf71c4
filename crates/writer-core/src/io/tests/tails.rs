//! What an earlier writer left at the end of a file, and appending behind it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::*;
use crate::io::fault::{self, Plan};
#[cfg(unix)]
use crate::io::{ReopenReason, Reopened, file::LogFile, folders::Folders};

/// Opens a file with this content under each strategy; says what it holds then, and what was found.
fn reopened(content: &[u8]) -> (Vec<u8>, u64, u64) {
    let mut results = Vec::new();
    for &strategy in Strategy::ALL {
        let dir = directory();
        fs::write(file(&dir), content).unwrap();
        let mut opened = build(&file(&dir), strategy).unwrap();
        let repaired = fs::read(file(&dir)).unwrap();
        write_all(&mut *opened.sink, b"next\n");
        opened.sink.close().unwrap();
        assert_eq!(fs::read(file(&dir)).unwrap(), [&repaired[..], b"next\n"].concat());
        results.push((repaired, opened.found.recovered_nul_bytes, opened.found.torn_lines));
    }
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "the strategies differ");
    results.swap_remove(0)
}

#[test]
fn a_sound_file_is_left_alone() {
    assert_eq!(reopened(b""), (b"".to_vec(), 0, 0));
    assert_eq!(reopened(b"one\ntwo\n"), (b"one\ntwo\n".to_vec(), 0, 0));
}

#[test]
fn a_tail_of_nuls_is_cut_off() {
    for nuls in [1, 1000, (128 << 10) - 4, 128 << 10, 300 << 10] {
        let content = [&b"one\n"[..], &vec![0; nuls]].concat();
        assert_eq!(reopened(&content), (b"one\n".to_vec(), nuls as u64, 0), "{nuls} NULs");
    }
}

#[test]
fn a_torn_line_is_closed() {
    assert_eq!(reopened(b"one\ntw"), (b"one\ntw\n".to_vec(), 0, 1));
    assert_eq!(reopened(b"o"), (b"o\n".to_vec(), 0, 1));
}

#[test]
fn a_torn_line_in_front_of_nuls_is_closed() {
    assert_eq!(reopened(b"one\ntw\0\0\0"), (b"one\ntw\n".to_vec(), 3, 1));
}

#[test]
fn a_file_of_nuls_becomes_empty() {
    assert_eq!(reopened(&[0; 5000]), (Vec::new(), 5000, 0));
}

#[test]
fn nuls_in_front_of_a_line_are_kept() {
    let content = b"one\n\0\0\0two\n\0\0";
    assert_eq!(reopened(content), (b"one\n\0\0\0two\n".to_vec(), 2, 0));
}

/// As a crash of the system leaves a mapping of which some pages reached the disk.
#[test]
fn holes_of_nuls_in_the_middle_are_kept_and_only_the_tail_is_cut() {
    for hole in [1, 4096, 128 << 10, 300 << 10] {
        let nuls = vec![0; hole];
        let front = [&b"one\ntw"[..], &nuls, b"ee\n", &nuls, b"four\n"].concat();
        assert_eq!(reopened(&front), (front.clone(), 0, 0), "{hole}");
        let tail = [&front[..], &nuls].concat();
        assert_eq!(reopened(&tail), (front.clone(), hole as u64, 0), "{hole}");
        let torn = [&front[..], b"fi", &nuls].concat();
        let closed = [&front[..], b"fi\n"].concat();
        assert_eq!(reopened(&torn), (closed, hole as u64, 1), "{hole}");
    }
    let begins = [&[0; 4096][..], b"one\n"].concat();
    assert_eq!(reopened(&begins), (begins.clone(), 0, 0));
}

#[test]
fn a_tail_as_long_as_a_chunk_is_read_once_in_large_blocks() {
    let dir = directory();
    fs::write(file(&dir), [&b"one\ntw"[..], &vec![0; 32 << 20]].concat()).unwrap();
    // A plan in which nothing fails counts the operations.
    let (from, times, error, short) = (usize::MAX, 0, 0, false);
    let plan = Arc::new(Plan { from, times, error, short, count: 0.into() });
    fault::enter(Some(Arc::clone(&plan)));
    let opened = build(&file(&dir), Strategy::MemoryMapped).unwrap();
    fault::enter(None);
    let operations = plan.count.load(Ordering::Relaxed);
    // 128 KiB each, one block begun, and what opening and mending cost besides.
    assert!((257..280).contains(&operations), "{operations}");
    assert_eq!((opened.found.recovered_nul_bytes, opened.found.torn_lines), (32 << 20, 1));
    assert_eq!(read(&file(&dir)), "one\ntw\n");
}

/// As somebody leaves it who stretches a file, or a killed mapping with large steps.
#[cfg(target_os = "linux")]
#[test]
fn a_long_tail_that_is_only_reserved_is_not_read() {
    use std::os::unix::fs::FileExt;
    const GIB: u64 = 1 << 30;
    for nuls_at in [None, Some(GIB / 2), Some(5 * GIB), Some(64 * GIB - 4096)] {
        let dir = directory();
        fs::write(file(&dir), "one\ntw").unwrap();
        let tail = fs::File::options().write(true).open(file(&dir)).unwrap();
        tail.set_len(64 * GIB).unwrap();
        if let Some(at) = nuls_at {
            tail.write_all_at(&[0; 4096], at).unwrap();
        }
        let mut found = None;
        let operations = operations(|| {
            found = Some(build(&file(&dir), Strategy::BlockBuffered).unwrap().found);
        });
        assert!(operations < 30, "{operations}");
        let (nuls, torn) =
            found.map(|found| (found.recovered_nul_bytes, found.torn_lines)).unwrap();
        assert_eq!((nuls, torn), (64 * GIB - 6, 1), "{nuls_at:?}");
        assert_eq!(read(&file(&dir)), "one\ntw\n");
    }
}

#[test]
fn truncate_empties_the_file_and_append_keeps_it() {
    for &strategy in Strategy::ALL {
        let dir = directory();
        for (truncate, expected) in [(false, "line\n"), (false, "line\nline\n"), (true, "line\n")] {
            let settings = Config { truncate, ..config(file(&dir), strategy) };
            let mut sink = open(&settings).unwrap().sink;
            write_all(&mut *sink, b"line\n");
            sink.close().unwrap();
            assert_eq!(read(&file(&dir)), expected, "{strategy}");
        }
    }
}

/// The line end is the last that an opening asks of the system.
#[cfg(unix)]
#[test]
fn a_file_whose_torn_line_cannot_be_closed_for_want_of_space_is_opened_and_closed_off_later() {
    for &strategy in Strategy::ALL {
        for kind in [libc::ENOSPC, libc::EDQUOT, libc::EFBIG] {
            for cut in [false, true] {
                let dir = directory();
                fs::write(file(&dir), "one\ntw").unwrap();
                let from = operations(|| sink(&file(&dir), strategy).close().unwrap()) - 1;
                fs::write(file(&dir), "one\ntw").unwrap();
                let mut opened = None;
                let plan =
                    Plan { from, times: usize::MAX, error: kind, short: false, count: 0.into() };
                failing(plan, || {
                    let opened = opened.insert(build(&file(&dir), strategy).unwrap());
                    opened.sink.write(b"next\n", false).unwrap_err();
                });
                let mut opened = opened.unwrap();
                let mapped = strategy == Strategy::MemoryMapped;
                assert_eq!(opened.found.torn_lines, u64::from(!mapped), "{strategy}, {kind}");
                assert_eq!(read(&file(&dir)), "one\ntw", "{strategy}, {kind}");
                if cut {
                    fs::File::options().write(true).open(file(&dir)).unwrap().set_len(0).unwrap();
                }
                write_all(&mut *opened.sink, b"next\nlast\n");
                opened.sink.close().unwrap();
                // A mapping counts it when it is closed.
                let late = opened.sink.mended().torn_lines;
                assert_eq!(late, u64::from(mapped && !cut), "{strategy}, {kind}");
                let front = if cut { "" } else { "one\ntw\n" };
                assert_eq!(read(&file(&dir)), format!("{front}next\nlast\n"), "{strategy}, {kind}");
            }
        }
    }
}

/// As on Windows, which does not say where a write came to stand.
#[cfg(unix)]
#[test]
fn a_line_end_that_is_owed_goes_out_without_a_look_at_the_file_too() {
    let dir = directory();
    fs::write(file(&dir), "one\ntw").unwrap();
    let opened = fs::File::options().append(true).open(file(&dir)).unwrap();
    let mut log = LogFile::new(opened, None, Folders::default());
    log.owe_line_end(6);
    for _ in 0..2 {
        assert_eq!(log.append(b"next\n").unwrap(), 5);
    }
    assert_eq!(read(&file(&dir)), "one\ntw\nnext\nnext\n");
}

// Windows does not lengthen a file that is mapped; lines are appended there, and no space is
// reserved.
#[cfg(unix)]
#[test]
fn what_a_killed_mapping_writer_leaves_is_repaired_by_every_strategy() {
    for &strategy in Strategy::ALL {
        let dir = directory();
        let mut killed = sink(&file(&dir), Strategy::MemoryMapped);
        write_all(&mut *killed, b"one\n");
        drop(killed);
        let reserved = super::super::round_chunk(16 << 10) as u64;
        assert_eq!(fs::metadata(file(&dir)).unwrap().len(), reserved, "reserved space is left");
        let opened = build_after_drop(&file(&dir), strategy);
        assert_eq!(opened.found.recovered_nul_bytes, reserved - 4);
        assert_eq!(read(&file(&dir)), "one\n");
    }
}

#[cfg(unix)]
#[test]
fn a_line_end_that_the_opening_owed_goes_out_when_the_file_is_left() {
    let dir = directory();
    fs::write(file(&dir), "one\ntw").unwrap();
    let from = operations(|| sink(&file(&dir), Strategy::LineBuffered).close().unwrap()) - 1;
    fs::write(file(&dir), "one\ntw").unwrap();
    let (times, error) = (usize::MAX, libc::ENOSPC);
    let mut opened = None;
    failing(Plan { from, times, error, short: false, count: 0.into() }, || {
        opened = Some(build(&file(&dir), Strategy::LineBuffered).unwrap());
    });
    let mut opened = opened.unwrap();
    assert_eq!(read(&file(&dir)), "one\ntw");
    fs::rename(file(&dir), dir.path().join("older")).unwrap();
    let reopened = opened.sink.reopen(ReopenReason::Asked).unwrap();
    assert_eq!(reopened, Some(Reopened::default()), "it was counted when it was found");
    assert_eq!(read(&dir.path().join("older")), "one\ntw\n");
}
