//! Which paths are accepted, and what is made there.

#![cfg(unix)]

use std::fs::{File, Permissions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::process::Command;

use super::*;
use crate::io::ReopenReason;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn paths_that_name_no_file_are_refused_before_anything_is_made() {
    let dir = directory();
    let long = dir.path().join("missing").join("x".repeat(256));
    for (path, kind) in [
        (PathBuf::new(), ErrorKind::NotFound),
        (dir.path().join("missing/"), ErrorKind::IsADirectory),
        (dir.path().join("missing/."), ErrorKind::IsADirectory),
        (dir.path().join("missing/.."), ErrorKind::IsADirectory),
        (PathBuf::from("."), ErrorKind::IsADirectory),
        (PathBuf::from(".."), ErrorKind::IsADirectory),
        (dir.path().join("missing/a\0b"), ErrorKind::InvalidInput),
        (dir.path().join("missing").join("x".repeat(300)), ErrorKind::InvalidFilename),
        (long, ErrorKind::InvalidFilename),
        (dir.path().join("missing").join("a/".repeat(2100)).join("b"), ErrorKind::InvalidFilename),
    ] {
        let error = refusal(&config(&path, Strategy::LineBuffered));
        assert!(
            matches!(&error, BuildError::InvalidPath { source, .. } if source.kind() == kind),
            "{error:?}"
        );
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let longest = dir.path().join("x".repeat(255));
    assert!(build(&longest, Strategy::LineBuffered).is_ok());
}

#[test]
fn a_directory_is_refused() {
    let dir = directory();
    for &strategy in Strategy::ALL {
        let error = refusal(&config(dir.path(), strategy));
        let BuildError::SpecialFile { source, .. } = error else { panic!("{error}") };
        assert_eq!(source.kind(), ErrorKind::IsADirectory);
    }
}

#[test]
fn a_path_through_a_file_is_an_error_of_the_system() {
    let dir = directory();
    fs::write(file(&dir), "").unwrap();
    let error = refusal(&config(file(&dir).join("below"), Strategy::LineBuffered));
    assert!(matches!(error, BuildError::Io { .. }), "{error}");
}

#[test]
fn missing_folders_are_made_for_owner_and_group() {
    let dir = directory();
    let path = dir.path().join("a/b/app.jsonl");
    build(&path, Strategy::BlockBuffered).unwrap();
    assert!(path.is_file());
    // A folder for temporary files may hand its set-group-ID bit down.
    assert_eq!(mode(&dir.path().join("a")) & 0o777 & !0o750, 0);
    assert_eq!(mode(&dir.path().join("a/b")) & 0o777 & !0o750, 0);
}

/// The operations of a sync without folders: the sync, and a look whether the file has a name.
const A_SYNC: usize = 2;

#[test]
fn a_sync_covers_every_folder_in_which_a_name_was_made() {
    let dir = directory();
    for (name, folders) in
        [("app.jsonl", 1), ("a/b/app.jsonl", 3), ("a/c/app.jsonl", 2), ("a/c/app.jsonl", 0)]
    {
        let mut sink = sink(&dir.path().join(name), Strategy::BlockBuffered);
        assert_eq!(operations(|| sink.sync().unwrap()), A_SYNC + folders, "{name}");
        assert_eq!(operations(|| sink.sync().unwrap()), A_SYNC, "{name}, once more");
        sink.close().unwrap();
    }
}

#[test]
fn folders_are_synced_although_another_file_has_taken_the_place_of_the_first() {
    let dir = directory();
    let path = dir.path().join("a/b/app.jsonl");
    let mut sink = sink(&path, Strategy::BlockBuffered);
    fs::rename(&path, dir.path().join("a/b/old")).unwrap();
    fs::write(&path, "").unwrap();
    sink.reopen(ReopenReason::Asked).unwrap();
    assert_eq!(operations(|| sink.sync().unwrap()), A_SYNC + 3);
}

/// The folder is the sixth that the opening of a new file asks for: after looks at the name, at the
/// folder and at the file, and two tries to open it.
#[test]
fn a_folder_for_which_there_was_no_descriptor_is_opened_and_synced_by_the_next_sync_that_can() {
    let full =
        |from, times| Plan { from, times, error: libc::EMFILE, short: false, count: 0.into() };
    for &strategy in Strategy::ALL {
        let dir = directory();
        let mut opened = None;
        failing(full(5, 1), || opened = Some(sink(&file(&dir), strategy)));
        let mut sink = opened.unwrap();
        failing(full(0, usize::MAX), || {
            assert_eq!(sink.sync().unwrap_err().raw_os_error(), Some(libc::EMFILE));
        });
        // It is opened, and both are synced.
        assert_eq!(operations(|| sink.sync().unwrap()), A_SYNC + 2, "{strategy}");
        assert_eq!(operations(|| sink.sync().unwrap()), A_SYNC, "{strategy}");
    }
}

#[test]
fn a_folder_that_is_still_to_be_opened_is_synced_although_another_file_has_taken_the_place() {
    let dir = directory();
    let full = Plan { from: 5, times: 1, error: libc::EMFILE, short: false, count: 0.into() };
    let mut opened = None;
    failing(full, || opened = Some(sink(&file(&dir), Strategy::BlockBuffered)));
    let mut sink = opened.unwrap();
    fs::rename(file(&dir), dir.path().join("old")).unwrap();
    fs::write(file(&dir), "").unwrap();
    sink.reopen(ReopenReason::Asked).unwrap();
    assert_eq!(operations(|| sink.sync().unwrap()), A_SYNC + 2);
}

/// The second operation is the sync of the folder: after that of the file.
#[test]
fn a_folder_whose_sync_fails_is_a_failed_sync_unless_its_file_system_has_none() {
    for (error, heard) in [(libc::EIO, Err(Some(libc::EIO))), (libc::EINVAL, Ok(()))] {
        let dir = directory();
        let mut sink = sink(&file(&dir), Strategy::BlockBuffered);
        let plan = Plan { from: 1, times: 1, error, short: false, count: 0.into() };
        let mut answer = None;
        failing(plan, || answer = Some(sink.sync()));
        assert_eq!(answer.unwrap().map_err(|e| e.raw_os_error()), heard);
    }
}

#[test]
fn missing_folders_are_an_error_without_create_dirs() {
    let dir = directory();
    let path = dir.path().join("a/app.jsonl");
    let settings = Config { create_dirs: false, ..config(&path, Strategy::BlockBuffered) };
    let error = refusal(&settings);
    assert!(matches!(error, BuildError::Io { operation: "open", .. }), "{error}");
    assert!(!dir.path().join("a").exists());
}

#[test]
fn a_fifo_without_a_reader_is_refused_without_waiting() {
    let dir = directory();
    fifo(&file(&dir));
    let mut settings = config(file(&dir), Strategy::LineBuffered);
    assert!(matches!(refusal(&settings), BuildError::SpecialFile { .. }));
    settings.allow_special = true;
    assert!(matches!(refusal(&settings), BuildError::Io { .. }), "no reader: ENXIO");
}

#[test]
fn a_fifo_with_a_reader_takes_lines_when_special_files_are_allowed() {
    let dir = directory();
    fifo(&file(&dir));
    let mut reader =
        File::options().read(true).custom_flags(libc::O_NONBLOCK).open(file(&dir)).unwrap();
    let settings = Config { allow_special: true, ..config(file(&dir), Strategy::LineBuffered) };
    let mut sink = open(&settings).unwrap().sink;
    write_all(&mut *sink, b"through the pipe\n");
    assert_eq!(sink.sync().unwrap_err().kind(), std::io::ErrorKind::Unsupported);
    sink.close().unwrap();
    drop(sink);
    // Not up to the end: a program just started may have the other side open for a moment.
    let mut read = [0; 17];
    reader.read_exact(&mut read).unwrap();
    assert_eq!(&read, b"through the pipe\n");
}

#[test]
fn devices_need_allow_special() {
    let mut settings = config("/dev/null", Strategy::BlockBuffered);
    assert!(matches!(refusal(&settings), BuildError::SpecialFile { .. }));
    settings.allow_special = true;
    write_all(&mut *open(&settings).unwrap().sink, b"gone\n");
    settings.truncate = true;
    assert!(matches!(refusal(&settings), BuildError::SpecialFile { .. }));
    settings.truncate = false;
    settings.strategy = Strategy::MemoryMapped;
    assert!(matches!(refusal(&settings), BuildError::SpecialFile { .. }));
}

#[test]
fn a_full_device_is_an_error_of_each_write() {
    for strategy in [Strategy::LineBuffered, Strategy::BlockBuffered] {
        let settings = Config { allow_special: true, ..config("/dev/full", strategy) };
        let mut sink = open(&settings).unwrap().sink;
        for _ in 0..3 {
            let error = sink.write(b"no room\n", false).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
        }
    }
}

#[test]
fn the_standard_streams_and_descriptors_are_always_accepted() {
    for path in ["/dev/stdout", "/dev/stderr", "/dev/fd/1", "/dev/fd/2"] {
        let mut settings = config(path, Strategy::LineBuffered);
        assert!(open(&settings).is_ok(), "{path}");
        settings.truncate = true;
        assert!(matches!(refusal(&settings), BuildError::SpecialFile { .. }), "{path}");
        settings.truncate = false;
        settings.strategy = Strategy::MemoryMapped;
        assert!(matches!(refusal(&settings), BuildError::SpecialFile { .. }), "{path}");
    }
    let dir = directory();
    let other = File::create(file(&dir)).unwrap();
    let path = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&other));
    write_all(&mut *sink(Path::new(&path), Strategy::LineBuffered), b"by number\n");
    assert_eq!(read(&file(&dir)), "by number\n");
}

