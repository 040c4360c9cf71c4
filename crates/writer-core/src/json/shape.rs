//! The shapes that lines have: how spans are written, and where the parts of the metadata stand.

use std::time::SystemTime;

use super::format::Inner;
use super::members::Members;
use crate::Severity;

/// Which part of the metadata that depends on the call site alone is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// All of it, as members of the line.
    Line,
    /// What stands before the time: the scope and the severity.
    Scope,
    /// What stands among the fields.
    Attributes,
}

/// How spans are written, each as pieces that end in a comma.
#[derive(Debug)]
pub(super) struct Shape {
    /// Before and after a span's name.
    pub(super) name: (&'static [u8], &'static [u8]),
    /// Closes a span.
    pub(super) object: &'static [u8],
    /// Closes the list of spans.
    pub(super) list: &'static [u8],
    /// Closes a span that stands on its own, and the member that it is.
    pub(super) single: &'static [u8],
}

pub(super) static PLAIN: Shape =
    Shape { name: (b"{\"name\":", b","), object: b"},", list: b"],", single: b"}," };

impl Inner {
    /// Begins a line whose metadata is not simply time, call site and thread.
    #[cold]
    #[inline(never)]
    pub(super) fn special_head(
        &self,
        members: &mut Members,
        severity: Severity,
        time: Option<SystemTime>,
        head: &dyn Fn(&mut Members, Place),
    ) {
        members.out.buf.extend_from_slice(&self.open);
        if !self.rules.options.typed {
            self.time(members, time);
            if self.message_first.is_none() {
                self.write_task(members, None);
            }
            let level = members.out.buf.len();
            head(members, Place::Line);
            self.thread(members);
            members.begin_fields();
            if let Some(behind) = self.message_first {
                members.message_at = level + self.levels[severity as usize].len() - behind;
                self.write_task(members, None);
                members.head_end = members.out.buf.len();
            }
            return;
        }
        head(members, Place::Scope);
        members.out.raw(&self.time_key);
        self.time(members, time);
        members.begin_fields();
        let mark = members.out.mark();
        members.open_nest(&self.rules);
        let inside = members.out.buf.len();
        head(members, Place::Attributes);
        self.thread(members);
        if members.out.buf.len() == inside {
            members.unopen_nest(mark);
        }
    }
}
