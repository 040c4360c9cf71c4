//! The object around the user's fields, in schemas that have one: when it opens and closes.

use super::members::Members;
use super::name::Name;
use super::out::Mark;
use super::schema::Rules;

/// Where the writing stands with respect to the object for the user's fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Nested {
    #[default]
    Before,
    Inside,
    After,
}

impl Members {
    /// Opens the object for the user's fields if this member belongs inside.
    #[cold]
    pub(super) fn nest_for(&mut self, name: Name<'_>, rules: &Rules) {
        let message = matches!(name, Name::Message) && !self.message_done;
        if message && !rules.message.nested {
            return;
        }
        self.open_nest(rules);
        if rules.message.nested {
            self.message_at = self.out.buf.len();
        }
    }

    /// Opens the object for the user's fields, also in a line that is full: the limit leaves room.
    pub(super) fn open_nest(&mut self, rules: &Rules) {
        if let Some(nest) = &rules.nest {
            self.out.buf.extend_from_slice(nest);
            self.nested = Nested::Inside;
        }
    }

    /// Takes back [`Members::open_nest`] after which nothing was written.
    pub(super) fn unopen_nest(&mut self, mark: Mark) {
        self.out.buf.truncate(mark.len());
        self.nested = Nested::Before;
    }

    /// Whether nothing has come yet that belongs into the object for the user's fields.
    pub(super) fn has_no_fields(&self) -> bool {
        self.nested == Nested::Before
    }

    /// Makes ready for the spans; false if they are there already.
    #[inline]
    pub(super) fn begin_spans(&mut self, rules: &Rules) -> bool {
        if !rules.spans_inside {
            return self.end_fields(rules);
        }
        if self.nested == Nested::Before {
            self.nest_for(Name::Bare, rules);
        }
        !std::mem::replace(&mut self.spans_done, true)
    }

    /// Closes the object for the user's fields; true if fields were still open until now.
    pub(super) fn end_fields(&mut self, rules: &Rules) -> bool {
        if self.nested == Nested::After {
            return false;
        }
        if rules.nest.is_some() {
            if self.nested == Nested::Before {
                self.nest_for(Name::Bare, rules);
            }
            self.end_object(if rules.options.typed { b']' } else { b'}' });
            self.out.buf.push(b',');
            // The keys of a call site are free of clashes inside; what still comes stands beside
            // it.
            self.written = u64::MAX;
        }
        self.nested = Nested::After;
        true
    }
}
