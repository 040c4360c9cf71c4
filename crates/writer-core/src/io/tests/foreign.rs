//! Others write to a file while it is mapped.

#![cfg(target_os = "linux")]

use std::os::unix::fs::FileExt;

use super::*;
use crate::Writer;
use crate::io::{ReopenReason, Reopened};
use Strategy::MemoryMapped;

const FIRST: &str = "{\"first\":1}\n";

/// What a program may write in place of a log: longer than that was.
fn histories() -> [String; 4] {
    let lines = |from: usize, to: usize| -> String {
        (from..to).map(|n| format!("{{\"history\":{n}}}\n")).collect()
    };
    [
        lines(0, 500),
        // The byte in front of the old end is a line end here too.
        FIRST.to_owned() + &lines(0, 500),
        format!("{}\n\n", "x".repeat(FIRST.len() - 1)),
        // Longer than what is reserved.
        lines(0, 5000),
    ]
}

#[test]
fn what_others_write_in_place_of_a_mapped_log_stays() {
    for history in histories() {
        for step in ["write", "idle", "sync", "close"] {
            let dir = directory();
            let mut sink = sink(&file(&dir), MemoryMapped);
            write_all(&mut *sink, FIRST.as_bytes());
            // Empties the file and writes it anew, as `cp` and editors do.
            fs::write(file(&dir), &history).unwrap();
            match step {
                "idle" => sink.idle().unwrap(),
                "sync" => sink.sync().unwrap(),
                _ => {}
            }
            let mut expected = history.clone();
            if step != "close" {
                write_all(&mut *sink, b"second\n");
                expected += "second\n";
            }
            sink.close().unwrap();
            assert!(read(&file(&dir)) == expected, "{step}, {} bytes", history.len());
        }
    }
}

#[test]
fn what_others_leave_unended_gets_a_line_end() {
    let dir = directory();
    let mut sink = sink(&file(&dir), MemoryMapped);
    write_all(&mut *sink, b"one\n");
    fs::write(file(&dir), "longer, and half a li").unwrap();
    write_all(&mut *sink, b"two\n");
    assert_eq!(
        sink.mended(),
        Reopened { torn_lines: 1, recovered_nul_bytes: 0, line_completed: false }
    );
    assert_eq!(sink.mended(), Reopened::default(), "told once");
    sink.close().unwrap();
    assert_eq!(read(&file(&dir)), "longer, and half a li\ntwo\n");
}

#[test]
fn what_is_mended_between_two_questions_adds_up() {
    let dir = directory();
    let mut sink = sink(&file(&dir), MemoryMapped);
    write_all(&mut *sink, b"one\n");
    for half in ["ha", "half"] {
        fs::write(file(&dir), format!("{half}\0\0\0")).unwrap();
        write_all(&mut *sink, b"two\n");
    }
    assert_eq!(
        sink.mended(),
        Reopened { torn_lines: 2, recovered_nul_bytes: 6, line_completed: false }
    );
    sink.close().unwrap();
    assert_eq!(read(&file(&dir)), "half\ntwo\n");
}

/// The look at the length.
const BEFORE_COPY: usize = 1;

/// The same, the mapping, the reservation, and making pages ready.
const BEFORE_FIRST_COPY: usize = 4;

/// Has the copy of lines fail, which so many operations come before.
fn fail_to_copy(sink: &mut dyn Sink, lines: &[u8], before: usize) {
    let plan = Plan { from: before, times: 1, error: libc::EIO, short: false, count: 0.into() };
    failing(plan, || drop(sink.write(lines, false).unwrap_err()));
}

/// The system may copy the front of the lines before it comes to a page that was cut off.
#[test]
fn what_a_copy_that_failed_has_left_is_not_what_others_wrote() {
    let parts: [&[&str]; 2] = [&["two\nthree\n"], &["two\n", "three\n"]];
    for (first, before) in [("", BEFORE_FIRST_COPY), ("one\n", BEFORE_COPY)] {
        for (last, parts) in parts.iter().filter_map(|parts| parts.split_last()) {
            let dir = directory();
            let mut sink = sink(&file(&dir), MemoryMapped);
            write_all(&mut *sink, first.as_bytes());
            fail_to_copy(&mut *sink, b"two\nthree\n", before);
            let half_copied = fs::File::options().write(true).open(file(&dir)).unwrap();
            half_copied.write_all_at(b"two\nth", first.len() as u64).unwrap();
            // As on a disk that is full, the lines may come in parts after that.
            parts.iter().for_each(|part| write_all(&mut *sink, part.as_bytes()));
            half_copied.set_len(4096).unwrap();
            write_all(&mut *sink, last.as_bytes());
            assert_eq!(sink.mended(), Reopened::default());
            sink.close().unwrap();
            assert_eq!(read(&file(&dir)), format!("{first}two\nthree\n"));
        }
    }
}

#[test]
fn what_others_write_stays_also_where_lines_once_reached_further() {
    let [_, history, ..] = histories();
    let long = numbered(0, 200);
    assert!(long.len() > history.len());
    for how in ["emptied", "failed", "left"] {
        let dir = directory();
        let mut sink = sink(&file(&dir), MemoryMapped);
        if how == "failed" {
            fail_to_copy(&mut *sink, &long, BEFORE_FIRST_COPY);
            sink.idle().unwrap();
        } else {
            write_all(&mut *sink, &long);
        }
        match how {
            "emptied" => fs::write(file(&dir), "").unwrap(),
            "left" => {
                fs::rename(file(&dir), dir.path().join("old")).unwrap();
                assert!(sink.reopen(ReopenReason::Asked).unwrap().is_some());
            }
            _ => {}
        }
        write_all(&mut *sink, FIRST.as_bytes());
        fs::write(file(&dir), &history).unwrap();
        write_all(&mut *sink, b"second\n");
        sink.close().unwrap();
        assert!(read(&file(&dir)) == history.clone() + "second\n", "{how}");
    }
}

#[test]
fn what_is_mended_in_a_file_that_others_change_is_counted() {
    for synchronous in [false, true] {
        let dir = directory();
        let builder = Writer::builder(file(&dir)).strategy(MemoryMapped);
        let (writer, guard) = builder.synchronous(synchronous).build().unwrap();
        let found = || (writer.metrics().recovered_nul_bytes, writer.metrics().torn_lines);
        let send = |line: &str| {
            writer.send(line).unwrap();
            writer.flush(LIMIT).unwrap();
        };
        let stretch = |len| {
            let file = fs::File::options().write(true).open(file(&dir)).unwrap();
            file.set_len(len).unwrap();
        };
        send("one");
        stretch(64 << 20);
        send("two");
        assert_eq!(found(), ((64 << 20) - 4, 0));
        fs::write(file(&dir), "half").unwrap();
        writer.sync(LIMIT).unwrap();
        assert_eq!(found(), ((64 << 20) - 4, 1));
        send("three");
        stretch(64 << 20);
        guard.shutdown(LIMIT).unwrap();
        assert_eq!(found(), ((128 << 20) - 4 - 11, 1));
        assert_eq!(read(&file(&dir)), "half\nthree\n");
        assert_eq!(writer.metrics().reopened, 0);
    }
}
