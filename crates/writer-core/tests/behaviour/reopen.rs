//! The file moves away under the writer: on request, and by itself, each line is in exactly one
//! file.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::*;
use writer_core::{
    Operation, ReopenError, ReopenReason, Reopened, Sink, State, Strategy, Writer, WriterBuilder,
};

/// Longer than the pause between two looks at the path.
pub(crate) const A_LOOK: Duration = Duration::from_millis(1050);

pub(crate) fn lines_at(path: &Path) -> Vec<String> {
    lines_of(&fs::read(path).unwrap())
}

/// Reopens, however long a slow disk or a busy machine holds the worker up: what a call did not
/// wait for is done afterwards, and once more changes nothing.
#[track_caller]
fn reopen(writer: &Writer) -> Result<(), ReopenError> {
    let start = Instant::now();
    loop {
        match writer.reopen() {
            Err(ReopenError::Timeout) => assert!(start.elapsed() < LIMIT, "hangs"),
            other => return other,
        }
    }
}

/// All strategies with a worker, and without one, side by side.
pub(crate) fn each(test: impl Fn(&Target, &dyn Fn(&Path) -> WriterBuilder) + Sync) {
    thread::scope(|scope| {
        for &strategy in Strategy::ALL {
            for synchronous in [false, true] {
                let test = &test;
                let name = format!("{strategy}, synchronous: {synchronous}");
                let run = move || {
                    let target = Target::new();
                    test(&target, &|path| {
                        let builder = Writer::builder(path).mmap_chunk(1 << 20);
                        builder.strategy(strategy).synchronous(synchronous)
                    });
                };
                thread::Builder::new().name(name).spawn_scoped(scope, run).unwrap();
            }
        }
    });
}

#[test]
fn after_a_rename_and_reopen_new_lines_are_in_a_new_file_and_the_old_one_is_complete() {
    each(|target, builder| {
        let old = target.folder().join("app.1");
        // Only on request: a second may pass before the flush.
        let (writer, guard) = builder(&target.path).follow_path(false).build().unwrap();
        send_numbered(&writer, 0..1000);
        fs::rename(&target.path, &old).unwrap();
        writer.flush(LIMIT).unwrap();
        reopen(&writer).unwrap();
        assert_eq!(lines_at(&old), numbered(0..1000), "complete when reopen returns");
        send_numbered(&writer, 1000..2000);
        writer.sync(LIMIT).unwrap();
        guard.shutdown(LIMIT).unwrap();
        assert_eq!(lines_at(&old), numbered(0..1000));
        assert_eq!(target.lines(), numbered(1000..2000));
        assert_eq!(fs::metadata(&target.path).unwrap().permissions().mode() & 0o137, 0);
        let metrics = writer.metrics();
        assert_ended(&metrics, 2000);
        assert_eq!((metrics.reopened, metrics.written), (1, 2000));
    });
}

#[test]
fn reopening_a_file_that_is_where_it_was_changes_nothing() {
    each(|target, builder| {
        let (writer, guard) = builder(&target.path).build().unwrap();
        send_numbered(&writer, 0..10);
        reopen(&writer).unwrap();
        send_numbered(&writer, 10..20);
        guard.shutdown(LIMIT).unwrap();
        assert_eq!((target.lines(), writer.metrics().reopened), (numbered(0..20), 0));
    });
}

#[test]
fn a_refused_reopen_is_a_typed_error_and_the_old_file_goes_on() {
    each(|target, builder| {
        let old = target.folder().join("app.1");
        let (writer, guard) = builder(&target.path).build().unwrap();
        fs::rename(&target.path, &old).unwrap();
        fs::create_dir(&target.path).unwrap();
        let error = reopen(&writer).unwrap_err();
        let ReopenError::Refused { source } = &error else { panic!("{error}") };
        assert!(source.to_string().contains("directory"), "{source}");
        assert!(std::error::Error::source(&error).is_some());
        send_numbered(&writer, 0..10);
        writer.flush(LIMIT).unwrap();
        assert_eq!(writer.metrics().state, State::Healthy);
        fs::remove_dir(&target.path).unwrap();
        reopen(&writer).unwrap();
        send_numbered(&writer, 10..20);
        guard.shutdown(LIMIT).unwrap();
        assert_eq!((lines_at(&old), target.lines()), (numbered(0..10), numbered(10..20)));
        assert!(matches!(writer.reopen(), Err(ReopenError::Closed)));
    });
}

