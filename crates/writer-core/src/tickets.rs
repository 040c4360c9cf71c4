//! Who waits for a sync or for a new file: tickets, of which the worker serves all that are there at
//! once.

use std::io;

/// Requests of one kind. Each has a ticket; all that are there are served with one call.
#[derive(Default)]
pub(crate) struct Tickets {
    pub(crate) requested: u64,
    pub(crate) served: u64,
    /// The last failure, and the last ticket that it answers. Later ones may have succeeded since.
    failed: Option<(u64, io::Error)>,
}

impl Tickets {
    /// Takes a ticket.
    pub(crate) fn request(&mut self) -> u64 {
        self.requested += 1;
        self.requested
    }

    /// The last ticket, if that is not served.
    pub(crate) fn waiting(&self) -> Option<u64> {
        (self.requested > self.served).then_some(self.requested)
    }

    /// Serves all up to this ticket.
    pub(crate) fn serve(&mut self, ticket: u64, result: io::Result<()>) {
        self.served = ticket;
        if let Err(error) = result {
            self.failed = Some((ticket, error));
        }
    }

    /// What came of this ticket, which is served. Who wakes late may be told of a failure that came
    /// after its own success, never the other way round.
    pub(crate) fn failure(&self, ticket: u64) -> Option<&io::Error> {
        self.failed.as_ref().filter(|(last, _)| ticket <= *last).map(|(_, error)| error)
    }
}
