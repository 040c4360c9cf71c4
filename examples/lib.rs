//! Examples of the writer, one file per task; run one with `cargo run --example NAME`.
