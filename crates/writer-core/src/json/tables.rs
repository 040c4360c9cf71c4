//! The tables of the schemas.

use super::schema::{Constant, Options, Part, Table};
use super::time::TimeStyle;

const OPTIONS: Options =
    Options { non_finite_null: false, wide_digits: false, error_chain: true, typed: false };

pub(super) static DEFAULT: Table = Table {
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
        "trace_id",
        "span_id",
        "task_id",
        "task_level",
    ],
    shown: &[Part::Timestamp, Part::Level, Part::Target, Part::Message, Part::Spans],
    levels: ["\"TRACE\"", "\"DEBUG\"", "\"INFO\"", "\"WARN\"", "\"ERROR\""],
    time: TimeStyle::Rfc3339,
    source_group: None,
    line_as_string: false,
    thread_id_as_debug: false,
    constants: &[],
    reserved: &[],
    nest: None,
    message_nested: false,
    flat_spans: false,
    hex_ids: false,
    options: OPTIONS,
};

/// Errors have no chain here because tracing-subscriber prints no more than their `Display`.
pub(super) static TRACING: Table = Table {
    keys: [
        "timestamp",
        "level",
        "target",
        "module_path",
        "filename",
        "line_number",
        "threadName",
        "threadId",
        "process_id",
        "message",
        "span",
        "spans",
        "trace_id",
        "span_id",
        "task_id",
        "task_level",
    ],
    shown: &[Part::Timestamp, Part::Level, Part::Target, Part::Message, Part::Span, Part::Spans],
    thread_id_as_debug: true,
    nest: Some("fields"),
    message_nested: true,
    options: Options { error_chain: false, ..OPTIONS },
    ..DEFAULT
};

pub(super) static ECS: Table = Table {
    keys: [
        "@timestamp",
        "log.level",
        "log.logger",
        "log.origin.module",
        "log.origin.file.name",
        "log.origin.file.line",
        "process.thread.name",
        "process.thread.id",
        "process.pid",
        "message",
        "span",
        "spans",
        "trace.id",
        "span.id",
        "task_id",
        "task_level",
    ],
    shown: &[
        Part::Timestamp,
        Part::Level,
        Part::Target,
        Part::File,
        Part::Line,
        Part::Message,
        Part::Spans,
        Part::TraceId,
        Part::SpanId,
    ],
    constants: &[("ecs.version", Constant::Json("\"8.11.0\""))],
    reserved: &["log", "ecs", "process", "trace"],
    options: Options { non_finite_null: true, ..OPTIONS },
    ..DEFAULT
};

/// The keys of attributes are those of the semantic conventions,
/// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/>, the numbers those of
/// <https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber>.
pub(super) static OTEL: Table = Table {
    keys: [
        "timeUnixNano",
        "severityNumber",
        "name",
        "code.namespace",
        "code.file.path",
        "code.line.number",
        "thread.name",
        "thread.id",
        "process.pid",
        "body",
        "span",
        "spans",
        "traceId",
        "spanId",
        "task_id",
        "task_level",
    ],
    shown: &[
        Part::Timestamp,
        Part::Level,
        Part::Target,
        Part::Message,
        Part::Spans,
        Part::TraceId,
        Part::SpanId,
    ],
    levels: [
        "1,\"severityText\":\"TRACE\"",
        "5,\"severityText\":\"DEBUG\"",
        "9,\"severityText\":\"INFO\"",
        "13,\"severityText\":\"WARN\"",
        "17,\"severityText\":\"ERROR\"",
    ],
    time: TimeStyle::UnixNanos,
    line_as_string: true,
    constants: &[("service.name", Constant::Program)],
    nest: Some("attributes"),
    hex_ids: true,
    options: Options { typed: true, ..OPTIONS },
    ..DEFAULT
};

/// The logging agent knows no level below `DEBUG`.
pub(super) static GCP: Table = Table {
    keys: [
        "time",
        "severity",
        "target",
        "function",
        "file",
        "line",
        "thread",
        "thread_id",
        "process_id",
        "message",
        "span",
        "spans",
        "logging.googleapis.com/trace",
        "logging.googleapis.com/spanId",
        "task_id",
        "task_level",
    ],
    shown: &[
        Part::Timestamp,
        Part::Level,
        Part::Target,
        Part::Module,
        Part::File,
        Part::Line,
        Part::Message,
        Part::Spans,
        Part::TraceId,
        Part::SpanId,
    ],
    levels: ["\"DEBUG\"", "\"DEBUG\"", "\"INFO\"", "\"WARNING\"", "\"ERROR\""],
    source_group: Some("logging.googleapis.com/sourceLocation"),
    line_as_string: true,
    options: Options { non_finite_null: true, ..OPTIONS },
    ..DEFAULT
};

pub(super) static BUNYAN: Table = Table {
    keys: [
        "time",
        "level",
        "target",
        "func",
        "file",
        "line",
        "thread",
        "thread_id",
        "pid",
        "msg",
        "span",
        "spans",
        "trace_id",
        "span_id",
        "task_id",
        "task_level",
    ],
    shown: &[
        Part::Timestamp,
        Part::Level,
        Part::Target,
        Part::ProcessId,
        Part::Message,
        Part::Spans,
    ],
    levels: ["10", "20", "30", "40", "50"],
    source_group: Some("src"),
    constants: &[
        ("v", Constant::Json("0")),
        ("name", Constant::Program),
        ("hostname", Constant::Host),
    ],
    ..DEFAULT
};

pub(super) static LOGXPY: Table = Table {
    keys: [
        "ts",
        "mt",
        "logger",
        "module",
        "file",
        "line",
        "thread",
        "thread_id",
        "process_id",
        "msg",
        "span",
        "spans",
        "trace_id",
        "span_id",
        "tid",
        "lvl",
    ],
    shown: &[
        Part::Timestamp,
        Part::TaskId,
        Part::TaskLevel,
        Part::Level,
        Part::Target,
        Part::Message,
    ],
    levels: [
        "\"debug\",\"log_level\":\"TRACE\"",
        "\"debug\"",
        "\"info\"",
        "\"warning\"",
        "\"error\"",
    ],
    time: TimeStyle::Unix,
    reserved: &["log_level"],
    flat_spans: true,
    ..DEFAULT
};
