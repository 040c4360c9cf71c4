//! Setting up a layer.

use writer_core::json::{Format, FormatBuilder};
use writer_core::{BuildError, Writer, WriterBuilder, WriterGuard};

use crate::layer::JsonLayer;
use crate::span_events::SpanEvents;

/// Sets up a layer together with its writer: made by [`builder`](crate::builder()), ended by
/// [`build`](Self::build).
///
/// It has the settings of [`WriterBuilder`] and those of [`FormatBuilder`].
///
/// A static field stands in every line. With the feature `serde` its value may be any `Serialize`:
///
#[cfg_attr(feature = "serde", doc = "```")]
#[cfg_attr(not(feature = "serde"), doc = "```ignore")]
/// use serde_json::json;
/// use tracing_subscriber::prelude::*;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("app.jsonl");
/// let (layer, guard) = writer_tracing::builder(&path)
///     .static_field("service", |value| value.str("shop"))
///     .static_field("host", |value| value.serialize(&json!({"tags": ["a", "b"], "zone": "eu"})))
///     .build()?;
/// tracing_subscriber::registry().with(layer).init();
/// tracing::info!("started");
/// drop(guard);
/// let fields = r#""service":"shop","host":{"tags":["a","b"],"zone":"eu"},"message":"started"}"#;
/// # let text = std::fs::read_to_string(&path)?;
/// assert!(text.trim_end().ends_with(fields), "{text}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct LayerBuilder {
    writer: WriterBuilder,
    format: FormatBuilder,
    span_events: SpanEvents,
}

impl LayerBuilder {
    pub(crate) fn new(writer: WriterBuilder) -> Self {
        LayerBuilder { writer, format: Format::builder(), span_events: SpanEvents::Off }
    }

    writer_core::__writer_options!(writer);
    writer_core::__format_options!(format);

    /// Also writes lines that tell of the spans themselves. Default: [`SpanEvents::Off`].
    pub fn span_events(mut self, events: SpanEvents) -> Self {
        self.span_events = events;
        self
    }

    /// Opens the file, starts the worker and makes the layer.
    ///
    /// # Errors
    ///
    /// A [`BuildError`] for settings that cannot work and for a file that cannot be opened. Then
    /// nothing runs. Settings of the lines are looked at first; what later errors may leave is said
    /// at [`WriterBuilder::build`].
    pub fn build(self) -> Result<(JsonLayer, WriterGuard), BuildError> {
        let span_events = self.span_events.prepare(&self.format)?;
        let format = self.format.build()?;
        let (writer, guard) = self.writer.build()?;
        Ok((JsonLayer::new(writer, format, span_events), guard))
    }
}

/// Sets up a layer on a writer that exists: made by [`on`](crate::on), ended by
/// [`layer`](Self::layer) or [`try_layer`](Self::try_layer).
///
/// It has the settings of [`FormatBuilder`].
#[derive(Debug)]
#[must_use = "a builder does nothing until `layer` is called"]
pub struct LayerOn {
    writer: Writer,
    format: FormatBuilder,
    span_events: SpanEvents,
}

impl LayerOn {
    pub(crate) fn new(writer: Writer) -> Self {
        LayerOn { writer, format: Format::builder(), span_events: SpanEvents::Off }
    }

    writer_core::__format_options!(format);

    /// Also writes lines that tell of the spans themselves. Default: [`SpanEvents::Off`].
    pub fn span_events(mut self, events: SpanEvents) -> Self {
        self.span_events = events;
        self
    }

    /// Makes the layer. Without a change to the format this cannot fail.
    ///
    /// # Panics
    ///
    /// If the settings of the format cannot work, for example if two keys are the same;
    /// [`try_layer`](Self::try_layer) returns an error instead.
    pub fn layer(self) -> JsonLayer {
        match self.try_layer() {
            Ok(layer) => layer,
            Err(error) => panic!("the format of the layer cannot work: {error}"),
        }
    }

    /// Makes the layer.
    ///
    /// # Errors
    ///
    /// A [`BuildError`] if the settings of the format cannot work.
    pub fn try_layer(self) -> Result<JsonLayer, BuildError> {
        let span_events = self.span_events.prepare(&self.format)?;
        let format = self.format.build()?;
        Ok(JsonLayer::new(self.writer, format, span_events))
    }
}
