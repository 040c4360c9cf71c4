//! Which spans a thread has met lately.

use std::cell::Cell;
use std::sync::Arc;

use tracing_core::span::Id;
use writer_core::json::SpanList;
use writer_core::{SlotEntry, Slots};

use crate::layer::JsonLayer;
use crate::span::Node;

thread_local! {
    /// By the place of the layer and the id of the span.
    static RECENT: Slots<Box<Recent>, 16> = const { Slots::new() };
    /// Spans that were open when they had to give way to others. Taken out for use: the allocator may
    /// log meanwhile, which costs time and nothing else.
    static DISPLACED: Cell<Displaced> = const { Cell::new(Displaced { spans: Vec::new(), next: 0 }) };
}

/// How many spans that had to give way a thread remembers.
const DISPLACED_KEPT: usize = 32;

/// A span that this thread has begun, entered, changed or logged in.
///
/// It spares a look into the registry, and not for the time alone: while another layer formats a
/// value for a span, it may hold the registry's lock around what layers keep of that span. If the
/// value logs then, in that span or in one inside, this thread must not wait for the lock.
pub(crate) struct Recent {
    pub(crate) node: Arc<Node>,
    /// The list of the spans, once something was logged, with its stamp.
    pub(crate) list: Option<(u64, Arc<SpanList>)>,
}

impl JsonLayer {
    /// Where the layer is, by which threads remember what it keeps: where a `reload` has moved it
    /// to another subscriber, the same id is another span.
    #[inline]
    fn place(&self) -> u64 {
        std::ptr::from_ref(self).addr() as u64
    }

    /// What this thread remembers of a span, taken out of its place.
    #[inline]
    pub(crate) fn take_recent(&self, id: &Id) -> Option<Box<Recent>> {
        let (place, id) = (self.place(), id.into_u64());
        let recent = RECENT.try_with(|slots| slots.take(place, id)).ok().flatten();
        let recent = recent.or_else(|| take_displaced(place, id));
        // Another layer may have been in this place before.
        recent.filter(|recent| recent.node.is_of(self.id) && !recent.node.closed())
    }

    /// Has this thread remember a span. Where the thread's values are gone, it is looked up each
    /// time.
    #[inline]
    pub(crate) fn put_recent(&self, id: &Id, recent: Box<Recent>) {
        let put = |slots: &Slots<_, 16>| slots.put(self.place(), id.into_u64(), recent);
        if let Some(other) = RECENT.try_with(put).ok().flatten() {
            drop(displace(other));
        }
    }

    /// The same for a span that it did not remember, in the memory of one that gives way: a thread
    /// that is in ever other spans would allocate each time.
    pub(crate) fn put_new(&self, id: &Id, recent: Recent) {
        let other = RECENT.try_with(|slots| slots.take_any(self.place(), id.into_u64()));
        let recent = match other.ok().flatten().and_then(displace) {
            Some(mut other) => {
                *other = recent;
                other
            }
            None => Box::new(recent),
        };
        self.put_recent(id, recent);
    }

    /// The same, for a span in which nothing was logged as it is now.
    pub(crate) fn remember(&self, id: &Id, node: Arc<Node>) {
        self.put_new(id, Recent { node, list: None });
    }

    /// What this thread remembers of a span, for use in this process.
    pub(crate) fn remembered(&self, id: &Id) -> Option<Arc<Node>> {
        let recent = self.take_recent(id)?;
        let node = Arc::clone(&recent.node);
        self.put_recent(id, recent);
        (!node.is_inherited()).then_some(node)
    }
}

/// Spans that had to give way.
#[derive(Default)]
struct Displaced {
    spans: Vec<SlotEntry<Box<Recent>>>,
    /// Which one is displaced next when there are [`DISPLACED_KEPT`].
    next: usize,
}

impl Displaced {
    /// Does something with those of this thread; nothing where its values are gone.
    fn with<T>(use_them: impl FnOnce(&mut Displaced) -> Option<T>) -> Option<T> {
        let with = |cell: &Cell<Displaced>| {
            let mut displaced = cell.take();
            let result = use_them(&mut displaced);
            cell.set(displaced);
            result
        };
        DISPLACED.try_with(with).ok().flatten()
    }

    fn put(&mut self, entry: SlotEntry<Box<Recent>>) -> Option<Box<Recent>> {
        if self.spans.len() < DISPLACED_KEPT {
            self.spans.push(entry);
            return None;
        }
        let place = &mut self.spans[self.next];
        self.next = (self.next + 1) % DISPLACED_KEPT;
        Some(std::mem::replace(place, entry).value)
    }

    fn take(&mut self, place: u64, id: u64) -> Option<Box<Recent>> {
        // One that is closed may have had the same id.
        let is_it = |entry: &SlotEntry<Box<Recent>>| {
            (entry.owner, entry.key) == (place, id) && !entry.value.node.closed()
        };
        let at = self.spans.iter().position(is_it)?;
        Some(self.spans.swap_remove(at).value)
    }
}

/// Remembers a span that gives way to another. Returns one that nobody asks for any more, if there
/// is one: this one if it is closed, or another where there are too many.
#[cold]
fn displace(entry: SlotEntry<Box<Recent>>) -> Option<Box<Recent>> {
    if entry.value.node.closed() {
        return Some(entry.value);
    }
    Displaced::with(|displaced| displaced.put(entry))
}

#[cold]
fn take_displaced(place: u64, id: u64) -> Option<Box<Recent>> {
    Displaced::with(|displaced| displaced.take(place, id))
}

#[cfg(test)]
mod tests {
    use tracing::dispatcher::{Dispatch, with_default};
    use tracing_subscriber::Registry;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// One layer may come to be where another was before, and a registry gives its ids out anew.
    #[test]
    fn what_another_layer_in_the_same_place_has_remembered_is_not_taken_for_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let [(one, _first), (two, _second)] =
            ["one", "two"].map(|name| crate::layer(folder.path().join(name)).unwrap());
        let dispatch = Dispatch::new(Registry::default().with(one));
        with_default(&dispatch, || {
            let span = tracing::info_span!("s");
            let id = span.id().unwrap();
            let of_one = dispatch.downcast_ref::<JsonLayer>().unwrap().take_recent(&id).unwrap();
            two.put_recent(&id, of_one);
            assert!(two.take_recent(&id).is_none());
        });
    }

    /// Each thread that logs in a span would keep a list of its own.
    #[test]
    fn a_thread_keeps_the_list_of_a_span_if_it_is_short() {
        let folder = tempfile::tempdir().unwrap();
        let (layer, guard) = crate::layer(folder.path().join("app.jsonl")).unwrap();
        let dispatch = Dispatch::new(Registry::default().with(layer));
        let layer = dispatch.downcast_ref::<JsonLayer>().unwrap();
        for (text, short) in [("a".to_owned(), true), ("a".repeat(10_000), false)] {
            with_default(&dispatch, || {
                let span = tracing::info_span!("s", text);
                let id = span.id().unwrap();
                let _entered = span.enter();
                // The span is remembered from its beginning, and then met as if never seen.
                for _ in 0..2 {
                    tracing::info!("x");
                    let recent = layer.take_recent(&id).unwrap();
                    assert_eq!(recent.list.is_some(), short);
                }
            });
        }
        drop(guard);
    }
}
