//! `writer verify`: the report on whether all lines are there and whole.

use std::io::{self, Write};

use serde_json::{Value, json};
use writer_cli::integrity::Integrity;
use writer_cli::level::Level;
use writer_cli::sequence::Sequence;
use writer_cli::verify::{Checker, Report};

use crate::args::Verify;
use crate::paint::{self, safe};
use crate::{FINE, FOUND, Failure, input};

/// How many places of a kind are shown.
const SHOWN: usize = 10;

pub(crate) fn run(options: &Verify) -> Result<u8, Failure> {
    let mut checker = Checker::default();
    for path in &options.files {
        let name = path.display().to_string();
        let read = input::open(path).and_then(|file| checker.read(&name, file));
        read.map_err(|error| Failure::File(name, error))?;
    }
    let mut report = checker.finish();
    if options.live {
        (report.integrity.nul_tail, report.integrity.torn_tail) = (0, false);
    }
    if options.older_gone {
        report.sequences.values_mut().for_each(Sequence::forget_front);
    }
    let forgiven = options.allow_declared && report.is_declared();
    let fine = !report.is_damaged() && (!report.has_losses() || forgiven);
    let code = if fine { FINE } else { FOUND };
    match print(&report, fine, options) {
        // Whoever read has seen enough; the verdict stands.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(code),
        printed => Ok(printed.map(|()| code)?),
    }
}

fn print(report: &Report, fine: bool, options: &Verify) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    if options.json {
        writeln!(out, "{}", paint::json(&as_json(report, fine)))?;
    } else {
        tell(report, &mut out)?;
        let before = missing_in_front(report);
        if before > 0 && !options.older_gone {
            writeln!(
                out,
                "{before} of the missing numbers come before the first of their run: \
                 if older files are gone, say --older-gone"
            )?;
        }
        writeln!(out, "{}", if fine { "ok" } else { "not ok" })?;
    }
    out.flush()
}

fn tell(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let found = &report.integrity;
    let Integrity { lines, bytes, .. } = found;
    writeln!(out, "{lines} lines, {bytes} bytes in {} file(s)", found.files.len())?;
    if found.broken > 0 {
        writeln!(out, "broken: {} lines, {} of them torn", found.broken, found.torn)?;
        for broken in found.first_broken.iter().take(SHOWN) {
            let (file, what) = (safe(&broken.file), safe(&broken.what));
            writeln!(out, "  {file}:{}: {what}", broken.line)?;
        }
        more(out, found.broken, SHOWN)?;
    }
    if let Some((file, line)) = &found.first_nuls {
        let (nuls, file) = (found.nuls, safe(file));
        writeln!(out, "{nuls} NUL bytes in the middle, the first at {file}:{line}")?;
    }
    for (count, what) in [
        (
            found.nul_tail,
            "NUL bytes at the end, as a file has that is mapped or was when it was left",
        ),
        (u64::from(found.torn_tail), "unfinished last line"),
        (report.twice(), "numbers that came twice"),
        (report.unfollowed, "numbered lines of more runs than are followed"),
    ] {
        if count > 0 {
            writeln!(out, "{count} {what}")?;
        }
    }
    if report.markers > 0 {
        let levels = Level::ALL.iter().zip(report.dropped_by_level).rev();
        let levels: Vec<_> = levels
            .filter(|(_, lines)| *lines > 0)
            .map(|(level, lines)| format!("{lines} {level}"))
            .collect();
        let (dropped, markers) = (report.dropped, report.markers);
        writeln!(out, "dropped: {dropped} lines, say {markers} marker(s): {}", levels.join(", "))?;
    }
    if report.numbered() > 0 {
        let (numbered, missing) = (report.numbered(), report.missing());
        writeln!(
            out,
            "numbered: {numbered} lines in {} run(s), {missing} missing",
            report.sequences.len()
        )?;
        let mut shown = 0;
        for (run, sequence) in &report.sequences {
            for hole in sequence.holes() {
                if shown == SHOWN {
                    return writeln!(out, "  and more");
                }
                shown += 1;
                let (file, line) = found.place(hole.line);
                let (run, file) = (safe(run), safe(file));
                let (first, last) = (hole.first, hole.last);
                writeln!(out, "  run {run}: {first} to {last} are missing, seen at {file}:{line}")?;
            }
        }
    }
    Ok(())
}

/// How many numbers may have stood in files before the first one. A run whose first number comes in
/// a later file began after the first one did, and has lost its beginning elsewhere.
fn missing_in_front(report: &Report) -> u64 {
    let found = &report.integrity;
    let fronts = report.sequences.values().filter_map(|sequence| {
        let front = sequence.holes().into_iter().next().filter(|hole| hole.first == 1)?;
        let (file, _) = found.place(front.line);
        (found.place(1).0 == file).then_some(front.last)
    });
    fronts.fold(0, u64::saturating_add)
}

fn more(out: &mut impl Write, all: u64, shown: usize) -> io::Result<()> {
    match all.saturating_sub(shown as u64) {
        0 => Ok(()),
        left => writeln!(out, "  and {left} more"),
    }
}

fn as_json(report: &Report, fine: bool) -> Value {
    let found = &report.integrity;
    let broken: Vec<Value> = found
        .first_broken
        .iter()
        .map(|broken| json!({"file": broken.file, "line": broken.line, "what": broken.what}))
        .collect();
    let runs: Vec<Value> = report
        .sequences
        .iter()
        .map(|(run, sequence)| {
            let gaps: Vec<Value> = sequence
                .holes()
                .iter()
                .map(|hole| {
                    let (file, line) = report.integrity.place(hole.line);
                    json!({"first": hole.first, "last": hole.last, "file": file, "line": line})
                })
                .collect();
            json!({"run": run, "lines": sequence.came, "highest": sequence.highest(),
                "missing": sequence.missing(), "twice": sequence.twice, "gaps": gaps})
        })
        .collect();
    let first_nuls = found.first_nuls.as_ref();
    let first_nuls = first_nuls.map(|(file, line)| json!({"file": file, "line": line}));
    let dropped = Level::ALL.iter().zip(report.dropped_by_level);
    let dropped: serde_json::Map<String, Value> =
        dropped.map(|(level, lines)| (level.to_string(), lines.into())).collect();
    json!({
        "ok": fine, "files": found.files.len(), "lines": found.lines, "bytes": found.bytes,
        "broken": found.broken, "torn": found.torn, "first_broken": broken,
        "nul_bytes": found.nuls, "first_nul_bytes": first_nuls, "nul_tail": found.nul_tail, "torn_tail": found.torn_tail,
        "markers": report.markers, "dropped": report.dropped, "dropped_by_level": dropped,
        "numbered": report.numbered(), "missing": report.missing(), "unfollowed": report.unfollowed,
        "runs": runs,
    })
}
