//! Callbacks and sinks that use writers themselves.

use std::sync::atomic::AtomicUsize;

use writer_core::WriteSink;

use super::*;

#[test]
fn callbacks_run_on_the_sender_and_may_use_the_writer() {
    let here = thread::current().id();
    let handle: Arc<OnceLock<Writer>> = Arc::default();
    let (lines, flushes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let target = Target::new();
    let (writer, guard) = {
        let (handle, lines, flushes) =
            (Arc::clone(&handle), Arc::clone(&lines), Arc::clone(&flushes));
        target
            .builder()
            .synchronous(true)
            .on_write(move |n| {
                assert_eq!(thread::current().id(), here);
                let so_far = lines.fetch_add(n as u64, Ordering::Relaxed) + n as u64;
                let writer = handle.wait();
                assert!(writer.metrics().written >= so_far);
                // The lock is free again.
                if so_far < 10 {
                    assert_eq!(writer.send("echo"), Ok(true));
                    assert_eq!(writer.flush(LIMIT), Ok(()));
                    assert_eq!(writer.sync(LIMIT), Ok(()));
                    assert_eq!(writer.reopen(), Ok(()));
                }
            })
            .on_flush(move || {
                assert_eq!(thread::current().id(), here);
                flushes.fetch_add(1, Ordering::Relaxed);
            })
            .build()
            .unwrap()
    };
    handle.set(writer.clone()).unwrap();
    send_numbered(&writer, 0..20);
    guard.shutdown(LIMIT).unwrap();
    let m = writer.metrics();
    assert_ended(&m, target.lines().len());
    assert_eq!(m.callback_panics, 0);
    assert_eq!(lines.load(Ordering::Relaxed), m.written, "on_write adds up");
    assert_eq!(flushes.load(Ordering::Relaxed), m.flush_count, "on_flush is each flush");
    let lines = target.lines();
    assert_eq!(lines.len() as u64, m.written);
    let mine: Vec<_> = lines.into_iter().filter(|line| line != "echo").collect();
    assert_eq!(mine, numbered(0..20));
}

#[test]
fn on_write_adds_up_when_a_callback_sends_and_ends_the_writer() {
    let slot: Arc<Mutex<Option<WriterGuard>>> = Arc::default();
    let lines = Arc::new(AtomicU64::new(0));
    let target = Target::new();
    let (writer, guard) = {
        let (slot, lines) = (Arc::clone(&slot), Arc::clone(&lines));
        target
            .builder()
            .synchronous(true)
            .on_write(move |n| {
                lines.fetch_add(n as u64, Ordering::Relaxed);
                let guard = slot.lock().unwrap().take();
                if let Some(guard) = guard {
                    assert_eq!(guard.writer().send("last"), Ok(true));
                }
            })
            .build()
            .unwrap()
    };
    *slot.lock().unwrap() = Some(guard);
    in_time(move || {
        writer.send("first").unwrap();
        writer.shutdown(LIMIT).unwrap();
        let m = writer.metrics();
        assert_ended(&m, 2);
        assert_eq!((m.written, m.callback_panics), (2, 0));
        assert_eq!(lines.load(Ordering::Relaxed), 2, "each written line is told");
    });
    assert_eq!(target.lines(), ["first", "last"]);
}

#[test]
fn panicking_callbacks_are_counted_and_the_sender_lives() {
    let target = Target::new();
    let (writer, guard) = target
        .builder()
        .synchronous(true)
        .on_write(|_| panic!("on_write"))
        .on_flush(|| panic!("on_flush"))
        .build()
        .unwrap();
    send_numbered(&writer, 0..3);
    guard.shutdown(LIMIT).unwrap();
    assert_eq!((writer.metrics().written, writer.metrics().callback_panics), (3, 6));
    assert_eq!(target.lines(), numbered(0..3));
}

/// Sends and waits in the middle of its own write.
struct Talking {
    handle: Arc<OnceLock<Writer>>,
    answers: Arc<Mutex<Vec<bool>>>,
}

impl Sink for Talking {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        let writer = self.handle.wait();
        let mut answers = self.answers.lock().unwrap();
        answers.push(writer.send("from the sink") == Err(SendError::WouldBlock));
        answers.push(matches!(writer.flush(LIMIT), Err(FlushError::WouldDeadlock)));
        answers.push(matches!(writer.sync(LIMIT), Err(FlushError::WouldDeadlock)));
        answers.push(matches!(writer.reopen(), Err(ReopenError::WouldDeadlock)));
        Ok(lines.len())
    }

    fn reopen(&mut self, reason: ReopenReason<'_>) -> io::Result<Option<Reopened>> {
        if let ReopenReason::Asked = reason {
            self.answers.lock().unwrap().push(true);
        }
        Ok(None)
    }
}

