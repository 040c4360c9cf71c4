//! Acceptance cases: how bytes reach the file.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::common::{
    self, LIMIT, NEVER, Target, TestSink, assert_ended, eventually, numbered, send_numbered,
    strategies_and_modes,
};
use writer_core::{Mode, Strategy, Writer};

#[test]
fn a_13_line_buffered_writes_two_lines() {
    let target = Target::new();
    let (writer, guard) = target.builder().strategy(Strategy::LineBuffered).build().unwrap();
    send_numbered(&writer, 1..3);
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(target.bytes(), b"line 1\nline 2\n");
    assert_eq!(writer.metrics().written, 2);
}

#[test]
fn a_14_line_buffered_writes_in_each_mode() {
    for &mode in Mode::ALL {
        let target = Target::new();
        let (writer, guard) =
            target.builder().strategy(Strategy::LineBuffered).mode(mode).build().unwrap();
        for i in 0..10 {
            send_numbered(&writer, i..i + 1);
            writer.trigger();
        }
        eventually(format!("10 lines while {mode} runs"), || target.count_so_far() == 10);
        guard.shutdown(LIMIT).unwrap();
        assert_eq!(target.lines(), numbered(0..10), "{mode}");
        assert_eq!(writer.metrics().written, 10, "{mode}");
    }
}

#[test]
fn a_15_block_buffered_writes_a_thousand_lines() {
    let target = Target::new();
    let (writer, guard) = target.builder().build().unwrap();
    send_numbered(&writer, 0..1000);
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(target.lines(), numbered(0..1000));
    assert_eq!(writer.metrics().written, 1000);
}

#[test]
fn a_16_a_mapped_file_ends_with_its_last_line() {
    let target = Target::new();
    let (writer, guard) = target.builder().strategy(Strategy::MemoryMapped).build().unwrap();
    send_numbered(&writer, 0..100);
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(target.lines(), numbered(0..100));
    assert_eq!(target.len(), writer.metrics().bytes_written);
}

#[test]
fn a_17_the_builder_yields_what_it_is_told() {
    for (strategy, mode) in strategies_and_modes() {
        let target = Target::new();
        let (writer, _guard) = target.builder().strategy(strategy).mode(mode).build().unwrap();
        assert_eq!((writer.config().strategy, writer.config().mode), (strategy, mode));
    }
    let target = Target::new();
    let (writer, _guard) = Writer::builder(&target.path).build().unwrap();
    assert_eq!(
        (writer.config().strategy, writer.config().mode),
        (Strategy::BlockBuffered, Mode::Trigger)
    );
    assert_eq!((Strategy::default(), Mode::default()), (Strategy::BlockBuffered, Mode::Trigger));
}

#[test]
fn a_18_one_line_with_each_strategy_and_mode() {
    for (strategy, mode) in strategies_and_modes() {
        let target = Target::new();
        let (writer, guard) = target.builder().strategy(strategy).mode(mode).build().unwrap();
        writer.send("the line").unwrap();
        guard.shutdown(LIMIT).unwrap();
        assert_eq!(target.bytes(), b"the line\n", "{strategy} + {mode}");
    }
}

#[test]
fn a_19_a_full_batch_with_each_strategy_and_mode() {
    for (strategy, mode) in strategies_and_modes() {
        let target = Target::new();
        let (writer, guard) =
            target.builder().strategy(strategy).mode(mode).batch_size(10).build().unwrap();
        send_numbered(&writer, 0..10);
        guard.shutdown(LIMIT).unwrap();
        assert_eq!(target.lines(), numbered(0..10), "{strategy} + {mode}");
    }
}

#[test]
fn a_20_a_mapping_holds_a_hundred_thousand_lines_every_time() {
    let expected = numbered(0..100_000).join("\n") + "\n";
    assert_eq!(expected.len(), 1_088_890);
    for round in 0..20 {
        let target = Target::new();
        let (writer, guard) = target.builder().strategy(Strategy::MemoryMapped).build().unwrap();
        for line in expected.split_terminator('\n') {
            writer.send(line).unwrap();
        }
        guard.shutdown(LIMIT).unwrap();
        assert_eq!(target.len(), 1_088_890, "round {round}");
        assert!(target.bytes() == expected.as_bytes(), "round {round}");
    }
}

