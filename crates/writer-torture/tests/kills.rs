//! The process is killed, or the machine loses its power: what was acknowledged is there.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::disallowed_macros)]

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use writer_core::Strategy;
use writer_torture::rig::{
    Ended, Ext4, MemoryLimit, Seen, Torture, eventually, figure, pause, random_below, row,
};
use writer_torture::verify::{Ack, Allowed, Found, judge};

fn torture(path: &Path) -> Torture {
    Torture::new(env!("CARGO_BIN_EXE_torture"), path)
}

const THREADS: usize = 4;

/// Longer than anything takes that comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What many runs on one file have said, which must all be in it.
#[derive(Default)]
struct History {
    acks: Vec<Ack>,
    repaired: u64,
    kills: u64,
}

impl History {
    fn add(&mut self, ended: &Ended) {
        self.acks.extend(&ended.acks);
        self.repaired += ended.torn_lines;
        self.kills += 1;
    }

    /// Opens the file once more, which repairs its end, and reads it.
    #[track_caller]
    fn verify(&self, path: &Path, strategy: Strategy) -> Found {
        let last = torture(path).args(format!("--threads 0 --strategy {strategy}")).run();
        let last = last.expect_code(0);
        let found = Found::in_file(path).unwrap();
        let allowed = Allowed { fragments: self.kills, ..Allowed::default() };
        let wrong = judge(&found, &self.acks, None, &allowed);
        assert!(wrong.is_empty(), "{strategy}: {wrong:#?}");
        // Of these some may lack nothing but their end, and are whole then.
        assert!(self.repaired + last.torn_lines <= self.kills, "{strategy}");
        found
    }
}

/// One run that is killed after a while, on a file with the lines of others.
fn kill_one(path: &Path, args: &str, round: usize, signal: Signal) -> Ended {
    // With a pause the kill mostly meets a worker at rest, without one a busy one.
    let load = if round.is_multiple_of(2) { "" } else { "--pause 10us" };
    let mut running = torture(path)
        .args(args)
        .args(format!("--threads {THREADS} --per-thread 0 --first-thread {}", round * THREADS))
        .args(format!("--rec 100 --flush-every 100 --exit wait {load}"))
        .launch();
    if round == 0 {
        // On a machine that is slow enough no other may come to one.
        assert!(eventually(PATIENCE, || running.acks_so_far() > 0), "nothing is acknowledged");
    }
    pause(Duration::from_millis(random_below(figure(100, 300))));
    running.signal(signal);
    let ended = running.finish();
    assert_eq!(ended.status.signal(), Some(signal.as_raw()), "{}", ended.stderr);
    ended
}

/// Kills so often, on a new file now and then, and returns acknowledgements and fragments.
fn kill_often(strategy: Strategy, kills: usize, signal: Signal) -> (usize, u64) {
    let (mut acks, mut fragments) = (0, 0);
    let rounds: Vec<usize> = (0..kills).collect();
    for group in rounds.chunks(20) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut history = History::default();
        for &round in group {
            // A step of one page makes a mapping grow all the time, under the kill too.
            let chunk = if round % 3 == 0 { "--chunk 4096" } else { "" };
            let args = format!("--strategy {strategy} {chunk}");
            history.add(&kill_one(&path, &args, round, signal));
        }
        fragments += history.verify(&path, strategy).integrity.broken;
        acks += history.acks.len();
    }
    assert!(acks > 0, "{strategy}: nothing was acknowledged before any kill");
    (acks, fragments)
}

fn kill_through_all(kills: u64, signal: Signal) -> Seen {
    let kills = usize::try_from(kills).unwrap();
    let seen = Strategy::ALL.iter().map(|&strategy| {
        let (acks, fragments) = kill_often(strategy, kills, signal);
        format!("{strategy}: {acks} acknowledged flushes all there, {fragments} fragments")
    });
    Ok(seen.collect::<Vec<_>>().join("; "))
}

const KILLED: &str = "every record whose flush was acknowledged is there; at most one fragment a \
                      kill, closed off by the next start; no NUL after it";

