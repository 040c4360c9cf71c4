//! Fixed pieces of memory that hold lines, and the pool they return to.
//!
//! A chunk is laid out like a slotted page: the bytes of the lines grow from the front, gapless, so
//! that a run of lines can be written with one call; one entry per line (length and severity) grows
//! from the back. Chunks never grow or move. All queue memory comes from [`ChunkPool`].

use crossbeam_queue::ArrayQueue;

use crate::{Severity, cache};

/// Bytes of one index entry.
const ENTRY: usize = size_of::<u32>();
/// The low bits of an entry are the length of the line, the high ones its severity.
const LENGTH_BITS: u32 = 29;
/// The length that stands for "all of the chunk": a line too long for the bits is alone in its own.
const WHOLE_CHUNK: u32 = (1 << LENGTH_BITS) - 1;

/// One line on its way into the queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    bytes: &'a [u8],
    severity: Severity,
    lacks_newline: bool,
}

impl<'a> Line<'a> {
    pub(crate) fn new(bytes: &'a [u8], severity: Severity) -> Self {
        Line { bytes, severity, lacks_newline: bytes.last() != Some(&b'\n') }
    }

    /// One that is known to end in a newline.
    pub(crate) fn complete(bytes: &'a [u8], severity: Severity) -> Self {
        debug_assert_eq!(bytes.last(), Some(&b'\n'));
        Line { bytes, severity, lacks_newline: false }
    }

    /// In bytes, with the newline.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() + usize::from(self.lacks_newline)
    }

    pub(crate) fn severity(&self) -> Severity {
        self.severity
    }
}

/// A piece of memory with lines in it, and how far they have gone out.
///
/// What a line that is put in needs comes first: see [`Inner`](crate::inner::Inner).
#[repr(C)]
pub(crate) struct Chunk {
    memory: Box<[u8]>,
    /// The end of the last line.
    end: usize,
    /// The number of lines put in.
    put: usize,
    /// Where the first line that is not completely out begins.
    line_start: usize,
    /// The first byte that is not out; inside or at the start of that line.
    cursor: usize,
    /// The number of lines that are completely out.
    out: usize,
}

impl Chunk {
    /// The bytes at its start that a line needs.
    #[cfg(test)]
    pub(crate) const HOT: usize = std::mem::offset_of!(Chunk, line_start);

    fn new(memory: Box<[u8]>) -> Self {
        Chunk { memory, line_start: 0, cursor: 0, end: 0, out: 0, put: 0 }
    }

    /// Whether a line of `len` bytes can be put in.
    #[inline]
    pub(crate) fn has_room(&self, len: usize) -> bool {
        self.end + len + (self.put + 1) * ENTRY <= self.memory.len()
    }

    /// Forgets its lines.
    fn clear(&mut self) {
        (self.end, self.put, self.line_start, self.cursor, self.out) = (0, 0, 0, 0, 0);
    }

    /// Puts a line behind the others; there must be room.
    #[inline]
    pub(crate) fn push(&mut self, line: Line<'_>) {
        debug_assert!(self.has_room(line.len()));
        let text_end = self.end + line.bytes.len();
        self.memory[self.end..text_end].copy_from_slice(line.bytes);
        self.end = text_end;
        if line.lacks_newline {
            self.memory[text_end] = b'\n';
            self.end += 1;
        }
        self.push_entry(line.len(), line.severity as u32);
    }

    fn push_entry(&mut self, len: usize, severity: u32) {
        let len = u32::try_from(len).map_or(WHOLE_CHUNK, |len| len.min(WHOLE_CHUNK));
        let entry = (severity << LENGTH_BITS) | len;
        let at = self.memory.len() - (self.put + 1) * ENTRY;
        self.memory[at..at + ENTRY].copy_from_slice(&entry.to_ne_bytes());
        self.put += 1;
    }

    fn entry(&self, index: usize) -> u32 {
        let at = self.memory.len() - (index + 1) * ENTRY;
        let mut entry = [0; ENTRY];
        entry.copy_from_slice(&self.memory[at..at + ENTRY]);
        u32::from_ne_bytes(entry)
    }

