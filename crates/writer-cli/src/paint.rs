//! Lines as people read them.

use std::borrow::Cow;
use std::io::{self, Write};

use anstyle::{AnsiColor, Effects, Style};
use writer_cli::json::Member;
use writer_cli::level::Level;
use writer_cli::losses::Losses;
use writer_cli::record::Record;
use writer_cli::time;

const DIM: Style = Style::new().effects(Effects::DIMMED);
const KEY: Style = AnsiColor::Cyan.on_default();
const ALARM: Style = AnsiColor::Red.on_default().effects(Effects::BOLD.insert(Effects::INVERT));

fn style(level: Level) -> Style {
    match level {
        Level::Trace => AnsiColor::Magenta.on_default(),
        Level::Debug => AnsiColor::Blue.on_default(),
        Level::Info => AnsiColor::Green.on_default(),
        Level::Warn => AnsiColor::Yellow.on_default().effects(Effects::BOLD),
        Level::Error => AnsiColor::Red.on_default().effects(Effects::BOLD),
    }
}

/// Whether a terminal would obey this character, or it would change the order of what is read.
fn is_obeyed(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text with what a terminal would obey shown as escapes.
pub(crate) fn safe(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_obeyed(c) { safe.extend(c.escape_default()) } else { safe.push(c) }
    }
    Cow::Owned(safe)
}

/// The same for JSON. Such characters stand in its strings alone, and have escapes of their own.
pub(crate) fn json(value: &serde_json::Value) -> String {
    let mut safe = String::new();
    for c in value.to_string().chars() {
        if is_obeyed(c) {
            safe.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            safe.push(c);
        }
    }
    safe
}

/// A line that is no record, as it stands there.
pub(crate) fn plain(out: &mut impl Write, line: &[u8]) -> io::Result<()> {
    writeln!(out, "{}", safe(&String::from_utf8_lossy(line)))
}

/// Time, level, target, message, fields, spans.
pub(crate) fn record(out: &mut impl Write, record: &Record<'_>) -> io::Result<()> {
    if let Some(stands) = record.time {
        // What is no text for people is made one.
        let shown = match record.micros() {
            Some(micros) if !stands.contains('-') => Cow::Owned(time::show(micros)),
            _ => safe(stands),
        };
        write!(out, "{DIM}{shown}{DIM:#} ")?;
    }
    if let Some(level) = record.level {
        let style = style(level);
        write!(out, "{style}{level:>5}{style:#} ")?;
    }
    if let Some(target) = &record.target {
        write!(out, "{DIM}{}:{DIM:#} ", safe(target))?;
    }
    if let Some(message) = &record.message {
        write!(out, "{}", safe(message))?;
    }
    let mut space = if record.message.is_some() { " " } else { "" };
    let numbered = record.is_numbered();
    for field in &record.fields {
        // What serves `verify` alone.
        if numbered && matches!(field.key, "seq" | "run") {
            continue;
        }
        write!(out, "{space}")?;
        member(out, record, field)?;
        space = " ";
    }
    spans(out, record)?;
    writeln!(out)
}

fn member(out: &mut impl Write, record: &Record<'_>, member: &Member<'_>) -> io::Result<()> {
    let value = record.value(member.value);
    let quoted = value.is_empty() || value.contains([' ', '"', '=']);
    let is_text = member.value.starts_with('"');
    write!(out, "{KEY}{}{KEY:#}=", safe(member.key))?;
    if is_text && quoted {
        write!(out, "{}", safe(member.value))
    } else {
        write!(out, "{}", safe(&value))
    }
}

fn spans(out: &mut impl Write, record: &Record<'_>) -> io::Result<()> {
    for (number, span) in record.spans.iter().enumerate() {
        let (name, fields) = record.span(span);
        write!(out, "{DIM}{}{DIM:#}{}", if number == 0 { " in " } else { ":" }, safe(&name))?;
        if let [first, rest @ ..] = &*fields {
            write!(out, "{{")?;
            member(out, record, first)?;
            for field in rest {
                write!(out, " ")?;
                member(out, record, field)?;
            }
            write!(out, "}}")?;
        }
    }
    Ok(())
}

/// A loss marker, so that nobody overlooks it.
pub(crate) fn losses(out: &mut impl Write, losses: &Losses<'_>) -> io::Result<()> {
    let levels = Level::ALL.iter().zip(losses.by_level).rev().filter(|(_, lines)| *lines > 0);
    let levels: Vec<_> = levels.map(|(level, lines)| format!("{lines} {level}")).collect();
    let Losses { lines, since, until, policy, .. } = losses;
    let levels = levels.join(", ");
    let text = format!("{lines} lines were dropped ({levels}) from {since} to {until} by {policy}");
    writeln!(out, "{ALARM} ---- {} ---- {ALARM:#}", safe(&text))
}

#[cfg(test)]
mod tests {
    use super::{json, safe};

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        let evil = "a\u{1b}[31m\u{9b}2J\u{7f}\0\r\n\u{202e}b\u{2066}\tc";
        let expected = "a\\u{1b}[31m\\u{9b}2J\\u{7f}\\u{0}\\r\\n\\u{202e}b\\u{2066}\tc";
        assert_eq!(safe(evil), expected);
        assert_eq!(safe("世界 🌍"), "世界 🌍");
        let value = serde_json::json!({evil: ["世界 🌍", evil]});
        let text = json(&value);
        assert!(text.contains("\\u009b2J\\u007f\\u0000"));
        assert_eq!(safe(&text), text);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