#[test]
fn a_21_a_mapping_grows_over_many_chunks() {
    let target = Target::new();
    let (writer, guard) =
        target.builder().strategy(Strategy::MemoryMapped).mmap_chunk(1 << 20).build().unwrap();
    // A length that divides no page and no chunk.
    let filler = "x".repeat(4_093 - 8);
    let count = (40 << 20) / 4_093 + 1;
    let mut expected = Vec::new();
    for i in 0..count {
        let line = format!("{i:07} {filler}\n");
        writer.send(&line).unwrap();
        expected.extend_from_slice(line.as_bytes());
    }
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(target.len(), expected.len() as u64);
    assert!(target.bytes() == expected);
    assert_eq!(writer.metrics().errors, 0);
    assert_ended(&writer.metrics(), count);
}

#[test]
fn a_22_an_old_file_is_appended_to_or_emptied() {
    for &strategy in Strategy::ALL {
        let target = Target::new();
        for (truncate, expected) in [(false, "old\nnew\n"), (true, "new\n")] {
            std::fs::write(&target.path, "old\n").unwrap();
            let (writer, guard) =
                target.builder().strategy(strategy).truncate(truncate).build().unwrap();
            writer.send("new").unwrap();
            drop(guard);
            assert_eq!(target.bytes(), expected.as_bytes(), "{strategy}");
        }
    }
}

#[test]
fn a_23_the_reserved_tail_of_a_crashed_mapping_is_cut() {
    for &strategy in Strategy::ALL {
        let target = Target::new();
        let crashed = [&b"good\n"[..], &[0; 1000]].concat();
        std::fs::write(&target.path, crashed).unwrap();
        let (writer, guard) = target.builder().strategy(strategy).build().unwrap();
        writer.send("x").unwrap();
        drop(guard);
        assert_eq!(target.bytes(), b"good\nx\n", "{strategy}");
        assert_eq!(writer.metrics().recovered_nul_bytes, 1000, "{strategy}");
    }
}

#[test]
fn a_23_a_torn_last_line_is_closed() {
    for &strategy in Strategy::ALL {
        let target = Target::new();
        std::fs::write(&target.path, b"good\nto").unwrap();
        let (writer, guard) = target.builder().strategy(strategy).build().unwrap();
        writer.send("x").unwrap();
        drop(guard);
        assert_eq!(target.bytes(), b"good\nto\nx\n", "{strategy}");
        assert_eq!(writer.metrics().torn_lines, 1, "{strategy}");
    }
}

/// What reaches a sink; that the file gets the same is shown with a tracer of system calls, among
/// the tests of `writer-torture`.
#[test]
fn a_24_a_sink_is_offered_whole_lines() {
    let (sink, record) = TestSink::recording();
    let (writer, guard) = Writer::to(sink).build().unwrap();
    common::send_from_threads(&writer, 4, 2_000);
    guard.shutdown(LIMIT).unwrap();
    let calls = record.calls();
    assert!(calls.iter().all(|(lines, _)| lines.ends_with(b"\n")));
    assert_eq!(record.lines().len(), 8_000);
}

/// Some file systems show a write page by page while it is under way. No line stands on two pages
/// here: so no look at the file may end within one, however short the moment.
#[test]
fn a_24_a_reader_never_sees_a_torn_line() {
    const LINE: usize = 16;
    let target = Arc::new(Target::new());
    let (writer, guard) = target.builder().strategy(Strategy::LineBuffered).build().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let reader = {
        let (target, stop) = (Arc::clone(&target), Arc::clone(&stop));
        thread::spawn(move || {
            let mut looks = 0;
            while looks < 3 || !stop.load(Ordering::Relaxed) {
                let bytes = target.bytes();
                let half = bytes.len() % LINE;
                assert_eq!(half, 0, "a look ends within {:?}", &bytes[bytes.len() - half..]);
                assert!(bytes.chunks(LINE).all(|line| line.ends_with(b"\n")));
                looks += 1;
            }
        })
    };
    let senders: Vec<_> = (0..4)
        .map(|t| {
            let writer = writer.clone();
            thread::spawn(move || {
                for i in 0..5_000 {
                    let line = format!("t{t} {i:0width$}", width = LINE - 4);
                    assert_eq!(writer.send(line), Ok(true));
                }
            })
        })
        .collect();
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    guard.shutdown(LIMIT).unwrap();
    stop.store(true, Ordering::Relaxed);
    reader.join().unwrap();
    assert_eq!(target.lines().len(), 20_000);
}

