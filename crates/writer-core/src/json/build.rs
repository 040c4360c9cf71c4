//! The options of a format, and how they become tables of ready-made pieces.

use std::process;
use std::sync::Arc;

use super::buf::Buf;
use super::escape;
use super::format::{Format, Inner};
use super::keys::Reserved;
use super::members::{Members, Name};
use super::schema::{MessageKey, ORIGINAL_BYTES, Part, Rules, Schema, TRUNCATED, Table};
use super::time::{Precision, TimeStyle};
use super::value::Value;
use crate::BuildError;

/// The default cap on a line, in bytes.
const MAX_RECORD: usize = 1 << 20;

/// The smallest cap: what a line needs besides its static fields.
const MIN_RECORD: usize = 4 << 10;

/// The largest cap. Positions in a line are kept in 32 bits.
const LARGEST_RECORD: usize = 1 << 30;

/// Kept free at the end of a line: closing marks of what is open, `truncated`, `original_bytes`.
const RESERVE: usize = 256;

/// How integers beyond 64 bits are written. The default is [`WideIntegers::Strings`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WideIntegers {
    /// Their digits as a string; the default.
    #[default]
    Strings,
    /// Always digits, though most readers round or refuse them.
    Digits,
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
#[derive(Debug, Clone)]
pub struct FormatBuilder {
    schema: Schema,
    renamed: [Option<Box<str>>; Part::COUNT],
    shown: [Option<bool>; Part::COUNT],
    time: Option<TimeStyle>,
    precision: Precision,
    nest: Option<Box<str>>,
    fixed: Vec<(Box<str>, Box<[u8]>)>,
    wide_integers: Option<WideIntegers>,
    max_record_bytes: usize,
}

impl Default for FormatBuilder {
    fn default() -> Self {
        FormatBuilder {
            schema: Schema::Default,
            renamed: Default::default(),
            shown: Default::default(),
            time: None,
            precision: Precision::default(),
            nest: None,
            fixed: Vec::new(),
            wide_integers: None,
            max_record_bytes: MAX_RECORD,
        }
    }
}

impl FormatBuilder {
    /// Chooses the schema that the other options change. The order of the calls has no effect.
    pub fn schema(mut self, schema: Schema) -> Self {
        self.schema = schema;
        self
    }

    /// Shows a part of the metadata. Default: timestamp, level, target, message and spans.
    pub fn show(mut self, part: Part) -> Self {
        self.shown[part as usize] = Some(true);
        self
    }

    /// Leaves a part of the metadata out. Its key is then free for fields,
    /// save those of the spans.
    pub fn hide(mut self, part: Part) -> Self {
        self.shown[part as usize] = Some(false);
        self
    }

    /// Gives a part of the metadata another key. It does not show the part.
    pub fn rename(mut self, part: Part, key: &str) -> Self {
        self.renamed[part as usize] = Some(key.into());
        self
    }

    /// Sets how timestamps are written. The default is the schema's, mostly RFC 3339 in UTC.
    pub fn time_style(mut self, style: TimeStyle) -> Self {
        self.time = Some(style);
        self
    }

    /// Sets how many decimals of a second timestamps show. Default: six.
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Puts the fields into an object of their own under this key. The default is the schema's,
    /// mostly none.
    pub fn nest_fields(mut self, key: &str) -> Self {
        self.nest = Some(key.into());
        self
    }

