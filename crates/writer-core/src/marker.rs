//! Loss markers on their way into the sink, beside the lines.

use std::io;

use crate::outlet::{Outlet, panic_error};

/// Loss markers that are not out, usually one at most. They go out between two lines.
#[derive(Default)]
pub(crate) struct Markers {
    /// Lines with their newlines.
    bytes: Vec<u8>,
    /// How many of these bytes are out.
    out: usize,
    /// How many markers they are.
    count: u64,
}

/// What of them went out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) bytes: u64,
    /// Markers that are out as a whole.
    pub(crate) markers: u64,
}

impl Markers {
    /// Adds a marker, a line with its newline; an empty one is none.
    pub(crate) fn put(&mut self, marker: Vec<u8>) {
        self.count += u64::from(!marker.is_empty());
        self.bytes.extend(marker);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether one is partly out.
    pub(crate) fn inside_marker(&self) -> bool {
        self.bytes[..self.out].last().is_some_and(|&byte| byte != b'\n')
    }

    /// Whether all of one is out but its newline.
    pub(crate) fn lacks_newline(&self) -> bool {
        self.inside_marker() && self.bytes[self.out..].starts_with(b"\n")
    }

    /// Notes that the newline of the one that is partly out is where the rest of it is; returns
    /// what went out by that.
    pub(crate) fn complete(&mut self) -> Sent {
        self.out += 1;
        let mut sent = Sent { bytes: 1, markers: 0 };
        if self.out == self.bytes.len() {
            sent.markers = std::mem::take(self).count;
        }
        sent
    }

    /// Has the one that is partly out begin anew, at another target.
    pub(crate) fn rewind(&mut self) {
        let newline = self.bytes[..self.out].iter().rposition(|&byte| byte == b'\n');
        self.out = newline.map_or(0, |at| at + 1);
    }

    /// Writes them and adds up in `sent` what went out.
    pub(crate) fn offer(&mut self, outlet: &mut Outlet, sent: &mut Sent) -> io::Result<()> {
        while self.out < self.bytes.len() {
            let Some(taken) = outlet.offer(&self.bytes[self.out..], false) else {
                // Not repeated, and what follows begins a line of its own.
                outlet.tear();
                *self = Markers::default();
                return Err(panic_error());
            };
            let taken = taken?;
            self.out += taken;
            sent.bytes += taken as u64;
        }
        sent.markers += self.count;
        *self = Markers::default();
        Ok(())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::Sink;

    /// Takes so many bytes more, and then fails.
    struct Room(usize, Arc<Mutex<Vec<u8>>>);

    impl Sink for Room {
        fn write(&mut self, bytes: &[u8], _more_waiting: bool) -> io::Result<usize> {
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            self.1.lock().unwrap().extend_from_slice(&bytes[..taken]);
            if taken == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(taken) }
        }
    }

    fn room(bytes: usize) -> (Outlet, Arc<Mutex<Vec<u8>>>) {
        let out = Arc::default();
        (Outlet::new(Box::new(Room(bytes, Arc::clone(&out)))), out)
    }

    #[test]
    fn a_marker_begins_anew_at_another_target_and_one_that_is_out_does_not() {
        let mut markers = Markers::default();
        markers.put(b"first\n".to_vec());
        markers.put(b"second\n".to_vec());
        let (mut sent, (mut old, out)) = (Sent::default(), room(9));
        assert!(markers.offer(&mut old, &mut sent).is_err());
        assert_eq!((&**out.lock().unwrap(), markers.inside_marker()), (&b"first\nsec"[..], true));
        markers.rewind();
        let (mut new, out) = room(100);
        markers.offer(&mut new, &mut sent).unwrap();
        assert_eq!((&**out.lock().unwrap(), markers.is_empty()), (&b"second\n"[..], true));
        assert_eq!(sent, Sent { bytes: 16, markers: 2 });
    }

    // A line end was then owed to a target that ended in one: an empty line.
    #[test]
    fn between_two_markers_none_is_partly_out() {
        let mut markers = Markers::default();
        markers.put(b"first\n".to_vec());
        markers.put(b"second\n".to_vec());
        for (bytes, inside) in [(6, false), (3, true), (4, false)] {
            let failed = markers.offer(&mut room(bytes).0, &mut Sent::default());
            assert_eq!((failed.is_err(), markers.inside_marker()), (bytes != 4, inside));
        }
    }

    /// Panics in its first call.
    struct Panics(bool, Arc<Mutex<Vec<u8>>>);

    impl Sink for Panics {
        fn write(&mut self, bytes: &[u8], _more_waiting: bool) -> io::Result<usize> {
            assert!(!std::mem::take(&mut self.0), "on purpose");
            self.1.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
    }

    #[test]
    fn a_marker_in_which_the_sink_panics_is_not_repeated_and_what_follows_begins_a_line() {
        let out = Arc::default();
        let mut outlet = Outlet::new(Box::new(Panics(true, Arc::clone(&out))));
        let (mut markers, mut sent) = (Markers::default(), Sent::default());
        markers.put(b"first\n".to_vec());
        assert!(markers.offer(&mut outlet, &mut sent).is_err());
        assert!(markers.is_empty());
        markers.put(b"second\n".to_vec());
        markers.offer(&mut outlet, &mut sent).unwrap();
        assert_eq!(&**out.lock().unwrap(), b"\nsecond\n");
        assert_eq!(sent, Sent { bytes: 7, markers: 1 });
    }

    #[test]
    fn a_marker_that_could_not_be_encoded_is_none() {
        let (mut markers, mut sent) = (Markers::default(), Sent::default());
        markers.put(Vec::new());
        assert!(markers.is_empty());
        markers.put(b"second\n".to_vec());
        markers.offer(&mut room(100).0, &mut sent).unwrap();
        assert_eq!(sent.markers, 1);
    }
}
