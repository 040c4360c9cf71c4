//! Which numbers of a sequence have not come.
//!
//! Numbers are taken one after the other but may come a little out of order, so a number is missing
//! for certain only at the end. What is kept is one range per hole.

use std::collections::BTreeMap;

/// How many holes are watched at once. A number of a hole that is older than these would be taken
/// for one that came twice.
const WATCHED: usize = 1 << 16;

/// How many holes are kept to be told of.
const TOLD: usize = 100;

/// Numbers that have not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hole {
    /// The first of them.
    pub first: u64,
    /// The last of them.
    pub last: u64,
    /// The line, counted over all files, before which they were missing first.
    pub line: u64,
}

impl Hole {
    fn numbers(&self) -> u64 {
        self.last - self.first + 1
    }
}

/// The numbers of one sequence, which begins at 1.
#[derive(Debug)]
pub struct Sequence {
    /// How many numbers came.
    pub came: u64,
    /// How many came a second time.
    pub twice: u64,
    /// The highest number that came.
    highest: u64,
    /// The last number of each hole and its line, by its first number.
    holes: BTreeMap<u64, (u64, u64)>,
    /// How many holes are watched at once.
    watched: usize,
    settled: u64,
    told: Vec<Hole>,
}

impl Default for Sequence {
    fn default() -> Self {
        Sequence {
            came: 0,
            twice: 0,
            highest: 0,
            holes: BTreeMap::new(),
            watched: WATCHED,
            settled: 0,
            told: Vec::new(),
        }
    }
}

impl Sequence {
    /// A sequence that keeps every hole, in memory that grows with their number.
    pub fn keeping_all_holes() -> Self {
        Sequence { watched: usize::MAX, ..Sequence::default() }
    }

    /// Notes a number that came at `line`.
    #[inline]
    pub fn note(&mut self, number: u64, line: u64) {
        self.came += 1;
        // Asked from this side, since no number follows `u64::MAX`.
        if number.checked_sub(1) == Some(self.highest) {
            self.highest = number;
        } else {
            self.note_elsewhere(number, line);
        }
    }

    #[cold]
    fn note_elsewhere(&mut self, number: u64, line: u64) {
        if number > self.highest {
            self.holes.insert(self.highest + 1, (number - 1, line));
            self.highest = number;
            self.keep_bound();
            return;
        }
        let hole = self.holes.range(..=number).next_back();
        let Some((&first, &(last, line))) = hole.filter(|(_, (last, _))| number <= *last) else {
            self.twice += 1;
            return;
        };
        self.holes.remove(&first);
        if first < number {
            self.holes.insert(first, (number - 1, line));
        }
        if number < last {
            self.holes.insert(number + 1, (last, line));
        }
        self.keep_bound();
    }

    /// Gives up watching the first hole where there are too many.
    fn keep_bound(&mut self) {
        if self.holes.len() > self.watched
            && let Some((first, (last, line))) = self.holes.pop_first()
        {
            self.settle(Hole { first, last, line });
        }
    }

    fn settle(&mut self, hole: Hole) {
        self.settled += hole.numbers();
        if self.told.len() < TOLD {
            self.told.push(hole);
        }
    }

    /// Takes what is missing before the first number that came for no loss: it stood in files that
    /// are gone.
    pub fn forget_front(&mut self) {
        if self.holes.remove(&1).is_none() && self.told.first().is_some_and(|hole| hole.first == 1)
        {
            self.settled -= self.told.remove(0).numbers();
        }
    }

    /// The highest number that came.
    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// How many numbers are missing below the highest that came.
    pub fn missing(&self) -> u64 {
        let watched = self.holes.iter().map(|(first, (last, _))| last - first + 1);
        self.settled + watched.sum::<u64>()
    }

    /// How many numbers up to and with `number` have not come. Those that were missing
    /// 2<sup>16</sup> holes ago count wherever they stand, unless all holes are
    /// [kept](Self::keeping_all_holes).
    pub fn missing_up_to(&self, number: u64) -> u64 {
        let holes = self.holes.range(..=number);
        let watched = holes.map(|(first, (last, _))| number.min(*last) - first + 1);
        self.settled + watched.sum::<u64>() + number.saturating_sub(self.highest)
    }

