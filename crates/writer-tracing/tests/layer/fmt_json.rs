//! `Schema::Tracing` is what `tracing_subscriber::fmt().json()` prints.
//!
//! The same events go through both. What is compared is the parsed JSON without the timestamp.
//! The two differ, and the events here do not have it, in:
//!
//! * keys that are there twice: fmt repeats them, here the later one gets a `_`;
//! * 128-bit integers: strings of digits in fmt, here digits while they fit 64 bits;
//! * floats that are not finite: `null` in fmt, here `"NaN"` and so on;
//! * bytes: fmt has them as `[00 ff]` in events and as arrays of numbers in spans, here they are
//!   hexadecimal strings in both;
//! * raw identifiers: `r#type` in events of fmt, here `type`;
//! * variants without fields through `valuable`: `{"Open":[]}` in fmt, here `"Open"`;
//! * `parent: None`: fmt lists the current span, here there is none;
//! * spans that are entered without being the child of the one entered before, and explicit
//!   parents: fmt's `spans` are those entered, here they lead from the root to `span`;
//! * threads without a name: fmt has their number as `threadName`, here there is none.

use std::fmt;

use crate::support::{Log, read};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::Value;
use tracing::field::{Empty, debug, display};
use tracing::{Level, Span, event, info, span, subscriber::with_default};
use tracing_subscriber::Registry;
use tracing_subscriber::prelude::*;
use writer_tracing::Writer;
use writer_tracing::json::{Part, Schema};

#[derive(Debug, Clone)]
struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed: {}", self.0)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&fmt::Error)
    }
}

/// What is not there is not recorded.
#[derive(Debug, Clone)]
struct Fields {
    unsigned: Option<u64>,
    signed: Option<i64>,
    float: Option<f64>,
    yes: Option<bool>,
    text: Option<String>,
    debug: Option<String>,
    display: Option<String>,
    error: Option<Failure>,
}

fn fields() -> impl Strategy<Value = Fields> {
    let finite = prop::num::f64::POSITIVE | prop::num::f64::NEGATIVE | prop::num::f64::ZERO;
    (
        of(any::<u64>()),
        of(any::<i64>()),
        of(finite),
        of(any::<bool>()),
        of(any::<String>()),
        of(any::<String>()),
        of(any::<String>()),
        of(any::<String>().prop_map(Failure)),
    )
        .prop_map(|(unsigned, signed, float, yes, text, debug, display, error)| Fields {
            unsigned,
            signed,
            float,
            yes,
            text,
            debug,
            display,
            error,
        })
}

#[derive(Debug, Clone)]
struct Event {
    site: usize,
    message: Option<String>,
    fields: Fields,
}

fn event() -> impl Strategy<Value = Event> {
    (0..8_usize, of(any::<String>()), fields()).prop_map(|(site, message, fields)| Event {
        site,
        message,
        fields,
    })
}

impl Event {
    fn emit(&self) {
        let Fields { unsigned, signed, float, yes, .. } = self.fields;
        let text = self.fields.text.as_deref();
        let shown = self.fields.display.as_ref().map(display);
        let debugged = self.fields.debug.as_ref().map(debug);
        let error = self.fields.error.as_ref().map(|error| error as &dyn std::error::Error);
        let message = self.message.as_deref();
        // Each use of a macro is a call site.
        macro_rules! site {
            ($level:expr, $target:expr) => {
                match message {
                    Some(message) => event!(
                        target: $target, $level, unsigned, signed, float, yes, text, shown,
                        debugged, error, "{message}"
                    ),
                    None => event!(
                        target: $target, $level, unsigned, signed, float, yes, text, shown,
                        debugged, error
                    ),
                }
            };
        }
        match self.site {
            0 => site!(Level::TRACE, "shop"),
            1 => site!(Level::DEBUG, "shop::orders"),
            2 => site!(Level::INFO, "with \"quotes\""),
            3 => site!(Level::WARN, "shop"),
            4 => site!(Level::ERROR, "shop::orders"),
            5 => event!(Level::INFO, unsigned, message, dotted.name = text, "literal key" = yes),
            6 => info!(text, message),
            _ => info!("a plain message with {unsigned:?} and {text:?}"),
        }
    }
}

