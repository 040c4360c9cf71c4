//! A writer as the output of `tracing_subscriber::fmt`.

use tracing_subscriber::fmt::MakeWriter;
use writer_core::{LineWriter, Writer};

/// Lets `tracing_subscriber::fmt` write through a [`Writer`]; made by
/// [`make_writer`](crate::make_writer()).
#[derive(Debug, Clone)]
pub struct MakeLineWriter {
    writer: Writer,
}

impl MakeLineWriter {
    pub(crate) fn new(writer: Writer) -> Self {
        MakeLineWriter { writer }
    }
}

impl MakeWriter<'_> for MakeLineWriter {
    type Writer = LineWriter;

    /// Makes the output for one event. What is left in it when the event is over goes out as a
    /// line.
    fn make_writer(&self) -> LineWriter {
        self.writer.line_writer()
    }
}
