//! The program `writer`: looks at files of JSON log lines.
#![forbid(unsafe_code)]

mod args;
mod check;
mod follow;
mod input;
mod last;
mod paint;
mod plot;
mod stats;
mod tail;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use anstream::{AutoStream, ColorChoice};

use crate::args::Command;

/// What ended a command early.
#[derive(Debug)]
enum Failure {
    /// A file cannot be read: its name and why.
    File(String, io::Error),
    /// Nobody takes the output.
    Output(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Output(error)
    }
}

/// Where output goes: colours are taken out where they are not wanted.
type Out = BufWriter<AutoStream<io::StdoutLock<'static>>>;

fn out(color: ColorChoice) -> Out {
    BufWriter::new(AutoStream::new(io::stdout().lock(), color))
}

/// All is well.
const FINE: u8 = 0;
/// The files are not what they should be.
const FOUND: u8 = 1;
/// The command could not do its work.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let code = match args::parse() {
        Ok(Command::Print(text)) => write_all(&text).map(|()| FINE),
        Ok(Command::Verify(options)) => check::run(&options),
        Ok(Command::Tail(options)) => tail::run(&options).map(|()| FINE),
        Ok(Command::Stats(options)) => stats::run(&options).map(|()| FINE),
        Err(error) => {
            complain(&error.to_string());
            complain("try: writer --help");
            return FAILED.into();
        }
    };
    match code {
        Ok(code) => code.into(),
        // Whoever read has seen enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => FINE.into(),
        Err(Failure::Output(error)) => {
            complain(&format!("cannot write: {error}"));
            FAILED.into()
        }
        Err(Failure::File(name, error)) => {
            complain(&format!("{name}: {error}"));
            FAILED.into()
        }
    }
}

fn write_all(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Says a line on stderr; where that is gone, nobody is left to be told. Names of files are in it,
/// which others may have given.
fn complain(text: &str) {
    drop(writeln!(io::stderr(), "writer: {}", paint::safe(text)));
}
