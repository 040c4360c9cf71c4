//! Load on one writer, with every setting and every end. `torture --help` lists the options.
//!
//! `torture verify FILE...` reads what a run has left.
#![allow(clippy::disallowed_macros, reason = "a program speaks on its standard streams")]

#[cfg(unix)]
mod args;
#[cfg(unix)]
mod ends;
#[cfg(unix)]
mod load;
#[cfg(unix)]
mod outlet;
#[cfg(unix)]
mod slow;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    match args::parse() {
        Ok(args::Task::Help) => {
            println!("{}", args::HELP);
            std::process::ExitCode::SUCCESS
        }
        Ok(args::Task::Verify(check)) => check.run(),
        Ok(args::Task::Torture(args)) => load::run(*args),
        Err(error) => {
            eprintln!("torture: {error}");
            std::process::ExitCode::from(2)
        }
    }
}

/// The ends of a process that it is about are those of Unix.
#[cfg(not(unix))]
fn main() {}
