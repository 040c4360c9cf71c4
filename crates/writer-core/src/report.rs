//! The few words the library says on its own: to callbacks, or to stderr where there are none.

use std::fmt;
#[cfg(not(loom))]
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::WriteError;
use crate::losses::{Losses, MarkerLine};

/// Prints one line to stderr; where stderr is gone, nobody is left to be told.
///
/// Past std's lock where there are forks: in a child a thread of the parent may hold it for ever.
pub(crate) fn to_stderr(message: fmt::Arguments<'_>) {
    let line = format!("{message}\n");
    #[cfg(unix)]
    drop(crate::raw_line::raw_line(std::io::stderr(), line.as_bytes()));
    #[cfg(not(unix))]
    drop(std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()));
}

/// Nothing is caught in the models: a deadlock that loom finds is a panic too.
#[cfg(loom)]
pub(crate) fn survives(code: impl FnOnce()) -> bool {
    code();
    true
}

/// Runs foreign code and says whether it came to its end.
#[cfg(not(loom))]
pub(crate) fn survives(code: impl FnOnce()) -> bool {
    match catch_unwind(AssertUnwindSafe(code)) {
        Ok(()) => true,
        Err(payload) => {
            // The payload is foreign too, and dropping it may panic again.
            std::mem::forget(payload);
            false
        }
    }
}

type OnError = Box<dyn Fn(&WriteError) + Send + Sync>;

/// The callbacks of a writer. They run with no lock held, except that `marker` runs under the one
/// around the sink where no worker goes on: at its end, at that of the process, and without one. A
/// panic in any is caught and counted.
#[derive(Default)]
pub(crate) struct Callbacks {
    pub(crate) on_write: Option<Box<dyn Fn(usize) + Send + Sync>>,
    pub(crate) on_flush: Option<Box<dyn Fn() + Send + Sync>>,
    pub(crate) on_error: Option<OnError>,
    pub(crate) on_recover: Option<Box<dyn Fn(u64) + Send + Sync>>,
    pub(crate) on_drop: Option<Box<dyn Fn(u64) + Send + Sync>>,
    /// Whether drops are reported on stderr when there is no callback.
    pub(crate) warn: bool,
    /// How lines about dropped lines look.
    pub(crate) marker: MarkerLine,
    /// How many callbacks panicked.
    pub(crate) panics: AtomicU64,
}

impl Callbacks {
    /// Whether anybody hears of drops.
    pub(crate) fn hears_drops(&self) -> bool {
        self.warn || self.on_drop.is_some()
    }

    pub(crate) fn written(&self, lines: usize) {
        if let Some(on_write) = &self.on_write {
            self.run(|| on_write(lines));
        }
    }

    pub(crate) fn flushed(&self) {
        if let Some(on_flush) = &self.on_flush {
            self.run(on_flush);
        }
    }

    pub(crate) fn failed(&self, error: &WriteError) {
        match &self.on_error {
            Some(on_error) => self.run(|| on_error(error)),
            // What the sink says of it is code of the user as well.
            None => self.run(|| to_stderr(format_args!("writer: {error}"))),
        }
    }

    /// Who was told of the failure is told of its end.
    pub(crate) fn recovered(&self, path: Option<&Path>, diverted: u64) {
        match &self.on_recover {
            Some(on_recover) => self.run(|| on_recover(diverted)),
            None if self.on_error.is_some() => {}
            None => {
                let target = path.map_or_else(|| "the sink".into(), |path| format!("{path:?}"));
                match diverted {
                    0 => to_stderr(format_args!("writer: {target} is written again")),
                    _ => to_stderr(format_args!(
                        "writer: {target} is written again; lines that went to a fallback: {diverted}"
                    )),
                }
            }
        }
    }

    pub(crate) fn dropped(&self, lines: u64) {
        match &self.on_drop {
            Some(on_drop) => self.run(|| on_drop(lines)),
            None if self.warn => {
                to_stderr(format_args!("writer: the queue is full, lines dropped: {lines}"));
            }
            None => {}
        }
    }

    /// A line about these losses; empty where none is wanted.
    pub(crate) fn marker_line(&self, losses: &Losses) -> Vec<u8> {
        let mut line = Vec::new();
        let mut whole = false;
        if let Some(encode) = self.marker.encoder() {
            self.run(|| {
                encode(losses, &mut line);
                whole = true;
            });
        }
        if !whole {
            line.clear();
        } else if line.last().is_some_and(|&last| last != b'\n') {
            line.push(b'\n');
        }
        line
    }

    fn run(&self, callback: impl FnOnce()) {
        if !survives(callback) {
            self.panics.fetch_add(1, Ordering::Relaxed);
        }
    }
}
