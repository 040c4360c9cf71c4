//! What needs the dispatcher of the process: a `Display` that logs, destructors of thread-locals.
//! A scoped dispatcher anywhere would hide it, so these are one test.

#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::cell::RefCell;
use std::fmt;

use support::{Log, read, spans};
use tracing::{Span, field::Empty, info, info_span};
use tracing_subscriber::prelude::*;

/// Logs as often as its number says, each time from inside the one before.
struct Logs(u32);

impl fmt::Display for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 > 0 {
            info!(inner = %Logs(self.0 - 1), "from a Display");
        }
        write!(f, "shown {}", self.0)
    }
}

/// Records a field of the span that it is a field of, and logs inside it.
struct Meddles(Span);

impl fmt::Display for Meddles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.record("other", 1);
        self.0.in_scope(|| info!("from inside"));
        f.write_str("meddled")
    }
}

struct LogsWhenDropped(Option<Span>);

impl Drop for LogsWhenDropped {
    fn drop(&mut self) {
        info!("from a destructor");
        if let Some(span) = self.0.take() {
            span.in_scope(|| info!("from a destructor, in a span"));
        }
    }
}

thread_local! {
    static FIRST: RefCell<Option<LogsWhenDropped>> = const { RefCell::new(None) };
    static LAST: RefCell<Option<LogsWhenDropped>> = const { RefCell::new(None) };
}

#[test]
fn code_of_the_user_may_log_wherever_it_runs() {
    let log = Log::new();
    let (layer, guard) = writer_tracing::layer(log.path()).unwrap();
    tracing_subscriber::registry().with(layer).init();
    let flush = || {
        guard.writer().flush(std::time::Duration::from_secs(10)).unwrap();
        read(&log.path())
    };

    // Inner records come first, and all are there.
    info_span!("s").in_scope(|| info!(value = %Logs(3), "outermost"));
    let lines = flush();
    let inner: Vec<_> =
        lines.iter().map(|line| line.get("inner").map(ToString::to_string)).collect();
    let shown = |text: &str| Some(format!("\"{text}\""));
    assert_eq!(inner, [shown("shown 0"), shown("shown 1"), shown("shown 2"), None]);
    assert_eq!(lines[3]["value"], "shown 3");
    assert!(lines.iter().all(|line| spans(line) == r#"[{"name":"s"}]"#));

    // A chain without end is cut, and the process lives.
    let before = lines.len();
    info!(value = %Logs(1000), "endless");
    let after = flush().len();
    assert!(after - before < 20, "{}", after - before);
    assert!(guard.writer().metrics().format_errors >= 1);

    // The fields of a span.
    let span = info_span!("s", value = %Logs(1), late = Empty, other = Empty);
    span.record("late", tracing::field::display(Meddles(span.clone())));
    span.in_scope(|| info!("done"));
    let lines = flush();
    let tail: Vec<_> =
        lines[after..].iter().map(|line| (line["message"].as_str(), spans(line))).collect();
    assert_eq!(
        tail,
        [
            (Some("from a Display"), String::new()),
            (Some("from inside"), r#"[{"name":"s","other":1,"value":"shown 1"}]"#.to_owned()),
            (
                Some("done"),
                r#"[{"late":"meddled","name":"s","other":1,"value":"shown 1"}]"#.to_owned()
            ),
        ]
    );

    // Destructors of thread-locals, set before and after the layer's own.
    let before = lines.len();
    std::thread::spawn(|| {
        FIRST.set(Some(LogsWhenDropped(None)));
        let span = info_span!("of the thread", id = 1);
        span.in_scope(|| info!("alive"));
        LAST.set(Some(LogsWhenDropped(Some(span))));
    })
    .join()
    .unwrap();
    let lines = flush();
    let messages: Vec<_> = lines[before..].iter().map(|line| &line["message"]).collect();
    assert_eq!(messages.len(), 4, "{messages:?}");
    drop(guard);
}
