//! Which records pass, changeable at run time.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use env_filter::Filter;
use log::{LevelFilter, Metadata};
use writer_core::{Writer, unless_taken};

/// A filter that can be exchanged while others use it.
///
/// Each thread keeps the filter it used last, with the number of the exchange it came from, so that
/// the common case is one atomic load and no shared counter moves. In a forked child, where a
/// thread of the parent may hold a lock for ever, the lock is another one: see
/// [`FilterCell::here`].
#[derive(Debug)]
pub(crate) struct FilterCell {
    /// Unique among all cells and exchanges of the process.
    number: AtomicU64,
    /// Tells cells apart.
    owner: u64,
    /// Where no other can be read.
    first: Arc<Filter>,
    filter: Arc<Current>,
}

type Current = RwLock<Arc<Filter>>;

static NUMBERS: AtomicU64 = AtomicU64::new(1);

fn next_number() -> u64 {
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

thread_local! {
    static LAST: RefCell<Option<(u64, Arc<Filter>)>> = const { RefCell::new(None) };
}

/// Reads directives such as `info,my_crate=debug`; the text of the error says what is wrong.
///
/// A filter on the text of messages is refused: to ask it, the arguments of every record would be
/// formatted once more, by code of the user that may panic, and `enabled` could not know the
/// answer. So are spans in brackets and levels as numbers, which `EnvFilter` of `tracing-subscriber`
/// knows: it may share a variable of the environment with this one.
pub(crate) fn parse(directives: &str) -> Result<Filter, String> {
    if directives.contains('/') {
        return Err(String::from("a filter on the text of messages is not supported"));
    }
    if directives.contains(['[', '{']) {
        // It would be the name of a module that does not exist, and keep all others out.
        return Err(String::from("a filter on spans or their fields is not supported"));
    }
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(number) = directives.split(',').map(str::trim).find(|word| is_number(word)) {
        return Err(format!("the level {number} is not supported: levels have names"));
    }
    let mut builder = env_filter::Builder::new();
    builder.try_parse(&tidy(directives)).map_err(|error| error.to_string())?;
    Ok(builder.build())
}

/// Without the spaces around names, which `env_filter` takes for a part of the name where a level
/// follows: no target would ever begin with it.
fn tidy(directives: &str) -> String {
    let trimmed = |directive: &str| match directive.split_once('=') {
        Some((name, level)) => format!("{}={level}", name.trim()),
        None => directive.to_owned(),
    };
    directives.split(',').map(trimmed).collect::<Vec<_>>().join(",")
}

impl FilterCell {
    pub(crate) fn new(filter: Filter) -> Self {
        let first = Arc::new(filter);
        FilterCell {
            number: next_number().into(),
            owner: next_number(),
            filter: Arc::new(RwLock::new(Arc::clone(&first))),
            first,
        }
    }

    /// Exchanges the filter and tells `publish` the most verbose level that can pass it: under the
    /// lock, so that of two exchanges at once the level last told is the one of the filter that
    /// stays. False, and nothing is done, in a forked child that was not restarted, if the lock was
    /// taken at the fork.
    pub(crate) fn set(
        &self,
        writer: &Writer,
        filter: Filter,
        publish: impl FnOnce(LevelFilter),
    ) -> bool {
        let level = filter.filter();
        let filter = Arc::new(filter);
        let here = self.here(writer);
        let mut current = match &here {
            Some(here) => here.write().unwrap_or_else(PoisonError::into_inner),
            None => match unless_taken(self.filter.try_write()) {
                Some(current) => current,
                None => return false,
            },
        };
        *current = Arc::clone(&filter);
        // Under the lock, so that the number of a filter never belongs to an older one.
        self.number.store(next_number(), Ordering::Release);
        publish(level);
        if here.as_ref().is_some_and(|here| !Arc::ptr_eq(here, &self.filter))
            && let Some(mut inherited) = unless_taken(self.filter.try_write())
        {
            // For children of this child, where no thread of the parent held that lock.
            *inherited = filter;
        }
        true
    }

    /// Tells `publish` the most verbose level that can pass, in turn with [`set`](Self::set).
    pub(crate) fn publish(&self, writer: &Writer, publish: impl FnOnce(LevelFilter)) {
        match self.here(writer) {
            Some(here) => publish(here.read().unwrap_or_else(PoisonError::into_inner).filter()),
            None => publish(self.inherited().filter()),
        }
    }

    pub(crate) fn max_level(&self, writer: &Writer) -> LevelFilter {
        self.current(writer).1.filter()
    }

    pub(crate) fn enabled(&self, writer: &Writer, metadata: &Metadata<'_>) -> bool {
        self.with(writer, |filter| filter.enabled(metadata))
    }

    #[cold]
    fn current(&self, writer: &Writer) -> (u64, Arc<Filter>) {
        match self.here(writer) {
            Some(here) => {
                let filter = here.read().unwrap_or_else(PoisonError::into_inner);
                (self.number.load(Ordering::Acquire), Arc::clone(&filter))
            }
            None => (self.number.load(Ordering::Acquire), self.inherited()),
        }
    }

    /// The lock whose holders live in this process; `None` in a child that was not restarted.
    fn here(&self, writer: &Writer) -> Option<Arc<Current>> {
        writer.state_here(self.owner, &self.filter, || {
            // What threads kept before may not be what the others of this child get.
            self.number.store(next_number(), Ordering::Release);
            RwLock::new(self.inherited())
        })
    }

    /// The filter of the parent, or the one of the beginning if the parent was just exchanging it.
    fn inherited(&self) -> Arc<Filter> {
        unless_taken(self.filter.try_read())
            .map_or_else(|| Arc::clone(&self.first), |filter| filter.clone())
    }

    /// A filter runs no code of the user, so the thread-local may stay borrowed meanwhile.
    fn with<R>(&self, writer: &Writer, ask: impl Fn(&Filter) -> R) -> R {
        let number = self.number.load(Ordering::Acquire);
        let cached = LAST.try_with(|last| {
            let mut last = last.try_borrow_mut().ok()?;
            match &*last {
                Some((known, filter)) if *known == number => Some(ask(filter)),
                _ => Some(ask(&last.insert(self.current(writer)).1)),
            }
        });
        // The thread is ending and its locals are gone.
        cached.ok().flatten().unwrap_or_else(|| ask(&self.current(writer).1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use log::Level;

    fn metadata(level: Level) -> Metadata<'static> {
        Metadata::builder().level(level).target("shop").build()
    }

    // `shop = debug` let nothing pass at all, and `info, shop = debug` as much as `info`.
    #[test]
    fn spaces_around_names_and_levels_mean_nothing() {
        for directives in [
            "off,shop=debug",
            " off , shop = debug ",
            "off,shop =debug",
            "off, shop= debug,",
            "\toff\n,\tshop\t=\tdebug\r\n",
        ] {
            let filter = parse(directives).unwrap();
            assert_eq!(filter.filter(), LevelFilter::Debug, "{directives:?}");
            assert!(filter.enabled(&metadata(Level::Debug)), "{directives:?}");
            assert!(!filter.enabled(&metadata(Level::Trace)), "{directives:?}");
        }
        assert!(parse("shop = debug = info").is_err());
    }

    // `[request]=info` let nothing pass, not even errors, and said nothing.
    #[test]
    fn a_filter_on_spans_is_refused() {
        for directives in [
            "[request]=info",
            "info,shop[request]=debug",
            "[{id}]",
            "[request{id=1}]=debug",
            "a[b]",
        ] {
            let error = parse(directives).unwrap_err();
            assert!(error.contains("spans"), "{directives:?}: {error}");
        }
    }

    // `3`, which is Info to `EnvFilter`, did the same.
    #[test]
    fn a_level_as_a_number_is_refused() {
        for directives in ["3", "info, 5", "0,shop=debug", "17"] {
            assert!(parse(directives).unwrap_err().contains("level"), "{directives:?}");
        }
        assert!(parse("v3,shop::v2=debug").is_ok());
    }

    #[test]
    fn an_exchange_is_seen_at_once_by_every_thread() {
        let sink = writer_core::WriteSink::new(std::io::sink());
        let (writer, _guard) = Writer::to(sink).build().unwrap();
        let writer = &writer;
        let cell = FilterCell::new(parse("warn").unwrap());
        let other = FilterCell::new(parse("trace").unwrap());
        assert!(!cell.enabled(writer, &metadata(Level::Info)));
        assert!(other.enabled(writer, &metadata(Level::Trace)));
        let publish = |level| assert_eq!(level, LevelFilter::Debug);
        assert!(cell.set(writer, parse("off,shop=debug").unwrap(), publish));
        assert!(cell.enabled(writer, &metadata(Level::Debug)));
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(!cell.enabled(writer, &metadata(Level::Trace))));
        });
    }
}