#[test]
fn links_are_followed_in_folders_of_ones_own() {
    let dir = directory();
    let link = dir.path().join("link");
    symlink(file(&dir), &link).unwrap();
    write_all(&mut *sink(&link, Strategy::LineBuffered), b"one\n");
    write_all(&mut *sink(&link, Strategy::LineBuffered), b"two\n");
    fs::hard_link(file(&dir), dir.path().join("backup")).unwrap();
    write_all(&mut *sink(&link, Strategy::LineBuffered), b"three\n");
    assert_eq!(read(&file(&dir)), "one\ntwo\nthree\n");
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_made_through_a_link_is_synced_with_the_folder_it_was_made_in() {
    for &strategy in Strategy::ALL {
        let dir = directory();
        let (elsewhere, link) = (dir.path().join("elsewhere"), dir.path().join("link"));
        fs::create_dir(&elsewhere).unwrap();
        symlink("elsewhere/app", &link).unwrap();
        let mut sink = sink(&link, strategy);
        assert_eq!(descriptors_of(&elsewhere), 1, "{strategy}");
        write_all(&mut *sink, b"one\n");
        sink.sync().unwrap();
        sink.close().unwrap();
        assert_eq!(read(&elsewhere.join("app")), "one\n");
    }
}

#[test]
fn an_existing_file_keeps_its_permissions() {
    let dir = directory();
    for bits in [0o600, 0o666] {
        fs::write(file(&dir), "").unwrap();
        fs::set_permissions(file(&dir), Permissions::from_mode(bits)).unwrap();
        build(&file(&dir), Strategy::BlockBuffered).unwrap();
        assert_eq!(mode(&file(&dir)), bits);
    }
}

/// The umask belongs to the process: each one gets a process of its own, which runs this test
/// again.
#[test]
fn a_new_file_has_the_permissions_of_the_settings_less_the_umask() {
    const FOLDER: &str = "WRITER_TEST_UMASK_FOLDER";
    if let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) {
        for permissions in [0o640, 0o600, 0o666] {
            let path = folder.join(format!("{permissions:o}"));
            open(&Config { permissions, ..config(path, Strategy::LineBuffered) }).unwrap();
        }
        return;
    }
    for umask in [0o000, 0o022, 0o077] {
        let dir = directory();
        let name =
            "io::tests::paths::a_new_file_has_the_permissions_of_the_settings_less_the_umask";
        let status = Command::new("sh")
            .args(["-c", "umask \"$1\" && exec \"$2\" --exact \"$3\" >&2", "sh"])
            .arg(format!("{umask:o}"))
            .arg(std::env::current_exe().unwrap())
            .arg(name)
            .env(FOLDER, dir.path())
            .status()
            .unwrap();
        assert!(status.success());
        for permissions in [0o640, 0o600, 0o666] {
            let made = mode(&dir.path().join(format!("{permissions:o}")));
            assert_eq!(made, permissions & !umask, "{permissions:o} under {umask:o}");
        }
    }
}

