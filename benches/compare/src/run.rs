//! Starts children, checks what they leave, and keeps the results.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use crate::case::{CASES, Case, Lines, WRITE_LIMIT};
use crate::check;
use crate::child;
use crate::data::{Kind, Run};
use crate::options::RunOptions;
use crate::peers::apart::BUILT_WITH;

/// Events of a run that counts allocations; half of them come before the counting.
const COUNTED: u64 = 200_000;

/// What is run in one round.
fn plan(options: &RunOptions) -> Vec<(&'static Case, Kind, u64)> {
    let mut plan = Vec::new();
    let wanted = |case: &&Case| {
        program(case, options).is_some()
            && options.words.iter().all(|word| case.name.contains(word.as_str()))
    };
    for case in CASES.iter().filter(wanted) {
        if case.lines != Lines::None {
            plan.push((case, Kind::Throughput, 1));
            if case.name != WRITE_LIMIT {
                plan.push((case, Kind::Throughput, 4));
            }
        }
        if matches!(case.lines, Lines::Json | Lines::Text | Lines::None) {
            plan.push((case, Kind::Latency, 1));
            plan.push((case, Kind::Bursts, 1));
            plan.push((case, Kind::Allocations, 1));
        }
    }
    plan.retain(|&(_, kind, threads)| {
        options.kind.is_none_or(|wanted| wanted == kind)
            && options.threads.is_none_or(|wanted| wanted == threads)
    });
    assert!(!plan.is_empty(), "no case of this program, or of one named by --with, is meant");
    plan
}

/// The program that has this case: this one, or one of those named.
fn program(case: &Case, options: &RunOptions) -> Option<PathBuf> {
    let feature = case.feature();
    if feature == BUILT_WITH {
        return Some(std::env::current_exe().expect("a path"));
    }
    let named = options.with.iter().find(|(name, _)| Some(name.as_str()) == feature);
    named.map(|(_, program)| program.clone())
}

pub fn run(options: &RunOptions) {
    let plan = plan(options);
    let commit = commit();
    for round in 0..options.rounds {
        for index in 0..plan.len() {
            // Each round begins elsewhere, so that no case always follows the same one.
            let (case, kind, threads) = plan[(index + round * 5) % plan.len()];
            let events = match kind {
                Kind::Throughput => options.events,
                Kind::Latency | Kind::Bursts => options.calls,
                Kind::Allocations => COUNTED,
            };
            let run = once(case, kind, threads, events, &commit, options);
            print(&run);
            run.append(&options.data).expect("room for the results");
        }
    }
}

fn once(
    case: &Case,
    kind: Kind,
    threads: u64,
    events: u64,
    commit: &str,
    options: &RunOptions,
) -> Run {
    let folder = options.dir.join(format!("compare_{}", std::process::id()));
    let files = folder.join("files");
    std::fs::create_dir_all(&files).expect("a new folder");
    let result = folder.join("result.json");
    let status = Command::new(program(case, options).expect("a program"))
        .args([child::WORD, case.name, kind.name()])
        .args([threads.to_string(), events.to_string()])
        .args([&files, &result])
        .env_remove("RUST_LOG")
        .stdout(Stdio::null())
        .status()
        .expect("a child");
    assert!(status.success(), "{}: {status}", case.name);
    let measured = std::fs::read(&result).expect("a result");
    let measured = serde_json::from_slice(&measured).expect("a result");
    let found = check::check(case, &files, events);
    std::fs::remove_dir_all(&folder).expect("a folder to remove");
    let time = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_secs());
    let (case, commit) = (case.name.to_owned(), commit.to_owned());
    Run { case, kind, threads, events, time, commit, measured, found }
}

fn print(run: &Run) {
    let Run { case, kind, threads, events, measured, found, .. } = run;
    let ns = measured.seconds * 1e9 / *events as f64;
    let kind = kind.name();
    println!(
        "{case:<40} {kind:<11} {threads} threads {ns:>7.0} ns each, {} of {events} found, {} \
         invalid, {:?}",
        found.events, found.invalid, measured.quantiles
    );
}

/// The commit that is checked out, with a `+` where files differ from it.
fn commit() -> String {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).output();
        output.map_or(String::new(), |output| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let changed = !git(&["status", "--porcelain", "--", "../../crates"]).is_empty();
    git(&["rev-parse", "--short", "HEAD"]).trim().to_owned() + if changed { "+" } else { "" }
}
