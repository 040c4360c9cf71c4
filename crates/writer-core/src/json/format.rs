//! What a line looks like, and the way of a record through the encoder.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::SystemTime;

use super::buf::Block;
use super::build::FormatBuilder;
use super::from_spans::TaskKeys;
use super::members::Members;
use super::record::Record;
use super::replace::TOO_LONG;
use super::schema::Rules;
use super::scratch;
use super::sequence::Sequence;
use super::shape::{Place, Shape};
use super::site::Site;
use super::time::Stamps;
use super::value::discard_payload;
use crate::Severity;
use crate::veil::Veil;

/// How much of what is kept free at the end of a line an empty message may take, in bytes.
const USUAL_KEY: usize = 64;

/// What is known of a record besides its message and its fields.
#[derive(Debug, Clone, Copy)]
#[must_use = "its methods return what is changed"]
pub struct Meta<'a> {
    pub(super) severity: Severity,
    pub(super) target: &'a str,
    pub(super) module: Option<&'a str>,
    pub(super) file: Option<&'a str>,
    pub(super) line: Option<u32>,
    pub(super) time: Option<SystemTime>,
}

impl<'a> Meta<'a> {
    /// Starts with severity and target; the rest is absent.
    pub const fn new(severity: Severity, target: &'a str) -> Self {
        Meta { severity, target, module: None, file: None, line: None, time: None }
    }

    /// Sets the path of the module.
    pub const fn module(mut self, module: Option<&'a str>) -> Self {
        self.module = module;
        self
    }

    /// Sets the source file.
    pub const fn file(mut self, file: Option<&'a str>) -> Self {
        self.file = file;
        self
    }

    /// Sets the line in the source file.
    pub const fn line(mut self, line: Option<u32>) -> Self {
        self.line = line;
        self
    }

    /// Sets the time of the record. The default is the system's time when encoding begins.
    pub const fn time(mut self, time: SystemTime) -> Self {
        self.time = Some(time);
        self
    }
}

/// How the encoding of a record went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Encoded<R> {
    /// What the closure that took the line returned.
    pub result: R,
    /// How many values failed or panicked while formatting; a panic of the closure that fills the
    /// record counts as one.
    pub format_errors: u32,
    /// Something was cut or left out because of the cap on the size.
    pub truncated: bool,
}

/// What a line looks like: schema, options, static fields. A cheap handle to share.
#[derive(Debug, Clone)]
pub struct Format {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    /// `{`, or `{"timestamp":`.
    pub(super) open: Box<[u8]>,
    /// The same if a timestamp in its common form follows, and nothing else is to be decided.
    pub(super) common_open: Option<Block>,
    pub(super) time: Option<Stamps>,
    /// `"level":"INFO",` for each severity; empty where hidden. What is `fixed` elsewhere follows
    /// where the message comes first.
    pub(super) levels: [Box<[u8]>; 5],
    /// `"target":`, and so on; `None` where hidden.
    pub(super) target: Option<Box<[u8]>>,
    pub(super) module: Option<Box<[u8]>>,
    pub(super) file: Option<Box<[u8]>>,
    pub(super) line: Option<Box<[u8]>>,
    pub(super) line_as_string: bool,
    /// One of these three is shown.
    pub(super) shows_source: bool,
    /// `"sourceLocation":{`
    pub(super) source_group: Option<Box<[u8]>>,
    /// What comes after a metadata string or number.
    pub(super) text_end: &'static [u8],
    /// Constants, the process id, the run and static fields, each with a comma after it.
    pub(super) fixed: Box<[u8]>,
    pub(super) thread_name: Option<Box<[u8]>>,
    pub(super) thread_id: Option<Box<[u8]>>,
    pub(super) thread_id_as_debug: bool,
    pub(super) sequence: Option<Sequence>,
    /// One of these three is there.
    pub(super) shows_thread: bool,
    pub(super) message_hidden: bool,
    /// The message comes right after the level: how much of `levels` stands behind it, in bytes.
    pub(super) message_first: Option<usize>,
    pub(super) span: Option<Box<[u8]>>,
    pub(super) spans: Option<Box<[u8]>>,
    /// The same if the list stands alone, behind the fields, and is written as it is.
    pub(super) common_spans: Option<Block>,
    /// How spans are written.
    pub(super) shape: &'static Shape,
    /// The fields of spans stand among those of the record.
    pub(super) flat_spans: bool,
    /// `"trace_id":` and `"span_id":`; `None` where hidden.
    pub(super) ids: [Option<Box<[u8]>>; 2],
    /// Those ids are left out unless they are as W3C trace context has them.
    pub(super) hex_ids: bool,
    /// Stands before the id of a trace, between its quotes.
    pub(super) trace_prefix: Box<[u8]>,
    pub(super) task: Option<TaskKeys>,
    /// Something is taken out of the spans: fields, ids, the task.
    pub(super) reads_spans: bool,
    /// The metadata needs more than one piece after the other: see [`Inner::special_head`].
    pub(super) special: bool,
    /// `"timeUnixNano":`, where the time is not the first member.
    pub(super) time_key: Box<[u8]>,
    /// For the fields of a record.
    pub(super) rules: Rules,
    /// For the fields of a span.
    pub(super) span_rules: Rules,
    /// The length that what can be cut may reach, in bytes.
    pub(super) limit: usize,
    /// How much longer a line may get by ids and tasks, in bytes.
    pub(super) for_ids: usize,
}

