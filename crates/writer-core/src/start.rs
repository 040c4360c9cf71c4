//! From settings to a running writer.

use std::sync::Arc;
use std::time::Duration;

use crate::axes::{Mode, Strategy};
use crate::clock::Clock;
use crate::config::Config;
use crate::error::BuildError;
use crate::exit;
use crate::io::{self, Reopened, Sink};
use crate::process;
use crate::report::Callbacks;
use crate::shared::{CHUNK_BYTES, Shared};
use crate::sync::lock;
use crate::thread::Thread;
use crate::worker;

/// Opens a fallback.
pub(crate) type OpenSink = dyn Fn() -> std::io::Result<Box<dyn Sink>> + Send + Sync;

/// Where lines go while the target has failed.
pub(crate) enum Fallback {
    /// Nowhere.
    Nowhere,
    /// To this sink, in this process.
    Given(Box<dyn Sink>),
    /// To one that each process opens for itself.
    Opened(Arc<OpenSink>),
}

impl Fallback {
    fn open(self) -> Result<Option<Box<dyn Sink>>, BuildError> {
        match self {
            Fallback::Nowhere => Ok(None),
            Fallback::Given(sink) => Ok(Some(sink)),
            Fallback::Opened(open) => {
                open().map(Some).map_err(|source| BuildError::Fallback { source })
            }
        }
    }

    /// What opens it in a forked child. A sink that was given is of no use there: its locks may be
    /// taken for ever, and it may hold bytes that the parent writes.
    pub(crate) fn in_child(&self) -> Option<Arc<OpenSink>> {
        match self {
            Fallback::Opened(open) => Some(Arc::clone(open)),
            Fallback::Nowhere | Fallback::Given(_) => None,
        }
    }
}

/// What is needed to build a writer once more.
pub(crate) struct Recipe {
    pub(crate) callbacks: Arc<Callbacks>,
    pub(crate) fallback: Option<Arc<OpenSink>>,
}

/// Looks for settings that cannot work.
pub(crate) fn validate(config: &Config) -> Result<(), BuildError> {
    let invalid = |option, reason| Err(BuildError::InvalidOption { option, reason });
    if config.tick.is_zero() {
        return invalid("tick", "zero would never let the worker rest");
    }
    if config.block_size == 0 {
        return invalid("block_size", "a block must have bytes");
    }
    if config.mmap_chunk == 0 {
        return invalid("mmap_chunk", "a chunk must have bytes");
    }
    if config.permissions > 0o777 {
        return invalid("permissions", "more than the nine permission bits");
    }
    if config.thread_name.contains('\0') {
        return invalid("thread_name", "a NUL cannot be part of a thread's name");
    }
    config.path.as_deref().map_or(Ok(()), io::check_path)
}

/// Opens the target and starts the worker.
pub(crate) fn start(
    mut config: Config,
    callbacks: Arc<Callbacks>,
    sink: Option<Box<dyn Sink>>,
    fallback: Fallback,
) -> Result<Arc<Shared>, BuildError> {
    // A chunk must hold a block.
    config.block_size = config.block_size.min(*CHUNK_BYTES.end());
    config.mmap_chunk = io::round_chunk(config.mmap_chunk);
    let at_once = config.strategy == Strategy::LineBuffered && config.mode == Mode::Trigger;
    if at_once {
        config.flush_interval = Some(Duration::ZERO);
    }
    if sink.is_none() && config.path.is_none() {
        return Err(BuildError::NotRestartable);
    }
    // The program may go to another folder. Without a folder a relative name leads nowhere, now and
    // later.
    if let Some(path) = &mut config.path
        && let Ok(absolute) = std::path::absolute(&*path)
    {
        *path = absolute;
    }
    // Before the target, so that an error leaves the file as it is.
    let fallback = fallback.open()?;
    let (sink, found) = match sink {
        Some(sink) => (sink, Reopened::default()),
        None => {
            let opened = io::open(&config)?;
            (opened.sink, opened.found)
        }
    };
    let shared = Arc::new(Shared::new(config, Clock::System, callbacks, sink, found));
    if let Some(fallback) = fallback {
        lock(&shared.delivery).outlets.set_fallback(fallback);
    }
    if !shared.config.synchronous {
        spawn(&shared, at_once)?;
    }
    process::watch_forks();
    exit::register(&shared);
    Ok(shared)
}

fn spawn(shared: &Arc<Shared>, at_once: bool) -> Result<(), BuildError> {
    let for_worker = Arc::clone(shared);
    #[cfg(test)]
    let plan = io::fault::entered();
    let work = move || {
        #[cfg(test)]
        io::fault::enter(plan);
        worker::run(&for_worker, at_once);
    };
    let thread = Thread::spawn(&shared.config.thread_name, work)
        .map_err(|source| BuildError::Spawn { source })?;
    *shared.thread.lock().unwrap_or_else(|e| e.into_inner()) = Some(thread);
    Ok(())
}
