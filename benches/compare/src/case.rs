//! What is compared.

use std::path::Path;

use crate::peers::{apart, bare, log_users, others, ours, raw, tracing_users};

/// A logger that runs.
pub struct Running {
    /// Logs the event with this number, or sends one raw line.
    pub event: fn(u64),
    /// What the library's documentation says a program must do before it ends, in the order in
    /// which it says so.
    pub finish: Box<dyn FnOnce()>,
}

impl Running {
    /// A logger that `finish` ends.
    pub fn new(event: fn(u64), finish: impl FnOnce() + 'static) -> Running {
        Running { event, finish: Box::new(finish) }
    }
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// One JSON object with the event's fields in it.
    Json,
    /// Text with the event's fields in it.
    Text,
    /// 100 bytes, made before.
    Raw,
    /// There are none.
    None,
}

/// One library, set up in one way.
pub struct Case {
    pub name: &'static str,
    /// The package whose version is stated.
    pub package: &'static str,
    pub lines: Lines,
    /// How it is set up.
    pub how: &'static str,
    /// Starts it on an empty folder, into which all its files go.
    pub start: fn(&Path) -> Running,
}

impl Case {
    /// The feature by which the library is built into a program of its own, if it is; see
    /// [`apart`].
    pub fn feature(&self) -> Option<&'static str> {
        match self.package {
            "spdlog-rs" => Some("spdlog"),
            "emit_file" => Some("emit"),
            _ => None,
        }
    }
}

const fn case(
    name: &'static str,
    package: &'static str,
    lines: Lines,
    start: fn(&Path) -> Running,
    how: &'static str,
) -> Case {
    Case { name, package, lines, how, start }
}

/// The name of the case that does nothing.
pub const NO_OP: &str = "no-op";
/// The name of the case that only encodes.
pub const ENCODE: &str = "writer-core, encoding alone";
/// The name of the loop of `write(2)` calls.
pub const WRITE_LIMIT: &str = "raw: write(2) of 1 MiB blocks";

/// The case of the barest design.
pub const BARE: &str = "barest layer of this design";

/// All cases, ours first; the order is that of the tables.
#[rustfmt::skip]
pub const CASES: &[Case] = &[
    case(NO_OP, "writer-benches", Lines::None, raw::no_op, "the call, and nothing in it"),
    case(ENCODE, "writer-core", Lines::None, ours::encode, "the event as a line, and no more: no queue, no second thread, no file"),
    case("writer-tracing", "writer-tracing", Lines::Json, ours::tracing, "defaults: BlockBuffered, Trigger, Block"),
    case("writer-tracing, mmap", "writer-tracing", Lines::Json, ours::tracing_mmap, "MemoryMapped"),
    case("writer-tracing, loop", "writer-tracing", Lines::Json, ours::tracing_loop, "Loop"),
    case(BARE, "writer-benches", Lines::Json, bare::layer, "one lock around a batch of bytes, a thread that naps, and nothing of what makes a logger: see src/peers/bare.rs"),
    case("writer-log", "writer-log", Lines::Json, ours::log, "defaults: BlockBuffered, Trigger, Block"),
    case("writer-log, line", "writer-log", Lines::Json, ours::log_line, "LineBuffered"),
    case("writer-log, synchronous", "writer-log", Lines::Json, ours::log_synchronous, "no thread: each line is written when the macro returns"),
    case("tracing-subscriber + tracing-appender", "tracing-appender", Lines::Json, tracing_users::fmt_json, "fmt().json(), non_blocking over a File, lossy(false)"),
    case("tracing-subscriber + tracing-appender, BufWriter", "tracing-appender", Lines::Json, tracing_users::fmt_json_buffered, "fmt().json(), non_blocking over a BufWriter<File>, lossy(false)"),
    case("tracing-subscriber + tracing-appender, default", "tracing-appender", Lines::Json, tracing_users::fmt_json_lossy, "fmt().json(), non_blocking over a File: drops when full"),
    case("json-subscriber + tracing-appender", "json-subscriber", Lines::Json, tracing_users::json_subscriber, "fmt(), non_blocking over a File, lossy(false)"),
    case("spdlog-rs, synchronous", "spdlog-rs", Lines::Json, apart::spdlog::synchronous, "FileSink, JsonFormatter, feature multi-thread"),
    case("spdlog-rs, async", "spdlog-rs", Lines::Json, apart::spdlog::asynchronous, "AsyncPoolSink over FileSink, JsonFormatter; blocks when full by default"),
    case("slog-json + slog-async", "slog-async", Lines::Json, others::slog, "OverflowStrategy::Block, over a BufWriter"),
    case("slog-async, default", "slog-async", Lines::Json, others::slog_lossy, "drops when full"),
    case("flexi_logger, buffered", "flexi_logger", Lines::Json, log_users::flexi_buffered, "json_format, WriteMode::BufferAndFlush"),
    case("flexi_logger, async", "flexi_logger", Lines::Json, log_users::flexi_async, "json_format, WriteMode::Async: the queue has no bound"),
    case("logforth, async", "logforth", Lines::Json, log_users::logforth, "Async over File, JsonLayout: the queue has no bound by default"),
    case("emit_file", "emit_file", Lines::Json, apart::emit::file, "defaults: syncs each batch, gives up what exceeds 10 000 events"),
    case("log4rs", "log4rs", Lines::Json, log_users::log4rs, "FileAppender, JsonEncoder, feature log_kv"),
    case("fast_log", "fast_log", Lines::Json, log_users::fast_log, "chan_len 100 000, FastLogFormatJson; has no key-values: they stand in the message"),
    case("ftlog", "ftlog", Lines::Text, log_users::ftlog, "bounded(100 000, true): blocks; fixed time zone; has no key-values: they stand in the message"),
    case("ftlog, default", "ftlog", Lines::Text, log_users::ftlog_lossy, "drops when full"),
    case("low_latency_log", "low_latency_log", Lines::Text, others::low_latency_log, "defaults; formats on its thread; has no key-values: they stand in the message"),
    case(WRITE_LIMIT, "writer-benches", Lines::Raw, raw::no_op, "a loop, nothing else: the limit"),
    case("raw: writer-core", "writer-core", Lines::Raw, ours::raw, "send, defaults"),
    case("raw: writer-core, mmap", "writer-core", Lines::Raw, ours::raw_mmap, "send, MemoryMapped"),
    case("raw: tracing-appender", "tracing-appender", Lines::Raw, raw::appender, "non_blocking over a File, lossy(false)"),
    case("raw: tracing-appender over a BufWriter", "tracing-appender", Lines::Raw, raw::appender_buffered, "non_blocking over a BufWriter<File>, lossy(false)"),
];

/// The case of this name.
pub fn find(name: &str) -> Option<&'static Case> {
    CASES.iter().find(|case| case.name == name)
}
