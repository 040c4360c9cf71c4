//! How the process ends.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Signal, getpid, kill_process};
use writer_core::WriterGuard;

use crate::args::End;
use crate::load::Run;

#[allow(clippy::disallowed_methods, reason = "the load is paced by time")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// A line of `/proc/self/status`, in KiB; zero where there is none.
pub(crate) fn memory_kb(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|text| text.strip_prefix(line));
    found.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// Ends the run in its way; threads that still send go on to the end.
pub(crate) fn end(run: &Arc<Run>, guard: WriterGuard, threads: Vec<JoinHandle<()>>) -> ExitCode {
    if run.args.ballast {
        take_memory_without_end();
    }
    match run.args.exit {
        End::Shutdown => return shut_down(run, guard, threads),
        End::Drop => {
            drop(guard);
            join(threads);
            write_metrics(run, "dropped", 0);
            return ExitCode::SUCCESS;
        }
        End::Return | End::PanicThread => {}
        _ => write_metrics(run, "running", 0),
    }
    std::mem::forget(guard);
    match run.args.exit {
        End::Exit => std::process::exit(7),
        End::ExitThread => {
            drop(std::thread::spawn(|| std::process::exit(7)));
            wait()
        }
        End::Panic => std::panic::resume_unwind(Box::new("on purpose")),
        End::Abort => std::process::abort(),
        End::Segv => signal_self(Signal::SEGV),
        End::Kill => signal_self(Signal::KILL),
        End::Term => signal_self(Signal::TERM),
        End::Wait => wait(),
        End::Return | End::PanicThread | End::Shutdown | End::Drop => {
            write_metrics(run, "running", 0);
            ExitCode::SUCCESS
        }
    }
}

fn shut_down(run: &Run, guard: WriterGuard, threads: Vec<JoinHandle<()>>) -> ExitCode {
    let began = Instant::now();
    let result = guard.shutdown(run.args.shutdown_timeout);
    let time = began.elapsed();
    join(threads);
    let word = match &result {
        Ok(()) => "ok".to_owned(),
        Err(error) => error.to_string(),
    };
    write_metrics(run, &word, u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(4) }
}

fn join(threads: Vec<JoinHandle<()>>) {
    // They end once the writer is closed; a panic is one that was asked for.
    threads.into_iter().for_each(|thread| drop(thread.join()));
}

fn wait() -> ! {
    loop {
        pause(Duration::from_secs(3600));
    }
}

fn signal_self(signal: Signal) -> ! {
    loop {
        // The process has the right to signal itself. The runtime takes a first SIGSEGV for a
        // fault that comes again by itself.
        let _ = kill_process(getpid(), signal);
        pause(Duration::from_millis(1));
    }
}

/// Until the system has no more and kills the process.
fn take_memory_without_end() -> ! {
    let mut taken = Vec::new();
    loop {
        taken.push(vec![1_u8; 1 << 20]);
        std::hint::black_box(&taken);
    }
}

/// Writes the counters; of both sides, so that they can be compared.
fn write_metrics(run: &Run, shutdown: &str, shutdown_us: u64) {
    let Some(path) = &run.args.metrics else { return };
    let m = run.writer.metrics();
    let tally = &run.tally;
    let mut object = serde_json::Map::new();
    let mut add = |name: &str, value: u64| drop(object.insert(name.into(), value.into()));
    if shutdown != "running" {
        // Callbacks come after the counters: only at the end are they the same.
        add("on_write", tally.on_write.load(Ordering::Relaxed));
        add("on_drop", tally.on_drop.load(Ordering::Relaxed));
    }
    for (name, value) in [
        ("sent", m.sent),
        ("enqueued", m.enqueued),
        ("written", m.written),
        ("refused", m.refused),
        ("evicted", m.evicted),
        ("rejected", m.rejected),
        ("lost", m.lost),
        ("dropped", m.dropped),
        ("pending", m.pending),
        ("errors", m.errors),
        ("bytes_written", m.bytes_written),
        ("markers", m.markers),
        ("torn_lines", m.torn_lines),
        ("recovered_nul_bytes", m.recovered_nul_bytes),
        ("reopened", m.reopened),
        ("callback_panics", m.callback_panics),
        ("high_water", m.high_water as u64),
        ("shutdown_us", shutdown_us),
        ("rss_peak_kb", memory_kb("VmHWM:")),
        ("rss_kb", memory_kb("VmRSS:")),
        ("threads", memory_kb("Threads:")),
    ] {
        add(name, value);
    }
    for (name, counter) in [
        ("calls", &tally.calls),
        ("taken", &tally.taken),
        ("turned_away", &tally.turned_away),
        ("errors_returned", &tally.errors_returned),
        ("on_error", &tally.on_error),
        ("on_write_calls", &tally.on_write_calls),
        ("longest_send_us", &tally.longest_send_us),
        ("longest_flush_us", &tally.longest_flush_us),
        ("flush_ok", &tally.flush_ok),
        ("flush_timeout", &tally.flush_timeout),
        ("flush_lost", &tally.flush_lost),
        ("flush_other", &tally.flush_other),
        ("sync_ok", &tally.sync_ok),
        ("sync_failed", &tally.sync_failed),
        ("sync_ok_after_failure", &tally.sync_ok_after_failure),
        ("probe_ok", &tally.probe_ok),
        ("probe_timeout", &tally.probe_timeout),
        ("probe_shortest_timeout_us", &tally.probe_shortest_timeout_us),
        ("probe_longest_us", &tally.probe_longest_us),
        ("build_us", &tally.build_us),
        ("rss_after_build_kb", &tally.rss_after_build_kb),
    ] {
        add(name, counter.load(Ordering::Relaxed));
    }
    object.insert("shutdown".into(), shutdown.into());
    object.insert("state".into(), m.state.as_str().into());
    let text = serde_json::Value::Object(object).to_string();
    // Whoever asked for the file misses it and says so.
    let _ = std::fs::write(path, text);
}
