//! How long it takes from `send` until the line is written, when the writer has been idle.
//!
//! `cargo bench --bench delay [-- --quick --count 50 WORD...]`
//!
//! One line at a time, after a pause in which the worker has gone to sleep: 3 ms where that is
//! enough, else longer than one flush interval (100 ms) by a part of a tick that changes. In Manual
//! `trigger` follows the `send`. The moment of writing is taken by `on_write`, on the worker. In
//! Loop the delay is that of the ticks and of the flush interval, by design.

use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use writer_benches::{LINE_BYTES, Options, Spread, line};
use writer_core::{Mode, Strategy, Writer};

/// Delays in microseconds.
fn delays(strategy: Strategy, mode: Mode, count: usize, path: &Path) -> Vec<f64> {
    let at_once =
        mode == Mode::Manual || (mode == Mode::Trigger && strategy == Strategy::LineBuffered);
    let (moment, moments) = mpsc::channel();
    let (writer, guard) = Writer::builder(path)
        .strategy(strategy)
        .mode(mode)
        .truncate(true)
        .on_write(move |lines| moment.send((Instant::now(), lines)).expect("a reader"))
        .build()
        .expect("a writer");
    let line = line(LINE_BYTES);
    let mut delays = Vec::new();
    for round in 0..count as u64 {
        let pause = if at_once { 3_000 } else { 105_000 + round * 3_700 % 10_000 };
        std::thread::sleep(Duration::from_micros(pause));
        let start = Instant::now();
        writer.send(&line).expect("a running writer");
        if mode == Mode::Manual {
            writer.trigger();
        }
        let (end, lines) = moments.recv().expect("a running worker");
        assert_eq!(lines, 1);
        delays.push((end - start).as_nanos() as f64 / 1000.0);
    }
    guard.shutdown(Duration::from_secs(60)).expect("a complete shutdown");
    let length = path.metadata().expect("a file").len();
    assert_eq!(length, (count * LINE_BYTES) as u64);
    delays
}

fn main() {
    let options = Options::read(1, 50);
    let count = options.count.clamp(1, 10_000);
    let folder = tempfile::tempdir_in(&options.dir).expect("a folder");
    let path = folder.path().join("lines");
    println!("{:<20} {:>36}", "", "us from send to written (min..max)");
    for &mode in Mode::ALL {
        for &strategy in Strategy::ALL {
            let name = format!("{mode}, {strategy}");
            if options.wants(&name) {
                let count = if options.quick { 3 } else { count };
                let spread = Spread::of(delays(strategy, mode, count, &path));
                println!("{name:<20} {spread:>36.1}");
            }
        }
    }
}
