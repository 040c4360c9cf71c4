//! Says whether what stands in files of JSON lines is whole.

use std::collections::BTreeMap;
use std::io::{self, Read};

use crate::json::{self, Fault, Member, Scanner};
use crate::lines::{Line, Lines};
use crate::record::Record;
use crate::sequence::Sequence;

/// How many faults are kept with their place; all are counted.
const KEPT: usize = 100;

/// How many sequences are followed. Each run of a program has one or a few.
const SEQUENCES: usize = 10_000;

/// The keys of a line's number and of the sequence it belongs to.
const NUMBER: &str = "seq";
const RUN: &str = "run";

/// A line that is not one JSON object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The name of its file.
    pub file: String,
    /// Its number in the file, from 1 on.
    pub line: u64,
    /// What is wrong with it.
    pub what: String,
}

/// A file as one of several that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: String,
    /// How many lines it has.
    pub lines: u64,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    /// The files, in the order read.
    pub files: Vec<File>,
    /// Bytes in all of them.
    pub bytes: u64,
    /// Lines in all of them, loss markers and broken ones included.
    pub lines: u64,
    /// Lines that are not one JSON object without repeated keys, torn ones included.
    pub broken: u64,
    /// Those that end in the middle.
    pub torn: u64,
    /// The first of the broken lines.
    pub first_broken: Vec<Broken>,
    /// NUL bytes anywhere but behind the last line of the last file.
    pub nuls: u64,
    /// NUL bytes behind the last line of the last file: what a mapped file has in reserve.
    pub nul_tail: u64,
    /// The last file ends in a line without a newline.
    pub torn_tail: bool,
    /// Loss markers.
    pub markers: u64,
    /// Lines that were dropped, as the markers say.
    pub dropped: u64,
    /// The same by level, least severe first.
    pub dropped_by_level: [u64; 5],
    /// The sequences by their run; lines without a run have the empty one.
    pub sequences: BTreeMap<String, Sequence>,
}

impl Report {
    /// Lines with a number.
    pub fn numbered(&self) -> u64 {
        self.sequences.values().map(|sequence| sequence.came).sum()
    }

    /// Numbers that have not come.
    pub fn missing(&self) -> u64 {
        self.sequences.values().map(Sequence::missing).sum()
    }

    /// Numbers that came more than once.
    pub fn twice(&self) -> u64 {
        self.sequences.values().map(|sequence| sequence.twice).sum()
    }

    /// Whether something in the files is damaged, whatever was dropped.
    pub fn is_damaged(&self) -> bool {
        self.broken + self.nuls + self.nul_tail + self.twice() > 0 || self.torn_tail
    }

    /// Whether lines are known not to be here.
    pub fn has_losses(&self) -> bool {
        self.missing() + self.dropped > 0
    }

    /// Whether every missing line is one that a marker tells of, as far as numbers can say.
    pub fn is_declared(&self) -> bool {
        self.missing() <= self.dropped
    }

    /// The file, and the line in it, of a line counted over all files.
    pub fn place(&self, mut line: u64) -> (&str, u64) {
        for file in &self.files {
            if line <= file.lines {
                return (&file.name, line);
            }
            line -= file.lines;
        }
        ("", line)
    }
}

/// Checks files, one after the other, in memory that does not grow with them.
#[derive(Debug, Default)]
pub struct Checker {
    scanner: Scanner,
    report: Report,
    /// The run of the line before, whose sequence is most likely that of the next one.
    run: String,
    sequence: Sequence,
}

/// What a line says about itself.
#[derive(Default)]
struct Marks<'l> {
    run: &'l str,
    number: Option<u64>,
    maybe_loss: bool,
}

impl Checker {
    /// Reads a file, whose lines follow those of the file read before.
    ///
    /// # Errors
    ///
    /// As reading. What was read before counts.
    pub fn read(&mut self, name: &str, from: impl Read) -> io::Result<()> {
        // What was behind the last line of the file before is in the middle now.
        self.report.nuls += std::mem::take(&mut self.report.nul_tail);
        if std::mem::take(&mut self.report.torn_tail) {
            self.broken(&Fault::Torn);
        }
        self.report.files.push(File { name: name.to_owned(), lines: 0 });
        let mut lines = Lines::new(from);
        while let Some(line) = lines.next_line()? {
            self.line(&line);
        }
        Ok(())
    }