#[test]
fn g14_a_sigterm_that_nobody_handles_leaves_what_was_flushed() {
    let kills = figure(4, 34);
    let procedure = format!("{kills} SIGTERMs per strategy at random, no handler");
    row("G14", &procedure, KILLED, || kill_through_all(kills, Signal::TERM));
}

#[test]
fn g15_a_killed_process_leaves_every_acknowledged_record() {
    let kills = figure(34, 500);
    let procedure = format!(
        "{kills} SIGKILLs per strategy after 0 to 300 ms, {THREADS} threads, a flush each 100 \
         records, every start on the file of the last"
    );
    row("G15", &procedure, KILLED, || kill_through_all(kills, Signal::KILL));
}

/// The lines that a queue holds below; the worker may have as many in its hand.
const QUEUE: u64 = 500;

/// How many lines each thread of a run had accepted when it was killed: what it has written down
/// after each `send`, so at most one less than it was.
fn accepted(progress: &Path) -> Vec<u64> {
    // Before the first there is no file.
    let bytes = std::fs::read(progress).unwrap_or_default();
    let numbers =
        bytes.chunks_exact(8).map(|number| u64::from_le_bytes(number.try_into().unwrap()));
    numbers.collect()
}

/// Kills without any flush, and returns how many lines were accepted, and the most that a kill
/// cost.
fn count_the_cost(strategy: Strategy, kills: usize) -> (u64, u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut history = History::default();
    let mut runs = Vec::new();
    for round in 0..kills {
        // Without triggers the queue is full each time it is written.
        let mode = if round % 2 == 0 { "trigger" } else { "manual --trigger-every 1000000000" };
        let progress = folder.path().join(format!("progress.{round}"));
        let mut running = torture(&path)
            .args(format!("--strategy {strategy} --mode {mode} --cap {QUEUE} --rec 100"))
            .args(format!("--threads {THREADS} --per-thread 0 --first-thread {}", round * THREADS))
            .args(format!("--chunk 1048576 --exit wait --progress {}", progress.display()))
            .launch();
        // Only one that has sent more than may be missing can lose too much.
        let enough = || accepted(&progress).iter().sum::<u64>() > 4 * QUEUE;
        assert!(eventually(PATIENCE, enough), "{strategy}: nothing goes on");
        pause(Duration::from_millis(random_below(figure(30, 300))));
        running.signal(Signal::KILL);
        history.add(&running.finish());
        runs.push(accepted(&progress));
    }
    let found = history.verify(&path, strategy);
    let (mut all, mut most) = (0, 0);
    for (round, accepted) in runs.iter().enumerate() {
        let mut cost = 0;
        for (thread, accepted) in (round * THREADS..).zip(accepted) {
            let there = found.sources.get(&(thread as u64));
            assert_eq!(there.map_or(0, |there| there.missing()), 0, "{strategy}: a hole");
            cost += accepted.saturating_sub(there.map_or(0, |there| there.highest()));
        }
        assert!(cost <= 2 * QUEUE, "{strategy}: a kill cost {cost} lines");
        (all, most) = (all + accepted.iter().sum::<u64>(), most.max(cost));
    }
    (all, most)
}

#[test]
fn g15_a_kill_costs_no_more_lines_than_queue_and_hand_hold() {
    let kills = usize::try_from(figure(10, 200)).unwrap();
    row(
        "G15",
        &format!(
            "{kills} SIGKILLs per strategy at random, no flush, a queue of {QUEUE} lines, every second time \
             without triggers"
        ),
        "no holes; of what was accepted at most twice the queue is missing",
        || {
            let mut seen = Vec::new();
            for &strategy in Strategy::ALL {
                let (all, most) = count_the_cost(strategy, kills);
                seen.push(format!("{strategy}: at most {most} of {all} lines"));
            }
            Ok(seen.join("; "))
        },
    );
}

