//! Ends and orders of events that no row of the table names.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::disallowed_macros)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use writer_core::Strategy;
use writer_torture::rig::{
    Strace, Torture, eventually, figure, pause, random_below, row, run_tool,
};
use writer_torture::verify::{Allowed, Found, judge};

fn torture(path: &Path) -> Torture {
    Torture::new(env!("CARGO_BIN_EXE_torture"), path)
}

fn read(path: &Path) -> Found {
    Found::in_file(path).unwrap()
}

const APPENDING: [Strategy; 2] = [Strategy::LineBuffered, Strategy::BlockBuffered];

#[test]
fn x1_an_exit_in_a_callback_while_flushes_wait() {
    let rounds = figure(3, 50);
    row(
        "X1",
        "on_write calls exit() while 8 threads send and flush each record",
        "the process ends in 2.5 s with its code; every acknowledged record there",
        || {
            for round in 0..rounds {
                let strategy = Strategy::ALL[round as usize % 3];
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("log");
                let ended = torture(&path)
                    .args(format!("--strategy {strategy} --flush-every 1 --on-write exit"))
                    .run()
                    .expect_code(7);
                assert!(ended.took < Duration::from_millis(2_500), "{:?}", ended.took);
                let wrong = judge(&read(&path), &ended.acks, None, &Allowed::default());
                assert!(wrong.is_empty(), "{strategy}: {wrong:#?}");
            }
            Ok(format!("{rounds} rounds"))
        },
    );
}

#[test]
fn x2_a_callback_that_shuts_down_or_waits_under_load() {
    row(
        "X2",
        "on_write calls shutdown, flush, logs, or panics in every call; 8 threads send and flush",
        "no deadlock; identity exact; every acknowledged record there",
        || {
            for &strategy in Strategy::ALL {
                for what in ["shutdown", "flush", "log", "panic"] {
                    let folder = tempfile::tempdir().unwrap();
                    let path = folder.path().join("log");
                    let ended = torture(&path)
                        .args(format!("--strategy {strategy} --on-write {what} --flush-every 10"))
                        .args("--cap 64")
                        .run()
                        .expect_code(0);
                    let logged = if what == "log" { u64::MAX } else { 0 };
                    let allowed = Allowed { others: logged, ..Allowed::default() };
                    let found = ended.verify(&path, &allowed);
                    if what == "panic" {
                        let calls = ended.count("on_write_calls");
                        assert_eq!(ended.count("callback_panics"), calls, "{strategy}");
                    }
                    assert!(what == "shutdown" || found.records == 8000, "{strategy} {what}");
                }
            }
            Ok("3 strategies x 4 callbacks".into())
        },
    );
}

#[test]
fn x3_one_of_two_writers_on_a_file_is_killed() {
    let kills = figure(8, 40);
    row(
        "X3",
        &format!(
            "two processes on one file, a busy one killed and started again {kills} times per \
             strategy"
        ),
        "the other loses nothing, and keeps its order but for at most one line a kill; every \
         acknowledged record of the killed ones is there; at most one broken line a kill",
        || {
            let fragments = APPENDING.map(|strategy| kill_a_neighbour(strategy, kills));
            Ok(format!(
                "2 x {kills} kills, {fragments:?} broken lines, nothing of the other among them"
            ))
        },
    );
}

/// Kills a busy process over and over that writes to the file of a calm one; how many broken lines
/// that leaves.
fn kill_a_neighbour(strategy: Strategy, kills: u64) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut survivor = torture(&path)
        .args(format!("--strategy {strategy} --threads 2 --per-thread 0 --pause 50us"))
        .args("--flush-every 100 --exit-after eof")
        .start();
    let mut acks = Vec::new();
    for round in 1..=kills {
        // No pause: its writes are long, and the kill falls into one of them.
        let mut victim = torture(&path)
            .args(format!("--strategy {strategy} --threads 2 --per-thread 0 --rec 100"))
            .args(format!("--flush-every 100000 --exit wait --first-thread {}", round * 10))
            .start();
        pause(Duration::from_millis(random_below(40)));
        victim.signal(Signal::KILL);
        acks.extend(victim.finish().acks);
    }
    survivor.close_input();
    let ended = survivor.finish().expect_code(0);
    acks.extend(&ended.acks);
    let found = read(&path);
    let allowed = Allowed { fragments: kills, late: kills, ..Allowed::default() };
    let wrong = judge(&found, &acks, None, &allowed);
    assert!(wrong.is_empty(), "{strategy}: {wrong:#?}");
    let of_survivor: u64 = (0..2).map(|thread| found.sources[&thread].came).sum();
    assert_eq!(of_survivor, ended.count("written"), "{strategy}");
    found.integrity.broken
}

