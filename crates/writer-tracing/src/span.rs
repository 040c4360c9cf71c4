//! What a layer keeps of a span.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard};

use writer_core::json::{EncodedSpan, Format, SpanList};
use writer_core::unless_taken;

#[cfg(feature = "opentelemetry")]
use crate::opentelemetry::TraceIds;
use crate::span_events::Times;

/// In how many spans the list of an innermost span is kept. Deeper, as in a recursion that opens
/// spans, the lists of all levels together would take the square of the depth in memory.
const KEPT_DEPTH: usize = 64;

/// A span as one layer sees it.
///
/// In a forked child, where a thread of the parent may hold its locks for ever, another takes its
/// place before they are used: see [`Node::renew`].
#[derive(Debug)]
pub(crate) struct Node {
    layer: u64,
    /// What [`writer_core::forks`] said where it was made.
    process: u64,
    /// What takes its place in a process forked off from that one. It is kept here because the
    /// registry's lock around the extensions of the span is inherited as well.
    successor: OnceLock<Arc<Node>>,
    parent: Option<Arc<Node>>,
    /// The registry has removed the span and may give its id to another.
    closed: AtomicBool,
    /// Counts the changes of `encoded`; raised under its lock, after the change.
    version: AtomicU64,
    /// No code of the user runs under this lock.
    encoded: RwLock<EncodedSpan>,
    /// The list from the root to here, with the [`Node::stamp`] read before it was put together:
    /// while the stamp is the same, the list is up to date. Under this lock those of `encoded` are
    /// taken, never the other way round.
    list: Mutex<Option<(u64, Arc<SpanList>)>>,
    /// Only where the layer measures; the lock is held for a few additions.
    times: Option<Mutex<Times>>,
    /// Where OpenTelemetry has the span, once that is known.
    #[cfg(feature = "opentelemetry")]
    trace: OnceLock<TraceIds>,
}

impl Node {
    pub(crate) fn new(layer: u64, encoded: EncodedSpan, parent: Option<Arc<Node>>) -> Self {
        Node {
            layer,
            process: writer_core::forks(),
            successor: OnceLock::new(),
            parent,
            closed: AtomicBool::new(false),
            version: AtomicU64::new(0),
            encoded: RwLock::new(encoded),
            list: Mutex::new(None),
            times: None,
            #[cfg(feature = "opentelemetry")]
            trace: OnceLock::new(),
        }
    }

    /// Whether it is what this layer keeps of its span.
    #[inline]
    pub(crate) fn is_of(&self, layer: u64) -> bool {
        self.layer == layer
    }

    /// Whether it is of the process that this one was forked off from.
    pub(crate) fn is_inherited(&self) -> bool {
        self.process != writer_core::forks()
    }

    /// What has the place of this node in this process, or comes nearest to it.
    pub(crate) fn latest(self: &Arc<Node>) -> Arc<Node> {
        let mut node = self;
        while node.is_inherited()
            && let Some(successor) = node.successor.get()
        {
            node = successor;
        }
        Arc::clone(node)
    }

    /// Gives one that is inherited a successor in this process. Waits for no lock that a thread of
    /// the parent may hold: where one was just changing something at the fork, that begins anew,
    /// the fields as `fresh` says.
    #[cold]
    pub(crate) fn renew(
        &self,
        parent: Option<Arc<Node>>,
        fresh: impl FnOnce() -> EncodedSpan,
    ) -> Arc<Node> {
        let encoded =
            unless_taken(self.encoded.try_read()).map_or_else(fresh, |encoded| encoded.clone());
        let mut node = Node::new(self.layer, encoded, parent);
        node.times = self.times.as_ref().map(|times| {
            Mutex::new(
                unless_taken(times.try_lock()).map_or_else(Times::new, |times| times.clone()),
            )
        });
        #[cfg(feature = "opentelemetry")]
        if let Some(ids) = self.trace.get() {
            node.trace = OnceLock::from(*ids);
        }
        let node = Arc::new(node);
        // A thread that forks in the nanoseconds of this would have a child in which nobody can set
        // it.
        let first = self.successor.set(Arc::clone(&node));
        // Threads that remember a list with the old one are to ask again.
        self.version.fetch_add(1, Ordering::Release);
        match first {
            Ok(()) => node,
            // Another thread of this process was faster.
            Err(node) => self.successor.get().map_or(node, Arc::clone),
        }
    }

    /// Notes that the registry has removed the span.
    fn close(&self) {
        let mut node = self;
        loop {
            node.closed.store(true, Ordering::Relaxed);
            match node.successor.get() {
                Some(successor) => node = successor,
                None => return,
            }
        }
    }

    /// Gives up what takes much memory, for threads may remember a span that is closed until they
    /// meet others. Waits for no lock: in a forked child one may be held for ever.
    fn release(self: &Arc<Node>) {
        if Arc::strong_count(self) > 1 {
            let node = self.latest();
            drop(unless_taken(node.list.try_lock()).and_then(|mut list| list.take()));
            if let Some(mut encoded) = unless_taken(node.encoded.try_write()) {
                encoded.release();
            }
        }
    }

