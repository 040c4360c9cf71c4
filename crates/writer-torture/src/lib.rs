//! What the torture of a writer is made of: checks of what is left in files, and a rig that starts
//! processes, breaks things under them and writes down what was seen.
//!
//! The program `torture` is the load: threads that send numbered records through a writer with any
//! setting, acknowledge what was flushed, and end in any way. The tests beside it start it, do to
//! it what a bad day does, and judge the file with [`verify`]. `scripts/torture-all` runs them all
//! with full figures and prints a table.

#[cfg(unix)]
pub mod rig;
pub mod verify;
