//! How the options of a format become tables of ready-made pieces.

mod reserved;

use std::process;
use std::sync::Arc;

use super::buf::{Block, Buf};
use super::build::{FormatBuilder, NonFinite, WideIntegers};
use super::escape;
use super::format::Inner;
use super::from_spans::{self, TaskKeys};
use super::keys::Reserved;
use super::kind::Kind;
use super::message::{MessageKey, MessageType};
use super::otlp;
use super::redact::{REDACTED, Redact};
use super::schema::{Constant, Options, Part, Rules};
use super::sequence::{self, Sequence};
use super::shape;
use super::task;
use super::time::Stamps;

/// Kept free at the end of a line: closing marks of what is open, `truncated`, `original_bytes`.
const RESERVE: usize = 256;

/// Kept free besides in a line of OTLP, whose nested values need more of them.
const TYPED_RESERVE: usize = 128;

/// The pieces with which a line begins, as [`Inner`] has them.
struct Head {
    open: Box<[u8]>,
    time_key: Box<[u8]>,
    levels: [Box<[u8]>; 5],
    fixed: Box<[u8]>,
    message_first: Option<usize>,
}

impl FormatBuilder {
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
        let table = self.schema.table();
        let renamed = self.renamed[part as usize].as_deref();
        renamed
            .filter(|_| !table.options.typed || !otlp::NAMES.contains(&part))
            .unwrap_or(table.keys[part as usize])
    }

    /// The key of the object in which the fields stand.
    fn nest(&self) -> Option<&str> {
        let table = self.schema.table();
        self.nest.as_deref().filter(|_| !table.options.typed).or(table.nest)
    }

    /// `"key":` of a part that is shown, and the opening bracket of its value.
    fn piece(&self, part: Part, open: &str) -> Option<Box<[u8]>> {
        self.shows(part).then(|| piece(self.key(part), open))
    }

    /// The same for a part that is an attribute in OTLP.
    fn attribute(&self, part: Part, kind: Kind) -> Option<Box<[u8]>> {
        self.shows(part).then(|| self.key_of(self.key(part), kind))
    }

    /// `"key":` before a value of this kind.
    fn key_of(&self, key: &str, kind: Kind) -> Box<[u8]> {
        match self.schema.table().options.typed {
            // The quotes of an integer come with its digits.
            true => attribute(key, kind.ends().0.trim_end_matches('"')),
            false => piece(key, ""),
        }
    }

    fn options(&self) -> Options {
        let mut options = self.schema.table().options;
        options.wide_digits = self.wide_integers == WideIntegers::Digits;
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
        let nest = self.nest();
        let message_nested = table.message_nested && nest.is_some();
        let (top, inside) = self.reserved(message_nested, clash);
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
        let stamps = self.stamps();
        let ids = [self.piece(Part::TraceId, ""), self.piece(Part::SpanId, "")];
        let span = self.span_piece(Part::Span, "", "");
        let spans = self.span_piece(Part::Spans, "[", "{\"arrayValue\":{\"values\":[");
        let task = self.task_keys();
        let head = self.head();
        let reads_spans = self.is_flat() || task.is_some() || ids.iter().any(Option::is_some);
        let listed_alone = !reads_spans && span.is_none() && rules.nest.is_none() && !typed;
        let for_ids = self.reserve_for_ids(&ids, task.is_some());
        let typed_reserve = if typed { TYPED_RESERVE } else { 0 };
        let for_nest = rules.nest.as_ref().map_or(0, |nest| nest.len());
        let reserve = RESERVE + typed_reserve + for_nest + for_ids;
        let special = typed || task.is_some() || head.message_first.is_some();
        let common = self.shows(Part::Timestamp) && !special && stamps.is_common();
        Inner {
            common_open: if common { Block::new(&head.open) } else { None },
            open: head.open,
            time: self.shows(Part::Timestamp).then_some(stamps),
            time_key: head.time_key,
            levels: head.levels,
            target: self.target(),
            module: self.attribute(Part::Module, Kind::String),
            file: self.attribute(Part::File, Kind::String),
            line: self.attribute(Part::Line, Kind::Int),
            line_as_string: table.line_as_string,
            shows_source: self.shows_any(&[Part::Module, Part::File, Part::Line]),
            source_group: self.source_group().map(|key| piece(key, "{")),
            text_end: if typed { b"}}," } else { b"," },
            fixed: head.fixed,
            thread_name: self.attribute(Part::ThreadName, Kind::String),
            thread_id: self.attribute(Part::ThreadId, Kind::Int),
            thread_id_as_debug: table.thread_id_as_debug,
            sequence: self
                .sequence
                .then(|| Sequence::new(self.key_of(sequence::NUMBER, Kind::Int))),
            shows_thread: self.sequence || self.shows_any(&[Part::ThreadName, Part::ThreadId]),
            message_hidden: !self.shows(Part::Message),
            message_first: head.message_first,
            common_spans: spans.as_deref().filter(|_| listed_alone).and_then(Block::new),
            span,
            spans,
            shape: if typed { &otlp::SPANS } else { &shape::PLAIN },
            flat_spans: self.is_flat(),
            hex_ids: table.hex_ids,
            trace_prefix: if typed {
                Box::default()
            } else {
                (*escaped(&self.trace_prefix)).into()
            },
            reads_spans,
            special,
            ids,
            task,
            rules,
            span_rules,
            limit: self.max_record_bytes.saturating_sub(reserve),
            for_ids,
        }
    }

    fn shows_any(&self, parts: &[Part]) -> bool {
        parts.iter().any(|part| self.shows(*part))
    }

    /// How timestamps are taken and written. What is needed for it is read now.
    fn stamps(&self) -> Stamps {
        let table = self.schema.table();
        let stamps = Stamps {
            style: self.time.filter(|_| !table.options.typed).unwrap_or(table.time),
            precision: self.precision,
            source: self.time_source.available(),
        };
        stamps.prepare();
        stamps
    }

    /// How the members of a task are written, if there are any.
    fn task_keys(&self) -> Option<TaskKeys> {
        let keys = TaskKeys {
            ids: self.task_ids,
            id: self.piece(Part::TaskId, ""),
            level: self.piece(Part::TaskLevel, "["),
        };
        let there = keys.id.is_some() || keys.level.is_some();
        let keys = (there && !self.schema.table().options.typed).then_some(keys);
        // Now, so that no thread is in the middle of it when the process is forked.
        if let Some(keys) = &keys {
            task::process_id(keys.ids);
        }
        keys
    }

    /// The pieces with which a line begins.
    fn head(&self) -> Head {
        let table = self.schema.table();
        let time_key = self.piece(Part::Timestamp, "").unwrap_or_default();
        let (levels, fixed) = (self.levels(), self.fixed());
        if table.options.typed {
            let open = [otlp::OPEN.as_bytes(), &fixed, otlp::SCOPES.as_bytes()];
            let open = open.concat().into();
            return Head { open, time_key, levels, fixed: Box::default(), message_first: None };
        }
        let open = [b"{", &*time_key].concat().into();
        let time_key = Box::default();
        if table.message_first {
            let levels = levels.map(|level| [&*level, &fixed].concat().into());
            let message_first = Some(fixed.len());
            return Head { open, time_key, levels, fixed: Box::default(), message_first };
        }
        Head { open, time_key, levels, fixed: fixed.into(), message_first: None }
    }

    /// How many bytes of what is kept free at the end of a line are for ids and tasks, which come
    /// whether it is full or not.
    fn reserve_for_ids(&self, ids: &[Option<Box<[u8]>>; 2], tasks: bool) -> usize {
        let ids = ids.iter().flatten().map(|key| key.len() + from_spans::LONGEST_ID + 1);
        escaped(&self.trace_prefix).len()
            + ids.sum::<usize>()
            + if tasks { task::RESERVE } else { 0 }
    }

    /// `"target":`, which is the name of the scope in OTLP.
    fn target(&self) -> Option<Box<[u8]>> {
        match self.schema.table().options.typed {
            true => self.shows(Part::Target).then(|| otlp::SCOPE.as_bytes().into()),
            false => self.piece(Part::Target, ""),
        }
    }

    /// `"level":"INFO",` for each severity.
    fn levels(&self) -> [Box<[u8]>; 5] {
        let table = self.schema.table();
        let level = |json: &str| self.piece(Part::Level, &[json, ","].concat()).unwrap_or_default();
        match self.levels.last() {
            _ if table.options.typed => {
                otlp::levels(table.levels, &self.levels).each_ref().map(|json| level(json))
            }
            Some(own) => own.each_ref().map(|json| level(json)),
            None => table.levels.map(level),
        }
    }

    fn span_piece(&self, part: Part, plain: &str, typed: &str) -> Option<Box<[u8]>> {
        match self.schema.table().options.typed {
            true => self.shows(part).then(|| attribute(self.key(part), typed)),
            false => self.piece(part, plain),
        }
    }

    /// The schema's constants without those that a static field takes the place of.
    fn constants(&self) -> impl Iterator<Item = &'static (&'static str, Constant)> {
        let constants = self.schema.table().constants.iter();
        constants.filter(|(key, _)| self.fixed.0.iter().all(|(own, _)| **own != **key))
    }

    /// What every line carries unchanged, each with a comma after it; without the last comma where
    /// it is an array of OTLP.
    fn fixed(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let typed = self.schema.table().options.typed;
        let mut member = |key: &str, json: &str| {
            if typed {
                bytes.extend_from_slice(&attribute(key, &Kind::of_json(json)));
                bytes.extend_from_slice(b"},");
            } else {
                bytes.extend_from_slice(&piece(key, json));
                bytes.push(b',');
            }
        };
        for (key, constant) in self.constants() {
            member(key, &constant.json());
        }
        if self.shows(Part::ProcessId) {
            member(self.key(Part::ProcessId), &process::id().to_string());
        }
        if self.sequence {
            member(sequence::RUN, &sequence::run());
        }
        let redact = Redact::new(self.redact.clone());
        let hidden = escape::quoted(REDACTED);
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
        match self {
            Constant::Json(json) => json.to_owned(),
            Constant::Host => escape::quoted(&host()),
            Constant::Program => escape::quoted(&program()),
        }
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
