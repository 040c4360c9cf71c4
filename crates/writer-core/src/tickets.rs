//! Who waits for a sync or for a new file: tickets, of which the worker serves all that are there at
//! once.

use std::io;

/// Requests to sync. Each has a ticket; the worker serves all that are there with one call.
#[derive(Default)]
pub(crate) struct Syncs {
    pub(crate) requested: u64,
    /// The highest sequence number that a request covers.
    pub(crate) upto: u64,
    pub(crate) served: u64,
    /// All lines up to this sequence number are durable.
    pub(crate) durable: u64,
    /// The last failure, and the last ticket that it answers. Later ones may have succeeded since.
    pub(crate) failed: Option<(u64, io::Error)>,
}

impl Syncs {
    /// Takes a ticket.
    pub(crate) fn request(&mut self) -> u64 {
        self.requested += 1;
        self.requested
    }

    /// What came of the sync with this ticket, which is served. Who wakes late may be told of a
    /// failure that came after its own success, never the other way round.
    pub(crate) fn failure(&self, ticket: u64) -> Option<&io::Error> {
        self.failed.as_ref().filter(|(last, _)| ticket <= *last).map(|(_, error)| error)
    }
}

/// Requests to reopen, likewise.
#[derive(Default)]
pub(crate) struct Reopens {
    pub(crate) requested: u64,
    pub(crate) served: u64,
    /// Why the target could not be reopened, and the last ticket that this answers.
    pub(crate) failed: Option<(u64, io::Error)>,
}

impl Reopens {
    /// Takes a ticket.
    pub(crate) fn request(&mut self) -> u64 {
        self.requested += 1;
        self.requested
    }

    /// The last ticket, if that is not served.
    pub(crate) fn waiting(&self) -> Option<u64> {
        (self.requested > self.served).then_some(self.requested)
    }

    /// What came of the reopening with this ticket, which is served.
    pub(crate) fn failure(&self, ticket: u64) -> Option<&io::Error> {
        self.failed.as_ref().filter(|(last, _)| ticket <= *last).map(|(_, error)| error)
    }
}
