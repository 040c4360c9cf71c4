//! What a line begins with: the time, the level, the place in the source, the thread.

use std::time::SystemTime;

use super::format::{Inner, Meta};
use super::members::Members;
use super::out::Out;
use super::shape::Place;
use super::short::MOST;
use super::thread;
use super::time;

impl Inner {
    /// Begins a line in few steps; false, with nothing written, where that is not enough.
    #[inline(always)]
    pub(super) fn begin_short(&self, members: &mut Members, time: Option<SystemTime>) -> bool {
        let (Some(open), Some(stamps), None) = (&self.common_open, &self.time, time) else {
            return false;
        };
        // The smallest cap leaves room for this.
        members.out.buf.make_room(MOST);
        let Some(space) = members.out.buf.ahead::<MOST>() else { return false };
        let at = space.first_chunk_mut().map_or(0, |space| open.copy_to(space));
        if !space[at..].first_chunk_mut().is_some_and(|space| stamps.write_common(space)) {
            return false;
        }
        space[at + time::COMMON] = b',';
        members.out.buf.advance(at + time::COMMON + 1);
        true
    }

    /// Begins a line with a timestamp of any form, or without one.
    #[inline(never)]
    pub(super) fn begin_long(&self, members: &mut Members, time: Option<SystemTime>) {
        members.out.buf.extend_from_slice(&self.open);
        self.time(members, time);
    }

    pub(super) fn time(&self, members: &mut Members, time: Option<SystemTime>) {
        if let Some(stamps) = &self.time {
            let buf = &mut members.out.buf;
            stamps.write(buf, time);
            buf.push(b',');
        }
    }

    /// Writes what does not change between two records of one call site. Returns whether a string
    /// was cut.
    pub(super) fn static_part(&self, out: &mut Out, meta: &Meta<'_>, place: Place) -> bool {
        match place {
            Place::Line => {
                let mut cut = false;
                out.raw(&self.levels[meta.severity as usize]);
                if let Some(key) = &self.target {
                    cut |= out.metadata(key, meta.target);
                    out.raw(b",");
                }
                if self.shows_source {
                    cut |= self.source(out, meta);
                }
                out.raw(&self.fixed);
                cut
            }
            Place::Scope => self.scope(out, meta),
            Place::Attributes => self.source(out, meta),
        }
    }

    /// Writes the place in the source. Returns whether a string was cut.
    #[inline(never)]
    fn source(&self, out: &mut Out, meta: &Meta<'_>) -> bool {
        let mut cut = false;
        let source = out.buf.len();
        if let Some(group) = &self.source_group {
            out.raw(group);
        }
        let inside = out.buf.len();
        for (key, text) in [(&self.module, meta.module), (&self.file, meta.file)] {
            if let (Some(key), Some(text)) = (key, text) {
                cut |= out.metadata(key, text);
                out.raw(self.text_end);
            }
        }
        if let (Some(key), Some(line)) = (&self.line, meta.line) {
            let mark: &[u8] = if self.line_as_string { b"\"" } else { b"" };
            out.raw(key);
            out.raw(mark);
            out.raw(itoa::Buffer::new().format(line).as_bytes());
            out.raw(mark);
            out.raw(self.text_end);
        }
        if self.source_group.is_some() {
            if out.buf.len() == inside {
                out.buf.truncate(source);
            } else {
                out.buf.pop();
                out.raw(b"},");
            }
        }
        cut
    }

    #[inline]
    pub(super) fn thread(&self, members: &mut Members) {
        if self.shows_thread {
            self.thread_parts(members);
        }
    }

    #[cold]
    fn thread_parts(&self, members: &mut Members) {
        if let Some(key) = &self.thread_name {
            thread::with_name(|name| {
                members.cut |= members.out.metadata(key, name);
                members.out.raw(self.text_end);
            });
        }
        if let Some(key) = &self.thread_id
            && let Some(number) = thread::number()
        {
            let out = &mut members.out;
            let (open, close): (&[u8], &[u8]) = if self.thread_id_as_debug {
                (b"\"ThreadId(", b")\"")
            } else if self.rules.options.typed {
                (b"\"", b"\"")
            } else {
                (b"", b"")
            };
            out.raw(key);
            out.raw(open);
            out.raw(itoa::Buffer::new().format(number).as_bytes());
            out.raw(close);
            out.raw(self.text_end);
        }
        if let Some(sequence) = &self.sequence {
            let out = &mut members.out;
            let quote: &[u8] = if self.rules.options.typed { b"\"" } else { b"" };
            out.raw(&sequence.key);
            out.raw(quote);
            out.raw(itoa::Buffer::new().format(sequence.next()).as_bytes());
            out.raw(quote);
            out.raw(self.text_end);
        }
    }
}
