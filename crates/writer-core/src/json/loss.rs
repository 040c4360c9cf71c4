//! The line that tells of dropped lines.

use std::time::SystemTime;

use super::buf::Buf;
use super::format::{Encoded, Format, Meta};
use super::time::Stamps;
use crate::{Losses, Severity};

/// The target of a loss marker.
pub const LOSS_TARGET: &str = "writer";

/// The message of a loss marker.
pub const LOSS_MESSAGE: &str = "lines were dropped";

/// The fields that count the lines of each severity, the least severe first.
const BY_SEVERITY: [&str; 5] =
    ["dropped_trace", "dropped_debug", "dropped_info", "dropped_warn", "dropped_error"];

impl Format {
    /// Encodes a line about dropped lines and hands it to `done`, as [`Format::encode`] does: a
    /// warning with the target [`LOSS_TARGET`], the message [`LOSS_MESSAGE`] and the fields
    /// `dropped`, `dropped_error` to `dropped_trace` for the severities that lost lines, `since`,
    /// `until` and `policy`.
    pub fn encode_losses<R>(
        &self,
        losses: &Losses,
        done: impl FnOnce(Severity, &[u8]) -> R,
    ) -> Option<Encoded<R>> {
        self.encode(
            &Meta::new(Severity::Warn, LOSS_TARGET),
            |record| {
                record.message().str(LOSS_MESSAGE);
                record.field("dropped").u64(losses.lines());
                for (name, &lines) in BY_SEVERITY.iter().zip(&losses.by_severity).rev() {
                    if lines > 0 {
                        record.field(name).u64(lines);
                    }
                }
                record.field("since").str(&moment(losses.since));
                record.field("until").str(&moment(losses.until));
                record.field("policy").str(losses.policy.as_str());
            },
            done,
        )
    }
}

/// As in RFC 3339, in UTC, with microseconds.
fn moment(time: SystemTime) -> String {
    let mut buf = Buf::default();
    Stamps::default().write(&mut buf, Some(time));
    String::from_utf8_lossy(&buf).trim_matches('"').to_owned()
}
