//! Setting up a writer.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::axes::{Mode, QueuePolicy, Strategy};
use crate::config::Config;
use crate::env;
use crate::error::{BuildError, WriteError};
use crate::guard::WriterGuard;
use crate::io::Sink;
use crate::report::Callbacks;
use crate::start::{self, Fallback, Recipe};
use crate::writer::Writer;

/// Sets up a writer: made by [`Writer::builder`], [`Writer::to`] or out of a path, ended by
/// [`build`](Self::build).
///
/// Every combination of strategy, mode and queue policy is legal.
#[must_use = "a builder does nothing until `build` is called"]
pub struct WriterBuilder {
    config: Config,
    sink: Option<Box<dyn Sink>>,
    fallback: Fallback,
    pub(crate) callbacks: Callbacks,
    env_prefix: Option<String>,
    /// Nothing makes it asynchronous.
    always_synchronous: bool,
}

impl std::fmt::Debug for WriterBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriterBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}

impl WriterBuilder {
    pub(crate) fn to_path(path: PathBuf) -> Self {
        Self::with(Config { path: Some(path), ..Config::default() }, None)
    }

    pub(crate) fn to_sink(sink: Box<dyn Sink>) -> Self {
        Self::with(Config::default(), Some(sink))
    }

    fn with(config: Config, sink: Option<Box<dyn Sink>>) -> Self {
        WriterBuilder {
            config,
            sink,
            fallback: Fallback::Nowhere,
            callbacks: Callbacks::default(),
            env_prefix: None,
            always_synchronous: false,
        }
    }

    /// For a sink that must be called in the sender's thread.
    #[cfg(feature = "capture")]
    pub(crate) fn always_synchronous(mut self) -> Self {
        self.always_synchronous = true;
        self
    }

