//! Numbers of lines.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::Severity;
use crate::json::{Format, Meta, Schema};

const META: Meta<'_> = Meta::new(Severity::Info, "shop");

fn line(format: &Format) -> Json {
    let fill = |record: &mut crate::json::Record<'_>| {
        record.message().str("x");
        record.field("seq").str("mine");
        record.field("run").u64(7);
    };
    let encoded = format.encode(&META, fill, |_, line| serde_json::from_slice(line).unwrap());
    encoded.unwrap().result
}

/// The number and the run of a line.
fn numbers(schema: Schema, line: &Json) -> (u64, String) {
    if schema != Schema::Otel {
        return (line["seq"].as_u64().unwrap(), line["run"].as_str().unwrap().to_owned());
    }
    let logs = &line["resourceLogs"][0];
    let find = |attributes: &Json, key: &str, kind: &str| {
        let attributes = attributes.as_array().unwrap();
        let found = attributes.iter().find(|attribute| attribute["key"] == key).unwrap();
        found["value"][kind].as_str().unwrap().to_owned()
    };
    let record = &logs["scopeLogs"][0]["logRecords"][0];
    let number = find(&record["attributes"], "seq", "intValue").parse().unwrap();
    (number, find(&logs["resource"]["attributes"], "run", "stringValue"))
}

#[test]
fn every_schema_numbers_its_lines_from_one_and_no_field_takes_the_keys() {
    for &schema in Schema::ALL {
        let format = Format::builder().schema(schema).sequence(true).build().unwrap();
        let lines: Vec<_> = (0..3).map(|_| numbers(schema, &line(&format))).collect();
        assert_eq!([lines[0].0, lines[1].0, lines[2].0], [1, 2, 3], "{schema:?}");
        assert!(lines.iter().all(|(_, run)| *run == lines[0].1 && run.len() == 11), "{lines:?}");
        let text = line(&format).to_string();
        assert!(text.contains("mine"), "the field of the same name is kept: {text}");
    }
}

#[test]
fn numbers_of_many_threads_are_all_there_once() {
    let format = Format::builder().sequence(true).build().unwrap();
    let each = 500;
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let format = format.clone();
            std::thread::spawn(move || {
                let numbers = (0..each).map(|_| numbers(Schema::Default, &line(&format)).0);
                numbers.collect::<Vec<_>>()
            })
        })
        .collect();
    let mut all = BTreeSet::new();
    for thread in threads {
        let numbers = thread.join().unwrap();
        assert!(numbers.is_sorted(), "in a thread they grow");
        all.extend(numbers);
    }
    assert_eq!(all, (1..=4 * each).collect());
}

#[test]
fn each_format_has_a_run_of_its_own() {
    let build = || Format::builder().sequence(true).build().unwrap();
    let runs: BTreeSet<_> = (0..100).map(|_| numbers(Schema::Default, &line(&build())).1).collect();
    assert_eq!(runs.len(), 100);
}

#[test]
fn without_the_option_the_keys_are_free() {
    let line = line(&Format::default());
    assert_eq!((&line["seq"], &line["run"]), (&"mine".into(), &7.into()));
    assert!(Format::builder().sequence(true).static_field("run", |v| v.null()).build().is_err());
}
