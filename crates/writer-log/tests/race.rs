//! Several threads install a logger at once: one process, one test.
#![allow(missing_docs, clippy::unwrap_used)]

use std::sync::Barrier;

use writer_log::InitError;

#[test]
fn of_many_at_once_one_is_installed_and_one_file_made() {
    let folder = tempfile::tempdir().unwrap();
    let start = Barrier::new(8);
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|n| {
                let (folder, start) = (folder.path(), &start);
                scope.spawn(move || {
                    start.wait();
                    writer_log::builder(folder.join(format!("{n}.jsonl"))).filter("info").init()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let installed = results.iter().filter(|result| result.is_ok()).count();
    let refused =
        results.iter().filter(|result| matches!(result, Err(InitError::AlreadyInstalled))).count();
    assert_eq!((installed, refused), (1, 7));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

    log::info!("for the one");
    drop(results);
    let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    assert_eq!(std::fs::read_to_string(file).unwrap().lines().count(), 1);
}