#[test]
fn x4_a_process_that_is_stopped_and_goes_on() {
    let times = figure(5, 50);
    row(
        "X4",
        &format!("SIGSTOP, 50 ms later SIGCONT, {times} times under load with flushes and syncs"),
        "nothing lost; no flush or sync fails",
        || {
            for &strategy in Strategy::ALL {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("log");
                let mut running = torture(&path)
                    .args(format!("--strategy {strategy} --threads 4 --per-thread 0 --pause 50us"))
                    .args("--flush-every 100 --sync-every 1000 --exit-after eof")
                    .start();
                for _ in 0..times {
                    pause(Duration::from_millis(10));
                    running.signal(Signal::STOP);
                    pause(Duration::from_millis(50));
                    running.signal(Signal::CONT);
                }
                running.close_input();
                let ended = running.finish().expect_code(0);
                ended.verify(&path, &Allowed::default());
                let failed = ["flush_timeout", "flush_lost", "sync_failed"];
                // The shutdown may come before a sync: then it is refused as closed.
                let failed: u64 = failed.iter().map(|name| ended.count(name)).sum();
                assert!(failed <= 4, "{strategy}: {failed}");
                assert_eq!((ended.count("lost"), ended.count("dropped")), (0, 0));
            }
            Ok(format!("3 x {times} stops"))
        },
    );
}

#[test]
fn x5_a_kill_during_the_repair_of_the_file() {
    let rounds = figure(20, 300);
    row(
        "X5",
        &format!(
            "a file with 1000 records, a fragment and 32 MiB of NULs; killed within 60 ms of the \
                  start, {rounds} times"
        ),
        "the old records stay; at most the one fragment; the next start ends the repair",
        || {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log");
            torture(&path).args("--threads 1").run().expect_code(0);
            let sound = fs::read(&path).unwrap();
            let mut repaired = 0;
            for round in 0..rounds {
                let strategy = Strategy::ALL[round as usize % 3];
                fs::write(&path, [&sound[..], b"{\"t\":0,\"s\":1000,\"pa"].concat()).unwrap();
                let length = fs::metadata(&path).unwrap().len();
                let file = fs::File::options().write(true).open(&path).unwrap();
                file.set_len(length + (32 << 20)).unwrap();
                let mut running = torture(&path)
                    .args(format!("--strategy {strategy} --threads 0 --exit wait"))
                    .launch();
                pause(Duration::from_micros(random_below(60_000)));
                running.signal(Signal::KILL);
                running.finish();
                repaired += u64::from(fs::metadata(&path).unwrap().len() < 1 << 20);
                let last = torture(&path).args(format!("--strategy {strategy} --threads 0")).run();
                last.expect_code(0);
                let bytes = fs::read(&path).unwrap();
                assert!(bytes.starts_with(&sound), "old lines changed");
                assert_eq!(&bytes[sound.len()..], b"{\"t\":0,\"s\":1000,\"pa\n");
            }
            Ok(format!("{repaired} of {rounds} kills came after the repair, all files sound"))
        },
    );
}

#[test]
fn x6_no_thread_can_be_started() {
    row(
        "X6",
        "the first clone fails with EAGAIN",
        "build is an error that says so; the file is not held; the next start works",
        || {
            run_tool("strace", ["-f", "-o", "/dev/null", "true"], None)?;
            for &strategy in Strategy::ALL {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("log");
                let ended = torture(&path)
                    .under(["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=clone,clone3"])
                    .under(["-e", "inject=clone,clone3:error=EAGAIN:when=1"])
                    .args(format!("--strategy {strategy}"))
                    .run()
                    .expect_code(3);
                let why = ended.refused.unwrap();
                assert!(why.contains("cannot start the worker thread"), "{why}");
                let ended = torture(&path).args(format!("--strategy {strategy}")).run();
                ended.expect_code(0).verify(&path, &Allowed::default());
            }
            Ok("3 strategies".into())
        },
    );
}

