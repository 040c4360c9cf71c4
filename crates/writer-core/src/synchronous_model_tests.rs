//! The mode without a worker, under any sequence of calls and failures, beside a model that knows
//! neither queue nor hand.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::sync::lock;
use crate::testing::{Probe, ProbeSink, Rig, SEC};
use crate::{FlushError, QueuePolicy, State};

const CASES: u32 = if cfg!(miri) { 4 } else { 1000 };

#[derive(Debug, Clone, Copy)]
enum Step {
    /// A line of so many bytes.
    Send(usize),
    /// From now on the sink takes so many bytes.
    Room(Option<usize>),
    Panics(bool),
    FlushFails(bool),
    Flush,
    Sync,
    Second,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..20_usize).prop_map(Step::Send),
        3 => proptest::option::weighted(0.7, 0..25_usize).prop_map(Step::Room),
        1 => any::<bool>().prop_map(Step::Panics),
        1 => any::<bool>().prop_map(Step::FlushFails),
        2 => Just(Step::Flush),
        1 => Just(Step::Sync),
        1 => Just(Step::Second),
    ]
}

/// What is to be in the sink and in the counters.
#[derive(Debug, Default)]
struct Model {
    room: Option<usize>,
    panics: bool,
    flush_fails: bool,
    out: String,
    /// What the fallback has, if there is one.
    spare: Option<String>,
    /// Lines go there until a second is over, and the last one did.
    diverted: bool,
    elsewhere: bool,
    /// A line of which a part is out, and how much.
    line: Option<(String, usize)>,
    /// The next byte out is a line end; something was taken since the last flush.
    torn: bool,
    dirty: bool,
    failing: bool,
    written: u64,
    lost: u64,
    refused: u64,
}

impl Model {
    /// Has the sink take the front of `bytes`; returns how much.
    fn take(&mut self, bytes: &str) -> usize {
        let taken = bytes.len().min(self.room.unwrap_or(usize::MAX));
        self.room = self.room.map(|room| room - taken);
        self.out.push_str(&bytes[..taken]);
        taken
    }

    /// Writes what is left of a line, and then `new`. Returns whether all went well, and whether
    /// `new` is in.
    fn write(&mut self, new: Option<&str>) -> (bool, bool) {
        self.elsewhere = self.diverted;
        if !self.diverted {
            let (went_well, is_in) = self.write_to_sink(new);
            self.failing |= !went_well;
            if went_well || self.spare.is_none() {
                return (went_well, is_in);
            }
            (self.diverted, self.elsewhere) = (true, true);
            self.torn |= self.line.is_some();
            let left = self.line.take().map(|(line, _)| line);
            // A line that is partly out is `new`: there is none from before.
            self.divert(left.as_deref().or(new.filter(|_| !is_in)));
            return (true, true);
        }
        self.divert(new);
        (true, true)
    }

    fn divert(&mut self, line: Option<&str>) {
        if let (Some(spare), Some(line)) = (&mut self.spare, line) {
            spare.push_str(line);
            self.written += 1;
        }
    }

    fn write_to_sink(&mut self, new: Option<&str>) -> (bool, bool) {
        let mut lines: Vec<_> = self.line.take().into_iter().collect();
        lines.extend(new.map(|new| (new.to_owned(), 0)));
        for (line, out) in lines {
            if self.torn {
                self.torn = self.panics || self.take("\n") == 0;
            }
            // What panics while it closes a line has failed: nothing is lost by it.
            let fails = self.torn;
            if self.panics && !fails {
                self.lost += 1;
                self.torn = out > 0;
                continue;
            }
            let taken = if fails { 0 } else { self.take(&line[out..]) };
            self.dirty |= taken > 0;
            if out + taken < line.len() {
                let begun = out + taken > 0;
                let is_in = begun && Some(&*line) == new;
                self.line = begun.then_some((line, out + taken));
                return (false, is_in);
            }
            self.written += 1;
        }
        if self.flush_fails {
            return (false, true);
        }
        self.failing &= !std::mem::take(&mut self.dirty);
        (true, true)
    }

