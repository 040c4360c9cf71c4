//! Schemas: tables of key names and shapes over the one encoder.

use std::sync::Arc;

use super::keys::Reserved;
use super::message::{MessageKey, MessageType};
use super::redact::Redact;
use super::tables;
use super::time::TimeStyle;

/// The names and shapes of the metadata of a line. The default is [`Schema::Default`].
///
/// Every part of a schema can be changed with [`FormatBuilder`](super::FormatBuilder), so that a
/// schema of one's own is one of these and a list of changes:
///
/// ```
/// use writer_core::json::{Format, NonFinite, Part};
///
/// // The core fields of bunyan, made by hand from the default schema.
/// let format = Format::builder()
///     .rename(Part::Timestamp, "time")
///     .level_numbers([10, 20, 30, 40, 50])
///     .rename(Part::Message, "msg")
///     .show(Part::ProcessId)
///     .rename(Part::ProcessId, "pid")
///     .static_field("v", |value| value.u64(0))
///     .static_field("name", |value| value.str("shop"))
///     .static_field("hostname", |value| value.str("till-3"))
///     .show(Part::Line)
///     .group_source("src")
///     .non_finite(NonFinite::Null)
///     .build()?;
/// # Ok::<(), writer_core::BuildError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Schema {
    /// `timestamp`, `level`, `target`, `message`, the fields, `spans`.
    #[default]
    Default,
    /// The members of the [JSON formatter of
    /// tracing-subscriber](https://docs.rs/tracing-subscriber/latest/tracing_subscriber/fmt/format/struct.Json.html):
    /// message and fields under `fields`, the innermost span as `span`, all as `spans`. A field of
    /// a record that is nothing (`None`) is left out. What differs is in the documentation of the
    /// lines, `docs/lines.md`: keys that are there twice, wide integers, floats that are not finite,
    /// bytes, raw identifiers, explicit parents, threads without a name.
    Tracing,
    /// The [Elastic Common Schema](https://www.elastic.co/guide/en/ecs/current/index.html) as
    /// [ECS logging](https://github.com/elastic/ecs-logging/blob/main/spec/spec.json) writes it:
    /// keys with dots instead of nested objects, because that specification asks for them, Elastic
    /// reads both alike, and a line is shorter and easier to read so. Time, level, message and
    /// `ecs.version` come first, in the order that it demands. A message that is no text, such as a
    /// number, becomes one: its JSON as a string.
    ///
    /// The names of the objects that the dotted keys stand for (`log`, `log.origin`,
    /// `log.origin.file`, `ecs`, `process`, `process.thread`, `trace`, `span`) are taken too: a
    /// number called `log` would be refused beside `log.level`.
    ///
    /// Names of ECS that no line here needs are not taken, and many are objects in it: `error`,
    /// `user`, `host`, `http`. An index with the mappings of ECS refuses a line in which such a
    /// field is a text, as `error` is that `#[instrument(err)]` writes. In a program with such names
    /// [`nest_fields`](super::FormatBuilder::nest_fields) keeps all fields apart, under a name of
    /// its own.
    Ecs,
    /// The [log data model of
    /// OpenTelemetry](https://opentelemetry.io/docs/specs/otel/logs/data-model/) in
    /// [OTLP/JSON](https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding): each line is
    /// a whole `LogsData` message with one record. The target is the scope's name, fields and spans
    /// are attributes, static fields and the process id are attributes of the resource.
    Otel,
    /// [Structured logging of Google
    /// Cloud](https://cloud.google.com/logging/docs/structured-logging). For its links between
    /// lines and traces it must know in which project the traces are: see
    /// [`FormatBuilder::trace_prefix`](super::FormatBuilder::trace_prefix).
    Gcp,
    /// The core fields of [bunyan](https://github.com/trentm/node-bunyan#core-fields). `name` is
    /// the name of the program and `hostname` that of the machine, unless static fields of these
    /// names say otherwise. A record without a message has an empty one: it is a core field, and
    /// bunyan's program shows no line without it as a record. One that is no text becomes its JSON
    /// as a string, for the program ends at any other.
    Bunyan,
    /// The lines of logxpy: Unix time, a task's id and the record's place in the task, the severity
    /// as a message type, and the fields of the spans among those of the record.
    ///
    /// Message types that are no severity come by a field: `mt = "success"`, `"note"` or
    /// `"critical"` takes the place of the severity's name; any other value is a field like others.
    /// [`FormatBuilder::task_ids`](super::FormatBuilder::task_ids) makes the task's id a UUID.
    ///
    /// A field of the record hides one of the same name in a span, and that of an inner span one in
    /// an outer span: the hidden one keeps its value under its name with `_` appended. A field of a
    /// record that is nothing (`None`) is left out.
    Logxpy,
}

