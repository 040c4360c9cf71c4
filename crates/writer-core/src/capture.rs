//! Records kept in memory, for tests of programs that log.
//!
//! A process has one logger, but its tests run side by side in many threads. Here each thread has a
//! stack of [`Capture`]s, and a line goes to the innermost one of the thread that sends it. So one
//! logger, set up once over the writer of [`builder`], serves all tests, and none sees the records
//! of another. A record can be looked at as soon as the call that logs has returned; no file is
//! written and no thread is started.
//!
//! ```
//! use writer_core::capture::{self, Capture};
//! use serde_json::json;
//!
//! // Once per process. An adapter's builder takes the writer's builder in the place of a path.
//! let (writer, _guard) = capture::builder().build()?;
//!
//! // In each test:
//! let capture = Capture::start();
//! writer.send(r#"{"level":"WARN","message":"disk nearly full","free":7}"#)?;
//! capture.assert_logged(json!({"level": "WARN", "free": 7}));
//! assert_eq!(capture.records()[0]["message"], "disk nearly full");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Other threads
//!
//! Lines of a thread without a capture are dropped. A thread that works for a test is given a
//! handle:
//!
//! ```
//! # use writer_core::capture::{self, Capture};
//! # let (writer, _guard) = capture::builder().build()?;
//! let capture = Capture::start();
//! let handle = capture.handle();
//! std::thread::spawn(move || {
//!     let _entered = handle.enter();
//!     writer.send(r#"{"message":"from the pool"}"#)
//! }).join().expect("the thread ends")?;
//! assert_eq!(capture.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An asynchronous runtime of one thread needs nothing more; for one of several, enter a handle
//! where the runtime starts its threads, and give what it returns to [`std::mem::forget`]: dropped
//! there, it would leave the capture before the thread has worked.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::builder::WriterBuilder;
use crate::io::Sink;
use crate::writer::Writer;

thread_local! {
    /// The captures entered in this thread, the innermost last.
    static ENTERED: RefCell<Vec<Arc<Lines>>> = const { RefCell::new(Vec::new()) };
}

/// The lines of one capture, without their newlines.
#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} lines>", self.lock().len())
    }
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        // A panic with the lock held cannot leave a list half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts to set up a writer whose lines go to the capture of the thread that sends them.
///
/// It is [`synchronous`](WriterBuilder::synchronous), whatever later calls and the environment say,
/// and registers nothing for the end of the process. Any number of such writers may exist; all feed
/// the same captures. A line of a thread in which no capture is entered counts as written, and is
/// kept nowhere.
pub fn builder() -> WriterBuilder {
    // A worker is in no capture.
    Writer::to(Router).exit_hook(false).always_synchronous()
}

/// The sink behind [`builder`]. A synchronous writer calls it in the sender's thread.
struct Router;

impl Sink for Router {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        // While the thread is torn down there is no capture left to feed.
        let capture = ENTERED.try_with(|entered| entered.borrow().last().cloned());
        if let Ok(Some(capture)) = capture {
            let text = String::from_utf8_lossy(lines);
            capture.lock().extend(text.split_terminator('\n').map(str::to_owned));
        }
        Ok(lines.len())
    }
}

/// The records of the threads that entered it: of the thread that started it, until it is dropped,
/// and of those that [`enter`](CaptureHandle::enter) a handle.
///
/// Captures nest: the innermost of a thread gets the line. It stays in the thread that started it.
#[derive(Debug)]
#[must_use = "a capture ends when it is dropped"]
pub struct Capture {
    handle: CaptureHandle,
    _entered: Entered,
}

impl Capture {
    /// Starts to capture what the current thread logs.
    pub fn start() -> Capture {
        let handle = CaptureHandle { lines: Arc::default() };
        Capture { _entered: handle.enter(), handle }
    }

    /// A handle for other threads.
    pub fn handle(&self) -> CaptureHandle {
        self.handle.clone()
    }

    /// The lines so far as they were sent, without their newlines.
    pub fn lines(&self) -> Vec<String> {
        self.handle.lines.lock().clone()
    }

    /// The records so far. A line that is no JSON is there as a string.
    pub fn records(&self) -> Vec<Value> {
        let parse = |line: String| serde_json::from_str(&line).unwrap_or(Value::String(line));
        self.lines().into_iter().map(parse).collect()
    }

    /// The first record for which `test` is true.
    pub fn find(&self, mut test: impl FnMut(&Value) -> bool) -> Option<Value> {
        self.records().into_iter().find(|record| test(record))
    }

    /// How many records there are so far.
    pub fn len(&self) -> usize {
        self.handle.lines.lock().len()
    }

    /// Whether nothing has been logged so far.
    pub fn is_empty(&self) -> bool {
        self.handle.lines.lock().is_empty()
    }

    /// Forgets the records so far.
    pub fn clear(&self) {
        self.handle.lines.lock().clear();
    }