#[test]
fn a_sink_that_sends_does_not_deadlock() {
    let handle: Arc<OnceLock<Writer>> = Arc::default();
    let answers = Arc::default();
    let sink = Talking { handle: Arc::clone(&handle), answers: Arc::clone(&answers) };
    let (writer, guard) = Writer::to(sink).synchronous(true).build().unwrap();
    handle.set(writer.clone()).unwrap();
    in_time(move || {
        // The second one reopens, as the first was asked to in its write.
        writer.send("x").unwrap();
        writer.send("y").unwrap();
        guard.shutdown(LIMIT).unwrap();
        let m = writer.metrics();
        assert_ended(&m, 4);
        assert_eq!((m.written, m.rejected), (2, 2));
    });
    assert_eq!(*answers.lock().unwrap(), [true; 9]);
}

/// Sends to another writer in the middle of its own write, and gives each answer away.
struct Passing {
    to: Arc<OnceLock<Writer>>,
    answers: mpsc::Sender<Result<bool, SendError>>,
}

impl Sink for Passing {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        // Whether anybody is left to hear it does not matter.
        let _ = self.answers.send(self.to.wait().send("from the sink of another"));
        Ok(lines.len())
    }
}

#[test]
fn a_worker_does_not_wait_for_itself_behind_the_sink_of_a_second_writer() {
    let (first, second): (Arc<OnceLock<Writer>>, Arc<OnceLock<Writer>>) = Default::default();
    let (to_second, of_first) = mpsc::channel();
    let (to_first, of_second) = mpsc::channel();
    let sink = Passing { to: Arc::clone(&second), answers: to_second };
    let (with_worker, guard) =
        Writer::to(sink).queue_policy(QueuePolicy::Block).max_queue_size(1).build().unwrap();
    let sink = Passing { to: Arc::clone(&first), answers: to_first };
    let (without, _guard) = Writer::to(sink).synchronous(true).build().unwrap();
    first.set(with_worker.clone()).unwrap();
    in_time(move || {
        with_worker.send("taken").unwrap();
        // The worker is in its sink until there is a second writer: the queue is full then.
        eventually("the worker takes the line", || with_worker.metrics().queue_len == 0);
        with_worker.send("fills the queue").unwrap();
        second.set(without).unwrap();
        assert_eq!(of_second.recv(), Ok(Err(SendError::WouldBlock)));
        assert_eq!(of_first.recv(), Ok(Ok(true)));
        drop(guard);
    });
}

/// Sends whatever it is called for.
struct Chatty(Arc<OnceLock<Writer>>);

impl Chatty {
    fn chat(&self) -> io::Result<()> {
        let sent = self.0.get().unwrap().send("I am at work");
        assert!(matches!(sent, Err(SendError::WouldBlock | SendError::Closed)), "{sent:?}");
        Ok(())
    }
}

impl Sink for Chatty {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        self.chat().map(|()| lines.len())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.chat()
    }

    fn reopen(&mut self, _reason: ReopenReason<'_>) -> io::Result<Option<Reopened>> {
        self.chat().map(|()| None)
    }

    fn close(&mut self) -> io::Result<()> {
        self.chat()
    }
}

#[test]
fn a_sink_may_send_in_each_of_its_calls() {
    let handle: Arc<OnceLock<Writer>> = Arc::default();
    let (writer, guard) =
        Writer::to(Chatty(Arc::clone(&handle))).synchronous(true).build().unwrap();
    handle.set(writer.clone()).unwrap();
    in_time(move || {
        writer.send("x").unwrap();
        writer.sync(LIMIT).unwrap();
        writer.reopen().unwrap();
        guard.shutdown(LIMIT).unwrap();
        let m = writer.metrics();
        assert_ended(&m, 5);
        assert_eq!((m.written, m.rejected), (1, 4));
    });
}

/// An error of a sink that sends while it is printed.
#[derive(Debug)]
struct Telling(Arc<OnceLock<Writer>>);

impl std::fmt::Display for Telling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let _ = self.0.get().unwrap().send("I am printed");
        f.write_str("told")
    }
}

impl std::error::Error for Telling {}

struct Failing(Arc<OnceLock<Writer>>);

