//! The layer among others: filters, several at once, `fmt`, `tracing-log`.

use crate::support::{Log, all, all_with, read, spans};
use serde_json::json;
use tracing::level_filters::LevelFilter;
use tracing::{Level, debug, info, info_span, subscriber::with_default};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Layer, Registry, fmt};
use writer_tracing::Writer;
use writer_tracing::json::Part;

#[test]
fn two_layers_write_the_same_events_in_formats_of_their_own() {
    let log = Log::new();
    let (plain, guard) = writer_tracing::layer(log.path()).unwrap();
    let (other, other_guard) =
        writer_tracing::builder(log.other()).rename(Part::Message, "msg").build().unwrap();
    with_default(Registry::default().with(plain).with(other), || {
        let span = info_span!("s", id = 1);
        let _entered = span.enter();
        for _ in 0..3 {
            info!(a = 1, "x");
        }
    });
    drop((guard, other_guard));
    for (path, key) in [(log.path(), "message"), (log.other(), "msg")] {
        let lines = read(&path);
        assert_eq!(lines.len(), 3);
        for line in lines {
            assert_eq!((&line[key], &line["a"]), (&json!("x"), &json!(1)));
            assert_eq!(spans(&line), r#"[{"id":1,"name":"s"}]"#);
        }
    }
}

#[test]
fn several_layers_write_into_one_file() {
    let log = Log::new();
    let (writer, guard) = Writer::builder(log.path()).build().unwrap();
    let one = writer_tracing::on(writer.clone()).static_field("from", |v| v.u64(1)).layer();
    let two = writer_tracing::on(writer).static_field("from", |v| v.u64(2)).try_layer().unwrap();
    with_default(Registry::default().with(vec![one, two]), || info!("x"));
    drop(guard);
    let lines = read(&log.path());
    assert_eq!((&lines[0]["from"], &lines[1]["from"]), (&json!(1), &json!(2)));
}

#[test]
fn a_format_that_cannot_work_is_an_error_and_leaves_no_file() {
    let log = Log::new();
    let failed = writer_tracing::builder(log.path()).rename(Part::Level, "target").build();
    assert!(failed.is_err());
    assert!(!log.path().exists());
}

#[test]
fn a_filter_of_the_layer_hides_events_and_spans() {
    let log = Log::new();
    let (layer, guard) = writer_tracing::layer(log.path()).unwrap();
    let (every, every_guard) = writer_tracing::layer(log.other()).unwrap();
    let filter =
        filter_fn(|metadata| metadata.name() != "hidden" && *metadata.level() <= Level::INFO);
    let subscriber = Registry::default().with(layer.with_filter(filter)).with(every);
    with_default(subscriber, || {
        let outer = info_span!("outer", id = 1);
        let _outer = outer.enter();
        let hidden = info_span!("hidden");
        let _hidden = hidden.enter();
        info!("in hidden");
        debug!("not for the first");
        let inner = info_span!("inner");
        inner.in_scope(|| {
            info!("in inner");
            info!("in inner");
        });
        info!("in hidden");
    });
    drop((guard, every_guard));
    let seen: Vec<_> = read(&log.path()).iter().map(spans).collect();
    let outer = r#"[{"id":1,"name":"outer"}]"#;
    let inner = r#"[{"id":1,"name":"outer"},{"name":"inner"}]"#;
    assert_eq!(seen, [outer, inner, inner, outer]);
    let lines = read(&log.other());
    assert_eq!(lines.len(), 5);
    assert_eq!(spans(&lines[2]), r#"[{"id":1,"name":"outer"},{"name":"hidden"},{"name":"inner"}]"#);
}

#[test]
fn a_console_in_colour_and_a_json_layer_beside_it_share_nothing_with_it() {
    // The layers of `fmt` format the fields of a span once for all of a kind: where one writes in
    // colour, its escape sequences end up in the JSON of the other.
    for first in [true, false] {
        let log = Log::new();
        let (layer, guard) = writer_tracing::layer(log.path()).unwrap();
        let (console, console_guard) = Writer::builder(log.other()).build().unwrap();
        let console = writer_tracing::make_writer(console);
        let colour = fmt::layer().with_ansi(true).with_writer(console.clone());
        let json = fmt::layer().json().with_writer(console);
        let mut layers = vec![colour.boxed(), json.boxed(), layer.boxed()];
        layers.rotate_right(usize::from(first));
        with_default(Registry::default().with(layers), || {
            let span = info_span!("s", id = 1, text = "\u{1b}[1m", late = tracing::field::Empty);
            span.record("late", 2);
            span.in_scope(|| info!(value = "\u{1b}[31m", "x"));
        });
        drop((guard, console_guard));
        let text = std::fs::read_to_string(log.path()).unwrap();
        assert!(!text.contains('\u{1b}'), "{text}");
        let line = read(&log.path()).remove(0);
        let span = json!({"name": "s", "id": 1, "text": "\u{1b}[1m", "late": 2});
        assert_eq!((&line["spans"], &line["value"]), (&json!([span]), &json!("\u{1b}[31m")));
        let console = std::fs::read_to_string(log.other()).unwrap();
        assert_eq!(console.lines().count(), 2);
        assert!(console.contains("\u{1b}["), "the console is in colour: {console}");
    }
}

#[test]
fn two_of_our_layers_may_be_one_after_the_other() {
    let log = Log::new();
    let (one, guard) = writer_tracing::layer(log.path()).unwrap();
    let (two, other_guard) = writer_tracing::builder(log.other()).show(Part::Span).build().unwrap();
    let both = one.with_filter(LevelFilter::INFO).and_then(two.with_filter(LevelFilter::DEBUG));
    with_default(Registry::default().with(both), || {
        let outer = info_span!("outer", id = 1, late = tracing::field::Empty).entered();
        let inner = tracing::debug_span!("inner", id = 2).entered();
        outer.record("late", 3);
        info!("x");
        debug!("y");
        drop(inner);
    });
    drop((guard, other_guard));
    let outer = json!({"name": "outer", "id": 1, "late": 3});
    let lines = read(&log.path());
    assert_eq!((lines.len(), &lines[0]["spans"]), (1, &json!([outer])));
    let lines = read(&log.other());
    let inner = json!({"name": "inner", "id": 2});
    assert_eq!((lines.len(), &lines[1]["spans"]), (2, &json!([outer, inner])));
    assert!(lines.iter().all(|line| line["span"] == inner));
}

#[test]
fn make_writer_carries_whole_json_lines_of_many_threads() {
    const THREADS: usize = 4;
    const EVENTS: usize = 250;
    let log = Log::new();
    let (writer, guard) = Writer::builder(log.path()).build().unwrap();
    let subscriber = fmt().json().with_writer(writer_tracing::make_writer(writer.clone())).finish();
    let dispatch = tracing::Dispatch::new(subscriber);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let dispatch = &dispatch;
            scope.spawn(move || {
                tracing::dispatcher::with_default(dispatch, || {
                    for event in 0..EVENTS {
                        info!(thread, event, long = "x".repeat(event * 40), "x");
                    }
                });
            });
        }
    });
    drop(guard);
    assert_eq!(writer.metrics().sent, (THREADS * EVENTS) as u64);
    assert_eq!(read(&log.path()).len(), THREADS * EVENTS);
}

