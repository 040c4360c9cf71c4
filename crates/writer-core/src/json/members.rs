//! The members of one object while it is written: keys, clashes, the cap.

use std::ops::Range;

use super::escape;
use super::fields::Nested;
use super::keys::{self, Keys};
use super::name::Name;
use super::out::{Mark, Out};
use super::replace::Before;
use super::schema::{Options, Rules};
use super::site::{ReadyKey, Site};

/// What stands around a key: quotes and colon, in bytes.
pub(super) const KEY_MARKS: usize = 3;

/// An object being written. Every member ends in a comma; the last one becomes the closing brace.
#[derive(Debug, Default, Clone)]
pub(super) struct Members {
    pub(super) out: Out,
    pub(super) keys: Keys,
    /// Values that failed or panicked while formatting.
    pub(super) errors: u32,
    /// Something was cut or left out though the line itself is not full: a string of the metadata,
    /// spans.
    pub(super) cut: bool,
    /// Where the message belongs.
    pub(super) message_at: usize,
    /// Where the metadata end, if the message belongs before that.
    pub(super) head_end: usize,
    /// A message was written, or did not fit.
    pub(super) message_done: bool,
    pub(super) nested: Nested,
    /// A field has set the message type.
    pub(super) type_done: bool,
    /// The spans are written, among the fields.
    pub(super) spans_done: bool,
    /// Where the members of the task stand, if the schema has them.
    pub(super) task: Range<usize>,
    /// Bit per prepared key of the call site: it has been written.
    pub(super) written: u64,
    /// A key has come in another way than by the call site: from here on none of its keys is
    /// expected, for it may be taken.
    pub(super) unexpected: bool,
}

/// A member that has its key and waits for its value.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) mark: Mark,
    added: bool,
    /// The member is an object of key and value, as OTLP has attributes.
    pub(super) attribute: bool,
    target: Target,
}

impl Open {
    /// The message in its place, or a plain key and value.
    pub(super) fn simple(name: Name<'_>, mark: Mark) -> Self {
        let target = if let Name::Message = name { Target::Message } else { Target::End };
        Open { mark, added: false, attribute: false, target }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    End,
    Message,
    /// The place of the level, if the value is a message type.
    Type,
    /// In the place of the old value of the key at this position.
    Key(usize, Before),
    /// At the end, in what is full as well.
    Promised(Before),
}

impl Members {
    pub(super) fn reset(&mut self, limit: usize) {
        self.out.reset(limit);
        self.keys.clear();
        self.errors = 0;
        self.cut = false;
        self.message_at = 0;
        self.head_end = 0;
        self.task = 0..0;
        self.message_done = false;
        self.type_done = false;
        self.nested = Nested::Before;
        self.spans_done = false;
        self.written = 0;
        self.unexpected = false;
    }

    /// Ends the metadata: what follows are message and fields.
    #[inline]
    pub(super) fn begin_fields(&mut self) {
        self.message_at = self.out.buf.len();
    }

    /// Writes a member in few steps where nothing stands in the way. Returns false, with nothing
    /// written, where [`Members::open`] and [`Members::close`] have more to decide.
    #[inline(always)]
    pub(super) fn write_simple(
        &mut self,
        name: Name<'_>,
        rules: &Rules,
        site: Option<&Site>,
        write: &impl Fn(&mut Out, Options),
    ) -> bool {
        if self.out.full() || (rules.complex && !self.plain_here(name, rules)) {
            return false;
        }
        let mark = self.out.mark();
        let mut added = false;
        match name {
            Name::Ready(key) if key.whole.len() <= self.out.room() => {
                self.written |= key.bit;
                self.out.buf.extend_from_slice(&key.whole);
            }
            Name::User(name, id) => {
                added = self.user_key(name, id, rules, site);
                if !added {
                    self.out.roll_back(mark);
                    return false;
                }
            }
            Name::Message if self.message_comes_here() => {
                self.message_done = true;
                self.out.buf.extend_from_slice(&rules.message.key);
            }
            _ => return false,
        }
        write(&mut self.out, rules.options);
        if self.out.full() || self.out.over() {
            self.undo(name, mark, added);
            return false;
        }
        self.out.buf.push(b',');
        true
    }

