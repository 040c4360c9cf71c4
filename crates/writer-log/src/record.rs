//! How a record of `log` becomes a line.

use log::kv::{self, Key, Value, VisitSource};
use log::{Level, Record};
use writer_core::json::{self, Encoded, Format, Meta};
use writer_core::{Severity, Writer};

use crate::site::{Found, Names, Sites, plain_name};
#[cfg(not(any(feature = "serde", feature = "sval")))]
use crate::visit::write_value;

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
    #[cfg(any(feature = "serde", feature = "sval"))]
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        structured(self.line.next_field(plain_name(key.as_str())), &value);
        Ok(())
    }

    #[cfg(not(any(feature = "serde", feature = "sval")))]
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        write_value(self.line, plain_name(key.as_str()), &value)
    }
}

/// Writes a value of any kind.
///
/// [`Value::visit`] is no way to one that is captured by serde or sval: to find out whether it is a
/// scalar, `log` runs its user code there, once more than it should and outside of the encoder,
/// which catches panics, stops endless chains and does not even look at secrets. Whether a value
/// is of that kind, `log` does not say.
#[cfg(any(feature = "serde", feature = "sval"))]
fn structured(field: json::Value<'_>, value: &Value<'_>) {
    // As text it would come without the sources.
    if let Some(error) = value.to_borrowed_error() {
        return field.error(error);
    }
    // Where both are on, `log` translates what is captured by serde into calls of sval.
    #[cfg(feature = "sval")]
    field.sval(value);
    #[cfg(not(feature = "sval"))]
    field.serialize(value);
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
