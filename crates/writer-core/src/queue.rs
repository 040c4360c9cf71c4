//! The lines that the worker has not yet taken, within their bounds.
//!
//! Plain data: the lock around it, the waiting and the waking live in [`crate::shared`].

mod hand;

use std::collections::VecDeque;

use crate::chunk::{Chunk, ChunkPool, Line};
use crate::losses::BySeverity;
pub(crate) use hand::Hand;

/// A list of chunks, bounded in lines and in bytes.
///
/// What every line needs comes first, in one piece of memory: see [`Inner`](crate::inner::Inner).
#[repr(C)]
pub(crate) struct Queue {
    allowance: Allowance,
    /// The chunk that lines are put into, behind all others. Where it has none, there are no
    /// others.
    open: Option<Chunk>,
    chunks: VecDeque<Chunk>,
    /// The lines and the bytes that are there, and the lines ever accepted, each with what is
    /// allowed on top: so a line that comes in changes the allowance alone.
    lines_then: usize,
    bytes_then: usize,
    accepted_then: u64,
    max_lines: usize,
    max_bytes: usize,
    /// The most lines that were there when some left.
    high_water: usize,
}

/// What may come in with no look at anything else: at bounds, alarm, oversized lines that wait, and
/// whether the writer is closed.
///
/// Who changes one of these so that less may come in gives a new allowance, or takes it back with
/// [`Queue::forbid`]: then the next sender finds none, looks at everything, and gives a new one.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
struct Allowance {
    lines: usize,
    bytes: usize,
}

impl Default for Queue {
    /// Without bounds.
    fn default() -> Self {
        Queue::new(0, 0)
    }
}

impl Queue {
    /// The bytes at its start that a line needs.
    #[cfg(test)]
    pub(crate) const HOT: usize = std::mem::offset_of!(Queue, open) + Chunk::HOT;

    /// An empty queue that allows nothing yet; a bound of 0 is no bound.
    pub(crate) fn new(max_lines: usize, max_bytes: usize) -> Self {
        let or_none = |bound| if bound == 0 { usize::MAX } else { bound };
        Queue {
            allowance: Allowance::default(),
            open: None,
            chunks: VecDeque::new(),
            lines_then: 0,
            bytes_then: 0,
            accepted_then: 0,
            max_lines: or_none(max_lines),
            max_bytes: or_none(max_bytes),
            high_water: 0,
        }
    }

    pub(crate) fn lines(&self) -> usize {
        self.lines_then - self.allowance.lines
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes_then - self.allowance.bytes
    }

    /// Lines ever accepted.
    pub(crate) fn accepted(&self) -> u64 {
        // Without bounds the sum passes the largest number.
        self.accepted_then.wrapping_sub(self.allowance.lines as u64)
    }

    pub(crate) fn max_lines(&self) -> usize {
        self.max_lines
    }

    pub(crate) fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// The most lines that ever waited at once.
    pub(crate) fn high_water(&self) -> usize {
        self.high_water.max(self.lines())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines() == 0
    }

    pub(crate) fn is_full(&self) -> bool {
        self.lines() >= self.max_lines || self.bytes() >= self.max_bytes
    }

    /// Half of the bound in lines, at least one.
    pub(crate) fn half_lines(&self) -> usize {
        (self.max_lines / 2).max(1)
    }

    /// Half of the bound in bytes, at least one.
    pub(crate) fn half_bytes(&self) -> usize {
        (self.max_bytes / 2).max(1)
    }

    pub(crate) fn is_half_full(&self) -> bool {
        self.lines() >= self.half_lines() || self.bytes() >= self.half_bytes()
    }

    /// Whether there is an eighth of one of the bounds, and at least something.
    pub(crate) fn is_eighth_full(&self) -> bool {
        self.lines() >= (self.max_lines / 8).max(1) || self.bytes() >= (self.max_bytes / 8).max(1)
    }

    /// Whether a line of `len` bytes can come in now.
    pub(crate) fn fits(&self, len: usize) -> bool {
        self.lines() < self.max_lines && len <= self.max_bytes.saturating_sub(self.bytes())
    }

    /// Whether a line of `len` bytes passes the byte bound even in an empty queue.
    pub(crate) fn never_fits(&self, len: usize) -> bool {
        len > self.max_bytes
    }

    /// Allows lines to come in within the bounds and until there are so many lines or bytes.
    pub(crate) fn allow(&mut self, lines: usize, bytes: usize) {
        let more = |most: usize, bound: usize, now| most.min(bound).saturating_sub(now);
        self.set_allowance(Allowance {
            lines: more(lines, self.max_lines, self.lines()),
            bytes: more(bytes, self.max_bytes, self.bytes()),
        });
    }

    /// Takes the allowance back: the next line is looked at.
    pub(crate) fn forbid(&mut self) {
        self.set_allowance(Allowance::default());
    }

    fn set_allowance(&mut self, allowance: Allowance) {
        self.lines_then = self.lines() + allowance.lines;
        self.bytes_then = self.bytes() + allowance.bytes;
        self.accepted_then = self.accepted().wrapping_add(allowance.lines as u64);
        self.allowance = allowance;
    }

