//! The same behaviour with every strategy, mode and queue policy.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use crate::common::{
    self, Combination, LIMIT, NEVER, Target, assert_ended, assert_snapshot, assert_subsequence,
    combinations, for_each, numbered, of_thread, send_from_threads, send_numbered,
};
use writer_core::{Mode, QueuePolicy};

/// The files at and below a path of the sources, except those named.
fn sources(path: &Path, except: &[&str], found: &mut Vec<PathBuf>) {
    if path.is_file() {
        found.push(path.to_owned());
        return;
    }
    for entry in std::fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        if !except.iter().any(|name| entry.file_name() == *name) {
            sources(&entry.path(), except, found);
        }
    }
}

#[test]
fn no_piece_of_one_axis_names_another_axis() {
    let pieces: [(&[&str], &[&str], &[&str]); 4] = [
        (&["worker.rs", "worker", "delivery.rs"], &[], &["Strategy", "QueuePolicy"]),
        (&["queue.rs", "queue", "chunk.rs"], &[], &["Mode", "Strategy"]),
        (&["admit.rs"], &[], &["Mode", "Strategy"]),
        // Where a strategy is chosen and its file is opened.
        (&["io"], &["mod.rs", "open.rs", "tests"], &["Mode", "Strategy", "QueuePolicy"]),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (paths, except, axes) in pieces {
        let mut files = Vec::new();
        paths.iter().for_each(|path| sources(&folder.join(path), except, &mut files));
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let words =
                code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
            let named: Vec<_> = words.filter(|word| axes.contains(word)).collect();
            assert!(named.is_empty(), "{}: {named:?}", file.display());
        }
    }
}

#[test]
fn the_table_has_36_different_rows() {
    let labels: std::collections::HashSet<_> = combinations().map(|c| c.to_string()).collect();
    assert_eq!(labels.len(), 36);
}

#[test]
fn sends_and_a_shutdown_leave_exactly_these_lines() {
    for_each(combinations(), |c| {
        let target = Target::new();
        let (writer, guard) = c.builder(&target).build().unwrap();
        send_numbered(&writer, 0..250);
        guard.shutdown(LIMIT).unwrap();
        assert_eq!(target.lines(), numbered(0..250));
        let m = writer.metrics();
        assert_ended(&m, 250);
        assert_eq!((m.sent, m.enqueued, m.written), (250, 250, 250));
        assert_eq!((m.errors, m.lost, m.dropped), (0, 0, 0));
        assert_eq!(m.bytes_written, target.len());
        assert!(!writer.is_running());
    });
}

#[test]
fn each_thread_keeps_its_order() {
    for_each(combinations(), |c| {
        let target = Target::new();
        let (writer, guard) = c.builder(&target).build().unwrap();
        let accepted = send_from_threads(&writer, 4, 150);
        guard.shutdown(LIMIT).unwrap();
        let lines = target.lines();
        assert_eq!(lines.len(), 600);
        for (t, accepted) in accepted.iter().enumerate() {
            assert_eq!(accepted.len(), 150);
            assert_eq!(&of_thread(&lines, t), accepted);
        }
        let m = writer.metrics();
        assert_ended(&m, 600);
        assert_eq!((m.sent, m.written), (600, 600));
    });
}

#[test]
fn a_queue_that_overflows_keeps_what_its_policy_promises() {
    for_each(combinations(), |c| {
        let target = Target::new();
        let reported = Arc::new(AtomicU64::new(0));
        let adds_up = Arc::clone(&reported);
        let (writer, guard) = c
            .builder(&target)
            .max_queue_size(7)
            .batch_size(3)
            .on_drop(move |lines| {
                adds_up.fetch_add(lines, Ordering::Relaxed);
            })
            .build()
            .unwrap();
        let accepted = send_from_threads(&writer, 4, 200);
        guard.shutdown(LIMIT).unwrap();

        let lines = target.lines();
        let m = writer.metrics();
        assert_ended(&m, 800);
        assert_eq!((m.sent, m.rejected, m.lost, m.errors), (800, 0, 0, 0));
        assert_eq!(m.written, lines.len() as u64);
        assert_eq!(m.bytes_written, target.len());
        assert_eq!(reported.load(Ordering::Relaxed), m.dropped);
        assert!(m.high_water <= 7, "{}", m.high_water);
        for (t, accepted) in accepted.iter().enumerate() {
            let written = of_thread(&lines, t);
            if c.policy == QueuePolicy::DropOldest {
                assert_eq!(accepted.len(), 200);
                assert_subsequence(&written, accepted);
            } else {
                assert_eq!(&written, accepted);
            }
        }
        match c.policy {
            QueuePolicy::Block => assert_eq!((m.written, m.dropped), (800, 0)),
            QueuePolicy::DropOldest => assert_eq!((m.enqueued, m.refused), (800, 0)),
            _ => assert_eq!(m.evicted, 0),
        }
        if c.mode == Mode::Manual && c.policy != QueuePolicy::Block {
            assert_eq!(lines.len(), 7, "nobody triggered: one queue is what is left");
        }
    });
}

