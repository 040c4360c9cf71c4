//! Says whether what stands in files of JSON lines is whole, and which lines are missing.

use std::collections::BTreeMap;
use std::io::{self, Read};

use crate::integrity::Integrity;
use crate::json::{self, Member, Members};
use crate::losses::{may_hold_losses, may_tell_losses};
use crate::record::Record;
use crate::sequence::Sequence;

/// How many sequences are followed. Each run of a program has one or a few.
const SEQUENCES: usize = 100_000;

/// The longest run that is followed, in bytes. A writer's own have 11.
const LONGEST_RUN: usize = 256;

/// The keys of a line's number and of the sequence it belongs to. A writer's line has both or none:
/// one of them alone, or a longer run, is a field of the program.
const NUMBER: &str = "seq";
const RUN: &str = "run";

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    /// The lines as lines, loss markers included.
    pub integrity: Integrity,
    /// Loss markers.
    pub markers: u64,
    /// Lines that were dropped, as the markers say; of numbers that add up to more than fit, the
    /// most that does.
    pub dropped: u64,
    /// The same by level, least severe first.
    pub dropped_by_level: [u64; 5],
    /// The sequences by their run.
    pub sequences: BTreeMap<String, Sequence>,
    /// Numbered lines of runs beyond the first 100 000, whose numbers nobody looked at.
    pub unfollowed: u64,
}

impl Report {
    /// Lines with a number.
    pub fn numbered(&self) -> u64 {
        self.sequences.values().map(|sequence| sequence.came).sum()
    }

    /// Numbers that have not come; [`u64::MAX`] where they are more than that.
    pub fn missing(&self) -> u64 {
        self.sequences.values().map(Sequence::missing).fold(0, u64::saturating_add)
    }

    /// Numbers that came more than once.
    pub fn twice(&self) -> u64 {
        self.sequences.values().map(|sequence| sequence.twice).sum()
    }

    /// Whether something in the files is damaged or cannot be told to be whole, whatever was dropped.
    pub fn is_damaged(&self) -> bool {
        self.integrity.is_damaged() || self.twice() > 0 || self.unfollowed > 0
    }

    /// Whether lines are known not to be here.
    pub fn has_losses(&self) -> bool {
        self.missing() > 0 || self.dropped > 0
    }

    /// Whether every missing line is one that a marker tells of, as far as numbers can say.
    pub fn is_declared(&self) -> bool {
        self.missing() <= self.dropped
    }
}

/// Checks files, one after the other, in memory that does not grow with them.
#[derive(Debug, Default)]
pub struct Checker {
    integrity: Integrity,
    told: Told,
}

impl Checker {
    /// Reads a file, whose lines follow those of the file read before.
    ///
    /// # Errors
    ///
    /// As reading. What was read before counts.
    pub fn read(&mut self, name: &str, from: impl Read) -> io::Result<()> {
        let Checker { integrity, told } = self;
        integrity.read(name, from, |line, members| told.note(line, members))
    }

    /// Ends the check.
    pub fn finish(mut self) -> Report {
        self.told.keep_sequence();
        let Told { markers, dropped, dropped_by_level, sequences, unfollowed, .. } = self.told;
        let integrity = self.integrity;
        Report { integrity, markers, dropped, dropped_by_level, sequences, unfollowed }
    }
}

/// What the lines so far said about themselves and about others.
#[derive(Debug, Default)]
struct Told {
    markers: u64,
    dropped: u64,
    dropped_by_level: [u64; 5],
    sequences: BTreeMap<String, Sequence>,
    unfollowed: u64,
    /// The run of the line before, whose sequence is most likely that of the next one.
    run: String,
    sequence: Sequence,
}

impl Told {
    fn note(&mut self, line: u64, members: Members<'_, '_>) {
        let marks = Marks::of(members.clone());
        if let (Some(number), Some(run)) = (marks.number, marks.run) {
            self.note_number(run, number, line);
        }
        if marks.maybe_loss {
            self.note_losses(members);
        }
    }

    fn note_number(&mut self, run: &str, number: u64, line: u64) {
        if self.run != run {
            self.keep_sequence();
            self.sequence = self.sequences.remove(run).unwrap_or_default();
            run.clone_into(&mut self.run);
        }
        self.sequence.note(number, line);
    }

    /// Puts the sequence at hand to the others.
    fn keep_sequence(&mut self) {
        let sequence = std::mem::take(&mut self.sequence);
        let known = self.sequences.len();
        if sequence.came == 0 {
            return;
        }
        if known < SEQUENCES {
            self.sequences.insert(self.run.clone(), sequence);
        } else {
            self.unfollowed += sequence.came;
        }
    }

    fn note_losses(&mut self, members: Members<'_, '_>) {
        if let Some(losses) = Record::of(members).losses() {
            self.markers += 1;
            self.dropped = self.dropped.saturating_add(losses.lines);
            let by_level = self.dropped_by_level.iter_mut().zip(losses.by_level);
            by_level.for_each(|(sum, lines)| *sum = sum.saturating_add(lines));
        }
    }
}

/// What a line says about itself.
#[derive(Default)]
struct Marks<'l> {
    run: Option<&'l str>,
    number: Option<u64>,
    maybe_loss: bool,
}

impl<'l> Marks<'l> {
    fn of(members: Members<'_, 'l>) -> Self {
        let mut marks = Marks::default();
        for member in members {
            let value = member.value;
            match member.key {
                NUMBER => marks.number = value.parse().ok(),
                RUN => marks.run = run(value),
                "resourceLogs" => marks.note_otlp(value),
                _ => marks.maybe_loss |= may_tell_losses(member),
            }
        }
        marks
    }

