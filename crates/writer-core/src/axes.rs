//! The names of the three axes, and how they are written in text.

use std::fmt;
use std::str::FromStr;

/// Text that names no value of an axis; the message lists what is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseAxisError {
    axis: &'static str,
    given: String,
    allowed: &'static str,
}

impl fmt::Display for ParseAxisError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown {} {:?}, expected one of {}", self.axis, self.given, self.allowed)
    }
}

impl std::error::Error for ParseAxisError {}

/// Gives an axis `Display` (the first name), `FromStr` (any name, any case) and a list of all
/// values.
macro_rules! axis {
    ($type:ident, $axis:literal, $allowed:literal,
     $($variant:ident = $name:literal $(| $alias:literal)*),+ $(,)?) => {
        impl $type {
            /// Every value of this axis.
            pub const ALL: &[$type] = &[$($type::$variant),+];

            /// The name that [`Display`](fmt::Display) prints and [`FromStr`] reads back.
            pub const fn as_str(self) -> &'static str {
                match self { $($type::$variant => $name),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = ParseAxisError;

            fn from_str(text: &str) -> Result<Self, ParseAxisError> {
                match text.trim().to_ascii_lowercase().as_str() {
                    $($name $(| $alias)* => Ok($type::$variant),)+
                    _ => Err(ParseAxisError {
                        axis: $axis,
                        given: text.to_owned(),
                        allowed: $allowed,
                    }),
                }
            }
        }
    };
}

/// How bytes reach the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Strategy {
    /// Everything taken from the queue goes to `write(2)` at once; `line` in text. In
    /// [`Mode::Trigger`] each line wakes the worker if it sleeps; lines that come while it writes
    /// go out together some 75 us later (at once on Windows). In that mode
    /// [`flush_interval`](crate::WriterBuilder::flush_interval) is zero whatever is set, and
    /// [`batch_size`](crate::WriterBuilder::batch_size) has no effect.
    LineBuffered,
    /// Blocks of [`block_size`](crate::WriterBuilder::block_size) go to `write(2)`, a remainder
    /// as soon as no more lines wait; `block` in text. The default.
    #[default]
    BlockBuffered,
    /// Lines are copied into a growing mapping of the file; `mmap` in text. Where space in a file
    /// cannot be reserved, which is outside of Linux and on some file systems, it appends blocks.
    MemoryMapped,
}

axis!(
    Strategy,
    "strategy",
    "line, block, mmap",
    LineBuffered = "line" | "line_buffered" | "linebuffered" | "line-buffered",
    BlockBuffered = "block" | "block_buffered" | "blockbuffered" | "block-buffered",
    MemoryMapped = "mmap" | "memory_mapped" | "memorymapped" | "memory-mapped",
);

/// When the worker writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Mode {
    /// When enough lines wait, or the flush interval has passed; `trigger` in text. The default.
    #[default]
    Trigger,
    /// At fixed ticks only; `loop` in text.
    Loop,
    /// When the program calls [`trigger`](crate::Writer::trigger); `manual` in text.
    Manual,
}

axis!(Mode, "mode", "trigger, loop, manual", Trigger = "trigger", Loop = "loop", Manual = "manual",);

/// What a full queue does with the next line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum QueuePolicy {
    /// The sender waits for room; `block` in text. The default.
    #[default]
    Block,
    /// The oldest lines make room; `drop_oldest` or `replace` in text.
    DropOldest,
    /// The new line is refused; `drop_newest` or `skip` in text.
    DropNewest,
    /// The new line is refused and the refusal is reported; `warn` in text.
    Warn,
}

axis!(
    QueuePolicy,
    "queue policy",
    "block, drop_oldest (replace), drop_newest (skip), warn",
    Block = "block",
    DropOldest = "drop_oldest" | "dropoldest" | "drop-oldest" | "replace",
    DropNewest = "drop_newest" | "dropnewest" | "drop-newest" | "skip",
    Warn = "warn",
);

impl QueuePolicy {
    /// Whether senders wait for room.
    pub(crate) fn waits(self) -> bool {
        self == QueuePolicy::Block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back() {
        for s in Strategy::ALL {
            assert_eq!(s.to_string().parse(), Ok(*s));
            assert_eq!(format!("{s:?}").parse(), Ok(*s));
        }
        for m in Mode::ALL {
            assert_eq!(m.to_string().parse(), Ok(*m));
        }
        for p in QueuePolicy::ALL {
            assert_eq!(p.to_string().parse(), Ok(*p));
            assert_eq!(format!("{p:?}").parse(), Ok(*p));
        }
        assert_eq!("replace".parse(), Ok(QueuePolicy::DropOldest));
        assert_eq!("skip".parse(), Ok(QueuePolicy::DropNewest));
    }

    #[test]
    fn unknown_text_lists_what_is_allowed() {
        let error = "tape".parse::<Strategy>().unwrap_err().to_string();
        assert_eq!(error, "unknown strategy \"tape\", expected one of line, block, mmap");
        assert!("".parse::<Mode>().is_err());
        assert!("blocks".parse::<QueuePolicy>().is_err());
    }
}
