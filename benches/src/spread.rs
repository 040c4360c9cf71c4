//! Medians over interleaved rounds.

use std::fmt;

/// The middle of some values, and how far the others are from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Of an even number of values, the upper of the two in the middle.
    pub median: f64,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
}

impl Spread {
    /// Of at least one value, in any order.
    ///
    /// # Panics
    ///
    /// Without a value.
    pub fn of(mut values: Vec<f64>) -> Spread {
        values.sort_by(f64::total_cmp);
        Spread { median: values[values.len() / 2], min: values[0], max: values[values.len() - 1] }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(1);
        let Spread { median, min, max } = self;
        let text = format!("{median:.digits$} ({min:.digits$}..{max:.digits$})");
        // Not `pad`, which would take the precision for a width.
        write!(f, "{text:>0$}", f.width().unwrap_or(0))
    }
}

/// Named rows with one value per round, in the order in which the names first came.
#[derive(Debug, Default)]
pub struct Rounds {
    rows: Vec<(String, Vec<f64>)>,
}

impl Rounds {
    /// Adds the value of one round.
    pub fn add(&mut self, name: &str, value: f64) {
        match self.rows.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) => values.push(value),
            None => self.rows.push((name.to_owned(), vec![value])),
        }
    }

    /// The rows with their spreads.
    pub fn spreads(&self) -> impl Iterator<Item = (&str, Spread)> {
        self.rows.iter().map(|(name, values)| (name.as_str(), Spread::of(values.clone())))
    }

    /// Of a row, the values divided by those of another row in the same round, or the other way
    /// round; `None` where the rounds do not match.
    pub fn ratio(&self, of: &str, to: &str) -> Option<Spread> {
        let row = |name: &str| self.rows.iter().find(|(known, _)| known == name);
        let (of, to) = (&row(of)?.1, &row(to)?.1);
        (of.len() == to.len() && !of.is_empty())
            .then(|| Spread::of(of.iter().zip(to).map(|(of, to)| of / to).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_of_sorted_values() {
        let spread = Spread::of(vec![3.0, 1.0, 2.0]);
        assert_eq!(spread, Spread { median: 2.0, min: 1.0, max: 3.0 });
        assert_eq!(format!("{spread:.0}"), "2 (1..3)");
        assert_eq!(format!("{spread:9.0}"), " 2 (1..3)");
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let mut rounds = Rounds::default();
        for (a, b) in [(2.0, 1.0), (4.0, 2.0), (9.0, 3.0)] {
            rounds.add("a", a);
            rounds.add("b", b);
        }
        assert_eq!(rounds.ratio("a", "b"), Some(Spread { median: 2.0, min: 2.0, max: 3.0 }));
        assert_eq!(rounds.ratio("a", "c"), None);
    }
}