    /// How bytes reach the file. Default: [`Strategy::BlockBuffered`]. Over a sink it only says how
    /// eager [`Mode::Trigger`] is: with [`Strategy::LineBuffered`] each line is due at once there,
    /// whatever [`flush_interval`](Self::flush_interval) and [`batch_size`](Self::batch_size) say.
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.config.strategy = strategy;
        self
    }

    /// When the worker writes. Default: [`Mode::Trigger`].
    pub fn mode(mut self, mode: Mode) -> Self {
        self.config.mode = mode;
        self
    }

    /// What a full queue does with the next line. Default: [`QueuePolicy::Block`].
    pub fn queue_policy(mut self, policy: QueuePolicy) -> Self {
        self.config.queue_policy = policy;
        self
    }

    /// The most lines that wait in the queue. Default: 10 000; 0 = no bound in lines.
    pub fn max_queue_size(mut self, lines: usize) -> Self {
        self.config.max_queue_size = lines;
        self
    }

    /// The most bytes that wait in the queue. Default: 64 MiB; 0 = no bound in bytes.
    ///
    /// A line that is longer is let in under [`QueuePolicy::Block`] when the queue is empty, and
    /// refused under the other policies, [`QueuePolicy::DropOldest`] among them.
    ///
    /// With the batch under way the lines take at most twice as much, and four bytes more each.
    /// Memory comes in chunks of 64 to 512 KiB, which a small queue does not fill, and after a burst
    /// up to 16 MiB of them, or four, are kept for the next.
    pub fn max_queue_bytes(mut self, bytes: usize) -> Self {
        self.config.max_queue_bytes = bytes;
        self
    }

    /// How many waiting lines make a write due, in Trigger and at a tick of Loop; a threshold,
    /// never a maximum. Default: 100 lines; 0 = no size trigger. It has no effect with
    /// [`Strategy::LineBuffered`] in Trigger, where each line is due at once.
    pub fn batch_size(mut self, lines: usize) -> Self {
        self.config.batch_size = lines;
        self
    }

    /// How long after the last flush waiting lines are due, in Trigger and at a tick of Loop.
    /// Default: 100 ms; zero = write on every wake. With [`Strategy::LineBuffered`] in Trigger it
    /// is zero, whatever is set.
    pub fn flush_interval(mut self, interval: Duration) -> Self {
        self.config.flush_interval = Some(interval);
        self
    }

    /// Makes time no reason to write, except with [`Strategy::LineBuffered`] in Trigger.
    pub fn no_flush_interval(mut self) -> Self {
        self.config.flush_interval = None;
        self
    }

    /// The time between two looks in [`Mode::Loop`]. Default: 10 ms; zero is an error.
    pub fn tick(mut self, tick: Duration) -> Self {
        self.config.tick = tick;
        self
    }

    /// From how many bytes on [`Strategy::BlockBuffered`] writes while more lines wait. Default:
    /// 64 KiB; at most 1 MiB, larger values are reduced to it; zero is an error.
    pub fn block_size(mut self, bytes: usize) -> Self {
        self.config.block_size = bytes;
        self
    }

    /// The steps in which [`Strategy::MemoryMapped`] reserves space, rounded up to pages. The first
    /// is 1 MiB, if that is less, and each twice as long as the one before, up to this; after a
    /// sync or an idle second it begins anew. A step ends where a limit on the size of files
    /// (`RLIMIT_FSIZE`) does. Default: 32 MiB; at most 1 GiB, larger values are reduced to it; zero
    /// is an error.
    pub fn mmap_chunk(mut self, bytes: usize) -> Self {
        self.config.mmap_chunk = bytes;
        self
    }

    /// How long a sender waits for room under [`QueuePolicy::Block`] before its line is refused.
    /// Default: as long as it takes.
    pub fn block_timeout(mut self, timeout: Duration) -> Self {
        self.config.block_timeout = Some(timeout);
        self
    }

    /// How long writes may fail before nobody waits any more: neither for room nor, beyond the next
    /// try, in a flush or sync. Default: 30 s; with zero, from the first failed write on. A shutdown
    /// waits its time all the same, since the target may come back.
    ///
    /// On Linux it is zero, whatever is set, once the other end of a pipe or socket without a name
    /// has gone that is behind `/dev/stdout`, `/dev/stderr` or `/dev/fd/N`, as in `program | head`:
    /// it does not come back, and a shutdown does not wait for it. A named pipe may get another
    /// reader.
    pub fn fail_after(mut self, time: Duration) -> Self {
        self.config.fail_after = time;
        self
    }

    /// Where lines go while the target has [`failed`](crate::State::Failed): to stderr or a file on
    /// another disk, say. Default: nowhere, they wait, and are dropped when the queue is full.
    ///
    /// That is after [`fail_after`](Self::fail_after); with zero, at the first failed write. What
    /// waited then goes first. The target is tried again once a second, with the lines that come,
    /// and gets all lines from the first success on; [`on_recover`](Self::on_recover) hears of it.
    /// What a shutdown or the end of the process would give up goes to the fallback too.
    ///
    /// No line is in both whole, except one of which the target took all but the newline. One that
    /// the target took a part of is in the fallback, and the part is closed with a newline. Lines
    /// in the fallback count as written, and in [`Metrics::diverted`](crate::Metrics::diverted); a
    /// [`sync`](Writer::sync) must be served by both: where the fallback cannot be synced, as
    /// stderr, it says so once for the lines there. A fallback that fails as well is reported once,
    /// and the lines wait.
    ///
    /// A forked child does not have it after
    /// [`restart_after_fork`](crate::WriterGuard::restart_after_fork): its locks may be taken for
    /// ever there. [`fallback_with`](Self::fallback_with) opens one for each process.
    ///
    /// ```
    /// use writer_core::{WriteSink, Writer};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("app.jsonl");
    /// let (writer, _guard) =
    ///     Writer::builder(&path).fallback(WriteSink::new(std::io::stderr())).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fallback(mut self, sink: impl Sink + 'static) -> Self {
        self.fallback = Fallback::Given(Box::new(sink));
        self
    }

    /// As [`fallback`](Self::fallback), with a sink that `open` makes: here, when the writer is
    /// built, and again in each forked child that calls
    /// [`restart_after_fork`](crate::WriterGuard::restart_after_fork). Of both methods the one
    /// called last counts. Its error is [`BuildError::Fallback`], from either. It runs before the
    /// target is opened: what it makes is there even where that then fails.
    ///
    /// ```
    /// use writer_core::{WriteSink, Writer};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let (path, spare) = (folder.path().join("app.jsonl"), folder.path().join("spare.jsonl"));
    /// let (writer, _guard) = Writer::builder(&path)
    ///     .fallback_with(move || {
    ///         let file = std::fs::File::options().append(true).create(true).open(&spare)?;
    ///         Ok(Box::new(WriteSink::new(file)))
    ///     })
    ///     .build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fallback_with(
        mut self,
        open: impl Fn() -> std::io::Result<Box<dyn Sink>> + Send + Sync + 'static,
    ) -> Self {
        self.fallback = Fallback::Opened(Arc::new(open));
        self
    }

    /// Whether an existing file is emptied. Default: no, lines are appended.
    pub fn truncate(mut self, truncate: bool) -> Self {
        self.config.truncate = truncate;
        self
    }

    /// Whether missing parent folders are made, with the permission bits `0o750` before the umask.
    /// Default: yes.
    pub fn create_dirs(mut self, create: bool) -> Self {
        self.config.create_dirs = create;
        self
    }

    /// Whether a file that was renamed or deleted, or whose folder was removed, is left for what is
    /// at the path now, made anew if nothing is. Default: yes. Before a write, at most once a
    /// second, the worker compares the two: one look at the path.
    ///
    /// Each line is in exactly one of the files; [`Metrics::reopened`](crate::Metrics::reopened)
    /// counts the changes. Where the path cannot be opened, a renamed file goes on being written,
    /// and that is reported once. A deleted one has failed: lines wait as on a full disk, and a
    /// [`Writer::sync`] is an error. With `false` only [`Writer::reopen`] leaves a file, and a file
    /// system that fails; a deleted file goes on being written. A program that calls `chroot` after
    /// the build says `false`: the path leads to another file then.
    pub fn follow_path(mut self, follow: bool) -> Self {
        self.config.follow_path = follow;
        self
    }

    /// The permission bits of a new file, before the umask; of no effect on Windows. Default:
    /// `0o640`. An existing file keeps its own. More than the nine bits of `0o777` is an error.
    pub fn permissions(mut self, mode: u32) -> Self {
        self.config.permissions = mode;
        self
    }

    /// Whether pipes and devices are accepted. Default: no, except for `/dev/stdout`,
    /// `/dev/stderr` and `/dev/fd/N`.
    ///
    /// A named pipe must have a reader when the writer is built; later ones may come and go. A
    /// socket is served as standard output or error only, since the system opens none by a path.
    /// Beyond 2, `/dev/fd/N` opens the file behind a descriptor anew: what a shell writes there as
    /// well must have been opened with `>>`.
    pub fn allow_special(mut self, allow: bool) -> Self {
        self.config.allow_special = allow;
        self
    }

    /// Whether the end of the process waits, at most 2 s for all writers together, until what was
    /// accepted is written. Default: yes. A [sink](crate::Sink) of one's own that the thread that
    /// ends the process must call itself takes as long as it takes.
    pub fn exit_hook(mut self, hook: bool) -> Self {
        self.config.exit_hook = hook;
        self
    }

    /// Whether a panicking thread waits, at most 500 ms for all writers together, until what was
    /// accepted is written. Default: no.
    ///
    /// For programs with `panic = "abort"`, where no exit hook and no destructor runs after a
    /// panic. [`build`](Self::build) puts one hook into the process, behind the one that it finds:
    /// that one runs first, so that what it logs is written too. A hook set later must call the one
    /// before it. On the worker's own thread, in callbacks and sinks, the hook does nothing.
    pub fn panic_hook(mut self, hook: bool) -> Self {
        self.config.panic_hook = hook;
        self
    }

    /// The name of the worker thread. Default: `writer`. A name with a NUL is an error.
    pub fn thread_name(mut self, name: impl Into<String>) -> Self {
        self.config.thread_name = name.into();
        self
    }

    /// Called after a round of writes with the number of lines written: on the worker's thread;
    /// with [`synchronous`](Self::synchronous), on the sender's. The sum of all calls is
    /// [`Metrics::written`](crate::Metrics::written) when the writer has ended. Without a worker the
    /// sum may lag behind until then: lines that a callback sends are reported by the next sender.
    pub fn on_write(mut self, callback: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.callbacks.on_write = Some(Box::new(callback));
        self
    }

    /// Called after a round that ended with nothing held back: on the worker's thread; with
    /// [`synchronous`](Self::synchronous), on the sender's.
    pub fn on_flush(mut self, callback: impl Fn() + Send + Sync + 'static) -> Self {
        self.callbacks.on_flush = Some(Box::new(callback));
        self
    }

    /// Called when writes begin to fail, and when they have failed for
    /// [`fail_after`](Self::fail_after). Without it stderr is told.
    ///
    /// It also hears, once until that is over, that a sink panics, that what is at the path of a
    /// file that moved away cannot be opened, and that the [`fallback`](Self::fallback) fails too;
    /// and each time that a mapping could not be trimmed. [`WriteError::operation`] tells which.
    ///
    /// The worker calls it. Without one ([`synchronous`](Self::synchronous)) the thread that sends,
    /// flushes or shuts down does. That a file could not be reopened on SIGHUP comes from the
    /// thread that serves the signals.
    pub fn on_error(mut self, callback: impl Fn(&WriteError) + Send + Sync + 'static) -> Self {
        self.callbacks.on_error = Some(Box::new(callback));
        self
    }

    /// Called when writes succeed again after an [`on_error`](Self::on_error), with the number of
    /// lines that went to the [`fallback`](Self::fallback): on the worker's thread; with
    /// [`synchronous`](Self::synchronous), on the sender's. Without either callback stderr is told.
    pub fn on_recover(mut self, callback: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.callbacks.on_recover = Some(Box::new(callback));
        self
    }

    /// Called with a number of dropped lines: for the first at once in the sender's thread, then
    /// at most once a second, there or on the worker's. The sum of all calls is
    /// [`Metrics::dropped`](crate::Metrics::dropped) when the writer has ended. While one call has
    /// not come back no other follows before the end; drops of lines that it sends itself are
    /// reported by a later one.
    pub fn on_drop(mut self, callback: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.callbacks.on_drop = Some(Box::new(callback));
        self
    }

    /// Whether lines are written in the sender's thread, without worker and queue: the same lines
    /// in the same file, and each is written when `send` returns. Mode, batch, interval, tick and
    /// the bounds of the queue have no effect then. Callbacks run in the sender's thread too, and
    /// may flush, sync and reopen there. Default: no.
    ///
    /// [`queue_policy`](Self::queue_policy) says what a sender does while writes fail: under
    /// [`QueuePolicy::Block`] it tries again until [`block_timeout`](Self::block_timeout) or
    /// [`fail_after`](Self::fail_after) is over, else once. Then its line is refused.
    pub fn synchronous(mut self, synchronous: bool) -> Self {
        self.config.synchronous = synchronous;
        self
    }

    /// Lets the environment change the settings, whatever the other calls say: with the prefix
    /// `WRITER`, the variables `WRITER_ASYNC` (`0` or `1`), `WRITER_TYPE` (a strategy),
    /// `WRITER_MODE`, `WRITER_POLICY`, `WRITER_QUEUE_SIZE`, `WRITER_BATCH_SIZE`,
    /// `WRITER_FLUSH_INTERVAL` and `WRITER_TICK` (`10us`, `1ms`, `0.5s`, `5m`; a plain number is
    /// seconds). A value that cannot be read, and a tick of zero, are errors of
    /// [`build`](Self::build) that name the variable. Other names under the prefix change nothing;
    /// [`Config::unknown_variables`] has them, a misspelt one too. The prefix comes without the
    /// underscore; of several calls the last one counts.
    pub fn env_overrides(mut self, prefix: impl Into<String>) -> Self {
        self.env_prefix = Some(prefix.into());
        self
    }

    /// Opens the file and starts the worker. Blocks for the file system; up to 250 ms while other
    /// writers open the file, and up to a second while another process has a lease on it.
    ///
    /// # Errors
    ///
    /// A [`BuildError`] for settings that cannot work and for a file that cannot be opened. Then
    /// nothing runs.
    ///
    /// Settings are looked at before anything is opened. A later error may leave what
    /// [`fallback_with`](Self::fallback_with) made, folders and an empty file where none was, and a
    /// file whose end was mended. With [`truncate`](Self::truncate) a file is emptied before the
    /// worker starts: it is empty after [`BuildError::Spawn`], and after [`BuildError::Locked`] if
    /// the other writer came in the moment between.
    pub fn build(mut self) -> Result<(Writer, WriterGuard), BuildError> {
        if let Some(prefix) = &self.env_prefix {
            let text = |text: OsString| text.to_string_lossy().into_owned();
            let names = std::env::vars_os().map(|(name, _)| text(name));
            env::apply(prefix, &mut self.config, names, |name| std::env::var_os(name).map(text))?;
        }
        self.config.synchronous |= self.always_synchronous;
        start::validate(&self.config)?;
        self.callbacks.warn = self.config.queue_policy == QueuePolicy::Warn;
        let callbacks = Arc::new(self.callbacks);
        let recipe =
            Recipe { callbacks: Arc::clone(&callbacks), fallback: self.fallback.in_child() };
        let shared = start::start(self.config, callbacks, self.sink, self.fallback)?;
        let writer = Writer::new(shared);
        Ok((writer.clone(), WriterGuard::new(writer, recipe)))
    }
}

/// A path becomes a builder with all defaults.
macro_rules! from_path {
    ($($path:ty),+) => {
        $(impl From<$path> for WriterBuilder {
            fn from(path: $path) -> Self {
                Writer::builder(path)
            }
        })+
    };
}

from_path!(&str, String, &String, &Path, PathBuf, &PathBuf, &std::ffi::OsStr, OsString);