    /// Whether a message would be the first one and stand where messages belong.
    #[inline(always)]
    pub(super) fn message_comes_here(&self) -> bool {
        !self.message_done && self.out.buf.len() == self.message_at
    }

    /// As [`Members::open`], where nothing stands in the way of a message or a key of a call site.
    #[inline(always)]
    pub(super) fn open_simple(&mut self, name: Name<'_>, rules: &Rules) -> Option<Open> {
        let mark = self.out.mark();
        if self.out.full() || rules.complex {
            return None;
        }
        match name {
            Name::Message if self.message_comes_here() => {
                self.message_done = true;
                self.out.buf.extend_from_slice(&rules.message.key);
            }
            Name::Ready(ready @ ReadyKey { block: Some(key), .. })
                if ready.whole.len() <= self.out.room() =>
            {
                self.written |= ready.bit;
                self.out.buf.fill(|space| key.copy_to(space));
            }
            _ => return None,
        }
        Some(Open::simple(name, mark))
    }

    /// Whether a member is plain key and value and comes right here.
    #[cold]
    #[inline(never)]
    fn plain_here(&self, name: Name<'_>, rules: &Rules) -> bool {
        !rules.options.typed
            && (rules.nest.is_none() || self.nested == Nested::Inside)
            && !name.is_secret(rules)
            && rules.type_set_by(name).is_none()
    }

    #[cold]
    fn undo(&mut self, name: Name<'_>, mark: Mark, added: bool) {
        self.out.roll_back(mark);
        if added {
            self.keys.pop();
        }
        if let Name::Message = name {
            self.message_done = false;
        }
    }

    /// Takes a member back whose key is written and whose value is not to be.
    #[cold]
    #[cfg(any(feature = "serde", feature = "sval", feature = "valuable"))]
    pub(super) fn take_back(&mut self, name: Name<'_>, open: &Open) {
        self.out.roll_back(open.mark);
        if open.added {
            self.keys.pop();
        }
        if open.target == Target::Message {
            self.message_done = false;
        }
        if let Name::Ready(key) = name {
            self.written &= !key.bit;
        }
    }

    /// Writes the key of a member.
    pub(super) fn open<'n>(
        &mut self,
        mut name: Name<'n>,
        rules: &'n Rules,
        site: Option<&Site>,
    ) -> Open {
        if rules.nest.is_some() && self.nested == Nested::Before {
            self.nest_for(name, rules);
        }
        let mut mark = self.out.mark();
        let mut target = Target::End;
        let mut added = false;
        let mut attribute = rules.options.typed;
        if let Some(types) = rules.type_set_by(name) {
            target = if self.type_done { Target::End } else { Target::Type };
            name = Name::User(&types.name, 0);
        }
        match name {
            Name::User(name, id) => added = self.key(name, id, rules, site),
            Name::Ready(key) => {
                if key.whole.len() > self.out.room() {
                    self.out.set_full(true);
                }
                self.written |= key.bit;
                self.out.raw(&key.whole);
            }
            Name::Message if self.message_done => {
                added = self.key(&rules.message.name, u32::MAX, rules, site);
            }
            Name::Message => {
                if rules.message.key.len() > self.out.room() {
                    self.out.set_full(true);
                }
                self.message_done = true;
                target = Target::Message;
                attribute = false;
                self.out.raw(&rules.message.key);
            }
            Name::Again(position, _) => {
                target = Target::Key(position, self.make_room_again(position, attribute));
                mark = self.out.mark();
            }
            Name::Promised(name, id) => {
                let before = self.make_room_for(name);
                mark = self.out.mark();
                added = self.key(name, id, rules, site);
                if added {
                    target = Target::Promised(before);
                } else {
                    self.take_room_back(before);
                }
            }
            Name::Bare | Name::Hidden => attribute = false,
        }
        if self.out.full() {
            mark = self.out.mark();
        }
        Open { mark, added, attribute, target }
    }

