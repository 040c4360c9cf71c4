//! What happens to lines when processes end, fork, sit idle or are killed.
//!
//! This program is two: without the variable `WRITER_ROLE` it runs the tests, which start it again
//! with a role to play. It has a `main` of its own because returning from `main` and panicking in
//! it are two of the ends.
#![allow(missing_docs, unsafe_code)]
#![allow(clippy::unwrap_used, clippy::disallowed_macros, clippy::disallowed_methods)]

mod child;
mod ends;
#[cfg(unix)]
mod fork;
#[cfg(unix)]
mod fork_callback;
#[cfg(unix)]
mod fork_fallback;
mod guards;
mod held;
#[cfg(unix)]
mod idle;
#[cfg(unix)]
mod kill;
#[cfg(unix)]
mod locals;
#[cfg(unix)]
mod memory;
mod panics;
#[cfg(unix)]
mod paths;
#[cfg(all(unix, feature = "signals"))]
mod signals;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

type Test = (&'static str, fn());

fn tests() -> Vec<Test> {
    [
        ends::TESTS,
        #[cfg(unix)]
        fork::TESTS,
        #[cfg(unix)]
        fork_callback::TESTS,
        #[cfg(unix)]
        fork_fallback::TESTS,
        guards::TESTS,
        held::TESTS,
        #[cfg(unix)]
        idle::TESTS,
        #[cfg(unix)]
        kill::TESTS,
        #[cfg(unix)]
        locals::TESTS,
        #[cfg(unix)]
        memory::TESTS,
        panics::TESTS,
        #[cfg(unix)]
        paths::TESTS,
        #[cfg(all(unix, feature = "signals"))]
        signals::TESTS,
    ]
    .concat()
}

fn main() -> ExitCode {
    match std::env::var(child::ROLE) {
        Ok(role) => {
            play(&role);
            ExitCode::SUCCESS
        }
        Err(_) => run_tests(),
    }
}

/// Plays a role; some never come back.
fn play(role: &str) {
    let args = child::Args::from_env();
    match role {
        "end" => ends::play(&args),
        #[cfg(unix)]
        "fork" => fork::play(&args),
        #[cfg(unix)]
        "fork-callback" => fork_callback::play(&args),
        #[cfg(unix)]
        "fork-fallback" => fork_fallback::play(&args),
        "guard" => guards::play(&args),
        "held" => held::play(&args),
        #[cfg(unix)]
        "idle" => idle::play(&args),
        #[cfg(unix)]
        "kill" => kill::play(&args),
        #[cfg(unix)]
        "locals" => locals::play(&args),
        #[cfg(unix)]
        "memory" => memory::play(&args),
        "panic" => panics::play(&args),
        #[cfg(unix)]
        "paths" => paths::play(&args),
        #[cfg(all(unix, feature = "signals"))]
        "signals" => signals::play(&args),
        other => panic!("no role {other}"),
    }
}

/// The part of the usual test harness that tools rely on: filters, `--exact`, `--list`, `--skip`.
fn run_tests() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    let skips: Vec<_> = args.windows(2).filter(|pair| pair[0] == "--skip").collect();
    let is_filter = |&(i, arg): &(usize, &String)| {
        let value = i > 0 && matches!(args[i - 1].as_str(), "--skip" | "--test-threads");
        !arg.starts_with('-') && !value
    };
    let filters: Vec<_> = args.iter().enumerate().filter(is_filter).map(|(_, arg)| arg).collect();
    let mut wanted = tests();
    wanted.retain(|(name, _)| {
        let is_by = |filter: &&String| match has("--exact") {
            true => *name == **filter,
            false => name.contains(filter.as_str()),
        };
        (filters.is_empty() || filters.iter().any(is_by))
            && !skips.iter().any(|skip| name.contains(&skip[1]))
    });
    if has("--list") {
        wanted.retain(|_| !has("--ignored"));
        wanted.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    if has("--ignored") {
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} tests", wanted.len());
    let failed = run_side_by_side(&wanted);
    println!("\ntest result: {} failed of {}", failed, wanted.len());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_side_by_side(tests: &[Test]) -> usize {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(0);
    // Most of its time a test waits for the process that it has started.
    let lanes = 2 * std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..lanes {
            scope.spawn(|| {
                while let Some((name, test)) = tests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let start = Instant::now();
                    let passed = catch_unwind(AssertUnwindSafe(test)).is_ok();
                    let word = if passed { "ok" } else { "FAILED" };
                    println!("test {name} ... {word} ({:.1} s)", start.elapsed().as_secs_f64());
                    *failed.lock().unwrap() += usize::from(!passed);
                }
            });
        }
    });
    failed.into_inner().unwrap()
}
