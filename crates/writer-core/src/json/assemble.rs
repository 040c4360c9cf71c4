//! How the options of a format become tables of ready-made pieces.

use std::process;
use std::sync::Arc;

use super::buf::{Block, Buf};
use super::build::{FormatBuilder, NonFinite, WideIntegers};
use super::escape;
use super::format::Inner;
use super::keys::Reserved;
use super::kind::Kind;
use super::message::{MessageKey, MessageType};
use super::redact::{REDACTED, Redact};
use super::schema::{Constant, ORIGINAL_BYTES, Options, Part, Rules, TRUNCATED, Table};
use super::sequence::{self, Sequence};
use super::shape::{self, TaskKeys};
use super::task;
use super::time::Stamps;

/// Kept free at the end of a line: closing marks of what is open, `truncated`, `original_bytes`.
const RESERVE: usize = 256;

/// Kept free besides in a line of OTLP, whose nested values need more of them.
const TYPED_RESERVE: usize = 128;

impl FormatBuilder {
    /// The tables of the format without options, which cannot fail.
    pub(super) fn defaults(self) -> Inner {
        self.inner(&mut |_| {})
    }

    /// Whether a part is shown.
    fn shows(&self, part: Part) -> bool {
        if self.span_lines && matches!(part, Part::Level | Part::Message) {
            return false;
        }
        let replaced = self.flat_spans && matches!(part, Part::Span | Part::Spans);
        let shown = self.schema.table().shown;
        self.shown[part as usize].unwrap_or_else(|| !replaced && shown.contains(&part))
    }

    /// Whether the fields of spans stand among those of the record.
    fn is_flat(&self) -> bool {
        self.flat_spans || self.schema.table().flat_spans
    }

    fn key(&self, part: Part) -> &str {
        self.renamed[part as usize].as_deref().unwrap_or(self.schema.table().keys[part as usize])
    }

    /// `"key":` of a part that is shown, and the opening bracket of its value.
    fn piece(&self, part: Part, open: &str) -> Option<Box<[u8]>> {
        self.shows(part).then(|| piece(self.key(part), open))
    }

    /// The same for a part that is an attribute in OTLP.
    fn attribute(&self, part: Part, kind: Kind) -> Option<Box<[u8]>> {
        // The quotes of an integer come with its digits.
        let open = kind.ends().0.trim_end_matches('"');
        match self.schema.table().options.typed {
            true => self.shows(part).then(|| attribute(self.key(part), open)),
            false => self.piece(part, ""),
        }
    }

    fn sequence_key(&self) -> Box<[u8]> {
        match self.schema.table().options.typed {
            // The quotes of an integer come with its digits.
            true => attribute(sequence::NUMBER, Kind::Int.ends().0.trim_end_matches('"')),
            false => piece(sequence::NUMBER, ""),
        }
    }

    fn options(&self) -> Options {
        let mut options = self.schema.table().options;
        if let Some(style) = self.wide_integers {
            options.wide_digits = style == WideIntegers::Digits;
        }
        if let Some(style) = self.non_finite {
            options.non_finite_null = style == NonFinite::Null;
        }
        options
    }

    fn source_group(&self) -> Option<&str> {
        let table = self.schema.table();
        self.source_group.as_deref().or(table.source_group).filter(|_| !table.options.typed)
    }

