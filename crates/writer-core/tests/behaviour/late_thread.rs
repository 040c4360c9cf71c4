//! Records of a thread whose Rust values are torn down.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::sync::Mutex;
use std::thread;

use serde_json::{Value, json};
use writer_core::Severity;
use writer_core::json::{Format, Meta, Part};

static LINES: Mutex<Vec<Value>> = Mutex::new(Vec::new());

fn log(message: &str) {
    let format = Format::builder().show(Part::ThreadName).show(Part::ThreadId).build().unwrap();
    let meta = Meta::new(Severity::Info, "shop");
    let fill = |record: &mut writer_core::json::Record<'_>| record.message().str(message);
    let line = format.encode(&meta, fill, |_, line| serde_json::from_slice(line).unwrap());
    LINES.lock().unwrap().push(line.unwrap().result);
}

extern "C" fn late(_: *mut c_void) {
    log("late");
}

// The process was aborted: the handle of the thread, asked for its name, was gone.
#[test]
fn a_record_in_a_destructor_of_c_is_written() {
    let mut key: libc::pthread_key_t = 0;
    // SAFETY: `key` is a place for the key, and `late` may be called with any value.
    assert_eq!(unsafe { libc::pthread_key_create(&raw mut key, Some(late)) }, 0);
    let long_name = "n".repeat(100);
    for (name, early) in [("worker", true), ("worker", false), (&*long_name, true)] {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            // SAFETY: the key was made above and is never deleted.
            assert_eq!(unsafe { libc::pthread_setspecific(key, (&raw const LINES).cast()) }, 0);
            if early {
                log("early");
            }
        });
        thread.unwrap().join().unwrap();
        let lines = std::mem::take(&mut *LINES.lock().unwrap());
        assert_eq!(lines.len(), 1 + usize::from(early), "{lines:?}");
        let last = lines.last().unwrap();
        assert_eq!(last["message"], "late");
        if early {
            assert_eq!(lines[0]["thread"], name);
            assert_eq!(last["thread_id"], lines[0]["thread_id"]);
        }
        if early && name == "worker" {
            assert_eq!(last["thread"], json!(name));
        }
    }
}
