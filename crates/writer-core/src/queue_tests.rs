//! The queue, the hand and the pool against lists of lines: any sequence of what is done to them.

use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::Severity;

/// Bytes of lines in a chunk: few, so that chunks fill up and go round all the time.
const CHUNK: usize = 64;

#[derive(Debug, Clone)]
enum Step {
    /// Sends a line, with or without its newline, after evicting lines for it if it finds no room.
    Push {
        bytes: usize,
        newline: bool,
        severity: usize,
        evict: bool,
    },
    /// Allows lines until there are so many lines or bytes.
    Allow {
        lines: usize,
        bytes: usize,
    },
    Forbid,
    LayIn,
    Take,
    /// So much of the front is out.
    Advance(prop::sample::Index),
    LengthenFront,
    Rewind,
    TakeBackLast,
    DiscardFront,
    /// Another hand takes a chunk from the pool, puts lines into it and gives it back, with so many
    /// of their bytes out.
    Borrow {
        needed: usize,
        lines: Vec<usize>,
        out: prop::sample::Index,
    },
}

fn length() -> impl Strategy<Value = usize> {
    prop_oneof![6 => 0..12usize, 3 => 12..CHUNK, 1 => CHUNK..3 * CHUNK]
}

fn step() -> impl Strategy<Value = Step> {
    let push = (length(), any::<bool>(), 0..Severity::ALL.len(), any::<bool>()).prop_map(
        |(bytes, newline, severity, evict)| Step::Push { bytes, newline, severity, evict },
    );
    let most = || prop_oneof![Just(usize::MAX), Just(usize::MAX - 1), 0..30usize, 0..600usize];
    let allow = (most(), most()).prop_map(|(lines, bytes)| Step::Allow { lines, bytes });
    let borrow = (0..CHUNK, vec(0..20usize, 0..4), any::<prop::sample::Index>())
        .prop_map(|(needed, lines, out)| Step::Borrow { needed, lines, out });
    prop_oneof![
        24 => push,
        6 => allow,
        1 => Just(Step::Forbid),
        4 => Just(Step::LayIn),
        6 => Just(Step::Take),
        10 => any::<prop::sample::Index>().prop_map(Step::Advance),
        4 => Just(Step::LengthenFront),
        2 => Just(Step::Rewind),
        2 => Just(Step::TakeBackLast),
        1 => Just(Step::DiscardFront),
        3 => borrow,
    ]
}

type Lines = VecDeque<(Vec<u8>, Severity)>;

fn bytes_of(lines: &Lines) -> usize {
    lines.iter().map(|(text, _)| text.len()).sum()
}

fn joined<'a>(lines: impl Iterator<Item = &'a (Vec<u8>, Severity)>) -> Vec<u8> {
    lines.flat_map(|(text, _)| text.iter().copied()).collect()
}

/// All that is in a chunk, by way of what it says of itself.
fn assert_chunk(chunk: &Chunk) {
    assert!(chunk.lines() > 0, "a chunk without lines");
    assert_eq!(chunk.rest().iter().filter(|&&byte| byte == b'\n').count(), chunk.lines());
    assert_eq!(chunk.rest().last(), Some(&b'\n'));
}

struct Model {
    pool: ChunkPool,
    queue: Queue,
    hand: Hand,
    queued: Lines,
    held: Lines,
    /// How many bytes of the first line in the hand are out.
    out: usize,
    high_water: usize,
    accepted: u64,
    /// So many lines and bytes may come in without a look at the bounds.
    allowed: (usize, usize),
    /// Makes each line unlike its neighbours.
    count: usize,
}

impl Model {
    fn new(max_lines: usize, max_bytes: usize) -> Self {
        Model {
            pool: ChunkPool::new(CHUNK, 1 << 10),
            queue: Queue::new(max_lines, max_bytes),
            hand: Hand::default(),
            queued: Lines::new(),
            held: Lines::new(),
            out: 0,
            high_water: 0,
            accepted: 0,
            allowed: (0, 0),
            count: 0,
        }
    }

    fn text(&mut self, bytes: usize) -> Vec<u8> {
        self.count += 1;
        (0..bytes).map(|at| b'!' + ((self.count * 7 + at) % 94) as u8).collect()
    }

