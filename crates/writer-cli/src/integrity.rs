//! Whether files consist of whole lines: each one JSON object, none torn, no NUL bytes.
//!
//! What the lines say is left to others, such as [`verify`](crate::verify): they are given the
//! members of every whole line.

use std::io::{self, Read};

use crate::json::{Fault, Members, Scanner};
use crate::lines::{Line, Lines};

/// How many broken lines are kept with their place; all are counted.
const KEPT: usize = 100;

/// How many bytes of a broken line are kept.
const START: usize = 120;

/// A line that is not one JSON object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The name of its file.
    pub file: String,
    /// Its number in the file, from 1 on.
    pub line: u64,
    /// What is wrong with it.
    pub what: String,
    /// How it begins: its first 120 bytes, with U+FFFD for what is no UTF-8. Empty for a line that
    /// has no end although a file follows.
    pub start: String,
}

/// A file as one of several that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: String,
    /// How many lines it has.
    pub lines: u64,
}

/// What was found in one or several files that follow each other.
#[derive(Debug, Default)]
pub struct Integrity {
    /// The files, in the order read.
    pub files: Vec<File>,
    /// Bytes in all of them.
    pub bytes: u64,
    /// Lines in all of them, broken ones included.
    pub lines: u64,
    /// Lines that are not one JSON object without repeated keys, torn ones included.
    pub broken: u64,
    /// Those that end in the middle.
    pub torn: u64,
    /// The first of the broken lines.
    pub first_broken: Vec<Broken>,
    /// NUL bytes anywhere but behind the last line of the last file.
    pub nuls: u64,
    /// The file, and the line in it, in or behind which the first of them stand.
    pub first_nuls: Option<(String, u64)>,
    /// NUL bytes behind the last line of the last file: what a mapped file has in reserve.
    pub nul_tail: u64,
    /// The last file ends in a line without a newline.
    pub torn_tail: bool,
}

impl Integrity {
    /// Reads a file, whose lines follow those of the file read before, in memory that does not grow
    /// with it. `each` is given the number of every whole line, counted over all files from 1 on,
    /// and its members.
    ///
    /// # Errors
    ///
    /// As reading. What was read before counts.
    pub fn read(
        &mut self,
        name: &str,
        from: impl Read,
        mut each: impl FnMut(u64, Members<'_, '_>),
    ) -> io::Result<()> {
        // What was behind the last line of the file before is in the middle now.
        let between = std::mem::take(&mut self.nul_tail);
        self.note_nuls(between);
        if std::mem::take(&mut self.torn_tail) {
            self.torn += 1;
            self.note_broken(&Fault::Torn, b"");
        }
        self.files.push(File { name: name.to_owned(), lines: 0 });
        let mut scanner = Scanner::default();
        let mut lines = Lines::new(from);
        while let Some(line) = lines.next_line()? {
            let Some(bytes) = self.text(&line) else { continue };
            match scanner.object(bytes) {
                Ok(members) => each(self.lines, members),
                Err(fault) => {
                    self.torn += u64::from(fault == Fault::Torn);
                    self.note_broken(&fault, bytes);
                }
            }
        }
        Ok(())
    }