    /// What the fields of records and those of spans follow.
    fn rules(&self, clash: &mut dyn FnMut(&'static str)) -> (Rules, Rules) {
        let table = self.schema.table();
        let options = self.options();
        let nest = self.nest.as_deref().or(table.nest);
        let message_nested = table.message_nested && nest.is_some();
        let (top, inside) = self.reserved(table, nest, message_nested, clash);
        let redact = (!self.redact.is_empty()).then(|| Arc::new(Redact::new(self.redact.clone())));
        let secret = redact.as_ref().is_some_and(|redact| redact.matches(self.key(Part::Level)));
        let types = !table.message_types.is_empty() && self.shows(Part::Level) && !secret;
        let complex = nest.is_some() || options.typed || redact.is_some() || types;
        let message = piece(self.key(Part::Message), "");
        let rules = Rules {
            reserved: if nest.is_some() { inside } else { top.clone() },
            top,
            nest: nest.map(|key| piece(key, if options.typed { "[" } else { "{" })),
            spans_inside: options.typed || self.is_flat(),
            complex,
            redact: redact.clone(),
            message_type: types.then(|| MessageType {
                name: self.key(Part::Level).into(),
                key: piece(self.key(Part::Level), ""),
                words: table.message_types,
            }),
            message: MessageKey {
                name: self.key(Part::Message).into(),
                block: if complex { None } else { Block::new(&message) },
                key: message,
                nested: message_nested,
            },
            options,
        };
        let mut span_reserved = Reserved::default();
        if !self.is_flat() || self.shows(Part::Span) || self.shows(Part::Spans) {
            span_reserved.insert(b"name");
        }
        let span_rules = Rules {
            reserved: span_reserved,
            complex: options.typed || redact.is_some(),
            redact,
            // What a span has recorded is not taken back.
            options: Options { no_null: false, ..options },
            ..Rules::default()
        };
        (rules, span_rules)
    }

    /// Makes the tables; `clash` hears of each option that leads to one key twice.
    pub(super) fn inner(self, clash: &mut dyn FnMut(&'static str)) -> Inner {
        let table = self.schema.table();
        let (rules, span_rules) = self.rules(clash);
        let typed = rules.options.typed;
        let stamps = Stamps {
            style: self.time.unwrap_or(table.time),
            precision: self.precision,
            source: self.time_source.available(),
        };
        let time_key = self.piece(Part::Timestamp, "").unwrap_or_default();
        let ids = [self.piece(Part::TraceId, ""), self.piece(Part::SpanId, "")];
        let task = TaskKeys {
            ids: self.task_ids,
            id: self.piece(Part::TaskId, ""),
            level: self.piece(Part::TaskLevel, "["),
        };
        let task = (!typed && (task.id.is_some() || task.level.is_some())).then_some(task);
        // Now, so that no thread is in the middle of it when the process is forked.
        if let Some(task) = &task {
            task::process_id(task.ids);
        }
        stamps.prepare();
        let mut fixed = self.fixed(table);
        let mut levels = self.levels();
        let message_first = table.message_first.then_some(fixed.len());
        if message_first.is_some() {
            levels = levels.map(|level| [&level, &*fixed].concat().into());
            fixed.clear();
        }
        let trace_prefix: Box<[u8]> = (*escaped(&self.trace_prefix)).into();
        let open: Vec<u8> = if typed {
            let frame = [shape::OTLP_OPEN.as_bytes(), &fixed, shape::OTLP_SCOPES.as_bytes()];
            frame.concat()
        } else {
            [b"{", &*time_key].concat()
        };
        let reserve = RESERVE
            + if typed { TYPED_RESERVE } else { 0 }
            + rules.nest.as_ref().map_or(0, |nest| nest.len())
            + trace_prefix.len()
            + ids.iter().flatten().map(|key| key.len() + shape::LONGEST_ID + 1).sum::<usize>()
            + if task.is_some() { task::RESERVE } else { 0 };
        let special = typed || task.is_some() || message_first.is_some();
        let common = self.shows(Part::Timestamp) && !special && stamps.is_common();
        Inner {
            common_open: if common { Block::new(&open) } else { None },
            open: open.into(),
            time: self.shows(Part::Timestamp).then_some(stamps),
            time_key: if typed { time_key } else { Box::default() },
            levels,
            target: match typed {
                true => self.shows(Part::Target).then(|| shape::OTLP_SCOPE.as_bytes().into()),
                false => self.piece(Part::Target, ""),
            },
            module: self.attribute(Part::Module, Kind::String),
            file: self.attribute(Part::File, Kind::String),
            line: self.attribute(Part::Line, Kind::Int),
            line_as_string: table.line_as_string,
            shows_source: [Part::Module, Part::File, Part::Line]
                .map(|p| self.shows(p))
                .contains(&true),
            source_group: self.source_group().map(|key| piece(key, "{")),
            text_end: if typed { b"}}," } else { b"," },
            fixed: if typed { Box::default() } else { fixed.into() },
            thread_name: self.attribute(Part::ThreadName, Kind::String),
            thread_id: self.attribute(Part::ThreadId, Kind::Int),
            thread_id_as_debug: table.thread_id_as_debug,
            sequence: self.sequence.then(|| Sequence::new(self.sequence_key())),
            shows_thread: self.sequence
                || [Part::ThreadName, Part::ThreadId].iter().any(|part| self.shows(*part)),
            message_hidden: !self.shows(Part::Message),
            message_first,
            span: self.span_piece(Part::Span, "", ""),
            spans: self.span_piece(Part::Spans, "[", "{\"arrayValue\":{\"values\":["),
            shape: if typed { &shape::TYPED } else { &shape::PLAIN },
            flat_spans: self.is_flat(),
            hex_ids: table.hex_ids,
            trace_prefix: if typed { Box::default() } else { trace_prefix },
            reads_spans: self.is_flat() || task.is_some() || ids.iter().any(Option::is_some),
            special,
            ids,
            task,
            rules,
            span_rules,
            limit: self.max_record_bytes.saturating_sub(reserve),
        }
    }

    /// `"level":"INFO",` for each severity.
    fn levels(&self) -> [Box<[u8]>; 5] {
        let level = |json: &str| self.piece(Part::Level, &[json, ","].concat()).unwrap_or_default();
        match &self.levels {
            Some(levels) => levels.each_ref().map(|json| level(json)),
            None => self.schema.table().levels.map(level),
        }
    }

    fn span_piece(&self, part: Part, plain: &str, typed: &str) -> Option<Box<[u8]>> {
        match self.schema.table().options.typed {
            true => self.shows(part).then(|| attribute(self.key(part), typed)),
            false => self.piece(part, plain),
        }
    }

    /// The keys that fields may not have: at the top level, and inside the nested object.
    fn reserved(
        &self,
        table: &Table,
        nest: Option<&str>,
        message_nested: bool,
        clash: &mut dyn FnMut(&'static str),
    ) -> (Reserved, Reserved) {
        let (mut top, mut inside) = (Reserved::default(), Reserved::default());
        let (mut group, grouped) = (Reserved::default(), self.source_group().is_some());
        let (mut resource, typed) = (Reserved::default(), table.options.typed);
        // These come after the fields, when it is too late to give way.
        let last = if typed { &mut inside } else { &mut top };
        last.insert(TRUNCATED.as_bytes());
        last.insert(ORIGINAL_BYTES.as_bytes());
        let named = self.levels.is_some() || !self.shows(Part::Level);
        if let Some(key) = table.beside_level.filter(|_| !named) {
            top.insert(key.as_bytes());
        }
        for part in Part::ALL {
            if !self.shows(part) {
                continue;
            }
            let level = match part {
                Part::Message if message_nested => &mut inside,
                Part::Module | Part::File | Part::Line if grouped => &mut group,
                Part::Module | Part::File | Part::Line if typed => &mut inside,
                Part::ThreadName | Part::ThreadId | Part::Span | Part::Spans if typed => {
                    &mut inside
                }
                Part::ProcessId if typed => &mut resource,
                _ => &mut top,
            };
            if !level.insert(&escaped(self.key(part))) {
                clash("rename");
            }
        }
        if self.source_group().is_some_and(|key| !top.insert(&escaped(key))) {
            clash("group_source");
        }
        let outer = if typed { &mut resource } else { &mut top };
        for (key, _) in self.constants(table) {
            if !outer.insert(&escaped(key)) {
                clash("rename");
            }
        }
        for (key, _) in &self.fixed.0 {
            if !outer.insert(&escaped(key)) {
                clash("static_field");
            }
        }
        if self.sequence {
            let numbered = if typed { &mut inside } else { &mut top };
            if !numbered.insert(sequence::NUMBER.as_bytes()) {
                clash("sequence");
            }
            let outer = if typed { &mut resource } else { &mut top };
            if !outer.insert(sequence::RUN.as_bytes()) {
                clash("sequence");
            }
        }
        if nest.is_some_and(|key| !top.insert(&escaped(key))) {
            clash("nest_fields");
        }
        for key in table.reserved.iter().chain(&table.beside_level) {
            top.insert(&escaped(key));
        }
        if self.span_lines {
            // A field of a span has the same key in every line.
            for part in [Part::Level, Part::Message] {
                top.insert(&escaped(self.key(part)));
            }
        }
        // Reserved also where they are hidden, so that a field's key does not depend on options.
        for part in [Part::Span, Part::Spans] {
            let level = if typed { &mut inside } else { &mut top };
            level.insert(&escaped(self.key(part)));
        }
        (top, inside)
    }

    /// The schema's constants without those that a static field takes the place of.
    fn constants<'t>(
        &self,
        table: &'t Table,
    ) -> impl Iterator<Item = &'t (&'static str, Constant)> {
        table.constants.iter().filter(|(key, _)| self.fixed.0.iter().all(|(own, _)| **own != **key))
    }

    /// What every line carries unchanged, each with a comma after it; without the last comma where
    /// it is an array of OTLP.
    fn fixed(&self, table: &Table) -> Vec<u8> {
        let mut bytes = Vec::new();
        let typed = table.options.typed;
        let mut member = |key: &str, json: &str| {
            if typed {
                bytes.extend_from_slice(&attribute(key, &Kind::of_json(json)));
                bytes.extend_from_slice(b"},");
            } else {
                bytes.extend_from_slice(&piece(key, json));
                bytes.push(b',');
            }
        };
        for (key, constant) in self.constants(table) {
            member(key, &constant.json());
        }
        if self.shows(Part::ProcessId) {
            member(self.key(Part::ProcessId), &process::id().to_string());
        }
        if self.sequence {
            member(sequence::RUN, &sequence::run());
        }
        let redact = Redact::new(self.redact.clone());
        let hidden = format!("\"{REDACTED}\"");
        for (key, json) in &self.fixed.0 {
            let secret = redact.matches(key) || redact.matches_inside(json);
            member(key, if secret { &hidden } else { json });
        }
        if typed {
            bytes.pop();
        }
        bytes
    }
}

impl Constant {
    fn json(self) -> String {
        let text = match self {
            Constant::Json(json) => return json.to_owned(),
            Constant::Host => host(),
            Constant::Program => program(),
        };
        format!("\"{}\"", String::from_utf8_lossy(&escaped(&text)))
    }
}

/// The name of the machine.
fn host() -> String {
    #[cfg(unix)]
    return rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "unknown".to_owned())
}