#[test]
fn g15_an_abort_and_a_fault_leave_every_acknowledged_record() {
    row(
        "G15",
        "abort(), SIGSEGV, SIGKILL and SIGTERM to itself after 4 x 1000 records, a flush each 100",
        "every record whose flush was acknowledged is there; at most one fragment",
        || {
            for &strategy in Strategy::ALL {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("log");
                let mut history = History::default();
                for (round, end) in ["abort", "segv", "kill", "term"].iter().enumerate() {
                    let ended = torture(&path)
                        .args(format!("--strategy {strategy} --exit {end} --flush-every 100"))
                        .args(format!("--threads {THREADS} --first-thread {}", round * THREADS))
                        .run();
                    assert!(ended.status.signal().is_some(), "{end}: {:?}", ended.status);
                    assert_eq!(ended.acks.len(), THREADS * 10, "{end}");
                    history.add(&ended);
                }
                let found = history.verify(&path, strategy);
                assert_eq!(found.records, 4 * 4000, "{strategy}: the last flush covers all");
            }
            Ok("all 16 000 records of each strategy".into())
        },
    );
}

#[test]
fn g16_a_process_killed_for_its_memory_leaves_every_acknowledged_record() {
    let rounds = figure(1, 10);
    row(
        "G16",
        "a control group with 64 MiB; memory is taken beside the load until the kernel kills",
        KILLED,
        || {
            let (mut acks, mut fragments) = (0, 0);
            for &strategy in Strategy::ALL {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("log");
                let mut history = History::default();
                for round in 0..rounds {
                    let group = MemoryLimit::new(64 << 20)?;
                    let mut running = torture(&path)
                        .args(format!(
                            "--strategy {strategy} --rec 100 --flush-every 100 --pause 10us"
                        ))
                        .args(format!("--per-thread 0 --threads 4 --first-thread {}", round * 4))
                        .args("--chunk 1048576 --exit-after eof --ballast")
                        .start();
                    group.add(running.id())?;
                    assert!(eventually(Duration::from_secs(20), || running.acks_so_far() > 20));
                    running.close_input();
                    let ended = running.finish();
                    assert_eq!(ended.status.signal(), Some(Signal::KILL.as_raw()));
                    history.add(&ended);
                }
                fragments += history.verify(&path, strategy).integrity.broken;
                acks += history.acks.len();
            }
            Ok(format!("{acks} acknowledged flushes all there, {fragments} fragments"))
        },
    );
}

#[test]
fn g17_a_loss_of_power_leaves_every_synced_record() {
    let rounds = figure(2, 50);
    row(
        "G17",
        &format!(
            "ext4 in an image, a sync each 1000 records, power cut at random, mounted again; \
             {rounds} rounds per strategy"
        ),
        "every record whose sync was acknowledged before the cut is there; at most one fragment a \
         cut; no NUL after the next start",
        || {
            let (mut syncs, mut fragments) = (0, 0);
            for &strategy in Strategy::ALL {
                for round in 0..rounds {
                    let disk = Ext4::mount(256 << 20)?;
                    let path = disk.join("log");
                    let running = torture(&path)
                        .args(format!("--strategy {strategy} --threads 2 --per-thread 0 --rec 100"))
                        .args("--sync-every 1000 --exit wait --pause 10us")
                        .start();
                    if round == 0 {
                        let synced = eventually(PATIENCE, || running.syncs_so_far() > 0);
                        assert!(synced, "nothing is acknowledged");
                    }
                    pause(Duration::from_millis(random_below(500)));
                    // Only of these: a machine without power says nothing more, and one that goes
                    // on may be told a lie. ext4 ends its transaction at the cut, and an
                    // `fdatasync` that comes to wait for it then finds it ended and returns 0; a
                    // program that did no more than `write` and `fdatasync` saw that at 18 of 100
                    // cuts.
                    let said = running.syncs_so_far();
                    disk.cut_power()?;
                    let ended = kill(running);
                    disk.remount()?;
                    let mut history = History { kills: 1, ..History::default() };
                    history.acks.extend(&ended.syncs[..said]);
                    fragments += history.verify(&path, strategy).integrity.broken;
                    syncs += said;
                }
            }
            assert!(syncs > 0);
            Ok(format!("{syncs} acknowledged syncs all there, {fragments} fragments"))
        },
    );
}

/// Without power there is nothing to wait for.
fn kill(mut running: writer_torture::rig::Running) -> Ended {
    running.signal(Signal::KILL);
    running.finish()
}
