//! Every single operation on the file fails once, and from then on: whatever happens, nothing hangs
//! or panics, no line is torn, doubled or unaccounted for.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::io::fault::{self, Plan};
use crate::{
    FlushError, Metrics, QueuePolicy, Strategy, WriteSink, Writer, WriterBuilder, WriterGuard,
};

/// Long enough for some tries, short enough for thousands of runs.
const A_LITTLE: Duration = Duration::from_millis(20);

/// How long the end may take on the slowest machine.
const LIMIT: Duration = Duration::from_secs(60);

/// One way to fail.
#[derive(Debug, Clone, Copy)]
struct Fault {
    error: i32,
    times: usize,
    short: bool,
    /// Whether there is a fallback, which works.
    fallback: bool,
}

const FAULTS: &[Fault] = &[
    Fault { error: libc::ENOSPC, times: 1, short: false, fallback: false },
    Fault { error: libc::ENOSPC, times: 4, short: true, fallback: false },
    Fault { error: libc::ENOSPC, times: usize::MAX, short: true, fallback: false },
    Fault { error: libc::EIO, times: 1, short: false, fallback: false },
    Fault { error: libc::EIO, times: 6, short: true, fallback: false },
    Fault { error: libc::EIO, times: usize::MAX, short: false, fallback: false },
    Fault { error: libc::EINTR, times: 1, short: false, fallback: false },
    Fault { error: libc::ENOSPC, times: 5, short: true, fallback: true },
    Fault { error: libc::EIO, times: usize::MAX, short: true, fallback: true },
];

fn line(n: usize) -> String {
    format!("{{\"n\":{n},\"pad\":\"{}\"}}\n", "x".repeat(n * 37 % 700))
}

struct Scene {
    _folder: tempfile::TempDir,
    path: PathBuf,
    old: PathBuf,
    /// What went to the fallback, where there is one.
    fallback: Option<Elsewhere>,
}

/// A fallback that always works.
#[derive(Clone, Default)]
struct Elsewhere(Arc<Mutex<Vec<u8>>>);

impl io::Write for Elsewhere {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Scene {
    fn new(with_fallback: bool) -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path().join("logs/app.jsonl"), folder.path().join("app.1"));
        Scene { _folder: folder, path, old, fallback: with_fallback.then(Elsewhere::default) }
    }

    fn builder(&self, strategy: Strategy, synchronous: bool) -> WriterBuilder {
        let builder = match &self.fallback {
            Some(fallback) => {
                Writer::builder(&self.path).fallback(WriteSink::new(fallback.clone()))
            }
            None => Writer::builder(&self.path),
        };
        builder
            .strategy(strategy)
            .synchronous(synchronous)
            .queue_policy(QueuePolicy::DropNewest)
            .max_queue_size(0)
            .block_size(2 << 10)
            .mmap_chunk(8 << 10)
            .fail_after(A_LITTLE)
            .exit_hook(false)
            .on_error(|_| {})
    }

    /// The life of a writer; `None` if it could not be built.
    fn play(&self, strategy: Strategy, synchronous: bool) -> Option<Metrics> {
        let (writer, guard) = self.builder(strategy, synchronous).build().ok()?;
        let send = |from| {
            for n in from..from + 20 {
                let _ = writer.send(line(n)).unwrap();
            }
            let _ = writer.flush(A_LITTLE);
        };
        send(0);
        // As a program that trims the file, so that a mapping has to find its end again. Nothing is
        // pending before it is read, or what the worker writes meanwhile would be cut off.
        if strategy == Strategy::MemoryMapped
            && writer.metrics().pending == 0
            && let Ok(bytes) = fs::read(&self.path)
        {
            let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |at| at + 1);
            fs::File::options().write(true).open(&self.path).unwrap().set_len(end as u64).unwrap();
        }
        send(20);
        fs::rename(&self.path, &self.old).unwrap();
        let _ = writer.reopen();
        send(40);
        let _ = writer.sync(A_LITTLE);
        send(60);
        let start = Instant::now();
        while writer.is_running() {
            assert!(start.elapsed() < LIMIT, "hangs");
            // Once more if the time was over while the worker had not yet come to the operation
            // that fails: a sink is given up only if it was failing then.
            let _ = guard.shutdown(A_LITTLE);
        }
        Some(writer.metrics())
    }

    /// Opens the file once more without faults, as the next start of the program.
    fn mend(&self, path: &Path, strategy: Strategy) {
        if path.exists() {
            drop(Writer::builder(path).strategy(strategy).build().unwrap());
        }
    }

    /// The lines of both files, which must be whole and there once; and how many fragments.
    fn lines(&self) -> (HashSet<String>, usize) {
        let known: HashSet<String> = (0..80).map(line).collect();
        let (mut seen, mut fragments) = (HashSet::new(), 0);
        let elsewhere = self.fallback.as_ref().map(|fallback| fallback.0.lock().unwrap().clone());
        let files = [&self.old, &self.path].map(|path| fs::read(path).unwrap_or_default());
        for bytes in files.into_iter().chain(elsewhere) {
            assert!(!bytes.contains(&0), "a NUL");
            let text = String::from_utf8(bytes).unwrap();
            let mut last = None;
            for found in text.split_inclusive('\n') {
                if !known.contains(found) {
                    let start = found.trim_end();
                    let is_start = known.iter().any(|line| line.starts_with(start));
                    assert!(is_start && !start.is_empty(), "glued or cut: {found:?}");
                    fragments += 1;
                    continue;
                }
                assert!(seen.insert(found.to_owned()), "doubled: {found:?}");
                let number: usize = found[5..found.find(',').unwrap()].parse().unwrap();
                assert!(last < Some(number), "out of order: {found:?}");
                last = Some(number);
            }
        }
        (seen, fragments)
    }
}

