//! Every single operation fails: the first, the second, and so on, once or from then on.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::disallowed_macros)]

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use writer_core::{QueuePolicy, ShutdownError, Sink, State, Strategy, Writer};
use writer_torture::rig::{Skip, Strace, Torture, figure, pause, row};
use writer_torture::verify::{Allowed, Found, judge};

/// What the chosen call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Error,
    Interrupted,
    Short,
    Panic,
}

/// A sink in memory of which one call, or all from one on, go wrong.
struct Countdown {
    calls: Arc<AtomicU64>,
    at: u64,
    for_ever: bool,
    fault: Fault,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Countdown {
    fn fault(&self) -> Option<Fault> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        (call == self.at || (self.for_ever && call > self.at)).then_some(self.fault)
    }

    fn other_call(&self) -> io::Result<()> {
        match self.fault() {
            Some(Fault::Panic) => std::panic::resume_unwind(Box::new("on purpose")),
            Some(Fault::Error) => Err(io::Error::other("on purpose")),
            Some(Fault::Interrupted) => Err(io::ErrorKind::Interrupted.into()),
            Some(Fault::Short) | None => Ok(()),
        }
    }
}

impl Sink for Countdown {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        let taken = match self.fault() {
            Some(Fault::Short) => lines.len().div_ceil(2),
            Some(Fault::Panic) => std::panic::resume_unwind(Box::new("on purpose")),
            Some(Fault::Error) => return Err(io::Error::other("on purpose")),
            Some(Fault::Interrupted) => return Err(io::ErrorKind::Interrupted.into()),
            None => lines.len(),
        };
        self.bytes.lock().unwrap().extend_from_slice(&lines[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.other_call()
    }

    fn sync(&mut self) -> io::Result<()> {
        self.other_call()
    }

    fn close(&mut self) -> io::Result<()> {
        self.other_call()
    }
}

/// Runs `trial` with N = 1, 2 and so on, until it says in two runs in a row that there was no N-th
/// call: how many there are depends on how fast the worker is.
fn until_clean(mut trial: impl FnMut(u64) -> Result<bool, Skip>) -> Result<(), Skip> {
    let mut clean = 0;
    for at in 1.. {
        clean = if trial(at)? { 0 } else { clean + 1 };
        if clean == 2 {
            break;
        }
    }
    Ok(())
}

/// One run over a sink that fails so; returns how many calls it made.
fn one_fault(fault: Fault, at: u64, for_ever: bool, policy: QueuePolicy) -> u64 {
    let lines_sent = figure(12, 40);
    let calls = Arc::new(AtomicU64::new(0));
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let sink =
        Countdown { calls: Arc::clone(&calls), at, for_ever, fault, bytes: Arc::clone(&bytes) };
    let label = format!("{fault:?} at {at}, for ever: {for_ever}, {policy}");
    let (writer, guard) = Writer::to(sink)
        .queue_policy(policy)
        .max_queue_size(4)
        .fail_after(Duration::ZERO)
        .on_drop(|_| {})
        .on_error(|_| {})
        .build()
        .unwrap();
    let wait = Duration::from_millis(if for_ever { 2 } else { 5_000 });
    for number in 0..lines_sent {
        writer.send(format!("{{\"t\":0,\"s\":{number}}}")).unwrap();
        match number % 4 {
            1 => drop(writer.flush(wait)),
            3 => drop(writer.sync(wait)),
            _ => {}
        }
        // Nobody waits for a sink that has failed; here the rest of the lines shall meet one that
        // works.
        while !for_ever && writer.metrics().state == State::Failed {
            pause(Duration::from_millis(1));
        }
    }
    let mut ended = guard.shutdown(wait);
    // A sink that works and is not done yet, or has not yet been found to fail.
    let until = Instant::now() + Duration::from_secs(60);
    while matches!(ended, Err(ShutdownError::Timeout { .. })) && Instant::now() < until {
        ended = guard.shutdown(Duration::from_millis(100));
    }
    // Its report of an incomplete shutdown is known here.
    std::mem::forget(guard);
    let m = writer.metrics();
    let ends = m.written + m.refused + m.evicted + m.rejected + m.lost;
    assert_eq!(ends, lines_sent, "{label}");
    assert_eq!((m.pending, writer.is_running()), (0, false), "{label}: {ended:?}");
    let lines = bytes.lock().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &*lines).unwrap();
    let found = Found::in_file(file.path()).unwrap();
    // What a panic leaves of a line is closed off; what stays broken for ever may end in one.
    let allowed = Allowed { torn_tail: for_ever, ..Allowed::default() };
    let wrong = judge(&found, &[], None, &allowed);
    assert!(wrong.is_empty(), "{label}: {wrong:#?}");
    assert_eq!(found.records, m.written, "{label}");
    if !for_ever && fault != Fault::Panic {
        assert_eq!((m.lost, m.dropped + m.written), (0, lines_sent), "{label}");
    }
    calls.load(Ordering::Relaxed)
}

