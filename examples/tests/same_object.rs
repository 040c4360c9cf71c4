//! A record of the same content gives the same object, whichever way it comes.

#[path = "../../crates/writer-tracing/tests/support/keys.rs"]
mod keys;

use std::error::Error;
use std::fmt;

use serde_json::{Value, json};
use tracing_subscriber::prelude::*;
use writer_core::json::{Part, Schema};

/// Something with two sources, or the last of them.
#[derive(Debug)]
struct Failure(u8);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "failure {}", self.0)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        [&Failure(0), &Failure(1)].into_iter().rev().find(|next| next.0 < self.0).map(|e| e as _)
    }
}

/// Fails or panics while it is formatted.
#[derive(Debug)]
struct Bad(bool);

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("begun")?;
        if self.0 { panic!("on purpose") } else { Err(fmt::Error) }
    }
}

/// Both adapters with the same options, each with a file of its own.
struct Both {
    folder: tempfile::TempDir,
    logger: writer_log::Logger,
    dispatch: tracing::Dispatch,
    guards: [writer_core::WriterGuard; 2],
}

/// The options that both builders have.
macro_rules! options {
    ($builder:expr, $schema:expr) => {
        $builder
            .schema($schema)
            .show(Part::Module)
            .show(Part::File)
            .show(Part::Line)
            .show(Part::ThreadName)
            .show(Part::ThreadId)
            .show(Part::ProcessId)
            .static_field("service", |value| value.str("shop"))
            .redact_defaults()
    };
}

impl Both {
    fn new(schema: Schema) -> Self {
        log::set_max_level(log::LevelFilter::Trace);
        let folder = tempfile::tempdir().expect("a folder");
        let log_builder = writer_log::builder(folder.path().join("log")).filter("trace");
        let (logger, log_guard) = options!(log_builder, schema).build().expect("a logger");
        let layer_builder = writer_tracing::builder(folder.path().join("tracing"));
        let (layer, layer_guard) = options!(layer_builder, schema).build().expect("a layer");
        let dispatch = tracing_subscriber::registry().with(layer).into();
        Both { folder, logger, dispatch, guards: [log_guard, layer_guard] }
    }

    /// The lines of both, in pairs, without their times.
    fn pairs(self) -> Vec<[Value; 2]> {
        drop((self.logger, self.dispatch, self.guards));
        let [log, tracing] = ["log", "tracing"].map(|name| {
            let text = std::fs::read_to_string(self.folder.path().join(name)).expect("a file");
            let without_time = |text: &str| {
                let mut line: Value = serde_json::from_str(text).expect("JSON");
                assert_eq!(keys::repeated_keys(text), [""; 0], "{text}");
                remove_times(&mut line);
                line
            };
            text.lines().map(without_time).collect::<Vec<_>>()
        });
        assert_eq!(log.len(), tracing.len());
        log.into_iter().zip(tracing).map(|(a, b)| [a, b]).collect()
    }
}

fn remove_times(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|key, _| {
                !["timestamp", "@timestamp", "time", "timeUnixNano", "ts"].contains(&&**key)
            });
            members.values_mut().for_each(remove_times);
        }
        Value::Array(values) => values.iter_mut().for_each(remove_times),
        _ => {}
    }
}

/// OTLP writes an object as an array of pairs, whose order means as little as that of members. Only
/// records from [`NOTHING`] on may differ in it.
fn sort_attributes(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(sort_attributes),
        Value::Array(values) => {
            values.iter_mut().for_each(sort_attributes);
            if values.iter().all(|value| value.get("key").is_some()) {
                values.sort_by_key(|value| value["key"].to_string());
            }
        }
        _ => {}
    }
}

/// One record through both, from one place in the source.
macro_rules! both {
    ($both:expr, $level:ident, [$($log:tt)*], [$($tracing:tt)*], $($message:tt)+) => {{
        log::log!(logger: $both.logger, target: "shop", log::Level::$level, $($log)*; $($message)+);
        tracing::dispatcher::with_default(&$both.dispatch, || {
            both!(@tracing $level, [$($tracing)*], $($message)+);
        });
    }};
    (@tracing $level:ident, [$($tracing:tt)*], $($message:tt)+) => {
        tracing::event!(target: "shop", both!(@level $level), $($tracing)*, $($message)+)
    };
    (@level Error) => { tracing::Level::ERROR };
    (@level Warn) => { tracing::Level::WARN };
    (@level Info) => { tracing::Level::INFO };
    (@level Debug) => { tracing::Level::DEBUG };
    (@level Trace) => { tracing::Level::TRACE };
}

/// From where on the records have values that are `None`.
const NOTHING: usize = 18;