#[test]
fn x7_a_mapping_finds_no_address_space() {
    row(
        "X7",
        "mmap with a step of 1 GiB in 400 MiB of address space",
        "steps that find no room give way to plain writes; nothing lost",
        || {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log");
            let ended = torture(&path)
                .under(["prlimit", "--as=419430400"])
                .args("--strategy mmap --chunk 1073741824 --flush-every 100")
                .run()
                .expect_code(0);
            let found = ended.verify(&path, &Allowed::default());
            assert_eq!((found.records, ended.count("errors")), (8000, 0));
            Ok("8000 of 8000 records, 0 errors".into())
        },
    );
}

#[test]
fn x8_the_descriptor_is_closed_under_the_writer() {
    row(
        "X8",
        "every write from the fifth on fails with EBADF",
        "no panic, no hang; counted; the end is in time",
        || {
            let mut seen = Vec::new();
            for strategy in APPENDING {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("log");
                fs::write(&path, "").unwrap();
                let ended = torture(&path)
                    .under(Strace::on(&path, &["write:error=EBADF:when=5+"])?)
                    .args(format!("--strategy {strategy} --flush-every 50 --cap 64"))
                    .args("--fail-after 300ms --shutdown-timeout 500ms --block-timeout 100ms --flush-timeout 100ms")
                    .run()
                    .expect_code(4);
                let allowed = Allowed { torn_tail: true, ..Allowed::default() };
                ended.verify(&path, &allowed);
                let counted = ended.count("lost") + ended.count("refused");
                assert_eq!(counted + ended.count("written"), 8000);
                seen.push(format!("{strategy}: {counted} counted"));
            }
            Ok(seen.join("; "))
        },
    );
}

#[test]
fn x9_a_shutdown_without_time_on_a_full_disk() {
    row(
        "X9",
        "every write fails with ENOSPC; shutdown without time",
        "the end is within 0.4 s; everything is counted as lost",
        || {
            for strategy in APPENDING {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("log");
                fs::write(&path, "").unwrap();
                let mut running = torture(&path)
                    .under(Strace::on(&path, &["write:error=ENOSPC:when=1+"])?)
                    .args(format!("--strategy {strategy} --threads 2 --per-thread 0 --cap 64"))
                    .args("--exit-after eof --shutdown-timeout 0s")
                    .start();
                assert!(eventually(Duration::from_secs(20), || running.errors_so_far() > 0));
                running.close_input();
                let ended = running.finish().expect_code(4);
                assert_eq!(ended.count("written"), 0);
                assert_eq!(ended.count("lost"), ended.count("enqueued"));
                let took = Duration::from_micros(ended.count("shutdown_us"));
                assert!(took < Duration::from_millis(figure(2_000, 400)), "{took:?}");
                assert!(fs::read(&path).unwrap().is_empty());
            }
            Ok("2 strategies".into())
        },
    );
}

#[test]
fn x10_a_mapping_in_a_sandbox() {
    row(
        "X10",
        "mmap where process_vm_readv and prlimit64 are forbidden (EPERM)",
        "no panic; nothing lost",
        || {
            run_tool("strace", ["-f", "-o", "/dev/null", "true"], None)?;
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log");
            let calls = "process_vm_readv,prlimit64";
            let ended = torture(&path)
                .under(["strace", "-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={calls}")])
                .under(["-e", &format!("inject={calls}:error=EPERM")])
                .args("--strategy mmap --flush-every 100")
                .run()
                .expect_code(0);
            let found = ended.verify(&path, &Allowed::default());
            assert_eq!((found.records, ended.count("errors")), (8000, 0));
            Ok("8000 of 8000 records, 0 errors".into())
        },
    );
}
