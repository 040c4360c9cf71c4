//! Signals that end a program or announce that its files were moved, served by a normal thread
//! (feature `signals`, Unix).
//!
//! Nothing is installed unless a program calls a function of this module. The signal handler only
//! writes a byte to a pipe; the work is done by a thread. A program that handles these signals
//! itself, as servers with a graceful shutdown do, calls [`Writer::shutdown`] and
//! [`Writer::reopen`] there and needs nothing of this.

use std::ffi::c_int;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::{Operation, ReopenError};
use crate::exit;
use crate::process;
use crate::writer::Writer;

/// The longest time that a termination may be held up.
const LONGEST: Duration = Duration::from_secs(3600);
/// How long the list of writers may be locked; it is for the time of adding one.
const LIST_WITHIN: Duration = Duration::from_millis(100);

/// What signals do to one writer.
#[derive(Debug, Default)]
pub(crate) struct Served {
    shutdown_within: OnceLock<Duration>,
    reopens: AtomicBool,
}

/// Has SIGTERM and SIGINT shut the writer down before they end the process.
///
/// On the signal the writer is closed and what was accepted is written, for at most `within` (the
/// longest one counts where several writers are served; one hour at most); then the signal takes
/// its default action, so that whoever waits for the process sees that the signal ended it.
/// Destructors and exit hooks do not run. A signal that the process ignores, as SIGINT in
/// background jobs of a shell, stays ignored.
///
/// The first call starts a thread named `writer-signals`; a second one for the same writer changes
/// nothing. A forked child, whose signals nobody serves, is ended by them at once; after
/// [`restart_after_fork`](crate::WriterGuard::restart_after_fork) it may call this again.
///
/// ```no_run
/// # use std::time::Duration;
/// let (writer, _guard) = writer_core::Writer::builder("app.jsonl").build()?;
/// writer_core::signals::shutdown_on_termination(&writer, Duration::from_secs(2))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// The system refuses the handler, the pipe or the thread; or this is a forked child in which the
/// writer was not started anew.
pub fn shutdown_on_termination(writer: &Writer, within: Duration) -> io::Result<()> {
    static SERVICE: Service = Service::new();
    let shared = writer.shared().ok_or_else(closed)?;
    // A second call changes nothing.
    let _ = shared.served.shutdown_within.set(within.min(LONGEST));
    let wanted: Vec<_> =
        [SIGTERM, SIGINT].into_iter().filter(|&signal| !handler::is_ignored(signal)).collect();
    SERVICE.start(&wanted, terminate)
}

/// Has SIGHUP reopen the file of the writer, as [`Writer::reopen`] does: for `logrotate`, which
/// sends it after renaming the file.
///
/// A file that cannot be reopened is reported to
/// [`on_error`](crate::WriterBuilder::on_error), or on stderr, and the one so far stays in use. The
/// first call starts a thread named `writer-signals`. In a forked child as with
/// [`shutdown_on_termination`].
///
/// # Errors
///
/// The system refuses the handler, the pipe or the thread; or this is a forked child in which the
/// writer was not started anew.
pub fn reopen_on_hangup(writer: &Writer) -> io::Result<()> {
    static SERVICE: Service = Service::new();
    let shared = writer.shared().ok_or_else(closed)?;
    shared.served.reopens.store(true, Ordering::Relaxed);
    SERVICE.start(&[SIGHUP], reopen)
}

fn closed() -> io::Error {
    io::Error::other("a writer of the parent process cannot be served in a forked child")
}

fn terminate(signal: c_int) {
    let now = Instant::now();
    let within = |writer: &crate::shared::Shared| writer.served.shutdown_within.get().copied();
    let writers = exit::living(now + LIST_WITHIN, |writer| within(writer).is_some());
    let longest = writers.iter().filter_map(|writer| within(writer)).max().unwrap_or_default();
    exit::end_all_in_time(writers, now + longest);
    // Comes back only if the system refuses; then the next signal finds no handler in its way.
    let _ = signal_hook::low_level::emulate_default_handler(signal);
}

fn reopen(_: c_int) {
    let until = Instant::now() + LIST_WITHIN;
    for shared in exit::living(until, |writer| writer.served.reopens.load(Ordering::Relaxed)) {
        match Writer::new(shared.clone()).reopen() {
            // One that has ended has no file; a handle of it may be left for ever.
            Ok(()) | Err(ReopenError::Closed) => {}
            Err(error) => shared.report_failure(Operation::Reopen, io::Error::other(error)),
        }
    }
}

/// The thread that serves one kind of signals, one in each process. Processes are counted as by
/// [`process::forks`], and one more; 0 = none.
struct Service {
    /// The process in which it runs or is about to.
    started_in: AtomicU64,
    /// The process in which signals reach it. In each other one, and until then, they take their
    /// default action: between two handlers a signal would be lost.
    runs_in: AtomicU64,
}

impl Service {
    const fn new() -> Self {
        Service { started_in: AtomicU64::new(0), runs_in: AtomicU64::new(0) }
    }

    fn start(&'static self, signals: &[c_int], serve: fn(c_int)) -> io::Result<()> {
        let here = process::forks() + 1;
        if self.started_in.swap(here, Ordering::SeqCst) == here {
            return Ok(());
        }
        self.spawn(here, signals, serve).inspect_err(|_| {
            self.runs_in.store(0, Ordering::SeqCst);
            self.started_in.store(0, Ordering::SeqCst);
        })
    }

    fn spawn(&'static self, here: u64, signals: &[c_int], serve: fn(c_int)) -> io::Result<()> {
        for &signal in signals {
            handler::end_foreign_processes(signal, &self.runs_in)?;
        }
        let mut arriving = Signals::new(signals)?;
        // What arrives from now on waits for the thread.
        self.runs_in.store(here, Ordering::SeqCst);
        let thread = std::thread::Builder::new().name(String::from("writer-signals"));
        thread.spawn(move || arriving.forever().for_each(serve))?;
        Ok(())
    }
}

/// What is done in or with signal handlers themselves.
#[allow(unsafe_code, reason = "handlers and their actions have no safe wrapper")]
mod handler {
    use std::ffi::c_int;
    use std::io;
    use std::mem::MaybeUninit;
    use std::sync::atomic::{AtomicU64, Ordering};

    use crate::process;

    /// Whether the process ignores the signal.
    pub(super) fn is_ignored(signal: c_int) -> bool {
        let mut action = MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: without a new action the call only fills in the present one.
        let known = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) } == 0;
        // SAFETY: the call above succeeded, so the action is filled in.
        known && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
    }

    /// Lets the signal take its default action in every process but the one that serves it: a
    /// forked child inherits the handler and not the thread.
    pub(super) fn end_foreign_processes(
        signal: c_int,
        serving: &'static AtomicU64,
    ) -> io::Result<()> {
        let action = move || {
            if serving.load(Ordering::Relaxed) != process::forks() + 1 {
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
        };
        // SAFETY: the action loads two atomics and restores and raises a signal, all of which a
        // handler may do; it does not unwind.
        unsafe { signal_hook::low_level::register(signal, action) }.map(drop)
    }
}
