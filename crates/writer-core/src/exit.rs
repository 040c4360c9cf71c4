//! The end of the process: what was accepted is written, whoever forgot the guard.
//!
//! Statics are never dropped and threads are killed when `main` returns, so one hook for all living
//! writers runs at exit. It uses no thread-local with a destructor and no channel, and takes each
//! of its locks with a time limit first. What it calls waits for the lock around the queue, which a
//! living thread has for some tens of nanoseconds; where a killed one may have it, nothing is tried
//! while it is taken. A panic may be the end too (`panic = "abort"`): a second hook, which a
//! program asks for, does the same there without closing anything.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, Once, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::barrier::GIVE_UP_WITHIN;
use crate::delivery::{Delivery, Drained};
use crate::error::State;
use crate::inner::Inner;
use crate::process;
use crate::report::survives;
use crate::shared::Shared;
use crate::sync::{MutexGuard, try_lock, unless_taken};
use crate::thread_mark::ThreadMark;

/// The time that the hook has for all writers together.
const EXIT_WITHIN: Duration = Duration::from_secs(2);
/// The same for a panic, which may be one of many in a program that lives on.
const PANIC_WITHIN: Duration = Duration::from_millis(500);
/// How long before the end of its time a worker that has not ended, though its sink works, is taken
/// for one that a callback holds up; at most a quarter of the time.
const HELD_UP_BEFORE: Duration = Duration::from_millis(500);
/// The same for one that was to give up its sink.
const LAST_TURN: Duration = Duration::from_millis(50);
/// How long after the end of its time a write is awaited that was begun before it.
const LAST_WRITE: Duration = Duration::from_millis(50);
/// The pause between two tries at a lock.
const PAUSE: Duration = Duration::from_millis(1);

/// The living writers of one process. A forked child begins a list of its own, because the lock of
/// its parent's may be taken for ever.
struct Living {
    writers: Mutex<Vec<Weak<Shared>>>,
    in_child: OnceLock<Box<Living>>,
}

static LIVING: Living = Living::new();

impl Living {
    const fn new() -> Self {
        Living { writers: Mutex::new(Vec::new()), in_child: OnceLock::new() }
    }

    /// The list of this process, if a writer was ever built in it.
    fn here() -> Option<&'static Living> {
        (0..process::forks())
            .try_fold(&LIVING, |living, _| living.in_child.get().map(|next| &**next))
    }

    fn begin_here() -> &'static Living {
        let begin = || Box::new(Living::new());
        let next = |living: &'static Living, _| &**living.in_child.get_or_init(begin);
        (0..process::forks()).fold(&LIVING, next)
    }
}

/// Has the writer served properly when the process ends or panics, as its settings say.
pub(crate) fn register(shared: &Arc<Shared>) {
    if shared.config.exit_hook {
        process::at_exit(at_exit);
    }
    if shared.config.panic_hook {
        hook_panics();
    }
    let living = Living::begin_here();
    let mut living = living.writers.lock().unwrap_or_else(PoisonError::into_inner);
    living.retain(|writer| writer.strong_count() > 0);
    living.push(Arc::downgrade(shared));
}

/// The living writers of this process that are chosen; none if the list stays locked.
pub(crate) fn living(until: Instant, chosen: impl Fn(&Shared) -> bool) -> Vec<Arc<Shared>> {
    let Some(living) = Living::here() else { return Vec::new() };
    let Some(living) = retry(until, || unless_taken(living.writers.try_lock())) else {
        return Vec::new();
    };
    living.iter().filter_map(Weak::upgrade).filter(|writer| chosen(writer)).collect()
}

extern "C" fn at_exit() {
    survives(|| {
        let until = Instant::now() + EXIT_WITHIN;
        let writers = living(until, |writer| writer.config.exit_hook);
        end_all(&writers, until);
        // The last handle may be in here: a destructor of a sink has no business at exit.
        std::mem::forget(writers);
    });
}

/// The process that is ending, as [`process::forks`] counts them, and one more; 0 = none.
static ENDING: AtomicU64 = AtomicU64::new(0);

/// Whether this process is ending, by itself or by a signal that is served: who logs now could not
/// have known better.
pub(crate) fn is_ending() -> bool {
    ENDING.load(Ordering::Relaxed) == process::forks() + 1
}

