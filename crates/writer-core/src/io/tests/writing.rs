//! What the strategies hold back, and foreign targets.

use std::io::{self, Write};

use super::*;
use crate::io::{WriteSink, round_chunk};

#[test]
fn all_strategies_leave_the_same_bytes() {
    let lines = numbered(0, 3000);
    for &strategy in Strategy::ALL {
        let dir = directory();
        let mut sink = sink(&file(&dir), strategy);
        let mut rest = &lines[..];
        let mut step = 1;
        while !rest.is_empty() {
            let cut = rest.iter().enumerate().filter(|(_, b)| **b == b'\n').nth(step % 50);
            let slice = &rest[..cut.map_or(rest.len(), |(at, _)| at + 1)];
            let taken = sink.write(slice, slice.len() < rest.len()).unwrap();
            rest = &rest[taken..];
            step += 7;
        }
        sink.flush().unwrap();
        sink.close().unwrap();
        assert!(fs::read(file(&dir)).unwrap() == lines, "{strategy}");
    }
}

#[test]
fn line_buffered_holds_nothing_back() {
    let dir = directory();
    let mut sink = sink(&file(&dir), Strategy::LineBuffered);
    assert_eq!(sink.write(b"one\n", true).unwrap(), 4);
    assert_eq!(read(&file(&dir)), "one\n");
}

#[test]
fn block_buffered_holds_back_less_than_a_block_while_more_waits() {
    let dir = directory();
    let mut sink = sink(&file(&dir), Strategy::BlockBuffered);
    let line = format!("{}\n", "x".repeat(1022));
    assert_eq!(sink.write(line.as_bytes(), true).unwrap(), 0);
    assert_eq!(read(&file(&dir)), "");
    let block = format!("x{line}");
    assert_eq!(sink.write(block.as_bytes(), true).unwrap(), 1024);
    assert_eq!(sink.write(b"rest\n", false).unwrap(), 5);
    assert_eq!(read(&file(&dir)), format!("{block}rest\n"));
}

#[test]
fn every_strategy_can_be_synced() {
    for &strategy in Strategy::ALL {
        let dir = directory();
        let mut sink = sink(&file(&dir), strategy);
        sink.sync().unwrap();
        write_all(&mut *sink, b"one\n");
        sink.sync().unwrap();
        assert_eq!(read(&file(&dir)), "one\n");
    }
}

/// Takes three bytes at a time and remembers whether it was flushed.
#[derive(Default)]
struct Slow {
    taken: Vec<u8>,
    flushes: usize,
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len().min(3);
        self.taken.extend_from_slice(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushes += 1;
        Ok(())
    }
}

#[test]
fn a_foreign_target_gets_partial_writes_and_is_flushed() {
    let mut sink = WriteSink::new(Slow::default());
    assert_eq!(sink.write(b"abcdef\n", true).unwrap(), 3);
    write_all(&mut sink, b"def\n");
    Sink::flush(&mut sink).unwrap();
    assert_eq!(sink.sync().unwrap_err().kind(), io::ErrorKind::Unsupported);
    sink.close().unwrap();
    assert_eq!(sink.get_ref().flushes, 3);
    assert_eq!(sink.into_inner().taken, b"abcdef\n");
}

#[test]
fn the_mapping_step_is_rounded_up_to_pages() {
    let page = round_chunk(1);
    assert!(page.is_power_of_two() && page >= 4096);
    assert_eq!(round_chunk(0), page);
    assert_eq!(round_chunk(page), page);
    assert_eq!(round_chunk(page + 1), 2 * page);
    assert_eq!(round_chunk(usize::MAX), 1 << 30);
}

#[test]
fn a_config_without_a_path_is_refused() {
    assert!(matches!(refusal(&Config::default()), BuildError::InvalidOption { .. }));
}
