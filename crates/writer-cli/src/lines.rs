//! Files as lines, in memory that does not grow with the file.

use std::io::{self, Read};

/// The longest line that is kept whole, in bytes. A writer's own are at most 1 MiB unless told
/// otherwise.
pub const LONGEST: usize = 64 << 20;

/// How much is read at once, in bytes.
const BLOCK: usize = 256 << 10;

/// One line, or what stands behind the last newline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'b> {
    /// Its bytes, without the newline, and without a carriage return before it; of a line longer
    /// than [`LONGEST`] the beginning.
    pub bytes: &'b [u8],
    /// Its length in bytes as it stands in the file, with the newline.
    pub len: u64,
    /// It ends in a newline.
    pub ended: bool,
}

impl<'b> Line<'b> {
    /// Whether bytes of it are missing in [`bytes`](Self::bytes).
    pub fn is_cut(&self) -> bool {
        self.len - u64::from(self.ended) > LONGEST as u64
    }

    /// Its bytes without the NUL bytes around them, which a mapping leaves.
    pub fn text(&self) -> &'b [u8] {
        let is_text = |&byte: &u8| byte != 0;
        let start = self.bytes.iter().position(is_text).unwrap_or(self.bytes.len());
        let end = self.bytes.iter().rposition(is_text).map_or(start, |at| at + 1);
        &self.bytes[start..end]
    }

    /// Whether this is no line but what a mapping has in reserve.
    pub fn is_reserve(&self) -> bool {
        !self.ended && self.text().is_empty()
    }
}

/// Reads lines.
#[derive(Debug)]
pub struct Lines<R> {
    from: R,
    buffer: Vec<u8>,
    /// What of the buffer is not yet handed out.
    start: usize,
    end: usize,
}

impl<R: Read> Lines<R> {
    /// Reads from the beginning of `from`, which needs no buffer of its own.
    pub fn new(from: R) -> Self {
        Lines { from, buffer: vec![0; BLOCK], start: 0, end: 0 }
    }

    /// The next line; `None` at the end.
    ///
    /// # Errors
    ///
    /// As reading; what was read before is handed out first.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        let mut searched = 0;
        // Bytes of a line longer than what is kept.
        let mut passed = 0u64;
        loop {
            let waiting = &self.buffer[self.start..self.end];
            if let Some(at) = memchr::memchr(b'\n', &waiting[searched..]) {
                let (start, end) = (self.start, self.start + searched + at);
                self.start = end + 1;
                return Ok(Some(self.line(start, end, passed, true)));
            }
            searched = waiting.len();
            if searched > LONGEST {
                // The beginning is kept, the rest is counted.
                passed += (searched - LONGEST) as u64;
                self.end = self.start + LONGEST;
                searched = LONGEST;
            }
            if self.fill()? == 0 {
                let (start, end) = (self.start, self.end);
                self.start = self.end;
                let nothing = start == end && passed == 0;
                return Ok((!nothing).then(|| self.line(start, end, passed, false)));
            }
        }
    }

    /// Whether the next line can be had without reading.
    pub fn has_line(&self) -> bool {
        memchr::memchr(b'\n', &self.buffer[self.start..self.end]).is_some()
    }

    fn line(&self, start: usize, end: usize, passed: u64, ended: bool) -> Line<'_> {
        let len = (end - start) as u64 + passed + u64::from(ended);
        let bytes = &self.buffer[start..end.min(start + LONGEST)];
        let bytes = if ended { bytes.strip_suffix(b"\r").unwrap_or(bytes) } else { bytes };
        Line { bytes, len, ended }
    }

    fn fill(&mut self) -> io::Result<usize> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.buffer.len() - self.end < BLOCK / 2 {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        loop {
            match self.from.read(&mut self.buffer[self.end..]) {
                Ok(read) => {
                    self.end += read;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Vec<(Vec<u8>, u64, bool)> {
        let mut lines = Lines::new(bytes);
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            all.push((line.bytes.to_vec(), line.len, line.ended));
        }
        all
    }

    #[test]
    fn lines_end_in_newlines_with_or_without_a_carriage_return() {
        assert_eq!(all(b""), []);
        assert_eq!(
            all(b"a\n\r\nb\r\nc\r"),
            [
                (b"a".to_vec(), 2, true),
                (b"".to_vec(), 2, true),
                (b"b".to_vec(), 3, true),
                (b"c\r".to_vec(), 2, false)
            ]
        );
    }

    #[test]
    fn lines_may_be_longer_than_what_is_read_at_once() {
        let long = vec![b'x'; 3 * BLOCK + 1];
        let mut bytes = long.clone();
        bytes.extend(b"\nshort");
        let len = long.len() as u64 + 1;
        assert_eq!(all(&bytes), [(long, len, true), (b"short".to_vec(), 5, false)]);
    }

    #[test]
    fn a_read_that_is_interrupted_is_begun_anew() {
        struct Interrupted<'b>(&'b [u8], bool);

        impl Read for Interrupted<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.1 = !self.1;
                if self.1 { Err(io::ErrorKind::Interrupted.into()) } else { self.0.read(buffer) }
            }
        }

        let mut lines = Lines::new(Interrupted(b"one\ntwo", false));
        for expected in [&b"one"[..], b"two"] {
            assert_eq!(lines.next_line().unwrap().unwrap().bytes, expected);
        }
        assert!(lines.next_line().unwrap().is_none());
    }

    #[test]
    fn the_longest_line_is_whole_with_its_newline() {
        for (len, cut) in [(LONGEST, false), (LONGEST + 1, true)] {
            let mut bytes = vec![b'x'; len];
            bytes.push(b'\n');
            assert_eq!(Lines::new(&*bytes).next_line().unwrap().unwrap().is_cut(), cut);
        }
    }

    #[test]
    fn of_a_line_without_end_only_the_beginning_is_kept() {
        let endless = io::repeat(b'x').take(3 * LONGEST as u64);
        let mut lines = Lines::new(endless.chain(&b"\nnext\n"[..]));
        let line = lines.next_line().unwrap().unwrap();
        assert!(line.is_cut() && line.ended);
        assert_eq!((line.bytes.len(), line.len), (LONGEST, 3 * LONGEST as u64 + 1));
        assert_eq!(lines.next_line().unwrap().unwrap().bytes, b"next");
        assert!(lines.buffer.len() <= 2 * (LONGEST + 2 * BLOCK));
    }
}
