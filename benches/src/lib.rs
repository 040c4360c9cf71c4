//! What the benchmarks have in common: the work, the pace, the limits of the machine, the options
//! of the command line, and medians.
//!
//! | benchmark | question |
//! |---|---|
//! | `throughput` | how many lines a second go through a writer, beside the limits of the machine? |
//! | `grid` | what do strategies and modes cost, and what does a flood do under each policy? |
//! | `send` | what does one `send` cost its caller? |
//! | `encode` | what does it cost to turn a record into a line? |
//! | `events` | how many events a second go from the macro to the file? |
//! | `latency` | how long does a caller wait, as a distribution? |
//! | `delay` | how long until a line is in the file? |
//! | `scale` | what changes with the number of records, threads, and the size of the queue? |
//!
//! All take `--quick` for a short run and a word that selects cases; `cargo bench -- --quick` runs
//! everything once. Files go to the folder for temporary files: `TMPDIR=/dev/shm cargo bench` keeps
//! the disk out. `compare/` beside this is a package of its own with other loggers.

mod event;
mod limits;
mod options;
mod pace;
mod process;
mod spread;

pub use event::{Event, LINE_BYTES, encode, line};
pub use limits::{map_limit, write_limit};
pub use options::Options;
pub use pace::{FIRST, Pace, QUANTILES, measure};
pub use process::{cpu_time, peak_memory, reset_peak_memory};
pub use spread::{Rounds, Spread};