    fn len_of(&self, index: usize) -> usize {
        match self.entry(index) & WHOLE_CHUNK {
            WHOLE_CHUNK => self.end,
            len => len as usize,
        }
    }

    /// The length in bytes of the first line that is not completely out.
    fn front_len(&self) -> usize {
        self.len_of(self.out)
    }

    /// Lines not completely out.
    pub(crate) fn lines(&self) -> usize {
        self.put - self.out
    }

    /// The bytes not yet out.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.memory[self.cursor..self.end]
    }

    /// Whether a line is partly out.
    pub(crate) fn inside_line(&self) -> bool {
        self.cursor > self.line_start
    }

    /// Whether all of the first line is out but its newline. A raw line may have others inside.
    pub(crate) fn lacks_newline(&self) -> bool {
        self.inside_line() && self.cursor + 1 == self.line_start + self.front_len()
    }

    /// Forgets that the first line is partly out.
    pub(crate) fn rewind(&mut self) {
        self.cursor = self.line_start;
    }

    /// Notes that `bytes` more bytes are out and returns how many lines that completed.
    pub(crate) fn advance(&mut self, bytes: usize) -> usize {
        let before = self.out;
        self.cursor += bytes;
        debug_assert!(self.cursor <= self.end);
        if self.cursor == self.end {
            self.out = self.put;
            self.line_start = self.end;
        }
        while self.out < self.put && self.line_start + self.front_len() <= self.cursor {
            self.line_start += self.front_len();
            self.out += 1;
        }
        self.out - before
    }

    /// Notes that `bytes` more bytes are out, read by the worker, most likely on another core than
    /// the one that put them here; returns how many lines that completed.
    ///
    /// Writes a zero into each cache line of the text that is completely out. After reading alone
    /// both cores hold such a line, and the next sender that writes there has to ask the other to
    /// give it up. After a store only the worker's holds it, and then the next sender is as fast as
    /// if nobody did. With `demote` the processor is told to pass it down, which makes the sender
    /// faster still and takes the worker longer. The figures are in docs/design.md.
    pub(crate) fn consume(&mut self, bytes: usize, demote: bool) -> usize {
        let from = self.line_start;
        let done = self.advance(bytes);
        let read = &mut self.memory[from..self.line_start];
        read.iter_mut().step_by(cache::LINE).for_each(|byte| *byte = 0);
        if let Some(last) = read.last_mut() {
            *last = 0;
        }
        if demote {
            cache::demote(read);
        }
        done
    }

    /// Where there are zeros among so many of its first bytes.
    #[cfg(test)]
    pub(crate) fn zeros(&self, bytes: usize) -> Vec<usize> {
        (0..bytes).filter(|&at| self.memory[at] == 0).collect()
    }

    /// Takes the first line out, unwritten, and returns its length in bytes and its severity.
    pub(crate) fn evict(&mut self) -> (usize, Severity) {
        debug_assert!(!self.inside_line());
        let (len, severity) = (self.front_len(), self.entry(self.out) >> LENGTH_BITS);
        self.advance(len);
        (len, Severity::ALL[severity as usize])
    }

    /// Takes the last line out if nothing of it is out; returns whether it did.
    pub(crate) fn take_back(&mut self) -> bool {
        if self.lines() == 0 || (self.lines() == 1 && self.inside_line()) {
            return false;
        }
        self.put -= 1;
        self.end -= self.len_of(self.put);
        true
    }

    /// Moves lines from the front of `next` behind the own ones while there is room; returns
    /// whether any moved.
    pub(crate) fn top_up(&mut self, next: &mut Chunk) -> bool {
        let mut moved = false;
        while next.lines() > 0 && !next.inside_line() && self.has_room(next.front_len()) {
            let len = next.front_len();
            let from = next.line_start;
            self.memory[self.end..self.end + len].copy_from_slice(&next.memory[from..from + len]);
            self.end += len;
            self.push_entry(len, next.entry(next.out) >> LENGTH_BITS);
            next.consume(len, false);
            moved = true;
        }
        moved
    }
}

