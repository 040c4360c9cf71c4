//! Every library, set up as its own documentation recommends, and lossless where it can be.

pub mod apart;
pub mod bare;
pub mod log_users;
pub mod others;
pub mod ours;
pub mod raw;
pub mod tracing_users;

use std::fs::File;
use std::path::Path;

use writer_benches::Event;

/// The file that a case writes, unless the library names its files itself.
pub const FILE: &str = "app.jsonl";

fn create(folder: &Path) -> File {
    File::create(folder.join(FILE)).expect("a new file")
}

/// The event through `log`, with key-values.
fn log_event(number: u64) {
    let Event { user_id, latency_ms, path, ok } = Event::new(number);
    log::info!(user_id, latency_ms, path, ok; "request handled");
}

/// The event through `log`, for loggers that have no key-values.
fn log_text(number: u64) {
    let Event { user_id, latency_ms, path, ok } = Event::new(number);
    log::info!("request handled user_id={user_id} latency_ms={latency_ms} path={path} ok={ok}");
}

/// The event through `tracing`.
fn tracing_event(number: u64) {
    let Event { user_id, latency_ms, path, ok } = Event::new(number);
    tracing::info!(user_id, latency_ms, path, ok, "request handled");
}
