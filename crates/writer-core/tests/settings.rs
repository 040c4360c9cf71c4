//! Settings that cannot work, and those that are built otherwise than they were given.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::Target;
use writer_core::{BuildError, Mode, Strategy, WriterBuilder};

#[test]
fn settings_that_cannot_work_are_refused_before_a_file_is_made() {
    type Set = fn(WriterBuilder) -> WriterBuilder;
    let settings: [(&str, Set); 5] = [
        ("tick", |builder| builder.tick(Duration::ZERO)),
        ("block_size", |builder| builder.block_size(0)),
        ("mmap_chunk", |builder| builder.mmap_chunk(0)),
        ("permissions", |builder| builder.permissions(0o1000)),
        ("thread_name", |builder| builder.thread_name("a\0b")),
    ];
    for (name, set) in settings {
        let target = Target::new();
        match set(target.builder()).build() {
            Err(BuildError::InvalidOption { option, .. }) => assert_eq!(option, name),
            other => panic!("{name}: {other:?}"),
        }
        assert!(!target.path.exists(), "{name}");
    }
}

#[test]
fn sizes_beyond_the_largest_are_reduced_to_it() {
    let target = Target::new();
    let builder = target.builder().block_size(usize::MAX).mmap_chunk(usize::MAX);
    let (writer, _guard) = builder.build().unwrap();
    let config = writer.config();
    assert_eq!((config.block_size, config.mmap_chunk), (1 << 20, 1 << 30));
}

#[test]
fn the_interval_of_lines_that_go_out_at_once_is_zero() {
    let given = Duration::from_secs(1);
    for &strategy in Strategy::ALL {
        for &mode in Mode::ALL {
            let target = Target::new();
            let builder = target.builder().strategy(strategy).mode(mode).flush_interval(given);
            let (writer, _guard) = builder.build().unwrap();
            let at_once = strategy == Strategy::LineBuffered && mode == Mode::Trigger;
            let expected = if at_once { Duration::ZERO } else { given };
            assert_eq!(writer.config().flush_interval, Some(expected), "{strategy} {mode}");
        }
    }
}

/// By its name an operator finds it in `top`.
#[test]
#[cfg(target_os = "linux")]
fn the_worker_has_the_name_that_it_was_given() {
    let target = Target::new();
    let (writer, _guard) = target.builder().thread_name("till-log").build().unwrap();
    writer.send("x").unwrap();
    writer.flush(common::LIMIT).unwrap();
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")));
    // A thread of another test may end meanwhile.
    assert!(names.flatten().any(|name| name == "till-log\n"));
}
