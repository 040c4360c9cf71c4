//! The writer beside other loggers: the same event, each case in a process of its own.
//!
//! ```sh
//! cargo run --release -- list                                   # the cases
//! cargo run --release -- run --rounds 1 --data results.jsonl     # one round over its cases
//! cargo run --release -- run --with emit=PROGRAM ...             # also the cases of a build with a feature
//! cargo run --release -- run --kind latency log4rs --data ...    # one kind, cases with a word in the name
//! cargo run --release -- report --data results.jsonl --docs ../../docs
//! cargo run --release -- report --data tmpfs.jsonl --disk ext4.jsonl   # the targets on both
//! ```
//!
//! Two libraries are built into programs of their own by the features `spdlog` and `emit`, see
//! `peers/apart.rs`; `scripts/compare` builds all three and runs them.
//!
//! `run` appends to its data file, so that a long comparison can be done in pieces; each call takes
//! the cases one after the other, round by round, so that a noisy moment hits all alike. `report`
//! prints the tables and targets, puts them into `benchmarks.md`, and draws the plots.

mod allocations;
mod case;
mod check;
mod child;
mod data;
mod peers;
mod plot;
mod report;
mod run;
mod targets;

use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

/// Everything that can be said on the command line, except to a child.
pub struct Options {
    pub rounds: usize,
    pub events: u64,
    pub calls: u64,
    pub kind: Option<data::Kind>,
    pub threads: Option<u64>,
    pub dir: PathBuf,
    pub data: PathBuf,
    /// Results on the file system of a disk, to stand beside the others in the table of targets.
    pub disk: Option<PathBuf>,
    pub docs: Option<PathBuf>,
    /// Programs with further cases, by the feature they were built with.
    pub with: Vec<(String, PathBuf)>,
    pub words: Vec<String>,
}

fn options(mut args: impl Iterator<Item = String>) -> Options {
    let mut options = Options {
        rounds: 5,
        events: 1_000_000,
        calls: 200_000,
        kind: None,
        threads: None,
        dir: std::env::temp_dir(),
        data: PathBuf::from("results.jsonl"),
        disk: None,
        docs: None,
        with: Vec::new(),
        words: Vec::new(),
    };
    while let Some(arg) = args.next() {
        let mut value = || args.next().unwrap_or_else(|| panic!("{arg} needs a value"));
        match arg.as_str() {
            "--rounds" => options.rounds = value().parse().expect("a number"),
            "--events" => options.events = value().parse().expect("a number"),
            "--calls" => options.calls = value().parse().expect("a number"),
            "--threads" => options.threads = Some(value().parse().expect("a number")),
            "--kind" => options.kind = Some(value().parse().expect("a kind")),
            "--dir" => options.dir = value().into(),
            "--data" => options.data = value().into(),
            "--with" => {
                let value = value();
                let (feature, program) = value.split_once('=').expect("a feature and a program");
                let known = case::CASES.iter().any(|case| case.feature() == Some(feature));
                assert!(known, "no library is built by the feature {feature}");
                options.with.push((feature.to_owned(), program.into()));
            }
            "--disk" => options.disk = Some(value().into()),
            "--docs" => options.docs = Some(value().into()),
            word if !word.starts_with("--") => options.words.push(word.to_owned()),
            other => panic!("unknown argument {other}"),
        }
    }
    options
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("list") => {
            for case in case::CASES {
                let feature = case.feature().map(|feature| format!(" (--features {feature})"));
                println!("{:<44} {}{}", case.name, case.how, feature.unwrap_or_default());
            }
            ExitCode::SUCCESS
        }
        Some("run") => run::run(&options(args)),
        Some("report") => report::report(&options(args)),
        Some(child::WORD) => child::main(args),
        _ => {
            eprintln!("list, run or report; see the head of src/main.rs");
            ExitCode::FAILURE
        }
    }
}
