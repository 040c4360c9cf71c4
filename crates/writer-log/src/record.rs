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
    if !matches!(found, Found::NewPlace) || record.target().len() > LONGEST {
        let fill = |line: &mut json::Record<'_>| {
            message(line, record);
            *whole = visit(record, &mut Fields { line });
        };
        return format.encode(&meta, fill, send);
    }
    let mut names = Names::new();
    let fill = |line: &mut json::Record<'_>| {
        message(line, record);
        let fields = Fields { line };
        *whole = visit(record, &mut Learning { fields, names: &mut names, more: true });
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

/// [`json::Value::args`] makes the same choice; made here, it costs 14 instructions less.
#[inline]
fn message(line: &mut json::Record<'_>, record: &Record<'_>) {
    match record.args().as_str() {
        Some(message) if line.message_str(message) => {}
        _ => line.message().args(*record.args()),
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

/// At most so many names of a place are prepared, as there are bits for those that were written.
const MOST_NAMES: usize = 64;

/// The longest name or target that is prepared, in bytes: what is prepared stays.
const LONGEST: usize = 256;

/// Takes the names besides, up to the first that is not prepared.
struct Learning<'l, 'r, 'n> {
    fields: Fields<'l, 'r>,
    names: &'n mut Names,
    more: bool,
}

impl<'kvs> VisitSource<'kvs> for Learning<'_, '_, '_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let name = plain_name(key.as_str());
        self.more &= self.names.len() < MOST_NAMES && name.len() <= LONGEST;
        if self.more {
            self.names.push(name.into());
        }
        self.fields.visit_pair(key, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many names of a record are prepared.
    fn learned(keys: &[&str]) -> usize {
        let mut names = Names::new();
        let fill = |line: &mut json::Record<'_>| {
            let mut learning = Learning { fields: Fields { line }, names: &mut names, more: true };
            for key in keys {
                assert!(learning.visit_pair(Key::from(*key), Value::from(1)).is_ok());
            }
        };
        assert!(
            Format::default().encode(&Meta::new(Severity::Info, "t"), fill, |_, _| ()).is_some()
        );
        names.len()
    }

    /// Whether a record with this target prepares its place.
    fn prepares(target: &str) -> bool {
        let sink = writer_core::WriteSink::new(std::io::sink());
        let (writer, _guard) = Writer::to(sink).synchronous(true).build().unwrap();
        let sites = Sites::new();
        let mut record = Record::builder();
        record.target(target).module_path_static(Some("m")).file_static(Some("f"));
        let record = record.args(format_args!("m")).build();
        write(&writer, &Format::default(), &sites, &record);
        matches!(sites.take(&writer, &record), Found::Site(_))
    }

    // A target of 64 MB was kept for ever.
    #[test]
    fn no_place_is_prepared_for_a_long_target() {
        assert!(prepares(&"t".repeat(256)));
        assert!(!prepares(&"t".repeat(257)));
    }

    // A record with 3 000 000 pairs took 160 MB, and keys of 64 MB were kept for ever.
    #[test]
    fn few_names_and_no_long_ones_are_prepared() {
        let (short, long) = ("k".repeat(256), "k".repeat(257));
        assert_eq!(learned(&["a", &short, "b"]), 3);
        assert_eq!(learned(&["a", &long, "b"]), 1);
        assert_eq!(learned(&["a"; 1000]), 64);
    }
}