/// The flags of every descriptor that this process has open below a folder.
#[cfg(target_os = "linux")]
fn descriptors_below(folder: &Path) -> Vec<(PathBuf, u32)> {
    // The system names files without the links on the way to them.
    let folder = folder.canonicalize().unwrap();
    let open = fs::read_dir("/proc/self/fd").unwrap().flatten();
    open.filter_map(|entry| {
        let target = fs::read_link(entry.path()).ok().filter(|t| t.starts_with(&folder))?;
        let info = Path::new("/proc/self/fdinfo").join(entry.file_name());
        let info = fs::read_to_string(info).ok()?;
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
        Some((target, u32::from_str_radix(flags.trim(), 8).ok()?))
    })
    .collect()
}

#[test]
#[cfg(target_os = "linux")]
fn every_descriptor_is_closed_in_other_programs() {
    for &strategy in Strategy::ALL {
        let dir = directory();
        let mut sink = sink(&file(&dir), strategy);
        write_all(&mut *sink, b"line\n");
        fs::rename(file(&dir), dir.path().join("old")).unwrap();
        assert!(sink.reopen(ReopenReason::Asked).unwrap().is_some());
        let open = descriptors_below(dir.path());
        assert!(open.len() >= 2, "the file and its folder: {open:?}");
        let inherited = |(_, flags): &&(PathBuf, u32)| flags & libc::O_CLOEXEC as u32 == 0;
        assert_eq!(open.iter().find(inherited), None, "{strategy}");
        drop(sink);
    }
}

#[test]
fn the_descriptor_is_closed_in_other_programs() {
    let dir = directory();
    let _sink = sink(&file(&dir), Strategy::MemoryMapped);
    let seen = Command::new("ls").args(["-l", "/proc/self/fd"]).output().unwrap();
    let listing = String::from_utf8_lossy(&seen.stdout).into_owned();
    assert!(!listing.contains("app.jsonl"), "{listing}");
}
