//! How many lines came when: buckets of time, and a plot of them in text.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use writer_cli::time;

/// How many buckets there are at most.
const BUCKETS: usize = 4096;

/// How many rows the plot has.
const ROWS: usize = 8;

const BAR: Style = AnsiColor::Green.on_default();

/// Lines by time. The buckets become wider as the time they cover becomes longer.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    /// The first bucket's number: a moment divided by the width.
    first: i64,
    /// Microseconds.
    width: i64,
    counts: Vec<u64>,
}

impl Rate {
    /// Counts a line at a moment in microseconds.
    pub(crate) fn note(&mut self, micros: i64) {
        if self.counts.is_empty() {
            (self.first, self.width) = (micros.div_euclid(1000), 1000);
            self.counts.push(1);
            return;
        }
        loop {
            let bucket = micros.div_euclid(self.width);
            let last = self.first + self.counts.len() as i64 - 1;
            let reach = (bucket.max(last)).saturating_sub(bucket.min(self.first));
            if reach < BUCKETS as i64 {
                if bucket < self.first {
                    let more = (self.first - bucket) as usize;
                    self.counts.splice(0..0, std::iter::repeat_n(0, more));
                    self.first = bucket;
                }
                let at = (bucket - self.first) as usize;
                self.counts.resize(self.counts.len().max(at + 1), 0);
                self.counts[at] += 1;
                return;
            }
            self.widen();
        }
    }

    /// Makes one of every two buckets.
    fn widen(&mut self) {
        let first = self.first.div_euclid(2);
        let mut counts = vec![0; self.counts.len() / 2 + 2];
        for (at, count) in self.counts.iter().enumerate() {
            counts[((self.first + at as i64).div_euclid(2) - first) as usize] += count;
        }
        while counts.last() == Some(&0) {
            counts.pop();
        }
        *self = Rate { first, width: self.width * 2, counts };
    }

    /// The counts in `columns` parts of the time, and the width of a part in seconds.
    pub(crate) fn columns(&self, columns: usize) -> (Vec<u64>, f64) {
        let each = self.counts.len().div_ceil(columns.max(1)).max(1);
        let sums = self.counts.chunks(each).map(|part| part.iter().sum()).collect();
        (sums, each as f64 * self.width as f64 / 1e6)
    }

    /// Plots lines per second over `width` characters.
    pub(crate) fn plot(&self, out: &mut impl Write, width: usize) -> io::Result<()> {
        const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let (columns, seconds) = self.columns(width.saturating_sub(12).max(10));
        let most = columns.iter().copied().max().unwrap_or(0).max(1);
        for row in (0..ROWS).rev() {
            let label = match row {
                _ if row == ROWS - 1 => format!("{:.0}/s", (most as f64 / seconds).ceil()),
                0 => "0".into(),
                _ => String::new(),
            };
            write!(out, "{label:>10} {BAR}")?;
            for &count in &columns {
                let eighths = (count as u128 * (ROWS * 8) as u128).div_ceil(u128::from(most));
                let here = (eighths as usize).saturating_sub(row * 8).min(8);
                write!(out, "{}", EIGHTHS[here])?;
            }
            writeln!(out, "{BAR:#}")?;
        }
        let start = time::show(self.first * self.width);
        writeln!(out, "{:>10} {start}, {seconds} s a column", "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_lost_however_far_apart_they_are() {
        let mut rate = Rate::default();
        let moments = [5_000, 0, 1 << 50, -(1 << 40), 7, 1 << 51];
        for micros in moments {
            rate.note(micros);
        }
        assert_eq!(rate.counts.iter().sum::<u64>(), moments.len() as u64);
        assert!(rate.counts.len() <= BUCKETS);
        let (columns, _) = rate.columns(60);
        assert!(columns.len() <= 60);
        assert_eq!((columns.iter().sum::<u64>(), columns[0] > 0), (6, true));
    }

    #[test]
    fn the_plot_is_as_high_as_the_most() {
        let mut rate = Rate::default();
        for second in 0..10 {
            (0..=second).for_each(|_| rate.note(second * 1_000_000));
        }
        let mut out = Vec::new();
        rate.plot(&mut out, 60).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), ROWS + 1);
        assert!(text.lines().next().unwrap().contains('█'), "{text}");
    }
}
