//! The process is killed: whatever a flush has acknowledged is in the file.

use std::fs;
use std::io::{BufRead, BufReader};
use std::time::Duration;

use writer_core::{Strategy, Writer};

use crate::Test;
use crate::child::{self, Args, Role, line, say};

pub(crate) const TESTS: &[Test] = &[
    ("kill::line_buffered_keeps_what_was_flushed", || kill_often(Strategy::LineBuffered)),
    ("kill::block_buffered_keeps_what_was_flushed", || kill_often(Strategy::BlockBuffered)),
    ("kill::memory_mapped_keeps_what_was_flushed", || kill_often(Strategy::MemoryMapped)),
];

const LINES_PER_FLUSH: usize = 100;

fn kill_often(strategy: Strategy) {
    for _ in 0..if child::full() { 10 } else { 1 } {
        kill_on_one_file(strategy);
    }
}

fn kill_on_one_file(strategy: Strategy) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut broken = 0;
    let mut kept = Vec::new();
    for round in 0..20 {
        let source = format!("round {round}");
        let args: &[(&str, &dyn std::fmt::Display)] =
            &[("strategy", &strategy), ("source", &source), ("path", &path.display())];
        let acknowledged = kill_one(args, Duration::from_millis(5 + random() % 100));
        // What an earlier process left stays as it was, byte for byte.
        let bytes = fs::read(&path).unwrap();
        assert!(bytes.starts_with(&kept));
        assert_lines_are_there(&bytes[kept.len()..], &source, acknowledged);
        let fragment = fragment(&bytes);

        let (writer, guard) = Writer::builder(&path).strategy(strategy).build().unwrap();
        let torn = writer.metrics().torn_lines;
        drop(guard);
        assert_eq!(torn, u64::from(!fragment.is_empty()));
        // Only the newline may be missing: closed off, such a fragment is the line that it was.
        broken += u64::from(torn == 1 && !is_whole(fragment));
        kept = fs::read(&path).unwrap();
        assert!(!kept.contains(&0), "NULs after opening anew");
        assert!(kept.is_empty() || kept.ends_with(b"\n"));
    }
    let lines = kept.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    assert_eq!(lines.filter(|line| !is_whole(line)).count() as u64, broken);
}

/// What follows the last newline, without the NULs of a mapping that was not cut to its length.
fn fragment(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    &bytes[start..written.max(start)]
}

fn is_whole(line: &[u8]) -> bool {
    line.starts_with(b"{\"source\":\"round ") && line.ends_with(b"fox\"}")
}

/// Starts a role, kills it after a while, and returns the number of lines it said were written.
fn kill_one(args: &[(&str, &dyn std::fmt::Display)], after: Duration) -> usize {
    let mut role = Role::start("kill", args);
    let mut said = BufReader::new(role.child.stdout.take().unwrap()).lines();
    assert_eq!(said.next().unwrap().unwrap(), "ready");
    let pid = role.child.id();
    let killer = std::thread::spawn(move || {
        std::thread::sleep(after);
        // SAFETY: the process is not waited for yet, so the number is still its own.
        unsafe { libc::kill(pid as i32, libc::SIGKILL) };
    });
    let acknowledged = said.map_while(Result::ok).filter_map(|word| word.parse().ok()).last();
    killer.join().unwrap();
    role.child.wait().unwrap();
    acknowledged.unwrap_or(0)
}

/// Panics unless all acknowledged lines are whole in what a killed process wrote.
#[track_caller]
fn assert_lines_are_there(bytes: &[u8], source: &str, acknowledged: usize) {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let text = std::str::from_utf8(&bytes[..end]).unwrap();
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    let numbers = child::numbers(&lines, source);
    child::assert_gapless(&numbers);
    assert_eq!(numbers.len(), lines.len());
    assert!(numbers.len() >= acknowledged, "{} of {acknowledged} lines", numbers.len());
}

/// A number that differs from call to call.
fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}

pub(crate) fn play(args: &Args) {
    let (writer, guard) = Writer::builder(args.path())
        .strategy(args.parse("strategy"))
        .mmap_chunk(64 << 10)
        .build()
        .unwrap();
    let source = args.text("source");
    say("ready");
    for number in 0.. {
        assert_eq!(writer.send(line(source, number)), Ok(true));
        if (number + 1) % LINES_PER_FLUSH == 0 && writer.flush(Duration::from_secs(60)).is_ok() {
            say(number + 1);
        }
    }
    drop(guard);
}
