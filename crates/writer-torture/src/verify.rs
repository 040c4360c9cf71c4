//! Reads the files of a run and says what is wrong with them.
//!
//! Whether lines are whole and which numbers are missing is checked by what `writer verify` does
//! for users: [`Integrity`] and [`Sequence`]. Added is what only a test can ask for, as it knows
//! what it sent: [`Found`] tells sources apart, each of whose numbers must grow from line to line,
//! and [`judge()`] compares it with what the run has promised, acknowledgements and counters.

mod judge;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;

use writer_cli::integrity::Integrity;
use writer_cli::json::Members;
use writer_cli::record::Record;
use writer_cli::sequence::Sequence;

pub use judge::{Ack, Allowed, Counts, judge};

/// The field that tells sources apart, and that of the number, which begins at 0 and grows from
/// record to record of a source.
const SOURCE: &str = "t";
const NUMBER: &str = "s";

/// How many findings of a kind are kept with their text; all are counted.
const KEPT: usize = 10;

/// What stands in one or several files that follow each other.
#[derive(Debug, Default)]
pub struct Found {
    /// The lines as lines.
    pub integrity: Integrity,
    /// Lines with a number.
    pub records: u64,
    /// Whole lines without one, which are no loss markers.
    pub others: u64,
    /// Loss markers, and how many lines they say were dropped.
    pub markers: u64,
    /// See there.
    pub told: u64,
    /// Numbers that came before, or are none.
    pub disorder: Findings,
    /// Numbers that come behind higher ones.
    pub late: Findings,
    /// The numbers of each source, counted from 1 on.
    pub sources: BTreeMap<u64, Sequence>,
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

impl Found {
    /// Reads one file.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn in_file(path: &Path) -> io::Result<Found> {
        let mut found = Found::default();
        found.read(path)?;
        Ok(found)
    }

