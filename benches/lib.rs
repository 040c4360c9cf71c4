//! Benchmarks of the writer; see `throughput.rs` and `send.rs` beside this file.
