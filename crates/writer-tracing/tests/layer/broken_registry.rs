//! A registry that panics: what the layer asks of it costs the program nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{Log, read};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::with_default;
use tracing::{Event, Metadata, Subscriber, info, info_span};
use tracing_subscriber::Registry;
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;

/// What the registry panics with; its destructor panics too.
struct Again;

impl Drop for Again {
    fn drop(&mut self) {
        panic!("on purpose, in a destructor");
    }
}

/// A registry whose spans cannot be looked up while it is broken.
struct Breakable {
    registry: Registry,
    broken: Arc<AtomicBool>,
}

impl<'a> LookupSpan<'a> for Breakable {
    type Data = <Registry as LookupSpan<'a>>::Data;

    fn span_data(&'a self, id: &Id) -> Option<Self::Data> {
        if self.broken.load(Ordering::Relaxed) {
            std::panic::panic_any(Again);
        }
        self.registry.span_data(id)
    }
}

impl Subscriber for Breakable {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.registry.enabled(metadata)
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        self.registry.new_span(attributes)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        self.registry.record(id, values);
    }

    fn record_follows_from(&self, id: &Id, follows: &Id) {
        self.registry.record_follows_from(id, follows);
    }

    fn event(&self, event: &Event<'_>) {
        self.registry.event(event);
    }

    fn enter(&self, id: &Id) {
        self.registry.enter(id);
    }

    fn exit(&self, id: &Id) {
        self.registry.exit(id);
    }
}

#[test]
fn a_panic_of_the_registry_is_counted_and_reaches_nobody() {
    let log = Log::new();
    let (layer, guard) = writer_tracing::layer(log.path()).unwrap();
    let broken = Arc::new(AtomicBool::new(false));
    let registry = Breakable { registry: Registry::default(), broken: Arc::clone(&broken) };
    with_default(registry.with(layer), || {
        info!("before");
        broken.store(true, Ordering::Relaxed);
        let span = info_span!("unknown", late = tracing::field::Empty);
        assert_eq!(guard.writer().metrics().format_errors, 1, "a new span");
        span.record("late", 1);
        assert_eq!(guard.writer().metrics().format_errors, 2, "a field");
        broken.store(false, Ordering::Relaxed);
        span.in_scope(|| info!("after"));
    });
    drop(guard);
    let lines = read(&log.path());
    let seen: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(seen, ["before", "after"]);
}
