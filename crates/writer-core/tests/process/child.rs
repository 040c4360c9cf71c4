//! Starting this program again in a role, and what the two sides say to each other.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

#[cfg(unix)]
use writer_core::QueuePolicy;
use writer_core::{Mode, Sink, Strategy};

pub(crate) const ROLE: &str = "WRITER_ROLE";

pub(crate) const STRATEGIES: [Strategy; 3] =
    [Strategy::LineBuffered, Strategy::BlockBuffered, Strategy::MemoryMapped];
pub(crate) const MODES: [Mode; 3] = [Mode::Trigger, Mode::Loop, Mode::Manual];
#[cfg(unix)]
pub(crate) const POLICIES: [QueuePolicy; 4] =
    [QueuePolicy::Block, QueuePolicy::DropOldest, QueuePolicy::DropNewest, QueuePolicy::Warn];

/// What the role says right before its end: from here the time of the exit is taken.
pub(crate) const LAST_WORD: &str = "the end";

/// How long anything that must happen may take on the slowest machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Longer than any role takes, on a busy machine too.
const HANGS_AFTER: Duration = Duration::from_secs(3 * LIMIT.as_secs());

/// Whether the long form was asked for.
pub(crate) fn full() -> bool {
    std::env::var_os("WRITER_FULL").is_some_and(|value| value == "1")
}

/// A sink that takes nothing, as on a full disk.
pub(crate) struct FailingSink;

impl Sink for FailingSink {
    fn write(&mut self, _lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }
}

/// The arguments of a role: `name=value`.
pub(crate) struct Args(Vec<(String, String)>);

impl Args {
    pub(crate) fn from_env() -> Self {
        let split = |arg: String| arg.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
        Args(std::env::args().skip(1).filter_map(split).collect())
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_else(|| panic!("argument {name} is missing"))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(self.text("path"))
    }

    pub(crate) fn parse<T: std::str::FromStr>(&self, name: &str) -> T
    where
        T::Err: std::fmt::Debug,
    {
        self.text(name).parse().unwrap()
    }
}

/// How a role ended.
pub(crate) struct Outcome {
    pub(crate) status: ExitStatus,
    /// From the last word to the end of the process.
    pub(crate) exit: Duration,
    pub(crate) said: Vec<String>,
    pub(crate) complained: String,
}

/// A role under way.
pub(crate) struct Role {
    pub(crate) child: Child,
    label: String,
    complaints: tempfile::NamedTempFile,
}

impl Role {
    pub(crate) fn start(role: &str, args: &[(&str, &dyn std::fmt::Display)]) -> Self {
        let args: Vec<String> = args.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let complaints = tempfile::NamedTempFile::new().unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(&args)
            .env(ROLE, role)
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(complaints.reopen().unwrap())
            .spawn()
            .unwrap();
        Role { child, label: format!("{role} {}", args.join(" ")), complaints }
    }

    /// Waits for the end; a role that hangs is killed and fails the test.
    pub(crate) fn finish(mut self) -> Outcome {
        let stdout = self.child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || {
            let mut said = Vec::new();
            let mut last_word = None;
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if line == LAST_WORD {
                    last_word = Some(Instant::now());
                } else {
                    said.push(line);
                }
            }
            (said, last_word)
        });
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if start.elapsed() > HANGS_AFTER {
                self.child.kill().unwrap();
                self.child.wait().unwrap();
                panic!("{}: hangs; {}", self.label, self.complaints());
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let ended = Instant::now();
        let complained = self.complaints();
        let (said, last_word) = reader.join().unwrap();
        let exit = ended.saturating_duration_since(last_word.unwrap_or(ended));
        Outcome { status, exit, said, complained }
    }

    fn complaints(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.complaints.path()).unwrap()).into_owned()
    }
}

impl Outcome {
    /// How long the end was held up: by the role's own clock where it says so, since on a busy
    /// machine this process may see either end of that time late.
    pub(crate) fn held(&self) -> Duration {
        let said = self.said.iter().find_map(|word| word.strip_prefix(HELD));
        said.map_or(self.exit, |millis| Duration::from_millis(millis.parse().unwrap()))
    }

    #[track_caller]
    pub(crate) fn expect_code(&self, code: i32) -> &Self {
        assert_eq!(self.status.code(), Some(code), "{:?}\n{}", self.status, self.complained);
        self
    }
}

/// What stands before the milliseconds for which a role saw its end held up.
pub(crate) const HELD: &str = "held=";

/// Plays a role until its end was held up for less than `limit`. What is waited for at an end has a
/// limit, after which lines may be lost, and the machine may be too busy for it once; what reaches
/// it each time is at fault.
pub(crate) fn ends_before<T>(
    limit: Duration,
    mut play: impl FnMut() -> (Outcome, T),
) -> (Outcome, T) {
    for _ in 0..20 {
        let (outcome, rest) = play();
        if outcome.held() < limit {
            return (outcome, rest);
        }
    }
    panic!("held up for {limit:?} or longer in each of 20 tries");
}

/// Plays a role to its end, which must be a success.
pub(crate) fn run(role: &str, args: &[(&str, &dyn std::fmt::Display)]) -> Outcome {
    let outcome = Role::start(role, args).finish();
    outcome.expect_code(0);
    outcome
}

/// Says something to the test.
pub(crate) fn say(word: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{word}").unwrap();
    out.flush().unwrap();
}

/// The lines of a file that must end in a newline, or be empty.
pub(crate) fn whole_lines(path: &Path) -> Vec<String> {
    let bytes = fs::read(path).unwrap();
    assert!(bytes.is_empty() || bytes.ends_with(b"\n"), "{path:?} ends inside a line");
    assert!(!bytes.contains(&0), "{path:?} has NULs");
    String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
}

/// The line with this number from this source.
pub(crate) fn line(source: &str, number: usize) -> String {
    format!("{{\"source\":\"{source}\",\"number\":{number:06},\"text\":\"the quick brown fox\"}}")
}

/// Takes the numbers of `source` out of `lines`; every such line must be whole.
pub(crate) fn numbers(lines: &[String], source: &str) -> Vec<usize> {
    let start = format!("{{\"source\":\"{source}\",\"number\":");
    lines
        .iter()
        .filter_map(|line| line.strip_prefix(&start).map(|rest| (line, rest)))
        .map(|(text, rest)| {
            let number = rest.split_once(',').unwrap().0.parse().unwrap();
            assert_eq!(*text, line(source, number));
            number
        })
        .collect()
}

/// Panics unless `numbers` are 0, 1, 2 and so on.
#[track_caller]
pub(crate) fn assert_gapless(numbers: &[usize]) {
    let wrong = numbers.iter().enumerate().find(|(index, number)| index != *number);
    assert_eq!(wrong, None, "index and number of the first line out of order");
}
