//! The options of a format.

use std::fmt;
use std::sync::Arc;

use super::clock::TimeSource;
use super::escape;
use super::format::Format;
use super::members::Members;
use super::name::Name;
use super::redact;
use super::schema::{Part, Rules, Schema};
use super::task::TaskIds;
use super::time::{Precision, TimeStyle};
use super::value::Value;
use crate::BuildError;
use crate::veil::Veil;

/// The default cap on a line, in bytes.
const MAX_RECORD: usize = 1 << 20;

/// The smallest cap: what a line needs besides its static fields.
const MIN_RECORD: usize = 4 << 10;

/// The largest cap. Positions in a line are kept in 32 bits.
const LARGEST_RECORD: usize = 1 << 30;

/// How integers beyond 64 bits are written. The default is [`WideIntegers::Strings`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum WideIntegers {
    /// Their digits as a string; the default.
    #[default]
    Strings,
    /// Always digits, though most readers round or refuse them.
    Digits,
}

/// How floats that are not finite are written, for which JSON has no numbers. The default is the
/// schema's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NonFinite {
    /// The strings `"NaN"`, `"Infinity"` and `"-Infinity"`.
    Strings,
    /// `null`, for readers that expect a number or nothing.
    Null,
}

/// Builds a [`Format`].
///
/// ```
/// use writer_core::json::{Format, Part, Precision};
///
/// let format = Format::builder()
///     .precision(Precision::Millis)
///     .show(Part::ThreadName)
///     .rename(Part::Level, "severity")
///     .static_field("service", |value| value.str("shop"))
///     .build()?;
/// # Ok::<(), writer_core::BuildError>(())
/// ```
#[must_use = "does nothing until `build` is called"]
#[derive(Debug, Clone)]
pub struct FormatBuilder {
    pub(super) schema: Schema,
    pub(super) renamed: [Option<Box<str>>; Part::COUNT],
    pub(super) shown: [Option<bool>; Part::COUNT],
    pub(super) time: Option<TimeStyle>,
    pub(super) precision: Precision,
    pub(super) time_source: TimeSource,
    pub(super) nest: Option<Box<str>>,
    pub(super) flat_spans: bool,
    pub(super) fixed: Fixed,
    pub(super) levels: Levels,
    pub(super) source_group: Option<Box<str>>,
    pub(super) non_finite: Option<NonFinite>,
    pub(super) redact: Vec<Box<str>>,
    pub(super) wide_integers: WideIntegers,
    pub(super) task_ids: TaskIds,
    pub(super) trace_prefix: Box<str>,
    pub(super) max_record_bytes: usize,
    pub(super) sequence: bool,
    /// For lines that tell of spans, in a schema that leaves level and message out of them.
    pub(super) span_lines: bool,
}

/// What the severities are called instead, as JSON, least severe first.
#[derive(Debug, Clone, Default)]
pub(super) struct Levels {
    pub(super) names: Option<[Box<str>; 5]>,
    pub(super) numbers: Option<[Box<str>; 5]>,
    /// The numbers were said last: where there is one member for both, they are in it.
    numbered: bool,
}

impl Levels {
    /// What is in the one member for names and numbers.
    pub(super) fn last(&self) -> Option<&[Box<str>; 5]> {
        if self.numbered { self.numbers.as_ref() } else { self.names.as_ref() }
    }
}

/// Static fields: their keys, and their values as JSON, which may be secrets that only
/// [`FormatBuilder::build`] takes out.
#[derive(Clone, Default)]
pub(super) struct Fixed(pub(super) Vec<(Box<str>, Box<str>)>);

impl fmt::Debug for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(key, json)| (key, Veil(json.len())))).finish()
    }
}