#[derive(Debug, Clone)]
struct Layered {
    site: bool,
    fields: Fields,
    /// Recorded one after the other.
    later: Vec<Fields>,
}

fn layered() -> impl Strategy<Value = Layered> {
    (any::<bool>(), fields(), vec(fields(), 0..3)).prop_map(|(site, fields, later)| Layered {
        site,
        fields,
        later,
    })
}

impl Layered {
    fn span(&self) -> Span {
        let Fields { unsigned, signed, float, yes, .. } = self.fields;
        let text = self.fields.text.as_deref();
        if self.site {
            let shown = self.fields.display.as_ref().map(display);
            let debugged = self.fields.debug.as_ref().map(debug);
            let error = self.fields.error.as_ref().map(|error| error as &dyn std::error::Error);
            span!(
                Level::INFO,
                "request",
                unsigned,
                signed,
                float,
                yes,
                text,
                shown,
                debugged,
                error,
                late = Empty
            )
        } else {
            span!(target: "db", Level::ERROR, "a \"query\"", text, yes, late = Empty, r#type = 1)
        }
    }

    fn record(&self, span: &Span) {
        for fields in &self.later {
            if let Some(value) = fields.unsigned {
                span.record("late", value);
            }
            if let Some(value) = &fields.text {
                span.record("late", value.as_str());
            }
            if let Some(value) = fields.yes {
                span.record("yes", value);
            }
            if let Some(value) = &fields.debug {
                span.record("text", debug(value));
            }
        }
    }
}

/// The first event outside, the next in one span, and so on, with all of them again on the way out.
fn emit(spans: &[Layered], events: &[Event]) {
    let Some((event, events)) = events.split_first() else { return };
    event.emit();
    if let Some((layered, spans)) = spans.split_first() {
        let span = layered.span();
        span.in_scope(|| emit(spans, events));
        layered.record(&span);
        span.in_scope(|| event.emit());
    }
    event.emit();
}

/// Equal; floats may differ in the last place, where `serde_json` reads them inexactly.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().all(|(key, value)| theirs.get(key).is_some_and(|v| same(value, v)))
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| same(a, b))
        }
        (Value::Number(a), Value::Number(b)) if a.is_f64() && b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= a.abs() * 1e-15
        }
        _ => ours == theirs,
    }
}

fn compare(long: bool, body: impl FnOnce()) {
    let log = Log::new();
    let mut builder = writer_tracing::builder(log.path()).schema(Schema::Tracing);
    if long {
        for part in [Part::File, Part::Line, Part::ThreadName, Part::ThreadId] {
            builder = builder.show(part);
        }
    }
    let (ours, guard) = builder.build().unwrap();
    let (writer, other) = Writer::builder(log.other()).build().unwrap();
    let theirs = tracing_subscriber::fmt::layer()
        .json()
        .with_file(long)
        .with_line_number(long)
        .with_thread_names(long)
        .with_thread_ids(long)
        .with_writer(writer_tracing::make_writer(writer));
    with_default(Registry::default().with(ours).with(theirs), body);
    drop((guard, other));
    let (ours, theirs) = (read(&log.path()), read(&log.other()));
    assert_eq!(ours.len(), theirs.len());
    for (mut ours, mut theirs) in ours.into_iter().zip(theirs) {
        for line in [&mut ours, &mut theirs] {
            let time = line.remove("timestamp").unwrap();
            assert!(time.as_str().unwrap().ends_with('Z'));
        }
        let (ours, theirs) = (Value::Object(ours), Value::Object(theirs));
        assert!(same(&ours, &theirs), "\n  ours {ours}\ntheirs {theirs}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn events_in_spans_are_those_of_fmt(
        long in any::<bool>(),
        spans in vec(layered(), 0..5),
        events in vec(event(), 1..7),
    ) {
        compare(long, || emit(&spans, &events));
    }
}

#[test]
fn every_call_site_without_fields_is_that_of_fmt() {
    let fields = Fields {
        unsigned: None,
        signed: None,
        float: None,
        yes: None,
        text: None,
        debug: None,
        display: None,
        error: None,
    };
    for message in [None, Some(String::new()), Some("x".to_owned())] {
        compare(true, || {
            for site in 0..8 {
                Event { site, message: message.clone(), fields: fields.clone() }.emit();
            }
        });
    }
}
