//! Folders into which somebody else may put names.

#![cfg(unix)]

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::io::ReopenReason;

/// A folder that everybody may write to, as `/tmp`.
fn sticky(directory: &TempDir) -> PathBuf {
    let folder = directory.path().join("sticky");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o1777)).unwrap();
    folder
}

/// Whoever put links into the folder has nothing written or emptied behind them.
#[track_caller]
fn assert_no_link_is_followed(dir: &TempDir, folder: &Path) {
    let victim = dir.path().join("victim");
    fs::write(&victim, "torn").unwrap();
    symlink(&victim, folder.join("soft")).unwrap();
    symlink(dir.path().join("absent"), folder.join("dangling")).unwrap();
    fs::hard_link(&victim, folder.join("hard")).unwrap();
    for name in ["soft", "dangling", "hard"] {
        for &strategy in Strategy::ALL {
            for truncate in [false, true] {
                let settings = Config { truncate, ..config(folder.join(name), strategy) };
                let error = refusal(&settings);
                assert!(matches!(error, BuildError::SpecialFile { .. }), "{name}: {error}");
            }
        }
    }
    assert_eq!(read(&victim), "torn");
    assert!(!dir.path().join("absent").exists());
}

#[test]
fn links_in_a_world_writable_folder_are_refused_and_their_targets_untouched() {
    let dir = directory();
    let folder = sticky(&dir);
    assert_no_link_is_followed(&dir, &folder);
}

#[test]
fn a_file_of_ones_own_in_a_world_writable_folder_is_made_and_found_again() {
    let dir = directory();
    let path = sticky(&dir).join("app.jsonl");
    for &strategy in Strategy::ALL {
        let mut sink = sink(&path, strategy);
        write_all(&mut *sink, b"line\n");
        sink.close().unwrap();
    }
    assert_eq!(read(&path), "line\nline\nline\n");
}

#[test]
fn a_file_of_somebody_else_in_a_world_writable_folder_is_refused() {
    let dir = directory();
    let path = sticky(&dir).join("app.jsonl");
    fs::write(&path, "").unwrap();
    if chown(&path, Some(65534), None).is_err() {
        skip("changing the owner needs root");
        return;
    }
    assert!(matches!(
        refusal(&config(&path, Strategy::LineBuffered)),
        BuildError::SpecialFile { .. }
    ));
}

/// A folder of another user, who is not root; `None` if this user may give nothing away.
fn of_somebody_else(directory: &TempDir) -> Option<PathBuf> {
    let folder = directory.path().join("theirs");
    fs::create_dir(&folder).unwrap();
    match chown(&folder, Some(65534), None) {
        Ok(()) => Some(folder),
        Err(_) => {
            skip("changing the owner needs root");
            None
        }
    }
}

#[test]
fn the_owner_of_a_folder_cannot_have_others_write_through_links_in_it() {
    let dir = directory();
    let Some(folder) = of_somebody_else(&dir) else { return };
    assert_no_link_is_followed(&dir, &folder);
}

#[test]
fn a_link_that_the_owner_of_a_folder_puts_in_place_of_the_log_is_not_followed() {
    for &strategy in Strategy::ALL {
        let dir = directory();
        let Some(folder) = of_somebody_else(&dir) else { return };
        let (path, moved) = (folder.join("app.jsonl"), folder.join("moved"));
        let mut sink = sink(&path, strategy);
        write_all(&mut *sink, b"one\n");
        fs::rename(&path, &moved).unwrap();
        symlink(dir.path().join("absent"), &path).unwrap();
        sink.reopen(ReopenReason::Check).unwrap_err();
        write_all(&mut *sink, b"two\n");
        sink.close().unwrap();
        assert_eq!(read(&moved), "one\ntwo\n", "{strategy}");
        assert!(!dir.path().join("absent").exists(), "{strategy}");
    }
}

#[test]
fn in_a_folder_of_somebody_else_files_of_ones_own_and_of_its_owner_are_written_and_no_others() {
    let dir = directory();
    let Some(folder) = of_somebody_else(&dir) else { return };
    for (owner, is_accepted) in [(None, true), (Some(65534), true), (Some(65533), false)] {
        for &strategy in Strategy::ALL {
            let path = folder.join(format!("{owner:?}"));
            if owner.is_none() || !path.exists() {
                fs::write(&path, "").unwrap();
                chown(&path, owner, None).unwrap();
            }
            let opened = build(&path, strategy);
            assert_eq!(opened.is_ok(), is_accepted, "{owner:?}, {strategy}");
        }
    }
    write_all(&mut *sink(&folder.join("new"), Strategy::BlockBuffered), b"one\n");
    assert_eq!(read(&folder.join("new")), "one\n");
}

/// G38: somebody plants links at the name, again and again, while it is opened.
#[test]
fn links_planted_at_any_moment_in_a_world_writable_folder_lead_nowhere() {
    const ROUNDS: usize = 1000;
    let dir = directory();
    let path = sticky(&dir).join("app.jsonl");
    let victim = dir.path().join("victim");
    fs::write(&victim, "torn").unwrap();
    let done = AtomicBool::new(false);
    let mut opened = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // Each may come too late, and that is the point.
                let _ = symlink(&victim, &path);
                let _ = fs::remove_file(&path);
                let _ = fs::hard_link(&victim, &path);
                let _ = fs::remove_file(&path);
            }
        });
        for round in 0..ROUNDS {
            let strategy = Strategy::ALL[round % Strategy::ALL.len()];
            if let Ok(mut found) = build(&path, strategy) {
                let _ = found.sink.reopen(ReopenReason::Check);
                let _ = found.sink.write(b"line\n", false);
                let _ = found.sink.close();
                opened += 1;
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(read(&victim), "torn", "after {opened} of {ROUNDS}");
}
