//! Which records pass, changeable at run time.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use env_filter::Filter;
use log::{LevelFilter, Metadata, Record};

/// A filter that can be exchanged while others use it.
///
/// Each thread keeps the filter it used last, with the number of the exchange it came from, so that
/// the common case is one atomic load and no shared counter moves.
#[derive(Debug)]
pub(crate) struct FilterCell {
    /// Unique among all cells and exchanges of the process.
    number: AtomicU64,
    filter: RwLock<Arc<Filter>>,
}

static NUMBERS: AtomicU64 = AtomicU64::new(1);

fn next_number() -> u64 {
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

thread_local! {
    static LAST: RefCell<Option<(u64, Arc<Filter>)>> = const { RefCell::new(None) };
}

/// Reads directives such as `info,my_crate=debug`; the text of the error says what is wrong.
pub(crate) fn parse(directives: &str) -> Result<Filter, String> {
    let mut builder = env_filter::Builder::new();
    builder.try_parse(directives).map_err(|error| error.to_string())?;
    Ok(builder.build())
}

impl FilterCell {
    pub(crate) fn new(filter: Filter) -> Self {
        FilterCell { number: next_number().into(), filter: RwLock::new(Arc::new(filter)) }
    }

    /// Exchanges the filter and returns the most verbose level that can pass it.
    pub(crate) fn set(&self, filter: Filter) -> LevelFilter {
        let level = filter.filter();
        let mut current = self.filter.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(filter);
        // Under the lock, so that the number of a filter never belongs to an older one.
        self.number.store(next_number(), Ordering::Release);
        level
    }

    pub(crate) fn max_level(&self) -> LevelFilter {
        self.current().1.filter()
    }

    pub(crate) fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.with(|filter| filter.enabled(metadata))
    }

    pub(crate) fn matches(&self, record: &Record<'_>) -> bool {
        self.with(|filter| filter.matches(record))
    }

    fn current(&self) -> (u64, Arc<Filter>) {
        let filter = self.filter.read().unwrap_or_else(PoisonError::into_inner);
        (self.number.load(Ordering::Acquire), Arc::clone(&filter))
    }

    /// A filter runs no code of the user, unless a record's arguments are matched against a
    /// regular expression, a feature that is off: the thread-local may stay borrowed meanwhile.
    fn with<R>(&self, ask: impl Fn(&Filter) -> R) -> R {
        let number = self.number.load(Ordering::Acquire);
        let cached = LAST.try_with(|last| {
            let mut last = last.try_borrow_mut().ok()?;
            match &*last {
                Some((known, filter)) if *known == number => Some(ask(filter)),
                _ => Some(ask(&last.insert(self.current()).1)),
            }
        });
        // The thread is ending and its locals are gone.
        cached.ok().flatten().unwrap_or_else(|| ask(&self.current().1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use log::Level;

    fn metadata(level: Level) -> Metadata<'static> {
        Metadata::builder().level(level).target("shop").build()
    }

    #[test]
    fn an_exchange_is_seen_at_once_by_every_thread() {
        let cell = FilterCell::new(parse("warn").unwrap());
        let other = FilterCell::new(parse("trace").unwrap());
        assert!(!cell.enabled(&metadata(Level::Info)));
        assert!(other.enabled(&metadata(Level::Trace)));
        assert_eq!(cell.set(parse("off,shop=debug").unwrap()), LevelFilter::Debug);
        assert!(cell.enabled(&metadata(Level::Debug)));
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(!cell.enabled(&metadata(Level::Trace))));
        });
    }
}
