//! What the command line says.

use std::ffi::OsString;
use std::path::PathBuf;

use anstream::ColorChoice;
use lexopt::prelude::*;
use writer_cli::level::Level;

const HELP: &str = "\
Looks at files of JSON log lines.

usage: writer verify [--live] [--older-gone] [--allow-declared] [--json] FILE...
       writer tail [-f] [-n LINES | --all] [--level LEVEL] [--target TARGET]...
                   [--field KEY=VALUE]... [--color WHEN] FILE
       writer stats [--json] [--color WHEN] FILE...

verify: does every line parse, is one missing? Files are read one after the other, the oldest first;
        - is standard input.
  --live            the file is being written: an unfinished last line and reserved NUL bytes are fine
  --older-gone      older files are gone: numbers before the first of a run are not missing
  --allow-declared  lines that loss markers tell of are no reason to fail
  --json            the report as one JSON object
  ends with 0 if all is there, 1 if something is missing, damaged or there twice, 2 if a file cannot
  be read

tail: shows the last lines; of standard input, -, and of a pipe all, as they come, but with -n
      and without -f.
  -f, --follow      goes on with what is written later, also to a new file of the same name
  -n, --lines N     so many lines that match; default 10
      --all         all of them
  -l, --level L     trace, debug, info, warn or error, and what is more severe
  -t, --target T    T itself or what is inside: shop also shows shop::orders; one of several is enough
      --field K=V   lines with this field, or with it in one of their spans; a.b=V: b in the object a;
                    of several all
      --color WHEN  auto (default), always, never; NO_COLOR is obeyed
  Loss markers are always shown. Lines that are no JSON are shown where nothing is filtered.

stats: counts by level and target, the rate over time, losses. - is standard input.
";

/// How many lines are shown of those that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    /// Ten of a file, all of a stream.
    Unsaid,
    Last(usize),
    All,
}

impl Count {
    /// Of a file; `None` = all.
    pub(crate) fn of_file(self) -> Option<usize> {
        match self {
            Count::Unsaid => Some(10),
            Count::Last(lines) => Some(lines),
            Count::All => None,
        }
    }
}

/// What to do.
pub(crate) enum Command {
    Print(String),
    Verify(Verify),
    Tail(Tail),
    Stats(Stats),
}

#[derive(Default)]
pub(crate) struct Verify {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) live: bool,
    pub(crate) older_gone: bool,
    pub(crate) allow_declared: bool,
    pub(crate) json: bool,
}

pub(crate) struct Tail {
    pub(crate) file: PathBuf,
    pub(crate) follow: bool,
    pub(crate) lines: Count,
    pub(crate) filter: Filter,
    pub(crate) color: ColorChoice,
}

/// Which lines are shown.
#[derive(Default)]
pub(crate) struct Filter {
    pub(crate) level: Option<Level>,
    pub(crate) targets: Vec<String>,
    pub(crate) fields: Vec<(String, String)>,
}

#[derive(Default)]
pub(crate) struct Stats {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) json: bool,
    pub(crate) color: ColorChoice,
}

/// Reads the command line of this process.
pub(crate) fn parse() -> Result<Command, lexopt::Error> {
    let mut parser = lexopt::Parser::from_env();
    match parser.next()? {
        None | Some(Short('h') | Long("help")) => Ok(Command::Print(HELP.into())),
        Some(Short('V') | Long("version")) => {
            Ok(Command::Print(format!("writer {}\n", env!("CARGO_PKG_VERSION"))))
        }
        Some(Value(command)) => match command.to_str() {
            Some("verify") => verify(parser),
            Some("tail") => tail(parser),
            Some("stats") => stats(parser),
            Some("help") => Ok(Command::Print(HELP.into())),
            _ => Err(format!("unknown command {command:?}").into()),
        },
        Some(other) => Err(other.unexpected()),
    }
}

fn verify(mut parser: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let mut options = Verify::default();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("live") => options.live = true,
            Long("older-gone") => options.older_gone = true,
            Long("allow-declared") => options.allow_declared = true,
            Long("json") => options.json = true,
            Value(file) => options.files.push(file.into()),
            Short('h') | Long("help") => return Ok(Command::Print(HELP.into())),
            other => return Err(other.unexpected()),
        }
    }
    some(&options.files)?;
    Ok(Command::Verify(options))
}

fn tail(mut parser: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let (mut file, mut filter) = (None, Filter::default());
    let (mut follow, mut lines, mut color) = (false, Count::Unsaid, ColorChoice::Auto);
    while let Some(arg) = parser.next()? {
        match arg {
            Short('f') | Long("follow") => follow = true,
            Short('n') | Long("lines") => lines = Count::Last(parser.value()?.parse()?),
            Long("all") => lines = Count::All,
            Short('l') | Long("level") => filter.level = Some(parser.value()?.parse()?),
            Short('t') | Long("target") => filter.targets.push(parser.value()?.string()?),
            Long("field") => filter.fields.push(pair(parser.value()?)?),
            Long("color" | "colour") => color = when(parser.value()?)?,
            Value(name) if file.is_none() => file = Some(PathBuf::from(name)),
            Short('h') | Long("help") => return Ok(Command::Print(HELP.into())),
            other => return Err(other.unexpected()),
        }
    }
    let file = file.ok_or("no file given")?;
    Ok(Command::Tail(Tail { file, follow, lines, filter, color }))
}

fn stats(mut parser: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let mut options = Stats::default();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("json") => options.json = true,
            Long("color" | "colour") => options.color = when(parser.value()?)?,
            Value(file) => options.files.push(file.into()),
            Short('h') | Long("help") => return Ok(Command::Print(HELP.into())),
            other => return Err(other.unexpected()),
        }
    }
    some(&options.files)?;
    Ok(Command::Stats(options))
}

fn some(files: &[PathBuf]) -> Result<(), lexopt::Error> {
    if files.is_empty() { Err("no file given".into()) } else { Ok(()) }
}

fn pair(text: OsString) -> Result<(String, String), lexopt::Error> {
    let text = text.string()?;
    let (key, value) = text.split_once('=').ok_or("a field is given as KEY=VALUE")?;
    Ok((key.into(), value.into()))
}

fn when(text: OsString) -> Result<ColorChoice, lexopt::Error> {
    match text.to_str() {
        Some("auto") => Ok(ColorChoice::Auto),
        Some("always") => Ok(ColorChoice::Always),
        Some("never") => Ok(ColorChoice::Never),
        _ => Err("--color takes auto, always or never".into()),
    }
}