    /// Demands a record that has at least these members with these values. Objects inside are
    /// compared in the same way; arrays and everything else must be equal.
    ///
    /// # Panics
    ///
    /// If there is none; the message lists all records so far.
    #[track_caller]
    pub fn assert_logged(&self, members: Value) {
        if self.find(|record| includes(record, &members)).is_none() {
            let lines = self.lines().join("\n  ");
            panic!("no record has the members {members}; the records are:\n  {lines}");
        }
    }
}

/// Leads the lines of further threads to a [`Capture`]; cheap to clone, and outlives it harmlessly.
#[derive(Debug, Clone)]
pub struct CaptureHandle {
    lines: Arc<Lines>,
}

impl CaptureHandle {
    /// Captures what the current thread logs until the result is dropped.
    pub fn enter(&self) -> Entered {
        // Fails only while the thread is torn down, when nothing is captured any more.
        let _ = ENTERED.try_with(|entered| entered.borrow_mut().push(Arc::clone(&self.lines)));
        Entered { lines: Arc::clone(&self.lines), _thread: PhantomData }
    }
}

/// While it lives, the lines of the thread that made it go to a capture.
#[derive(Debug)]
#[must_use = "the capture is left when this is dropped"]
pub struct Entered {
    lines: Arc<Lines>,
    /// It belongs to the thread whose stack it is on, and must be dropped there.
    _thread: PhantomData<*const ()>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        // As in `enter`. The entry is searched, since guards may be dropped in any order.
        let _ = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            let own = entered.iter().rposition(|lines| Arc::ptr_eq(lines, &self.lines));
            own.map(|own| entered.remove(own))
        });
    }
}

/// Whether a value has all that `members` asks for.
fn includes(value: &Value, members: &Value) -> bool {
    match (value, members) {
        (Value::Object(value), Value::Object(members)) => members
            .iter()
            .all(|(key, member)| value.get(key).is_some_and(|value| includes(value, member))),
        _ => value == members,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Severity;
    use crate::json::{Format, Meta};

    fn log(writer: &Writer, id: u64) {
        let meta = Meta::new(Severity::Warn, "shop");
        let sent = Format::default().encode(
            &meta,
            |record| {
                record.message().str("m\n");
                record.field("id").u64(id);
            },
            |severity, line| writer.send_with(severity, line),
        );
        assert_eq!(sent.unwrap().result, Ok(true));
    }

    #[test]
    fn a_record_is_there_at_once_with_its_fields() {
        let (writer, _guard) = builder().build().unwrap();
        let capture = Capture::start();
        assert!(capture.is_empty());
        log(&writer, 7);
        capture.assert_logged(json!({"level": "WARN", "id": 7, "message": "m\n"}));
        assert_eq!(capture.find(|record| record["id"] == 8), None);
        assert_eq!((capture.len(), capture.lines().len()), (1, 1));
        capture.clear();
        assert!(capture.records().is_empty());
        writer.send("no json\r\n").unwrap();
        assert_eq!(capture.records(), [json!("no json\r")]);
    }

    // With `SHOP_ASYNC=1` in the environment of the tests of a program that allows it, a worker
    // wrote, and no capture had a line.
    #[test]
    fn no_setting_makes_it_asynchronous() {
        let (writer, _guard) = builder().synchronous(false).build().unwrap();
        let capture = Capture::start();
        log(&writer, 1);
        assert!(writer.config().synchronous);
        assert_eq!(capture.len(), 1);
    }

    #[test]
    fn tests_side_by_side_see_their_own_records_only() {
        let (writer, _guard) = builder().build().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let writer = &writer;
                scope.spawn(move || {
                    let capture = Capture::start();
                    (0..200).for_each(|_| log(writer, thread));
                    let records = capture.records();
                    assert_eq!(records.len(), 200);
                    assert!(records.iter().all(|record| record["id"] == thread));
                });
            }
            log(&writer, 99);
        });
        assert_eq!(writer.metrics().written, 8 * 200 + 1);
    }

    #[test]
    fn the_innermost_capture_gets_the_line_and_a_handle_leads_other_threads() {
        let (writer, _guard) = builder().build().unwrap();
        let outer = Capture::start();
        let inner = Capture::start();
        log(&writer, 1);
        let handle = inner.handle();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let entered = handle.enter();
                log(&writer, 2);
                drop(entered);
                log(&writer, 3);
            });
        });
        drop(outer);
        log(&writer, 4);
        let ids = inner.records().iter().map(|record| record["id"].clone()).collect::<Vec<_>>();
        assert_eq!(ids, [1, 2, 4]);
        drop(inner);
        log(&writer, 5);
        assert_eq!(handle.lines.lock().len(), 3);
    }

    #[test]
    #[should_panic(
        expected = "no record has the members {\"a\":{\"b\":2}}; the records are:\n  {\"a\""
    )]
    fn a_missing_record_is_reported_with_those_that_are_there() {
        let (writer, _guard) = builder().build().unwrap();
        let capture = Capture::start();
        writer.send(r#"{"a":{"b":1,"c":[2]},"d":3}"#).unwrap();
        capture.assert_logged(json!({"a": {"b": 1}}));
        capture.assert_logged(json!({"a": {"c": [2]}, "d": 3}));
        capture.assert_logged(json!({"a": {"b": 2}}));
    }
}
