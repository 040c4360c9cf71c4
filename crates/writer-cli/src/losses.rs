//! Loss markers: the writer's own lines about lines that it dropped.
//!
//! A format may rename or hide the message, hide the target, put the fields into an object of any
//! name, and have a static field of the name of one of them. So a marker is known by its fields.

use std::borrow::Cow;

use crate::json::Member;
use crate::level::Level;
use crate::record::Record;
use crate::time;

/// The message of a marker.
const MESSAGE: &str = "lines were dropped";

/// With this begin the keys of the fields with counts.
const DROPPED: &str = "dropped";

/// What a marker tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Losses<'l> {
    /// How many.
    pub lines: u64,
    /// How many of each level, least severe first.
    pub by_level: [u64; 5],
    /// When the first of them was dropped.
    pub since: Cow<'l, str>,
    /// When there was room again.
    pub until: Cow<'l, str>,
    /// The queue policy.
    pub policy: Cow<'l, str>,
}

/// Whether a line with this member may be a marker: quick, for every line of a file is asked.
pub(crate) fn may_tell_losses(member: Member<'_>) -> bool {
    member.key.starts_with(DROPPED)
        || (member.value.starts_with('{') && may_hold_losses(member.value))
}

/// The same of a value that may hold the fields at any depth.
pub(crate) fn may_hold_losses(value: &str) -> bool {
    memchr::memmem::find(value.as_bytes(), b"\"dropped").is_some()
}

impl<'l> Record<'l> {
    /// What a loss marker tells; `None` if it is none.
    pub fn losses(&self) -> Option<Losses<'l>> {
        if !self.fields.iter().any(|member| may_tell_losses(*member)) {
            return None;
        }
        let objects = self.fields.iter().filter(|member| member.value.starts_with('{'));
        let nested = objects.map(|member| self.inside(member.value));
        let losses = told(self, &self.fields)
            .or_else(|| nested.clone().find_map(|members| told(self, &members)))?;
        let is_message = |member: &Member<'l>| self.value(member.value) == MESSAGE;
        let known = match &self.message {
            Some(message) => message == MESSAGE,
            // Renamed, or in an object; or hidden, and then there is no text at all.
            None => {
                self.fields.iter().any(is_message)
                    || nested.clone().any(|members| members.iter().any(is_message))
                    || losses.is_of_the_writer()
            }
        };
        known.then_some(losses)
    }
}

impl Losses<'_> {
    /// Whether it looks as the writer writes it, and not as a record of the program about losses of
    /// its own.
    fn is_of_the_writer(&self) -> bool {
        if self.lines != self.by_level.into_iter().fold(0, u64::saturating_add) {
            return false;
        }
        let policies = ["block", "drop_oldest", "drop_newest", "warn"];
        let moments = [&self.since, &self.until];
        policies.contains(&&*self.policy)
            && moments.iter().all(|moment| moment.ends_with('Z') && time::micros(moment).is_some())
    }
}

/// What these members of a marker tell.
fn told<'l>(record: &Record<'l>, members: &[Member<'l>]) -> Option<Losses<'l>> {
    // Where a static field has the name, the field of the marker has it with `_` appended.
    let field = |name: &str| {
        let named = |key: &str| {
            key.strip_prefix(name).is_some_and(|rest| rest.bytes().all(|byte| byte == b'_'))
        };
        let found = members.iter().filter(|member| named(member.key));
        let last = found.rev().max_by_key(|member| member.key.len())?;
        Some(record.value(last.value))
    };
    let number = |name: &str| field(name)?.parse().ok();
    let of_level = |level: Level| {
        number(&format!("{DROPPED}_{}", level.as_str().to_ascii_lowercase())).unwrap_or(0)
    };
    Some(Losses {
        lines: number(DROPPED)?,
        by_level: Level::ALL.map(of_level),
        since: field("since")?,
        until: field("until")?,
        policy: field("policy")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Scanner;

    #[test]
    fn losses_of_which_the_program_itself_tells_are_no_marker() {
        let own = r#""dropped":5,"since":"2026-11-24T10:00:00Z","until":"2026-11-24T11:00:00Z""#;
        for (line, is_marker) in [
            (format!(r#"{{"message":"lines were dropped",{own},"policy":"any"}}"#), true),
            (format!(r#"{{"message":"packets were dropped",{own},"policy":"warn"}}"#), false),
            (format!(r#"{{"text":"lines were dropped",{own},"policy":"any"}}"#), true),
            (format!(r#"{{{own},"policy":"warn"}}"#), false),
            (format!(r#"{{{own},"dropped_info":5,"policy":"warn"}}"#), true),
            (format!(r#"{{{own},"dropped_info":5,"policy":"reject"}}"#), false),
            (
                format!(r#"{{{own},"dropped_info":5,"policy":"warn"}}"#)
                    .replace("10:00:00Z", "today"),
                false,
            ),
            (r#"{"message":"lines were dropped","dropped":5}"#.into(), false),
        ] {
            let mut scanner = Scanner::default();
            let record = Record::of(scanner.object(line.as_bytes()).unwrap());
            assert_eq!(record.losses().is_some(), is_marker, "{line}");
        }
    }
}
