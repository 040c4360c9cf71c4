//! The work that every benchmark does.

/// Bytes of a raw line, its newline among them, where a benchmark says nothing else.
pub const LINE_BYTES: usize = 100;

/// A raw line of so many bytes, its newline among them.
///
/// # Panics
///
/// When `bytes` is zero.
pub fn line(bytes: usize) -> Vec<u8> {
    let mut line = vec![b'x'; bytes - 1];
    line.push(b'\n');
    line
}

/// The fields of the event that all benchmarks log, with the message "request handled": about 180
/// bytes as a JSON line.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// Tells the events of a run apart.
    pub user_id: u64,
    /// Three decimals.
    pub latency_ms: f64,
    /// The same in each event.
    pub path: &'static str,
    /// True for every other event.
    pub ok: bool,
}

impl Event {
    /// The event with this number.
    #[inline]
    pub fn new(number: u64) -> Event {
        Event {
            user_id: number,
            // A prime step, so that the digits change from one event to the next.
            latency_ms: (number.wrapping_mul(7919) % 1_000_000) as f64 / 1000.0,
            path: "/api/v1/orders",
            ok: number.is_multiple_of(2),
        }
    }
}