/// Where chunks come from and return to, without a lock.
///
/// A pool, not the queue: popping a chunk is one compare-and-swap per 512 KiB of lines, whereas a
/// queue of lines made of the same structure would pay an allocation and a swap per line.
pub(crate) struct ChunkPool {
    free: ArrayQueue<Chunk>,
    chunk_bytes: usize,
}

/// The smallest page of the usual systems, in bytes.
const PAGE: usize = 4096;

/// How much of a new chunk is made ready for lines, and a sixteenth of it for their index. More
/// would serve a program that logs a lot, once, and be memory that one that logs little never uses.
const READY_BYTES: usize = 256 << 10;

/// The most memory that stays in a pool after a burst, in bytes.
const KEPT_BYTES: usize = 16 << 20;

impl ChunkPool {
    /// A pool of chunks for `chunk_bytes` of lines each and an index beside them. It keeps those of
    /// a full queue of `queue_bytes` and of a batch of the same size in the worker's hand, but no
    /// more than [`KEPT_BYTES`] unless four chunks are more.
    pub(crate) fn new(chunk_bytes: usize, queue_bytes: usize) -> Self {
        let chunk_bytes = chunk_bytes + chunk_bytes / 16;
        let kept = KEPT_BYTES.min(queue_bytes.saturating_mul(2)) / chunk_bytes;
        let free = ArrayQueue::new(kept.max(4));
        ChunkPool { free, chunk_bytes }
    }

    /// An empty chunk with room for at least one line of `len` bytes; a line that does not fit a
    /// chunk of the usual size gets one of its own.
    pub(crate) fn get(&self, len: usize) -> Chunk {
        let needed = len + ENTRY;
        if needed > self.chunk_bytes {
            return Chunk::new(vec![0; needed].into_boxed_slice());
        }
        self.used().unwrap_or_else(|| Chunk::new(vec![0; self.chunk_bytes].into_boxed_slice()))
    }

    /// An empty chunk of the usual size with the first pages of its lines and of its index there,
    /// so that no sender need wait for the system to make them.
    pub(crate) fn get_ready(&self) -> Chunk {
        self.used().unwrap_or_else(|| {
            let mut memory = vec![0; self.chunk_bytes].into_boxed_slice();
            // Zeros alone would be promised by the system and not yet there.
            let touch = |byte: &mut u8| *byte = std::hint::black_box(1);
            memory.iter_mut().take(READY_BYTES).step_by(PAGE).for_each(touch);
            memory.iter_mut().rev().take(READY_BYTES / 16).step_by(PAGE).for_each(touch);
            Chunk::new(memory)
        })
    }

    fn used(&self) -> Option<Chunk> {
        let mut chunk = self.free.pop()?;
        chunk.clear();
        Some(chunk)
    }

