//! An asynchronous file backend for log records.

mod axes;
mod config;
mod error;
mod io;
mod severity;

pub use axes::{Mode, ParseAxisError, QueuePolicy, Strategy};
pub use config::Config;
pub use error::{BuildError, FlushError, Operation, SendError, ShutdownError, State, WriteError};
pub use io::{Sink, WriteSink};
pub use severity::Severity;