/// The name of the program's file without its extension.
fn program() -> String {
    let path = std::env::current_exe().ok();
    let name = path.as_deref().and_then(|path| path.file_stem());
    name.map_or_else(|| "unknown".to_owned(), |name| name.to_string_lossy().into_owned())
}

impl Inner {
    /// The length of what is written whatever the record, in bytes.
    pub(super) fn every_line(&self) -> usize {
        let keys = [&self.target, &self.module, &self.file, &self.line, &self.source_group];
        let later = [&self.thread_name, &self.thread_id, &self.span, &self.spans, &self.rules.nest];
        let task = self.task.as_ref();
        let tasks = task.map_or([&None; 2], |task| [&task.id, &task.level]);
        let cold = self.ids.each_ref().into_iter().chain(tasks);
        let optional = keys.into_iter().chain(later).chain(cold).flatten();
        let optional = optional.map(|key| key.len()).sum::<usize>();
        let optional = optional + self.time_key.len() + self.trace_prefix.len();
        let level = self.levels.iter().map(|level| level.len()).max().unwrap_or(0);
        let number = self.sequence.as_ref().map_or(0, |s| s.key.len() + sequence::LONGEST);
        let optional = optional + number;
        self.open.len() + level + self.fixed.len() + self.rules.message.key.len() + optional
    }
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

/// `{"key":"key","value":` and what follows.
fn attribute(key: &str, after: &str) -> Box<[u8]> {
    [b"{\"key\":\"", &*escaped(key), b"\",\"value\":", after.as_bytes()].concat().into()
}
