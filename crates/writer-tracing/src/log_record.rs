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
    // What a record does not have is not shown to the visitor.
    origin.target.clear();
    origin.module.clear();
    origin.file.clear();
    origin.line = None;
    event.record(&mut *origin);
    let result = call(&origin);
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