/// What is `fixed` may hold secrets, and the rest is pieces of lines.
impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("fixed", &Veil(self.fixed.len()))
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl Default for Format {
    /// The format of [`Format::builder`] without a change.
    fn default() -> Self {
        // Without options there is nothing that could clash.
        Format { inner: Arc::new(FormatBuilder::default().inner(&mut |_| {})) }
    }
}

impl Format {
    /// Starts with [`Schema::Default`](super::Schema::Default).
    pub fn builder() -> FormatBuilder {
        FormatBuilder::default()
    }

    /// Whether lines have places for the ids of trace and span: [`Part::TraceId`](super::Part) or
    /// [`Part::SpanId`](super::Part) is shown.
    pub fn shows_trace(&self) -> bool {
        self.inner.ids.iter().any(Option::is_some)
    }

    /// Whether a field of a record that is nothing is written, as `null`.
    #[doc(hidden)]
    pub fn shows_null(&self) -> bool {
        !self.inner.rules.options.no_null
    }

    /// Encodes one record and hands the line, which ends in `\n`, to `done`.
    ///
    /// Both closures run in the calling thread before this returns, `done` after all user code.
    /// A panic of `fill` is caught, counted in [`Encoded::format_errors`], and what was filled in
    /// before is kept; a panic of `done` goes on to the caller. In the steady state nothing is
    /// allocated.
    ///
    /// Returns `None`, and calls neither, when eight records are already under way in this thread,
    /// each logged by a `Display` of the one before: the next would be one of an endless chain.
    #[inline]
    pub fn encode<R>(
        &self,
        meta: &Meta<'_>,
        fill: impl FnOnce(&mut Record<'_>),
        done: impl FnOnce(Severity, &[u8]) -> R,
    ) -> Option<Encoded<R>> {
        let head = |members: &mut Members, place| {
            members.cut |= self.inner.static_part(&mut members.out, meta, place);
        };
        self.inner.run(meta.severity, meta.time, None, head, fill, done)
    }
}

impl Inner {
    /// The way of every record.
    #[inline(always)]
    pub(super) fn run<R>(
        &self,
        severity: Severity,
        time: Option<SystemTime>,
        site: Option<&Site>,
        head: impl Fn(&mut Members, Place),
        fill: impl FnOnce(&mut Record<'_>),
        done: impl FnOnce(Severity, &[u8]) -> R,
    ) -> Option<Encoded<R>> {
        let _running = scratch::begin()?;
        let mut scratch = scratch::take();
        let members = &mut *scratch;
        members.reset(self.limit);
        if self.special {
            self.special_head(members, severity, time, &head);
        } else {
            if !self.begin_short(members, time) {
                self.begin_long(members, time);
            }
            head(members, Place::Line);
            self.thread(members);
            members.begin_fields();
        }
        let mut record = Record::new(members, self, site);
        // Unwind safety: members are whole after every value, and a value that panics takes back
        // what it wrote.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| fill(&mut record))) {
            discard_payload(payload);
            members.errors += 1;
        }
        let truncated = self.finish(members);
        let result = done(severity, &members.out.buf);
        let format_errors = members.errors;
        scratch::put_back(scratch);
        Some(Encoded { result, format_errors, truncated })
    }

    /// Ends the line. Returns whether anything of it was cut.
    #[inline(always)]
    fn finish(&self, members: &mut Members) -> bool {
        if self.rules.options.text_message {
            self.settle_message(members);
        }
        let out = &members.out;
        if self.rules.complex || members.cut || out.full() || out.skipped > 0 {
            return self.finish_rarely(members);
        }
        if !members.out.buf.comma_to_line_end() {
            members.end_line();
        }
        false
    }

    /// Has the message be what the readers of the schema demand.
    #[inline(never)]
    fn settle_message(&self, members: &mut Members) {
        match members.message_is_text(&self.rules) {
            Some(true) => {}
            Some(false) => members.message_to_text(&self.rules),
            None => self.absent_message(members),
        }
    }

    /// Writes an empty message in its place where there was none, and [`TOO_LONG`] where it did not
    /// fit; also in a line that is full: the limit leaves room for a key of usual length.
    #[cold]
    fn absent_message(&self, members: &mut Members) {
        let (key, at) = (&self.rules.message.key, members.message_at);
        let start = members.out.buf.len();
        let text = if members.message_done { TOO_LONG } else { "" };
        let len = key.len() + text.len() + 3;
        if self.message_hidden || start + len > members.out.limit() + self.for_ids + USUAL_KEY {
            return;
        }
        members.out.buf.extend_from_slice(key);
        members.out.buf.extend_from_slice(format!("\"{text}\",").as_bytes());
        members.splice(at..at, start);
        if members.message_done {
            // It stands in the place of what was counted.
            members.out.skipped = members.out.skipped.saturating_sub(len as u64);
        }
    }

    #[inline(never)]
    fn finish_rarely(&self, members: &mut Members) -> bool {
        if self.rules.options.typed {
            return self.finish_typed(members);
        }
        members.end_fields(&self.rules);
        let out = &mut members.out;
        let truncated = out.full() || members.cut || out.skipped > 0;
        if truncated {
            // The last comma becomes the brace, the line end is one more.
            let original = out.buf.len() as u64 + out.skipped + 1;
            out.set_full(false);
            out.raw(b"\"truncated\":true,\"original_bytes\":");
            out.raw(itoa::Buffer::new().format(original).as_bytes());
            out.raw(b",");
        }
        members.end_line();
        truncated
    }
}