/// Closes the writers and waits until what they accepted is written. A target that fails to the
/// last is given up shortly before `until`, so that its lines can go to a fallback.
///
/// A worker in a callback does not come back if this thread holds what the callback waits for, or
/// if the callback exits, too. The lock around its sink is free then, and what is left is written
/// from here, of which no callback is told. A worker that is inside its sink is left alone, and so
/// is one over a sink of the user's, which could wait for what this thread holds as well as the
/// callback.
fn end_all(writers: &[Arc<Shared>], until: Instant) {
    ENDING.store(process::forks() + 1, Ordering::Relaxed);
    for writer in writers {
        if let Some(mut inner) = writer.lock_by(until) {
            writer.close(&mut inner);
        }
    }
    let now = Instant::now();
    let patience = before(until, GIVE_UP_WITHIN);
    let held_up_at = before(until, HELD_UP_BEFORE.min(until.saturating_duration_since(now) / 4));
    let (mut with_worker, mut without): (Vec<_>, Vec<_>) =
        writers.iter().partition(|writer| writer.has_worker());
    without.retain(|writer| !writer.is_in_its_sink());
    // What only this thread can write comes first: meanwhile the workers work.
    in_shares(&mut without, held_up_at, |writer, share| writer.end_here(now, share));
    // Each step for all: one that hangs takes the time of those behind it, and not their turn.
    with_worker.retain(|writer| !writer.await_end(held_up_at));
    in_shares(&mut with_worker, patience, |writer, share| {
        writer.is_over_a_file() && !writer.is_failing(until) && writer.end_here(now, share)
    });
    with_worker.retain(|writer| !writer.await_end(patience));
    let failing = with_worker.iter().filter(|writer| writer.give_up_if_failing(until)).count();
    // Also where this thread was woken late.
    let until = if failing > 0 { until.max(Instant::now() + GIVE_UP_WITHIN) } else { until };
    with_worker.retain(|writer| !writer.await_end(before(until, LAST_TURN)));
    in_shares(&mut with_worker, until, |writer, share| {
        writer.is_over_a_file() && writer.end_here(now, share)
    });
    with_worker.retain(|writer| !writer.await_end(until));
    for writer in without {
        writer.end_here(until, until);
    }
}

/// The same from a thread that holds nothing a sink could want: it goes on when the time is over,
/// whoever holds the work up.
#[cfg(all(unix, feature = "signals"))]
pub(crate) fn end_all_in_time(writers: Vec<Arc<Shared>>, until: Instant) {
    let writers = std::mem::ManuallyDrop::new(writers);
    let _ = in_time(until + LAST_WRITE, move || {
        end_all(&writers, until);
        true
    });
}

fn before(until: Instant, time: Duration) -> Instant {
    until.checked_sub(time).unwrap_or(until)
}

/// Ends one writer after the other, each in an equal share of the time that is left, and keeps
/// those that are not done.
fn in_shares(
    writers: &mut Vec<&Arc<Shared>>,
    until: Instant,
    end: impl Fn(&Arc<Shared>, Instant) -> bool,
) {
    let mut left = writers.len() as u32;
    writers.retain(|writer| {
        let now = Instant::now();
        let share = until.saturating_duration_since(now) / left;
        left -= 1;
        !end(writer, now + share)
    });
}

/// Does some work in a thread of its own, or in this one if none can be had. `None` if that is not
/// done by `until`, and goes on for as long as the process lives.
fn in_time(until: Instant, work: impl Fn() -> bool + Send + Sync + 'static) -> Option<bool> {
    let here = Arc::new((work, Mutex::new(None), Condvar::new()));
    let there = Arc::clone(&here);
    let spawned = std::thread::Builder::new().name("writer-end".to_owned()).spawn(move || {
        let (work, done, told) = &*there;
        let mut result = false;
        survives(|| result = work());
        *done.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        told.notify_one();
    });
    let (work, done, told) = &*here;
    if spawned.is_err() {
        return Some(work());
    }
    let done = done.lock().unwrap_or_else(PoisonError::into_inner);
    let left = until.saturating_duration_since(Instant::now());
    let waited = told.wait_timeout_while(done, left, |done| done.is_none());
    *waited.unwrap_or_else(PoisonError::into_inner).0
}

/// Puts the panic hook behind the one that is there; once.
fn hook_panics() {
    static ONCE: Once = Once::new();
    // A thread that panics may not touch the hook; the next writer sets it.
    if std::thread::panicking() {
        return;
    }
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            previous(panic);
            at_panic();
        }));
    });
}

