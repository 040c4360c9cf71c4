//! What is asked for on the command line.

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use lexopt::prelude::*;
use writer_core::{Mode, QueuePolicy, Strategy};
use writer_torture::verify::{Ack, Allowed, Counts, Found, judge};

pub(crate) const HELP: &str = "\
torture --path FILE [options]         sends numbered records through a writer and ends
torture verify FILE... [options]      says what is wrong with the files of a run

the load
  --threads N (8)  --per-thread N (1000; 0 = until the writer is closed)
  --rec BYTES (200)  --first-thread N (0)  --pause DURATION between two records of a thread
the writer
  --strategy line|block|mmap  --mode trigger|loop[:TICK]|manual  --policy block|drop-oldest|...
  --cap LINES (8192)  --cap-bytes N  --chunk BYTES  --fail-after DURATION  --block-timeout DURATION
  --synchronous  --no-hook  --no-follow  --loss-marker  --trigger-every K (1000; manual only)
  --slow DURATION for each write  --stuck N:DURATION for the Nth write (both: through a sink)
  --on-write exit|abort|panic|log|flush|shutdown
what it acknowledges, on the descriptor --ack-fd N (1)
  --flush-every K: `ACK thread number dropped`  --flush-timeout DURATION (120s), of syncs too
  --sync-every K: `SYNC thread number dropped`
  --progress FILE: how many records of each thread are accepted, 8 bytes a thread, little-endian
  and `REPAIRED lines nul-bytes`, `READY`, `ERROR text` for each report of the writer
the end
  --exit shutdown|drop|return|exit|exit-thread|panic|panic-thread|abort|segv|kill|term|wait
  --exit-after DURATION|eof (when all records are sent)  --shutdown-timeout DURATION (60s)
    eof: of the input, on which `reopen` is a command, answered by `REOPENED`
  --probe DURATION: flush with this timeout, over and over, until the end
  --ballast: takes memory without end, once the end has come
  --metrics FILE: counters, as a JSON object, before the end

torture verify: --ack FILE  --metrics FILE  --fragments N  --torn-tail 0|1  --nul-tail 0|1  --others N
  --loss-marker: what is missing, what loss markers tell of and what was counted must be the same
";