#[test]
fn a_24_a_line_goes_out_at_once_whatever_batch_and_interval_say() {
    let target = Target::new();
    let (writer, _guard) = target
        .builder()
        .strategy(Strategy::LineBuffered)
        .batch_size(10_000)
        .flush_interval(NEVER)
        .build()
        .unwrap();
    for i in 1..=20 {
        writer.send("now").unwrap();
        eventually("the line is readable", || target.count_so_far() == i);
    }
}

#[cfg(unix)]
#[test]
fn a_25_a_thousand_flushes_open_the_file_once() {
    let target = Target::new();
    let moved = target.folder().join("moved");
    // Else the worker looks for the file by its name, after a second.
    let (writer, guard) = target.builder().follow_path(false).build().unwrap();
    for i in 0..1000 {
        send_numbered(&writer, i..i + 1);
        writer.flush(LIMIT).unwrap();
        if i == 10 {
            std::fs::rename(&target.path, &moved).unwrap();
        }
    }
    assert_eq!(writer.metrics().flush_count, 1000);
    guard.shutdown(LIMIT).unwrap();
    assert!(!target.path.exists(), "somebody opened the path again");
    assert_eq!(common::lines_of(&std::fs::read(&moved).unwrap()), numbered(0..1000));
}

#[test]
fn a_26_a_newline_is_added_only_where_there_is_none() {
    for &strategy in Strategy::ALL {
        let target = Target::new();
        let (writer, guard) = target.builder().strategy(strategy).build().unwrap();
        for line in ["a\n", "b", ""] {
            writer.send(line).unwrap();
        }
        guard.shutdown(LIMIT).unwrap();
        assert_eq!(target.bytes(), b"a\nb\n\n", "{strategy}");
        assert_eq!(writer.metrics().written, 3, "{strategy}");
    }
}

#[test]
fn a_26_inner_newlines_stay_and_count_as_one_line() {
    let target = Target::new();
    let (writer, guard) = target.builder().build().unwrap();
    writer.send("a\nb\r\n\nc").unwrap();
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(target.bytes(), b"a\nb\r\n\nc\n");
    assert_eq!((writer.metrics().sent, writer.metrics().written), (1, 1));
}

#[test]
fn a_27_folders_are_made_and_a_folder_is_no_file() {
    for &strategy in Strategy::ALL {
        let target = Target::new();
        let deep = target.folder().join("a/b/c.jsonl");
        let (writer, guard) = Writer::builder(&deep).strategy(strategy).build().unwrap();
        writer.send("x").unwrap();
        drop(guard);
        assert_eq!(std::fs::read(&deep).unwrap(), b"x\n", "{strategy}");

        let folder = target.folder().join("a");
        let error = Writer::builder(&folder).strategy(strategy).build().unwrap_err();
        assert!(error.to_string().contains("a\""), "{error} names the path");

        let nowhere = target.folder().join("none/c.jsonl");
        Writer::builder(&nowhere).strategy(strategy).create_dirs(false).build().unwrap_err();
        assert!(!target.folder().join("none").exists(), "nothing is left behind");
    }
}

#[test]
fn an_unused_writer_leaves_an_empty_file() {
    for (strategy, mode) in strategies_and_modes() {
        let target = Target::new();
        let (_writer, guard) = target.builder().strategy(strategy).mode(mode).build().unwrap();
        drop(guard);
        assert_eq!(target.len(), 0, "{strategy} + {mode}");
    }
}