    /// Ends the check.
    pub fn finish(mut self) -> Report {
        self.keep_sequence();
        self.report
    }

    fn line(&mut self, line: &Line<'_>) {
        self.report.bytes += line.len;
        let nuls = line.bytes.iter().filter(|&&byte| byte == 0).count() as u64;
        let mut bytes = line.bytes;
        if nuls > 0 {
            let text = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |at| at + 1);
            let tail = (bytes.len() - text) as u64;
            if !line.ended {
                // The reserve of a mapping, perhaps behind the beginning of a line.
                self.report.nul_tail = tail + line.len - line.bytes.len() as u64;
                self.report.nuls += nuls - tail;
                bytes = &bytes[..text];
                if bytes.is_empty() {
                    return;
                }
            } else {
                self.report.nuls += nuls;
                let start = bytes.iter().position(|&byte| byte != 0).unwrap_or(bytes.len());
                bytes = &bytes[start..text.max(start)];
            }
        }
        self.report.lines += 1;
        if let Some(file) = self.report.files.last_mut() {
            file.lines += 1;
        }
        if !line.ended {
            self.report.torn_tail = true;
            return;
        }
        if line.is_cut() {
            self.broken(&"too long to check");
            return;
        }
        match marks(&mut self.scanner, bytes) {
            Err(fault) => {
                self.report.torn += u64::from(fault == Fault::Torn);
                self.broken(&fault);
            }
            Ok(marks) => {
                if let Some(number) = marks.number {
                    self.note(marks.run, number);
                }
                if marks.maybe_loss {
                    self.note_losses(bytes);
                }
            }
        }
    }

    fn broken(&mut self, what: &dyn ToString) {
        let report = &mut self.report;
        report.broken += 1;
        if let Some(file) = report.files.last()
            && report.first_broken.len() < KEPT
        {
            let (file, line) = (file.name.clone(), file.lines);
            report.first_broken.push(Broken { file, line, what: what.to_string() });
        }
    }

    fn note(&mut self, run: &str, number: u64) {
        if self.run != run {
            self.keep_sequence();
            self.sequence = self.report.sequences.remove(run).unwrap_or_default();
            run.clone_into(&mut self.run);
        }
        self.sequence.note(number, self.report.lines);
    }

    /// Puts the sequence at hand to the others.
    fn keep_sequence(&mut self) {
        let sequence = std::mem::take(&mut self.sequence);
        let known = self.report.sequences.len();
        if sequence.came > 0 && (known < SEQUENCES || self.report.sequences.contains_key(&self.run))
        {
            self.report.sequences.insert(self.run.clone(), sequence);
        }
    }

    fn note_losses(&mut self, line: &[u8]) {
        let Ok(members) = self.scanner.object(line) else { return };
        if let Some(losses) = Record::of(members).losses() {
            self.report.markers += 1;
            self.report.dropped += losses.lines;
            let by_level = self.report.dropped_by_level.iter_mut().zip(losses.by_level);
            by_level.for_each(|(sum, lines)| *sum += lines);
        }
    }
}

/// Checks a line and reads what it says about itself.
fn marks<'l>(scanner: &mut Scanner, line: &'l [u8]) -> Result<Marks<'l>, Fault> {
    let mut marks = Marks::default();
    for member in scanner.object(line)? {
        marks.note(member);
        if member.key == "resourceLogs" {
            marks.note_otlp(member.value);
        } else if member.key == "fields" && member.value.contains(r#""lines were dropped""#) {
            marks.maybe_loss = true;
        }
    }
    Ok(marks)
}

impl<'l> Marks<'l> {
    fn note(&mut self, member: Member<'l>) {
        match member.key {
            NUMBER => self.number = member.value.parse().ok(),
            RUN => self.run = member.value.trim_matches('"'),
            "message" | "msg" => self.maybe_loss |= member.value == r#""lines were dropped""#,
            _ => {}
        }
    }