pub(crate) enum Task {
    Help,
    Torture(Box<Args>),
    Verify(Check),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Shutdown,
    Drop,
    Return,
    Exit,
    ExitThread,
    Panic,
    PanicThread,
    Abort,
    Segv,
    Kill,
    Term,
    Wait,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitAfter {
    Records,
    Time(Duration),
    Eof,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnWrite {
    Exit,
    Abort,
    Panic,
    Log,
    Flush,
    Shutdown,
}

#[derive(Debug, Clone)]
pub(crate) struct Args {
    pub(crate) path: PathBuf,
    pub(crate) threads: u64,
    pub(crate) per_thread: u64,
    pub(crate) first_thread: u64,
    pub(crate) rec: usize,
    pub(crate) pause: Duration,
    pub(crate) strategy: Strategy,
    pub(crate) mode: Mode,
    pub(crate) tick: Option<Duration>,
    pub(crate) policy: QueuePolicy,
    pub(crate) cap: usize,
    pub(crate) cap_bytes: Option<usize>,
    pub(crate) chunk: Option<usize>,
    pub(crate) fail_after: Option<Duration>,
    pub(crate) block_timeout: Option<Duration>,
    pub(crate) synchronous: bool,
    pub(crate) hook: bool,
    pub(crate) follow: bool,
    pub(crate) loss_marker: bool,
    pub(crate) trigger_every: u64,
    pub(crate) slow: Duration,
    pub(crate) stuck: Option<(u64, Duration)>,
    pub(crate) on_write: Option<OnWrite>,
    pub(crate) flush_every: u64,
    pub(crate) flush_timeout: Duration,
    pub(crate) sync_every: u64,
    pub(crate) ack_fd: u32,
    pub(crate) progress: Option<PathBuf>,
    pub(crate) exit: End,
    pub(crate) exit_after: ExitAfter,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) probe: Option<Duration>,
    pub(crate) ballast: bool,
    pub(crate) metrics: Option<PathBuf>,
}

impl Default for Args {
    fn default() -> Args {
        Args {
            path: PathBuf::new(),
            threads: 8,
            per_thread: 1000,
            first_thread: 0,
            rec: 200,
            pause: Duration::ZERO,
            strategy: Strategy::default(),
            mode: Mode::default(),
            tick: None,
            policy: QueuePolicy::default(),
            cap: 8192,
            cap_bytes: None,
            chunk: None,
            fail_after: None,
            block_timeout: None,
            synchronous: false,
            hook: true,
            follow: true,
            loss_marker: false,
            trigger_every: 1000,
            slow: Duration::ZERO,
            stuck: None,
            on_write: None,
            flush_every: 0,
            flush_timeout: Duration::from_secs(120),
            sync_every: 0,
            ack_fd: 1,
            progress: None,
            exit: End::Shutdown,
            exit_after: ExitAfter::Records,
            shutdown_timeout: Duration::from_secs(60),
            probe: None,
            ballast: false,
            metrics: None,
        }
    }
}

/// What `torture verify` looks at.
#[derive(Debug, Default)]
pub(crate) struct Check {
    files: Vec<PathBuf>,
    acks: Option<PathBuf>,
    metrics: Option<PathBuf>,
    allowed: Allowed,
}

pub(crate) fn parse() -> Result<Task, lexopt::Error> {
    let mut parser = lexopt::Parser::from_env();
    match parser.next()? {
        None | Some(Long("help") | Short('h')) => Ok(Task::Help),
        Some(Value(word)) if word == "verify" => parse_check(parser),
        Some(first) => {
            let mut args = Args::default();
            let first = match first {
                Long(name) => name.to_owned(),
                other => return Err(other.unexpected()),
            };
            option(&mut args, &first, &mut parser)?;
            while let Some(arg) = parser.next()? {
                let Long(name) = arg else { return Err(arg.unexpected()) };
                let name = name.to_owned();
                option(&mut args, &name, &mut parser)?;
            }
            if args.path.as_os_str().is_empty() {
                return Err("--path is missing".into());
            }
            Ok(Task::Torture(Box::new(args)))
        }
    }
}

fn option(args: &mut Args, name: &str, parser: &mut lexopt::Parser) -> Result<(), lexopt::Error> {
    match name {
        "synchronous" => args.synchronous = true,
        "no-follow" => args.follow = false,
        "no-hook" => args.hook = false,
        "loss-marker" => args.loss_marker = true,
        "ballast" => args.ballast = true,
        "path" => args.path = parser.value()?.into(),
        "metrics" => args.metrics = Some(parser.value()?.into()),
        "threads" => args.threads = parser.value()?.parse()?,
        "per-thread" => args.per_thread = parser.value()?.parse()?,
        "first-thread" => args.first_thread = parser.value()?.parse()?,
        "rec" => args.rec = parser.value()?.parse()?,
        "strategy" => args.strategy = parser.value()?.parse()?,
        "policy" => {
            args.policy = parser.value()?.parse_with(|text| text.replace('-', "_").parse())?
        }
        "cap" => args.cap = parser.value()?.parse()?,
        "cap-bytes" => args.cap_bytes = Some(parser.value()?.parse()?),
        "chunk" => args.chunk = Some(parser.value()?.parse()?),
        "trigger-every" => args.trigger_every = parser.value()?.parse()?,
        "flush-every" => args.flush_every = parser.value()?.parse()?,
        "sync-every" => args.sync_every = parser.value()?.parse()?,
        "progress" => args.progress = Some(parser.value()?.into()),
        "ack-fd" => args.ack_fd = parser.value()?.parse()?,
        "pause" => args.pause = parser.value()?.parse_with(duration)?,
        "fail-after" => args.fail_after = Some(parser.value()?.parse_with(duration)?),
        "block-timeout" => args.block_timeout = Some(parser.value()?.parse_with(duration)?),
        "flush-timeout" => args.flush_timeout = parser.value()?.parse_with(duration)?,
        "slow" => args.slow = parser.value()?.parse_with(duration)?,
        "shutdown-timeout" => args.shutdown_timeout = parser.value()?.parse_with(duration)?,
        "probe" => args.probe = Some(parser.value()?.parse_with(duration)?),
        "mode" => (args.mode, args.tick) = parser.value()?.parse_with(mode)?,
        "stuck" => args.stuck = Some(parser.value()?.parse_with(stuck)?),
        "on-write" => args.on_write = Some(parser.value()?.parse()?),
        "exit" => args.exit = parser.value()?.parse()?,
        "exit-after" => args.exit_after = parser.value()?.parse_with(exit_after)?,
        other => return Err(format!("no option --{other}").into()),
    }
    Ok(())
}

fn parse_check(mut parser: lexopt::Parser) -> Result<Task, lexopt::Error> {
    let mut check = Check::default();
    let flag = |value: std::ffi::OsString| {
        value.parse_with(|text| text.parse::<u8>().map(|number| number > 0))
    };
    while let Some(arg) = parser.next()? {
        match arg {
            Value(file) => check.files.push(file.into()),
            Long("ack") => check.acks = Some(parser.value()?.into()),
            Long("metrics") => check.metrics = Some(parser.value()?.into()),
            Long("fragments") => check.allowed.fragments = parser.value()?.parse()?,
            Long("others") => check.allowed.others = parser.value()?.parse()?,
            Long("loss-marker") => check.allowed.loss_markers = true,
            Long("torn-tail") => check.allowed.torn_tail = flag(parser.value()?)?,
            Long("nul-tail") => check.allowed.nul_tail = flag(parser.value()?)?,
            other => return Err(other.unexpected()),
        }
    }
    if check.files.is_empty() { Err("no file".into()) } else { Ok(Task::Verify(check)) }
}

impl Check {
    /// Says what it finds; success if nothing is wrong.
    pub(crate) fn run(&self) -> ExitCode {
        match self.look() {
            Ok(wrong) if wrong.is_empty() => ExitCode::SUCCESS,
            Ok(wrong) => {
                wrong.iter().for_each(|what| println!("wrong: {what}"));
                ExitCode::FAILURE
            }
            Err(error) => {
                eprintln!("torture verify: {error}");
                ExitCode::from(2)
            }
        }
    }