impl Default for FormatBuilder {
    fn default() -> Self {
        FormatBuilder {
            schema: Schema::Default,
            renamed: Default::default(),
            shown: Default::default(),
            time: None,
            precision: Precision::default(),
            time_source: TimeSource::default(),
            nest: None,
            flat_spans: false,
            fixed: Fixed::default(),
            levels: Levels::default(),
            source_group: None,
            non_finite: None,
            redact: Vec::new(),
            wide_integers: WideIntegers::default(),
            task_ids: TaskIds::default(),
            trace_prefix: "".into(),
            max_record_bytes: MAX_RECORD,
            sequence: false,
            span_lines: false,
        }
    }
}

impl FormatBuilder {
    /// Chooses the schema that the other options change. The order of the calls has no effect.
    pub fn schema(mut self, schema: Schema) -> Self {
        self.schema = schema;
        self
    }

    /// Shows a part of the metadata. Default: the schema's; in [`Schema::Default`] timestamp, level,
    /// target, message and spans.
    pub fn show(mut self, part: Part) -> Self {
        self.shown[part as usize] = Some(true);
        self
    }

    /// Leaves a part of the metadata out. Its key is then free for fields; the keys of
    /// [`Part::Span`] and [`Part::Spans`] stay taken, and `log_level` in [`Schema::Logxpy`].
    pub fn hide(mut self, part: Part) -> Self {
        self.shown[part as usize] = Some(false);
        self
    }

    /// Sets whether the innermost span stands in the line once more, on its own under `span`:
    /// [`Part::Span`]. Default: the schema's, in most of them not.
    pub fn span(mut self, span: bool) -> Self {
        self.shown[Part::Span as usize] = Some(span);
        self
    }

    /// Gives a part of the metadata another key. It does not show the part. Without effect in
    /// [`Schema::Otel`] on what OTLP itself has a name for: timestamp, level, target, message and
    /// the ids of trace and span.
    pub fn rename(mut self, part: Part, key: &str) -> Self {
        self.renamed[part as usize] = Some(key.into());
        self
    }

    /// Sets how timestamps are written. The default is the schema's, mostly RFC 3339 in UTC.
    /// Without effect in [`Schema::Otel`].
    pub fn time_style(mut self, style: TimeStyle) -> Self {
        self.time = Some(style);
        self
    }

    /// Sets how many decimals of a second timestamps show. Default: six.
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Sets which clock gives records their time, where the caller gives none. Default:
    /// [`TimeSource::Counted`].
    pub fn time_source(mut self, source: TimeSource) -> Self {
        self.time_source = source;
        self
    }

    /// Puts the fields into an object of their own under this key. The default is the schema's,
    /// mostly none. Without effect in [`Schema::Otel`], whose attributes they are.
    pub fn nest_fields(mut self, key: &str) -> Self {
        self.nest = Some(key.into());
        self
    }

    /// Puts the fields of the spans among those of the record instead of the list of spans, as
    /// [`Schema::Logxpy`] always does: those of the inner span before those of the outer. Where two
    /// have one name, that of the record keeps it, then that of the inner span; the others get `_`
    /// appended. The names of the spans are not shown; with `show(Part::Spans)` the list stays.
    pub fn flatten_spans(mut self) -> Self {
        self.flat_spans = true;
        self
    }

    /// Gives the severities other names, least severe first. The default is the schema's, mostly
    /// `TRACE`, `DEBUG`, `INFO`, `WARN`, `ERROR`. In [`Schema::Otel`] they are the `severityText`,
    /// beside the number; elsewhere the last call of this and [`Self::level_numbers`] counts.
    pub fn level_names(mut self, names: [&str; 5]) -> Self {
        (self.levels.names, self.levels.numbered) =
            (Some(names.map(|name| escape::quoted(name).into())), false);
        self
    }

    /// Writes the severities as numbers, least severe first. In [`Schema::Otel`] they are the
    /// `severityNumber`, for which OTLP has 1 to 24, beside the text; elsewhere the last call of this
    /// and [`Self::level_names`] counts.
    pub fn level_numbers(mut self, numbers: [i64; 5]) -> Self {
        let numbers = numbers.map(|number| number.to_string().into());
        (self.levels.numbers, self.levels.numbered) = (Some(numbers), true);
        self
    }