#[test]
fn g24_every_call_of_a_sink_fails_once_and_for_ever() {
    row(
        "G24",
        "a sink whose N-th call (write, flush, sync, close) is an error, an interruption, short or a \
         panic; N = 1.. until none is met; once and from then on; 4 policies",
        "no hang, no torn or doubled line, identity exact for any N",
        || {
            let faults = [Fault::Error, Fault::Interrupted, Fault::Short, Fault::Panic];
            let points = AtomicU64::new(0);
            let count = |fault, policy, for_ever| {
                until_clean(|at| {
                    let met = one_fault(fault, at, for_ever, policy) >= at;
                    points.fetch_add(u64::from(met), Ordering::Relaxed);
                    Ok(met)
                })
                .unwrap();
            };
            // Side by side: most of the time is that of pauses after failures.
            std::thread::scope(|scope| {
                for (fault, &policy) in faults
                    .iter()
                    .flat_map(|fault| QueuePolicy::ALL.iter().map(move |p| (*fault, p)))
                {
                    scope.spawn(move || count(fault, policy, false));
                    scope.spawn(move || count(fault, policy, true));
                }
            });
            let points = points.into_inner();
            assert!(points > figure(250, 500), "{points}");
            Ok(format!("{points} points"))
        },
    );
}

/// One run with the N-th `call` on the file failing; whether there was an N-th.
fn one_call(
    strategy: Strategy,
    call: &str,
    at: u64,
    for_ever: bool,
    path: &Path,
) -> Result<bool, Skip> {
    let log = path.with_extension("strace");
    let when = if for_ever { "+" } else { "" };
    let fault = format!("{call}:error=EIO:when={at}{when}");
    let ended = Torture::new(env!("CARGO_BIN_EXE_torture"), path)
        .under(Strace::on_logged(path, &[&fault], &log)?)
        .args(format!("--strategy {strategy} --threads 2 --per-thread 100 --sync-every 25"))
        .args("--chunk 8192 --fail-after 50ms --shutdown-timeout 100ms --flush-timeout 200ms")
        .run();
    let label = format!("{strategy}: {fault}: {:?}", ended.status);
    match ended.status.code() {
        Some(0 | 4) => {
            // A file that cannot be trimmed or finished any more keeps its tail for the next start.
            let allowed = Allowed {
                torn_tail: ended.status.code() == Some(4),
                nul_tail: ended.status.code() == Some(4),
                ..Allowed::default()
            };
            let found = Found::in_file(path).unwrap();
            let wrong = judge(&found, &ended.acks, ended.counts.as_ref(), &allowed);
            assert!(wrong.is_empty(), "{label}: {wrong:#?} {:?} {:?}", ended.counts, ended.errors);
        }
        Some(3) => assert!(ended.refused.is_some()),
        _ => panic!("{label} {}", ended.stderr),
    }
    Ok(fs::read_to_string(&log).unwrap().contains("INJECTED"))
}

#[test]
fn g24_every_system_call_on_the_file_fails_once_and_for_ever() {
    row(
        "G24",
        "the N-th openat, fcntl, flock, fstat, pread, write, ftruncate, fallocate, mmap or fdatasync \
         on the file fails with EIO; N = 1.. until none is met; once and from then on; 3 strategies",
        "no panic, no hang, no torn or doubled line, identity exact for any N",
        || {
            let calls = [
                "openat",
                "fcntl",
                "flock",
                "statx",
                "fstat",
                "pread64",
                "write",
                "ftruncate",
                "fallocate",
                "mmap",
                "fdatasync",
                "close",
            ];
            let points = AtomicU64::new(0);
            let all: Vec<_> = Strategy::ALL
                .iter()
                .flat_map(|&strategy| calls.map(|call| (strategy, call)))
                .collect();
            let next = AtomicU64::new(0);
            let lane = || -> Result<(), Skip> {
                while let Some(&(strategy, call)) =
                    all.get(next.fetch_add(1, Ordering::Relaxed) as usize)
                {
                    for for_ever in [false, true] {
                        until_clean(|at| {
                            let folder = tempfile::tempdir().unwrap();
                            let path = folder.path().join("log");
                            fs::write(&path, "").unwrap();
                            let met = one_call(strategy, call, at, for_ever, &path)?;
                            points.fetch_add(u64::from(met), Ordering::Relaxed);
                            Ok(met)
                        })?;
                    }
                }
                Ok(())
            };
            std::thread::scope(|scope| {
                let lanes: Vec<_> = (0..4).map(|_| scope.spawn(lane)).collect();
                lanes.into_iter().try_for_each(|lane| {
                    lane.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
            })?;
            let points = points.into_inner();
            assert!(points > 100, "{points}");
            Ok(format!("{points} points"))
        },
    );
}