impl Failing {
    fn fail<T>(&self) -> io::Result<T> {
        Err(io::Error::other(Telling(Arc::clone(&self.0))))
    }
}

impl Sink for Failing {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        Ok(lines.len())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.fail()
    }

    fn reopen(&mut self, _reason: ReopenReason<'_>) -> io::Result<Option<Reopened>> {
        self.fail()
    }

    fn close(&mut self) -> io::Result<()> {
        self.fail()
    }
}

#[test]
fn an_error_of_a_sink_may_send_while_it_is_printed() {
    for synchronous in [false, true] {
        let handle: Arc<OnceLock<Writer>> = Arc::default();
        let sink = Failing(Arc::clone(&handle));
        let (writer, guard) = Writer::to(sink).synchronous(synchronous).build().unwrap();
        handle.set(writer.clone()).unwrap();
        in_time(move || {
            let Err(FlushError::Sync { source, .. }) = writer.sync(LIMIT) else {
                panic!("the sink cannot sync")
            };
            assert_eq!(source.to_string(), "told");
            assert!(matches!(writer.reopen(), Err(ReopenError::Refused { .. })));
            assert!(matches!(guard.shutdown(LIMIT), Err(ShutdownError::Close { .. })));
        });
    }
}

/// Takes one byte, and then fails with an error that sends while it is printed.
struct Breaking(Failing, bool);

impl Sink for Breaking {
    fn write(&mut self, _lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        if std::mem::replace(&mut self.1, true) { self.0.fail() } else { Ok(1) }
    }
}

/// Failed: whoever flushed waited for itself.
#[test]
fn an_error_of_a_write_may_send_while_a_flush_looks_at_it() {
    let handle: Arc<OnceLock<Writer>> = Arc::default();
    let (writer, guard) = Writer::to(Breaking(Failing(Arc::clone(&handle)), false))
        .synchronous(true)
        .queue_policy(QueuePolicy::DropNewest)
        .fail_after(Duration::ZERO)
        .on_error(|_| {})
        .build()
        .unwrap();
    handle.set(writer.clone()).unwrap();
    in_time(move || {
        assert_eq!(writer.send("line"), Ok(true), "it went out in part, so it stays");
        assert!(matches!(writer.flush(LIMIT), Err(FlushError::Failed { .. })));
        assert!(matches!(writer.sync(LIMIT), Err(FlushError::Failed { .. })));
        assert!(matches!(guard.shutdown(Duration::ZERO), Err(ShutdownError::Lost { lines: 1 })));
    });
}

/// An error that sends when it is dropped, as long as it may.
#[derive(Debug)]
struct Leaving(Arc<OnceLock<Writer>>, Arc<AtomicUsize>);

impl std::fmt::Display for Leaving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("leaving")
    }
}

impl std::error::Error for Leaving {}

impl Drop for Leaving {
    fn drop(&mut self) {
        let less = |left: usize| left.checked_sub(1);
        if self.1.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok() {
            let _ = self.0.get().unwrap().send("I am dropped");
        }
    }
}

struct Refusing(Arc<OnceLock<Writer>>, Arc<AtomicUsize>);

impl Sink for Refusing {
    fn write(&mut self, _lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        Err(io::Error::other(Leaving(Arc::clone(&self.0), Arc::clone(&self.1))))
    }
}

/// Failed: the sender waited for itself when its line went to the fallback.
#[test]
fn an_error_of_a_write_may_send_when_it_is_dropped() {
    let (handle, may_send) = (Arc::<OnceLock<Writer>>::default(), Arc::<AtomicUsize>::default());
    let (writer, guard) = Writer::to(Refusing(Arc::clone(&handle), Arc::clone(&may_send)))
        .synchronous(true)
        .queue_policy(QueuePolicy::DropNewest)
        .fail_after(Duration::ZERO)
        .fallback(WriteSink::new(io::sink()))
        .on_error(|_| {})
        .build()
        .unwrap();
    handle.set(writer.clone()).unwrap();
    in_time(move || {
        assert_eq!(writer.send("a"), Ok(true));
        may_send.store(1, Ordering::Relaxed);
        let tried_again = || {
            assert_eq!(writer.send("b"), Ok(true));
            may_send.load(Ordering::Relaxed) == 0
        };
        while !tried_again() {
            std::thread::sleep(Duration::from_millis(50));
        }
        guard.shutdown(LIMIT).unwrap();
        let m = writer.metrics();
        assert_eq!((m.rejected, m.written, m.diverted), (1, m.enqueued, m.enqueued));
    });
}
