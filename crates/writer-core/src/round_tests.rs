//! A callback forks while another thread holds the lock that all share. In the child that lock
//! stays taken for ever: it must come to its end without.

#![allow(unsafe_code, reason = "there is no safe fork")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::clock::Clock;
use crate::losses::MarkerLine;
use crate::report::Callbacks;
use crate::shared::Shared;
use crate::testing::{Probe, ProbeSink, Rig, SEC, send};
use crate::{Config, QueuePolicy, Writer, process, worker};

/// How many seconds the child has, by the clock of the system.
const LIMIT: u32 = 20;

/// Forks once, when it is told that the lock is taken.
struct Fork {
    armed: AtomicBool,
    reached: Sender<()>,
    taken: Mutex<Receiver<()>>,
    child: Sender<libc::pid_t>,
}

impl Fork {
    fn fork(&self) {
        if !self.armed.swap(false, Ordering::SeqCst) {
            return;
        }
        self.reached.send(()).unwrap();
        self.taken.lock().unwrap().recv().unwrap();
        // SAFETY: the child runs what is tested and then ends. The locks of the C library are free
        // in it; those of others are not, which is the point.
        match unsafe { libc::fork() } {
            // SAFETY: has the system end a child that waits.
            0 => drop(unsafe { libc::alarm(LIMIT) }),
            child => self.child.send(child).unwrap(),
        }
    }
}

/// Has a worker run until one of `callbacks` forks, and asserts that the child ends.
fn child_ends(
    config: impl FnOnce(&mut Config),
    callbacks: impl FnOnce(Arc<Fork>) -> Callbacks,
    prepare: impl FnOnce(&Rig),
) {
    child_of_call_ends(config, callbacks, prepare, |shared| worker::run(shared, true));
}

/// The same for a `call` in which one of them forks.
fn child_of_call_ends(
    config: impl FnOnce(&mut Config),
    callbacks: impl FnOnce(Arc<Fork>) -> Callbacks,
    prepare: impl FnOnce(&Rig),
    call: impl FnOnce(&Arc<Shared>) + Send + 'static,
) {
    process::watch_forks();
    let (reached, at_fork) = channel();
    let (tell_taken, taken) = channel();
    let (child, forked) = channel();
    let armed = AtomicBool::new(false);
    let fork = Arc::new(Fork { armed, reached, taken: Mutex::new(taken), child });
    let mut rig = Rig::without_worker(config);
    Arc::get_mut(&mut rig.shared).unwrap().callbacks = Arc::new(callbacks(Arc::clone(&fork)));
    prepare(&rig);
    fork.armed.store(true, Ordering::SeqCst);
    let shared = Arc::clone(&rig.shared);
    let caller = std::thread::spawn(move || {
        call(&shared);
        if shared.is_foreign() {
            // SAFETY: ends the child, with nothing of the parent's run on the way.
            unsafe { libc::_exit(0) }
        }
    });
    at_fork.recv().unwrap();
    let inner = rig.shared.lock();
    tell_taken.send(()).unwrap();
    let child = forked.recv().unwrap();
    drop(inner);
    let mut status = -1;
    // SAFETY: waits for a child of this process, and writes to a local number.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    rig.probe.script(|script| (script.room, script.panics) = (None, false));
    let mut inner = rig.shared.lock();
    inner.give_up = true;
    rig.shared.close(&mut inner);
    drop(inner);
    caller.join().unwrap();
    assert_eq!(status, 0, "the child waits for ever");
}

/// Those of a test in which no other is called but it.
fn no_others() -> Callbacks {
    Callbacks { on_error: Some(Box::new(|_| {})), ..Callbacks::default() }
}

#[test]
fn a_child_forked_after_a_write_that_failed_ends() {
    let on_write = |fork: Arc<Fork>| Callbacks {
        on_write: Some(Box::new(move |_| fork.fork())),
        ..no_others()
    };
    child_ends(
        |_| {},
        on_write,
        |rig| {
            rig.probe.script(|script| script.room = Some(2));
            for text in ["a", "b"] {
                rig.send(text).unwrap();
            }
        },
    );
}

#[test]
fn a_child_forked_when_a_failure_is_reported_ends() {
    let on_error = |fork: Arc<Fork>| Callbacks {
        on_error: Some(Box::new(move |_| fork.fork())),
        ..Callbacks::default()
    };
    // The one is told of in the midst of what follows from a round, the other at its end.
    for panics in [true, false] {
        child_ends(
            |_| {},
            on_error,
            |rig| {
                rig.probe.script(|script| (script.room, script.panics) = (Some(0), panics));
                rig.send("a").unwrap();
            },
        );
    }
}