    /// Whether anything in the files is not as it should be.
    pub fn is_damaged(&self) -> bool {
        self.broken + self.nuls + self.nul_tail > 0 || self.torn_tail
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

    /// Counts a line and what of it can be told without reading it as JSON; returns what is left to
    /// be read, if anything is.
    fn text<'l>(&mut self, line: &Line<'l>) -> Option<&'l [u8]> {
        self.bytes += line.len;
        let nuls = match memchr::memchr(0, line.bytes) {
            // Almost always: looking is faster than counting.
            None => 0,
            Some(_) => line.bytes.iter().filter(|&&byte| byte == 0).count() as u64,
        };
        let mut inside = nuls;
        if nuls > 0 && !line.ended {
            // The reserve of a mapping, perhaps behind the beginning of a line.
            let tail = line.bytes.iter().rev().take_while(|&&byte| byte == 0).count() as u64;
            self.nul_tail = tail + line.len - line.bytes.len() as u64;
            inside -= tail;
            if line.is_reserve() {
                return None;
            }
        }
        let bytes = line.text();
        self.lines += 1;
        if let Some(file) = self.files.last_mut() {
            file.lines += 1;
        }
        self.note_nuls(inside);
        if !line.ended {
            self.torn_tail = true;
            return None;
        }
        if line.is_cut() {
            self.note_broken(&"too long to check", bytes);
            return None;
        }
        Some(bytes)
    }

    fn note_nuls(&mut self, nuls: u64) {
        self.nuls += nuls;
        if nuls > 0
            && self.first_nuls.is_none()
            && let Some(file) = self.files.last()
        {
            self.first_nuls = Some((file.name.clone(), file.lines));
        }
    }

    #[cold]
    fn note_broken(&mut self, what: &dyn ToString, line: &[u8]) {
        self.broken += 1;
        if let Some(file) = self.files.last()
            && self.first_broken.len() < KEPT
        {
            let start = String::from_utf8_lossy(&line[..line.len().min(START)]).into_owned();
            let (file, line) = (file.name.clone(), file.lines);
            self.first_broken.push(Broken { file, line, what: what.to_string(), start });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integrity(files: &[&[u8]]) -> Integrity {
        let mut found = Integrity::default();
        for (number, file) in files.iter().enumerate() {
            found.read(&format!("file{number}"), *file, |_, _| {}).unwrap();
        }
        found
    }

    #[test]
    fn whole_lines_are_no_fault_and_are_given_with_their_number() {
        let mut found = Integrity::default();
        let mut given = Vec::new();
        for (name, file) in
            [("a", &b"{\"a\":1}\n[]\n{}\r\n"[..]), ("b", b""), ("c", b"{\"b\":{}}\n")]
        {
            found.read(name, file, |line, members| given.push((line, members.len()))).unwrap();
        }
        assert_eq!((found.lines, found.bytes, found.files.len(), found.broken), (4, 24, 3, 1));
        assert_eq!(given, [(1, 1), (3, 0), (4, 1)]);
        assert_eq!(found.place(4), ("c", 1));
        assert!(!integrity(&[b"{\"a\":1}\n{}\r\n", b"", b"{\"b\":{\"a\":[]}}\n"]).is_damaged());
    }

    #[test]
    fn broken_lines_are_told_with_their_place() {
        let lines = b"{}\n\n{\"a\":1,\"a\":2}\n[]\nno\n{\"a\":\n{\"b\":2}\n\xff\n";
        let found = integrity(&[b"{}\n", lines]);
        assert_eq!((found.lines, found.broken, found.torn), (9, 6, 1));
        let places: Vec<_> =
            found.first_broken.iter().map(|broken| (&*broken.file, broken.line)).collect();
        assert_eq!(places, [2, 3, 4, 5, 6, 8].map(|line| ("file1", line)));
        assert_eq!(found.first_broken[0].what, "the line is empty");
        assert_eq!(found.first_broken[1].what, "the key \"a\" stands twice");
        assert_eq!(found.first_broken[1].start, "{\"a\":1,\"a\":2}");
        assert_eq!(found.first_broken[5].start, "\u{fffd}");
    }

    #[test]
    fn of_many_and_long_broken_lines_only_the_beginning_is_kept() {
        let lines = format!("{}\n", "x".repeat(1000)).repeat(KEPT + 1);
        let found = integrity(&[lines.as_bytes()]);
        assert_eq!((found.broken, found.first_broken.len()), (KEPT as u64 + 1, KEPT));
        assert_eq!(found.first_broken[0].start.len(), START);
    }

    #[test]
    fn nuls_are_counted_inside_and_behind() {
        let inside = integrity(&[b"{\"a\":1}\n\0\0\0{\"b\":2}\n"]);
        assert_eq!((inside.nuls, inside.nul_tail, inside.broken, inside.lines), (3, 0, 0, 2));
        let behind = integrity(&[b"{\"a\":1}\n\0\0\0\0"]);
        assert_eq!(
            (behind.nuls, behind.nul_tail, behind.torn_tail, behind.lines),
            (0, 4, false, 1)
        );
        let torn = integrity(&[b"{\"a\":1}\n{\"b\":\0\0"]);
        assert_eq!((torn.nul_tail, torn.torn_tail), (2, true));
        let between = integrity(&[b"{\"a\":1}\n\0\0\0\0", b"{}\n"]);
        assert_eq!((between.nuls, between.nul_tail), (4, 0));
        let at = |found: &Integrity| found.first_nuls.clone().map(|(_, line)| line);
        assert_eq!([&inside, &behind, &torn, &between].map(at), [Some(2), None, None, Some(1)]);
        for damaged in [inside, behind, torn, between] {
            assert!(damaged.is_damaged(), "{damaged:?}");
        }
    }

    #[test]
    fn a_hole_of_nuls_in_a_line_breaks_that_line_alone() {
        let hole = [0; 4096];
        let middle = [&b"{\"a\":1}\n{\"b\":"[..], &hole, b"3}\n{\"c\":4}\n"].concat();
        let found = integrity(&[b"{}\n", &middle]);
        assert_eq!((found.lines, found.broken, found.nuls, found.nul_tail), (4, 1, 4096, 0));
        assert_eq!(found.first_broken[0].line, 2);
        assert_eq!(found.first_nuls, Some(("file1".into(), 2)));
        let both = integrity(&[&[&middle[..], &hole].concat()]);
        assert_eq!((both.broken, both.nuls, both.nul_tail, both.torn_tail), (1, 4096, 4096, false));
        let torn = integrity(&[&[&middle[..], b"{\"d", &hole, b"\":", &hole].concat()]);
        assert_eq!((torn.broken, torn.nuls, torn.nul_tail, torn.torn_tail), (1, 8192, 4096, true));
        assert_eq!(torn.lines, 4);
    }

    #[test]
    fn an_unfinished_last_line_is_torn_in_the_middle_of_several_files() {
        let last = integrity(&[b"{}\n{\"a\""]);
        assert_eq!((last.torn_tail, last.broken, last.torn, last.lines), (true, 0, 0, 2));
        let middle = integrity(&[b"{}\n{\"a\"", b"{}\n"]);
        assert_eq!((middle.torn_tail, middle.broken, middle.torn), (false, 1, 1));
        let broken = &middle.first_broken[0];
        assert_eq!((&*broken.file, broken.line), ("file0", 2));
    }

    #[test]
    fn a_line_longer_than_any_is_broken_and_costs_no_memory() {
        let endless = io::repeat(b'x').take(2 * crate::lines::LONGEST as u64);
        let mut found = Integrity::default();
        found.read("endless", endless.chain(&b"\n{}\n"[..]), |_, _| {}).unwrap();
        assert_eq!((found.lines, found.broken), (2, 1));
        assert_eq!(found.first_broken[0].what, "too long to check");
    }
}
