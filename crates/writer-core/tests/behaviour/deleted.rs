//! The file is deleted under the writer, and cannot be made again, or not at once.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::common::*;
use crate::reopen::{self, A_LOOK, lines_at};
use writer_core::{
    FlushError, Operation, State, Strategy, WriteSink, Writer, WriterBuilder, WriterGuard,
};

type Reports = Arc<Mutex<Vec<(Operation, State)>>>;

/// A log in a folder of its own.
fn log_in(target: &Target) -> PathBuf {
    target.folder().join("logs").join("app.jsonl")
}

/// Deletes the log and its folder, and puts a file where the folder was.
fn delete_for_good(path: &Path) {
    let folder = path.parent().unwrap();
    fs::remove_dir_all(folder).unwrap();
    fs::write(folder, "a file where the folder was").unwrap();
}

fn make_room(path: &Path) {
    fs::remove_file(path.parent().unwrap()).unwrap();
}

/// A writer that has written ten lines, and what it reports.
fn started(builder: WriterBuilder) -> (Writer, WriterGuard, Reports) {
    let reports = Reports::default();
    let heard = Arc::clone(&reports);
    let (writer, guard) = builder
        .on_error(move |error| heard.lock().unwrap().push((error.operation, error.state)))
        .build()
        .unwrap();
    send_numbered(&writer, 0..10);
    writer.flush(LIMIT).unwrap();
    (writer, guard, reports)
}

/// All strategies with a worker, and without one, side by side.
fn each(test: impl Fn(&Target, WriterBuilder) + Sync) {
    reopen::each(|target, builder| test(target, builder(&log_in(target))));
}

/// One report of the episode.
#[track_caller]
fn assert_told(reports: &Reports, state: State) {
    assert_eq!(*reports.lock().unwrap(), [(Operation::Write, state)]);
}

#[test]
fn lines_for_a_deleted_file_that_cannot_be_made_again_wait_until_it_can() {
    each(|target, builder| {
        let path = log_in(target);
        let (writer, guard, reports) = started(builder);
        delete_for_good(&path);
        thread::sleep(A_LOOK);
        thread::scope(|scope| {
            scope.spawn(|| send_numbered(&writer, 10..20));
            eventually("the deletion is a failure", || writer.metrics().errors > 0);
            assert_eq!(writer.metrics().state, State::Retrying);
            make_room(&path);
        });
        guard.shutdown(LIMIT).unwrap();
        assert_eq!(lines_at(&path), numbered(10..20));
        assert_told(&reports, State::Retrying);
        let metrics = writer.metrics();
        assert_eq!((metrics.written, metrics.lost, metrics.reopened), (20, 0, 1));
        assert_eq!(metrics.state, State::Healthy);
    });
}

#[test]
fn a_deleted_file_that_cannot_be_made_again_is_a_case_for_the_fallback() {
    each(|target, builder| {
        let path = log_in(target);
        let elsewhere = fs::File::create(target.folder().join("elsewhere")).unwrap();
        let builder = builder.fail_after(Duration::ZERO).fallback(WriteSink::new(elsewhere));
        let (writer, guard, reports) = started(builder);
        delete_for_good(&path);
        thread::sleep(A_LOOK);
        send_numbered(&writer, 10..20);
        guard.shutdown(LIMIT).unwrap();
        assert_eq!(lines_at(&target.folder().join("elsewhere")), numbered(10..20));
        assert_told(&reports, State::Failed);
        let metrics = writer.metrics();
        assert_eq!((metrics.written, metrics.diverted, metrics.lost), (20, 10, 0));
    });
}

#[test]
fn lines_for_a_deleted_file_wait_while_somebody_has_locked_the_one_at_its_path() {
    let target = Target::new();
    let path = log_in(&target);
    let (writer, guard, reports) = started(Writer::builder(&path));
    fs::remove_file(&path).unwrap();
    let mapped = Writer::builder(&path).strategy(Strategy::MemoryMapped);
    let (other, other_guard) = mapped.build().unwrap();
    other.send("of another").unwrap();
    thread::sleep(A_LOOK);
    send_numbered(&writer, 10..20);
    eventually("the lock is a failure", || writer.metrics().state == State::Retrying);
    other_guard.shutdown(LIMIT).unwrap();
    guard.shutdown(LIMIT).unwrap();
    assert_eq!(lines_at(&path), [vec!["of another".to_owned()], numbered(10..20)].concat());
    assert_eq!(*reports.lock().unwrap(), [(Operation::Write, State::Retrying)]);
}