#[test]
fn an_existing_file_is_appended_to_and_mended_and_never_emptied() {
    each(|target, builder| {
        let (writer, guard) = builder(&target.path).truncate(true).build().unwrap();
        fs::rename(&target.path, target.folder().join("app.1")).unwrap();
        fs::write(&target.path, "from another program\ntorn\0\0\0").unwrap();
        reopen(&writer).unwrap();
        send_numbered(&writer, 0..1);
        guard.shutdown(LIMIT).unwrap();
        assert_eq!(target.lines(), ["from another program", "torn", "line 0"]);
        let metrics = writer.metrics();
        assert_eq!((metrics.torn_lines, metrics.recovered_nul_bytes), (1, 3));
    });
}

#[test]
fn a_relative_path_leads_to_the_same_place_after_a_change_of_folder() {
    const TEST: &str = "reopen::a_relative_path_leads_to_the_same_place_after_a_change_of_folder";
    if !is_child() {
        run_alone(TEST, &[]);
        return;
    }
    let (first, second) = (Target::new(), Target::new());
    std::env::set_current_dir(first.folder()).unwrap();
    let (writer, guard) = Writer::builder("app.jsonl").build().unwrap();
    std::env::set_current_dir(second.folder()).unwrap();
    fs::remove_file(&first.path).unwrap();
    reopen(&writer).unwrap();
    send_numbered(&writer, 0..1);
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(first.lines(), numbered(0..1));
    assert!(!second.path.exists());
}

#[test]
fn targets_without_a_name_cannot_be_reopened() {
    let (sink, _) = TestSink::recording();
    let (writer, _guard) = Writer::to(sink).build().unwrap();
    assert!(matches!(writer.reopen(), Err(ReopenError::Unsupported)));
    let (writer, _guard) = Writer::builder("/dev/stderr").build().unwrap();
    assert!(matches!(writer.reopen(), Err(ReopenError::Unsupported)));
}

#[test]
fn reopening_waits_a_bounded_time_for_a_worker_that_is_held_up_and_is_then_done() {
    let paused = Paused::with(|builder| builder);
    let start = Instant::now();
    assert!(matches!(paused.writer.reopen(), Err(ReopenError::Timeout)));
    let took = start.elapsed();
    assert!((Duration::from_secs(5)..LIMIT).contains(&took), "{took:?}");
    paused.finish();
}

#[test]
fn reopening_in_a_callback_is_refused_and_done_afterwards() {
    let target = Target::new();
    let place: Arc<OnceLock<Writer>> = Arc::default();
    let (of_callback, asked) = (Arc::clone(&place), AtomicBool::new(false));
    let (writer, guard) = target
        .builder()
        .on_write(move |_| {
            if let Some(writer) = of_callback.get()
                && !asked.swap(true, Ordering::Relaxed)
            {
                assert!(matches!(writer.reopen(), Err(ReopenError::WouldDeadlock)));
            }
        })
        .build()
        .unwrap();
    assert!(place.set(writer.clone()).is_ok());
    fs::remove_file(&target.path).unwrap();
    send_numbered(&writer, 0..1);
    eventually("the worker reopens", || writer.metrics().reopened == 1);
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(writer.metrics().callback_panics, 0);
}

/// A sink that can always be reopened, and asks for it once more each time.
struct Restless {
    lines: Arc<Mutex<Vec<u8>>>,
    writer: Arc<OnceLock<Writer>>,
}

impl Sink for Restless {
    fn write(&mut self, lines: &[u8], _more_waiting: bool) -> io::Result<usize> {
        self.lines.lock().unwrap().extend_from_slice(lines);
        Ok(lines.len())
    }

