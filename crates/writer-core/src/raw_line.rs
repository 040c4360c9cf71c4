//! The one call of this crate that a signal handler may make.

use std::io::{self, IoSlice};
use std::os::fd::AsFd;

/// Writes one line to an open file at once, past every queue: for signal handlers, where no other
/// call of this crate is allowed.
///
/// It is async-signal-safe: it takes no lock, allocates nothing, and leaves `errno` as it was. A
/// newline is added if `line` does not end in one. Line and newline go out in one `write(2)` call
/// wherever the system takes them whole, so that on a file opened for appending no other line comes
/// between. Blocks as long as the system does. The line is not checked: that it is a JSON object on
/// a single line is up to the caller.
///
/// Open the file before the handler can run; it may be the one that a writer appends to, unless
/// that maps it ([`Strategy::MemoryMapped`](crate::Strategy::MemoryMapped)).
///
/// ```
/// use std::fs::{File, OpenOptions};
/// use std::sync::OnceLock;
///
/// static CRASHES: OnceLock<File> = OnceLock::new();
///
/// extern "C" fn on_signal(_signal: i32) {
///     if let Some(file) = CRASHES.get() {
///         let _ = writer_core::raw_line(file, br#"{"level":"ERROR","message":"crashed"}"#);
///     }
/// }
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("app.jsonl");
/// let file = OpenOptions::new().create(true).append(true).open(&path)?;
/// CRASHES.set(file).expect("set once");
/// // Register `on_signal` here.
/// # on_signal(11);
/// # let text = std::fs::read_to_string(&path)?;
/// # assert_eq!(text, "{\"level\":\"ERROR\",\"message\":\"crashed\"}\n");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// The answer of the system; a part of the line may have been written. Interruptions are retried.
pub fn raw_line(file: impl AsFd, line: &[u8]) -> io::Result<()> {
    let errno = errno::save();
    let result = write_whole(file, line);
    errno::restore(errno);
    result
}

fn write_whole(file: impl AsFd, line: &[u8]) -> io::Result<()> {
    let newline: &[u8] = if line.ends_with(b"\n") { b"" } else { b"\n" };
    let whole = line.len() + newline.len();
    let mut done = 0;
    while done < whole {
        let rest = &line[done.min(line.len())..];
        let parts = [IoSlice::new(rest), IoSlice::new(newline)];
        match rustix::io::writev(&file, &parts) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => done += written,
            Err(rustix::io::Errno::INTR) => {}
            // Made of a number alone: nothing is allocated.
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The code that the interrupted thread may be about to read.
#[allow(unsafe_code, reason = "errno has no safe wrapper")]
mod errno {
    #[cfg(any(target_os = "solaris", target_os = "illumos"))]
    use libc::___errno as location;
    #[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
    use libc::__errno as location;
    #[cfg(any(
        target_os = "linux",
        target_os = "emscripten",
        target_os = "hurd",
        target_os = "redox",
        target_os = "dragonfly"
    ))]
    use libc::__errno_location as location;
    #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
    use libc::__error as location;

    pub(super) fn save() -> i32 {
        // SAFETY: the address of this thread's own errno, valid as long as the thread lives.
        unsafe { *location() }
    }

    pub(super) fn restore(errno: i32) {
        // SAFETY: as above.
        unsafe { *location() = errno }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_line_gets_the_newline_that_it_lacks() {
        let mut file = tempfile::tempfile().unwrap();
        raw_line(&file, b"one").unwrap();
        raw_line(&file, b"two\n").unwrap();
        raw_line(&file, b"").unwrap();
        let mut text = String::new();
        io::Seek::rewind(&mut file).unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one\ntwo\n\n");
    }

    #[test]
    fn a_line_that_is_taken_in_parts_arrives_whole() {
        let (mut reader, writer) = UnixStream::pair().unwrap();
        let line = vec![b'x'; 4 << 20];
        let expected = [&line[..], b"\n"].concat();
        let sender = std::thread::spawn(move || raw_line(&writer, &line));
        let mut arrived = Vec::new();
        reader.read_to_end(&mut arrived).unwrap();
        sender.join().unwrap().unwrap();
        assert!(arrived == expected);
    }

    #[test]
    fn a_failure_is_told_and_leaves_errno_alone() {
        let (reader, mut writer) = UnixStream::pair().unwrap();
        // Dropping it would leave the copy that a program just started has for a moment.
        reader.shutdown(std::net::Shutdown::Both).unwrap();
        assert!(writer.write(b"x").is_err());
        errno::restore(libc::ENOENT);
        let error = raw_line(&writer, b"line").unwrap_err();
        assert_eq!(errno::save(), libc::ENOENT);
        assert_eq!(error.raw_os_error(), Some(libc::EPIPE));
    }
}
