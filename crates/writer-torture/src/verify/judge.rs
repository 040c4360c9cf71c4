//! Whether a run kept what it promised.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::str::FromStr;

use writer_cli::sequence::Sequence;

use super::{Found, KEPT};

/// A flush has returned Ok: everything of this source up to the number is written, or was dropped
/// before and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// Whose flush.
    pub source: u64,
    /// The last number sent before it.
    pub number: u64,
    /// How many lines of all sources had been evicted, refused or lost by then.
    pub dropped: u64,
}

impl FromStr for Ack {
    type Err = ();

    /// Reads `ACK source number dropped`.
    fn from_str(text: &str) -> Result<Ack, ()> {
        let words: Vec<_> = text.split(' ').collect();
        let ["ACK", source, number, dropped] = words[..] else { return Err(()) };
        let number_of = |text: &str| text.parse().map_err(|_| ());
        Ok(Ack {
            source: number_of(source)?,
            number: number_of(number)?,
            dropped: number_of(dropped)?,
        })
    }
}

/// Counters by name: those of the writer, and what its callers and callbacks counted themselves.
#[derive(Debug, Clone, Default)]
pub struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// Reads a JSON object of numbers; other values are left out.
    ///
    /// # Errors
    ///
    /// The file cannot be read or is no object.
    pub fn read(path: &Path) -> io::Result<Counts> {
        let object: serde_json::Map<_, _> = serde_json::from_slice(&std::fs::read(path)?)?;
        let number = |(name, value): (String, serde_json::Value)| Some((name, value.as_u64()?));
        Ok(Counts(object.into_iter().filter_map(number).collect()))
    }

    /// The counter with this name, if it was counted.
    pub fn find(&self, name: &str) -> Option<u64> {
        self.0.get(name).copied()
    }

    /// The counter with this name.
    ///
    /// # Panics
    ///
    /// It was not counted.
    #[track_caller]
    pub fn get(&self, name: &str) -> u64 {
        self.find(name).unwrap_or_else(|| panic!("no counter {name} among {:?}", self.0))
    }
}

/// What is no fault in this run.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    /// Broken lines: at most one for each kill.
    pub fragments: u64,
    /// Lines behind later ones: at most one for each kill of another writer of the file, whose half
    /// line it stood behind before.
    pub late: u64,
    /// The last line may have no end.
    pub torn_tail: bool,
    /// The file may end in the reserve of a mapping.
    pub nul_tail: bool,
    /// Lines without a number, loss markers apart: those that callbacks sent.
    pub others: u64,
    /// There may be loss markers; then there must be some for all that is missing.
    pub loss_markers: bool,
}

/// Everything that is wrong, in words; nothing if all is well.
///
/// `counts` belong to a run that had the files for itself and sent nothing after they were taken.
pub fn judge(
    found: &Found,
    acks: &[Ack],
    counts: Option<&Counts>,
    allowed: &Allowed,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut expect = |holds: bool, what: &dyn Fn() -> String| {
        if !holds {
            wrong.push(what());
        }
    };
    let lines = &found.integrity;
    expect(lines.broken <= allowed.fragments, &|| {
        let (broken, allowed) = (lines.broken, allowed.fragments);
        let first: Vec<_> = lines.first_broken.iter().take(KEPT).collect();
        format!("{broken} broken lines, {allowed} allowed: {first:#?}")
    });
    expect(found.disorder.count == 0, &|| format!("not in order: {:#?}", found.disorder));
    expect(found.late.count <= allowed.late, &|| {
        format!("behind later ones, {} allowed: {:#?}", allowed.late, found.late)
    });
    let nuls = lines.nuls + if allowed.nul_tail { 0 } else { lines.nul_tail };
    expect(nuls == 0, &|| {
        let first =
            lines.first_nuls.as_ref().map(|(file, line)| format!(", first at {file}:{line}"));
        format!("{nuls} NUL bytes{}", first.unwrap_or_default())
    });
    expect(allowed.torn_tail || !lines.torn_tail, &|| "the last line is torn".into());
    expect(found.others <= allowed.others, &|| {
        format!("{} lines without a number, {} allowed", found.others, allowed.others)
    });
    expect(allowed.loss_markers || found.markers == 0, &|| {
        format!("{} loss markers", found.markers)
    });
    wrong.extend(acknowledged(found, acks));
    if allowed.loss_markers {
        wrong.extend(told(found, counts));
    }
    wrong.extend(counts.map(|counts| accounts(found, counts)).unwrap_or_default());
    wrong
}

