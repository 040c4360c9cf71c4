//! Whatever a crash has left in a file, its repair leaves whole lines and loses no byte of them.
//!
//! Run with `scripts/fuzz 600 tail`.
#![no_main]

use std::cell::RefCell;
use std::fs::File;
use std::io::{Read, Seek, Write};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

/// A file as pieces, so that a short input makes one that is longer than what is read at once.
#[derive(Debug, Arbitrary)]
enum Piece<'a> {
    Bytes(&'a [u8]),
    /// So many of one byte.
    Run(u8, u32),
    /// So many NULs.
    Nuls(u32),
}

/// The longest run, in bytes.
const RUN: u32 = 300 << 10;

thread_local! {
    /// Opened as a writer opens it.
    static FILE: RefCell<File> = {
        let named = tempfile::NamedTempFile::new().expect("a file");
        let file = File::options().read(true).append(true).open(named.path());
        RefCell::new(file.expect("it can be opened"))
    };
}

/// The file that there should be, and what was done to it, said in the plainest way.
fn expected(bytes: &[u8]) -> (Vec<u8>, [u64; 3]) {
    let mut text = bytes.to_vec();
    while text.last() == Some(&0) {
        text.pop();
    }
    let cut = (bytes.len() - text.len()) as u64;
    let torn = text.last().is_some_and(|&last| last != b'\n');
    if torn {
        text.push(b'\n');
    }
    let end = text.len() as u64;
    (text, [cut, u64::from(torn), end])
}

fuzz_target!(|pieces: Vec<Piece<'_>>| {
    let mut bytes = Vec::new();
    for piece in pieces.iter().take(8) {
        match piece {
            Piece::Bytes(piece) => bytes.extend_from_slice(piece),
            Piece::Run(byte, len) => bytes.resize(bytes.len() + (len % RUN) as usize, *byte),
            Piece::Nuls(len) => bytes.resize(bytes.len() + (len % RUN) as usize, 0),
        }
    }
    FILE.with_borrow_mut(|file| {
        file.set_len(0).expect("it can be emptied");
        file.rewind().expect("it can be rewound");
        file.write_all(&bytes).expect("it can be written");
        let (text, done) = expected(&bytes);
        assert_eq!(writer_core::fuzz_repair(file).expect("it can be repaired"), done);
        let mut left = Vec::new();
        file.rewind().expect("it can be rewound");
        file.read_to_end(&mut left).expect("it can be read");
        assert!(left == text, "{} bytes instead of {}", left.len(), text.len());
        // Once more: there is nothing left to do.
        let again = writer_core::fuzz_repair(file).expect("it can be repaired");
        assert_eq!(again, [0, 0, text.len() as u64]);
    });
});
