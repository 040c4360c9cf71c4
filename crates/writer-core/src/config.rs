//! The settings of a writer, as they were really built.

use std::path::PathBuf;
use std::time::Duration;

use crate::axes::{Mode, QueuePolicy, Strategy};

/// What a writer was built with, after defaults, the environment and rounding.
///
/// The fields are described at the methods of [`WriterBuilder`](crate::WriterBuilder) that set
/// them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The file, as an absolute path; none for a writer over a sink.
    pub path: Option<PathBuf>,
    /// How bytes reach the file.
    pub strategy: Strategy,
    /// When the worker writes.
    pub mode: Mode,
    /// What a full queue does.
    pub queue_policy: QueuePolicy,
    /// In lines; 0 = no bound.
    pub max_queue_size: usize,
    /// In bytes; 0 = no bound.
    pub max_queue_bytes: usize,
    /// In lines; 0 = no size trigger. Of no effect with [`Strategy::LineBuffered`] in
    /// [`Mode::Trigger`].
    pub batch_size: usize,
    /// `None` = no time trigger; zero = write on every wake, as always with
    /// [`Strategy::LineBuffered`] in [`Mode::Trigger`].
    pub flush_interval: Option<Duration>,
    /// The time between two looks in [`Mode::Loop`].
    pub tick: Duration,
    /// In bytes.
    pub block_size: usize,
    /// In bytes, a multiple of the page size, at most 1 GiB.
    pub mmap_chunk: usize,
    /// How long a sender waits for room; `None` = as long as it takes.
    pub block_timeout: Option<Duration>,
    /// How long writes may fail before the state is [`State::Failed`](crate::State::Failed).
    pub fail_after: Duration,
    /// Whether an existing file is emptied.
    pub truncate: bool,
    /// Whether missing parent folders are made.
    pub create_dirs: bool,
    /// Whether the file is left for another one that takes its place at the path.
    pub follow_path: bool,
    /// The permission bits of a new file, before the process's umask.
    pub permissions: u32,
    /// Whether pipes, sockets and devices are accepted.
    pub allow_special: bool,
    /// Whether the end of the process waits for this writer.
    pub exit_hook: bool,
    /// Whether a panic waits for this writer.
    pub panic_hook: bool,
    /// The name of the worker thread.
    pub thread_name: String,
    /// Whether lines are written in the sender's thread, without a worker.
    pub synchronous: bool,
    /// Variables of the environment that begin with the prefix of
    /// [`env_overrides`](crate::WriterBuilder::env_overrides) and are none of its own, sorted: where
    /// a misspelt name shows. They are no error, for the program may use the same prefix. Empty
    /// without that call; in capitals on Windows, where case does not count.
    pub unknown_variables: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            path: None,
            strategy: Strategy::default(),
            mode: Mode::default(),
            queue_policy: QueuePolicy::default(),
            max_queue_size: 10_000,
            max_queue_bytes: 64 << 20,
            batch_size: 100,
            flush_interval: Some(Duration::from_millis(100)),
            tick: Duration::from_millis(10),
            block_size: 64 << 10,
            mmap_chunk: 32 << 20,
            block_timeout: None,
            fail_after: Duration::from_secs(30),
            truncate: false,
            create_dirs: true,
            follow_path: true,
            permissions: 0o640,
            allow_special: false,
            exit_hook: true,
            panic_hook: false,
            thread_name: String::from("writer"),
            synchronous: false,
            unknown_variables: Vec::new(),
        }
    }
}
