//! The barest design of the kind that this repository's writer is of, as a measure of what the rest
//! of it costs: the caller makes a line of what its call site has prepared, one small lock stands
//! around a batch of bytes, and a thread that naps while lines come swaps the batch for an empty one
//! and writes it.
//!
//! Not a logger. It knows no spans, no order of keys, no limits, no policy but to wait, no counters,
//! no flush and no failures; its timestamps are of milliseconds; floats have three decimals; nothing
//! but the plain texts of the event may be in its values.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::{self, Debug, Write as _};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::prelude::*;

use super::{create, tracing_event};
use crate::case::Running;

/// Bytes that may wait.
const ROOM: usize = 1 << 20;
const NAP: Duration = Duration::from_millis(1);

/// The clock that costs the least.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::RealtimeCoarse;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Realtime;

#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    parked: bool,
    closed: bool,
}

struct Queue {
    batch: Mutex<Batch>,
    lines: Condvar,
    room: Condvar,
}

impl Queue {
    /// With a few tries before the thread sleeps, which pays where the lock is held so shortly.
    fn lock(&self) -> MutexGuard<'_, Batch> {
        for _ in 0..16 {
            if let Ok(batch) = self.batch.try_lock() {
                return batch;
            }
            thread::yield_now();
        }
        self.batch.lock().expect("no panic under the lock")
    }

    fn send(&self, line: &[u8]) {
        let mut batch = self.lock();
        while batch.bytes.len() + line.len() > ROOM {
            batch = self.room.wait(batch).expect("no panic under the lock");
        }
        let before = batch.bytes.len();
        batch.bytes.extend_from_slice(line);
        let half_full = before < ROOM / 2 && batch.bytes.len() >= ROOM / 2;
        let wake = batch.parked || half_full;
        batch.parked = false;
        drop(batch);
        if wake {
            self.lines.notify_one();
        }
    }

    fn work(&self, mut file: File) {
        let mut empty = Vec::with_capacity(ROOM);
        loop {
            let mut batch = self.lock();
            if batch.bytes.is_empty() {
                if batch.closed {
                    return;
                }
                batch.parked = true;
                drop(self.lines.wait(batch).expect("no panic under the lock"));
                continue;
            }
            std::mem::swap(&mut batch.bytes, &mut empty);
            drop(batch);
            self.room.notify_all();
            if let Err(error) = file.write_all(&empty) {
                // Senders would wait for ever.
                eprintln!("cannot write: {error}");
                std::process::abort();
            }
            empty.clear();
            let batch = self.lock();
            if batch.bytes.len() < ROOM / 2 && !batch.closed {
                drop(self.lines.wait_timeout(batch, NAP).expect("no panic under the lock"));
            }
        }
    }
}

/// What all lines of a call site have in common.
#[derive(Default)]
struct Site {
    /// All between the timestamp and the message.
    head: Vec<u8>,
    /// `,"name":` of each field.
    keys: Vec<Vec<u8>>,
}

impl Site {
    fn of(metadata: &Metadata<'_>) -> Site {
        let (level, target) = (metadata.level(), metadata.target());
        let keys = metadata.fields().iter();
        Site {
            head: format!("\",\"level\":\"{level}\",\"target\":\"{target}\",\"message\":\"").into(),
            keys: keys.map(|field| format!(",\"{}\":", field.name()).into()).collect(),
        }
    }
}

/// What a thread makes its lines in.
#[derive(Default)]
struct Mine {
    line: Vec<u8>,
    sites: HashMap<usize, Site>,
    last: (usize, Site),
    second: u64,
    stamp: [u8; 24],
}

thread_local! {
    static MINE: RefCell<Mine> = RefCell::default();
}

fn plain(text: &str) -> bool {
    // Without an early end, so that many bytes are looked at at once.
    let is_special = |byte| byte < 0x20 || byte == b'"' || byte == b'\\';
    !text.bytes().fold(false, |special, byte| special | is_special(byte))
}

fn digits(to: &mut Vec<u8>, number: u64) {
    to.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// A point and three digits.
fn decimals(thousandths: u64) -> [u8; 4] {
    let digit = |value: u64| b'0' + (value % 10) as u8;
    [b'.', digit(thousandths / 100), digit(thousandths / 10), digit(thousandths)]
}

/// The message comes first from the macros of `tracing`.
struct Visitor<'a> {
    line: &'a mut Vec<u8>,
    site: &'a Site,
}

struct Text<'a>(&'a mut Vec<u8>);

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        assert!(plain(text), "this is no logger");
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl Visitor<'_> {
    fn key(&mut self, field: &Field) {
        self.line.extend_from_slice(&self.site.keys[field.index()]);
    }
}

impl Visit for Visitor<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        assert_eq!(field.name(), "message", "this is no logger");
        write!(Text(self.line), "{value:?}").expect("a vector grows");
        self.line.push(b'"');
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.key(field);
        digits(self.line, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.key(field);
        let thousandths = (value * 1000.0).round() as u64;
        digits(self.line, thousandths / 1000);
        self.line.extend_from_slice(&decimals(thousandths % 1000));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.key(field);
        self.line.extend_from_slice(if value { b"true" } else { b"false" });
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        assert!(plain(value), "this is no logger");
        self.key(field);
        self.line.push(b'"');
        self.line.extend_from_slice(value.as_bytes());
        self.line.push(b'"');
    }
}

/// The time, with the text of the last line's second where it is the same.
fn stamp(mine: &mut Mine) {
    let now = clock_gettime(CLOCK);
    if mine.second != now.tv_sec as u64 {
        mine.second = now.tv_sec as u64;
        let time = UNIX_EPOCH + Duration::from_secs(mine.second);
        let text = time::OffsetDateTime::from(time);
        let text = text.format(&time::format_description::well_known::Rfc3339).expect("a time");
        mine.stamp[..19].copy_from_slice(&text.as_bytes()[..19]);
    }
    mine.stamp[19..23].copy_from_slice(&decimals(now.tv_nsec as u64 / 1_000_000));
    mine.stamp[23] = b'Z';
}

struct Bare(Arc<Queue>);

impl<S: Subscriber> Layer<S> for Bare {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        MINE.with_borrow_mut(|mine| {
            stamp(mine);
            let metadata = event.metadata();
            let address = std::ptr::from_ref(metadata).addr();
            if mine.last.0 != address {
                let site = mine.sites.remove(&address).unwrap_or_else(|| Site::of(metadata));
                let (last, site) = std::mem::replace(&mut mine.last, (address, site));
                mine.sites.insert(last, site);
            }
            let Mine { line, last: (_, site), stamp, .. } = mine;
            line.clear();
            line.extend_from_slice(b"{\"timestamp\":\"");
            line.extend_from_slice(stamp);
            line.extend_from_slice(&site.head);
            event.record(&mut Visitor { line, site });
            line.extend_from_slice(b"}\n");
            self.0.send(line);
        });
    }
}

pub fn layer(folder: &Path) -> Running {
    let batch = Batch { bytes: Vec::with_capacity(ROOM), ..Batch::default() };
    let queue = Queue { batch: Mutex::new(batch), lines: Condvar::new(), room: Condvar::new() };
    let queue = Arc::new(queue);
    let file = create(folder);
    let worker = thread::spawn({
        let queue = Arc::clone(&queue);
        move || queue.work(file)
    });
    tracing_subscriber::registry().with(Bare(Arc::clone(&queue))).init();
    Running::new(tracing_event, move || {
        queue.lock().closed = true;
        queue.lines.notify_one();
        worker.join().expect("a worker that ends well");
    })
}
