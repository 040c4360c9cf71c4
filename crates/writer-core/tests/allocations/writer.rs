//! Sending allocates nothing once the memory of the queue has been in use.

use std::fs::File;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::ALLOCATIONS;
use writer_core::{QueuePolicy, Sink, Writer, WriterBuilder, WriterGuard};

/// How many writes may still pass; `None` = all.
#[derive(Default)]
struct Gate {
    permits: Mutex<Option<usize>>,
    change: Condvar,
}

impl Gate {
    fn set(&self, permits: Option<usize>) {
        *self.permits.lock().unwrap() = permits;
        self.change.notify_all();
    }

    fn pass(&self) {
        let closed = |permits: &mut Option<usize>| *permits == Some(0);
        let mut permits = self.change.wait_while(self.permits.lock().unwrap(), closed).unwrap();
        if let Some(left) = &mut *permits {
            *left -= 1;
        }
    }
}

/// A file behind a gate, so that the queue can be filled to its end.
struct GatedFile {
    file: File,
    gate: Arc<Gate>,
}

impl Sink for GatedFile {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        self.gate.pass();
        self.file.write(lines)
    }
}

const LINES: usize = 100_000;
const LINE: [u8; 100] = [b'x'; 100];
/// Longer than the measured ones, so that the warm-up needs more memory than they do.
const LONG_LINE: [u8; 300] = [b'x'; 300];
/// How many of the long lines fill a chunk of 512 KiB and a sixteenth, each with its newline and
/// four bytes of index.
const CHUNK_LINES: usize = (512 << 10) / 16 * 17 / 305;

/// A writer whose queue and hand have both been full.
fn warm(configure: impl FnOnce(WriterBuilder) -> WriterBuilder) -> (Writer, WriterGuard) {
    let gate = Arc::new(Gate::default());
    let sink = GatedFile { file: tempfile::tempfile().unwrap(), gate: Arc::clone(&gate) };
    let (writer, guard) = configure(Writer::to(sink)).build().unwrap();
    gate.set(Some(0));
    // A queue whose oldest lines make room rolls through its chunks: filled so far, its lines lie
    // on both sides of the end of one, which is the most memory that they can need.
    let lines = match writer.config().queue_policy {
        QueuePolicy::DropOldest => CHUNK_LINES + writer.config().max_queue_size / 2,
        _ => writer.config().max_queue_size,
    };
    let take_all = || {
        while writer.metrics().queue_len > 0 {
            std::thread::yield_now();
        }
    };
    let fill = || (0..lines).for_each(|_| assert_eq!(writer.send(LONG_LINE), Ok(true)));
    // One line for the worker to stand at the gate with; then a full queue, which it takes when the
    // line has passed; then a full queue behind that.
    writer.send(LONG_LINE).unwrap();
    let flusher = {
        let writer = writer.clone();
        std::thread::spawn(move || writer.flush(Duration::from_secs(60)))
    };
    take_all();
    fill();
    gate.set(Some(1));
    take_all();
    fill();
    gate.set(None);
    flusher.join().unwrap().unwrap();
    writer.flush(Duration::from_secs(60)).unwrap();
    (writer, guard)
}

/// The allocations of this thread while it sends.
fn allocations_of_sending(writer: &Writer) -> u64 {
    let before = ALLOCATIONS.get();
    for _ in 0..LINES {
        assert_eq!(writer.send(LINE), Ok(true));
    }
    ALLOCATIONS.get() - before
}

#[test]
fn the_counter_counts() {
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(vec![1]));
    assert_eq!(ALLOCATIONS.get(), before + 1);
}

#[test]
fn one_thread_allocates_nothing() {
    let (writer, guard) = warm(|builder| builder);
    assert_eq!(allocations_of_sending(&writer), 0);
    drop(guard);
    assert_eq!(writer.metrics().dropped, 0);
}

#[test]
fn four_threads_allocate_nothing() {
    let (writer, _guard) = warm(|builder| builder);
    std::thread::scope(|scope| {
        let threads = [(); 4].map(|()| scope.spawn(|| allocations_of_sending(&writer)));
        for thread in threads {
            assert_eq!(thread.join().unwrap(), 0);
        }
    });
}

#[test]
fn waiting_for_room_allocates_nothing() {
    let (writer, _guard) =
        warm(|builder| builder.max_queue_size(64).queue_policy(QueuePolicy::Block));
    std::thread::scope(|scope| {
        let threads = [(); 2].map(|()| scope.spawn(|| allocations_of_sending(&writer)));
        for thread in threads {
            assert_eq!(thread.join().unwrap(), 0);
        }
    });
    assert_eq!(writer.metrics().high_water, 64);
}

#[test]
fn dropping_the_oldest_allocates_nothing() {
    let (writer, _guard) =
        warm(|builder| builder.max_queue_size(64).queue_policy(QueuePolicy::DropOldest));
    assert_eq!(allocations_of_sending(&writer), 0);
}