    fn look(&self) -> std::io::Result<Vec<String>> {
        let mut found = Found::default();
        for file in &self.files {
            found.read(file)?;
        }
        let acks: Vec<Ack> = match &self.acks {
            Some(path) => std::fs::read_to_string(path)?
                .lines()
                .filter_map(|line| line.parse().ok())
                .collect(),
            None => Vec::new(),
        };
        let counts = self.metrics.as_deref().map(Counts::read).transpose()?;
        println!(
            "{} records, {} other lines, {} loss markers that tell of {} lines",
            found.records, found.others, found.markers, found.told
        );
        Ok(judge(&found, &acks, counts.as_ref(), &self.allowed))
    }
}

/// Reads `10us`, `1ms`, `0.5s`, `2m` or a number of seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let units = [("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("", 1.0)];
    let seconds = units.iter().find_map(|(unit, factor)| {
        text.strip_suffix(unit)?.parse::<f64>().ok().map(|number| number * factor)
    });
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.ok_or_else(|| format!("no duration: {text}"))
}

fn mode(text: &str) -> Result<(Mode, Option<Duration>), String> {
    let (mode, tick) = text.split_once(':').map_or((text, None), |(mode, tick)| (mode, Some(tick)));
    let mode = mode.parse().map_err(|error: writer_core::ParseAxisError| error.to_string())?;
    Ok((mode, tick.map(duration).transpose()?))
}

fn stuck(text: &str) -> Result<(u64, Duration), String> {
    let (number, time) = text.split_once(':').ok_or("expected NUMBER:DURATION")?;
    Ok((number.parse().map_err(|_| format!("no number: {number}"))?, duration(time)?))
}

fn exit_after(text: &str) -> Result<ExitAfter, String> {
    if text == "eof" { Ok(ExitAfter::Eof) } else { duration(text).map(ExitAfter::Time) }
}

impl FromStr for End {
    type Err = String;

    fn from_str(text: &str) -> Result<End, String> {
        Ok(match text {
            "shutdown" => End::Shutdown,
            "drop" => End::Drop,
            "return" => End::Return,
            "exit" => End::Exit,
            "exit-thread" => End::ExitThread,
            "panic" => End::Panic,
            "panic-thread" => End::PanicThread,
            "abort" => End::Abort,
            "segv" => End::Segv,
            "kill" => End::Kill,
            "term" => End::Term,
            "wait" => End::Wait,
            other => return Err(format!("no end: {other}")),
        })
    }
}

impl FromStr for OnWrite {
    type Err = String;

    fn from_str(text: &str) -> Result<OnWrite, String> {
        Ok(match text {
            "exit" => OnWrite::Exit,
            "abort" => OnWrite::Abort,
            "panic" => OnWrite::Panic,
            "log" => OnWrite::Log,
            "flush" => OnWrite::Flush,
            "shutdown" => OnWrite::Shutdown,
            other => return Err(format!("no callback: {other}")),
        })
    }
}
