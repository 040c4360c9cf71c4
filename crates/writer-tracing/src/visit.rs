//! The values of events and spans on their way into the encoder.

use std::error::Error;
use std::fmt::Debug;

use tracing_core::Event;
use tracing_core::field::{Field, Visit};
use writer_core::json::{EncodedSpan, Record, Value};

use crate::site::{Site, plain_name};

/// Hands each value, with its type, to the encoder, which also contains what goes wrong in the
/// user's formatting.
macro_rules! visit {
    ($($method:ident($type:ty) => $write:ident,)+) => {
        $(fn $method(&mut self, field: &Field, value: $type) {
            self.value(field).$write(value);
        })+
    };
}

/// The same for types whose values are mostly short: an event tries the short way first.
macro_rules! visit_short {
    ($($method:ident($type:ty) => $short:ident $write:ident,)+) => {
        $(#[inline]
        fn $method(&mut self, field: &Field, value: $type) {
            // Apart, so that the short way need not save what only the long one uses.
            #[cold]
            #[inline(never)]
            fn long(fields: &mut EventFields<'_, '_>, field: &Field, value: $type) {
                fields.value(field).$write(value);
            }
            if !self.record.$short(field.index(), value) {
                long(self, field, value);
            }
        })+
    };
}

/// The other types, and those for which nothing shorter is known.
macro_rules! visit_others {
    () => {
        visit! {
            record_i128(i128) => i128,
            record_u128(u128) => u128,
            record_bytes(&[u8]) => bytes,
            record_error(&(dyn Error + 'static)) => error,
            record_debug(&dyn Debug) => debug,
        }

        #[cfg(all(tracing_unstable, feature = "valuable"))]
        fn record_value(&mut self, field: &Field, value: valuable::Value<'_>) {
            self.value(field).valuable(&value);
        }
    };
}

/// The values of an event.
pub(crate) struct EventFields<'a, 'r> {
    record: &'a mut Record<'r>,
    site: &'a Site,
}

impl<'a, 'r> EventFields<'a, 'r> {
    /// Gives the record all fields of an event. A visitor is not told of those that are `None`.
    #[inline]
    pub(crate) fn give(record: &'a mut Record<'r>, site: &'a Site, event: &Event<'_>) {
        let mut fields = EventFields { record, site };
        event.record(&mut fields);
        if !site.is_complete(fields.record) {
            nothing(fields.record, site, event);
        }
    }

    #[inline]
    fn value(&mut self, field: &Field) -> Value<'_> {
        if self.site.message == Some(field.index()) {
            return self.record.message();
        }
        self.record.site_field(field.index(), || plain_name(field.name()))
    }
}

impl Visit for EventFields<'_, '_> {
    visit_short! {
        record_i64(i64) => site_i64 i64,
        record_u64(u64) => site_u64 u64,
        record_f64(f64) => site_f64 f64,
        record_bool(bool) => site_bool bool,
        record_str(&str) => site_str str,
    }

    visit_others!();
}

/// Writes the fields that are declared and have no value, behind the others.
#[cold]
#[inline(never)]
fn nothing(record: &mut Record<'_>, site: &Site, event: &Event<'_>) {
    if !site.shows_null {
        return;
    }
    let fields = event.metadata().fields();
    let mut given = Given::default();
    for (index, field) in fields.iter().enumerate() {
        if index % Given::LOOKS_AT == 0 {
            given = Given { first: index, bits: 0 };
            event.record(&mut given);
        }
        if !given.has(index) {
            EventFields { record, site }.value(&field).null();
        }
    }
}

/// Which fields of an event have a value, of as many as it looks at. Nothing is formatted to find
/// out.
#[derive(Default)]
struct Given {
    /// The first field that it looks at.
    first: usize,
    /// A bit per field.
    bits: u64,
}

impl Given {
    const LOOKS_AT: usize = u64::BITS as usize;

    fn has(&self, index: usize) -> bool {
        self.bits >> (index - self.first) & 1 != 0
    }
}

impl Visit for Given {
    /// All other methods end here unless they are replaced.
    fn record_debug(&mut self, field: &Field, _: &dyn Debug) {
        if let Some(bit @ 0..Given::LOOKS_AT) = field.index().checked_sub(self.first) {
            self.bits |= 1 << bit;
        }
    }
}

/// The values of a span.
pub(crate) struct SpanFields<'a>(pub(crate) &'a mut EncodedSpan);

impl SpanFields<'_> {
    fn value(&mut self, field: &Field) -> Value<'_> {
        self.0.record(field.index() as u32, plain_name(field.name()))
    }
}

impl Visit for SpanFields<'_> {
    visit! {
        record_i64(i64) => i64,
        record_u64(u64) => u64,
        record_f64(f64) => f64,
        record_bool(bool) => bool,
        record_str(&str) => str,
    }

    visit_others!();
}