    /// Takes a chunk back; frees it if it has an unusual size or the pool is full.
    pub(crate) fn put(&self, chunk: Chunk) {
        if chunk.memory.len() == self.chunk_bytes {
            // A full pool hands the chunk back, and it is freed here.
            drop(self.free.push(chunk));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line<'_> {
        Line::new(text.as_bytes(), Severity::Warn)
    }

    #[test]
    fn lines_lie_gapless_and_end_in_one_newline() {
        let mut chunk = ChunkPool::new(64, 64).get(1);
        chunk.push(line("a\n"));
        chunk.push(line("b"));
        chunk.push(line(""));
        assert_eq!(chunk.rest(), b"a\nb\n\n");
        assert_eq!(chunk.lines(), 3);
        assert_eq!(chunk.entry(1) >> LENGTH_BITS, Severity::Warn as u32);
    }

    #[test]
    fn a_line_is_out_only_when_its_newline_is() {
        let mut chunk = ChunkPool::new(64, 64).get(1);
        for text in ["abc", "", "defg"] {
            chunk.push(line(text));
        }
        assert_eq!(chunk.advance(3), 0);
        assert!(chunk.inside_line());
        assert_eq!(chunk.advance(1), 1);
        assert!(!chunk.inside_line());
        assert_eq!(chunk.advance(2), 1);
        assert_eq!(chunk.rest(), b"efg\n");
        assert_eq!(chunk.advance(4), 1);
        assert_eq!(chunk.lines(), 0);
    }

    #[test]
    fn a_long_line_gets_a_chunk_of_its_own_that_is_not_kept() {
        let pool = ChunkPool::new(64, 1 << 20);
        let long = "x".repeat(100);
        let mut chunk = pool.get(101);
        chunk.push(line(&long));
        assert_eq!(chunk.rest().len(), 101);
        assert!(!chunk.has_room(1));
        pool.put(chunk);
        assert!(pool.free.is_empty());
        pool.put(pool.get(1));
        assert_eq!(pool.free.len(), 1);
    }

    #[test]
    fn a_used_chunk_is_empty_and_has_all_its_room() {
        let pool = ChunkPool::new(64, 1 << 20);
        for _ in 0..3 {
            let mut chunk = pool.get_ready();
            assert!(chunk.rest().is_empty() && chunk.has_room(64));
            chunk.push(line("0123456789"));
            chunk.push(line("a"));
            assert_eq!((chunk.rest(), chunk.lines()), (&b"0123456789\na\n"[..], 2));
            assert_eq!((chunk.consume(11, true), chunk.inside_line()), (1, false));
            // Also with a line left: it may have been given up.
            pool.put(chunk);
        }
        assert_eq!(pool.free.len(), 1);
    }

    #[test]
    fn a_chunk_made_ready_has_the_first_pages_of_its_lines_and_of_its_index() {
        let pool = ChunkPool::new(512 << 10, 64 << 20);
        let touched = |chunk: &Chunk, at: usize| chunk.memory[at] != 0;
        let chunk = pool.get_ready();
        let end = chunk.memory.len() - 1;
        for page in (0..READY_BYTES).step_by(PAGE) {
            assert!(touched(&chunk, page), "byte {page} of the lines");
        }
        for page in (0..READY_BYTES / 16).step_by(PAGE) {
            assert!(touched(&chunk, end - page), "byte {page} of the index, from its end");
        }
        assert!(!touched(&chunk, READY_BYTES), "more than that is not");
    }

    #[test]
    fn consuming_writes_into_each_cache_line_of_complete_lines_alone() {
        let mut chunk = ChunkPool::new(1 << 10, 1 << 10).get(1);
        chunk.push(line(&"a".repeat(99)));
        chunk.push(line(&"b".repeat(150)));
        chunk.push(line("c"));
        assert_eq!(chunk.consume(99, true), 0);
        assert_eq!(chunk.memory[..100], *("a".repeat(99) + "\n").as_bytes());
        assert_eq!(chunk.consume(1 + 149, true), 1);
        assert_eq!(chunk.zeros(253), [0, 64, 99]);
        // All of the line that is partly out is still there to begin anew.
        chunk.rewind();
        assert_eq!(*chunk.rest(), *("b".repeat(150) + "\nc\n").as_bytes());
        assert_eq!(chunk.consume(153, true), 2);
        assert_eq!(chunk.zeros(253), [0, 64, 99, 100, 164, 228, 252]);
    }

    #[test]
    fn topping_up_moves_whole_lines_in_order_with_their_severity() {
        let pool = ChunkPool::new(32, 64);
        let (mut first, mut second) = (pool.get(1), pool.get(1));
        first.push(line("0123456789"));
        first.advance(4);
        for text in ["a", "b", "cdefghijkl"] {
            second.push(line(text));
        }
        assert!(first.top_up(&mut second));
        assert_eq!(first.rest(), b"456789\na\nb\n");
        assert_eq!(second.rest(), b"cdefghijkl\n");
        assert_eq!(first.entry(2) >> LENGTH_BITS, Severity::Warn as u32);
        assert!(!first.top_up(&mut second));
    }
}
