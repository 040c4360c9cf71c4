//! The writer beside other loggers: the same event, each case in a process of its own. `--help` lists
//! what it can be asked for.
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
mod options;
mod peers;
mod plot;
mod report;
mod run;
mod targets;

use std::process::ExitCode;

use options::Task;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

fn main() -> ExitCode {
    match options::parse() {
        Ok(Task::Help) => print!("{}", options::HELP),
        Ok(Task::List) => {
            for case in case::CASES {
                let feature = case.feature().map(|feature| format!(" (--features {feature})"));
                println!("{:<44} {}{}", case.name, case.how, feature.unwrap_or_default());
            }
        }
        Ok(Task::Run(options)) => run::run(&options),
        Ok(Task::Report(options)) => report::report(&options),
        Ok(Task::Child(args)) => child::main(&args),
        Err(error) => {
            eprintln!("compare: {error}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