#[test]
fn a_flush_under_load_means_written() {
    for_each(combinations(), |c| {
        let target = Target::new();
        let (writer, guard) =
            c.builder(&target).max_queue_size(50).on_drop(|_| {}).build().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let load = {
            let (writer, stop) = (writer.clone(), Arc::clone(&stop));
            thread::spawn(move || {
                let mut sent = 0;
                while !stop.load(Ordering::Relaxed) {
                    writer.send("load").unwrap();
                    sent += 1;
                }
                sent
            })
        };
        let mut seen = 0;
        for i in 0..5 {
            let marker = format!("marker {i}");
            let evicted = writer.metrics().evicted;
            let accepted = writer.send(&marker).unwrap();
            writer.flush(LIMIT).unwrap();
            let bytes = target.bytes_so_far();
            let news = std::str::from_utf8(&bytes[seen..]).unwrap();
            let found = news.split_terminator('\n').any(|line| line == marker);
            let may_be_evicted =
                c.policy == QueuePolicy::DropOldest && writer.metrics().evicted > evicted;
            assert!(found == accepted || may_be_evicted, "{marker}, accepted: {accepted}");
            seen = bytes.len();
            assert_snapshot(&writer.metrics());
        }
        stop.store(true, Ordering::Relaxed);
        let load: usize = load.join().unwrap();
        guard.shutdown(LIMIT).unwrap();
        assert_ended(&writer.metrics(), load + 5);
        assert_eq!(target.lines().len() as u64, writer.metrics().written);
    });
}

#[test]
fn a_dropped_guard_writes_everything_without_a_trigger() {
    for_each(combinations(), |c| {
        let target = Target::new();
        let (writer, guard) = c.builder(&target).batch_size(0).no_flush_interval().build().unwrap();
        send_numbered(&writer, 0..30);
        drop(guard);
        assert_eq!(target.lines(), numbered(0..30));
        assert_ended(&writer.metrics(), 30);
    });
}

#[test]
fn lines_after_a_trigger_or_without_one_arrive_while_the_writer_runs() {
    for_each(combinations(), |c| {
        let target = Target::new();
        let (writer, guard) = c.builder(&target).build().unwrap();
        send_numbered(&writer, 0..5);
        writer.trigger();
        common::eventually("5 lines in the file", || target.count_so_far() == 5);
        eventually_counted(&writer, 5);
        drop(guard);
        assert_eq!(target.lines(), numbered(0..5));
    });
}

fn eventually_counted(writer: &writer_core::Writer, lines: u64) {
    common::eventually("written counted", || writer.metrics().written == lines);
}

#[test]
fn manual_with_five_places_and_twenty_sends_keeps_the_right_five() {
    let manual = |c: &Combination| c.mode == Mode::Manual;
    for_each(combinations().filter(manual), |c| {
        let target = Target::new();
        let (writer, guard) = c
            .builder(&target)
            .max_queue_size(5)
            .flush_interval(NEVER)
            .on_drop(|_| {})
            .build()
            .unwrap();
        let accepted: Vec<bool> =
            (0..20).map(|i| writer.send(format!("line {i}")).unwrap()).collect();
        drop(guard);
        let m = writer.metrics();
        assert_ended(&m, 20);
        let kept = match c.policy {
            QueuePolicy::Block => 0..20,
            QueuePolicy::DropOldest => 15..20,
            _ => 0..5,
        };
        assert_eq!(target.lines(), numbered(kept.clone()));
        let all_taken = matches!(c.policy, QueuePolicy::Block | QueuePolicy::DropOldest);
        assert!((0..20).all(|i| accepted[i] == (all_taken || i < 5)), "{accepted:?}");
        assert_eq!(m.dropped, 20 - kept.len() as u64);
    });
}
