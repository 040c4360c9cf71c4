//! Reads files of JSON lines and says what is wrong with them.
//!
//! [`Found`] is what stands there: records by source, gaps, broken lines, NULs. [`judge`] compares
//! it with what a run has promised: acknowledgements and counters.

mod json;
mod judge;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::ops::Range;
use std::path::Path;

pub use judge::{Ack, Allowed, Counts, judge};

/// How many findings of a kind are kept with their text; all are counted.
const KEPT: usize = 10;

/// The names of the fields that number records.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The field that tells sources apart, each with numbers of its own; `None` = all are one.
    pub source: Option<String>,
    /// The field with the number, which grows from record to record of a source.
    pub number: String,
}

impl Keys {
    /// Those of the program `torture`.
    pub fn of_torture() -> Keys {
        Keys { source: Some("t".into()), number: "s".into() }
    }
}

/// What stands in one or several files that follow each other.
#[derive(Debug, Default)]
pub struct Found {
    /// Lines with a number.
    pub records: u64,
    /// Whole lines without one: the writer's own.
    pub others: u64,
    /// Lines that are not one JSON object without repeated keys.
    pub broken: Findings,
    /// Numbers that do not grow.
    pub disorder: Findings,
    /// Bytes that are NUL, anywhere.
    pub nuls: u64,
    /// Those of them behind the last line of the last file: the reserve of a mapping.
    pub nul_tail: u64,
    /// The last file ends inside a line.
    pub torn_tail: bool,
    /// The numbers of each source.
    pub sources: BTreeMap<u64, Numbers>,
}

/// Things of one kind: how many, and the first few of them.
#[derive(Debug, Default)]
pub struct Findings {
    /// How many.
    pub count: u64,
    /// The first of them, in words.
    pub first: Vec<String>,
}

impl Findings {
    fn add(&mut self, finding: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < KEPT {
            self.first.push(finding());
        }
    }
}

/// The numbers of one source that were found.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Numbers {
    /// How many records.
    pub count: u64,
    /// The highest number.
    pub last: u64,
    /// The numbers that are missing in front of the last one, from zero on.
    pub missing: Vec<Range<u64>>,
}

impl Numbers {
    /// How many numbers up to and with `number` are missing.
    pub fn missing_up_to(&self, number: u64) -> u64 {
        let inside = |gap: &Range<u64>| gap.end.min(number + 1).saturating_sub(gap.start);
        let gaps: u64 = self.missing.iter().map(inside).sum();
        let never_came =
            if self.count == 0 { number + 1 } else { number.saturating_sub(self.last) };
        gaps + never_came
    }
}

impl Found {
    /// Reads one file.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn in_file(path: &Path, keys: &Keys) -> io::Result<Found> {
        let mut found = Found::default();
        found.read(path, keys)?;
        Ok(found)
    }

    /// Reads a further file, whose records follow those read before.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn read(&mut self, path: &Path, keys: &Keys) -> io::Result<()> {
        let mut reader = BufReader::with_capacity(1 << 20, File::open(path)?);
        let mut line = Vec::new();
        (self.nul_tail, self.torn_tail) = (0, false);
        for number in 1.. {
            line.clear();
            if reader.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            self.line(&line, keys, || format!("{} line {number}", path.display()));
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], keys: &Keys, place: impl Fn() -> String) {
        let nuls = line.iter().filter(|&&byte| byte == 0).count() as u64;
        self.nuls += nuls;
        let Some(text) = line.strip_suffix(b"\n") else {
            self.nul_tail = line.iter().rev().take_while(|&&byte| byte == 0).count() as u64;
            self.torn_tail = self.nul_tail < line.len() as u64;
            return;
        };
        match json::read(text, keys) {
            Ok(json::Place { source, number: Some(number) }) => {
                self.records += 1;
                self.count(source.unwrap_or(0), number, place);
            }
            Ok(_) => self.others += 1,
            Err(error) => self.broken.add(|| {
                let start = String::from_utf8_lossy(&text[..text.len().min(120)]);
                format!("{}: {error}: {start:?}", place())
            }),
        }
    }

    fn count(&mut self, source: u64, number: u64, place: impl Fn() -> String) {
        let numbers = self.sources.entry(source).or_default();
        let expected = if numbers.count == 0 { 0 } else { numbers.last + 1 };
        if number < expected {
            let last = numbers.last;
            self.disorder.add(|| format!("{}: {source}/{number} after {last}", place()));
            return;
        }
        if number > expected {
            numbers.missing.push(expected..number);
        }
        numbers.count += 1;
        numbers.last = number;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::single_range_in_vec_init)]

    use super::*;

    fn found(bytes: &[u8]) -> Found {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        Found::in_file(file.path(), &Keys::of_torture()).unwrap()
    }

    #[test]
    fn records_are_counted_by_source_and_gaps_are_seen() {
        let found =
            found(b"{\"t\":1,\"s\":0}\n{\"t\":2,\"s\":1}\n{\"t\":1,\"s\":3}\n{\"note\":1}\n");
        assert_eq!((found.records, found.others), (3, 1));
        assert_eq!(found.sources[&1], Numbers { count: 2, last: 3, missing: vec![1..3] });
        assert_eq!(found.sources[&2], Numbers { count: 1, last: 1, missing: vec![0..1] });
        assert_eq!(found.sources[&1].missing_up_to(1), 1);
        assert_eq!(found.sources[&1].missing_up_to(5), 4);
        assert_eq!(Numbers::default().missing_up_to(0), 1);
    }

    #[test]
    fn a_repeated_and_an_overtaken_record_are_disorder() {
        let found = found(b"{\"t\":1,\"s\":1}\n{\"t\":1,\"s\":1}\n{\"t\":1,\"s\":0}\n");
        assert_eq!(found.disorder.count, 2);
    }

    #[test]
    fn what_is_not_one_object_is_broken() {
        for line in [
            "",
            "1",
            "[]",
            "{\"s\":1",
            "{\"s\":1}{\"s\":2}",
            "{\"s\":1,\"s\":2}",
            "{\"s\":1,\"x\":{\"a\":1,\"\\u0061\":2}}",
            "\0\0{\"s\":1}",
            "{\"s\":-1}",
            "{\"s\":\"1\"}",
        ] {
            assert_eq!(found(format!("{line}\n").as_bytes()).broken.count, 1, "{line:?}");
        }
        assert_eq!(found(b"{\"s\":1,\"x\":[{\"a\":\"\\n\",\"b\":{}},null]}\n").broken.count, 0);
        assert_eq!(found(b"{\"s\":1,\"x\":\"\xff\"}\n").broken.count, 1);
    }

    #[test]
    fn a_torn_tail_and_a_tail_of_nuls_are_told_apart() {
        let tail = |bytes: &[u8]| {
            let found = found(bytes);
            (found.torn_tail, found.nul_tail, found.nuls)
        };
        assert_eq!(tail(b"{\"s\":1}\n"), (false, 0, 0));
        assert_eq!(tail(b"{\"s\":1}\n{\"s"), (true, 0, 0));
        assert_eq!(tail(b"{\"s\":1}\n\0\0"), (false, 2, 2));
        assert_eq!(tail(b"{\"s\":1}\n{\"\0\0"), (true, 2, 2));
        assert_eq!(tail(b"\0{\"s\":1}\n"), (false, 0, 1));
    }
}
