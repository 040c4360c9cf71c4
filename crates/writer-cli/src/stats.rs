//! `writer stats`: what a file holds, counted.

use std::collections::HashMap;
use std::io::{self, Read, Write};

use serde_json::{Value, json};
use writer_cli::json::Scanner;
use writer_cli::level::Level;
use writer_cli::lines::Lines;
use writer_cli::record::Record;
use writer_cli::time;

use crate::args::Stats;
use crate::paint::{self, safe};
use crate::plot::Rate;
use crate::{Failure, input, out};

/// How many targets are shown, and how many are told apart.
const SHOWN: usize = 20;
const TARGETS: usize = 10_000;

/// So much of a target tells it apart, in bytes.
const LONGEST_TARGET: usize = 256;

/// The plot is no wider, in characters.
const WIDEST: usize = 100;

#[derive(Default)]
struct Counts {
    lines: u64,
    bytes: u64,
    /// Lines that are no JSON objects.
    others: u64,
    by_level: [u64; 5],
    without_level: u64,
    targets: HashMap<String, u64>,
    first: Option<i64>,
    last: Option<i64>,
    rate: Rate,
    markers: u64,
    dropped: u64,
}

pub(crate) fn run(options: &Stats) -> Result<(), Failure> {
    let mut counts = Counts::default();
    for path in &options.files {
        let read = input::open(path).and_then(|file| counts.read(file));
        read.map_err(|error| Failure::File(path.display().to_string(), error))?;
    }
    let mut out = out(options.color);
    if options.json {
        writeln!(out, "{}", paint::json(&counts.as_json()))?;
    } else {
        counts.tell(&mut out)?;
    }
    Ok(out.flush()?)
}

/// A target, or the beginning of one that is long: a file may hold any number of these.
fn start(target: &str) -> &str {
    let mut end = target.len().min(LONGEST_TARGET);
    while !target.is_char_boundary(end) {
        end -= 1;
    }
    &target[..end]
}

impl Counts {
    fn read(&mut self, file: impl Read) -> io::Result<()> {
        let mut scanner = Scanner::default();
        let mut lines = Lines::new(file);
        while let Some(line) = lines.next_line()? {
            self.bytes += line.len;
            if line.is_reserve() {
                continue;
            }
            self.lines += 1;
            match scanner.object(line.text()) {
                Ok(members) => self.record(&Record::of(members)),
                Err(_) => self.others += 1,
            }
        }
        Ok(())
    }

    fn record(&mut self, record: &Record<'_>) {
        if let Some(losses) = record.losses() {
            self.markers += 1;
            self.dropped = self.dropped.saturating_add(losses.lines);
        }
        match record.level {
            Some(level) => self.by_level[level as usize] += 1,
            None => self.without_level += 1,
        }
        let target = start(record.target.as_deref().unwrap_or("(none)"));
        if let Some(count) = self.targets.get_mut(target) {
            *count += 1;
        } else {
            let target = if self.targets.len() < TARGETS { target } else { "(others)" };
            *self.targets.entry(target.into()).or_default() += 1;
        }
        if let Some(micros) = record.micros() {
            self.first = Some(self.first.map_or(micros, |first| first.min(micros)));
            self.last = Some(self.last.map_or(micros, |last| last.max(micros)));
            self.rate.note(micros);
        }
    }

    /// The targets with most lines first.
    fn sorted_targets(&self) -> Vec<(&str, u64)> {
        let mut targets: Vec<_> = self.targets.iter().map(|(name, n)| (&**name, *n)).collect();
        targets.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        targets
    }

    fn tell(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{} lines, {} bytes", self.lines, self.bytes)?;
        if let (Some(first), Some(last)) = (self.first, self.last) {
            let seconds = (last - first) as f64 / 1e6;
            writeln!(out, "from {} to {}, {seconds:.3} s", time::show(first), time::show(last))?;
        }
        for (count, what) in [
            (self.others, "lines that are no JSON objects"),
            (self.markers, "loss markers"),
            (self.dropped, "lines dropped"),
        ] {
            if count > 0 {
                writeln!(out, "{count} {what}")?;
            }
        }
        writeln!(out)?;
        for (level, count) in Level::ALL.iter().zip(self.by_level).rev() {
            if count > 0 {
                writeln!(out, "{count:>12} {level}")?;
            }
        }
        if self.without_level > 0 {
            writeln!(out, "{:>12} without level", self.without_level)?;
        }
        writeln!(out)?;
        let targets = self.sorted_targets();
        for (target, count) in targets.iter().take(SHOWN) {
            writeln!(out, "{count:>12} {}", safe(target))?;
        }
        if targets.len() > SHOWN {
            writeln!(out, "{:>12} and {} more targets", "", targets.len() - SHOWN)?;
        }
        if self.first.is_some() {
            writeln!(out)?;
            let width = terminal_size::terminal_size().map_or(80, |(width, _)| width.0.into());
            self.rate.plot(out, width.min(WIDEST))?;
        }
        Ok(())
    }

    fn as_json(&self) -> Value {
        let levels = Level::ALL.iter().zip(self.by_level);
        let levels: serde_json::Map<String, Value> =
            levels.map(|(level, count)| (level.to_string(), count.into())).collect();
        let targets: serde_json::Map<String, Value> =
            self.targets.iter().map(|(name, count)| (name.clone(), (*count).into())).collect();
        json!({
            "lines": self.lines, "bytes": self.bytes, "others": self.others, "levels": levels,
            "without_level": self.without_level, "targets": targets,
            "first": self.first.map(time::show), "last": self.last.map(time::show),
            "markers": self.markers, "dropped": self.dropped,
        })
    }
}
