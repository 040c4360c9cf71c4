//! Events: shape, values, clashes, hostile input.

use crate::support;
use std::fmt;

use crate::support::{Log, all, one};
use serde_json::json;
use tracing::{debug, error, info, trace, warn};
use tracing_subscriber::Registry;
use tracing_subscriber::prelude::*;

#[test]
fn a_line_has_the_default_shape() {
    let log = Log::new();
    let (layer, guard) = writer_tracing::layer(log.path()).unwrap();
    tracing::subscriber::with_default(Registry::default().with(layer), || {
        info!(target: "shop::orders", user_id = 42, ok = true, "request {}", "handled");
    });
    drop(guard);
    let text = std::fs::read_to_string(log.path()).unwrap();
    let (time, rest) = text.split_at("{\"timestamp\":\"2026-11-23T08:15:42.123456Z\"".len());
    assert!(time.starts_with("{\"timestamp\":\"20") && time.ends_with("Z\""), "{time}");
    assert_eq!(
        rest,
        ",\"level\":\"INFO\",\"target\":\"shop::orders\",\"message\":\"request handled\",\
         \"user_id\":42,\"ok\":true}\n"
    );
}

#[test]
fn every_level_has_its_name() {
    let lines = all(|| {
        trace!("");
        debug!("");
        info!("");
        warn!("");
        error!("");
    });
    let levels: Vec<_> = lines.iter().map(|line| line["level"].as_str().unwrap()).collect();
    assert_eq!(levels, ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"]);
}

#[test]
fn values_keep_their_types() {
    #[derive(Debug)]
    struct Outer(Inner);
    #[derive(Debug)]
    struct Inner;
    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("outer")
        }
    }
    impl fmt::Display for Inner {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("inner")
        }
    }
    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    impl std::error::Error for Inner {}

    let line = one(|| {
        let failure: &(dyn std::error::Error + 'static) = &Outer(Inner);
        info!(
            least = i64::MIN,
            most = u64::MAX,
            wide = u128::MAX,
            narrow = -5_i128,
            float = 0.1_f64,
            nan = f64::NAN,
            small = 0.5_f32,
            yes = true,
            text = "plain",
            raw = &[0_u8, 0xff][..],
            failure,
            debug = ?Some(1),
            display = %'x',
            none = None::<u8>,
            some = Some(3_u8),
            dotted.name = 1,
            r#type = "raw",
            "literal key" = 2,
            "all"
        );
    });
    assert_eq!(line["least"], json!(i64::MIN));
    assert_eq!(line["most"], json!(u64::MAX));
    assert_eq!(line["wide"], json!(u128::MAX.to_string()));
    assert_eq!(line["narrow"], json!(-5));
    assert_eq!(line["float"], json!(0.1));
    assert_eq!(line["nan"], json!("NaN"));
    assert_eq!(line["small"], json!(0.5));
    assert_eq!(line["yes"], json!(true));
    assert_eq!(line["text"], json!("plain"));
    assert_eq!(line["raw"], json!("00ff"));
    assert_eq!(line["failure"], json!({"message": "outer", "chain": ["inner"]}));
    assert_eq!(line["debug"], json!("Some(1)"));
    assert_eq!(line["display"], json!("x"));
    assert_eq!(line.get("none"), Some(&json!(null)));
    assert_eq!(line["some"], json!(3));
    assert_eq!(line["dotted.name"], json!(1));
    assert_eq!(line["type"], json!("raw"));
    assert_eq!(line["literal key"], json!(2));
    assert_eq!(line["message"], json!("all"));
}

#[test]
fn the_message_may_be_a_field_at_any_position() {
    let line = one(|| info!(a = 1, message = "late", b = 2));
    assert_eq!(line["message"], "late");
    assert_eq!((&line["a"], &line["b"]), (&json!(1), &json!(2)));
    let line = one(|| info!(a = 1));
    assert!(!line.contains_key("message"));
}

#[test]
fn fields_that_clash_with_metadata_get_an_underscore() {
    let line = one(|| {
        info!(
            level = 1,
            target = 2,
            timestamp = 3,
            span = 4,
            spans = 5,
            name = 6,
            message_ = 7,
            message = "m"
        );
    });
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["level_"], 1);
    assert_eq!(line["target_"], 2);
    assert_eq!(line["timestamp_"], 3);
    assert_eq!(line["span_"], 4);
    assert_eq!(line["spans_"], 5);
    assert_eq!(line["name"], 6);
    assert_eq!(line["message_"], 7);
    assert_eq!(line["message"], "m");
}

#[test]
fn hostile_text_stays_one_line() {
    let hostile = "\"\\\0\n\r\u{1b}[31m\u{7f}\u{85}\u{2028}\u{202e}{\"level\":\"ERROR\"}\u{1f600}";
    let line = one(|| info!(field = hostile, debug = ?hostile, "{hostile}"));
    assert_eq!(line["message"], hostile);
    assert_eq!(line["field"], hostile);
    assert_eq!(line["debug"], format!("{hostile:?}"));
}

#[test]
fn a_value_longer_than_the_record_is_cut_and_counted() {
    let log = Log::new();
    let (layer, guard) =
        writer_tracing::builder(log.path()).max_record_bytes(8192).build().unwrap();
    tracing::subscriber::with_default(Registry::default().with(layer), || {
        info!(long = "x".repeat(100_000), "cut");
        info!("whole");
    });
    assert_eq!(guard.writer().metrics().truncated, 1);
    drop(guard);
    let lines = support::read(&log.path());
    assert_eq!(lines[0]["truncated"], true);
    assert_eq!(lines[1]["message"], "whole");
}

struct Fails;

impl fmt::Debug for Fails {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Err(fmt::Error)
    }
}

struct Panics;

impl fmt::Debug for Panics {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("a user's Debug panics");
    }
}

#[test]
fn a_failing_or_panicking_debug_leaves_a_marker_and_the_rest() {
    let log = Log::new();
    let (layer, guard) = writer_tracing::layer(log.path()).unwrap();
    tracing::subscriber::with_default(Registry::default().with(layer), || {
        let span = tracing::info_span!("s", bad = ?Panics, late = tracing::field::Empty, good = 1);
        span.record("late", tracing::field::debug(Fails));
        let _entered = span.enter();
        info!(fails = ?Fails, panics = ?Panics, last = 1, "on");
    });
    assert_eq!(guard.writer().metrics().format_errors, 4);
    drop(guard);
    let line = support::read(&log.path()).remove(0);
    assert_eq!(line["fails"], "<format_error>");
    assert_eq!(line["panics"], "<format_error: panic>");
    assert_eq!((&line["last"], &line["message"]), (&json!(1), &json!("on")));
    assert_eq!(
        line["spans"],
        json!([{"name": "s", "bad": "<format_error: panic>", "good": 1, "late": "<format_error>"}])
    );
}
