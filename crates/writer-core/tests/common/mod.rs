//! What the tests share: sinks that can be stopped, that record, that fail; waiting with a limit;
//! exact looks at a file; all combinations of the three axes.
#![allow(dead_code, unreachable_pub, missing_docs)]
#![allow(clippy::unwrap_used, clippy::disallowed_macros, clippy::disallowed_methods)]

use std::fmt;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use writer_core::{
    Metrics, Mode, QueuePolicy, ShutdownError, Sink, Strategy, Writer, WriterBuilder, WriterGuard,
};

/// How long anything that must happen may take on the slowest machine.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Longer than any test runs.
pub const NEVER: Duration = Duration::from_secs(3600);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

// Waiting.

/// Waits until `condition` holds, at most [`LIMIT`].
#[track_caller]
pub fn eventually(what: impl fmt::Display, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LIMIT, "never came true: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Looks for `time` whether `condition` goes on to hold.
#[track_caller]
pub fn stays(time: Duration, what: impl fmt::Display, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    loop {
        assert!(condition(), "did not stay so: {what}");
        if start.elapsed() >= time {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Runs `work` on a thread of its own and fails, instead of hanging, if it does not come back.
#[track_caller]
pub fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    let thread = thread::spawn(move || drop(done.send(work())));
    match result.recv_timeout(LIMIT) {
        Ok(value) => {
            thread.join().unwrap();
            value
        }
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            std::panic::resume_unwind(thread.join().unwrap_err())
        }
    }
}

/// Shuts a writer down whose sink fails, each time with this timeout, until its worker has given
/// up. For that a call gives it a fraction of a second, which may be too short on a busy machine,
/// and only if the sink was failing by then.
#[track_caller]
pub fn give_up(guard: &WriterGuard, timeout: Duration) -> Result<(), ShutdownError> {
    let start = Instant::now();
    loop {
        match guard.shutdown(timeout) {
            Err(ShutdownError::Timeout { .. }) => assert!(start.elapsed() < LIMIT, "hangs"),
            ended => return ended,
        }
    }
}

/// A barrier in the way of a worker.
#[derive(Default)]
pub struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Default)]
struct GateState {
    closed: bool,
    entered: u64,
    /// How many may pass although the gate is closed.
    passes: u64,
}

impl Gate {
    pub fn new() -> Arc<Gate> {
        Arc::new(Gate::default())
    }

    pub fn new_closed() -> Arc<Gate> {
        let gate = Gate::new();
        gate.close();
        gate
    }

    pub fn close(&self) {
        lock(&self.state).closed = true;
    }

    pub fn open(&self) {
        lock(&self.state).closed = false;
        self.changed.notify_all();
    }

    /// The worker's side: comes to the gate, and waits while it is closed.
    pub fn pass(&self) {
        let mut state = lock(&self.state);
        state.entered += 1;
        self.changed.notify_all();
        while state.closed && state.passes == 0 {
            state = self.changed.wait(state).unwrap();
        }
        state.passes = state.passes.saturating_sub(1);
    }

    /// Lets the worker pass the closed gate once.
    pub fn let_one_pass(&self) {
        lock(&self.state).passes += 1;
        self.changed.notify_all();
    }

    /// How often the worker came to the gate.
    pub fn entered(&self) -> u64 {
        lock(&self.state).entered
    }

    /// Waits until the worker has come to the gate `times` times.
    #[track_caller]
    pub fn wait_until_entered(&self, times: u64) {
        let until = Instant::now() + LIMIT;
        let mut state = lock(&self.state);
        while state.entered < times {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the worker never came to the gate");
            state = self.changed.wait_timeout(state, left).unwrap().0;
        }
    }
}

/// Says why a test cannot look at what it is about, or fails where `SKIP_NOTHING` is set.
#[track_caller]
pub fn skip(reason: &str) {
    assert!(std::env::var_os("SKIP_NOTHING").is_none(), "not to be skipped: {reason}");
    // Past what the harness captures; a lost message is no failure.
    let _ = writeln!(io::stderr(), "skipped: {reason}");
}

// Sinks.

/// What a sink was given.
#[derive(Default)]
pub struct Record {
    pub bytes: Mutex<Vec<u8>>,
    /// Of each call of `write`: what was offered, and whether more was said to wait.
    pub calls: Mutex<Vec<(Vec<u8>, bool)>>,
    pub flushes: AtomicU64,
    pub syncs: AtomicU64,
    pub closes: AtomicU64,
}

impl Record {
    pub fn bytes(&self) -> Vec<u8> {
        lock(&self.bytes).clone()
    }

    pub fn lines(&self) -> Vec<String> {
        lines_of(&self.bytes())
    }

    pub fn calls(&self) -> Vec<(Vec<u8>, bool)> {
        lock(&self.calls).clone()
    }
}

type Answer = Box<dyn FnMut(&[u8], bool) -> io::Result<usize> + Send>;