    /// Notes that so many lines and bytes have left.
    fn note_gone(&mut self, lines: usize, bytes: usize) {
        self.lines_then -= lines;
        self.bytes_then -= bytes;
    }

    /// Notes that a line which has left was not accepted after all.
    pub(crate) fn withdraw(&mut self) {
        self.accepted_then = self.accepted_then.wrapping_sub(1);
    }

    /// Puts a line at the end if it is allowed and the open chunk has room.
    #[inline]
    pub(crate) fn put(&mut self, line: Line<'_>) -> bool {
        let len = line.len();
        let Allowance { lines, bytes } = self.allowance;
        let Some(open) = &mut self.open else { return false };
        if lines == 0 || len > bytes || !open.has_room(len) {
            return false;
        }
        open.push(line);
        self.allowance = Allowance { lines: lines - 1, bytes: bytes - len };
        true
    }

    /// Puts a line at the end and takes the allowance back. The caller has looked at the bounds,
    /// and may then give a new one.
    pub(crate) fn push(&mut self, pool: &ChunkPool, line: Line<'_>) {
        self.forbid();
        let len = line.len();
        match &mut self.open {
            Some(last) if last.has_room(len) => last.push(line),
            _ => self.push_chunk(pool, line),
        }
        self.lines_then += 1;
        self.bytes_then += len;
        self.accepted_then += 1;
    }

    fn push_chunk(&mut self, pool: &ChunkPool, line: Line<'_>) {
        let mut chunk = pool.get(line.len());
        chunk.push(line);
        match self.open.replace(chunk) {
            Some(full) if full.lines() > 0 => self.chunks.push_back(full),
            unused => unused.into_iter().for_each(|chunk| pool.put(chunk)),
        }
    }

    /// Has the next lines come into this empty chunk, so that their sender need not go to the pool;
    /// returns it if there is one for them.
    pub(crate) fn lay_in(&mut self, chunk: Chunk) -> Option<Chunk> {
        debug_assert_eq!(chunk.lines(), 0);
        if self.open.is_some() { Some(chunk) } else { self.open.replace(chunk) }
    }

    fn oldest(&mut self) -> Option<&mut Chunk> {
        self.chunks.front_mut().or(self.open.as_mut())
    }

    fn take_oldest(&mut self) -> Option<Chunk> {
        self.chunks.pop_front().or_else(|| self.open.take())
    }

    /// Evicts the oldest lines until a line of `len` bytes fits, and returns how many went of each
    /// severity. The line must not be one that [never fits](Self::never_fits).
    pub(crate) fn evict_for(&mut self, pool: &ChunkPool, len: usize) -> BySeverity {
        let mut evicted = BySeverity::default();
        self.high_water = self.high_water();
        while !self.fits(len) && !self.is_empty() {
            let Some(oldest) = self.oldest() else { break };
            let ((len, severity), left) = (oldest.evict(), oldest.lines());
            self.note_gone(1, len);
            evicted[severity as usize] += 1;
            if left == 0
                && let Some(empty) = self.take_oldest()
            {
                pool.put(empty);
            }
        }
        evicted
    }