    /// Adds a member that every line has, after the metadata. Its value is encoded at once; without
    /// a value it is `null`.
    pub fn static_field(mut self, key: &str, value: impl FnOnce(Value<'_>)) -> Self {
        let mut members = Members::default();
        members.out.limit = LARGEST_RECORD;
        let rules = Rules {
            reserved: Reserved::default(),
            top: Reserved::default(),
            nest: None,
            message: MessageKey::default(),
            options: self.schema.table().options,
        };
        value(Value { members: &mut members, rules: &rules, site: None, name: Name::Bare });
        let json = match members.out.buf.strip_suffix(b",") {
            Some(json) => json,
            None => b"null",
        };
        self.fixed.push((key.into(), json.into()));
        self
    }

    /// Sets how integers beyond 64 bits are written. Default: as strings.
    pub fn wide_integers(mut self, style: WideIntegers) -> Self {
        self.wide_integers = Some(style);
        self
    }

    /// Sets the cap on the length of a line, in bytes. Default: 1 MiB.
    ///
    /// Beyond it output is counted and not stored: the string that crosses it is cut between two
    /// characters, later members are left out, and the line ends with `"truncated":true` and
    /// `"original_bytes"`, the length that the whole line would have had. A string of the metadata
    /// may fill an eighth of the line, a span a quarter.
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

    /// The tables of the format without options, which cannot fail.
    pub(super) fn defaults(self) -> Inner {
        self.inner(&mut |_| {})
    }

    /// Whether a part is shown.
    fn shows(&self, part: Part) -> bool {
        self.shown[part as usize].unwrap_or_else(|| self.schema.table().shown.contains(&part))
    }

    fn key(&self, part: Part) -> &str {
        self.renamed[part as usize].as_deref().unwrap_or(self.schema.table().keys[part as usize])
    }

    /// `"key":` of a part that is shown, and the opening bracket of its value.
    fn piece(&self, part: Part, open: &str) -> Option<Box<[u8]>> {
        self.shows(part).then(|| piece(self.key(part), open))
    }

    /// Makes the tables; `clash` hears of each option that leads to one key twice.
    fn inner(self, clash: &mut dyn FnMut(&'static str)) -> Inner {
        let table = self.schema.table();
        let mut options = table.options;
        if let Some(style) = self.wide_integers {
            options.wide_digits = style == WideIntegers::Digits;
        }
        let nest = self.nest.as_deref().or(table.nest);
        let message_nested = table.message_nested && nest.is_some();
        let (top, inside) = self.reserved(table, nest, message_nested, clash);
        let rules = Rules {
            reserved: if nest.is_some() { inside } else { top.clone() },
            top,
            nest: nest.map(|key| piece(key, "{")),
            message: MessageKey {
                name: self.key(Part::Message).into(),
                key: piece(self.key(Part::Message), ""),
                nested: message_nested,
            },
            options,
        };
        let mut span_reserved = Reserved::default();
        span_reserved.insert(b"name");
        let span_rules = Rules {
            reserved: span_reserved,
            top: Reserved::default(),
            nest: None,
            message: MessageKey::default(),
            options,
        };
        let time = self.time.unwrap_or(table.time);
        Inner {
            open: match self.piece(Part::Timestamp, "") {
                Some(key) => [b"{", &*key].concat().into(),
                None => b"{".as_slice().into(),
            },
            time: self.shows(Part::Timestamp).then_some((time, self.precision)),
            levels: table
                .levels
                .map(|level| self.piece(Part::Level, &[level, ","].concat()).unwrap_or_default()),
            target: self.piece(Part::Target, ""),
            module: self.piece(Part::Module, ""),
            file: self.piece(Part::File, ""),
            line: self.piece(Part::Line, ""),
            line_as_string: table.line_as_string,
            source_group: table.source_group.map(|key| piece(key, "{")),
            fixed: self.fixed(table).into(),
            thread_name: self.piece(Part::ThreadName, ""),
            thread_id: self.piece(Part::ThreadId, ""),
            thread_id_as_debug: table.thread_id_as_debug,
            message_hidden: !self.shows(Part::Message),
            span: self.piece(Part::Span, ""),
            spans: self.piece(Part::Spans, "["),
            rules,
            span_rules,
            limit: self.max_record_bytes - RESERVE,
        }
    }

    /// The keys that fields may not have: at the top level, and beside a nested message.
    fn reserved(
        &self,
        table: &Table,
        nest: Option<&str>,
        message_nested: bool,
        clash: &mut dyn FnMut(&'static str),
    ) -> (Reserved, Reserved) {
        let (mut top, mut inside) = (Reserved::default(), Reserved::default());
        let (mut group, grouped) = (Reserved::default(), table.source_group.is_some());
        // These come after the fields, when it is too late to give way.
        top.insert(TRUNCATED.as_bytes());
        top.insert(ORIGINAL_BYTES.as_bytes());
        for part in Part::ALL {
            if !self.shows(part) {
                continue;
            }
            let level = match part {
                Part::Message if message_nested => &mut inside,
                Part::Module | Part::File | Part::Line if grouped => &mut group,
                _ => &mut top,
            };
            if !level.insert(&escaped(self.key(part))) {
                clash("rename");
            }
        }
        let mut constants = table.constants.iter().map(|(key, _)| *key).chain(table.source_group);
        if constants.any(|key| !top.insert(&escaped(key))) {
            clash("rename");
        }
        for (key, _) in &self.fixed {
            if !top.insert(&escaped(key)) {
                clash("static_field");
            }
        }
        if nest.is_some_and(|key| !top.insert(&escaped(key))) {
            clash("nest_fields");
        }
        // Reserved also where they are hidden, so that a field's key does not depend on options.
        for part in [Part::Span, Part::Spans] {
            top.insert(&escaped(self.key(part)));
        }
        (top, inside)
    }

    /// What every line carries unchanged.
    fn fixed(&self, table: &Table) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (key, value) in table.constants {
            bytes.extend_from_slice(&piece(key, value));
            bytes.push(b',');
        }
        if let Some(key) = self.piece(Part::ProcessId, "") {
            bytes.extend_from_slice(&key);
            bytes.extend_from_slice(itoa::Buffer::new().format(process::id()).as_bytes());
            bytes.push(b',');
        }
        for (key, value) in &self.fixed {
            bytes.extend_from_slice(&piece(key, ""));
            bytes.extend_from_slice(value);
            bytes.push(b',');
        }
        bytes
    }
}

impl Inner {
    /// The length of what is written whatever the record, in bytes.
    fn every_line(&self) -> usize {
        let keys = [&self.target, &self.module, &self.file, &self.line, &self.source_group];
        let later = [&self.thread_name, &self.thread_id, &self.span, &self.spans, &self.rules.nest];
        let optional = keys.into_iter().chain(later).flatten().map(|key| key.len()).sum::<usize>();
        let level = self.levels.iter().map(|level| level.len()).max().unwrap_or(0);
        self.open.len() + level + self.fixed.len() + self.rules.message.key.len() + optional
    }
}

fn invalid<T>(option: &'static str, reason: &'static str) -> Result<T, BuildError> {
    Err(BuildError::InvalidOption { option, reason })
}

fn escaped(key: &str) -> Buf {
    let mut bytes = Buf::default();
    escape::push(&mut bytes, key);
    bytes
}

/// `"key":` and what follows.
fn piece(key: &str, after: &str) -> Box<[u8]> {
    let mut bytes = Buf::default();
    bytes.push(b'"');
    escape::push(&mut bytes, key);
    bytes.extend_from_slice(b"\":");
    bytes.extend_from_slice(after.as_bytes());
    (*bytes).into()
}
