//! Loggers with macros of their own.

use std::io::BufWriter;
use std::path::Path;
use std::sync::OnceLock;

use slog::Drain;
use writer_benches::Event;

use super::create;
use crate::case::Running;

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