    #[cold]
    fn note_otlp(&mut self, logs: &'l str) {
        self.maybe_loss = logs.contains(r#""lines were dropped""#);
        let line = [Member { key: "resourceLogs", value: logs }];
        for field in Record::of(line.into_iter()).fields {
            let value = json::members(field.value).first().map(|inner| inner.value);
            match (field.key, value) {
                (NUMBER, Some(value)) => self.number = value.trim_matches('"').parse().ok(),
                (RUN, Some(value)) => self.run = value.trim_matches('"'),
                _ => {}
            }
        }
    }
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
    fn whole_lines_are_no_fault() {
        let report = report(&[b"{\"a\":1}\n{}\r\n", b"", b"{\"b\":{\"a\":[]}}\n"]);
        assert_eq!((report.lines, report.bytes, report.files.len()), (3, 27, 3));
        assert!(!report.is_damaged() && !report.has_losses());
    }

    #[test]
    fn broken_lines_are_told_with_their_place() {
        let report = report(&[b"{}\n", b"{}\n\n{\"a\":1,\"a\":2}\n[]\nno\n{\"a\":\n{\"b\":2}\n"]);
        assert_eq!((report.lines, report.broken, report.torn), (8, 5, 2));
        let found: Vec<_> =
            report.first_broken.iter().map(|broken| (&*broken.file, broken.line)).collect();
        assert_eq!(found, [2, 3, 4, 5, 6].map(|line| ("file1", line)));
        assert_eq!(report.first_broken[1].what, "the key \"a\" stands twice");
    }

    #[test]
    fn nuls_are_counted_inside_and_behind() {
        let inside = report(&[b"{\"a\":1}\n\0\0\0{\"b\":2}\n"]);
        assert_eq!((inside.nuls, inside.nul_tail, inside.broken, inside.lines), (3, 0, 0, 2));
        let behind = report(&[b"{\"a\":1}\n\0\0\0\0"]);
        assert_eq!(
            (behind.nuls, behind.nul_tail, behind.torn_tail, behind.lines),
            (0, 4, false, 1)
        );
        let torn = report(&[b"{\"a\":1}\n{\"b\":\0\0"]);
        assert_eq!((torn.nul_tail, torn.torn_tail), (2, true));
        let between = report(&[b"{\"a\":1}\n\0\0\0\0", b"{}\n"]);
        assert_eq!((between.nuls, between.nul_tail), (4, 0));
        assert!(report(&[b"a\0b\n"]).is_damaged());
    }

    #[test]
    fn an_unfinished_last_line_is_torn_in_the_middle_of_several_files() {
        let last = report(&[b"{}\n{\"a\""]);
        assert_eq!((last.torn_tail, last.broken, last.lines), (true, 0, 2));
        let middle = report(&[b"{}\n{\"a\"", b"{}\n"]);
        assert_eq!((middle.torn_tail, middle.broken), (false, 1));
    }

    #[test]
    fn gaps_are_told_with_their_place_over_files() {
        let report = report(&[
            b"{\"run\":\"a\",\"seq\":1}\n{\"run\":\"a\",\"seq\":3}\n{\"run\":\"a\",\"seq\":2}\n",
            b"{\"run\":\"b\",\"seq\":1}\n{\"run\":\"a\",\"seq\":8}\n{\"run\":\"a\",\"seq\":8}\n{\"seq\":1}\n",
        ]);
        assert_eq!((report.numbered(), report.missing(), report.twice()), (7, 4, 1));
        let hole = report.sequences["a"].holes()[0];
        assert_eq!((hole.first, hole.last, report.place(hole.line)), (4, 7, ("file1", 2)));
        assert_eq!(report.sequences.keys().collect::<Vec<_>>(), ["", "a", "b"]);
        assert!(report.has_losses() && !report.is_declared());
    }

    #[test]
    fn a_line_longer_than_any_is_broken_and_costs_no_memory() {
        let endless = io::repeat(b'x').take(2 * crate::lines::LONGEST as u64);
        let mut checker = Checker::default();
        checker.read("endless", endless.chain(&b"\n{}\n"[..])).unwrap();
        let report = checker.finish();
        assert_eq!((report.lines, report.broken), (2, 1));
        assert_eq!(report.first_broken[0].what, "too long to check");
    }
}
