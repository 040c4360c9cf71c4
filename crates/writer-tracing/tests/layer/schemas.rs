//! What the schemas take out of spans: tasks, fields, ids.

use crate::support::{Log, all_with, read};
use serde_json::{Map, Value, json};
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing::{debug, error, info, info_span, subscriber::with_default, trace, warn};
use tracing_subscriber::Registry;
use tracing_subscriber::prelude::*;
use writer_tracing::json::{Part, Schema, TaskIds};

fn logxpy(body: impl FnOnce()) -> Vec<Map<String, Value>> {
    all_with(|builder| builder.schema(Schema::Logxpy).hide(Part::Target), body)
}

/// The line without what differs each time.
fn rest(line: &Map<String, Value>) -> Value {
    let mut line = line.clone();
    assert!(line.remove("ts").unwrap().as_f64().unwrap() > 1.7e9);
    assert!(line.remove("tid").unwrap().as_str().unwrap().contains('.'));
    Value::Object(line)
}

#[test]
fn a_line_of_logxpy_has_its_keys_in_order_and_no_others() {
    let log = Log::new();
    let (layer, guard) =
        writer_tracing::builder(log.path()).schema(Schema::Logxpy).build().unwrap();
    with_default(Registry::default().with(layer), || {
        info!(target: "shop", key = "value", "Test message");
    });
    drop(guard);
    let text = std::fs::read_to_string(log.path()).unwrap();
    let parts = ["{\"ts\":", ",\"tid\":\"", "\",\"lvl\":[1],\"mt\":\"info\""];
    let places: Vec<_> = parts.iter().map(|part| text.find(part).unwrap()).collect();
    assert!(places[0] == 0 && places.is_sorted(), "{text}");
    let end = ",\"logger\":\"shop\",\"msg\":\"Test message\",\"key\":\"value\"}\n";
    assert!(text.ends_with(end), "{text}");
    assert!(!text.contains(",}"));
}

#[test]
fn levels_of_logxpy_have_its_names_and_what_is_filtered_has_no_line() {
    let log = Log::new();
    let (layer, guard) =
        writer_tracing::builder(log.path()).schema(Schema::Logxpy).build().unwrap();
    with_default(Registry::default().with(layer.with_filter(LevelFilter::DEBUG)), || {
        error!("");
        warn!("");
        info!("");
        debug!("");
        trace!("");
    });
    drop(guard);
    let lines = read(&log.path());
    let types: Vec<_> = lines.iter().map(|line| line["mt"].as_str().unwrap()).collect();
    assert_eq!(types, ["error", "warning", "info", "debug"]);
    assert!(lines.iter().all(|line| line["tid"] == lines[0]["tid"] && line["lvl"] == json!([1])));
}

#[test]
fn a_root_span_is_a_task_and_the_fields_of_all_spans_are_merged() {
    let lines = logxpy(|| {
        info!("outside");
        let request = info_span!("request", request_id = "r-1", later = Empty);
        let _request = request.enter();
        info!("in request");
        request.record("later", 1);
        request.record("later", 2);
        let user = info_span!("user", user_id = 7);
        user.in_scope(|| info!(count = 1, "in user"));
        info!("in request again");
        info_span!(parent: None, "another").in_scope(|| info!("in another"));
        info!(parent: None, "outside");
    });
    assert_eq!(rest(&lines[0]), json!({"lvl": [1], "mt": "info", "msg": "outside"}));
    let expected = [
        json!({"lvl": [2], "mt": "info", "msg": "in request", "request_id": "r-1"}),
        json!({"lvl": [3, 2], "mt": "info", "msg": "in user", "count": 1, "user_id": 7,
            "request_id": "r-1", "later": 2}),
        json!({"lvl": [4], "mt": "info", "msg": "in request again", "request_id": "r-1",
            "later": 2}),
    ];
    for (line, expected) in lines[1..].iter().zip(expected) {
        assert_eq!(rest(line), expected);
        assert_eq!(line["tid"], lines[1]["tid"]);
    }
    assert_eq!(lines[5]["tid"], lines[0]["tid"]);
    assert_ne!(lines[1]["tid"], lines[0]["tid"]);
    assert_ne!(lines[4]["tid"], lines[1]["tid"]);
    assert_ne!(lines[4]["tid"], lines[0]["tid"]);
    assert_eq!(lines[4]["lvl"], json!([2]));
}

