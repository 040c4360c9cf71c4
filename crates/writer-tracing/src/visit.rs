//! The values of events and spans on their way into the encoder.

use std::error::Error;
use std::fmt::Debug;

use tracing_core::Event;
use tracing_core::field::{Field, Visit};
use writer_core::json::{EncodedSpan, Record, Value};

use crate::site::{Site, plain_name};

/// Hands each value, with its type, to the encoder, which also contains what goes wrong in the
/// user's formatting.
macro_rules! visit_typed {
    () => {
        fn record_i64(&mut self, field: &Field, value: i64) {
            self.value(field).i64(value);
        }

        fn record_u64(&mut self, field: &Field, value: u64) {
            self.value(field).u64(value);
        }

        fn record_i128(&mut self, field: &Field, value: i128) {
            self.value(field).i128(value);
        }

        fn record_u128(&mut self, field: &Field, value: u128) {
            self.value(field).u128(value);
        }

        fn record_f64(&mut self, field: &Field, value: f64) {
            self.value(field).f64(value);
        }

        fn record_bool(&mut self, field: &Field, value: bool) {
            self.value(field).bool(value);
        }

        fn record_str(&mut self, field: &Field, value: &str) {
            self.value(field).str(value);
        }

        fn record_bytes(&mut self, field: &Field, value: &[u8]) {
            self.value(field).bytes(value);
        }

        fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
            self.value(field).error(value);
        }

        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            self.value(field).debug(value);
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
        let mut position = field.index();
        if let Some(message) = self.site.message {
            if position == message {
                return self.record.message();
            }
            position -= usize::from(position > message);
        }
        self.record.site_field(position, || plain_name(field.name()))
    }
}

impl Visit for EventFields<'_, '_> {
    visit_typed!();
}

/// Writes the fields that are declared and have no value, behind the others.
#[cold]
#[inline(never)]
fn nothing(record: &mut Record<'_>, site: &Site, event: &Event<'_>) {
    if !site.shows_null {
        return;
    }
    let fields = event.metadata().fields();
    let (mut given, mut position) = (Given::default(), 0);
    for (index, field) in fields.iter().enumerate() {
        if index % Given::LOOKS_AT == 0 {
            given = Given { first: index, bits: 0 };
            event.record(&mut given);
        }
        let message = site.message == Some(index);
        if !given.has(index) {
            let value = match message {
                true => record.message(),
                false => record.site_field(position, || plain_name(field.name())),
            };
            value.null();
        }
        position += usize::from(!message);
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
    visit_typed!();
}
