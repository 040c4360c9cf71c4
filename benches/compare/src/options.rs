//! What is asked for on the command line.

use std::path::PathBuf;

use lexopt::prelude::*;

use crate::case;
use crate::data::Kind;

pub const HELP: &str = "\
The writer beside other loggers.

usage: compare list                     the cases
       compare run [options] [WORD...]  measures the cases whose name holds all words
       compare report [options]         prints the tables and targets

run:    --rounds N (5)  rounds over all cases
        --events N (1000000)  --calls N (200000)  of a run that measures throughput or latency
        --kind throughput|latency|bursts|allocations  --threads N  only these
        --dir FOLDER  where the loggers write; default: the folder for temporary files
        --data FILE (results.jsonl)  what results are appended to
        --with FEATURE=PROGRAM  takes the cases of this build as well; may be repeated
report: --data FILE (results.jsonl)  the results
        --disk FILE  results on the file system of a disk, to stand beside them among the targets
        --docs FOLDER  puts the tables into benchmarks.md there, and draws the plots
";

pub enum Task {
    Help,
    List,
    Run(RunOptions),
    Report(ReportOptions),
    /// One case in a process of its own.
    Child(Vec<String>),
}

/// What to measure.
pub struct RunOptions {
    pub rounds: usize,
    pub events: u64,
    pub calls: u64,
    pub kind: Option<Kind>,
    pub threads: Option<u64>,
    pub dir: PathBuf,
    pub data: PathBuf,
    /// Programs with further cases, by the feature they were built with.
    pub with: Vec<(String, PathBuf)>,
    pub words: Vec<String>,
}

/// What to show.
pub struct ReportOptions {
    pub data: PathBuf,
    /// Results on the file system of a disk, to stand beside the others in the table of targets.
    pub disk: Option<PathBuf>,
    pub docs: Option<PathBuf>,
}

/// Reads the command line of this process.
pub fn parse() -> Result<Task, lexopt::Error> {
    let mut args = lexopt::Parser::from_env();
    match args.next()? {
        None | Some(Short('h') | Long("help")) => Ok(Task::Help),
        Some(Value(word)) => match word.to_str() {
            Some("list") => Ok(Task::List),
            Some("run") => run(args),
            Some("report") => report(args),
            Some(crate::child::WORD) => {
                let args: Result<_, _> = args.raw_args()?.map(|arg| arg.string()).collect();
                Ok(Task::Child(args?))
            }
            _ => Err(format!("unknown command {word:?}").into()),
        },
        Some(other) => Err(other.unexpected()),
    }
}

fn run(mut args: lexopt::Parser) -> Result<Task, lexopt::Error> {
    let mut run = RunOptions {
        rounds: 5,
        events: 1_000_000,
        calls: 200_000,
        kind: None,
        threads: None,
        dir: std::env::temp_dir(),
        data: default_data(),
        with: Vec::new(),
        words: Vec::new(),
    };
    while let Some(arg) = args.next()? {
        match arg {
            Long("rounds") => run.rounds = args.value()?.parse()?,
            Long("events") => run.events = args.value()?.parse()?,
            Long("calls") => run.calls = args.value()?.parse()?,
            Long("kind") => run.kind = Some(args.value()?.parse()?),
            Long("threads") => run.threads = Some(args.value()?.parse()?),
            Long("dir") => run.dir = args.value()?.into(),
            Long("data") => run.data = args.value()?.into(),
            Long("with") => run.with.push(args.value()?.parse_with(program)?),
            Value(word) => run.words.push(word.string()?),
            Short('h') | Long("help") => return Ok(Task::Help),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Task::Run(run))
}

fn report(mut args: lexopt::Parser) -> Result<Task, lexopt::Error> {
    let mut report = ReportOptions { data: default_data(), disk: None, docs: None };
    while let Some(arg) = args.next()? {
        match arg {
            Long("data") => report.data = args.value()?.into(),
            Long("disk") => report.disk = Some(args.value()?.into()),
            Long("docs") => report.docs = Some(args.value()?.into()),
            Short('h') | Long("help") => return Ok(Task::Help),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Task::Report(report))
}

fn default_data() -> PathBuf {
    PathBuf::from("results.jsonl")
}

fn program(text: &str) -> Result<(String, PathBuf), String> {
    let (feature, program) = text.split_once('=').ok_or("expected FEATURE=PROGRAM")?;
    if !case::CASES.iter().any(|case| case.feature() == Some(feature)) {
        return Err(format!("no library is built by the feature {feature}"));
    }
    Ok((feature.to_owned(), program.into()))
}
