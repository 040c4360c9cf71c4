//! Schemas: tables of key names and shapes over the one encoder.

use super::keys::Reserved;
use super::time::TimeStyle;

/// The names and shapes of the metadata of a line. The default is [`Schema::Default`].
///
/// Every part of a schema can be changed with [`FormatBuilder`](super::FormatBuilder).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Schema {
    /// `timestamp`, `level`, `target`, `message`, the fields, `spans`.
    #[default]
    Default,
}

impl Schema {
    pub(super) fn table(self) -> &'static Table {
        match self {
            Schema::Default => &DEFAULT,
        }
    }
}

/// A piece of metadata that a line can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(usize)]
pub enum Part {
    /// When the record was made.
    Timestamp,
    /// The severity.
    Level,
    /// The target, usually the path of the module.
    Target,
    /// The path of the module.
    Module,
    /// The source file.
    File,
    /// The line in the source file.
    Line,
    /// The name of the thread, absent where it has none.
    ThreadName,
    /// The number of the thread in this process.
    ThreadId,
    /// The number of the process, taken when the format is built.
    ProcessId,
    /// The message.
    Message,
    /// The innermost span once more, on its own.
    Span,
    /// The spans, root first.
    Spans,
}

impl Part {
    pub(super) const COUNT: usize = Part::Spans as usize + 1;

    pub(super) const ALL: [Part; Part::COUNT] = [
        Part::Timestamp,
        Part::Level,
        Part::Target,
        Part::Module,
        Part::File,
        Part::Line,
        Part::ThreadName,
        Part::ThreadId,
        Part::ProcessId,
        Part::Message,
        Part::Span,
        Part::Spans,
    ];
}

/// A schema: everything in which the lines of two schemas differ.
#[derive(Debug)]
pub(super) struct Table {
    /// The key of each [`Part`], in the order of [`Part::ALL`].
    pub(super) keys: [&'static str; Part::COUNT],
    /// The parts shown unless the user hides them.
    pub(super) shown: &'static [Part],
    /// The JSON value of each severity, least severe first.
    pub(super) levels: [&'static str; 5],
    pub(super) time: TimeStyle,
    /// The object in which module, file and line stand, if not at the top level.
    pub(super) source_group: Option<&'static str>,
    /// The line as a string.
    pub(super) line_as_string: bool,
    /// The thread's number as `"ThreadId(1)"`.
    pub(super) thread_id_as_debug: bool,
    /// Members that never change: key and JSON value.
    pub(super) constants: &'static [(&'static str, &'static str)],
    /// The object in which the fields stand, if not at the top level.
    pub(super) nest: Option<&'static str>,
    /// The message stands in that object too.
    pub(super) message_nested: bool,
    pub(super) options: Options,
}

/// How values are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    /// NaN and infinities as `null` instead of strings.
    pub(super) non_finite_null: bool,
    /// Integers beyond 64 bits as digits instead of strings.
    pub(super) wide_digits: bool,
    /// Errors with their sources.
    pub(super) error_chain: bool,
}

static DEFAULT: Table = Table {
    keys: [
        "timestamp",
        "level",
        "target",
        "module",
        "file",
        "line",
        "thread",
        "thread_id",
        "process_id",
        "message",
        "span",
        "spans",
    ],
    shown: &[Part::Timestamp, Part::Level, Part::Target, Part::Message, Part::Spans],
    levels: ["\"TRACE\"", "\"DEBUG\"", "\"INFO\"", "\"WARN\"", "\"ERROR\""],
    time: TimeStyle::Rfc3339,
    source_group: None,
    line_as_string: false,
    thread_id_as_debug: false,
    constants: &[],
    nest: None,
    message_nested: false,
    options: Options { non_finite_null: false, wide_digits: false, error_chain: true },
};

/// The key of a cut line; reserved so that it can be written after the fields.
pub(super) const TRUNCATED: &str = "truncated";

/// The key of the uncut length in bytes; reserved likewise.
pub(super) const ORIGINAL_BYTES: &str = "original_bytes";

/// What the writing of one object's members follows.
#[derive(Debug)]
pub(super) struct Rules {
    /// Keys that the user's fields may not have.
    pub(super) reserved: Reserved,
    /// The same at the top level, where that is another level.
    pub(super) top: Reserved,
    /// `"fields":{` if the fields stand in an object of their own.
    pub(super) nest: Option<Box<[u8]>>,
    pub(super) message: MessageKey,
    pub(super) options: Options,
}

/// The key of the message.
#[derive(Debug, Default)]
pub(super) struct MessageKey {
    /// As the user would write it.
    pub(super) name: Box<str>,
    /// `"message":`
    pub(super) key: Box<[u8]>,
    /// It stands among the nested fields.
    pub(super) nested: bool,
}
