//! How a record of `log` becomes a line.

use std::error::Error;

use log::kv::{self, Key, Value, VisitSource, VisitValue};
use log::{Level, Record};
use writer_core::json::{self, Format, Meta};
use writer_core::{Severity, Writer};

use crate::site::{Names, Sites, plain_name};

/// Encodes a record and sends it. Nothing of it panics, fails or is lost uncounted.
pub(crate) fn write(writer: &Writer, format: &Format, sites: &Sites, record: &Record<'_>) {
    let meta = Meta::new(severity(record.level()), record.target())
        .module(record.module_path())
        .file(record.file())
        .line(record.line());
    let mut whole = true;
    let mut fill = |line: &mut json::Record<'_>, names: Option<&mut Names>| {
        match record.args().as_str() {
            Some(message) => line.message().str(message),
            None => line.message().args(*record.args()),
        }
        // A source that fails midway has said what it could; the rest of the record is kept.
        whole = record.key_values().visit(&mut Fields { line, names }).is_ok();
    };
    let send = |severity, line: &[u8]| writer.send_record(severity, line);
    let encoded = sites.with(record, format, &meta, |site, names| match site {
        Some(site) => site.encode(None, |line| fill(line, None), send),
        None => format.encode(&meta, |line| fill(line, names), send),
    });
    match encoded {
        Some(encoded) => {
            let errors = u64::from(encoded.format_errors) + u64::from(!whole);
            writer.note_record(errors, encoded.truncated);
        }
        // One link of an endless chain of values that log while they are formatted.
        None => writer.note_record(1, false),
    }
}

fn severity(level: Level) -> Severity {
    match level {
        Level::Error => Severity::Error,
        Level::Warn => Severity::Warn,
        Level::Info => Severity::Info,
        Level::Debug => Severity::Debug,
        Level::Trace => Severity::Trace,
    }
}

struct Fields<'l, 'r> {
    line: &'l mut json::Record<'r>,
    /// Takes the names.
    names: Option<&'l mut Names>,
}

impl<'kvs> VisitSource<'kvs> for Fields<'_, '_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let key = plain_name(key.as_str());
        if let Some(names) = &mut self.names {
            names.push(key.into());
        }
        value.visit(Field { line: self.line, key })
    }
}

/// One key and the value that is on its way to it.
struct Field<'l, 'r, 'k> {
    line: &'l mut json::Record<'r>,
    key: &'k str,
}

macro_rules! typed {
    ($($method:ident($type:ty) => $write:ident),+ $(,)?) => {
        $(fn $method(&mut self, value: $type) -> Result<(), kv::Error> {
            self.line.next_field(self.key).$write(value);
            Ok(())
        })+
    };
}

impl<'v> VisitValue<'v> for Field<'_, '_, '_> {
    /// What is captured by `Debug` or `Display` comes here, and what is captured by serde or sval,
    /// which `log` translates into one another as far as its features are on.
    fn visit_any(&mut self, value: Value<'_>) -> Result<(), kv::Error> {
        let field = self.line.next_field(self.key);
        #[cfg(feature = "sval")]
        field.sval(&value);
        #[cfg(all(feature = "serde", not(feature = "sval")))]
        field.serialize(&value);
        #[cfg(not(any(feature = "serde", feature = "sval")))]
        field.display(&value);
        Ok(())
    }

    fn visit_null(&mut self) -> Result<(), kv::Error> {
        self.line.next_field(self.key).null();
        Ok(())
    }

    typed! {
        visit_u64(u64) => u64,
        visit_i64(i64) => i64,
        visit_u128(u128) => u128,
        visit_i128(i128) => i128,
        visit_f64(f64) => f64,
        visit_bool(bool) => bool,
        visit_str(&str) => str,
        visit_char(char) => char,
        visit_error(&(dyn Error + 'static)) => error,
        // Left to its default, this one would come as text, without the sources.
        visit_borrowed_error(&'v (dyn Error + 'static)) => error,
    }
}