/// The panicking thread may hold any lock, and a panic in here would abort the process.
fn at_panic() {
    let until = Instant::now() + PANIC_WITHIN;
    let mut writers = living(until, |writer| writer.config.panic_hook);
    // All are asked before one is waited for, which may take all the time.
    writers.retain(|writer| writer.can_be_awaited());
    let writers: Vec<_> =
        writers.into_iter().map(|writer| (writer.begin_flush(until), writer)).collect();
    for (target, writer) in &writers {
        writer.end_flush(*target, until);
    }
}

fn retry<T>(until: Instant, attempt: impl Fn() -> Option<T>) -> Option<T> {
    loop {
        if let Some(done) = attempt() {
            return Some(done);
        }
        // A killed thread does not let go of a lock.
        if Instant::now() >= until || process::others_are_gone() {
            return None;
        }
        pause();
    }
}

#[expect(clippy::disallowed_methods, reason = "a lock that may never be released has no signal")]
pub(crate) fn pause() {
    std::thread::sleep(PAUSE);
}

impl Shared {
    /// The lock around the queue, unless it stays taken until then.
    fn lock_by(&self, until: Instant) -> Option<MutexGuard<'_, Inner>> {
        retry(until, || try_lock(&self.inner.0))
    }

    /// Whether this thread can wait for lines to be written: a worker cannot wait for itself, and
    /// without one each line is written when its sender goes on.
    fn can_be_awaited(&self) -> bool {
        !self.config.synchronous && !ThreadMark::is_on(self)
    }

    /// Has what is accepted written. Returns up to which line that is.
    pub(crate) fn begin_flush(&self, until: Instant) -> Option<u64> {
        let mut inner = self.lock_by(until)?;
        let target = inner.queue.accepted();
        self.ask_for_flush(&mut inner, target);
        Some(target)
    }

    /// Waits until the lines are written.
    pub(crate) fn end_flush(&self, target: Option<u64>, until: Instant) {
        if let (Some(inner), Some(target)) = (self.lock_by(until), target) {
            drop(self.await_flush(inner, target, Some(until)));
        }
    }

    /// Whether there is a worker that can be waited for, which it cannot do itself.
    fn has_worker(&self) -> bool {
        self.can_be_awaited() && !process::others_are_gone()
    }

    /// Whether this thread is inside the sink, where nothing can be done: it works for this writer,
    /// and the lock is taken, then by itself.
    fn is_in_its_sink(&self) -> bool {
        ThreadMark::is_on(self) && try_lock(&self.delivery).is_none()
    }

    fn is_over_a_file(&self) -> bool {
        self.config.path.is_some()
    }

    /// Writes what is left of the closed writer, if the sink is free before `patience` and as far
    /// as there is time. Returns whether that is done, well or not. What is not written stays
    /// pending.
    ///
    /// Lines for a file are written beside this thread, which goes on when the time is over: a pipe
    /// that nobody reads holds a call up for ever, and so does a disk that does not answer. A sink
    /// of the user's, a fallback too, is called by this thread: it may want a lock that this one
    /// holds and may take once more, as that of stdout.
    fn end_here(self: &Arc<Self>, patience: Instant, until: Instant) -> bool {
        // What follows waits for this lock, and a killed thread does not let go of it.
        if process::others_are_gone() && try_lock(&self.inner.0).is_none() {
            return true;
        }
        let Some(delivery) = retry(patience, || try_lock(&self.delivery)) else { return false };
        let is_users = !self.is_over_a_file() || delivery.outlets.has_fallback();
        let may_take_long = !is_users && (delivery.has_unwritten() || self.has_more(until));
        if !may_take_long || process::others_are_gone() {
            return self.write_rest(delivery, until);
        }
        drop(delivery);
        let shared = Arc::clone(self);
        let write = move || {
            let delivery = retry(until, || try_lock(&shared.delivery));
            delivery.is_some_and(|delivery| shared.write_rest(delivery, until))
        };
        in_time(until + LAST_WRITE, write).unwrap_or(false)
    }

    /// Whether there is something that no worker or sender has in its hand, as far as can be seen.
    fn has_more(&self, until: Instant) -> bool {
        self.lock_by(until).is_none_or(|inner| !inner.queue.is_empty() || inner.episode.is_some())
    }

    fn write_rest(&self, mut delivery: MutexGuard<'_, Delivery>, until: Instant) -> bool {
        let _mark = ThreadMark::enter(self);
        let drained = delivery.drain(self, until);
        if drained == Drained::All {
            // Nobody is left to be told of a failure.
            drop(delivery.close(self));
        }
        drained != Drained::Late
    }

    /// Waits until the closed writer has ended; says whether it has.
    fn await_end(&self, until: Instant) -> bool {
        let Some(inner) = self.lock_by(until) else { return false };
        self.watch(inner, Some(until), |inner| inner.ended).ended
    }

    /// Whether its target fails, as far as can be seen.
    fn is_failing(&self, until: Instant) -> bool {
        self.lock_by(until).is_none_or(|inner| inner.state != State::Healthy)
    }

    /// Has the worker of the closed writer give up if its target fails; says whether it does.
    fn give_up_if_failing(&self, until: Instant) -> bool {
        let Some(mut inner) = self.lock_by(until) else { return false };
        let failing = !inner.ended && inner.state != State::Healthy;
        if failing {
            self.give_up(&mut inner);
        }
        failing
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sync::lock;
    use crate::testing::{Rig, SEC};

    #[test]
    fn when_the_time_is_over_nothing_more_is_offered_and_the_rest_stays_pending() {
        let rig = Rig::without_worker(|_| {});
        rig.probe.script(|script| script.gate = true);
        // Longer than what goes out in one call.
        let line = "x".repeat(1 << 20);
        for _ in 0..3 {
            rig.send(&line).unwrap();
        }
        let drained = rig.spawn(|shared| {
            let until = shared.clock.now() + SEC;
            lock(&shared.delivery).drain(shared, until)
        });
        rig.until_call(1);
        rig.shared.advance(SEC);
        rig.probe.script(|script| script.gate = false);
        assert_eq!(drained.join().unwrap(), Drained::Late);
        assert_eq!(rig.probe.script(|script| script.calls), 1);
        assert_eq!((rig.metrics().written, rig.metrics().pending), (1, 2));
        let later = rig.shared.clock.now() + SEC;
        assert_eq!(lock(&rig.shared.delivery).drain(&rig.shared, later), Drained::All);
        assert_eq!((rig.metrics().written, rig.metrics().pending), (3, 0));
    }

    #[test]
    fn what_the_end_of_the_process_has_in_hand_is_not_flushed_when_a_callback_comes_back() {
        let rig = Rig::new(|config| config.batch_size = 1);
        let (come_back, may_come_back) = std::sync::mpsc::channel::<()>();
        let may_come_back = Mutex::new(may_come_back);
        let told = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let tell = Arc::clone(&told);
        *rig.on_write.lock().unwrap() = Some(Box::new(move || {
            tell.store(true, std::sync::atomic::Ordering::SeqCst);
            // The end of the channel is the sign.
            let _ = may_come_back.lock().unwrap().recv();
        }));
        rig.send("a").unwrap();
        rig.until(|_| told.load(std::sync::atomic::Ordering::SeqCst));
        rig.send("b").unwrap();
        rig.probe.script(|script| script.gate = true);
        let drained = rig.spawn(|shared| {
            let until = shared.clock.now() + SEC;
            lock(&shared.delivery).drain(shared, until)
        });
        rig.until_call(2);
        drop(come_back);
        rig.until(|inner| inner.asleep.is_some());
        assert!(rig.shared.lock().flushed < 2, "the second line is not out");
        rig.probe.script(|script| script.gate = false);
        assert_eq!(drained.join().unwrap(), Drained::All);
        assert_eq!(rig.probe.text(), "a\nb\n");
        // No callback hears of it.
        rig.heard.lock().unwrap().written += 1;
    }

    #[test]
    fn a_panic_under_the_lock_of_the_list_does_not_keep_writers_from_being_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        let (writer, _guard) = crate::Writer::builder(path).build().unwrap();
        let poisoned = std::thread::spawn(|| {
            let _list = LIVING.writers.lock().unwrap_or_else(PoisonError::into_inner);
            panic!("while the lock is held");
        });
        assert!(poisoned.join().is_err());
        let found = living(Instant::now() + EXIT_WITHIN, |_| true);
        assert!(found.iter().any(|shared| Arc::ptr_eq(shared, writer.original())));
    }

    #[test]
    fn who_has_waited_for_the_end_of_a_writer_is_no_longer_woken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        let (writer, _guard) = crate::Writer::builder(path).build().unwrap();
        assert!(!writer.original().await_end(Instant::now()));
        assert_eq!(writer.original().lock().watchers, 0);
    }
}
