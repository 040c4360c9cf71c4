//! Records of the `log` crate that come through `tracing-log`.
//!
//! All of them share five call sites, one per level, and carry what they are in fields: target,
//! module, file and line become metadata again.

use std::cell::Cell;
use std::fmt::Debug;

use tracing_core::field::{Field, Visit};
use tracing_core::{Event, Level};
use writer_core::json::{Meta, Record};

use crate::site::severity;

/// More bytes of a text than this are not kept for the next record.
const LONG: usize = 1024;

thread_local! {
    static SPARE: Cell<Option<Box<Origin>>> = const { Cell::new(None) };
}

/// Where a record comes from. A visitor may not keep what it is shown, so the texts are copied.
#[derive(Debug, Default)]
pub(crate) struct Origin {
    target: String,
    /// Empty where unknown.
    module: String,
    /// Empty where unknown.
    file: String,
    line: Option<u32>,
}

impl Origin {
    pub(crate) fn meta(&self, level: Level) -> Meta<'_> {
        Meta::new(severity(level), &self.target)
            .module(known(&self.module))
            .file(known(&self.file))
            .line(self.line)
    }

    /// Forgets the record: what the next one does not have is not shown to the visitor.
    fn clear(&mut self) {
        for text in [&mut self.target, &mut self.module, &mut self.file] {
            text.clear();
            text.shrink_to(LONG);
        }
        self.line = None;
    }
}

impl Visit for Origin {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "log.target" => copy(&mut self.target, value),
            "log.module_path" => copy(&mut self.module, value),
            "log.file" => copy(&mut self.file, value),
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "log.line" {
            self.line = u32::try_from(value).ok();
        }
    }

    /// The message, which is of no interest here, must not be formatted.
    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

fn known(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn copy(to: &mut String, from: &str) {
    to.clear();
    to.push_str(from);
}

/// Calls with the origin of a record, in memory that the thread uses again.
pub(crate) fn with_origin<R>(event: &Event<'_>, call: impl FnOnce(&Origin) -> R) -> R {
    let mut origin = SPARE.try_with(Cell::take).ok().flatten().unwrap_or_default();
    event.record(&mut *origin);
    let result = call(&origin);
    origin.clear();
    // In the destructors of a thread the next record starts anew.
    let _ = SPARE.try_with(|spare| spare.set(Some(origin)));
    result
}

/// What remains of the fields besides the origin.
pub(crate) struct LogFields<'a, 'r>(pub(crate) &'a mut Record<'r>);

impl Visit for LogFields<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.0.message().debug(value),
            "log.target" | "log.module_path" | "log.file" | "log.line" => {}
            name => self.0.field(name).debug(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing::subscriber::with_default;
    use tracing_subscriber::Registry;
    use tracing_subscriber::prelude::*;
    use writer_core::{WriteSink, Writer};

    use super::*;

    // Each thread kept 201 MB of a record whose texts had 64 MB each.
    #[test]
    fn no_long_text_of_a_record_is_kept() {
        let sink = WriteSink::new(std::io::sink());
        let (writer, _guard) = Writer::to(sink).synchronous(true).build().unwrap();
        with_default(Registry::default().with(crate::on(writer).layer()), || {
            for (len, kept) in [(LONG, true), (1 << 20, false)] {
                let text = "t".repeat(len);
                let mut record = log::Record::builder();
                record.target(&text).module_path(Some(&text)).file(Some(&text));
                tracing_log::format_trace(&record.args(format_args!("m")).build()).unwrap();
                let spare = SPARE.take().unwrap();
                for text in [spare.target, spare.module, spare.file] {
                    assert!(text.is_empty() && text.capacity() <= LONG, "{}", text.capacity());
                    assert!(!kept || text.capacity() == LONG);
                }
            }
        });
    }
}