#[track_caller]
fn assert_deleted(result: Result<(), FlushError>) {
    let error = result.unwrap_err();
    let FlushError::Sync { source, .. } = &error else { panic!("{error}") };
    assert!(source.to_string().contains("was deleted"), "{source}");
}

#[test]
fn a_sync_of_a_deleted_file_is_an_error_until_another_is_open() {
    each(|target, builder| {
        let path = log_in(target);
        let (writer, guard, reports) = started(builder);
        writer.sync(LIMIT).unwrap();
        fs::remove_file(&path).unwrap();
        assert_deleted(writer.sync(LIMIT));
        assert_deleted(writer.sync(LIMIT));
        thread::sleep(A_LOOK);
        send_numbered(&writer, 10..20);
        writer.sync(LIMIT).unwrap();
        guard.shutdown(LIMIT).unwrap();
        assert_eq!(lines_at(&path), numbered(10..20));
        assert_eq!((reports.lock().unwrap().len(), writer.metrics().errors), (0, 0));
    });
}

#[test]
fn the_first_sync_tells_of_lines_that_came_into_a_deleted_file_after_the_last_one() {
    each(|target, builder| {
        let path = log_in(target);
        let (writer, guard, _) = started(builder);
        fs::remove_file(&path).unwrap();
        thread::sleep(A_LOOK);
        send_numbered(&writer, 10..20);
        assert_deleted(writer.sync(LIMIT));
        writer.sync(LIMIT).unwrap();
        guard.shutdown(LIMIT).unwrap();
        assert_eq!(lines_at(&path), numbered(10..20));
    });
}

#[test]
fn a_deleted_file_goes_on_being_written_by_who_is_not_to_follow() {
    each(|target, builder| {
        let (writer, guard, reports) = started(builder.follow_path(false));
        let path = log_in(target);
        let open = fs::File::open(&path).unwrap();
        delete_for_good(&path);
        thread::sleep(A_LOOK);
        send_numbered(&writer, 10..20);
        writer.sync(LIMIT).unwrap();
        guard.shutdown(LIMIT).unwrap();
        assert_eq!(lines_of(&std::io::read_to_string(open).unwrap().into_bytes()), numbered(0..20));
        assert_eq!((reports.lock().unwrap().len(), writer.metrics().errors), (0, 0));
    });
}

/// Where the file is given by its descriptor, lines and syncs go on, also when that is closed.
#[cfg(target_os = "linux")]
fn goes_on_without_a_name(path: String, given: Option<fs::File>) {
    let (writer, guard, reports) = started(Writer::builder(path));
    drop(given);
    thread::sleep(A_LOOK);
    send_numbered(&writer, 10..20);
    writer.sync(LIMIT).unwrap();
    guard.shutdown(LIMIT).unwrap();
    assert_eq!((reports.lock().unwrap().len(), writer.metrics().errors), (0, 0));
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_that_is_given_by_its_descriptor_needs_no_name() {
    use std::io::{Read, Seek};
    use std::os::fd::AsRawFd;

    const TEST: &str = "deleted::a_file_that_is_given_by_its_descriptor_needs_no_name";
    if is_child() {
        return goes_on_without_a_name("/dev/stdout".into(), None);
    }
    let nameless = tempfile::tempfile().unwrap();
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env(CHILD, "1")
        .stdout(nameless.try_clone().unwrap())
        .status();
    assert!(child.unwrap().success());
    let mut said = String::new();
    (&nameless).rewind().unwrap();
    (&nameless).read_to_string(&mut said).unwrap();
    assert_ran(TEST, &said);
    goes_on_without_a_name(format!("/dev/fd/{}", nameless.as_raw_fd()), Some(nameless));
}
