//! Lines of OTLP: the frame around a record, what has its name from there, and how its end is
//! written.

use super::build::Levels;
use super::format::{Inner, Meta};
use super::members::Members;
use super::out::Out;
use super::schema::Part;
use super::shape::Shape;

/// How spans are written.
pub(super) static SPANS: Shape = Shape {
    name: (b"{\"kvlistValue\":{\"values\":[{\"key\":\"name\",\"value\":", b"},"),
    object: b"]}},",
    list: b"]}}},",
    single: b"]}}},",
};

/// Opens a line of OTLP; the attributes of the resource follow.
pub(super) const OPEN: &str = "{\"resourceLogs\":[{\"resource\":{\"attributes\":[";

/// Ends the attributes of the resource.
pub(super) const SCOPES: &str = "]},\"scopeLogs\":[{";

/// The key of the scope's name, which is the target.
pub(super) const SCOPE: &str = "\"scope\":{\"name\":";

/// What has its name from OTLP, so that it cannot be renamed. The target is the scope's name.
pub(super) const NAMES: [Part; 6] =
    [Part::Timestamp, Part::Level, Part::Target, Part::Message, Part::TraceId, Part::SpanId];

/// The number of a severity and, as the member after it, its text, where one of them is another
/// than in the schema.
pub(super) fn levels(known: [&str; 5], own: &Levels) -> [String; 5] {
    const TEXT: &str = ",\"severityText\":";
    std::array::from_fn(|at| {
        let (number, text) = known[at].split_once(TEXT).unwrap_or((known[at], "\"\""));
        let number = own.numbers.as_ref().map_or(number, |numbers| &numbers[at]);
        let text = own.names.as_ref().map_or(text, |names| &names[at]);
        [number, TEXT, text].concat()
    })
}

impl Inner {
    /// Writes OTLP's scope and the beginning of the record. Returns whether a string was cut.
    pub(super) fn scope(&self, out: &mut Out, meta: &Meta<'_>) -> bool {
        let mut cut = false;
        if let Some(key) = &self.target {
            cut = out.metadata(key, meta.target);
            out.raw(b"},");
        }
        out.raw(b"\"logRecords\":[{");
        out.raw(&self.levels[meta.severity as usize]);
        cut
    }

    /// Ends a line of OTLP; otherwise like [`Inner::finish`].
    #[cold]
    #[inline(never)]
    pub(super) fn finish_typed(&self, members: &mut Members) -> bool {
        let truncated = members.out.full() || members.cut || members.out.skipped > 0;
        let bare = members.has_no_fields();
        // Opens the attributes where nothing has.
        members.begin_spans(&self.rules);
        if truncated {
            let out = &mut members.out;
            // The brackets that close the line, of which the first takes the place of a comma.
            let original = out.buf.len() as u64 + out.skipped + 8 + u64::from(bare);
            out.set_full(false);
            out.raw(b"{\"key\":\"truncated\",\"value\":{\"boolValue\":true}},");
            out.raw(b"{\"key\":\"original_bytes\",\"value\":{\"intValue\":\"");
            out.raw(itoa::Buffer::new().format(original).as_bytes());
            out.raw(b"\"}},");
        }
        members.end_fields(&self.rules);
        members.end_object(b'}');
        members.out.buf.extend_from_slice(b"]}]}]}\n");
        truncated
    }
}