    /// Puts module, file and line, as far as they are shown, into an object of their own under this
    /// key. The default is the schema's, mostly none. Without effect in [`Schema::Otel`].
    pub fn group_source(mut self, key: &str) -> Self {
        self.source_group = Some(key.into());
        self
    }

    /// Sets how floats that are not finite are written. The default is the schema's: `null` in
    /// [`Schema::Ecs`] and [`Schema::Gcp`], strings elsewhere.
    pub fn non_finite(mut self, style: NonFinite) -> Self {
        self.non_finite = Some(style);
        self
    }

    /// Writes [`REDACTED`](super::REDACTED) in the place of every value whose key is one of these,
    /// in records, spans and static fields. Default: none. Further calls add to the list.
    ///
    /// A key is meant if it is one of the words, or ends in one that is a segment of its own:
    /// `password` also covers `db.password`, `user_password`, `X-Password`, `userPassword` and
    /// `DBPassword`, but neither `password_hint` nor `passwordless`, `password_` nor `DBPASSWORD`.
    /// Upper and lower case are the same, `-` and `_` are too, `private_key` also covers
    /// `privateKey`, and the other way round. The value is neither formatted nor queued. Messages
    /// are not searched.
    ///
    /// Keys inside nested values count like those of fields, at any depth. A static field with such
    /// a key inside is redacted whole.
    ///
    /// ```
    /// use writer_core::Severity;
    /// use writer_core::json::{Format, Meta};
    ///
    /// let format = Format::builder().redact_defaults().redact(["pin"]).build()?;
    /// let meta = Meta::new(Severity::Info, "shop");
    /// format.encode(
    ///     &meta,
    ///     |record| {
    ///         record.field("card_pin").u64(1234);
    ///         record.field("Authorization").str("Bearer 7f3a");
    ///     },
    ///     |_, line| {
    ///         let fields = r#""card_pin":"[redacted]","Authorization":"[redacted]"}"#;
    ///         assert!(line.trim_ascii_end().ends_with(fields.as_bytes()));
    ///     },
    /// );
    /// # Ok::<(), writer_core::BuildError>(())
    /// ```
    pub fn redact(mut self, keys: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.redact.extend(keys.into_iter().map(|key| key.as_ref().into()));
        self
    }

    /// Adds the usual names of secrets to those of [`FormatBuilder::redact`]: `password`, `passwd`,
    /// `pwd`, `passphrase`, `secret`, `token`, `authorization`, `cookie`, `set-cookie`, `api_key`,
    /// `apikey`, `access_key`, `private_key`, `credential`, `credentials`.
    pub fn redact_defaults(self) -> Self {
        self.redact(redact::DEFAULTS.iter().copied())
    }

