//! Lines that tell of the spans themselves.

use std::thread;
use std::time::{Duration, Instant};

use writer_core::BuildError;
use writer_core::json::{FormatBuilder, SpanLines};

/// Which lines a layer writes about the spans themselves; given to
/// [`LayerBuilder::span_events`](crate::LayerBuilder::span_events). The default is
/// [`SpanEvents::Off`].
///
/// Such a line has level and target of the span and lists the span as the innermost of `spans`.
/// The message is `new` or `close`; with `close` come `busy_ns`, the nanoseconds during which the
/// span was entered, and `idle_ns`, those of the rest of its life. Entered twice at a time, in one
/// thread or in two, it is busy once. A span that began before the layer was there has no such
/// lines.
///
/// In [`Schema::Logxpy`](crate::json::Schema::Logxpy) the lines carry `at` (the name), `st`
/// (`started`, `succeeded`, `failed`) and `dur` (seconds) instead of level and message. A span has
/// failed if a panic left it last, or if its own field `error` was recorded: the event that
/// `#[instrument(err)]` writes is none of it.
///
/// With [`sequence`](crate::LayerBuilder::sequence) these lines have a run and numbers of their own,
/// beside those of the events.
///
/// ```
/// use tracing_subscriber::prelude::*;
/// use writer_tracing::SpanEvents;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("app.jsonl");
/// let (layer, guard) =
///     writer_tracing::builder(&path).span_events(SpanEvents::NewAndClose).build()?;
/// tracing_subscriber::registry().with(layer).init();
/// tracing::info_span!("request", id = 7).in_scope(|| ());
/// drop(guard);
/// let text = std::fs::read_to_string(&path)?;
/// let lines: Vec<_> = text.lines().collect();
/// assert!(lines[0].ends_with(r#""message":"new","spans":[{"name":"request","id":7}]}"#));
/// assert!(lines[1].contains(r#""message":"close","busy_ns":"#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SpanEvents {
    /// None, and nothing is measured.
    #[default]
    Off,
    /// One when the span closes.
    Close,
    /// One when the span is made and one when it closes.
    NewAndClose,
}

impl SpanEvents {
    pub(crate) fn prepare(
        self,
        format: &FormatBuilder,
    ) -> Result<Option<(Self, SpanLines)>, BuildError> {
        match self {
            SpanEvents::Off => Ok(None),
            events => Ok(Some((events, format.span_lines()?))),
        }
    }
}

/// Where the time of a span went.
#[derive(Debug, Clone)]
pub(crate) struct Times {
    /// The end of what is added up.
    last: Instant,
    busy: Duration,
    idle: Duration,
    /// How many times it is entered now.
    entered: u32,
    /// It was entered last while the thread unwound: what leaves it then is not that panic.
    unwinding: bool,
    /// A panic left it last.
    panicked: bool,
}

impl Times {
    pub(crate) fn new() -> Self {
        let (busy, idle) = (Duration::ZERO, Duration::ZERO);
        Times { last: Instant::now(), busy, idle, entered: 0, unwinding: false, panicked: false }
    }

    pub(crate) fn enter(&mut self) {
        self.advance();
        self.entered += 1;
        self.unwinding = thread::panicking();
        self.panicked = false;
    }

    pub(crate) fn exit(&mut self) {
        self.advance();
        self.entered = self.entered.saturating_sub(1);
        self.panicked = thread::panicking() && !self.unwinding;
    }

    /// Busy, idle, and whether a panic has ended it.
    pub(crate) fn close(&mut self) -> (Duration, Duration, bool) {
        self.advance();
        (self.busy, self.idle, self.panicked)
    }

    fn advance(&mut self) {
        // Read under the lock, so that threads which enter at once do not go back in time.
        let now = Instant::now();
        let part = if self.entered > 0 { &mut self.busy } else { &mut self.idle };
        *part += now.saturating_duration_since(self.last);
        self.last = now;
    }
}
