//! The end of a worker: whatever is left goes somewhere, or is counted, and everyone is let go.

use crate::error::State;
use crate::outlet::plain;
use crate::shared::Shared;
use crate::sync::lock;

/// Gives up what may be left, closes the sink, and lets everyone go who waits. In a child that a
/// callback forks on the way, what follows is left undone: the locks may be taken there for ever.
pub(super) fn end(shared: &Shared) {
    let mut delivery = lock(&shared.delivery);
    let left = {
        let mut inner = shared.lock();
        // Already so, unless the worker broke off: nothing may come in behind what is given up.
        inner.close();
        !inner.queue.is_empty() || delivery.lines_in_hand() > 0
    };
    // Without lines a marker may still wait for a sink that fails.
    let rescues = left || shared.lock().state != State::Healthy;
    if rescues && delivery.outlets.has_fallback() {
        drop(delivery);
        rescue(shared);
        if shared.is_foreign() {
            return;
        }
        delivery = lock(&shared.delivery);
    }
    let completed = delivery.settle_completed(shared);
    if left {
        delivery.give_up(shared);
    }
    let close_error = delivery.close(shared).err().map(|error| plain(&error));
    drop(delivery);
    if completed > 0 {
        shared.callbacks.written(completed);
        if shared.is_foreign() {
            return;
        }
    }
    let report = std::mem::take(&mut shared.lock().unreported);
    shared.report_drops((report > 0).then_some(report));
    if shared.is_foreign() {
        return;
    }
    let mut inner = shared.lock();
    inner.close_error = close_error;
    inner.ended = true;
    inner.flushed = inner.queue.accepted();
    shared.notify_room(&inner);
    shared.notify_progress(&inner);
}

/// Has what would be given up go to the fallback, where there is one.
fn rescue(shared: &Shared) {
    loop {
        let mut delivery = lock(&shared.delivery);
        if !delivery.divert_for_good(shared) {
            return;
        }
        if let Some(losses) = shared.last_losses() {
            shared.put_marker(&mut delivery, &losses);
            if shared.is_foreign() {
                return;
            }
        }
        let mut round = delivery.round(shared, |_| false);
        let left = delivery.lines_in_hand() > 0 || !shared.lock().queue.is_empty();
        drop(delivery);
        shared.after_round(&mut round);
        if !left || shared.is_foreign() || round.has_failed() {
            return;
        }
    }
}
