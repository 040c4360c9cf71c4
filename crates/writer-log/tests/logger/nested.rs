//! Key-values captured by serde and by sval, and what these features leave as it is.

#[cfg(feature = "serde")]
mod serde;
#[cfg(feature = "sval")]
mod sval;

use std::fmt;
use std::time::Duration;

use log::kv::{self, Key, Source, VisitSource};
use log::{Log, Record};
use serde_json::{Value, json};
use writer_core::Metrics;
use writer_core::json::{FORMAT_ERROR, FORMAT_PANIC, REDACTED, Schema, TOO_DEEP};
use writer_log::{LogBuilder, Logger};

/// Logs to a logger of its own; the only line, and the metrics.
fn one(log: impl FnOnce(&Logger)) -> (Value, Metrics) {
    one_of(|builder| builder, log)
}

/// The same with a changed builder.
fn one_of(
    change: impl FnOnce(LogBuilder) -> LogBuilder,
    log: impl FnOnce(&Logger),
) -> (Value, Metrics) {
    log::set_max_level(log::LevelFilter::Trace);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.jsonl");
    let (logger, guard) = change(writer_log::builder(&path).filter("trace")).build().unwrap();
    log(&logger);
    guard.writer().flush(Duration::from_secs(10)).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches('\n').count(), 1, "{text}");
    assert!(text.ends_with('\n') && !text.contains(|c: char| c < ' ' && c != '\n'), "{text}");
    (serde_json::from_str(&text).unwrap(), guard.writer().metrics())
}

/// Prints a beginning, then does what it must not.
enum Bad {
    Fails,
    Panics,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("begun")?;
        match self {
            Bad::Fails => Err(fmt::Error),
            Bad::Panics => panic!("on purpose"),
        }
    }
}

#[test]
fn what_is_captured_by_debug_and_display_stays_a_string() {
    #[derive(Debug)]
    struct Order {
        #[allow(dead_code)]
        id: u64,
    }
    let none: Option<u64> = None;
    let (line, metrics) = one(|logger| {
        log::info!(logger: logger,
            debug:? = Order { id: 7 }, list:? = [1, 2], display:% = std::net::Ipv4Addr::LOCALHOST,
            number:% = 12345, text = "12345", nothing:? = none, hostile:% = "a\"b\n\u{1b}[31m";
            "strings");
    });
    assert_eq!(line["debug"], "Order { id: 7 }");
    assert_eq!(line["list"], "[1, 2]");
    assert_eq!(line["display"], "127.0.0.1");
    assert_eq!(line["text"], "12345");
    assert_eq!(line["hostile"], "a\"b\n\u{1b}[31m");
    assert_eq!(metrics.format_errors, 0);
    // As without the features: `log` looks through the capture and finds these types.
    assert_eq!(line["number"], "12345");
    assert_eq!(line["nothing"], "None");
}

#[test]
fn what_is_captured_as_a_number_keeps_its_type() {
    let error = "x".parse::<i32>().unwrap_err();
    let (line, _) = one(|logger| {
        log::info!(logger: logger,
            big = u64::MAX, small = i64::MIN, huge = u128::MAX, float = 1.5, nan = f64::NAN,
            flag = true, letter = 'ß', none = None::<u64>, error:err = error; "typed");
    });
    assert_eq!(line["big"], u64::MAX);
    assert_eq!(line["small"], i64::MIN);
    assert_eq!(line["huge"], u128::MAX.to_string());
    assert_eq!((&line["float"], &line["nan"]), (&json!(1.5), &json!("NaN")));
    assert_eq!((&line["flag"], &line["letter"]), (&json!(true), &json!("ß")));
    assert_eq!(line["none"], Value::Null);
    assert_eq!(line["error"], "invalid digit found in string");
}

#[test]
fn the_schema_that_leaves_out_what_is_nothing_leaves_it_out() {
    let (line, _) = one_of(
        |builder| builder.schema(Schema::Tracing),
        |logger| log::info!(logger: logger, before = 1, none = None::<u64>, after = 2; "m"),
    );
    let fields = line["fields"].as_object().unwrap();
    assert_eq!((&fields["before"], &fields["after"]), (&json!(1), &json!(2)));
    assert!(!fields.contains_key("none"), "{line}");
}

/// The line of a bad value between two good ones has `marker` in its place.
fn costs_only_itself(line: &Value, metrics: &Metrics, marker: &str) {
    assert_eq!(
        (&line["before"], &line["bad"], &line["after"]),
        (&json!(1), &json!(marker), &json!(2))
    );
    assert_eq!(line.get("bad_"), None);
    assert_eq!(metrics.format_errors, 1);
}

#[test]
fn a_display_that_fails_or_panics_costs_only_itself() {
    for (bad, marker) in [(Bad::Fails, FORMAT_ERROR), (Bad::Panics, FORMAT_PANIC)] {
        let (line, metrics) = one(|logger| {
            log::info!(logger: logger, before = 1, bad:% = bad, after = 2; "kept");
        });
        assert_eq!(
            (&line["before"], &line["bad"], &line["after"], &line["message"]),
            (&json!(1), &json!(marker), &json!(2), &json!("kept"))
        );
        assert_eq!(metrics.format_errors, 1);
    }
}

/// Visits its pairs twice and repeats a key, with values that are arrays where they can be.
struct Repeating<'v>(kv::Value<'v>);

impl Source for Repeating<'_> {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), kv::Error> {
        for _ in 0..2 {
            visitor.visit_pair(Key::from("a"), self.0.clone())?;
            visitor.visit_pair(Key::from("a"), kv::Value::from("second"))?;
        }
        Ok(())
    }
}

fn repeated(value: kv::Value<'_>) {
    let source = Repeating(value);
    let (line, _) = one(|logger| {
        let mut record = Record::builder();
        record.key_values(&source).args(format_args!("m"));
        logger.log(&record.build());
    });
    assert_eq!((&line["a"], &line["a_"]), (&json!([1, [2]]), &json!("second")));
    assert_eq!((&line["a__"], &line["a___"]), (&json!([1, [2]]), &json!("second")));
}

/// A value that nests this deep, or fails or panics at its end.
struct Deep(u32, Option<Bad>);

// To find out whether it is nothing, `log` would run the user's code on it.
#[test]
fn a_secret_that_is_nothing_is_redacted_where_nothing_is_left_out() {
    for schema in [Schema::Tracing, Schema::Logxpy] {
        let change = |builder: LogBuilder| builder.schema(schema).redact_defaults();
        let (line, _) = one_of(change, |logger| {
            log::info!(logger: logger, token = None::<&str>, none = None::<&str>; "m");
        });
        let fields = line.get("fields").unwrap_or(&line);
        assert_eq!((&fields["token"], fields.get("none")), (&json!(REDACTED), None), "{schema:?}");
    }
}
