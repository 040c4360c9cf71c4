//! Spans: which ones an event is in, and with which fields.

use crate::support;
use std::sync::Barrier;

use crate::support::{Log, all, all_with, one, spans};
use serde_json::json;
use tracing::field::Empty;
use tracing::{info, info_span};
use tracing_subscriber::Registry;
use tracing_subscriber::prelude::*;
use writer_tracing::json::{Part, Schema};

#[test]
fn the_innermost_span_comes_once_more_if_asked_for() {
    let body =
        || info_span!("outer").in_scope(|| info_span!("leaf", id = 7).in_scope(|| info!("m")));
    let leaf = json!({"name": "leaf", "id": 7});
    let lines = all_with(|builder| builder.span(true), body);
    assert_eq!(lines[0]["span"], leaf);
    assert_eq!(lines[0]["spans"], json!([{"name": "outer"}, leaf]));
    let lines = all_with(|builder| builder.span(true).span(false), body);
    assert!(!lines[0].contains_key("span") && lines[0].contains_key("spans"));
    let lines = all_with(|builder| builder.schema(Schema::Tracing).span(false), body);
    assert!(!lines[0].contains_key("span") && lines[0].contains_key("spans"));
    // A layer on a writer that exists.
    let log = Log::new();
    let (writer, guard) = writer_tracing::Writer::builder(log.path()).build().unwrap();
    let layer = writer_tracing::on(writer).span(true).layer();
    tracing::subscriber::with_default(Registry::default().with(layer), body);
    drop(guard);
    assert_eq!(support::read(&log.path())[0]["span"], leaf);
}

#[test]
fn nested_spans_come_root_first_with_their_fields() {
    let lines = all(|| {
        let request = info_span!("request", request_id = "7f3a");
        let _request = request.enter();
        info!("outer");
        let user = info_span!("user", user_id = 42, ok = true);
        user.in_scope(|| info!("inner"));
        info!("outer again");
    });
    let outer = r#"[{"name":"request","request_id":"7f3a"}]"#;
    assert_eq!(spans(&lines[0]), outer);
    assert_eq!(
        spans(&lines[1]),
        r#"[{"name":"request","request_id":"7f3a"},{"name":"user","ok":true,"user_id":42}]"#
    );
    assert_eq!(spans(&lines[2]), outer);
}

