//! How bad a record is.

use std::fmt;
use std::str::FromStr;

use crate::json::text;

/// How bad a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Very fine-grained.
    Trace,
    /// For the developer.
    Debug,
    /// The ordinary course of things.
    Info,
    /// Something to look at.
    Warn,
    /// Something failed.
    Error,
}

impl Level {
    /// All of them, least severe first.
    pub const ALL: [Level; 5] =
        [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error];

    /// The name in capitals.
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Trace => "TRACE",
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
        }
    }

    /// The level of a number in OTLP
    /// (<https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber>).
    pub(crate) fn of_otlp(number: &str) -> Option<Level> {
        match number.parse::<u32>().ok()? {
            0 => None,
            1..=4 => Some(Level::Trace),
            5..=8 => Some(Level::Debug),
            9..=12 => Some(Level::Info),
            13..=16 => Some(Level::Warn),
            _ => Some(Level::Error),
        }
    }

    /// The level that a value names, or its number in bunyan.
    pub(crate) fn of(value: &str) -> Option<Level> {
        match text(value) {
            Some(name) => name.parse().ok(),
            None => match value.parse::<u32>().ok()? {
                0..=19 => Some(Level::Trace),
                20..=29 => Some(Level::Debug),
                30..=39 => Some(Level::Info),
                40..=49 => Some(Level::Warn),
                _ => Some(Level::Error),
            },
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Text that names no level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseLevelError;

impl fmt::Display for ParseLevelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected trace, debug, info, warn or error")
    }
}

impl std::error::Error for ParseLevelError {}

impl FromStr for Level {
    type Err = ParseLevelError;

    fn from_str(name: &str) -> Result<Self, ParseLevelError> {
        let names: [(Level, &[&str]); 5] = [
            (Level::Trace, &["trace"]),
            (Level::Debug, &["debug", "default"]),
            (Level::Info, &["info", "notice", "note", "success"]),
            (Level::Warn, &["warn", "warning"]),
            (Level::Error, &["error", "critical", "alert", "emergency", "fatal"]),
        ];
        let name = name.trim();
        let is_one = |known: &[&str]| known.iter().any(|known| known.eq_ignore_ascii_case(name));
        let found = names.iter().find(|(_, known)| is_one(known));
        found.map(|(level, _)| *level).ok_or(ParseLevelError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_known_by_all_their_names() {
        for (value, level) in [
            ("\"INFO\"", Level::Info),
            ("\"warning\"", Level::Warn),
            ("\"WARNING\"", Level::Warn),
            ("\"critical\"", Level::Error),
            ("10", Level::Trace),
            ("50", Level::Error),
            ("60", Level::Error),
        ] {
            assert_eq!(Level::of(value), Some(level), "{value}");
        }
        assert_eq!(Level::of("\"loud\""), None);
        assert_eq!(Level::of("{}"), None);
    }
}