    /// Writes a user's key in the form that the schema has.
    fn key(&mut self, name: &str, id: u32, rules: &Rules, site: Option<&Site>) -> bool {
        if !rules.options.typed {
            return self.user_key(name, id, rules, site);
        }
        let mark = self.out.mark();
        self.out.raw(b"{\"key\":");
        let added = self.user_key(name, id, rules, site);
        if added {
            // `":` was written for the key of a plain member.
            self.out.buf.pop();
            self.out.buf.extend_from_slice(b",\"value\":");
        } else {
            if mark.stored() {
                self.out.skipped += (self.out.buf.len() - mark.len()) as u64;
                self.out.buf.truncate(mark.len());
            }
            // The colon is counted with the key.
            self.out.skipped += b",\"value\"".len() as u64;
        }
        added
    }

    /// Writes a user's key with as many `_` as the clash rule asks for; false if it is left out.
    fn user_key(&mut self, name: &str, id: u32, rules: &Rules, site: Option<&Site>) -> bool {
        let reserved = if self.nested == Nested::After { &rules.top } else { &rules.reserved };
        let written = self.written;
        let taken = |keys: &Keys, hash, before: &[u8], key: &[u8]| {
            reserved.contains(hash, key)
                || site.is_some_and(|site| site.has(written, hash, key))
                || keys.contains(hash, before, key)
        };
        let room = self.out.room();
        if self.out.full() || name.len() + KEY_MARKS > room / escape::WORST {
            let len = escape::len(name) + KEY_MARKS;
            if self.out.full() || len > room {
                // One `_` stands for all: most keys that are taken need no more.
                let (buf, key) = (&self.out.buf, name.as_bytes());
                let repeated = taken(&self.keys, keys::hash(key), buf, key);
                self.out.set_full(true);
                self.out.skipped += (len + usize::from(repeated)) as u64;
                return false;
            }
        }
        let buf = &mut self.out.buf;
        let start = buf.len() + 1;
        if escape::is_plain(name.as_bytes()) {
            // Nearly every name: its escaped form is itself, so the lookup comes before the copy.
            let hash = keys::hash(name.as_bytes());
            if !taken(&self.keys, hash, buf, name.as_bytes()) {
                self.keys.insert(hash, start..start + name.len(), id);
                self.unexpected = true;
                buf.extend_quoted(name.as_bytes(), b"\":");
                return true;
            }
        }
        buf.push(b'"');
        escape::push(buf, name);
        self.keys.insert_free(buf, start, id, taken);
        buf.extend_from_slice(b"\":");
        self.unexpected = true;
        let len = buf.len() + 1 - start;
        if len > room {
            // By its `_`: what comes next would be cut only behind it.
            self.keys.pop();
            self.out.buf.truncate(start - 1);
            self.out.set_full(true);
            self.out.skipped += len as u64;
            return false;
        }
        true
    }

    /// Ends a member after its value.
    #[inline]
    pub(super) fn close(&mut self, open: Open, rules: &Rules) {
        if open.attribute {
            self.out.close(open.mark, b'}');
        }
        self.out.close(open.mark, b',');
        if !open.mark.stored() {
            return;
        }
        match open.target {
            Target::Key(position, before) => self.replace(position, before, &open, rules),
            Target::Promised(before) => self.keep(before, &open, rules),
            // The comma is the last.
            _ if self.out.over() && !self.out.full() && self.out.over_by_content(1) => {
                self.out.discard(open.mark);
                if open.added {
                    self.keys.pop();
                }
            }
            Target::Message if open.mark.len() != self.message_at => {
                self.message_to_its_place(open.mark);
            }
            Target::Type => self.set_message_type(rules, open.mark),
            Target::Message | Target::End => {}
        }
    }

    /// Ends the object and its line.
    #[inline(never)]
    pub(super) fn end_line(&mut self) {
        self.end_object(b'}');
        self.out.buf.push(b'\n');
    }

    /// Turns the last comma into a closing bracket, or appends the bracket if there is no member.
    #[inline]
    pub(super) fn end_object(&mut self, bracket: u8) {
        match self.out.buf.last_mut() {
            Some(last) if *last == b',' => *last = bracket,
            _ => self.out.buf.push(bracket),
        }
    }
}
