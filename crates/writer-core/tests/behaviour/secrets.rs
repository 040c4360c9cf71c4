//! Secrets leave the process in no way: not in the file, not in what is reported.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::{Debug, Write as _};
use std::time::Duration;

use crate::common::{self, Gate, LIMIT, TestSink};
use writer_core::json::{Format, Meta, Schema};
use writer_core::{QueuePolicy, Severity, Writer};

const CANARY: &str = "canary-7c1d";

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
    for &schema in Schema::ALL {
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
    assert_eq!(seen.matches("\"nested\"").count(), Schema::ALL.len());
    assert!(!seen.contains(CANARY), "{seen}");
}

/// The policies whose child has come to its end, and everything that it said: on stdout what it was
/// told by every call, on stderr what the writer and the panic hook say where nobody else listens.
fn seen_of(test: &str) -> String {
    let output = common::run_alone(test, &[]);
    let seen = common::text_of(&output);
    for policy in QueuePolicy::ALL {
        assert!(seen.contains(&format!("the end of {policy}\n")), "{seen}");
    }
    assert!(!seen.contains(CANARY), "{seen}");
    // As the bytes of a line show where only they are known.
    let numbers = format!("{:?}", CANARY.as_bytes());
    assert!(!seen.contains(numbers.trim_matches(['[', ']'])), "{seen}");
    seen
}

/// Says a result in every way that there is, with all its sources.
fn say<T: Debug, E: Error>(result: Result<T, E>) {
    println!("{result:?}");
    let mut next = result.as_ref().err().map(|error| error as &dyn Error);
    while let Some(error) = next {
        println!("{error} {error:?}");
        next = error.source();
    }
}

/// Under every policy, with a full queue, a target that fails, panics, and works again.
#[test]
fn a_secret_is_in_no_line_and_no_report_under_any_policy() {
    if common::is_child() {
        return QueuePolicy::ALL.iter().for_each(|&policy| overflow_and_fail(policy));
    }
    let seen = seen_of("secrets::a_secret_is_in_no_line_and_no_report_under_any_policy");
    // It did come to a line, to all kinds of reports, and the secret was formatted nowhere.
    for what in
        ["[redacted]", "lines were dropped", "the queue is full", "on purpose", "no storage space"]
    {
        assert!(seen.contains(what), "{what}: {seen}");
    }
}

/// Formats to nothing but a panic.
struct Panics(&'static str);

impl std::fmt::Display for Panics {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("{}", self.0);
    }
}

fn overflow_and_fail(policy: QueuePolicy) {
    let gate = Gate::new_closed();
    let mut calls = 0;
    let (sink, record) = TestSink::answering(move |lines, _| {
        calls += 1;
        match calls {
            1 => Err(std::io::ErrorKind::StorageFull.into()),
            2 => panic!("on purpose"),
            3 => Err(std::io::Error::other("no")),
            _ => Ok(lines.len()),
        }
    });
    let format = Format::builder().redact_defaults().build().unwrap();
    let of_losses = format.clone();
    let (writer, guard) = Writer::to(sink.at_gate(&gate))
        .max_queue_size(2)
        .queue_policy(policy)
        .block_timeout(Duration::from_millis(10))
        .loss_marker(move |losses, line| {
            of_losses.encode_losses(losses, |_, encoded| line.extend_from_slice(encoded));
        })
        .build()
        .unwrap();
    let send = || {
        let encoded = format.encode(
            &Meta::new(Severity::Info, "shop"),
            |line| {
                line.message().str("m");
                line.field("password").display(&Panics(CANARY));
                line.field("api_key").str(CANARY);
                line.field("shown").display(&Panics("on purpose"));
                line.field("headers").serialize(&BTreeMap::from([("Authorization", CANARY)]));
            },
            |_, line| say(writer.send(line)),
        );
        println!("{:?}", encoded.unwrap());
    };
    send();
    say(writer.flush(Duration::ZERO));
    gate.wait_until_entered(1);
    (0..10).for_each(|_| send());
    say(writer.sync(Duration::from_millis(10)));
    println!("{:?}", writer.metrics());
    gate.open();
    say(writer.flush(LIMIT));
    say(guard.shutdown(LIMIT));
    say(writer.send("late"));
    let metrics = writer.metrics();
    println!("{metrics:?} {writer:?} {guard:?}");
    println!("{}", String::from_utf8(record.bytes()).unwrap());
    common::assert_ended(&metrics, 12);
    assert_eq!((metrics.dropped, metrics.errors), (8, 3), "{policy}");
    println!("the end of {policy}");
}

/// Not even a line without redaction shows in what a failing writer reports.
#[test]
fn no_line_is_part_of_a_report() {
    if common::is_child() {
        for &policy in QueuePolicy::ALL {
            for panics in [false, true] {
                fail_to_the_end(policy, panics);
            }
            println!("the end of {policy}");
        }
        return;
    }
    let seen = seen_of("secrets::no_line_is_part_of_a_report");
    assert!(seen.contains("the queue is full") && seen.contains("on purpose"), "{seen}");
}

fn fail_to_the_end(policy: QueuePolicy, panics: bool) {
    let (sink, _) = TestSink::answering(move |_, _| {
        assert!(!panics, "on purpose");
        Err(std::io::ErrorKind::StorageFull.into())
    });
    let (writer, guard) = Writer::to(sink)
        .max_queue_size(1)
        .queue_policy(policy)
        .block_timeout(Duration::from_millis(10))
        .build()
        .unwrap();
    for _ in 0..10 {
        say(writer.send(CANARY));
    }
    say(writer.flush(Duration::from_millis(50)));
    say(guard.shutdown(Duration::ZERO));
    println!("{:?} {writer:?} {guard:?}", writer.metrics());
}