    #[cold]
    fn note_otlp(&mut self, logs: &'l str) {
        self.maybe_loss = may_hold_losses(logs);
        let line = [Member { key: "resourceLogs", value: logs }];
        for field in Record::of(line.into_iter()).fields {
            let value = json::members(field.value).first().map(|inner| inner.value);
            match (field.key, value) {
                (NUMBER, Some(value)) => self.number = value.trim_matches('"').parse().ok(),
                (RUN, Some(value)) => self.run = run(value),
                _ => {}
            }
        }
    }
}

/// What stands between the quotes of a string; `None` if it is none, or no name of a run.
fn run(value: &str) -> Option<&str> {
    let run = value.strip_prefix('"')?.strip_suffix('"')?;
    (run.len() <= LONGEST_RUN).then_some(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(files: &[&[u8]]) -> Report {
        let mut checker = Checker::default();
        for (number, file) in files.iter().enumerate() {
            checker.read(&format!("file{number}"), *file).unwrap();
        }
        checker.finish()
    }

    #[test]
    fn whole_lines_are_no_fault_and_others_are() {
        let whole = report(&[b"{\"a\":1}\n{}\r\n", b"", b"{\"b\":{\"a\":[]}}\n"]);
        assert!(!whole.is_damaged() && !whole.has_losses());
        let twice = "{\"run\":\"a\",\"seq\":1}\n{\"run\":\"a\",\"seq\":1}\n";
        for damaged in ["{}\nno\n", "a\0b\n", "{}\n\0", "{", twice] {
            let damaged = report(&[damaged.as_bytes()]);
            assert!(damaged.is_damaged() && !damaged.has_losses(), "{damaged:?}");
        }
    }

    #[test]
    fn gaps_are_told_with_their_place_over_files() {
        let report = report(&[
            b"{\"run\":\"a\",\"seq\":1}\n{\"run\":\"a\",\"seq\":3}\n{\"run\":\"a\",\"seq\":2}\n",
            b"{\"run\":\"b\",\"seq\":1}\n{\"run\":\"a\",\"seq\":8}\n{\"run\":\"a\",\"seq\":8}\n",
        ]);
        assert_eq!((report.numbered(), report.missing(), report.twice()), (6, 4, 1));
        let hole = report.sequences["a"].holes()[0];
        let place = report.integrity.place(hole.line);
        assert_eq!((hole.first, hole.last, place), (4, 7, ("file1", 2)));
        assert_eq!(report.sequences.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert!(report.has_losses() && !report.is_declared());
    }

    /// The file was said to lack 499 lines: a packet's number was taken for a line's.
    #[test]
    fn a_field_of_the_program_is_no_number_of_a_line() {
        let otlp = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":[
            {"key":"seq","value":{"intValue":"500"}}]}]}]}]}"#;
        for line in [
            r#"{"message":"packet","seq":500}"#,
            r#"{"message":"packet","seq":500,"run":7}"#,
            r#"{"message":"packet","run":"a"}"#,
            &otlp.replace('\n', ""),
        ] {
            let twice = format!("{line}\n{line}\n");
            let report = report(&[twice.as_bytes()]);
            assert!(!report.is_damaged() && !report.has_losses(), "{report:?}");
            assert_eq!((report.integrity.lines, report.numbered()), (2, 0));
        }
    }

    /// 20 000 of 10 KB each took 200 MB.
    #[test]
    fn a_long_text_is_no_run() {
        for (len, numbered) in [(256, 2), (257, 0)] {
            let lines = format!("{{\"run\":\"{}\",\"seq\":1}}\n", "r".repeat(len)).repeat(2);
            assert_eq!(report(&[lines.as_bytes()]).numbered(), numbered);
        }
    }

    #[test]
    fn every_line_of_a_run_that_is_not_followed_is_counted() {
        let mut lines = String::new();
        for run in 0..=SEQUENCES {
            lines.push_str(&format!("{{\"run\":\"{run}\",\"seq\":1}}\n"));
        }
        lines.push_str(&format!("{{\"run\":\"{SEQUENCES}\",\"seq\":2}}\n"));
        let report = report(&[lines.as_bytes()]);
        assert_eq!((report.numbered(), report.unfollowed), (SEQUENCES as u64, 2));
        assert!(report.is_damaged());
    }

    /// The file was said to be whole: the sums began anew at zero.
    #[test]
    fn numbers_of_any_size_hide_no_loss() {
        let numbers =
            format!("{{\"run\":\"a\",\"seq\":{}}}\n{{\"run\":\"b\",\"seq\":3}}\n", u64::MAX);
        let missing = report(&[numbers.as_bytes()]);
        assert_eq!(missing.missing(), u64::MAX);
        assert!(missing.has_losses() && !missing.is_declared());
        let marker = "{\"target\":\"writer\",\"message\":\"lines were dropped\",\
            \"dropped\":9223372036854775808,\"dropped_info\":9223372036854775808,\
            \"since\":\"\",\"until\":\"\",\"policy\":\"warn\"}\n";
        let dropped = report(&[numbers.as_bytes(), marker.as_bytes(), marker.as_bytes()]);
        assert_eq!((dropped.markers, dropped.dropped), (2, u64::MAX));
        assert_eq!(dropped.dropped_by_level[2], u64::MAX);
        assert!(dropped.has_losses());
    }
}
