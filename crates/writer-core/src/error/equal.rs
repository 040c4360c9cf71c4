//! Which errors are equal: those of the same variant with equal values. Of an error of the system
//! the kind and the code are compared, for its text may be of the user and says no more.

use std::io;
use std::mem::discriminant;

use super::{FlushError, ReopenError, ShutdownError, WriteError};

fn is_same(a: &io::Error, b: &io::Error) -> bool {
    (a.kind(), a.raw_os_error()) == (b.kind(), b.raw_os_error())
}

impl PartialEq for FlushError {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (FlushError::Lost { lines: a }, FlushError::Lost { lines: b })
            | (FlushError::Timeout { pending: a }, FlushError::Timeout { pending: b }) => a == b,
            (
                FlushError::Failed { pending: a, source: a_source },
                FlushError::Failed { pending: b, source: b_source },
            ) => (a, a_source) == (b, b_source),
            (
                FlushError::Sync { path: a, source: a_source },
                FlushError::Sync { path: b, source: b_source },
            ) => a == b && is_same(a_source, b_source),
            _ => discriminant(self) == discriminant(other),
        }
    }
}

impl PartialEq for ShutdownError {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (ShutdownError::Timeout { remaining: a }, ShutdownError::Timeout { remaining: b })
            | (ShutdownError::Lost { lines: a }, ShutdownError::Lost { lines: b }) => a == b,
            (
                ShutdownError::Close { path: a, source: a_source },
                ShutdownError::Close { path: b, source: b_source },
            ) => a == b && is_same(a_source, b_source),
            _ => discriminant(self) == discriminant(other),
        }
    }
}

impl PartialEq for ReopenError {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (ReopenError::Refused { source: a }, ReopenError::Refused { source: b }) => {
                is_same(a, b)
            }
            _ => discriminant(self) == discriminant(other),
        }
    }
}

impl PartialEq for WriteError {
    fn eq(&self, other: &Self) -> bool {
        (self.operation, &self.path, self.state) == (other.operation, &other.path, other.state)
            && is_same(&self.source, &other.source)
    }
}
