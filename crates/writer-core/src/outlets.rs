//! The sink proper, the fallback, and which of the two lines go to.

use std::io;
use std::time::Instant;

use crate::io::Sink;
use crate::outlet::Outlet;

/// Where lines leave a writer that may have a fallback.
pub(crate) struct Outlets {
    main: Outlet,
    /// Where lines go while the sink proper has failed, if there is such a place.
    fallback: Option<Outlet>,
    /// While lines are to go there: when the sink proper is tried again.
    diverted_until: Option<Instant>,
    /// Lines go there in this round; the part of a line that is out, if there is one, did.
    diverted: bool,
    /// Somebody heard that the fallback fails too.
    fallback_failed: bool,
}

impl Outlets {
    pub(crate) fn new(sink: Box<dyn Sink>) -> Self {
        Outlets {
            main: Outlet::new(sink),
            fallback: None,
            diverted_until: None,
            diverted: false,
            fallback_failed: false,
        }
    }

    /// Has lines go to `sink` while the sink proper has failed.
    pub(crate) fn set_fallback(&mut self, sink: Box<dyn Sink>) {
        self.fallback = Some(Outlet::new(sink));
    }

    pub(crate) fn has_fallback(&self) -> bool {
        self.fallback.is_some()
    }

    /// Has lines go to the fallback until then; `false` if there is none.
    pub(crate) fn divert(&mut self, until: Option<Instant>) -> bool {
        self.diverted_until = until.filter(|_| self.fallback.is_some());
        self.diverted_until.is_some()
    }

    /// Whether lines are to go to the fallback.
    pub(crate) fn is_to_divert(&self, now: Instant) -> bool {
        self.diverted_until.is_some_and(|until| now < until)
    }

    /// Changes over to the fallback or back.
    pub(crate) fn choose(&mut self, diverted: bool) {
        self.diverted = diverted;
    }

    /// Whether lines go to the fallback.
    pub(crate) fn is_diverted(&self) -> bool {
        self.diverted
    }

    /// The one that lines go to.
    pub(crate) fn current(&mut self) -> &mut Outlet {
        match &mut self.fallback {
            Some(fallback) if self.diverted => fallback,
            _ => &mut self.main,
        }
    }

    /// The sink proper, wherever lines go.
    pub(crate) fn main(&mut self) -> &mut Outlet {
        &mut self.main
    }

    /// Notes that the fallback fails; the sink proper is tried at once. `true` the first time.
    pub(crate) fn fail_fallback(&mut self) -> bool {
        self.diverted_until = None;
        !std::mem::replace(&mut self.fallback_failed, true)
    }

    /// Ends an episode of failures. Lines go to the sink proper already: it is what worked.
    pub(crate) fn recover(&mut self) {
        self.fallback_failed = false;
    }

    /// Makes all that is written durable.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        let result = self.main.sync();
        match &mut self.fallback {
            Some(fallback) if fallback.is_unsynced() => result.and(fallback.sync()),
            _ => result,
        }
    }

    /// Closes the sinks, once, and lets go of them.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        let closed = self.main.close();
        closed.and(self.fallback.as_mut().map_or(Ok(()), Outlet::close))
    }
}
