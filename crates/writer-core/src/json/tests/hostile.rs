//! Inputs and places from which nobody expects a record.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::rc::Rc;
use std::sync::mpsc;

use super::{encode, read, reader};
use crate::Severity;
use crate::json::{Format, Meta};

#[test]
fn a_text_of_a_megabyte_of_each_kind_is_whole_or_cut() {
    for unit in ["x", "\"", "\u{1b}[31m", "\u{2028}", "é", "😀", "\u{9b}"] {
        let text = unit.repeat((1 << 20) / unit.len());
        let roomy = Format::builder().max_record_bytes(16 << 20).build().unwrap();
        let whole = encode(&roomy, |record| record.message().str(&text));
        assert_eq!(reader::check_line(&whole.result)["message"], text);
        assert!(!whole.truncated);
        let cut = encode(&Format::default(), |record| record.message().str(&text));
        assert!(cut.truncated && cut.result.len() <= 1 << 20);
        let json = reader::check_line(&cut.result);
        let kept = json["message"].as_str().unwrap();
        assert!(text.starts_with(kept) && cut.result.len() > (1 << 20) - 300);
        assert_eq!(json["original_bytes"], whole.result.len() as u64);
    }
}

#[test]
fn a_name_of_a_megabyte_is_whole_or_left_out() {
    let name = "n\u{1b}\"".repeat(1 << 18);
    let format = Format::builder().max_record_bytes(16 << 20).build().unwrap();
    let line = encode(&format, |record| record.field(&name).u64(1)).result;
    assert_eq!(reader::check_line(&line)[&name], 1);
    let cut = encode(&Format::default(), |record| record.field(&name).u64(1));
    assert!(cut.truncated);
    assert!(cut.result.len() < 1000);
}

#[test]
fn names_that_look_like_json_are_names() {
    let names =
        ["\":1,\"level\":\"ERROR\",\"", "}\n{\"forged\":1", "\u{0}", "\u{202e}", "a b", " "];
    let json = read(|record| {
        for name in names {
            record.field(name).str(name);
        }
    });
    assert_eq!(json.as_object().unwrap().len(), 3 + names.len());
    for name in names {
        assert_eq!(json[name], name);
    }
}

#[test]
fn text_of_the_system_that_is_no_unicode_is_written() {
    #[cfg(unix)]
    let raw = std::os::unix::ffi::OsStrExt::from_bytes(b"a\xff\"\n");
    #[cfg(not(unix))]
    let raw = OsStr::new("a\"\n");
    let raw: &OsStr = raw;
    let json = read(|record| {
        record.field("os").debug(&raw);
        record.field("path").display(&std::path::Path::new(raw).display());
    });
    assert_eq!(json["os"], format!("{raw:?}"));
    assert_eq!(json["path"], std::path::Path::new(raw).display().to_string());
}

/// Logs when its thread is torn down.
struct LogsAtTheEnd(RefCell<Option<mpsc::Sender<Vec<u8>>>>);

impl Drop for LogsAtTheEnd {
    fn drop(&mut self) {
        if let Some(lines) = self.0.take() {
            let format = Format::default();
            for round in 0..3 {
                let line = encode(&format, |record| record.field("round").u64(round)).result;
                lines.send(line).unwrap();
            }
        }
    }
}

#[test]
fn records_are_encoded_while_a_thread_is_torn_down() {
    thread_local! {
        static EARLY: LogsAtTheEnd = const { LogsAtTheEnd(RefCell::new(None)) };
        static LATE: LogsAtTheEnd = const { LogsAtTheEnd(RefCell::new(None)) };
    }
    let (sender, lines) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        // One destructor runs before that of the encoder's buffer, the other after it.
        EARLY.with(|early| *early.0.borrow_mut() = Some(sender.clone()));
        encode(&Format::default(), |record| record.field("a").u64(1));
        LATE.with(|late| *late.0.borrow_mut() = Some(sender));
    });
    thread.join().unwrap();
    let lines: Vec<_> = lines.iter().map(|line| reader::check_line(&line)).collect();
    assert_eq!(lines.len(), 6);
    assert!(lines.iter().enumerate().all(|(at, line)| line["round"] == at as u64 % 3));
}

#[test]
fn records_are_encoded_while_unwinding() {
    struct Logs(Rc<RefCell<Vec<u8>>>);
    impl Drop for Logs {
        fn drop(&mut self) {
            *self.0.borrow_mut() =
                encode(&Format::default(), |record| record.field("d").debug(&1)).result;
        }
    }
    let line = Rc::new(RefCell::new(Vec::new()));
    let logs = Logs(Rc::clone(&line));
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _logs = logs;
        panic!("on purpose");
    }));
    assert!(unwound.is_err());
    assert_eq!(reader::check_line(&line.borrow())["d"], "1");
}

#[test]
fn sixty_four_threads_share_a_format() {
    let format = Format::builder().static_field("service", |value| value.str("s")).build().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..64u64 {
            let format = &format;
            scope.spawn(move || {
                for round in 0..50 {
                    let line = encode(format, |record| record.field("id").u64(thread * round));
                    let json = reader::check_line(&line.result);
                    assert_eq!(
                        (&json["id"], &json["service"]),
                        (&(thread * round).into(), &"s".into())
                    );
                }
            });
        }
    });
}

#[test]
fn a_buffer_that_grew_gives_memory_back() {
    let mut buf = crate::json::buf::Buf::default();
    buf.extend_from_slice(&vec![b'x'; 1 << 20]);
    assert!(buf.capacity() >= 1 << 20);
    buf.reset(64 << 10);
    assert_eq!(buf.capacity(), 64 << 10);
    // The same through the encoder: the thread's buffer is small again after a long line.
    let meta = Meta::new(Severity::Info, "t");
    let text = "x".repeat(500_000);
    Format::default().encode(&meta, |record| record.message().str(&text), |_, _| {});
    assert!(crate::json::scratch::take().out.buf.capacity() <= 64 << 10);
}