    /// Begins a span inside this one.
    pub(crate) fn child(&self, format: &Format, name: &str) -> EncodedSpan {
        format.child_span(name, &self.encoded())
    }

    /// Begins to measure.
    pub(crate) fn measure(&mut self) {
        self.times = Some(Mutex::new(Times::new()));
    }

    /// Calls with the times of the span, if they are measured.
    pub(crate) fn times<R>(&self, step: impl FnOnce(&mut Times) -> R) -> Option<R> {
        self.times.as_ref().map(|times| step(&mut lock(times)))
    }

    /// Whether a field has a value.
    pub(crate) fn has(&self, field: u32) -> bool {
        self.encoded().value(field).is_some()
    }

    fn encoded(&self) -> RwLockReadGuard<'_, EncodedSpan> {
        self.encoded.read().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(feature = "opentelemetry")]
    pub(crate) fn has_trace(&self) -> bool {
        self.trace.get().is_some()
    }

    /// Keeps where OpenTelemetry has the span. The first answer stays.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn set_trace(&self, ids: TraceIds) {
        if self.trace.set(ids).is_ok() {
            // Release: who reads the new version finds the ids.
            self.version.fetch_add(1, Ordering::Release);
        }
    }

    /// Takes over values that were encoded apart.
    pub(crate) fn update<'n>(
        &self,
        newer: &EncodedSpan,
        fields: impl IntoIterator<Item = (u32, &'n str)>,
    ) {
        let mut encoded = self.encoded.write().unwrap_or_else(PoisonError::into_inner);
        encoded.update(newer, fields);
        // Release: who reads the new version finds the change, for it takes the lock after us.
        self.version.fetch_add(1, Ordering::Release);
    }

    /// The number of changes from the root to here. As each part only grows, an equal sum means
    /// that none has changed.
    #[inline]
    pub(crate) fn stamp(&self) -> u64 {
        let mut sum = self.version.load(Ordering::Acquire);
        let mut node = &self.parent;
        while let Some(parent) = node {
            sum += parent.version.load(Ordering::Acquire);
            node = &parent.parent;
        }
        sum
    }

    #[inline]
    pub(crate) fn closed(&self) -> bool {
        // The registry hands out the id again only after the mark is set; that orders the two.
        self.closed.load(Ordering::Relaxed)
    }

    /// The spans from the root to here, with their stamp. The flag says whether it is worth keeping
    /// for the thread as well.
    pub(crate) fn list(&self) -> (u64, Arc<SpanList>, bool) {
        let mut list = lock(&self.list);
        let stamp = self.stamp();
        if let Some((kept, list)) = &*list
            && *kept == stamp
        {
            return (stamp, Arc::clone(list), list.is_short());
        }
        let parents = std::iter::successors(self.parent.as_ref(), |node| node.parent.as_ref());
        let outer: Vec<_> = parents.collect();
        let mut fresh = SpanList::new();
        for node in outer.iter().rev() {
            fresh.push(&node.encoded());
        }
        fresh.push(&self.encoded());
        #[cfg(feature = "opentelemetry")]
        if let Some((trace, span)) = self.trace.get() {
            fresh.set_trace(*trace, *span);
        }
        let fresh = Arc::new(fresh);
        let keep = outer.len() < KEPT_DEPTH && fresh.is_worth_keeping();
        *list = keep.then(|| (stamp, Arc::clone(&fresh)));
        let short = fresh.is_short();
        (stamp, fresh, keep && short)
    }
}

/// Parents go one after the other: each in the drop of its child would take the stack of a thread
/// that is the last to remember ten thousand nested spans.
impl Drop for Node {
    fn drop(&mut self) {
        let mut next = self.parent.take();
        while let Some(mut node) = next.and_then(Arc::into_inner) {
            next = node.parent.take();
        }
    }
}

/// What all layers of this crate keep of one span, among the extensions of the span.
#[derive(Debug)]
pub(crate) struct Nodes {
    /// Apart, because one layer is what almost every program has.
    first: Arc<Node>,
    others: Vec<Arc<Node>>,
}

impl Nodes {
    pub(crate) fn new(first: Arc<Node>) -> Self {
        Nodes { first, others: Vec::new() }
    }

    pub(crate) fn get(&self, layer: u64) -> Option<&Arc<Node>> {
        if self.first.layer == layer {
            return Some(&self.first);
        }
        self.others.iter().find(|node| node.layer == layer)
    }

    pub(crate) fn add(&mut self, node: Arc<Node>) {
        self.others.push(node);
    }

    /// Adds a node, in the place of the one that its layer has here.
    pub(crate) fn set(&mut self, node: Arc<Node>) {
        let mut nodes = std::iter::once(&mut self.first).chain(&mut self.others);
        match nodes.find(|known| known.layer == node.layer) {
            Some(known) => {
                // Threads that remember the old one are to ask again.
                known.close();
                *known = node;
            }
            None => self.add(node),
        }
    }
}

/// The registry empties the extensions of a span before it uses the place again.
impl Drop for Nodes {
    fn drop(&mut self) {
        for node in std::iter::once(&self.first).chain(&self.others) {
            node.close();
            node.release();
        }
    }
}

/// Locks, also after a panic: every change is whole before anything can panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "span_tests.rs"]
mod tests;