    /// The answer to a flush that waits for nothing.
    fn flush(&mut self) -> Result<(), FlushError> {
        let lost = self.lost;
        let unfinished = !self.elsewhere && (self.line.is_some() || self.dirty);
        if unfinished && !self.write(None).0 {
            return Err(FlushError::Timeout { pending: u64::from(self.line.is_some()) });
        }
        match self.lost - lost {
            0 => Ok(()),
            lines => Err(FlushError::Lost { lines }),
        }
    }
}

fn check(rig: &Rig, model: &Model, spare: &Probe) {
    let m = rig.metrics();
    assert_eq!(rig.probe.text(), model.out);
    assert_eq!(spare.text(), model.spare.clone().unwrap_or_default());
    let pending = u64::from(model.line.is_some());
    let (found, wanted) = (
        (m.written, m.lost, m.refused, m.pending),
        (model.written, model.lost, model.refused, pending),
    );
    assert_eq!(found, wanted, "written, lost, refused, pending");
    assert_eq!(m.enqueued, m.written + m.lost + m.pending);
    assert_eq!(m.state != State::Healthy, model.failing, "{:?}", m.state);
    let heard = rig.heard.lock().unwrap();
    assert_eq!(heard.written as u64, m.written);
    assert!(rig.shared.lock().untold.is_nothing());
}

/// Without a fallback no step waits for anything; with one, the sink has failed at once.
fn play(steps: &[Step], with_fallback: bool) {
    let rig = Rig::without_worker(|c| {
        (c.synchronous, c.queue_policy) = (true, QueuePolicy::DropNewest);
        c.fail_after = if with_fallback { Duration::ZERO } else { Duration::MAX };
    });
    let spare = Arc::new(Probe::default());
    let mut model = Model::default();
    if with_fallback {
        lock(&rig.shared.delivery).outlets.set_fallback(Box::new(ProbeSink(Arc::clone(&spare))));
        model.spare = Some(String::new());
    }
    for (n, step) in steps.iter().enumerate() {
        match *step {
            Step::Send(len) => {
                let line = format!("{n:0>len$}\n");
                let is_in = model.write(Some(&line)).1;
                model.refused += u64::from(!is_in);
                assert_eq!(rig.send(line.trim_end()), Ok(is_in));
            }
            Step::Room(room) => {
                model.room = room;
                rig.probe.script(|script| script.room = room);
            }
            Step::Panics(panics) => {
                model.panics = panics;
                rig.probe.script(|script| script.panics = panics);
            }
            // What a sink took and does not flush is not looked at any more while lines go
            // elsewhere.
            Step::FlushFails(_) if with_fallback => {}
            Step::FlushFails(fails) => {
                model.flush_fails = fails;
                rig.probe.script(|script| script.flush_fails = fails);
            }
            Step::Flush => assert_eq!(rig.shared.flush_now(Duration::ZERO), model.flush()),
            Step::Sync => assert_eq!(rig.shared.sync_now(Duration::ZERO), model.flush()),
            Step::Second => {
                model.diverted = false;
                rig.shared.advance(SEC);
            }
        }
        check(&rig, &model, &spare);
    }
    rig.probe.script(|script| {
        (script.room, script.panics, script.flush_fails) = (None, false, false);
    });
    (model.room, model.panics, model.flush_fails) = (None, false, false);
    assert_eq!(rig.shared.shutdown_now(SEC), Ok(()));
    model.write(None);
    if model.torn {
        model.out.push('\n');
    }
    check(&rig, &model, &spare);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) })]

    #[test]
    fn a_writer_without_worker_does_as_the_model(steps in vec(step(), 0..40), with_fallback: bool) {
        play(&steps, with_fallback);
    }
}
