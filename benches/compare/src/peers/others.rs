//! Loggers with macros of their own.

use std::io::BufWriter;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use slog::Drain;
use writer_benches::Event;

use super::{FILE, create};
use crate::case::Running;

fn with_spdlog(sink: Arc<dyn spdlog::sink::Sink>) -> Running {
    let logger = spdlog::Logger::builder().sink(sink).build_arc().expect("a logger");
    spdlog::set_default_logger(logger);
    let event = |number| {
        let Event { user_id, latency_ms, path, ok } = Event::new(number);
        spdlog::info!("request handled", kv: { user_id, latency_ms, path, ok });
    };
    Running::new(event, || spdlog::default_logger().flush())
}

fn spdlog_file(folder: &Path) -> Arc<dyn spdlog::sink::Sink> {
    spdlog::sink::FileSink::builder()
        .path(folder.join(FILE))
        .formatter(spdlog::formatter::JsonFormatter::new())
        .build_arc()
        .expect("a file")
}

pub fn spdlog(folder: &Path) -> Running {
    with_spdlog(spdlog_file(folder))
}

pub fn spdlog_async(folder: &Path) -> Running {
    let sink = spdlog::sink::AsyncPoolSink::builder().sink(spdlog_file(folder));
    with_spdlog(sink.build_arc().expect("a sink"))
}

fn with_slog(folder: &Path, when_full: slog_async::OverflowStrategy) -> Running {
    // Never dropped: the last act of a dropped queue is a line of its own, which fails in a thread
    // that ends.
    static LOGGER: OnceLock<slog::Logger> = OnceLock::new();
    let json = slog_json::Json::default(BufWriter::new(create(folder))).fuse();
    let (queue, guard) =
        slog_async::Async::new(json).overflow_strategy(when_full).build_with_guard();
    let logger = slog::Logger::root(queue.fuse(), slog::o!());
    LOGGER.set(logger).expect("one case in a process");
    let event = |number| {
        let Event { user_id, latency_ms, path, ok } = Event::new(number);
        slog::info!(LOGGER.get().expect("a logger"), "request handled";
            "user_id" => user_id, "latency_ms" => latency_ms, "path" => path, "ok" => ok);
    };
    Running::new(event, || drop(guard))
}

pub fn slog(folder: &Path) -> Running {
    with_slog(folder, slog_async::OverflowStrategy::Block)
}

pub fn slog_lossy(folder: &Path) -> Running {
    with_slog(folder, slog_async::OverflowStrategy::DropAndReport)
}

#[cfg(not(feature = "emit"))]
pub fn emit(_folder: &Path) -> Running {
    panic!("built without the feature emit");
}

#[cfg(feature = "emit")]
pub fn emit(folder: &Path) -> Running {
    let setup = emit::setup().emit_to(emit_file::set(folder.join("app.jsonl")).spawn()).init();
    let event = |number| {
        let Event { user_id, latency_ms, path, ok } = Event::new(number);
        emit::info!("request handled", user_id, latency_ms, path, ok);
    };
    Running::new(event, move || {
        setup.blocking_flush(std::time::Duration::from_secs(30));
    })
}

pub fn low_latency_log(folder: &Path) -> Running {
    let folder = folder.to_str().expect("a path in UTF-8").to_owned();
    let rolling = low_latency_log::RollingCondition::new().daily();
    let guard = low_latency_log::Logger::new(rolling, folder, "app.log".to_owned())
        .init()
        .expect("the first logger");
    let event = |number| {
        let Event { user_id, latency_ms, path, ok } = Event::new(number);
        low_latency_log::info!(
            "request handled user_id={} latency_ms={} path={} ok={}",
            user_id,
            latency_ms,
            path,
            ok
        );
    };
    Running::new(event, || drop(guard))
}
