//! An asynchronous file backend for log records.

mod axes;
mod config;
mod error;
mod io;
pub mod json;
mod severity;

pub use axes::{Mode, ParseAxisError, QueuePolicy, Strategy};
pub use config::Config;
pub use error::{BuildError, FlushError, Operation, SendError, ShutdownError, State, WriteError};
pub use io::Sink;
pub use severity::Severity;