/// A sink that records, waits at a gate where it has one, and answers as it is told.
pub struct TestSink {
    record: Arc<Record>,
    gate: Option<Arc<Gate>>,
    answer: Answer,
}

impl TestSink {
    /// Takes everything.
    pub fn recording() -> (TestSink, Arc<Record>) {
        TestSink::answering(|lines, _| Ok(lines.len()))
    }

    /// Comes to `gate` at each write, then takes everything.
    pub fn gated(gate: &Arc<Gate>) -> (TestSink, Arc<Record>) {
        let (sink, record) = TestSink::recording();
        (TestSink { gate: Some(Arc::clone(gate)), ..sink }, record)
    }

    /// Fails the first `times` writes, then takes everything.
    pub fn failing(times: u64) -> (TestSink, Arc<Record>) {
        let mut left = times;
        TestSink::answering(move |lines, _| match left {
            0 => Ok(lines.len()),
            _ => {
                left -= 1;
                Err(io::Error::other("no"))
            }
        })
    }

    /// Answers each write with what `answer` says.
    pub fn answering(
        answer: impl FnMut(&[u8], bool) -> io::Result<usize> + Send + 'static,
    ) -> (TestSink, Arc<Record>) {
        let record = Arc::new(Record::default());
        let sink = TestSink { record: Arc::clone(&record), gate: None, answer: Box::new(answer) };
        (sink, record)
    }

    pub fn at_gate(self, gate: &Arc<Gate>) -> TestSink {
        TestSink { gate: Some(Arc::clone(gate)), ..self }
    }
}

impl Sink for TestSink {
    fn write(&mut self, lines: &[u8], more_waiting: bool) -> io::Result<usize> {
        if let Some(gate) = &self.gate {
            gate.pass();
        }
        lock(&self.record.calls).push((lines.to_vec(), more_waiting));
        let taken = (self.answer)(lines, more_waiting)?;
        lock(&self.record.bytes).extend_from_slice(&lines[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.record.flushes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.record.syncs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        self.record.closes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// A writer whose worker is stopped in the sink, with the line "held" in its hand.
pub struct Paused {
    pub writer: Writer,
    pub guard: WriterGuard,
    pub gate: Arc<Gate>,
    pub record: Arc<Record>,
}

impl Paused {
    pub fn with(settings: impl FnOnce(WriterBuilder) -> WriterBuilder) -> Paused {
        let gate = Gate::new_closed();
        let (sink, record) = TestSink::gated(&gate);
        let (writer, guard) = settings(Writer::to(sink)).build().unwrap();
        assert_eq!(writer.send("held"), Ok(true));
        // Has the worker write in any mode; the time is over at once.
        writer.flush(Duration::ZERO).unwrap_err();
        gate.wait_until_entered(1);
        Paused { writer, guard, gate, record }
    }

    /// Lets the worker go, ends the writer and returns the lines after "held".
    #[track_caller]
    pub fn finish(self) -> (Vec<String>, Metrics) {
        self.gate.open();
        self.guard.shutdown(LIMIT).unwrap();
        let mut lines = self.record.lines();
        assert_eq!(lines.remove(0), "held");
        let metrics = self.writer.metrics();
        assert_idle(&metrics);
        (lines, metrics)
    }
}

// Files.

/// A path in a folder of its own, which goes when this is dropped.
pub struct Target {
    folder: tempfile::TempDir,
    pub path: PathBuf,
}

impl Target {
    pub fn new() -> Target {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.jsonl");
        Target { folder, path }
    }

    pub fn builder(&self) -> WriterBuilder {
        Writer::builder(&self.path).mmap_chunk(1 << 20)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn bytes(&self) -> Vec<u8> {
        std::fs::read(&self.path).unwrap()
    }

    pub fn len(&self) -> u64 {
        std::fs::metadata(&self.path).unwrap().len()
    }

    /// The lines of a complete file.
    #[track_caller]
    pub fn lines(&self) -> Vec<String> {
        lines_of(&self.bytes())
    }

    /// The bytes of the lines so far; a mapping may have reserved more.
    pub fn bytes_so_far(&self) -> Vec<u8> {
        let mut bytes = self.bytes();
        bytes.truncate(bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1));
        bytes
    }

    pub fn count_so_far(&self) -> usize {
        self.bytes_so_far().iter().filter(|&&byte| byte == b'\n').count()
    }
}

/// Splits text of complete lines; fails at a torn last line and at a NUL.
#[track_caller]
pub fn lines_of(bytes: &[u8]) -> Vec<String> {
    assert!(!bytes.contains(&0), "a NUL at {:?}", bytes.iter().position(|&byte| byte == 0));
    assert!(bytes.is_empty() || bytes.ends_with(b"\n"), "the last line is torn");
    let text = std::str::from_utf8(bytes).unwrap();
    text.split_terminator('\n').map(str::to_owned).collect()
}

/// "line 0" and so on.
pub fn numbered(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|i| format!("line {i}")).collect()
}

#[track_caller]
pub fn send_numbered(writer: &Writer, range: std::ops::Range<usize>) {
    for i in range {
        assert_eq!(writer.send(format!("line {i}")), Ok(true), "line {i}");
    }
}

/// Sends "t{thread} {i}" from several threads and returns, per thread, what was accepted.
pub fn send_from_threads(writer: &Writer, threads: usize, each: usize) -> Vec<Vec<String>> {
    let senders: Vec<_> = (0..threads)
        .map(|t| {
            let writer = writer.clone();
            thread::spawn(move || {
                let lines = (0..each).map(|i| format!("t{t} {i}"));
                lines.filter(|line| writer.send(line).unwrap()).collect::<Vec<_>>()
            })
        })
        .collect();
    senders.into_iter().map(|sender| sender.join().unwrap()).collect()
}

/// The lines of one thread of [`send_from_threads`].
pub fn of_thread(lines: &[String], thread: usize) -> Vec<String> {
    let prefix = format!("t{thread} ");
    lines.iter().filter(|line| line.starts_with(&prefix)).cloned().collect()
}

/// Fails unless `part` is `whole` with some elements left out.
#[track_caller]
pub fn assert_subsequence(part: &[String], whole: &[String]) {
    let mut rest = whole.iter();
    for line in part {
        assert!(rest.any(|other| other == line), "{line:?} is doubled, out of order or unknown");
    }
}

// Counters.

/// What holds in every snapshot. That lines which have come to an end are no more than those
/// accepted is checked where `pending` is worked out.
#[track_caller]
pub fn assert_snapshot(m: &Metrics) {
    assert!(m.queue_len as u64 <= m.pending, "queue_len: {m:?}");
    assert!(m.queue_len <= m.high_water, "high_water: {m:?}");
}

/// That nothing is under way any more.
#[track_caller]
pub fn assert_idle(m: &Metrics) {
    assert_eq!((m.pending, m.queue_len, m.queue_bytes), (0, 0, 0), "left over: {m:?}");
}

/// Conservation: each of the lines that were sent, as counted by whoever sent them, has come to one
/// end. The sums that a snapshot works out itself say nothing of that.
#[track_caller]
pub fn assert_ended(m: &Metrics, sent: usize) {
    assert_idle(m);
    let ends = [m.written, m.refused, m.evicted, m.rejected, m.lost];
    assert_eq!(ends.iter().sum::<u64>(), sent as u64, "{m:?}");
}

// Combinations.

/// One value of each axis.
#[derive(Debug, Clone, Copy)]
pub struct Combination {
    pub strategy: Strategy,
    pub mode: Mode,
    pub policy: QueuePolicy,
}

impl fmt::Display for Combination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} + {} + {}", self.strategy, self.mode, self.policy)
    }
}