#[test]
fn records_of_the_log_crate_keep_their_metadata() {
    let lines = all_with(
        |builder| builder.show(Part::Module).show(Part::File).show(Part::Line),
        || {
            let full = log::Record::builder()
                .args(format_args!("from log"))
                .level(log::Level::Warn)
                .target("shop::orders")
                .module_path(Some("shop"))
                .file(Some("src/orders.rs"))
                .line(Some(7))
                .build();
            tracing_log::format_trace(&full).unwrap();
            let bare = log::Record::builder().args(format_args!("bare")).target("t").build();
            tracing_log::format_trace(&bare).unwrap();
        },
    );
    let mut full = lines[0].clone();
    full.remove("timestamp").unwrap();
    assert_eq!(
        serde_json::Value::Object(full),
        json!({"level": "WARN", "target": "shop::orders", "module": "shop",
            "file": "src/orders.rs", "line": 7, "message": "from log"})
    );
    let keys: Vec<_> = lines[1].keys().map(String::as_str).collect();
    assert_eq!(keys, ["level", "message", "target", "timestamp"]);
}

#[test]
fn an_event_that_only_looks_like_one_of_the_log_crate_stays_as_it_is() {
    let lines = all(|| info!(target: "log", { log.target = "x" }, "y"));
    assert_eq!(lines[0]["target"], "log");
    assert_eq!(lines[0]["log.target"], "x");
}
