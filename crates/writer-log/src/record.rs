//! How a record of `log` becomes a line.

use std::error::Error;

use log::kv::{self, Key, Value, VisitSource, VisitValue};
use log::{Level, Record};
use writer_core::json::{self, Encoded, Format, Meta};
use writer_core::{Severity, Writer};

use crate::site::{Found, Names, Sites, plain_name};

/// Encodes a record and sends it. Nothing of it panics, fails or is lost uncounted.
pub(crate) fn write(writer: &Writer, format: &Format, sites: &Sites, record: &Record<'_>) {
    let mut whole = true;
    let send = |severity, line: &[u8]| writer.send_record(severity, line);
    let encoded = match sites.take(writer, record) {
        Found::Site(site) => {
            let encoded = site.prepared.encode(
                None,
                |line| {
                    message(line, record);
                    whole = visit(record, &mut Fields { line });
                },
                send,
            );
            sites.put_back(site);
            encoded
        }
        found => unprepared(writer, format, sites, &found, record, &mut whole),
    };
    match encoded {
        Some(encoded) => {
            let errors = u64::from(encoded.format_errors) + u64::from(!whole);
            writer.note_record(errors, encoded.truncated);
        }
        // One link of an endless chain of values that log while they are formatted.
        None => writer.note_record(1, false),
    }
}

/// Encodes a record of a place that is not prepared, and prepares it if it is a new one.
#[cold]
fn unprepared(
    writer: &Writer,
    format: &Format,
    sites: &Sites,
    found: &Found,
    record: &Record<'_>,
    whole: &mut bool,
) -> Option<Encoded<()>> {
    let send = |severity, line: &[u8]| writer.send_record(severity, line);
    let meta = meta(record);
    if !matches!(found, Found::NewPlace) {
        let fill = |line: &mut json::Record<'_>| {
            message(line, record);
            *whole = visit(record, &mut Fields { line });
        };
        return format.encode(&meta, fill, send);
    }
    let mut names = Names::new();
    let fill = |line: &mut json::Record<'_>| {
        message(line, record);
        *whole = visit(record, &mut Learning { fields: Fields { line }, names: &mut names });
    };
    let encoded = format.encode(&meta, fill, send);
    sites.learn(writer, record, format.expected_call_site(&meta, names.iter().map(|name| &**name)));
    encoded
}

fn meta<'r>(record: &Record<'r>) -> Meta<'r> {
    Meta::new(severity(record.level()), record.target())
        .module(record.module_path())
        .file(record.file())
        .line(record.line())
}

#[inline]
fn message(line: &mut json::Record<'_>, record: &Record<'_>) {
    match record.args().as_str() {
        Some(message) => line.message().str(message),
        None => line.message().args(*record.args()),
    }
}

/// Visits the key-values; false for a source that fails midway. It has said what it could, and the
/// rest of the record is kept.
#[inline]
fn visit<'r>(record: &'r Record<'_>, visitor: &mut dyn VisitSource<'r>) -> bool {
    record.key_values().visit(visitor).is_ok()
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
}

impl<'kvs> VisitSource<'kvs> for Fields<'_, '_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        value.visit(Field { line: self.line, key: plain_name(key.as_str()) })
    }
}

/// Takes the names besides.
struct Learning<'l, 'r, 'n> {
    fields: Fields<'l, 'r>,
    names: &'n mut Names,
}

impl<'kvs> VisitSource<'kvs> for Learning<'_, '_, '_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        self.names.push(plain_name(key.as_str()).into());
        self.fields.visit_pair(key, value)
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