    fn fits(&self, len: usize) -> bool {
        self.queued.len() < self.queue.max_lines()
            && bytes_of(&self.queued) + len <= self.queue.max_bytes()
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Push { bytes, newline, severity, evict } => {
                self.push(bytes, newline, Severity::ALL[severity], evict);
            }
            Step::Allow { lines, bytes } => {
                self.queue.allow(lines, bytes);
                let left = |most: usize, bound: usize, now| most.min(bound).saturating_sub(now);
                self.allowed = (
                    left(lines, self.queue.max_lines(), self.queued.len()),
                    left(bytes, self.queue.max_bytes(), bytes_of(&self.queued)),
                );
            }
            Step::Forbid => {
                self.queue.forbid();
                self.allowed = (0, 0);
            }
            Step::LayIn => {
                let ready = self.pool.get_ready();
                let unneeded = self.queue.lay_in(ready);
                assert!(unneeded.is_some() || self.queued.is_empty());
                unneeded.into_iter().for_each(|chunk| self.pool.put(chunk));
            }
            Step::Take => self.take(),
            // As a sink may: at least one byte, and all of them not seldom.
            Step::Advance(part) => self.advance(|front| part.index(front + front / 2 + 1) + 1),
            Step::LengthenFront => self.lengthen_front(),
            Step::Rewind => {
                self.hand.rewind();
                self.out = 0;
            }
            Step::TakeBackLast => {
                let can = self.held.len() > usize::from(self.out > 0);
                assert_eq!(self.hand.take_back_last(&self.pool), can);
                if can {
                    self.held.pop_back();
                }
            }
            Step::DiscardFront => {
                let front = self.hand.front().map_or(0, <[u8]>::len);
                let (lines, inside_line) = self.hand.discard_front(&self.pool);
                assert_eq!(inside_line, self.out > 0);
                let gone = self.held.drain(..lines).map(|(text, _)| text.len()).sum::<usize>();
                assert_eq!(gone - self.out, front);
                self.out = 0;
            }
            Step::Borrow { needed, lines, out } => self.borrow(needed, &lines, out),
        }
    }

    fn push(&mut self, bytes: usize, newline: bool, severity: Severity, evict: bool) {
        let mut text = self.text(bytes);
        if newline {
            text.push(b'\n');
        }
        let line = Line::new(&text, severity);
        let len = line.len();
        assert_eq!(len, bytes + 1);
        assert_eq!(self.queue.fits(len), self.fits(len));
        assert_eq!(self.queue.never_fits(len), len > self.queue.max_bytes());
        if evict && !self.queue.never_fits(len) {
            self.high_water = self.high_water.max(self.queued.len());
            let mut expected = BySeverity::default();
            while !self.fits(len) {
                let (_, severity) = self.queued.pop_front().unwrap();
                expected[severity as usize] += 1;
            }
            assert_eq!(self.queue.evict_for(&self.pool, len), expected);
        }
        let (lines, bytes) = self.allowed;
        let has_room = self.queue.open.as_ref().is_some_and(|chunk| chunk.has_room(len));
        if self.queue.put(line) {
            assert!(lines > 0 && len <= bytes && has_room && self.fits(len));
            self.allowed = (lines - 1, bytes - len);
        } else {
            assert!(lines == 0 || len > bytes || !has_room);
            // A line that never fits comes in when the queue is empty.
            if !self.fits(len) && (len <= self.queue.max_bytes() || !self.queued.is_empty()) {
                return;
            }
            self.queue.push(&self.pool, line);
            self.allowed = (0, 0);
        }
        text.extend((!newline).then_some(b'\n'));
        self.queued.push_back((text, severity));
        self.accepted += 1;
    }

    fn take(&mut self) {
        let held = (self.held.len(), bytes_of(&self.held) - self.out);
        self.high_water = self.high_water.max(self.queued.len());
        let next = self.queue.oldest().map_or(0, |chunk| chunk.lines());
        let taken = self.queue.take_into(&mut self.hand);
        if held.0 == 0 {
            assert_eq!(taken, self.queued.len());
        }
        self.held.extend(self.queued.drain(..taken));
        let now = (self.held.len(), bytes_of(&self.held) - self.out);
        let within =
            |(lines, bytes)| lines <= self.queue.max_lines() && bytes <= self.queue.max_bytes();
        if held.0 > 0 && taken > 0 {
            assert!(within(now), "{now:?} lines and bytes in the hand");
        }
        if taken == 0 && next > 0 {
            // Not even the oldest chunk went: it would have been too much.
            let bytes = self.queued.iter().take(next).map(|(text, _)| text.len()).sum::<usize>();
            assert!(!within((held.0 + next, held.1 + bytes)));
        }
    }

    /// Has so many bytes of a front of that length go out, or all if they are more.
    fn advance(&mut self, bytes: impl FnOnce(usize) -> usize) {
        let Some(front) = self.hand.front().map(<[u8]>::len) else { return };
        let bytes = bytes(front).min(front);
        let mut left = self.out + bytes;
        let mut lines = 0;
        while let Some((text, _)) = self.held.front()
            && text.len() <= left
        {
            left -= text.len();
            lines += 1;
            self.held.pop_front();
        }
        self.out = left;
        assert_eq!(self.hand.advance(&self.pool, bytes), lines);
    }

    fn lengthen_front(&mut self) {
        let before = self.hand.front().map_or(0, <[u8]>::len);
        let moved = self.hand.lengthen_front(&self.pool);
        let after = self.hand.front().map_or(0, <[u8]>::len);
        assert_eq!(moved, after > before);
    }

    fn borrow(&mut self, needed: usize, lines: &[usize], out: prop::sample::Index) {
        let mut chunk = self.pool.get(needed);
        assert!(chunk.has_room(needed) && chunk.lines() == 0 && chunk.rest().is_empty());
        assert!(!chunk.inside_line());
        let mut put = Vec::new();
        for &bytes in lines {
            if chunk.has_room(bytes + 1) {
                let mut text = self.text(bytes);
                text.push(b'\n');
                chunk.push(Line::new(&text, Severity::Error));
                put.extend(text);
            }
        }
        assert_eq!(chunk.rest(), put);
        chunk.consume(out.index(put.len() + 1), true);
        self.pool.put(chunk);
    }

    fn check(&self) {
        assert_eq!(self.queue.lines(), self.queued.len());
        assert_eq!(self.queue.bytes(), bytes_of(&self.queued));
        assert_eq!(self.queue.accepted(), self.accepted);
        assert_eq!(self.queue.is_empty(), self.queued.is_empty());
        assert_eq!(self.queue.high_water(), self.high_water.max(self.queued.len()));
        self.queue.chunks.iter().for_each(assert_chunk);
        if !self.queued.is_empty() {
            assert_chunk(self.queue.open.as_ref().unwrap());
        }
        let chunks = self.queue.chunks.iter().chain(&self.queue.open);
        assert_eq!(
            chunks.flat_map(Chunk::rest).copied().collect::<Vec<_>>(),
            joined(self.queued.iter())
        );

        self.hand.chunks.iter().for_each(assert_chunk);
        assert_eq!(self.hand.is_empty(), self.held.is_empty());
        assert_eq!(self.hand.lines(), self.held.len());
        assert_eq!(self.hand.inside_line(), self.out > 0);
        assert_eq!(self.hand.has_more(), self.hand.chunks.len() > 1);
        let held = self.hand.chunks.iter().flat_map(Chunk::rest).copied();
        assert_eq!(held.collect::<Vec<_>>(), joined(self.held.iter())[self.out..]);
    }
}

/// An interpreter takes a second for what takes a millisecond otherwise.
const CASES: u32 = if cfg!(miri) { 4 } else { 96 };

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) })]

    #[test]
    fn queue_and_hand_do_what_lists_of_lines_would(
        max_lines in prop_oneof![Just(0), 1..20usize],
        max_bytes in prop_oneof![Just(0), 1..400usize],
        steps in vec(step(), 1..200),
    ) {
        let mut model = Model::new(max_lines, max_bytes);
        for step in steps {
            model.run(step);
            model.check();
        }
        // What is left goes out to the last byte.
        while !model.queued.is_empty() || !model.held.is_empty() {
            model.take();
            while !model.held.is_empty() {
                model.advance(|front| front);
            }
            model.check();
        }
    }
}
