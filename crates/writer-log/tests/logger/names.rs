//! What a program needs is in this crate.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use writer_log::{
    FlushError, ReopenError, Schema, SendError, Severity, ShutdownError, Sink, State, WriteError,
    WriteSink, Writer,
};

/// What a program meets has its name in this crate: it needs no dependency on the core.
#[test]
fn a_program_can_name_what_it_meets() {
    struct Full;
    impl Sink for Full {
        fn write(&mut self, _: &[u8], _: bool) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
    }
    let states = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&states);
    let builder = Writer::to(Full)
        .fail_after(Duration::ZERO)
        .fallback(WriteSink::new(Vec::new()))
        .on_error(move |error: &WriteError| told.lock().unwrap().push(error.state))
        .on_recover(|_| {});
    let (_logger, guard) = writer_log::builder(builder).schema(Schema::Ecs).build().unwrap();
    let writer = guard.writer().clone();
    assert_eq!(writer.send_with(Severity::Warn, "{}"), Ok(true));
    let flushed: Result<(), FlushError> = writer.flush(Duration::from_secs(60));
    assert!(flushed.is_ok(), "{flushed:?}");
    let ended: Result<(), ShutdownError> = guard.shutdown(Duration::from_secs(60));
    assert!(ended.is_ok(), "{ended:?}");
    assert_eq!(writer.send("{}"), Err(SendError::Closed));
    assert_eq!(writer.reopen(), Err(ReopenError::Closed));
    assert!(states.lock().unwrap().contains(&State::Failed));
}
