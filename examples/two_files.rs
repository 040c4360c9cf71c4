//! What somebody did into one file, all the rest into another: two writers, each with its filter;
//! through `tracing` and, in the same way, through `log`.
//!
//! `cargo run --release --example two_files`

use std::error::Error;
use std::fs;
use std::path::Path;

use log::{Log, Metadata, Record};
use serde_json::Value;
use tracing_subscriber::filter::{FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::prelude::*;
use writer_log::Logger;
use writer_tracing::{QueuePolicy, WriterGuard};

fn through_tracing(folder: &Path) -> Result<[WriterGuard; 2], Box<dyn Error>> {
    let (audit, audit_guard) = writer_tracing::layer(folder.join("audit.jsonl"))?;
    let (app, app_guard) = writer_tracing::builder(folder.join("app.jsonl"))
        .queue_policy(QueuePolicy::DropNewest)
        .build()?;
    // Spans pass, so that their fields are in both files.
    let audit_only = filter_fn(|metadata| metadata.is_span() || metadata.target() == "audit");
    let others = filter_fn(|metadata| metadata.target() != "audit").and(LevelFilter::INFO);
    let subscriber = tracing_subscriber::registry()
        .with(audit.with_filter(audit_only))
        .with(app.with_filter(others));
    // Not `init()`, which may take the place of the logger for `log`.
    tracing::subscriber::set_global_default(subscriber)?;
    Ok([audit_guard, app_guard])
}

/// Gives each record to both loggers, whose filters decide.
struct Both(Logger, Logger);

impl Log for Both {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.0.enabled(metadata) || self.1.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        self.0.log(record);
        self.1.log(record);
    }

    fn flush(&self) {
        self.0.flush();
        self.1.flush();
    }
}

fn through_log(folder: &Path) -> Result<[WriterGuard; 2], Box<dyn Error>> {
    let audit = writer_log::builder(folder.join("audit.jsonl")).filter("audit=info");
    let app = writer_log::builder(folder.join("app.jsonl")).filter("info,audit=off");
    let ((audit, audit_guard), (app, app_guard)) = (audit.build()?, app.build()?);
    log::set_max_level(audit.max_level().max(app.max_level()));
    log::set_boxed_logger(Box::new(Both(audit, app)))?;
    Ok([audit_guard, app_guard])
}

fn messages(path: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let text = fs::read_to_string(path)?;
    let lines = text.lines().map(serde_json::from_str::<Value>).collect::<Result<Vec<_>, _>>()?;
    Ok(lines.iter().map(|line| format!("{} {}", line["message"], line["spans"][0]["id"])).collect())
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let (tracing, log) = (folder.path().join("tracing"), folder.path().join("log"));

    let guards = (through_tracing(&tracing)?, through_log(&log)?);
    tracing::info_span!("request", id = 7).in_scope(|| {
        tracing::info!(target: "audit", user = "jo", "price changed");
        tracing::info!("answered");
        tracing::debug!("not in either");
    });
    log::info!(target: "audit", user = "jo"; "price changed");
    log::info!("answered");
    log::debug!("not in either");
    drop(guards);

    for (folder, id) in [(&tracing, "7"), (&log, "null")] {
        let (audit, app) = (folder.join("audit.jsonl"), folder.join("app.jsonl"));
        assert_eq!(messages(&audit)?, [format!("\"price changed\" {id}")]);
        assert_eq!(messages(&app)?, [format!("\"answered\" {id}")]);
    }
    println!("ok: who changed what in one file, the rest in the other");
    Ok(())
}
