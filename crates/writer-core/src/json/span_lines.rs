//! Lines that tell of a span's beginning and end.

use std::time::Duration;

use super::build::FormatBuilder;
use super::format::{Encoded, Format, Meta};
use super::span_list::SpanList;
use crate::{BuildError, Severity};

/// What the lines look like that tell of a span's beginning and end; made by
/// [`FormatBuilder::span_lines`].
///
/// In most schemas their messages are `new` and `close`, and the second has the fields `busy_ns`
/// and `idle_ns`: numbers, in nanoseconds. In a schema with tasks they have neither level nor
/// message, but `at` with the span's name, `st` with `started`, `succeeded` or `failed`, and at the
/// end `dur`, the seconds from beginning to end.
///
/// ```
/// use std::time::Duration;
/// use writer_core::Severity;
/// use writer_core::json::{Format, Meta, SpanList, SpanMoment};
///
/// let builder = Format::builder();
/// let (lines, format) = (builder.span_lines()?, builder.build()?);
/// let mut spans = SpanList::new();
/// spans.push(&format.span("request"));
/// let close = SpanMoment::Close {
///     busy: Duration::from_micros(3),
///     idle: Duration::ZERO,
///     failed: false,
/// };
/// let meta = Meta::new(Severity::Info, "shop");
/// let encoded = lines.encode(&meta, "request", close, &spans, |_, line| line.to_vec());
/// let line = encoded.map(|encoded| encoded.result).unwrap_or_default();
/// let end = br#""message":"close","busy_ns":3000,"idle_ns":0,"spans":[{"name":"request"}]}"#;
/// assert!(line.trim_ascii_end().ends_with(end));
/// # Ok::<(), writer_core::BuildError>(())
/// ```
#[derive(Debug, Clone)]
pub struct SpanLines {
    format: Format,
    tasks: bool,
}

/// What a line tells of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpanMoment {
    /// It has begun.
    New,
    /// It has ended.
    Close {
        /// How long it was entered.
        busy: Duration,
        /// The rest of its life.
        idle: Duration,
        /// What it stands for has failed.
        failed: bool,
    },
}

impl FormatBuilder {
    /// Builds the format of the lines that tell of spans, to go with the format that this builder
    /// makes for records.
    ///
    /// # Errors
    ///
    /// As [`FormatBuilder::build`].
    pub fn span_lines(&self) -> Result<SpanLines, BuildError> {
        let mut builder = self.clone();
        let tasks = builder.schema.table().tasks;
        builder.span_lines = tasks;
        Ok(SpanLines { format: builder.build()?, tasks })
    }
}

impl SpanLines {
    /// Encodes one line and hands it to `done`, as [`Format::encode`] does. The span itself is the
    /// innermost of `spans`, whose spans are of the format that goes with this one. `name` is its
    /// name, which a schema with tasks shows as `at`.
    pub fn encode<R>(
        &self,
        meta: &Meta<'_>,
        name: &str,
        moment: SpanMoment,
        spans: &SpanList,
        done: impl FnOnce(Severity, &[u8]) -> R,
    ) -> Option<Encoded<R>> {
        self.format.encode(
            meta,
            |record| {
                if self.tasks {
                    record.field("at").str(name);
                }
                match moment {
                    SpanMoment::New if self.tasks => record.field("st").str("started"),
                    SpanMoment::New => record.message().str("new"),
                    SpanMoment::Close { busy, idle, failed } if self.tasks => {
                        record.field("st").str(if failed { "failed" } else { "succeeded" });
                        record.field("dur").f64((busy + idle).as_secs_f64());
                    }
                    SpanMoment::Close { busy, idle, .. } => {
                        record.message().str("close");
                        record.field("busy_ns").u64(nanos(busy));
                        record.field("idle_ns").u64(nanos(idle));
                    }
                }
                // The first place inside a span is kept for the line that tells of its beginning.
                let place = (moment == SpanMoment::New).then_some(1);
                record.span_list_at(spans, place);
            },
            done,
        )
    }
}

/// Enough for 584 years.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
