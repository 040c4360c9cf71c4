//! How bad a record is, as far as the queue needs to know.

use std::fmt;

/// The severity that travels beside a line in the queue.
///
/// It never changes the bytes of the line. [`Writer::send`](crate::Writer::send) uses
/// [`Severity::Info`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum Severity {
    /// Very fine-grained.
    Trace = 0,
    /// For the developer.
    Debug = 1,
    /// The ordinary course of things; the default.
    #[default]
    Info = 2,
    /// Something to look at.
    Warn = 3,
    /// Something failed.
    Error = 4,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Severity {
    /// All severities, least severe first.
    pub const ALL: [Severity; 5] =
        [Severity::Trace, Severity::Debug, Severity::Info, Severity::Warn, Severity::Error];

    /// The name in capitals, as `log` and `tracing` print it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Trace => "TRACE",
            Severity::Debug => "DEBUG",
            Severity::Info => "INFO",
            Severity::Warn => "WARN",
            Severity::Error => "ERROR",
        }
    }
}
