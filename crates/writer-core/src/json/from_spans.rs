//! What some schemas take out of the spans of a record: its task, the ids of its trace, their fields.

use std::ops::Range;

use super::format::Inner;
use super::keys::OF_A_SPAN;
use super::members::Members;
use super::schema::Rules;
use super::site::{ReadyKey, Site};
use super::span_list::SpanList;
use super::task::{self, Task, TaskIds};

/// How long an id may be, with its quotes, in bytes.
pub(super) const LONGEST_ID: usize = 130;

/// How a task's members are written.
#[derive(Debug)]
pub(super) struct TaskKeys {
    pub(super) ids: TaskIds,
    /// `"tid":`
    pub(super) id: Option<Box<[u8]>>,
    /// `"lvl":[`
    pub(super) level: Option<Box<[u8]>>,
}

impl Inner {
    /// Writes a task's id and the place of the record in it, in the place of those of the process
    /// if it is the task of a span.
    pub(super) fn write_task(&self, members: &mut Members, task: Option<(&Task, Option<u64>)>) {
        let (task, place) = task.unzip();
        let Some(keys) = &self.task else { return };
        // The limit leaves room for all this.
        let buf = &mut members.out.buf;
        let start = buf.len();
        if let Some(key) = &keys.id {
            buf.extend_from_slice(key);
            buf.push(b'"');
            buf.extend_from_slice(
                task.map_or_else(|| task::process_id(keys.ids), Task::id).as_bytes(),
            );
            buf.extend_from_slice(b"\",");
        }
        if let Some(key) = &keys.level {
            let place = place.flatten().unwrap_or_else(|| task.map_or(1, Task::place));
            buf.extend_from_slice(key);
            buf.extend_from_slice(task.map_or("", Task::path).as_bytes());
            buf.extend_from_slice(itoa::Buffer::new().format(place).as_bytes());
            buf.extend_from_slice(b"],");
        }
        let end = buf.len();
        if task.is_none() {
            members.task = start..end;
            return;
        }
        let old = members.task.clone();
        members.task = old.start..old.start + end - start;
        members.shift_head(old.end, (end - start) as isize - old.len() as isize);
        members.splice(old, start);
    }

    /// Writes the ids of trace and span after the rest of the metadata: before the message, or
    /// before the object that holds it, unless the message comes first.
    pub(super) fn write_ids(&self, members: &mut Members, spans: &SpanList) {
        let nest = self.rules.nest.as_ref().filter(|_| self.rules.message.nested);
        let at = match self.message_first {
            Some(_) => members.head_end,
            None => members.message_at - nest.map_or(0, |nest| nest.len()),
        };
        for (which, key) in self.ids.iter().enumerate().rev() {
            // https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-spanid: with the
            // trace's alone.
            let lacks_trace = self.rules.options.typed && spans.id(0).is_none();
            if let Some(key) = key.as_ref().filter(|_| !lacks_trace)
                && let Some(id) = spans.id(which)
            {
                let buf = &mut members.out.buf;
                let start = buf.len();
                // The limit leaves room for these.
                buf.extend_from_slice(key);
                if which == 0 && is_hex_id(which, id) {
                    buf.push(b'"');
                    buf.extend_from_slice(&self.trace_prefix);
                    buf.extend_from_slice(&id[1..]);
                } else {
                    buf.extend_from_slice(id);
                }
                buf.push(b',');
                // A message that comes later stands before the ids.
                let moved = self.message_first.is_none() && members.message_done;
                if nest.is_some() || moved {
                    members.message_at += members.out.buf.len() - start;
                }
                members.splice(at..at, start);
            }
        }
    }

    /// Where in a field's value the id of a trace (0) or a span (1) stands, with its quotes; `None`
    /// if there is no key for it or it is none.
    pub(super) fn trace_id(&self, which: usize, value: &[u8]) -> Option<Range<usize>> {
        self.ids[which].as_ref()?;
        let start = match value {
            [b'"', ..] => 0,
            _ if value.starts_with(b"{\"stringValue\":") => b"{\"stringValue\":".len(),
            _ => return None,
        };
        let end = if start == 0 { value.len() } else { value.len() - 1 };
        let id = &value[start..end];
        let fits = (3..=LONGEST_ID).contains(&id.len()) && id[0] == b'"' && id.ends_with(b"\"");
        (fits && (!self.hex_ids || is_hex_id(which, id))).then_some(start..end)
    }
}

/// Whether the id of a trace (0) or a span (1), with its quotes, is one of W3C trace context.
fn is_hex_id(which: usize, id: &[u8]) -> bool {
    let digits = &id[1..id.len() - 1];
    digits.len() == [32, 16][which]
        && digits.iter().all(u8::is_ascii_hexdigit)
        && digits.iter().any(|&digit| digit != b'0')
}

impl Site {
    /// The field whose key is this, with what stands before and behind it.
    fn prepared(&self, open: &[u8], key: &[u8], colon: &[u8]) -> Option<&ReadyKey> {
        let is_this = |whole: &[u8]| {
            let behind = whole.strip_prefix(open).and_then(|whole| whole.strip_prefix(key));
            behind.is_some_and(|behind| behind.starts_with(colon))
        };
        self.keys.iter().find(|ready| is_this(&ready.whole))
    }
}

impl Members {
    /// Writes a field of a span among those of the record: key and value are JSON already, and the
    /// clash rule applies.
    pub(super) fn copy_member(
        &mut self,
        key: &[u8],
        value: &[u8],
        rules: &Rules,
        site: Option<&Site>,
    ) {
        let (open, colon, close): (&[u8], &[u8], &[u8]) = match rules.options.typed {
            true => (b"{\"key\":\"", b"\",\"value\":", b"},"),
            false => (b"\"", b"\":", b","),
        };
        let mark = self.out.mark();
        let len = [open, key, colon, value, close].map(<[u8]>::len).iter().sum::<usize>();
        if self.out.full() || len > self.out.room() {
            self.out.set_full(true);
            self.out.skipped += len as u64;
            return;
        }
        let buf = &mut self.out.buf;
        buf.extend_from_slice(open);
        let start = buf.len();
        buf.extend_from_slice(key);
        let written = self.written;
        // Of a field that the record may have and has not, the key is free.
        let bit = |key: &[u8]| {
            site.and_then(|site| site.prepared(open, key, colon)).map_or(0, |ready| ready.bit)
        };
        self.keys.insert_free(buf, start, OF_A_SPAN, |keys, hash, before, key| {
            rules.reserved.contains(hash, key)
                || written & bit(key) != 0
                || keys.has(hash, before, key)
        });
        // If the field still comes, it finds its key taken.
        self.written |= bit(&buf[start..]);
        self.unexpected = true;
        buf.extend_from_slice(colon);
        buf.extend_from_slice(value);
        buf.extend_from_slice(close);
        if self.out.over() {
            self.out.discard(mark);
            self.keys.pop();
        }
    }
}
