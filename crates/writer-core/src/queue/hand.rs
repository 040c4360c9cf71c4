//! What the worker has taken out of the queue, on its way to the sink.

use std::collections::VecDeque;

use crate::chunk::{Chunk, ChunkPool};

/// The lines that the worker has taken and not yet delivered.
#[derive(Default)]
pub(crate) struct Hand {
    pub(super) chunks: VecDeque<Chunk>,
    pub(super) lines: usize,
    /// Whether cache lines that were read are passed down for whoever writes there next.
    pub(crate) demotes: bool,
}

impl Hand {
    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    pub(crate) fn lines(&self) -> usize {
        self.lines
    }

    pub(super) fn bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.rest().len()).sum()
    }

    /// The bytes that go out next, in one piece.
    pub(crate) fn front(&self) -> Option<&[u8]> {
        self.chunks.front().map(Chunk::rest)
    }

    /// Whether more bytes follow behind [`front`](Self::front).
    pub(crate) fn has_more(&self) -> bool {
        self.chunks.len() > 1
    }

    /// Makes [`front`](Self::front) longer out of what follows; returns whether it could.
    pub(crate) fn lengthen_front(&mut self, pool: &ChunkPool) -> bool {
        let mut chunks = self.chunks.iter_mut();
        let (Some(front), Some(next)) = (chunks.next(), chunks.next()) else { return false };
        let moved = front.top_up(next);
        if next.lines() == 0
            && let Some(empty) = self.chunks.remove(1)
        {
            pool.put(empty);
        }
        moved
    }

    /// Notes that `bytes` of the front are out and returns how many lines that completed.
    pub(crate) fn advance(&mut self, pool: &ChunkPool, bytes: usize) -> usize {
        let Some(front) = self.chunks.front_mut() else { return 0 };
        let done = front.consume(bytes, self.demotes);
        self.lines -= done;
        if front.lines() == 0
            && let Some(empty) = self.chunks.pop_front()
        {
            pool.put(empty);
        }
        done
    }

    /// Whether the first line is partly out.
    pub(crate) fn inside_line(&self) -> bool {
        self.chunks.front().is_some_and(Chunk::inside_line)
    }

    /// Whether all of the first line is out but its newline.
    pub(crate) fn lacks_newline(&self) -> bool {
        self.chunks.front().is_some_and(Chunk::lacks_newline)
    }

    /// Has a line that is partly out begin anew.
    pub(crate) fn rewind(&mut self) {
        if let Some(front) = self.chunks.front_mut() {
            front.rewind();
        }
    }

    /// Takes the last line back if nothing of it is out.
    pub(crate) fn take_back_last(&mut self, pool: &ChunkPool) -> bool {
        let Some(last) = self.chunks.back_mut() else { return false };
        if !last.take_back() {
            return false;
        }
        self.lines -= 1;
        if last.lines() == 0
            && let Some(empty) = self.chunks.pop_back()
        {
            pool.put(empty);
        }
        true
    }

    /// Throws the front piece away and returns how many lines went with it, and whether the first
    /// of them was partly out.
    pub(crate) fn discard_front(&mut self, pool: &ChunkPool) -> (usize, bool) {
        let Some(front) = self.chunks.pop_front() else { return (0, false) };
        let discarded = (front.lines(), front.inside_line());
        self.lines -= discarded.0;
        pool.put(front);
        discarded
    }
}
