//! The price of one `send` on the caller's side, with room in the queue.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use writer_core::{Mode, Writer};

/// Lines between two pauses in which the worker empties the queue, outside the measured time.
const ROUND: u64 = 10_000;

fn send(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("send");
    for bytes in [50, 150, 1000] {
        let line = vec![b'x'; bytes];
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(format!("{bytes} bytes"), |bencher| {
            let folder = tempfile::tempdir().expect("a folder");
            let (writer, _guard) = Writer::builder(folder.path().join("lines"))
                .mode(Mode::Manual)
                .max_queue_size(0)
                .max_queue_bytes(0)
                .build()
                .expect("a writer");
            bencher.iter_custom(|iterations| {
                let mut elapsed = Duration::ZERO;
                let mut left = iterations;
                while left > 0 {
                    let round = left.min(ROUND);
                    let start = Instant::now();
                    for _ in 0..round {
                        writer.send(black_box(&line)).expect("a running writer");
                    }
                    elapsed += start.elapsed();
                    writer.flush(Duration::MAX).expect("a flush");
                    left -= round;
                }
                assert_eq!(writer.metrics().dropped, 0);
                elapsed
            });
        });
    }
    group.finish();
}

criterion_group!(benches, send);
criterion_main!(benches);
