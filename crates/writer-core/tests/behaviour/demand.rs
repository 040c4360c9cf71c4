//! What a sink is told of lines that wait behind those it is offered: it may hold back for them,
//! unless somebody waits.

use std::time::Duration;

use crate::common::{Gate, LIMIT, NEVER, TestSink, eventually};
use writer_core::{Writer, WriterBuilder, WriterGuard};

/// The sink takes a part of the line "a" while "b" comes, which is due, and something is demanded.
/// Returns whether it may then hold the rest back.
fn may_hold(
    settings: impl FnOnce(WriterBuilder) -> WriterBuilder,
    demand: impl FnOnce(&Writer, &WriterGuard),
) -> bool {
    let gate = Gate::new_closed();
    let mut first = true;
    let (sink, record) = TestSink::answering(move |lines, _| {
        Ok(if std::mem::take(&mut first) { 1 } else { lines.len() })
    });
    let builder = Writer::to(sink.at_gate(&gate)).batch_size(1).flush_interval(NEVER);
    let (writer, guard) = settings(builder).build().unwrap();
    writer.send("a").unwrap();
    gate.wait_until_entered(1);
    writer.send("b").unwrap();
    demand(&writer, &guard);
    gate.open();
    eventually("both are written", || record.bytes() == b"a\nb\n");
    guard.shutdown(LIMIT).unwrap();
    let (rest, more_waiting) = record.calls().swap_remove(1);
    assert!(rest.starts_with(b"\n"), "{rest:?}");
    more_waiting
}

#[test]
fn a_sink_may_hold_back_for_lines_that_are_due_and_not_while_somebody_waits() {
    assert!(may_hold(|b| b, |_, _| {}), "nobody waits");
    assert!(!may_hold(|b| b.flush_interval(Duration::ZERO), |_, _| {}), "the time is over");
    let flush = |writer: &Writer, _: &WriterGuard| drop(writer.flush(Duration::ZERO));
    assert!(!may_hold(|b| b, flush), "a flush");
    let shutdown = |_: &Writer, guard: &WriterGuard| drop(guard.shutdown(Duration::ZERO));
    assert!(!may_hold(|b| b, shutdown), "a shutdown");
    let small = |b: WriterBuilder| b.max_queue_size(1).block_timeout(Duration::ZERO);
    let refused = |writer: &Writer, _: &WriterGuard| assert_eq!(writer.send("c"), Ok(false));
    assert!(!may_hold(small, refused), "a sender without room");
}
