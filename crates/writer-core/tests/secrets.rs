//! Secrets leave the process in no way: not in the file, not in what is reported.
#![cfg(feature = "serde")]
#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_macros, clippy::disallowed_methods)]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use common::LIMIT;
use writer_core::json::{Format, Meta, Schema};
use writer_core::{QueuePolicy, Severity, Writer};

const CANARY: &str = "canary-7c1d";

const SCHEMAS: [Schema; 7] = [
    Schema::Default,
    Schema::Tracing,
    Schema::Ecs,
    Schema::Otel,
    Schema::Gcp,
    Schema::Bunyan,
    Schema::Logxpy,
];

fn lines(schema: Schema, mut send: impl FnMut(&[u8])) -> String {
    let format = Format::builder()
        .schema(schema)
        .static_field("api_key", |value| value.str(CANARY))
        .redact_defaults()
        .build()
        .unwrap();
    let nested = BTreeMap::from([
        ("list", vec![BTreeMap::from([("password", CANARY), ("id", "1")])]),
        ("token", vec![BTreeMap::from([("a", CANARY)])]),
    ]);
    let mut span = format.span("request");
    span.record(0, "session_token").str(CANARY);
    span.record(1, "context").serialize(&serde_json::to_value(&nested).unwrap());
    let encoded = format.encode(
        &Meta::new(Severity::Info, "shop"),
        |record| {
            record.message().str("m");
            record.field("password").display(&CANARY);
            record.field("nested").serialize(&serde_json::to_value(&nested).unwrap());
            record.spans([&span]);
        },
        |_, line| send(line),
    );
    format!("{:?} {span:?} {format:?}", encoded.unwrap())
}

#[test]
fn a_secret_is_in_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    let (writer, guard) = Writer::builder(&path).build().unwrap();
    let mut seen = String::new();
    for schema in SCHEMAS {
        let how = lines(schema, |line| {
            writer.send(std::str::from_utf8(line).unwrap().trim_end()).unwrap();
        });
        write!(seen, "{how} {:?}", writer.metrics()).unwrap();
    }
    writer.flush(LIMIT).unwrap();
    write!(seen, "{:?} {writer:?} {guard:?}", writer.metrics()).unwrap();
    guard.shutdown(LIMIT).unwrap();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        seen += &String::from_utf8_lossy(&std::fs::read(entry.unwrap().path()).unwrap());
    }
    assert_eq!(seen.matches("\"nested\"").count(), SCHEMAS.len());
    assert!(!seen.contains(CANARY), "{seen}");
}

/// Not even a line without redaction shows in what a failing writer reports.
#[test]
fn no_line_is_part_of_a_report() {
    let output = common::run_alone("reports_of_a_failing_writer", &[("SECRETS_CHILD", "1")]);
    let seen = common::text_of(&output);
    assert!(seen.contains("reported"), "{seen}");
    assert!(!seen.contains(CANARY), "{seen}");
}

#[test]
fn reports_of_a_failing_writer() {
    if std::env::var_os("SECRETS_CHILD").is_none() {
        return;
    }
    let (sink, _) = common::TestSink::answering(|_, _| Err(std::io::ErrorKind::StorageFull.into()));
    let (writer, guard) =
        Writer::to(sink).max_queue_size(1).queue_policy(QueuePolicy::DropNewest).build().unwrap();
    for _ in 0..10 {
        let _ = writer.send(CANARY);
    }
    let flush = writer.flush(std::time::Duration::from_millis(50));
    println!("reported {:?} {flush:?} {writer:?}", writer.metrics());
    println!("{:?}", guard.shutdown(std::time::Duration::ZERO));
}
