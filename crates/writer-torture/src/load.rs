//! The threads that send, and what they see.

use std::fs::File;
use std::io::{BufRead, Write};
use std::os::unix::fs::FileExt;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use writer_core::{BuildError, FlushError, Mode, SendError, Writer, WriterBuilder, WriterGuard};

use crate::args::{Args, End, ExitAfter, OnWrite};
use crate::ends;
use crate::outlet::Outlet;
use crate::slow::SlowFile;

/// Longer than anything takes that comes to an end.
const PATIENCE: Duration = Duration::from_secs(120);

/// What callbacks and threads count, beside the writer.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) calls: AtomicU64,
    pub(crate) taken: AtomicU64,
    pub(crate) turned_away: AtomicU64,
    pub(crate) errors_returned: AtomicU64,
    pub(crate) on_write: AtomicU64,
    pub(crate) on_drop: AtomicU64,
    pub(crate) on_error: AtomicU64,
    pub(crate) on_write_calls: AtomicU64,
    pub(crate) longest_send_us: AtomicU64,
    pub(crate) longest_flush_us: AtomicU64,
    pub(crate) flush_ok: AtomicU64,
    pub(crate) flush_timeout: AtomicU64,
    pub(crate) flush_lost: AtomicU64,
    pub(crate) flush_other: AtomicU64,
    pub(crate) sync_ok: AtomicU64,
    pub(crate) sync_failed: AtomicU64,
    /// Syncs that were Ok after one had failed.
    pub(crate) sync_ok_after_failure: AtomicU64,
    pub(crate) probe_ok: AtomicU64,
    pub(crate) probe_timeout: AtomicU64,
    pub(crate) probe_shortest_timeout_us: AtomicU64,
    pub(crate) probe_longest_us: AtomicU64,
    pub(crate) build_us: AtomicU64,
    pub(crate) rss_after_build_kb: AtomicU64,
}