#[test]
fn a_child_forked_when_the_sink_works_again_ends() {
    let rig_of = Arc::new(Mutex::new(None::<(Arc<Probe>, Clock)>));
    let again = Arc::clone(&rig_of);
    let on_recover = |fork: Arc<Fork>| Callbacks {
        on_recover: Some(Box::new(move |_| fork.fork())),
        on_error: Some(Box::new(move |_| {
            let Some((probe, Clock::Manual(clock))) = again.lock().unwrap().take() else { return };
            probe.script(|script| script.room = None);
            clock.advance(SEC);
        })),
        ..Callbacks::default()
    };
    child_ends(
        |_| {},
        on_recover,
        |rig| {
            *rig_of.lock().unwrap() = Some((Arc::clone(&rig.probe), rig.shared.clock.clone()));
            rig.probe.script(|script| script.room = Some(0));
            rig.send("a").unwrap();
        },
    );
}

/// Closes a writer before its worker has begun.
fn close(shared: &Shared) {
    let mut inner = shared.lock();
    inner.give_up = true;
    shared.close(&mut inner);
}

#[test]
fn a_child_forked_after_the_last_write_to_a_fallback_ends() {
    let on_write = |fork: Arc<Fork>| Callbacks {
        on_write: Some(Box::new(move |_| fork.fork())),
        ..no_others()
    };
    child_ends(
        |c| c.fail_after = Duration::MAX,
        on_write,
        |rig| {
            let fallback = Box::new(ProbeSink(Arc::default()));
            crate::sync::lock(&rig.shared.delivery).outlets.set_fallback(fallback);
            rig.probe.script(|script| script.room = Some(0));
            rig.send("a").unwrap();
            close(&rig.shared);
        },
    );
}

#[test]
fn a_child_forked_when_the_last_drops_are_reported_ends() {
    let on_drop = |fork: Arc<Fork>| Callbacks {
        on_drop: Some(Box::new(move |_| fork.fork())),
        ..no_others()
    };
    let config = |c: &mut Config| {
        (c.queue_policy, c.max_queue_size) = (QueuePolicy::DropNewest, 1);
    };
    child_ends(config, on_drop, |rig| {
        // The first is reported by the sender, the others when a second is over or at the end.
        assert_eq!(["a", "b", "c"].map(|text| rig.send(text)), [Ok(true), Ok(false), Ok(false)]);
        close(&rig.shared);
    });
}

/// Failed, once in a while in a program that forks in a callback: the child went on with what its
/// parent does after a round, and waited for ever.
#[test]
fn a_child_forked_in_a_call_without_a_worker_ends() {
    let calls: [fn(&Arc<Shared>); 4] = [
        |shared| assert_eq!(send(shared, "b"), Ok(true)),
        |shared| drop(shared.flush_now(SEC)),
        |shared| drop(shared.sync_now(SEC)),
        |shared| drop(Writer::new(Arc::clone(shared)).shutdown(SEC)),
    ];
    let config = |c: &mut Config| {
        (c.synchronous, c.queue_policy) = (true, QueuePolicy::DropNewest);
    };
    for call in calls {
        let on_write = |fork: Arc<Fork>| Callbacks {
            on_write: Some(Box::new(move |_| fork.fork())),
            marker: MarkerLine::new(Some(Box::new(|_, line| line.push(b'm')))),
            ..no_others()
        };
        // The rest of a line is to be written, and then a line about the one that was refused.
        let prepare = |rig: &Rig| {
            rig.probe.script(|script| script.room = Some(1));
            assert_eq!(["abc", "d"].map(|text| rig.send(text)), [Ok(true), Ok(false)]);
            rig.shared.advance(SEC);
            rig.probe.script(|script| script.room = None);
        };
        child_of_call_ends(config, on_write, prepare, call);
    }
    let on_drop = |fork: Arc<Fork>| Callbacks {
        on_drop: Some(Box::new(move |_| fork.fork())),
        ..no_others()
    };
    let prepare = |rig: &Rig| {
        rig.probe.script(|script| script.room = Some(0));
        assert_eq!(["a", "b"].map(|text| rig.send(text)), [Ok(false), Ok(false)]);
    };
    child_of_call_ends(config, on_drop, prepare, calls[3]);
}