    /// The first holes, in order.
    pub fn holes(&self) -> Vec<Hole> {
        let watched = self.holes.iter().map(|(&first, &(last, line))| Hole { first, last, line });
        self.told.iter().copied().chain(watched).take(TOLD).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(numbers: &[u64]) -> Sequence {
        let mut sequence = Sequence::default();
        for (line, &number) in (1..).zip(numbers) {
            sequence.note(number, line);
        }
        sequence
    }

    #[test]
    fn a_hole_is_told_with_the_line_it_was_seen_at() {
        let sequence = of(&[1, 2, 5, 4, 9]);
        assert_eq!((sequence.missing(), sequence.highest(), sequence.twice), (4, 9, 0));
        let holes = [Hole { first: 3, last: 3, line: 3 }, Hole { first: 6, last: 8, line: 5 }];
        assert_eq!(sequence.holes(), holes);
        assert_eq!(of(&[3]).missing(), 2, "it begins at one");
        assert_eq!(of(&[1, 2, 2, 1]).twice, 2);
        assert_eq!(of(&[0]).twice, 1, "there is no zero");
    }

    #[test]
    fn what_is_missing_in_front_can_be_forgotten() {
        let mut sequence = of(&[6, 4, 8]);
        sequence.forget_front();
        let holes = [Hole { first: 5, last: 5, line: 1 }, Hole { first: 7, last: 7, line: 3 }];
        assert_eq!((sequence.missing(), sequence.holes()), (2, holes.into()));
        let numbers: Vec<u64> = (2..200_000).map(|n| n * 2).collect();
        let mut sequence = of(&numbers);
        sequence.forget_front();
        assert_eq!((sequence.missing(), sequence.holes()[0].first), (199_997, 5));
        sequence.forget_front();
        assert_eq!(sequence.missing(), 199_997, "that is no front");
    }

    #[test]
    fn the_last_number_of_all_is_one_like_any_other() {
        let sequence = of(&[u64::MAX]);
        assert_eq!((sequence.missing(), sequence.highest()), (u64::MAX - 1, u64::MAX));
        assert_eq!(sequence.missing_up_to(u64::MAX), u64::MAX - 1);
        assert_eq!(of(&[u64::MAX, u64::MAX, 0, 1]).twice, 2);
        let mut sequence = of(&[u64::MAX - 1, u64::MAX]);
        assert_eq!((sequence.missing(), sequence.twice), (u64::MAX - 2, 0));
        sequence.note(1, 3);
        assert_eq!(sequence.holes(), [Hole { first: 2, last: u64::MAX - 2, line: 1 }]);
    }

    #[test]
    fn memory_is_bounded_however_many_holes_there_are() {
        let numbers: Vec<u64> = (1..200_000).map(|n| n * 2).collect();
        let sequence = of(&numbers);
        assert_eq!((sequence.missing(), sequence.holes.len()), (199_999, WATCHED));
        assert_eq!(sequence.holes().len(), TOLD);
        assert_eq!(sequence.holes()[0], Hole { first: 1, last: 1, line: 1 });
        assert!(sequence.missing_up_to(100) > 50);
        let mut all = Sequence::keeping_all_holes();
        numbers.iter().for_each(|&number| all.note(number, 1));
        assert_eq!((all.missing(), all.missing_up_to(100)), (199_999, 50));
    }

    /// Holes that are split were not counted against the bound.
    #[test]
    fn memory_is_bounded_however_often_a_hole_is_split() {
        let mut sequence = Sequence::default();
        sequence.note(400_001, 1);
        (1..200_000).for_each(|n| sequence.note(n * 2, 2));
        assert!(sequence.holes.len() <= WATCHED, "{}", sequence.holes.len());
        assert_eq!(sequence.missing(), 400_001 - 200_000);
    }

    proptest! {
        #[test]
        fn what_is_missing_does_not_depend_on_the_order(
            mut numbers in proptest::collection::btree_set(1u64..60, 1..40)
                .prop_map(|set| set.into_iter().collect::<Vec<_>>()).prop_shuffle()
        ) {
            let sequence = of(&numbers);
            numbers.sort_unstable();
            let highest = *numbers.last().unwrap_or(&0);
            prop_assert_eq!(sequence.highest(), highest);
            prop_assert_eq!(sequence.missing(), highest - numbers.len() as u64);
            let holes: Vec<u64> =
                sequence.holes().iter().flat_map(|hole| hole.first..=hole.last).collect();
            let expected: Vec<u64> = (1..highest).filter(|n| !numbers.contains(n)).collect();
            prop_assert_eq!(holes, expected);
            for up_to in 0..70 {
                let missing = (1..=up_to).filter(|n| !numbers.contains(n)).count() as u64;
                prop_assert_eq!(sequence.missing_up_to(up_to), missing);
            }
        }
    }
}
