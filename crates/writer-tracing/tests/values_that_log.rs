//! `fmt`, which comes after this layer, formats a value under the registry's lock on its span, and
//! the value logs: this layer must know the spans of its events without that lock. One process, one
//! test.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::fmt;
use std::sync::mpsc;
use std::time::Duration;

use support::{Log, read};
use tracing::field::{Empty, display};
use tracing::{info, info_span};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::prelude::*;

/// Logs in a span of its own, and then in those around it.
struct Logs;

impl fmt::Display for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        info_span!(target: "value", "inner").in_scope(|| info!(target: "value", "inside"));
        info!(target: "value", "outside");
        f.write_str("value")
    }
}

/// It hung for ever once the inner span displaced the outer one among those that a thread remembers:
/// at the 23rd of these.
#[test]
fn a_value_recorded_in_a_span_may_open_another_and_log_in_both() {
    const ROUNDS: usize = 200;
    let log = Log::new();
    let (layer, guard) = writer_tracing::layer(log.path()).unwrap();
    let fmt = tracing_subscriber::fmt::layer().with_writer(std::io::sink);
    let fmt = fmt.with_filter(filter_fn(|metadata| metadata.target() != "value"));
    tracing_subscriber::registry().with(layer).with(fmt).init();
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for round in 0..ROUNDS {
            let outer = info_span!("outer", round, value = Empty);
            let _entered = outer.enter();
            // More spans are open than the thread has places for.
            kept.push(info_span!("kept"));
            outer.record("value", display(Logs));
        }
        drop(kept);
        done.send(()).unwrap();
    });
    is_done.recv_timeout(Duration::from_secs(60)).expect("the thread hangs");
    drop(guard);
    let lines = read(&log.path());
    // Both layers format the value.
    assert_eq!(lines.len(), 2 * 2 * ROUNDS);
    for (at, line) in lines.iter().enumerate() {
        let inner = line["message"] == "inside";
        assert_eq!(inner, at % 2 == 0);
        let spans = line["spans"].as_array().unwrap();
        let names: Vec<_> = spans.iter().map(|span| &span["name"]).collect();
        assert_eq!(names, if inner { &["outer", "inner"][..] } else { &["outer"] }, "{line:?}");
    }
}