fn check(m: &Metrics, lines: usize) {
    let ends = m.written + m.refused + m.evicted + m.rejected + m.lost;
    assert_eq!((ends, m.pending), (80, 0), "{m:?}");
    assert_eq!(m.written, lines as u64, "{m:?}");
}

/// How many runs in a row must come to their end before the operation that was to fail.
const CLEAN_RUNS: usize = 3;

/// Runs with the fault at every operation until none is left, and returns how many there were.
///
/// How many operations a run has depends on how fast the worker is: one that was short is no proof
/// that no longer one would have met the fault.
fn every_operation(strategy: Strategy, synchronous: bool, fault: Fault) -> usize {
    let mut clean_runs = 0;
    for from in 0.. {
        let plan = Arc::new(Plan {
            from,
            times: fault.times,
            error: fault.error,
            short: fault.short,
            count: AtomicUsize::new(0),
        });
        let scene = Scene::new(fault.fallback);
        fault::enter(Some(Arc::clone(&plan)));
        let metrics = scene.play(strategy, synchronous);
        fault::enter(None);
        scene.mend(&scene.old, strategy);
        scene.mend(&scene.path, strategy);
        let (lines, fragments) = scene.lines();
        match &metrics {
            Some(metrics) => check(metrics, lines.len()),
            None => assert!(lines.is_empty()),
        }
        if let Some(metrics) = &metrics
            && scene.fallback.is_some()
        {
            assert_eq!(metrics.lost, 0, "a working fallback takes all that is accepted");
        }
        if fault.times == 1 {
            assert_eq!(fragments, 0);
        }
        assert!(fragments <= 1, "{fragments} fragments");
        if plan.count.load(Ordering::Relaxed) <= from {
            let metrics = metrics.unwrap();
            assert_eq!((metrics.written, metrics.reopened, metrics.errors), (80, 1, 0));
            clean_runs += 1;
            if clean_runs == CLEAN_RUNS {
                return from;
            }
        } else {
            clean_runs = 0;
        }
    }
    unreachable!()
}

fn every_fault(strategy: Strategy, synchronous: bool) {
    let mut points = 0;
    std::thread::scope(|scope| {
        let runs: Vec<_> = FAULTS
            .iter()
            .map(|&fault| {
                let run = move || every_operation(strategy, synchronous, fault);
                let name = format!("{strategy} {synchronous} {fault:?}");
                std::thread::Builder::new().name(name).spawn_scoped(scope, run).unwrap()
            })
            .collect();
        points = runs.into_iter().map(|run| run.join().unwrap()).sum();
    });
    assert!(points > 100, "only {points} points");
}

/// A writer of which all operations fail but the first `of_start`; and how many there were at its
/// start.
fn fails_when_built(strategy: Strategy, of_start: usize) -> (Writer, WriterGuard, Scene, usize) {
    let (times, count) = (usize::MAX, AtomicUsize::new(0));
    let plan = Plan { from: of_start, times, error: libc::ENOSPC, short: false, count };
    let (plan, scene) = (Arc::new(plan), Scene::new(false));
    fault::enter(Some(Arc::clone(&plan)));
    let built = scene.builder(strategy, false).fail_after(Duration::ZERO).build();
    fault::enter(None);
    let (writer, guard) = built.unwrap();
    (writer, guard, scene, plan.count.load(Ordering::Relaxed))
}

#[test]
fn whoever_flushes_or_syncs_hears_that_the_target_has_failed() {
    for &strategy in Strategy::ALL {
        let (.., of_start) = fails_when_built(strategy, usize::MAX);
        let (writer, guard, scene, _) = fails_when_built(strategy, of_start);
        assert_eq!(writer.send(line(1)), Ok(true));
        for wait in [Writer::flush, Writer::sync] {
            // Each waits for the next try.
            match wait(&writer, LIMIT) {
                Err(FlushError::Failed { pending: 1, source }) => {
                    assert_eq!(source.path.as_ref(), Some(&scene.path), "{strategy}");
                    assert_eq!(source.source.raw_os_error(), Some(libc::ENOSPC), "{strategy}");
                }
                other => panic!("{strategy}: {other:?}"),
            }
        }
        while writer.is_running() {
            let _ = guard.shutdown(A_LITTLE);
        }
        assert_eq!(writer.metrics().lost, 1, "{strategy}");
        std::mem::forget(guard);
    }
}

#[test]
fn line_buffered_with_a_worker() {
    every_fault(Strategy::LineBuffered, false);
}

#[test]
fn line_buffered_without_a_worker() {
    every_fault(Strategy::LineBuffered, true);
}

#[test]
fn block_buffered_with_a_worker() {
    every_fault(Strategy::BlockBuffered, false);
}

#[test]
fn block_buffered_without_a_worker() {
    every_fault(Strategy::BlockBuffered, true);
}

#[test]
fn memory_mapped_with_a_worker() {
    every_fault(Strategy::MemoryMapped, false);
}

#[test]
fn memory_mapped_without_a_worker() {
    every_fault(Strategy::MemoryMapped, true);
}
