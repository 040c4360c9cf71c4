//! The work that every benchmark does.

use std::hint::black_box;
use std::sync::OnceLock;

use writer_core::Severity;
use writer_core::json::{CallSite, Format, Meta};

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

/// Encodes the event with this number as an adapter does it, and does nothing with the line: what a
/// call takes at least on this machine, without a queue, a second thread and a file.
pub fn encode(number: u64) {
    const NAMES: [&str; 4] = ["user_id", "latency_ms", "path", "ok"];
    static SITE: OnceLock<CallSite> = OnceLock::new();
    let site = SITE.get_or_init(|| {
        let meta = Meta::new(Severity::Info, "shop::orders").line(Some(7));
        Format::default().call_site(&meta, NAMES)
    });
    let Event { user_id, latency_ms, path, ok } = Event::new(number);
    site.encode(
        None,
        |record| {
            record.message().str("request handled");
            record.site_field(0, || NAMES[0]).u64(user_id);
            record.site_field(1, || NAMES[1]).f64(latency_ms);
            record.site_field(2, || NAMES[2]).str(path);
            record.site_field(3, || NAMES[3]).bool(ok);
        },
        |_, line| {
            black_box(line);
        },
    );
}