    /// Reads a further file, whose records follow those read before.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn read(&mut self, path: &Path) -> io::Result<()> {
        let (name, file) = (path.display().to_string(), File::open(path)?);
        let mut integrity = std::mem::take(&mut self.integrity);
        let before = integrity.lines;
        let read = integrity.read(&name, file, |line, members| {
            self.note(line, members, || format!("{name} line {}", line - before));
        });
        self.integrity = integrity;
        read
    }

    fn note(&mut self, line: u64, members: Members<'_, '_>, place: impl Fn() -> String) {
        let (mut source, mut number) = (Ok(0), None);
        for member in members.clone() {
            match member.key {
                SOURCE => source = member.value.parse(),
                NUMBER => number = Some(member.value.parse()),
                _ => {}
            }
        }
        match (source, number) {
            (Ok(_), None) => match Record::of(members).losses() {
                Some(losses) => {
                    self.markers += 1;
                    self.told += losses.lines;
                }
                None => self.others += 1,
            },
            (Ok(source), Some(Ok(number))) => {
                self.records += 1;
                self.note_number(source, number, line, place);
            }
            _ => self.disorder.add(|| format!("{}: no number of a record", place())),
        }
    }

    fn note_number(&mut self, source: u64, number: u64, line: u64, place: impl Fn() -> String) {
        let sequence = self.sources.entry(source).or_insert_with(Sequence::keeping_all_holes);
        match sequence.highest().checked_sub(1) {
            Some(last) if number <= last => {
                let twice = sequence.twice;
                sequence.note(number + 1, line);
                let again = sequence.twice > twice;
                let findings = if again { &mut self.disorder } else { &mut self.late };
                findings.add(|| format!("{}: {source}/{number} after {last}", place()));
            }
            _ => sequence.note(number.saturating_add(1), line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(bytes: &[u8]) -> Found {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        Found::in_file(file.path()).unwrap()
    }

    #[test]
    fn records_are_counted_by_source_and_gaps_are_seen() {
        let found =
            found(b"{\"t\":1,\"s\":0}\n{\"t\":2,\"s\":1}\n{\"t\":1,\"s\":3}\n{\"note\":1}\n");
        assert_eq!((found.records, found.others), (3, 1));
        let [one, two] = [1, 2].map(|source| &found.sources[&source]);
        assert_eq!((one.came, one.highest(), one.missing()), (2, 4, 2));
        assert_eq!((one.holes()[0].first, one.holes()[0].last), (2, 3));
        assert_eq!((two.came, two.highest(), two.missing()), (1, 2, 1));
        assert_eq!((one.missing_up_to(2), one.missing_up_to(6)), (1, 4));
    }

    #[test]
    fn loss_markers_are_told_from_other_lines_and_added_up() {
        let marker = |lines: u64| {
            format!(
                "{{\"level\":\"WARN\",\"target\":\"writer\",\"message\":\"lines were dropped\",\
                 \"dropped\":{lines},\"dropped_info\":{lines},\"since\":\"a\",\"until\":\"b\",\
                 \"policy\":\"warn\"}}\n"
            )
        };
        let other = "{\"message\":\"lines were dropped\",\"dropped\":9}\n";
        let lines = ["{\"s\":0}\n", &marker(3), other, "{\"s\":4}\n", &marker(2)].concat();
        let found = found(lines.as_bytes());
        assert_eq!((found.records, found.others, found.markers, found.told), (2, 1, 2, 5));
        assert_eq!(found.sources[&0].missing(), 3);
    }

    #[test]
    fn a_repeated_record_is_disorder_and_an_overtaken_one_is_late() {
        let repeated = found(b"{\"t\":1,\"s\":1}\n{\"t\":1,\"s\":1}\n{\"t\":1,\"s\":0}\n");
        assert_eq!((repeated.disorder.count, repeated.late.count), (1, 1));
        assert_eq!((repeated.sources[&1].came, repeated.sources[&1].missing()), (3, 0));
        assert!(repeated.late.first[0].ends_with("line 3: 1/0 after 1"), "{repeated:?}");
        assert_eq!(found(b"{\"s\":0}\n{\"s\":0}\n").disorder.count, 1);
    }

    #[test]
    fn what_is_no_number_of_a_record_is_disorder() {
        for line in
            ["{\"s\":-1}", "{\"s\":\"1\"}", "{\"s\":1.0}", "{\"t\":null,\"s\":1}", "{\"t\":[]}"]
        {
            let found = found(format!("{line}\n").as_bytes());
            let seen = (found.disorder.count, found.records, found.others, found.integrity.broken);
            assert_eq!(seen, (1, 0, 0, 0), "{line:?}");
        }
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
        ] {
            let found = found(format!("{line}\n").as_bytes());
            assert_eq!((found.integrity.broken, found.records), (1, 0), "{line:?}");
        }
        let broken = |bytes| found(bytes).integrity.broken;
        assert_eq!(broken(b"{\"s\":1,\"x\":[{\"a\":\"\\n\",\"b\":{}},null]}\n"), 0);
        assert_eq!(broken(b"{\"s\":1,\"x\":\"\xff\"}\n"), 1);
    }

    #[test]
    fn a_torn_tail_and_a_tail_of_nuls_are_told_apart() {
        let tail = |bytes: &[u8]| {
            let found = found(bytes).integrity;
            (found.torn_tail, found.nul_tail, found.nuls)
        };
        assert_eq!(tail(b"{\"s\":1}\n"), (false, 0, 0));
        assert_eq!(tail(b"{\"s\":1}\n{\"s"), (true, 0, 0));
        assert_eq!(tail(b"{\"s\":1}\n\0\0"), (false, 2, 0));
        assert_eq!(tail(b"{\"s\":1}\n{\"\0\0"), (true, 2, 0));
        assert_eq!(tail(b"\0{\"s\":1}\n"), (false, 0, 1));
    }

    #[test]
    fn a_file_that_ends_inside_a_line_is_broken_when_another_follows() {
        let folder = tempfile::tempdir().unwrap();
        let mut found = Found::default();
        for (name, bytes) in [("first", "{\"s\":0}\n{\"s"), ("second", "{\"s\":1}\n{\"s\":1}\n")] {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            found.read(&path).unwrap();
        }
        assert_eq!((found.integrity.broken, found.integrity.torn_tail), (1, false));
        assert!(found.disorder.first[0].ends_with("second line 2: 0/1 after 1"), "{found:?}");
    }
}