    /// Adds a member that every line has, after the metadata; in [`Schema::Otel`] an attribute of
    /// the resource. Its value is encoded at once, as [`Schema::Default`] has it, also where the
    /// schema or [`FormatBuilder::non_finite`] and [`FormatBuilder::wide_integers`] say otherwise
    /// of the fields of records; without a value it is `null`. It takes the place of a constant
    /// that the schema has under the same key. In [`Schema::Otel`] an array or an object is the
    /// string of its JSON, and so is a float that is not finite.
    ///
    /// ```
    /// use writer_core::Severity;
    /// use writer_core::json::{Format, Meta};
    ///
    /// let format = Format::builder()
    ///     .static_field("service", |value| value.str("shop"))
    ///     .static_field("shard", |value| value.u64(3)) // `value.serialize(..)` with `serde`
    ///     .build()?;
    /// format.encode(
    ///     &Meta::new(Severity::Info, "shop"),
    ///     |record| record.message().str("started"),
    ///     |_, line| {
    ///         let fields = r#""service":"shop","shard":3,"message":"started"}"#;
    ///         assert!(line.trim_ascii_end().ends_with(fields.as_bytes()));
    ///     },
    /// );
    /// # Ok::<(), writer_core::BuildError>(())
    /// ```
    pub fn static_field(mut self, key: &str, value: impl FnOnce(Value<'_>)) -> Self {
        let mut members = Members::default();
        members.out.set_limit(LARGEST_RECORD);
        // Typed at the end, where the schema asks for it: it may still change.
        let rules = Rules { options: Schema::Default.table().options, ..Rules::default() };
        value(Value { members: &mut members, rules: &rules, site: None, name: Name::Bare });
        let json = match members.out.buf.strip_suffix(b",") {
            Some(json) => String::from_utf8_lossy(json),
            None => "null".into(),
        };
        self.fixed.0.push((key.into(), json.into()));
        self
    }

    /// Sets how integers beyond 64 bits are written. Default: as strings.
    pub fn wide_integers(mut self, style: WideIntegers) -> Self {
        self.wide_integers = style;
        self
    }

    /// Sets how the ids of tasks look, in [`Schema::Logxpy`] and where [`Part::TaskId`] is shown.
    /// Default: short ones.
    pub fn task_ids(mut self, ids: TaskIds) -> Self {
        self.task_ids = ids;
        self
    }

    /// Writes this text before the id of the trace where [`Part::TraceId`] shows it, if the id is
    /// as [W3C trace context](https://www.w3.org/TR/trace-context/#trace-id) has it, 32 hexadecimal
    /// digits; any other is written as it is. Default: none. Without effect in [`Schema::Otel`].
    ///
    /// Google Cloud links a line with a trace by [the name of the
    /// trace](https://cloud.google.com/trace/docs/trace-log-integration), which begins with the
    /// project that has it:
    ///
    /// ```
    /// use writer_core::json::{Format, Schema};
    ///
    /// let format = Format::builder()
    ///     .schema(Schema::Gcp)
    ///     .trace_prefix("projects/shop-4711/traces/")
    ///     .build()?;
    /// # Ok::<(), writer_core::BuildError>(())
    /// ```
    pub fn trace_prefix(mut self, prefix: &str) -> Self {
        self.trace_prefix = prefix.into();
        self
    }

    /// Sets the cap on the length of a line, in bytes. Default: 1 MiB.
    ///
    /// Beyond it output is counted and not stored: the string that crosses it is cut between two
    /// characters, later members are left out, and the line ends with `"truncated":true` and
    /// `"original_bytes"`, the length that the whole line would have had. A string of the metadata
    /// may fill an eighth of the line, a span a quarter.
    ///
    /// The room for these marks is kept free: the last 256 bytes below the cap, 384 in
    /// [`Schema::Otel`], and more where the schema has keys for traces or tasks. A line that needs
    /// that room for other members is cut as well.
    pub fn max_record_bytes(mut self, bytes: usize) -> Self {
        self.max_record_bytes = bytes;
        self
    }

    /// Builds the format.
    ///
    /// # Errors
    ///
    /// [`BuildError::InvalidOption`] if two keys of the metadata or of static fields are equal, or
    /// if the cap is below 4 KiB, above 1 GiB, or below eight times the length of what every line
    /// carries.
    pub fn build(self) -> Result<Format, BuildError> {
        if !(MIN_RECORD..=LARGEST_RECORD).contains(&self.max_record_bytes) {
            return invalid("max_record_bytes", "it must be between 4 KiB and 1 GiB");
        }
        let mut clash = None;
        let inner = self.inner(&mut |option| clash = Some(option));
        if let Some(option) = clash {
            return invalid(option, "the key is used twice");
        }
        if inner.every_line() > inner.limit / 8 {
            return invalid("max_record_bytes", "keys and static fields fill too much of the line");
        }
        Ok(Format { inner: Arc::new(inner) })
    }
}

fn invalid<T>(option: &'static str, reason: &'static str) -> Result<T, BuildError> {
    Err(BuildError::InvalidOption { option, reason })
}