impl Combination {
    pub fn builder(&self, target: &Target) -> WriterBuilder {
        target.builder().strategy(self.strategy).mode(self.mode).queue_policy(self.policy)
    }
}

/// All 36.
pub fn combinations() -> impl Iterator<Item = Combination> {
    strategies_and_modes().flat_map(|(strategy, mode)| {
        QueuePolicy::ALL.iter().map(move |&policy| Combination { strategy, mode, policy })
    })
}

/// All 9.
pub fn strategies_and_modes() -> impl Iterator<Item = (Strategy, Mode)> {
    Strategy::ALL.iter().flat_map(|&s| Mode::ALL.iter().map(move |&m| (s, m)))
}

/// Runs `test` for each combination, and names those that fail.
#[track_caller]
pub fn for_each(all: impl Iterator<Item = Combination>, test: impl Fn(Combination)) {
    let failed: Vec<String> = all
        .filter(|combination| {
            let result = catch_unwind(AssertUnwindSafe(|| test(*combination)));
            if result.is_err() {
                eprintln!("the panic above was with {combination}");
            }
            result.is_err()
        })
        .map(|combination| combination.to_string())
        .collect();
    assert!(failed.is_empty(), "failed with: {failed:#?}");
}

// Processes of their own.

pub const CHILD: &str = "WRITER_TEST_IS_CHILD";

/// Whether this process was started by [`run_alone`].
pub fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Runs one test of this program, named with its module, once more in a process of its own, with these
/// variables set.
#[track_caller]
pub fn run_alone(test: &str, variables: &[(&str, &str)]) -> Output {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert!(output.status.success(), "{test} with {variables:?} failed: {}", text_of(&output));
    assert_ran(test, &text_of(&output));
    output
}

/// Fails where a process found no test of this name: it has run none then, and ends well.
#[track_caller]
pub fn assert_ran(test: &str, said: &str) {
    assert!(said.contains("test result: ok. 1 passed"), "there is no test {test}: {said}");
}

pub fn text_of(output: &Output) -> String {
    let bytes = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&bytes).into_owned()
}
