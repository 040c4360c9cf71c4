//! The program `torture` in a process of its own.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{eventually, pause};
use crate::verify::{Ack, Allowed, Counts, Found, judge};

/// Longer than any run takes that does not hang.
const HANGS_AFTER: Duration = Duration::from_secs(120);

/// A run to be started.
#[derive(Debug)]
pub struct Torture {
    program: PathBuf,
    path: PathBuf,
    args: Vec<String>,
    prefix: Vec<OsString>,
    variables: Vec<(String, OsString)>,
}

/// A run under way.
#[derive(Debug)]
pub struct Running {
    child: Child,
    label: String,
    began: Instant,
    heard: Arc<Mutex<Heard>>,
    reader: Option<JoinHandle<()>>,
    scratch: TempDir,
}

/// What a run has said so far.
#[derive(Debug, Default)]
struct Heard {
    ready: bool,
    repaired: (u64, u64),
    refused: Option<String>,
    acks: Vec<Ack>,
    syncs: Vec<Ack>,
    errors: Vec<String>,
    reopened: u64,
}

/// A run that has ended.
#[derive(Debug)]
pub struct Ended {
    /// How the process ended.
    pub status: ExitStatus,
    /// From its start to its end.
    pub took: Duration,
    /// Fragments that it closed off when it opened the file.
    pub torn_lines: u64,
    /// The reserve of an earlier mapping that it cut off then, in bytes.
    pub nul_bytes: u64,
    /// Flushes that were Ok.
    pub acks: Vec<Ack>,
    /// Syncs that were Ok.
    pub syncs: Vec<Ack>,
    /// What the writer reported as errors.
    pub errors: Vec<String>,
    /// Why no writer could be built, if so.
    pub refused: Option<String>,
    /// Its counters, if it came to write them.
    pub counts: Option<Counts>,
    /// What it said on stderr.
    pub stderr: String,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Torture {
    /// A run of `program` that writes to `path`.
    pub fn new(program: &str, path: &Path) -> Torture {
        Torture {
            program: program.into(),
            path: path.into(),
            args: Vec::new(),
            prefix: Vec::new(),
            variables: Vec::new(),
        }
    }

    /// Adds arguments, separated by spaces.
    pub fn args(mut self, text: impl AsRef<str>) -> Torture {
        self.args.extend(text.as_ref().split_whitespace().map(str::to_owned));
        self
    }

    /// Starts it by another program, with these words in front.
    pub fn under<T: Into<OsString>>(mut self, prefix: impl IntoIterator<Item = T>) -> Torture {
        self.prefix.extend(prefix.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment.
    pub fn variable(mut self, name: &str, value: impl Into<OsString>) -> Torture {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// Starts the process and waits until its writer is built, or refused.
    #[track_caller]
    pub fn start(self) -> Running {
        let running = self.launch();
        let answered = eventually(HANGS_AFTER, || {
            let heard = lock(&running.heard);
            let silent = running.reader.as_ref().is_some_and(|reader| reader.is_finished());
            heard.ready || heard.refused.is_some() || silent
        });
        assert!(answered, "{}: no writer was built", running.label);
        running
    }

    /// Starts the process and waits for nothing.
    #[track_caller]
    pub fn launch(self) -> Running {
        let label = format!("{:?} {}", self.prefix, self.args.join(" "));
        let scratch = tempfile::tempdir().unwrap_or_else(|error| panic!("scratch folder: {error}"));
        let mut words = self.prefix.into_iter();
        let mut command = match words.next() {
            Some(first) => {
                let mut command = Command::new(first);
                command.args(words).arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        command.arg("--path").arg(&self.path).args(&self.args);
        command.arg("--metrics").arg(scratch.path().join("metrics"));
        command.envs(self.variables).env_remove("RUST_BACKTRACE");
        let stderr = File::create(scratch.path().join("stderr"));
        command.stderr(stderr.unwrap_or_else(|error| panic!("scratch file: {error}")));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let began = Instant::now();
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let heard = Arc::new(Mutex::new(Heard::default()));
        let reader = child.stdout.take().map(|stdout| {
            let heard = Arc::clone(&heard);
            std::thread::spawn(move || {
                for word in BufReader::new(stdout).lines().map_while(Result::ok) {
                    lock(&heard).hear(&word);
                }
            })
        });
        Running { child, label, began, heard, reader, scratch }
    }

    /// Starts it and waits for its end.
    #[track_caller]
    pub fn run(self) -> Ended {
        self.launch().finish()
    }
}

impl Heard {
    fn hear(&mut self, word: &str) {
        match word.split_once(' ') {
            None if word == "READY" => self.ready = true,
            None if word == "REOPENED" => self.reopened += 1,
            Some(("REPAIRED", numbers)) => {
                let numbers = numbers.split_once(' ').unwrap_or_default();
                let [torn, nul] = [numbers.0, numbers.1].map(|text| text.parse().unwrap_or(0));
                self.repaired = (torn, nul);
            }
            Some(("REFUSED", why)) => self.refused = Some(why.into()),
            Some(("ERROR", what)) => self.errors.push(what.into()),
            Some(("ACK", _)) => self.acks.extend(word.parse::<Ack>()),
            Some(("SYNC", rest)) => self.syncs.extend(format!("ACK {rest}").parse::<Ack>()),
            _ => {}
        }
    }
}

impl Running {
    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How many errors the writer has reported so far.
    pub fn errors_so_far(&self) -> usize {
        lock(&self.heard).errors.len()
    }

    /// How many flushes were Ok so far.
    pub fn acks_so_far(&self) -> usize {
        lock(&self.heard).acks.len()
    }

    /// How many syncs were Ok so far.
    pub fn syncs_so_far(&self) -> usize {
        lock(&self.heard).syncs.len()
    }

    /// Whether the process still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal; one that has ended meanwhile gets none.
    pub fn signal(&mut self, signal: Signal) {
        if self.is_alive()
            && let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
        {
            // Not waited for yet, so the number is still its own.
            let _ = kill_process(pid, signal);
        }
    }

    /// Has the writer reopen its file, and waits until it has.
    #[track_caller]
    pub fn reopen(&mut self) {
        let before = lock(&self.heard).reopened;
        let told = self.child.stdin.as_mut().map(|input| input.write_all(b"reopen\n"));
        assert!(matches!(told, Some(Ok(()))), "{}: {told:?}", self.label);
        let done = || lock(&self.heard).reopened > before;
        assert!(eventually(HANGS_AFTER, done), "{}: {:?}", self.label, lock(&self.heard).errors);
    }

    /// Ends the input that `--exit-after eof` waits for.
    pub fn close_input(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Waits for the end; a run that hangs is killed and fails the test.
    #[track_caller]
    pub fn finish(mut self) -> Ended {
        let waiting = Instant::now();
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) => {}
                Err(error) => panic!("{}: {error}", self.label),
            }
            if waiting.elapsed() > HANGS_AFTER {
                // It is about to be a failure anyway.
                let _ = self.child.kill();
                let _ = self.child.wait();
                panic!("{}: hangs; {}", self.label, self.stderr());
            }
            pause(Duration::from_millis(1));
        };
        let took = self.began.elapsed();
        if let Some(reader) = self.reader.take() {
            drop(reader.join());
        }
        let heard = std::mem::take(&mut *lock(&self.heard));
        let counts = Counts::read(&self.scratch.path().join("metrics")).ok();
        Ended {
            status,
            took,
            torn_lines: heard.repaired.0,
            nul_bytes: heard.repaired.1,
            acks: heard.acks,
            syncs: heard.syncs,
            errors: heard.errors,
            refused: heard.refused,
            counts,
            stderr: self.stderr(),
        }
    }

    fn stderr(&self) -> String {
        let bytes = std::fs::read(self.scratch.path().join("stderr")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Running {
    /// A test that fails leaves no process behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Fails unless the process ended with this code.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Ended {
        let Ended { status, counts, stderr, refused, errors, .. } = &self;
        let what = format!("{status:?} {refused:?} {errors:?} {counts:?}\n{stderr}");
        assert_eq!(status.code(), Some(code), "{what}");
        self
    }

    /// A counter.
    #[track_caller]
    pub fn count(&self, name: &str) -> u64 {
        match &self.counts {
            Some(counts) => counts.get(name),
            None => panic!("no counters: {:?} {}", self.status, self.stderr),
        }
    }

    /// Reads the file of a run that ended by itself and fails if anything is wrong with it.
    #[track_caller]
    pub fn verify(&self, path: &Path, allowed: &Allowed) -> Found {
        let found = Found::in_file(path);
        let found = found.unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let wrong = judge(&found, &self.acks, self.counts.as_ref(), allowed);
        assert!(wrong.is_empty(), "{wrong:#?}\n{:?}\n{:?}", self.counts, self.errors);
        found
    }
}
