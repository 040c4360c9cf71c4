//! Acceptance cases: the queue as seen from outside, and the names of the axes.

use std::sync::Arc;
#[cfg(unix)]
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{
    self, LIMIT, Paused, Target, TestSink, assert_ended, assert_snapshot, eventually,
};
use writer_core::{FlushError, Mode, QueuePolicy, SendError, Strategy, Writer};

#[test]
fn a_01_a_line_put_in_comes_out() {
    let (sink, record) = TestSink::recording();
    let (writer, _guard) = Writer::to(sink).build().unwrap();
    writer.send("test").unwrap();
    eventually("the line is out", || record.lines() == ["test"]);
}

#[test]
fn a_02_a_line_comes_out_before_the_end_and_the_end_stays() {
    let (sink, record) = TestSink::recording();
    let (writer, guard) = Writer::to(sink).build().unwrap();
    writer.send("test").unwrap();
    for _ in 0..3 {
        guard.shutdown(LIMIT).unwrap();
        assert!(!writer.is_running());
        assert_eq!(record.lines(), ["test"]);
        assert_eq!(record.closes.load(Ordering::Relaxed), 1);
    }
}

#[test]
fn a_03_lines_come_out_in_order_and_leave_the_queue_empty() {
    let paused = Paused::with(|b| b);
    let items: Vec<String> = (0..5).map(|i| format!("item{i}")).collect();
    for item in &items {
        paused.writer.send(item).unwrap();
    }
    assert_eq!(paused.writer.metrics().queue_len, 5);
    paused.gate.open();
    paused.writer.flush(LIMIT).unwrap();
    assert_eq!(paused.writer.metrics().queue_len, 0);
    assert_eq!(paused.finish().0, items);
}

#[test]
fn a_04_what_comes_after_the_end_is_rejected() {
    let (sink, record) = TestSink::recording();
    let (writer, guard) = Writer::to(sink).build().unwrap();
    writer.send("before").unwrap();
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(writer.send("after"), Err(SendError::Closed));
    assert_eq!(record.lines(), ["before"]);
    assert_eq!(writer.metrics().rejected, 1);
    assert_ended(&writer.metrics(), 2);
}

#[test]
fn a_05_waiting_in_vain_lasts_as_long_as_asked() {
    let paused = Paused::with(|b| b);
    let start = Instant::now();
    let result = paused.writer.flush(Duration::from_millis(1));
    assert!(start.elapsed() >= Duration::from_millis(1));
    assert!(matches!(result, Err(FlushError::Timeout { pending: 1 })), "{result:?}");
    paused.finish();
}

/// What this thread has used of a processor so far.
#[cfg(unix)]
#[allow(unsafe_code, reason = "the standard library does not know it")]
fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the time lives through the call.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// How long each of these waits lasts.
#[cfg(unix)]
const WAIT: Duration = Duration::from_millis(300);

/// Fails if `wait` lasts for less than [`WAIT`], or keeps a processor busy. Of a busy machine a
/// thread that spins gets its share, which is still far more than a wait needs.
#[cfg(unix)]
#[track_caller]
fn assert_sleeps(wait: impl FnOnce()) {
    let (start, before) = (Instant::now(), processor_time());
    wait();
    let used = processor_time() - before;
    assert!(start.elapsed() >= WAIT, "{:?}", start.elapsed());
    assert!(used < WAIT / 20, "a wait of {WAIT:?} used {used:?} of a processor");
}

#[cfg(unix)]
#[test]
fn a_05_who_waits_for_the_worker_does_not_spin() {
    let paused = Paused::with(|b| b.max_queue_size(1).block_timeout(WAIT));
    assert_eq!(paused.writer.send("fills the queue"), Ok(true));
    assert_sleeps(|| assert_eq!(paused.writer.send("finds no room"), Ok(false)));
    assert_sleeps(|| assert!(paused.writer.flush(WAIT).is_err()));
    assert_sleeps(|| assert!(paused.writer.sync(WAIT).is_err()));
    assert_sleeps(|| assert!(paused.writer.shutdown(WAIT).is_err()));
    assert_eq!(paused.finish().0, ["fills the queue"]);
}

#[cfg(unix)]
#[test]
fn a_05_a_worker_with_an_empty_queue_does_not_spin() {
    for &mode in Mode::ALL {
        // Its own processor time, as it is when it writes.
        let times = Arc::new(Mutex::new(Vec::new()));
        let of_sink = Arc::clone(&times);
        let (sink, _) = TestSink::answering(move |lines, _| {
            of_sink.lock().unwrap().push(processor_time());
            Ok(lines.len())
        });
        let (writer, _guard) = Writer::to(sink).mode(mode).build().unwrap();
        for _ in 0..2 {
            writer.send("x").unwrap();
            writer.flush(LIMIT).unwrap();
            thread::sleep(WAIT);
        }
        let times = times.lock().unwrap();
        let used = times[1] - times[0];
        assert!(used < WAIT / 20, "{mode}: an idle time of {WAIT:?} used {used:?} of a processor");
    }
}

#[test]
fn a_06_the_length_counts_what_is_not_taken_yet() {
    let paused = Paused::with(|b| b);
    for expected in 0..3 {
        let m = paused.writer.metrics();
        assert_eq!((m.queue_len, m.queue_bytes), (expected, expected * 2));
        assert_eq!(m.pending, expected as u64 + 1, "the held line is pending too");
        paused.writer.send("x").unwrap();
    }
    paused.gate.open();
    paused.writer.flush(LIMIT).unwrap();
    assert_eq!(paused.writer.metrics().queue_len, 0);
    paused.finish();
}