/// What was acknowledged and is neither there nor was counted before.
fn acknowledged(found: &Found, acks: &[Ack]) -> Option<String> {
    let mut last: BTreeMap<u64, u64> = BTreeMap::new();
    for ack in acks {
        let number = last.entry(ack.source).or_default();
        *number = ack.number.max(*number);
    }
    let missing = |(source, &number): (&u64, &u64)| match found.sources.get(source) {
        Some(sequence) => sequence.missing_up_to(number + 1),
        None => number + 1,
    };
    let missing: u64 = last.iter().map(missing).sum();
    let counted = acks.iter().map(|ack| ack.dropped).max().unwrap_or(0);
    (missing > counted).then(|| {
        format!("{missing} acknowledged records are missing, {counted} were counted as dropped")
    })
}

/// What is missing, what markers tell of and what was counted, where they are not the same.
fn told(found: &Found, counts: Option<&Counts>) -> Vec<String> {
    let of = |name: &str| counts.and_then(|counts| counts.find(name)).unwrap_or(0);
    let mut wrong = Vec::new();
    // Of what a source sent last nobody knows here; the counters do.
    let missing: u64 = found.sources.values().map(Sequence::missing).sum();
    let (told, lost) = (found.told, of("lost"));
    if missing > told + lost {
        wrong.push(format!(
            "{missing} numbers are missing, markers tell of {told}, {lost} were lost"
        ));
    }
    if counts.is_some() {
        let kept = found.records + found.others;
        for (what, left, right) in [
            ("markers", of("markers"), found.markers),
            ("dropped, as markers tell", of("dropped"), told),
            (
                "sent, less what was rejected, lost or told of",
                { of("sent").saturating_sub(of("rejected") + lost + told) },
                kept,
            ),
        ] {
            if left != right {
                wrong.push(format!("{what}: {left} is not {right}"));
            }
        }
    }
    wrong
}