    fn reopen(&mut self, _reason: ReopenReason<'_>) -> io::Result<Option<Reopened>> {
        if let Some(writer) = self.writer.get() {
            assert!(matches!(writer.reopen(), Err(ReopenError::WouldDeadlock)));
        }
        Ok(None)
    }
}

/// Failed: reopenings came before all else, and nothing was written any more.
#[test]
fn lines_go_out_although_somebody_always_wants_the_target_reopened() {
    let (lines, place) = (Arc::default(), Arc::<OnceLock<Writer>>::default());
    let sink = Restless { lines: Arc::clone(&lines), writer: Arc::clone(&place) };
    let (writer, guard) = Writer::to(sink).build().unwrap();
    assert!(place.set(writer.clone()).is_ok());
    writer.reopen().unwrap();
    assert!(writer.send(b"a").unwrap());
    writer.flush(LIMIT).unwrap();
    assert!(writer.send(b"b").unwrap());
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(*lines.lock().unwrap(), b"a\nb\n");
}

/// G26: renamed and reopened again and again under load.
#[test]
fn each_line_is_in_exactly_one_file_when_files_are_rotated_under_load() {
    const ROUNDS: usize = 20;
    each(|target, builder| {
        let (writer, guard) = builder(&target.path).build().unwrap();
        let done = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = (0..2)
            .map(|t| {
                let (writer, done) = (writer.clone(), Arc::clone(&done));
                thread::spawn(move || {
                    let mut sent = 0;
                    while !done.load(Ordering::Relaxed) {
                        writer.send(format!("t{t} {sent}")).unwrap();
                        sent += 1;
                    }
                    sent
                })
            })
            .collect();
        let rotated = |n: usize| target.folder().join(format!("app.{n:03}"));
        for n in 0..ROUNDS {
            eventually("lines come", || target.len() > 0);
            fs::rename(&target.path, rotated(n)).unwrap();
            reopen(&writer).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        let sent: Vec<usize> = senders.into_iter().map(|s| s.join().unwrap()).collect();
        guard.shutdown(LIMIT).unwrap();
        let files = (0..ROUNDS).map(rotated).chain([target.path.clone()]);
        let all: Vec<String> = files.flat_map(|file| lines_at(&file)).collect();
        for (t, sent) in sent.iter().enumerate() {
            let expected: Vec<String> = (0..*sent).map(|i| format!("t{t} {i}")).collect();
            assert_eq!(of_thread(&all, t), expected);
        }
        let metrics = writer.metrics();
        assert_ended(&metrics, all.len());
        assert_eq!((metrics.reopened, metrics.errors), (ROUNDS as u64, 0));
        assert_eq!(metrics.written as usize, all.len());
    });
}

// Without a call.

#[test]
fn a_renamed_file_is_left_at_the_first_write_after_a_second() {
    each(|target, builder| {
        let old = target.folder().join("app.1");
        let start = Instant::now();
        let (writer, guard) = builder(&target.path).build().unwrap();
        send_numbered(&writer, 0..10);
        writer.flush(LIMIT).unwrap();
        fs::rename(&target.path, &old).unwrap();
        send_numbered(&writer, 10..20);
        writer.flush(LIMIT).unwrap();
        // Only on a machine that took a second for this may the worker have looked.
        let before_look = start.elapsed() < Duration::from_secs(1);
        thread::sleep(A_LOOK);
        send_numbered(&writer, 20..30);
        guard.shutdown(LIMIT).unwrap();
        let (old, new) = (lines_at(&old), target.lines());
        assert!(old.len() == 20 || !before_look, "left without a look: {old:?}");
        assert!(old.len() >= 10 && new.ends_with(&numbered(20..30)), "{old:?} {new:?}");
        assert_eq!([old, new].concat(), numbered(0..30));
        assert_eq!(writer.metrics().reopened, 1);
    });
}

#[test]
fn a_removed_folder_is_made_again() {
    each(|target, builder| {
        let folder = target.folder().join("logs");
        let path = folder.join("app.jsonl");
        let (writer, guard) = builder(&path).build().unwrap();
        send_numbered(&writer, 0..10);
        writer.flush(LIMIT).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        thread::sleep(A_LOOK);
        send_numbered(&writer, 10..20);
        guard.shutdown(LIMIT).unwrap();
        assert_eq!(lines_at(&path), numbered(10..20));
    });
}

#[test]
fn a_path_that_cannot_be_made_again_is_reported_once_and_the_old_file_goes_on() {
    let target = Target::new();
    let folder = target.folder().join("logs");
    let old = target.folder().join("old");
    let reports = Arc::new(AtomicUsize::new(0));
    let heard = Arc::clone(&reports);
    let (writer, guard) = Writer::builder(folder.join("app.jsonl"))
        .on_error(move |error| {
            assert_eq!((error.operation, error.state), (Operation::Reopen, State::Healthy));
            heard.fetch_add(1, Ordering::Relaxed);
        })
        .build()
        .unwrap();
    fs::rename(&folder, &old).unwrap();
    fs::write(&folder, "a file where the folder was").unwrap();
    for n in 0..3 {
        thread::sleep(A_LOOK);
        send_numbered(&writer, n * 10..(n + 1) * 10);
        writer.flush(LIMIT).unwrap();
    }
    assert_eq!(lines_at(&old.join("app.jsonl")), numbered(0..30));
    assert_eq!((reports.load(Ordering::Relaxed), writer.metrics().errors), (1, 0));
    fs::remove_file(&folder).unwrap();
    thread::sleep(A_LOOK);
    send_numbered(&writer, 30..40);
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(lines_at(&folder.join("app.jsonl")), numbered(30..40));
    assert_eq!((reports.load(Ordering::Relaxed), writer.metrics().reopened), (1, 1));
}

#[test]
fn following_can_be_turned_off() {
    each(|target, builder| {
        let old = target.folder().join("app.1");
        let (writer, guard) = builder(&target.path).follow_path(false).build().unwrap();
        fs::rename(&target.path, &old).unwrap();
        thread::sleep(A_LOOK);
        send_numbered(&writer, 0..10);
        writer.flush(LIMIT).unwrap();
        assert_eq!(lines_of_so_far(&old), numbered(0..10));
        reopen(&writer).unwrap();
        send_numbered(&writer, 10..20);
        guard.shutdown(LIMIT).unwrap();
        assert_eq!((lines_at(&old), target.lines()), (numbered(0..10), numbered(10..20)));
    });
}

/// A mapping may have reserved more than there are lines.
fn lines_of_so_far(path: &Path) -> Vec<String> {
    let mut bytes = fs::read(path).unwrap();
    bytes.truncate(bytes.iter().rposition(|&byte| byte != 0).map_or(0, |at| at + 1));
    lines_of(&bytes)
}

#[test]
fn a_link_planted_at_the_name_in_a_shared_folder_is_not_followed() {
    each(|target, builder| {
        let shared = target.folder().join("shared");
        fs::create_dir(&shared).unwrap();
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o1777)).unwrap();
        let (path, old): (PathBuf, _) = (shared.join("app.jsonl"), shared.join("app.1"));
        let victim = target.folder().join("victim");
        fs::write(&victim, "torn").unwrap();
        for plant in [symlink::<&Path, &Path>, fs::hard_link::<&Path, &Path>] {
            let (writer, guard) = builder(&path).on_error(|_| {}).build().unwrap();
            fs::rename(&path, &old).unwrap();
            plant(&victim, &path).unwrap();
            assert!(matches!(reopen(&writer), Err(ReopenError::Refused { .. })));
            thread::sleep(A_LOOK);
            send_numbered(&writer, 0..10);
            guard.shutdown(LIMIT).unwrap();
            assert_eq!(lines_at(&old), numbered(0..10));
            assert_eq!(fs::read(&victim).unwrap(), b"torn");
            fs::remove_file(&path).unwrap();
            fs::remove_file(&old).unwrap();
        }
    });
}