#[test]
fn a_07_drop_newest_refuses_what_comes_too_much() {
    let paused = Paused::with(|b| b.max_queue_size(2).queue_policy(QueuePolicy::DropNewest));
    assert_eq!(["a", "b", "c"].map(|line| paused.writer.send(line).unwrap()), [true, true, false]);
    assert_eq!(paused.writer.metrics().queue_len, 2);
    let (lines, m) = paused.finish();
    assert_eq!(lines, ["a", "b"]);
    assert_eq!((m.refused, m.evicted), (1, 0));
}

#[test]
fn a_08_drop_oldest_makes_room_for_the_newest() {
    let paused = Paused::with(|b| b.max_queue_size(2).queue_policy(QueuePolicy::DropOldest));
    for line in ["a", "b", "c"] {
        assert_eq!(paused.writer.send(line), Ok(true));
        assert!(paused.writer.metrics().queue_len <= 2);
    }
    let (lines, m) = paused.finish();
    assert_eq!(lines, ["b", "c"]);
    assert_eq!((m.refused, m.evicted, m.high_water), (0, 1, 2));
}

#[test]
fn a_09_the_axes_print_and_parse_by_their_names() {
    assert_eq!(
        Mode::ALL.iter().map(Mode::to_string).collect::<Vec<_>>(),
        ["trigger", "loop", "manual"]
    );
    assert_eq!(
        Strategy::ALL.iter().map(Strategy::to_string).collect::<Vec<_>>(),
        ["line", "block", "mmap"]
    );
    assert_eq!(
        QueuePolicy::ALL.iter().map(QueuePolicy::to_string).collect::<Vec<_>>(),
        ["block", "drop_oldest", "drop_newest", "warn"]
    );
    for c in common::combinations() {
        assert_eq!(c.mode.to_string().parse(), Ok(c.mode));
        assert_eq!(c.strategy.to_string().parse(), Ok(c.strategy));
        assert_eq!(c.policy.to_string().parse(), Ok(c.policy));
    }
    let unknown = [
        ("nothing".parse::<Mode>().unwrap_err().to_string(), "trigger, loop, manual"),
        ("nothing".parse::<Strategy>().unwrap_err().to_string(), "line, block, mmap"),
        ("nothing".parse::<QueuePolicy>().unwrap_err().to_string(), "drop_oldest"),
    ];
    for (message, allowed) in unknown {
        assert!(message.contains(allowed) && message.contains("nothing"), "{message}");
    }
}

#[test]
fn a_10_skip_and_replace_name_policies_too() {
    assert_eq!("skip".parse(), Ok(QueuePolicy::DropNewest));
    assert_eq!("replace".parse(), Ok(QueuePolicy::DropOldest));
}

#[test]
fn a_10_skip_and_replace_name_policies_in_the_environment() {
    if common::is_child() {
        let target = Target::new();
        let (writer, _guard) = target.builder().env_overrides("WRITER").build().unwrap();
        println!("policy {}", writer.config().queue_policy);
        return;
    }
    for (name, policy) in [("skip", "drop_newest"), ("replace", "drop_oldest")] {
        let output = common::run_alone(
            "queue::a_10_skip_and_replace_name_policies_in_the_environment",
            &[("WRITER_POLICY", name)],
        );
        let text = common::text_of(&output);
        assert!(text.contains(&format!("policy {policy}\n")), "{text}");
    }
}

#[test]
fn a_11_eight_producers_never_overfill_a_queue_of_64() {
    let target = Target::new();
    let (writer, guard) =
        target.builder().max_queue_size(64).queue_policy(QueuePolicy::DropOldest).build().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let observer = {
        let (writer, stop) = (writer.clone(), Arc::clone(&stop));
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let m = writer.metrics();
                assert!(m.queue_len <= 64, "{}", m.queue_len);
                assert_snapshot(&m);
            }
        })
    };
    let accepted = common::send_from_threads(&writer, 8, 50_000);
    stop.store(true, Ordering::Relaxed);
    observer.join().unwrap();
    guard.shutdown(LIMIT).unwrap();
    let m = writer.metrics();
    assert_ended(&m, 400_000);
    assert_eq!(m.written + m.evicted, 400_000);
    assert!(m.high_water <= 64, "{}", m.high_water);
    let lines = target.lines();
    assert_eq!(lines.len() as u64, m.written);
    for (t, accepted) in accepted.iter().enumerate() {
        common::assert_subsequence(&common::of_thread(&lines, t), accepted);
    }
}

#[test]
fn a_12_text_and_any_bytes_arrive_as_they_are() {
    let target = Target::new();
    let (writer, guard) = target.builder().build().unwrap();
    let bytes: Vec<u8> = (0..=255).filter(|&byte| byte != b'\n').collect();
    writer.send("str ä").unwrap();
    writer.send(String::from("String 世界")).unwrap();
    writer.send(&bytes[..]).unwrap();
    writer.send(vec![0x80, 0xff, 0xfe]).unwrap();
    guard.shutdown(LIMIT).unwrap();
    let expected =
        ["str ä\nString 世界\n".as_bytes(), &bytes, b"\n", &[0x80, 0xff, 0xfe], b"\n"].concat();
    assert_eq!(target.bytes(), expected);
}