fn accounts(found: &Found, counts: &Counts) -> Vec<String> {
    let of = |name: &str| counts.find(name).unwrap_or(0);
    let mut wrong = Vec::new();
    let mut equal = |what: &str, left: u64, right: u64| {
        if left != right {
            wrong.push(format!("{what}: {left} is not {right}"));
        }
    };
    let sum = |names: &[&str]| names.iter().map(|name| of(name)).sum::<u64>();
    equal("sent", of("sent"), sum(&["enqueued", "refused", "rejected"]));
    equal("enqueued", of("enqueued"), sum(&["written", "evicted", "lost", "pending"]));
    equal("dropped", of("dropped"), sum(&["refused", "evicted"]));
    equal("lines in the file", found.records + found.others + found.markers, {
        sum(&["written", "pending", "markers"])
    });
    // What others counted of the same things, where they did.
    for (theirs, ours) in [
        ("calls", sum(&["sent"])),
        ("taken", sum(&["enqueued"])),
        ("turned_away", sum(&["refused"])),
        ("errors_returned", sum(&["rejected"])),
        ("on_write", sum(&["written"])),
        ("on_drop", sum(&["dropped"])),
    ] {
        if let Some(count) = counts.find(theirs) {
            equal(theirs, count, ours);
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(records: u64) -> Found {
        let mut sequence = Sequence::default();
        (1..=records).for_each(|number| sequence.note(number, number));
        Found { records, sources: [(0, sequence)].into(), ..Found::default() }
    }

    fn counts(pairs: &[(&str, u64)]) -> Counts {
        Counts(pairs.iter().map(|&(name, count)| (name.to_owned(), count)).collect())
    }

    #[test]
    fn a_sound_run_is_sound() {
        let acks = ["ACK 0 9 0".parse(), "ACK 0 4 0".parse()].map(Result::unwrap);
        let counts = counts(&[("sent", 10), ("enqueued", 10), ("written", 8), ("pending", 2)]);
        assert!(judge(&found(10), &acks, Some(&counts), &Allowed::default()).is_empty());
    }

    #[test]
    fn an_acknowledged_record_that_is_missing_is_a_fault_unless_it_was_counted() {
        let ack = |dropped| Ack { source: 0, number: 10, dropped };
        let wrong = |acks: &[Ack]| judge(&found(10), acks, None, &Allowed::default()).len();
        assert_eq!((wrong(&[ack(0)]), wrong(&[ack(1)])), (1, 0));
        assert_eq!(wrong(&[Ack { source: 7, number: 0, dropped: 0 }]), 1, "an unknown source");
    }

    #[test]
    fn counters_that_do_not_add_up_are_a_fault() {
        let sound = [("sent", 10), ("enqueued", 10), ("written", 10), ("calls", 10)];
        assert!(accounts(&found(10), &counts(&sound)).is_empty());
        for name in ["sent", "enqueued", "written", "calls", "dropped", "on_write"] {
            let mut pairs: Vec<_> = sound.into_iter().filter(|(other, _)| *other != name).collect();
            pairs.push((name, 11));
            assert!(!accounts(&found(10), &counts(&pairs)).is_empty(), "{name}");
        }
    }

    #[test]
    fn loss_markers_must_tell_of_all_that_is_missing_and_of_no_more() {
        let mut found = found(10);
        (found.records, found.markers, found.told) = (9, 2, 3);
        let mut sequence = Sequence::default();
        (1..=11).filter(|n| !(4..6).contains(n)).for_each(|number| sequence.note(number, number));
        found.sources = [(0, sequence)].into();
        let sound = [
            ("sent", 12),
            ("calls", 12),
            ("enqueued", 9),
            ("written", 9),
            ("refused", 3),
            ("dropped", 3),
            ("markers", 2),
        ];
        let allowed = Allowed { loss_markers: true, ..Allowed::default() };
        let wrong = |found: &Found, pairs: &[(&str, u64)]| {
            judge(found, &[], Some(&counts(pairs)), &allowed)
        };
        assert_eq!(wrong(&found, &sound), [""; 0]);
        assert_eq!(judge(&found, &[], None, &Allowed::default()), ["2 loss markers"]);
        found.told = 2;
        assert_eq!(wrong(&found, &sound).len(), 2, "one line is not told of");
        found.told = 1;
        assert_eq!(judge(&found, &[], None, &allowed).len(), 1, "fewer than the holes");
        found.told = 4;
        assert_eq!(wrong(&found, &sound).len(), 2, "one too many");
        (found.told, found.markers) = (3, 1);
        assert_eq!(wrong(&found, &sound).len(), 2, "a marker was counted and is not there");
    }

    #[test]
    fn each_fault_of_a_file_is_named_unless_it_is_allowed() {
        let mut found = found(10);
        let lines = &mut found.integrity;
        (lines.torn_tail, lines.nul_tail, lines.broken) = (true, 5, 2);
        (found.others, found.late.count) = (1, 3);
        assert_eq!(judge(&found, &[], None, &Allowed::default()).len(), 5);
        let all = Allowed {
            fragments: 2,
            late: 3,
            torn_tail: true,
            nul_tail: true,
            others: 1,
            ..Allowed::default()
        };
        assert!(judge(&found, &[], None, &all).is_empty());
        found.integrity.nuls = 1;
        found.integrity.first_nuls = Some(("log".into(), 7));
        assert_eq!(judge(&found, &[], None, &all), ["1 NUL bytes, first at log:7"]);
    }
}
