//! Settings that cannot work, and those that are built otherwise than they were given.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::common::Target;
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
    writer.flush(crate::common::LIMIT).unwrap();
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")));
    // A thread of another test may end meanwhile.
    assert!(names.flatten().any(|name| name == "till-log\n"));
}

/// The options that a builder has: its public methods that give it back, in all these sources.
fn options_of(builder: &str, sources: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for source in sources {
        let text = source_of(source);
        let begin = format!("\nimpl {builder} {{\n");
        let blocks = text.split(&begin).skip(1);
        let blocks = blocks.map(|block| block.split("\n}\n").next().unwrap());
        for method in blocks.flat_map(|block| block.split("\n    pub fn ").skip(1)) {
            let (name, rest) = method.split_once('(').unwrap();
            if rest.split('{').next().unwrap().contains("-> Self") {
                found.insert(name.to_owned());
            }
        }
    }
    found
}

/// The options that a macro gives the builders of the adapters.
fn options_handed_on_by(source: &str) -> BTreeSet<String> {
    let text = source_of(source);
    let list = text.split("@each $field\n").nth(1).unwrap().split("\n        }").next().unwrap();
    list.lines()
        .filter_map(|line| line.strip_prefix("            ")?.split_once('('))
        .filter(|(name, _)| !name.contains(' '))
        .map(|(name, _)| name.to_owned())
        .collect()
}

fn source_of(path: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(path);
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_builders_of_the_adapters_have_every_option() {
    let options = options_of("WriterBuilder", &["builder.rs", "losses.rs"]);
    assert!(options.contains("loss_marker") && options.contains("strategy"), "{options:?}");
    assert_eq!(options, options_handed_on_by("options.rs"));
    let options = options_of("FormatBuilder", &["json/build.rs", "json/sequence.rs"]);
    assert!(options.contains("sequence") && options.contains("schema"), "{options:?}");
    assert_eq!(options, options_handed_on_by("json/options.rs"));
}
