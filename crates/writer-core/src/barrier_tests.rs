//! Waiting for the worker, by a clock that only the test moves: who waits is known, not hoped for.

use std::io::{ErrorKind, Write};
use std::sync::Arc;
use std::time::Duration;

use crate::Writer;
use crate::axes::Mode;
use crate::error::{FlushError, ShutdownError};
use crate::shared::Shared;
use crate::testing::Rig;

#[test]
fn a_flush_or_sync_that_waits_is_released_by_the_end() {
    for wait in [Shared::flush, Shared::sync] {
        let rig = Rig::new(|c| c.mode = Mode::Manual);
        rig.probe.script(|script| script.gate = true);
        rig.send("a").unwrap();
        let waiting = rig.spawn(move |shared| wait(shared, Duration::MAX));
        rig.until(|inner| inner.watchers == 1);
        rig.until_call(1);
        // What comes after the call is let out by the shutdown alone.
        rig.send("b").unwrap();
        let result = rig.shared.shutdown(Duration::ZERO);
        assert!(matches!(result, Err(ShutdownError::Timeout { remaining: 2 })), "{result:?}");
        assert!(!waiting.is_finished());
        rig.probe.script(|script| script.gate = false);
        waiting.join().unwrap().unwrap();
        rig.shared.shutdown(Duration::MAX).unwrap();
        assert_eq!(rig.probe.text(), "a\nb\n");
    }
}

#[test]
fn a_flush_or_sync_that_waits_hears_what_the_end_gave_up() {
    for wait in [Shared::flush, Shared::sync] {
        let rig = Rig::new(|c| c.mode = Mode::Manual);
        rig.probe.script(|script| script.room = Some(0));
        rig.send("a").unwrap();
        let waiting = rig.spawn(move |shared| wait(shared, Duration::MAX));
        rig.until(|inner| inner.watchers == 1 && inner.count.errors == 1);
        let result = rig.shared.shutdown(Duration::ZERO);
        // The time that it then gives the worker does not pass by itself.
        assert!(matches!(result, Err(ShutdownError::Lost { lines: 1 })), "{result:?}");
        let answer = waiting.join().unwrap();
        assert!(matches!(answer, Err(FlushError::Lost { lines: 1 })), "{answer:?}");
    }
}

#[test]
fn a_flush_of_a_line_writer_that_waits_in_vain_has_timed_out() {
    let rig = Rig::new(|c| c.mode = Mode::Manual);
    rig.probe.script(|script| script.gate = true);
    let writer = Writer::new(Arc::clone(&rig.shared));
    let waiting = rig.spawn(move |_| {
        let mut out = writer.line_writer();
        out.write_all(b"a").unwrap();
        out.flush()
    });
    rig.until(|inner| inner.watchers == 1);
    rig.shared.advance(Duration::from_secs(5));
    assert_eq!(waiting.join().unwrap().unwrap_err().kind(), ErrorKind::TimedOut);
}

#[test]
fn a_reopening_that_was_served_before_the_end_has_succeeded() {
    let rig = Rig::without_worker(|_| {});
    let waiting = rig.spawn(|shared| shared.reopen(Duration::MAX));
    rig.until(|inner| inner.watchers == 1);
    let mut inner = rig.shared.lock();
    (inner.reopens.served, inner.ended) = (1, true);
    rig.shared.notify_progress(&inner);
    drop(inner);
    assert_eq!(waiting.join().unwrap(), Ok(()));
}