/// Every value that both ways can carry. Not among them: an `f32`, a `char` and bytes, which the
/// one has and the other lacks or changes.
fn all(schema: Schema) -> Vec<[Value; 2]> {
    let both = Both::new(schema);
    let text = "a\"b\\ \n\r\t\0\u{1b}[31m\u{7f}\u{9b}\u{2028}\u{202e} 世界 🌍";
    let long = "A".repeat(10_000);
    let (top, leaf) = (Failure(2), Failure(0));
    let address = std::net::Ipv6Addr::LOCALHOST;

    both!(both, Error, [n = u64::MAX], [n = u64::MAX], "unsigned");
    both!(both, Warn, [n = i64::MIN, m = -42, z = 0], [n = i64::MIN, m = -42, z = 0], "signed");
    both!(both, Info, [n = u128::MAX, m = 7_u128], [n = u128::MAX, m = 7_u128], "wide");
    both!(both, Info, [n = i128::MIN, m = -7_i128], [n = i128::MIN, m = -7_i128], "wide, signed");
    both!(
        both,
        Debug,
        [a = 19.99, b = 1e300, c = -0.0, d = f64::MIN_POSITIVE],
        [a = 19.99, b = 1e300, c = -0.0, d = f64::MIN_POSITIVE],
        "floats"
    );
    both!(
        both,
        Trace,
        [a = f64::NAN, b = f64::INFINITY, c = f64::NEG_INFINITY],
        [a = f64::NAN, b = f64::INFINITY, c = f64::NEG_INFINITY],
        "no numbers"
    );
    both!(both, Info, [yes = true, no = false], [yes = true, no = false], "booleans");
    both!(
        both,
        Info,
        [empty = "", digits = "12345", long = long.as_str()],
        [empty = "", digits = "12345", long = long.as_str()],
        "text"
    );
    both!(both, Info, [hostile = text], [hostile = text], "{text}");
    both!(both, Info, [a:% = address, b:% = text], [a = %address, b = %text], "display {}", 1);
    both!(both, Info, [a:? = [Some(1), None], b:? = text], [a = ?[Some(1), None], b = ?text],
        "debug {:?}", "x");
    both!(both, Error, [a:err = top, b:err = leaf],
        [a = &top as &(dyn Error + 'static), b = &leaf as &(dyn Error + 'static)], "errors");
    both!(both, Info, [before = 1, fails:% = Bad(false), panics:% = Bad(true), after = 2],
        [before = 1, fails = %Bad(false), panics = %Bad(true), after = 2], "bad values");
    both!(both, Info, [x = 1], [x = 1], "a message that fails: {}", Bad(false));
    both!(
        both,
        Info,
        ["dotted.name" = 1, r#type = 2, "a\"b" = 3, "世界" = 4],
        ["dotted.name" = 1, r#type = 2, "a\"b" = 3, "世界" = 4],
        "names"
    );
    both!(
        both,
        Info,
        [timestamp = 1, level = 2, thread = 3, spans = 4, span = 5, service = 6],
        [timestamp = 1, level = 2, thread = 3, spans = 4, span = 5, service = 6],
        "clashes"
    );
    both!(
        both,
        Info,
        [file = 1, line = 2, name = 3, trace_id = 4, truncated = 5, module = 6],
        [file = 1, line = 2, name = 3, trace_id = 4, truncated = 5, module = 6],
        "more clashes"
    );
    both!(
        both,
        Info,
        [password = "canary", "db.token" = 5],
        [password = "canary", "db.token" = 5],
        "secrets"
    );
    both!(
        both,
        Info,
        [a = None::<u32>, b = 1, c = None::<&str>, d = Some(2), e = None::<bool>],
        [a = None::<u32>, b = 1, c = None::<&str>, d = Some(2), e = None::<bool>],
        "nothing"
    );
    both!(
        both,
        Info,
        [level = None::<u8>, mt = None::<u8>, service = None::<u8>, password = None::<&str>],
        [level = None::<u8>, mt = None::<u8>, service = None::<u8>, password = None::<&str>],
        "nothing under names that are taken or secret"
    );
    let mut pairs = both.pairs();
    // What is `None` stands behind the others where it comes through the layer.
    pairs[NOTHING..].iter_mut().flatten().for_each(sort_attributes);
    pairs
}

#[test]
fn every_value_gives_the_same_object_in_every_schema() {
    for &schema in Schema::ALL {
        let pairs = all(schema);
        assert_eq!(pairs.len(), 20);
        for [log, tracing] in pairs {
            assert_eq!(log, tracing, "{schema:?}");
            assert!(!log.to_string().contains("canary"));
        }
    }
}

#[test]
fn the_objects_are_what_they_should_be() {
    let objects: Vec<Value> = all(Schema::Default).into_iter().map(|[log, _]| log).collect();
    assert_eq!(objects[0]["n"], u64::MAX);
    assert_eq!((&objects[0]["target"], &objects[0]["level"]), (&json!("shop"), &json!("ERROR")));
    assert_eq!((&objects[2]["n"], &objects[2]["m"]), (&json!(u128::MAX.to_string()), &json!(7)));
    assert_eq!((&objects[5]["a"], &objects[5]["c"]), (&json!("NaN"), &json!("-Infinity")));
    let chain = json!({"message": "failure 2\n", "chain": ["failure 1\n", "failure 0\n"]});
    assert_eq!((&objects[11]["a"], &objects[11]["b"]), (&chain, &json!("failure 0\n")));
    assert_eq!((&objects[12]["before"], &objects[12]["after"]), (&json!(1), &json!(2)));
    assert_eq!((&objects[14]["type"], &objects[14]["dotted.name"]), (&json!(2), &json!(1)));
    assert_eq!((&objects[15]["timestamp_"], &objects[15]["service_"]), (&json!(1), &json!(6)));
    assert_eq!(objects[17]["password"], "[redacted]");
    let nothing = objects[NOTHING].as_object().expect("an object");
    assert!(["a", "c", "e"].iter().all(|key| nothing.get(*key) == Some(&Value::Null)));
    assert_eq!((&nothing["b"], &nothing["d"]), (&json!(1), &json!(2)));
    let taken = objects[NOTHING + 1].as_object().expect("an object");
    assert_eq!((taken["level_"].clone(), taken["service_"].clone()), (json!(null), json!(null)));
    assert_eq!(taken["password"], "[redacted]");
}