#[test]
fn an_explicit_parent_counts_and_not_the_entered_span() {
    let lines = all(|| {
        let a = info_span!("a");
        let b = info_span!(parent: &a, "b");
        let c = info_span!("c");
        let _c = c.enter();
        info!(parent: &b, "in a and b");
        info!(parent: &b, "once more");
        info!(parent: None, "in none");
        info!("in c");
        let root = info_span!(parent: None, "root");
        root.in_scope(|| info!("in root"));
    });
    assert_eq!(spans(&lines[0]), r#"[{"name":"a"},{"name":"b"}]"#);
    assert_eq!(spans(&lines[1]), r#"[{"name":"a"},{"name":"b"}]"#);
    assert_eq!(spans(&lines[2]), "");
    assert_eq!(spans(&lines[3]), r#"[{"name":"c"}]"#);
    assert_eq!(spans(&lines[4]), r#"[{"name":"root"}]"#);
}

#[test]
fn the_span_on_its_own_is_the_last_of_the_list_wherever_an_event_comes_from() {
    let lines = all_with(
        |builder| builder.show(Part::Span),
        || {
            let a = info_span!("a", id = 1);
            let b = info_span!(parent: &a, "b", id = 2, late = Empty);
            let c = info_span!("c");
            info!(parent: &b, "explicit, outside");
            let _c = c.enter();
            info!(parent: &b, "explicit");
            info!(parent: b.id(), "by its id");
            b.record("late", 1);
            info!(parent: &b, "explicit, changed");
            info!("current");
            b.in_scope(|| info!("in scope"));
            info!(parent: None, "none");
            a.follows_from(&c);
            c.follows_from(b.id());
            info!(parent: &a, "what it follows is no matter");
            info!("nor here");
        },
    );
    let names: Vec<_> = lines
        .iter()
        .map(|line| {
            let spans = line.get("spans").map(|spans| spans.as_array().unwrap());
            assert_eq!(line.get("span"), spans.map(|spans| spans.last().unwrap()));
            let names = spans.into_iter().flatten().map(|span| span["name"].as_str().unwrap());
            names.collect::<String>()
        })
        .collect();
    assert_eq!(names, ["ab", "ab", "ab", "ab", "c", "ab", "", "a", "c"]);
    assert_eq!(lines[3]["span"]["late"], 1);
}

#[test]
fn spans_left_out_of_order_are_followed() {
    let lines = all(|| {
        let a = info_span!("a");
        let b = info_span!("b");
        let in_a = a.enter();
        let in_b = b.enter();
        info!("b, which is no child of a");
        drop(in_a);
        info!("still b");
        drop(in_b);
        info!("none");
    });
    assert_eq!(spans(&lines[0]), r#"[{"name":"b"}]"#);
    assert_eq!(spans(&lines[1]), r#"[{"name":"b"}]"#);
    assert_eq!(spans(&lines[2]), "");
}

#[test]
fn fields_recorded_later_show_from_then_on() {
    let lines = all(|| {
        let span = info_span!("s", first = 1, later = Empty, never = Empty);
        let _entered = span.enter();
        info!("before");
        span.record("later", "x");
        info!("recorded");
        span.record("later", 7);
        span.record("first", "one, and longer than before");
        info!("recorded twice, with other types");
        span.record("unknown", 1);
        info!("nothing changed");
    });
    assert_eq!(spans(&lines[0]), r#"[{"first":1,"name":"s"}]"#);
    assert_eq!(spans(&lines[1]), r#"[{"first":1,"later":"x","name":"s"}]"#);
    let last = r#"[{"first":"one, and longer than before","later":7,"name":"s"}]"#;
    assert_eq!(spans(&lines[2]), last);
    assert_eq!(spans(&lines[3]), last);
}

#[test]
fn what_is_recorded_on_a_parent_shows_in_its_children() {
    let lines = all(|| {
        let parent = info_span!("parent", id = Empty);
        let child = info_span!(parent: &parent, "child");
        let _entered = child.enter();
        info!("before");
        parent.record("id", 1);
        info!("after");
        parent.record("id", 2);
        info!("after that");
    });
    assert_eq!(spans(&lines[0]), r#"[{"name":"parent"},{"name":"child"}]"#);
    assert_eq!(spans(&lines[1]), r#"[{"id":1,"name":"parent"},{"name":"child"}]"#);
    assert_eq!(spans(&lines[2]), r#"[{"id":2,"name":"parent"},{"name":"child"}]"#);
}

#[test]
fn fields_of_spans_clash_only_with_their_name() {
    let line = one(|| {
        let span = info_span!(
            "s",
            name = 1,
            message = 2,
            level = 3,
            target = 4,
            timestamp = 5,
            span = 6,
            spans = 7,
            r#type = 8
        );
        let _entered = span.enter();
        info!(level = 9, "x");
    });
    assert_eq!(
        spans(&line),
        r#"[{"level":3,"message":2,"name":"s","name_":1,"span":6,"spans":7,"target":4,"timestamp":5,"type":8}]"#
    );
    assert_eq!(line["level_"], 9);
}

#[test]
fn a_span_outlives_its_handle_while_children_live() {
    let line = one(|| {
        let parent = info_span!("parent", id = 1);
        let child = info_span!(parent: &parent, "child");
        drop(parent);
        child.in_scope(|| info!("x"));
    });
    assert_eq!(spans(&line), r#"[{"id":1,"name":"parent"},{"name":"child"}]"#);
}

#[test]
fn spans_that_follow_each_other_are_not_mixed_up() {
    const COUNT: usize = 20_000;
    let lines = all(|| {
        for id in 0..COUNT {
            info_span!("s", id).in_scope(|| info!("x"));
        }
    });
    assert_eq!(lines.len(), COUNT);
    for (id, line) in lines.iter().enumerate() {
        assert_eq!(line["spans"][0]["id"], id);
    }
}

#[test]
fn very_deep_spans_are_all_there() {
    const DEPTH: usize = 300;
    let lines = all(|| {
        let mut inner = info_span!("root");
        for level in 1..DEPTH {
            inner = info_span!(parent: &inner, "level", level);
        }
        inner.in_scope(|| {
            info!("one");
            info!("two");
        });
    });
    for line in lines {
        let spans = line["spans"].as_array().unwrap();
        assert_eq!(spans.len(), DEPTH);
        assert_eq!(spans[DEPTH - 1]["level"], DEPTH - 1);
    }
}

#[test]
fn a_span_that_moves_between_threads_takes_its_fields_along() {
    let lines = all(|| {
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let span = info_span!("task", step = Empty);
        for step in 0..3 {
            let (span, dispatch) = (&span, &dispatch);
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    tracing::dispatcher::with_default(dispatch, || {
                        span.record("step", step);
                        span.in_scope(|| info!(step, "elsewhere"));
                        info!("outside");
                    });
                });
            });
            span.in_scope(|| info!(step, "here"));
        }
    });
    assert_eq!(lines.len(), 9);
    for line in lines {
        match line.get("step") {
            Some(step) => assert_eq!(&line["spans"][0]["step"], step),
            None => assert_eq!(spans(&line), ""),
        }
    }
}

#[test]
fn each_thread_sees_its_own_spans_and_changes_of_others() {
    const THREADS: usize = 8;
    const EVENTS: usize = 200;
    let lines = all(|| {
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let shared = info_span!("shared", round = Empty);
        let start = Barrier::new(THREADS);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (dispatch, shared, start) = (&dispatch, &shared, &start);
                scope.spawn(move || {
                    tracing::dispatcher::with_default(dispatch, || {
                        let own = info_span!(parent: shared, "own", thread, event = Empty);
                        start.wait();
                        let _entered = own.enter();
                        for event in 0..EVENTS {
                            own.record("event", event);
                            shared.record("round", event);
                            info!(thread, event, "x");
                        }
                    });
                });
            }
        });
    });
    assert_eq!(lines.len(), THREADS * EVENTS);
    for line in lines {
        assert_eq!(line["spans"][0]["name"], "shared");
        assert!(line["spans"][0]["round"].is_u64());
        assert_eq!(line["spans"][1]["thread"], line["thread"]);
        assert_eq!(line["spans"][1]["event"], line["event"]);
    }
}

// Each node was dropped in the drop of its child: the process ended by a stack overflow.
#[test]
fn a_thread_that_is_the_last_to_remember_many_nested_spans_lives() {
    let log = Log::new();
    let (writer, guard) = writer_tracing::Writer::builder(log.path()).build().unwrap();
    let subscriber = Registry::default().with(writer_tracing::on(writer).layer());
    let nest_and_forget = move || {
        let mut spans: Vec<tracing::Span> = Vec::new();
        for depth in 0..20_000 {
            let parent = spans.last().and_then(tracing::Span::id);
            spans.push(info_span!(parent: parent, "deep", depth));
        }
        // From the inside out, as scopes end: so the registry has no chain to drop.
        while let Some(innermost) = spans.pop() {
            drop(innermost);
        }
        // The thread remembers sixteen: these take the places of those.
        let others: Vec<_> = (0..64).map(|number| info_span!("other", number)).collect();
        others[63].in_scope(|| info!("alive"));
    };
    let small = std::thread::Builder::new().stack_size(512 << 10);
    let thread = small
        .spawn(move || tracing::subscriber::with_default(subscriber, nest_and_forget))
        .unwrap();
    thread.join().unwrap();
    drop(guard);
    assert_eq!(support::read(&log.path())[0]["spans"], json!([{"name": "other", "number": 63}]));
}