/// One run.
pub(crate) struct Run {
    pub(crate) args: Args,
    pub(crate) writer: Writer,
    pub(crate) tally: Arc<Tally>,
    outlet: Arc<Outlet>,
    /// Outlives the process, however that ends.
    progress: Option<File>,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

#[allow(clippy::disallowed_macros, reason = "a program speaks on its standard streams")]
pub(crate) fn run(args: Args) -> ExitCode {
    let outlet = match Outlet::open(args.ack_fd) {
        Ok(outlet) => Arc::new(outlet),
        Err(error) => {
            eprintln!("torture: cannot write to descriptor {}: {error}", args.ack_fd);
            return ExitCode::from(2);
        }
    };
    let tally = Arc::new(Tally::default());
    let began = Instant::now();
    let (writer, guard) = match build(&args, &tally, &outlet) {
        Ok(built) => built,
        Err(error) => {
            outlet.say(&format!("REFUSED {error}"));
            return ExitCode::from(3);
        }
    };
    tally.build_us.store(micros(began), Ordering::Relaxed);
    tally.rss_after_build_kb.store(ends::memory_kb("VmRSS:"), Ordering::Relaxed);
    let found = writer.metrics();
    outlet.say(&format!("REPAIRED {} {}", found.torn_lines, found.recovered_nul_bytes));
    outlet.say("READY");
    let progress = args.progress.as_ref().map(File::create).transpose();
    let progress = match progress {
        Ok(file) => file,
        Err(error) => {
            eprintln!("torture: cannot make {:?}: {error}", args.progress);
            return ExitCode::from(2);
        }
    };
    let run = Arc::new(Run { args, writer, tally, outlet, progress });
    let threads = (0..run.args.threads).map(|thread| spawn(&run, thread)).collect();
    wait_for_end(&run, threads, guard)
}

fn build(
    args: &Args,
    tally: &Arc<Tally>,
    outlet: &Arc<Outlet>,
) -> Result<(Writer, WriterGuard), Box<dyn std::error::Error>> {
    let mut builder = if args.slow > Duration::ZERO || args.stuck.is_some() {
        Writer::to(SlowFile::open(&args.path, args.slow, args.stuck)?)
    } else {
        Writer::builder(&args.path)
    };
    builder = builder
        .strategy(args.strategy)
        .mode(args.mode)
        .queue_policy(args.policy)
        .max_queue_size(args.cap)
        .synchronous(args.synchronous)
        .exit_hook(args.hook)
        .follow_path(args.follow);
    if args.loss_marker {
        let format = writer_core::json::Format::default();
        builder = builder.loss_marker(move |losses, line| {
            format.encode_losses(losses, |_, encoded| line.extend_from_slice(encoded));
        });
    }
    if let Some(tick) = args.tick {
        builder = builder.tick(tick);
    }
    if let Some(bytes) = args.cap_bytes {
        builder = builder.max_queue_bytes(bytes);
    }
    if let Some(bytes) = args.chunk {
        builder = builder.mmap_chunk(bytes);
    }
    if let Some(time) = args.fail_after {
        builder = builder.fail_after(time);
    }
    if let Some(time) = args.block_timeout {
        builder = builder.block_timeout(time);
    }
    Ok(with_callbacks(builder, args, tally, outlet)?)
}

fn with_callbacks(
    builder: WriterBuilder,
    args: &Args,
    tally: &Arc<Tally>,
    outlet: &Arc<Outlet>,
) -> Result<(Writer, WriterGuard), BuildError> {
    // A callback that uses the writer gets it here, once there is one.
    let own: Arc<std::sync::OnceLock<Writer>> = Arc::default();
    let (drops, errors, writes) = (Arc::clone(tally), Arc::clone(tally), Arc::clone(tally));
    let (outlet, late, misbehave) = (Arc::clone(outlet), Arc::clone(&own), args.on_write);
    let (writer, guard) = builder
        .on_drop(move |lines| {
            drops.on_drop.fetch_add(lines, Ordering::Relaxed);
        })
        .on_error(move |error| {
            count(&errors.on_error);
            outlet.say(&format!("ERROR {error}"));
        })
        .on_write(move |lines| {
            writes.on_write.fetch_add(lines as u64, Ordering::Relaxed);
            count(&writes.on_write_calls);
            if let Some(what) = misbehave {
                in_callback(what, &writes, late.get());
            }
        })
        .build()?;
    // It was empty: this is the only place that fills it.
    let _ = own.set(writer.clone());
    Ok((writer, guard))
}

/// What a callback must not do, and does.
fn in_callback(what: OnWrite, tally: &Tally, writer: Option<&Writer>) {
    match (what, writer) {
        (OnWrite::Exit, _) => std::process::exit(7),
        (OnWrite::Abort, _) => std::process::abort(),
        (OnWrite::Panic, _) => std::panic::resume_unwind(Box::new("on purpose")),
        (OnWrite::Log, Some(writer)) => {
            outcome(tally, writer.send(b"{\"note\":\"a callback logs\"}"));
        }
        (OnWrite::Flush, Some(writer)) => {
            assert!(matches!(writer.flush(PATIENCE), Err(FlushError::WouldDeadlock)));
        }
        (OnWrite::Shutdown, Some(writer)) => drop(writer.shutdown(PATIENCE)),
        (_, None) => {}
    }
}

/// Counts what a send came to, and says whether more can be sent.
fn outcome(tally: &Tally, result: Result<bool, SendError>) -> bool {
    count(&tally.calls);
    match result {
        Ok(true) => count(&tally.taken),
        Ok(false) => count(&tally.turned_away),
        Err(error) => {
            count(&tally.errors_returned);
            return error != SendError::Closed;
        }
    }
    true
}

fn spawn(run: &Arc<Run>, thread: u64) -> JoinHandle<()> {
    let run = Arc::clone(run);
    std::thread::spawn(move || {
        send_all(&run, thread);
        if run.args.exit == End::PanicThread && thread == 0 {
            // Not `panic!`: the report on stderr would be noise among what matters.
            std::panic::resume_unwind(Box::new("on purpose"));
        }
    })
}

fn send_all(run: &Run, thread: u64) {
    let Run { args, writer, tally, .. } = run;
    let source = args.first_thread + thread;
    let mut line = Vec::with_capacity(args.rec + 1);
    let last = if args.per_thread == 0 { u64::MAX } else { args.per_thread };
    let due = |every: u64, number: u64| every > 0 && (number + 1).is_multiple_of(every);
    let mut accepted: u64 = 0;
    for number in 0..last {
        record(&mut line, source, number, args.rec);
        let began = Instant::now();
        let sent = writer.send(&line);
        tally.longest_send_us.fetch_max(micros(began), Ordering::Relaxed);
        if !outcome(tally, sent) {
            return;
        }
        if let (Some(file), Ok(true)) = (&run.progress, sent) {
            accepted += 1;
            // Whoever reads it misses what cannot be written, and says so.
            let _ = file.write_all_at(&accepted.to_le_bytes(), 8 * thread);
        }
        if args.mode == Mode::Manual && due(args.trigger_every, number) {
            writer.trigger();
        }
        if due(args.flush_every, number) {
            flush(run, source, number);
        }
        if due(args.sync_every, number) {
            sync(run, source, number);
        }
        if args.pause > Duration::ZERO {
            ends::pause(args.pause);
        }
    }
}

/// One record of `bytes` bytes with its newline, or as many as it needs.
fn record(line: &mut Vec<u8>, source: u64, number: u64, bytes: usize) {
    line.clear();
    // Writing to a vector cannot fail.
    let _ = write!(line, "{{\"t\":{source},\"s\":{number},\"pad\":\"");
    let pad = bytes.saturating_sub(line.len() + 3);
    line.resize(line.len() + pad, b'x');
    line.extend_from_slice(b"\"}\n");
}

fn dropped(writer: &Writer) -> u64 {
    let metrics = writer.metrics();
    metrics.dropped + metrics.lost
}

fn flush(run: &Run, source: u64, number: u64) {
    let Run { writer, tally, outlet, .. } = run;
    let began = Instant::now();
    let result = writer.flush(run.args.flush_timeout);
    tally.longest_flush_us.fetch_max(micros(began), Ordering::Relaxed);
    match result {
        Ok(()) => {
            count(&tally.flush_ok);
            outlet.say(&format!("ACK {source} {number} {}", dropped(writer)));
        }
        Err(FlushError::Timeout { .. }) => count(&tally.flush_timeout),
        Err(FlushError::Lost { .. }) => count(&tally.flush_lost),
        Err(_) => count(&tally.flush_other),
    }
}

fn sync(run: &Run, source: u64, number: u64) {
    let Run { writer, tally, outlet, .. } = run;
    match writer.sync(run.args.flush_timeout) {
        Ok(()) => {
            if tally.sync_failed.load(Ordering::Relaxed) > 0 {
                count(&tally.sync_ok_after_failure);
            }
            count(&tally.sync_ok);
            outlet.say(&format!("SYNC {source} {number} {}", dropped(writer)));
        }
        Err(_) => count(&tally.sync_failed),
    }
}

/// Waits until the run is to end, and ends it.
fn wait_for_end(run: &Arc<Run>, threads: Vec<JoinHandle<()>>, guard: WriterGuard) -> ExitCode {
    if let Some(timeout) = run.args.probe {
        let prober = Arc::clone(run);
        // It ends with the process: what it sees is in the tally.
        drop(std::thread::spawn(move || probe(&prober, timeout)));
    }
    match run.args.exit_after {
        ExitAfter::Time(time) => ends::pause(time),
        ExitAfter::Eof => obey(run),
        ExitAfter::Records => {
            // A thread that panics does so on purpose.
            threads.into_iter().for_each(|thread| drop(thread.join()));
            return ends::end(run, guard, Vec::new());
        }
    }
    ends::end(run, guard, threads)
}

/// Does what the input says, until it ends; an error is an end as well.
fn obey(run: &Run) {
    for word in std::io::stdin().lock().lines().map_while(Result::ok) {
        if word == "reopen" {
            match run.writer.reopen() {
                Ok(()) => run.outlet.say("REOPENED"),
                Err(error) => run.outlet.say(&format!("ERROR {error}")),
            }
        }
    }
}

fn probe(run: &Run, timeout: Duration) {
    let tally = &run.tally;
    while run.writer.is_running() {
        let began = Instant::now();
        let result = run.writer.flush(timeout);
        let time = micros(began);
        tally.probe_longest_us.fetch_max(time, Ordering::Relaxed);
        match result {
            Err(FlushError::Timeout { .. }) => {
                count(&tally.probe_timeout);
                let shortest = tally.probe_shortest_timeout_us.load(Ordering::Relaxed);
                let shortest = if shortest == 0 { time } else { time.min(shortest) };
                tally.probe_shortest_timeout_us.store(shortest, Ordering::Relaxed);
            }
            Ok(()) => count(&tally.probe_ok),
            Err(_) => return,
        }
        ends::pause(Duration::from_millis(1));
    }
}
