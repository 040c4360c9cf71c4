//! Forked children, for the tests of both adapters.
#![allow(unsafe_code)]

use std::fs::File;
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// How a child ends.
#[derive(Clone, Copy, PartialEq)]
#[allow(dead_code, reason = "each test ends its children in one way")]
pub(crate) enum End {
    /// As processes do, with what is to be done then.
    Exit,
    /// At once: what is to be done at an exit may need locks that busy threads of the parent held.
    AtOnce,
}

/// What a forked child does. What it says goes to the file `errors`.
#[track_caller]
pub(crate) fn in_child(errors: &Path, end: End, body: impl FnOnce()) {
    let stderr = File::options().create(true).append(true).open(errors).unwrap();
    // SAFETY: the child uses no lock that another thread of this program holds at this moment,
    // except those of the libraries, whose behaviour then is what is tested, and those of the
    // allocator, which the C library brings over a fork. The registry of `tracing` locks the
    // extensions of a span to read them only, while nothing writes to those of a span that exists.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        // SAFETY: neither has preconditions beyond open descriptors. A child that hangs is ended by
        // the first; what it says goes to the file.
        unsafe {
            libc::alarm(20);
            libc::dup2(stderr.as_raw_fd(), 2);
        }
        let code = i32::from(catch_unwind(AssertUnwindSafe(body)).is_err());
        if end == End::Exit {
            std::process::exit(code);
        }
        // SAFETY: ends the child.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: `status` is valid for the call.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    if !libc::WIFEXITED(status) || libc::WEXITSTATUS(status) != 0 {
        panic!("{status:#x}: {}", std::fs::read_to_string(errors).unwrap());
    }
}