impl Schema {
    /// Every schema.
    pub const ALL: &[Schema] = &[
        Schema::Default,
        Schema::Tracing,
        Schema::Ecs,
        Schema::Otel,
        Schema::Gcp,
        Schema::Bunyan,
        Schema::Logxpy,
    ];

    pub(super) fn table(self) -> &'static Table {
        match self {
            Schema::Default => &tables::DEFAULT,
            Schema::Tracing => &tables::TRACING,
            Schema::Ecs => &tables::ECS,
            Schema::Otel => &tables::OTEL,
            Schema::Gcp => &tables::GCP,
            Schema::Bunyan => &tables::BUNYAN,
            Schema::Logxpy => &tables::LOGXPY,
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
    /// The field `trace_id` of the innermost span that has one, if it is a string; else what
    /// [`SpanList::set_trace`](super::SpanList::set_trace) says.
    TraceId,
    /// The field `span_id` of the innermost span that has one, if it is a string, unless a span
    /// inside it has a `trace_id` of another trace; else likewise. In [`Schema::Otel`] only beside
    /// the id of the trace.
    SpanId,
    /// The task: one for each root span, and one for all records of the process outside spans.
    TaskId,
    /// The place of the record in its task, as an array of numbers.
    TaskLevel,
}

impl Part {
    pub(super) const COUNT: usize = Part::TaskLevel as usize + 1;

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
        Part::TraceId,
        Part::SpanId,
        Part::TaskId,
        Part::TaskLevel,
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
    /// A key that some of `levels` bring along besides that of the level.
    pub(super) beside_level: Option<&'static str>,
    /// The message comes right after the level, then what never changes, then the rest.
    pub(super) message_first: bool,
    pub(super) time: TimeStyle,
    /// The object in which module, file and line stand, if not at the top level.
    pub(super) source_group: Option<&'static str>,
    /// The line as a string.
    pub(super) line_as_string: bool,
    /// The thread's number as `"ThreadId(1)"`.
    pub(super) thread_id_as_debug: bool,
    /// Members that never change; a static field of the same key takes the place of one.
    pub(super) constants: &'static [(&'static str, Constant)],
    /// More keys that fields may not have.
    pub(super) reserved: &'static [&'static str],
    /// The object in which the fields stand, if not at the top level.
    pub(super) nest: Option<&'static str>,
    /// The message stands in that object too.
    pub(super) message_nested: bool,
    /// The fields of the spans stand among those of the record.
    pub(super) flat_spans: bool,
    /// Lines that tell of spans have the members of a task: its name, state and duration.
    pub(super) tasks: bool,
    /// What a field under the key of the level may put in the place of the level, as JSON.
    pub(super) message_types: &'static [&'static str],
    /// Trace ids are left out unless they are as W3C trace context has them.
    pub(super) hex_ids: bool,
    pub(super) options: Options,
}

/// A value that is known when the format is built.
#[derive(Debug, Clone, Copy)]
pub(super) enum Constant {
    /// This JSON.
    Json(&'static str),
    /// The name of the machine.
    Host,
    /// The name of the program's file.
    Program,
}

/// How values are written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Options {
    /// NaN and infinities as `null` instead of strings.
    pub(super) non_finite_null: bool,
    /// Integers beyond 64 bits as digits instead of strings.
    pub(super) wide_digits: bool,
    /// Errors with their sources.
    pub(super) error_chain: bool,
    /// Members as key-value pairs of OTLP, and values as its `AnyValue`.
    pub(super) typed: bool,
    /// A field of a record that is nothing is left out instead of being `null`.
    pub(super) no_null: bool,
    /// The message is a string in every record, an empty one where there is none, if messages are
    /// shown.
    pub(super) text_message: bool,
}

/// The key of a cut line; reserved so that it can be written after the fields.
pub(super) const TRUNCATED: &str = "truncated";

/// The key of the uncut length in bytes; reserved likewise.
pub(super) const ORIGINAL_BYTES: &str = "original_bytes";

/// What the writing of one object's members follows.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// Keys that the user's fields may not have.
    pub(super) reserved: Reserved,
    /// The same at the top level, where that is another level.
    pub(super) top: Reserved,
    /// `"fields":{` if the fields stand in an object of their own.
    pub(super) nest: Option<Box<[u8]>>,
    /// The spans stand where the fields stand.
    pub(super) spans_inside: bool,
    /// Members are not always written as they come: there is a nested object, they are typed, some
    /// are redacted, or one may set the message type. One look for the common case.
    pub(super) complex: bool,
    pub(super) redact: Option<Arc<Redact>>,
    pub(super) message: MessageKey,
    pub(super) message_type: Option<MessageType>,
    pub(super) options: Options,
}

impl Rules {
    /// Whether the value of this key is a secret. One look at an `Option` where nothing is
    /// redacted.
    #[inline]
    pub(super) fn is_redacted(&self, key: &str) -> bool {
        self.redact.as_ref().is_some_and(|redact| redact.matches(key))
    }
}