    /// Moves everything to the end of `hand` and returns the number of lines moved. What is in the
    /// hand already counts against the bounds: then only as much is moved as keeps hand and moved
    /// lines within one queue.
    pub(crate) fn take_into(&mut self, hand: &mut Hand) -> usize {
        let before = self.lines();
        if before == 0 {
            // An empty chunk that was laid in stays.
            return 0;
        }
        self.high_water = self.high_water();
        if hand.is_empty() {
            hand.lines += before;
            hand.chunks.append(&mut self.chunks);
            hand.chunks.extend(self.open.take());
            self.note_gone(before, self.bytes());
            return before;
        }
        let mut hand_bytes = hand.bytes();
        while let Some(chunk) = self.oldest() {
            let (lines, bytes) = (chunk.lines(), chunk.rest().len());
            if hand.lines + lines > self.max_lines || hand_bytes + bytes > self.max_bytes {
                break;
            }
            hand.lines += lines;
            hand_bytes += bytes;
            self.note_gone(lines, bytes);
            hand.chunks.extend(self.take_oldest());
        }
        before - self.lines()
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod model;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;

    fn push(queue: &mut Queue, pool: &ChunkPool, text: &str) {
        queue.push(pool, Line::new(text.as_bytes(), Severity::Info));
    }

    fn take_all(queue: &mut Queue, pool: &ChunkPool) -> String {
        let mut hand = Hand::default();
        queue.take_into(&mut hand);
        let mut out = String::new();
        while let Some(front) = hand.front() {
            out.push_str(std::str::from_utf8(front).unwrap());
            let len = front.len();
            hand.advance(pool, len);
        }
        assert_eq!(hand.lines(), 0);
        out
    }

    #[test]
    fn lines_come_out_in_the_order_they_went_in_over_many_chunks() {
        let pool = ChunkPool::new(64, 1 << 20);
        let mut queue = Queue::new(0, 0);
        let texts: Vec<String> = (0..100).map(|i| format!("line {i}")).collect();
        for text in &texts {
            push(&mut queue, &pool, text);
        }
        assert_eq!(queue.lines(), 100);
        assert_eq!(take_all(&mut queue, &pool), texts.join("\n") + "\n");
        assert!(queue.is_empty());
        assert_eq!((queue.bytes(), queue.high_water()), (0, 100));
    }

    #[test]
    fn a_chunk_laid_in_takes_the_next_lines_and_is_never_taken_empty() {
        let pool = ChunkPool::new(64, 1 << 20);
        let mut queue = Queue::new(0, 0);
        assert!(queue.lay_in(pool.get_ready()).is_none());
        assert!(queue.lay_in(pool.get_ready()).is_some());
        let mut hand = Hand::default();
        assert_eq!(queue.take_into(&mut hand), 0);
        assert!(hand.is_empty());
        // Too long for it: it must not come before this line as a chunk without lines.
        push(&mut queue, &pool, &"x".repeat(100));
        push(&mut queue, &pool, "a");
        assert_eq!(take_all(&mut queue, &pool), "x".repeat(100) + "\na\n");
        assert!(queue.lay_in(pool.get_ready()).is_none());
        queue.evict_for(&pool, 1);
        push(&mut queue, &pool, "b");
        assert_eq!(take_all(&mut queue, &pool), "b\n");
    }

    #[test]
    fn evicting_goes_from_chunk_to_chunk_oldest_first() {
        let pool = ChunkPool::new(16, 1 << 10);
        let mut queue = Queue::new(9, 0);
        for line in 0..9 {
            push(&mut queue, &pool, &format!("line {line}"));
        }
        for line in 9..15 {
            queue.evict_for(&pool, 7);
            push(&mut queue, &pool, &format!("line {line}"));
        }
        let expected: String = (6..15).map(|line| format!("line {line}\n")).collect();
        assert_eq!(take_all(&mut queue, &pool), expected);
    }

    #[test]
    fn evicting_makes_just_enough_room_in_lines_and_in_bytes() {
        let pool = ChunkPool::new(64, 1 << 20);
        let mut queue = Queue::new(3, 20);
        for text in ["a", "b", "c"] {
            push(&mut queue, &pool, text);
        }
        assert!(!queue.fits(2));
        assert_eq!(queue.evict_for(&pool, 2).iter().sum::<u64>(), 1);
        push(&mut queue, &pool, "d");
        assert_eq!(queue.evict_for(&pool, 17), [0, 0, 2, 0, 0]);
        push(&mut queue, &pool, "0123456789abcdef");
        assert_eq!(take_all(&mut queue, &pool), "d\n0123456789abcdef\n");
    }

    #[test]
    fn whatever_the_hand_has_read_is_written_over() {
        let pool = ChunkPool::new(200, 1 << 20);
        let (mut queue, mut hand) = (Queue::new(0, 0), Hand::default());
        push(&mut queue, &pool, &"a".repeat(99));
        queue.take_into(&mut hand);
        push(&mut queue, &pool, &"b".repeat(99));
        queue.take_into(&mut hand);
        assert_eq!(hand.advance(&pool, 99), 0);
        assert!(hand.lengthen_front(&pool));
        assert_eq!(pool.get_ready().zeros(100), [0, 64, 99]);
        let front = |hand: &Hand| hand.chunks[0].zeros(200);
        assert!(front(&hand).is_empty());
        assert_eq!(hand.advance(&pool, 2), 1);
        assert_eq!(front(&hand), [0, 64, 99]);
    }

    #[test]
    fn half_and_an_eighth_are_of_the_lines_or_of_the_bytes() {
        let pool = ChunkPool::new(64, 1 << 20);
        for mut queue in [Queue::new(16, 0), Queue::new(0, 32)] {
            for full in [false, true] {
                push(&mut queue, &pool, "a");
                assert_eq!(queue.is_eighth_full(), full);
            }
        }
        for mut queue in [Queue::new(4, 0), Queue::new(0, 8)] {
            for full in [false, true] {
                push(&mut queue, &pool, "a");
                assert_eq!(queue.is_half_full(), full);
            }
        }
        // Of a small queue each line is one, and none is none.
        let mut small = Queue::new(2, 0);
        assert!(!small.is_eighth_full());
        push(&mut small, &pool, "a");
        assert!(small.is_eighth_full());
    }

    #[test]
    fn hand_and_taken_lines_stay_within_one_queue() {
        let pool = ChunkPool::new(64, 1 << 20);
        let mut queue = Queue::new(4, 0);
        let mut hand = Hand::default();
        for text in ["a", "b", "c"] {
            push(&mut queue, &pool, text);
        }
        assert_eq!(queue.take_into(&mut hand), 3);
        for text in ["d", "e"] {
            push(&mut queue, &pool, text);
        }
        assert_eq!(queue.take_into(&mut hand), 0);
        hand.advance(&pool, 4);
        assert_eq!(queue.take_into(&mut hand), 2);
        assert_eq!(hand.lines(), 3);
        assert!(hand.lengthen_front(&pool));
        assert_eq!(hand.front(), Some(&b"c\nd\ne\n"[..]));
        assert!(!hand.has_more());
    }
}
