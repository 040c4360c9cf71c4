//! What the process around the writer does: it forks, and it ends. One module for each family of
//! systems, with the same five functions.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::{at_exit, forks, mark_thread, others_are_gone, watch_forks};
#[cfg(windows)]
pub(crate) use windows::{at_exit, forks, mark_thread, others_are_gone, watch_forks};