#[test]
fn tasks_may_have_uuids_one_for_each_root_span() {
    let lines = all_with(
        |builder| builder.schema(Schema::Logxpy).task_ids(TaskIds::Uuid),
        || {
            info!("outside");
            info_span!("a").in_scope(|| {
                info!("in a");
                info_span!("b").in_scope(|| info!("in b"));
            });
            info_span!("c").in_scope(|| info!("in c"));
            info!("outside");
        },
    );
    let ids: Vec<_> = lines.iter().map(|line| line["tid"].as_str().unwrap()).collect();
    assert!(ids.iter().all(|id| id.len() == 36 && id.split('-').count() == 5), "{ids:?}");
    assert_eq!((ids[0], ids[1]), (ids[4], ids[2]));
    assert!(ids[0] != ids[1] && ids[1] != ids[3] && ids[3] != ids[0], "{ids:?}");
}

#[test]
fn a_field_names_the_message_types_that_are_no_level() {
    let lines = logxpy(|| {
        let _span = info_span!("s", mt = "note").entered();
        for round in 0..2 {
            info!(mt = "success", round, "done");
            error!(round, mt = "critical", "on fire");
            debug!(mt = round, "");
        }
    });
    let types: Vec<_> = lines.iter().map(|line| &line["mt"]).collect();
    let round = ["success", "critical", "debug"];
    assert_eq!(types, [round, round].concat());
    for line in &lines {
        assert_eq!(line[if line["mt"] == "debug" { "mt__" } else { "mt_" }], "note");
    }
    assert_eq!((&lines[2]["mt_"], &lines[5]["mt_"]), (&json!(0), &json!(1)));
}

#[test]
fn the_inner_of_two_equal_names_hides_the_outer() {
    let lines = logxpy(|| {
        let _outer = info_span!("outer", id = 1, ts = "hostile").entered();
        let _inner = info_span!("inner", id = 2).entered();
        info!("spans");
        info!(id = 3, "event");
    });
    assert_eq!((&lines[0]["id"], &lines[0]["id_"]), (&json!(2), &json!(1)));
    let ids = [&lines[1]["id"], &lines[1]["id_"], &lines[1]["id__"]];
    assert_eq!(ids, [&json!(3), &json!(2), &json!(1)]);
    assert_eq!(lines[1]["ts_"], "hostile");
}

#[test]
fn every_line_inside_carries_the_ids_of_its_spans() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";
    let cases = [
        (Schema::Otel, "/resourceLogs/0/scopeLogs/0/logRecords/0", "traceId", "spanId"),
        (Schema::Gcp, "", "logging.googleapis.com/trace", "logging.googleapis.com/spanId"),
        (Schema::Ecs, "", "trace.id", "span.id"),
    ];
    for (schema, record, trace, span) in cases {
        let lines = all_with(
            |builder| builder.schema(schema),
            || {
                info!("outside");
                let server = info_span!("server", trace_id = TRACE, span_id = SPAN);
                let _server = server.enter();
                info!("root");
                let request = info_span!("request", span_id = Empty);
                let _request = request.enter();
                info!("inherits");
                request.record("span_id", "53995c3f42cd8ad8");
                info!("its own");
            },
        );
        let ids = lines.into_iter().map(|line| {
            let line = Value::Object(line);
            let record = line.pointer(record).unwrap();
            [trace, span].map(|key| record.get(key).map(|id| id.as_str().unwrap().to_owned()))
        });
        let both = |span: &str| [Some(TRACE.to_owned()), Some(span.to_owned())];
        let expected = [[None, None], both(SPAN), both(SPAN), both("53995c3f42cd8ad8")];
        assert_eq!(ids.collect::<Vec<_>>(), expected, "{schema:?}");
    }
}

#[test]
fn hostile_messages_names_and_values_stay_valid_in_logxpy() {
    let long = "A".repeat(10_000);
    let messages = ["a \"b\" \\ \n \t", "Hello 世界 🌍", "", &long];
    let lines = logxpy(|| {
        for message in messages {
            info!("{message}");
        }
        info!("a\"b" = 1, ts = 2, msg = 3, lvl = 4, nan = f64::NAN, inf = f64::INFINITY, "x");
    });
    for (line, message) in lines.iter().zip(messages) {
        assert_eq!(line["msg"], message);
    }
    let expected = json!({"lvl": [1], "mt": "info", "msg": "x", "a\"b": 1, "ts_": 2, "msg_": 3,
        "lvl_": 4, "nan": "NaN", "inf": "Infinity"});
    assert_eq!(rest(&lines[4]), expected);
}
