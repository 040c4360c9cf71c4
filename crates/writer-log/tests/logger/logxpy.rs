//! The lines of logxpy, through the macros of `log`.

use crate::keys;
use std::time::Duration;

use log::{Level, LevelFilter, Log, Record};
use serde_json::{Value, json};
use writer_core::json::{Part, Schema, TaskIds};
use writer_log::{LogBuilder, Logger};

/// What is logged to a logger of this schema, line by line; no key stands twice in any.
fn lines_of(
    change: impl FnOnce(LogBuilder) -> LogBuilder,
    log: impl FnOnce(&Logger),
) -> Vec<String> {
    log::set_max_level(LevelFilter::Trace);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.jsonl");
    let builder = writer_log::builder(&path).schema(Schema::Logxpy).filter("trace");
    let (logger, guard) = change(builder).build().unwrap();
    log(&logger);
    guard.shutdown(Duration::from_secs(10)).unwrap();
    let lines: Vec<_> =
        std::fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
    for line in &lines {
        assert_eq!(keys::repeated_keys(line), [""; 0], "{line}");
    }
    lines
}

fn read(log: impl FnOnce(&Logger)) -> Vec<Value> {
    let lines = lines_of(|builder| builder, log);
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The keys of the line in their order, where no value holds a quote.
fn keys(line: &str) -> Vec<&str> {
    line.split("\":").filter_map(|part| part.rsplit_once('"')).map(|(_, key)| key).collect()
}

#[test]
fn a_63_a_line_has_its_compact_keys_in_order() {
    let lines = lines_of(
        |builder| builder,
        |logger| log::info!(logger: logger, key = "value"; "Test message"),
    );
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(
        keys(&line[..line.len() - "\"value\"}".len()]),
        ["ts", "tid", "lvl", "mt", "logger", "msg", "key"]
    );
    assert!(!line.contains(",}") && !line.contains('\n'), "{line}");
    let line: Value = serde_json::from_str(line).unwrap();
    assert!(line["ts"].is_f64() && line["ts"].as_f64().unwrap() > 1.7e9, "{line}");
    assert!(!line["tid"].as_str().unwrap().is_empty());
    assert_eq!(line["lvl"], json!([1]));
    assert_eq!((&line["mt"], &line["msg"]), (&json!("info"), &json!("Test message")));
    assert_eq!((&line["logger"], &line["key"]), (&json!("logger::logxpy"), &json!("value")));
}

#[test]
fn a_64_levels_are_message_types_and_below_the_filter_there_is_no_line() {
    let log =
        |logger: &Logger| Level::iter().for_each(|level| log::log!(logger: logger, level, ""));
    let types: Vec<Value> = read(log).iter().map(|line| line["mt"].clone()).collect();
    assert_eq!(types, ["error", "warning", "info", "debug", "debug"]);
    assert_eq!(read(log)[4]["log_level"], "TRACE");
    assert_eq!(lines_of(|builder| builder.filter("warn"), log).len(), 2);
    assert_eq!(lines_of(|builder| builder.level(LevelFilter::Off), log).len(), 0);
}

#[test]
fn a_65_hostile_messages_are_one_line_each_and_read_back_equal() {
    let long = "A".repeat(10_000);
    let texts = ["say \"hi\"", "a\\b", "two\nlines", "tab\there", "Hello 世界 🌍", "", &long];
    let lines = read(|logger| {
        texts.iter().for_each(|text| log::info!(logger: logger, text = *text; "{text}"));
    });
    assert_eq!(lines.len(), texts.len());
    for (line, text) in lines.iter().zip(texts) {
        assert_eq!((&line["msg"], &line["text"]), (&json!(text), &json!(text)));
    }
}

#[test]
fn a_66_values_keep_their_types() {
    let line = read(|logger| {
        log::info!(logger: logger,
            text = "text", int = 42, negative = -42, zero = 0, float = 19.99, yes = true,
            no = false, digits = "12345"; "types");
    })
    .remove(0);
    for (key, value) in [
        ("text", json!("text")),
        ("int", json!(42)),
        ("negative", json!(-42)),
        ("zero", json!(0)),
        ("float", json!(19.99)),
        ("yes", json!(true)),
        ("no", json!(false)),
        ("digits", json!("12345")),
    ] {
        assert_eq!(line[key], value, "{key}");
    }
}

#[test]
fn a_66_what_is_unset_is_left_out() {
    let shown = [Part::Module, Part::File, Part::Line, Part::ThreadName];
    let lines = lines_of(
        |builder| shown.into_iter().fold(builder, LogBuilder::show),
        |logger| {
            let log_both = || {
                let mut record = Record::builder();
                record.level(Level::Info).target("shop").args(format_args!("m"));
                let nothing = [("nothing", None::<i32>)];
                logger.log(&record.key_values(&nothing).build());
                let place = record.module_path_static(Some("m")).file_static(Some("f"));
                logger.log(&place.line(Some(7)).build());
            };
            std::thread::scope(|scope| {
                let join = |thread: std::thread::ScopedJoinHandle<'_, ()>| thread.join().unwrap();
                join(scope.spawn(log_both));
                join(
                    std::thread::Builder::new()
                        .name("n".into())
                        .spawn_scoped(scope, log_both)
                        .unwrap(),
                );
            });
        },
    );
    let [nothing, place, name, all] = &lines[..] else { panic!("{lines:?}") };
    let missing = |line: &str| {
        let (full, line) = (keys(all), keys(line));
        assert!(line.len() <= full.len() && !line.contains(&"nothing"), "{line:?}");
        full.into_iter().filter(|key| !line.contains(key)).collect::<Vec<_>>()
    };
    assert_eq!(missing(nothing), ["module", "file", "line", "thread"]);
    assert_eq!(missing(place), ["thread"]);
    assert_eq!(missing(name), ["module", "file", "line"]);
    let all: Value = serde_json::from_str(all).unwrap();
    assert_eq!((&all["module"], &all["file"], &all["line"]), (&json!("m"), &json!("f"), &json!(7)));
    assert_eq!(all["thread"], json!("n"));
}

#[cfg(feature = "serde")]
#[test]
fn a_66_lists_and_objects_are_nested() {
    let object = json!({"a": 1, "b": {"c": [true, "12345"]}});
    let line = read(|logger| {
        log::info!(logger: logger, list:serde = [1, 2, 3], object:serde = object; "nested");
    })
    .remove(0);
    assert_eq!((&line["list"], &line["object"]), (&json!([1, 2, 3]), &object));
}

#[test]
fn a_67_hostile_names_and_floats_make_valid_lines_without_a_key_twice() {
    let lines = lines_of(
        |builder| builder,
        |logger| {
            log::info!(logger: logger,
                "a\"b" = 1, ts = 2, msg = 3, tid = 4, lvl = 5, mt = 6, log_level = 7, logger = 8,
                nan = f64::NAN, infinite = f64::INFINITY; "clash");
        },
    );
    let line: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(line["a\"b"], 1);
    let taken = ["ts", "msg", "tid", "lvl", "mt", "log_level", "logger"];
    for (key, value) in taken.into_iter().zip(2..) {
        assert_eq!(line[format!("{key}_")], value, "{key}");
    }
    assert_eq!((&line["nan"], &line["infinite"]), (&json!("NaN"), &json!("Infinity")));
    assert_eq!((&line["msg"], &line["lvl"]), (&json!("clash"), &json!([1])));
}

#[test]
fn a_68_all_lines_of_a_process_have_one_short_task() {
    let log = |logger: &Logger| (0..3).for_each(|n| log::info!(logger: logger, n = n; "task"));
    let lines = [read(log), read(log)].concat();
    let task = lines[0]["tid"].as_str().unwrap();
    let (prefix, number) = task.split_once('.').unwrap();
    assert_eq!(prefix.len(), 2, "{task}");
    assert!(task.len() <= 12 && !number.is_empty(), "{task}");
    assert!((prefix.to_owned() + number).chars().all(|c| c.is_ascii_alphanumeric()), "{task}");
    assert!(lines.iter().all(|line| line["tid"] == task), "{lines:?}");
    assert_eq!(lines.len(), 6);
}

#[test]
fn a_68_the_task_of_a_process_may_be_a_uuid() {
    let log = |logger: &Logger| (0..3).for_each(|n| log::info!(logger: logger, n = n; "task"));
    let lines = lines_of(|builder| builder.task_ids(TaskIds::Uuid), log);
    let tasks =
        lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()["tid"].clone());
    let tasks: Vec<_> = tasks.collect();
    let task = tasks[0].as_str().unwrap();
    assert_eq!(task.len(), 36, "{task}");
    assert_eq!(task.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    assert!(tasks.len() == 3 && tasks.iter().all(|other| other == task), "{tasks:?}");
}

#[test]
fn a_key_value_names_the_message_types_that_are_no_level() {
    let lines = read(|logger| {
        log::info!(logger: logger, mt = "success", n = 1; "done");
        log::error!(logger: logger, n = 2, mt = "critical"; "on fire");
        log::info!(logger: logger, mt = "note"; "");
        log::info!(logger: logger, mt = "other"; "");
    });
    let types: Vec<_> = lines.iter().map(|line| &line["mt"]).collect();
    assert_eq!(types, ["success", "critical", "note", "info"]);
    assert!(lines[..3].iter().all(|line| line.get("mt_").is_none()), "{lines:?}");
    assert_eq!(
        (&lines[0]["n"], &lines[1]["n"], &lines[3]["mt_"]),
        (&json!(1), &json!(2), &json!("other"))
    );
}

#[test]
fn secrets_never_reach_the_file() {
    struct Unasked;
    impl std::fmt::Display for Unasked {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("a secret is not even formatted");
        }
    }
    for schema in [Schema::Default, Schema::Logxpy, Schema::Tracing, Schema::Otel] {
        let lines = lines_of(
            |builder| builder.schema(schema).redact_defaults().redact(["pin"]),
            |logger| {
                log::info!(logger: logger,
                    password = "canary", "db.password" = "canary", userPassword = "canary",
                    "X-API-Key" = "canary", Authorization = "Bearer canary", token:? = "canary",
                    secret:% = Unasked, card_pin = 123_454_321, passwordless = "shown";
                    "login");
            },
        );
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert!(!line.contains("canary") && !line.contains("123454321"), "{line}");
        assert_eq!(line.matches("[redacted]").count(), 8, "{line}");
        assert!(line.contains("shown") && !line.contains("format_error"), "{line}");
    }
}

#[test]
fn what_is_nothing_is_left_out() {
    let lines = read(|logger| {
        log::info!(logger: logger, a = None::<u8>, b = 1, c = (), password = None::<&str>; "m");
    });
    assert_eq!(lines[0]["b"], 1);
    let keys = lines[0].as_object().unwrap();
    assert!(!["a", "c", "password"].iter().any(|key| keys.contains_key(*key)), "{keys:?}");
}
