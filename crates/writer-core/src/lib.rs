//! An asynchronous file backend for log records.

mod admit;
mod axes;
mod barrier;
mod builder;
mod chunk;
mod clock;
mod config;
mod delivery;
mod env;
mod error;
mod exit;
mod guard;
mod io;
mod line_writer;
mod metrics;
mod mode;
mod process;
mod queue;
mod report;
mod severity;
mod shared;
mod sync;
mod synchronous;
mod thread_mark;
mod worker;
mod writer;

pub use axes::{Mode, ParseAxisError, QueuePolicy, Strategy};
pub use builder::WriterBuilder;
pub use config::Config;
pub use error::{BuildError, FlushError, Operation, SendError, ShutdownError, State, WriteError};
pub use guard::WriterGuard;
pub use io::{Sink, WriteSink};
pub use line_writer::LineWriter;
pub use metrics::Metrics;
pub use severity::Severity;
pub use writer::Writer;
