//! Something happens to the file, or to its name.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::disallowed_macros)]

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use writer_core::{Strategy, Writer};
use writer_torture::rig::{Ended, Running, Torture, eventually, figure, pause, row, run_tool};
use writer_torture::verify::{Allowed, Found, judge};

fn torture(path: &Path) -> Torture {
    Torture::new(env!("CARGO_BIN_EXE_torture"), path)
}

const APPENDING: [Strategy; 2] = [Strategy::LineBuffered, Strategy::BlockBuffered];

fn read(path: &Path) -> Found {
    Found::in_file(path).unwrap()
}

/// Renames the file over and over, as a tool that rotates does; returns the names in order.
fn rotate(
    running: &mut Running,
    path: &Path,
    times: u64,
    every: Duration,
) -> Vec<std::path::PathBuf> {
    let rotated = |round| path.with_extension(format!("{round:03}"));
    let mut names = Vec::new();
    for round in 0..times {
        pause(every);
        fs::rename(path, rotated(round)).unwrap();
        running.reopen();
        names.push(rotated(round));
    }
    names.push(path.to_owned());
    names
}

#[test]
fn g26_a_file_that_is_renamed_and_reopened_loses_no_line() {
    let times = figure(10, 100);
    let every = Duration::from_millis(figure(5, 100));
    row(
        "G26",
        &format!("renamed and reopened {times} times, every {every:?}, under 4 busy threads"),
        "every line in exactly one file; order per thread over the files in sequence",
        || {
            let mut seen = Vec::new();
            for &strategy in Strategy::ALL {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("log");
                let mut running = torture(&path)
                    .args(format!("--strategy {strategy} --threads 4 --per-thread 0 --pause 10us"))
                    .args("--flush-every 100 --exit-after eof --chunk 1048576")
                    .start();
                let names = rotate(&mut running, &path, times, every);
                running.close_input();
                let ended = running.finish().expect_code(0);
                let mut found = Found::default();
                names.iter().for_each(|name| found.read(name).unwrap());
                let counts = ended.counts.as_ref();
                let wrong = judge(&found, &ended.acks, counts, &Allowed::default());
                assert!(wrong.is_empty(), "{strategy}: {wrong:#?}");
                assert_eq!((ended.count("lost"), ended.count("reopened")), (0, times));
                seen.push(format!("{strategy}: {} lines in {} files", found.records, times + 1));
            }
            Ok(seen.join("; "))
        },
    );
}

#[test]
fn g28_a_deleted_file_is_made_again() {
    let times = figure(1, 20);
    row(
        "G28",
        &format!("deleted {times} times, every 2 s, under load"),
        "made again at the first write more than a second after the last look; no error; whole lines",
        || {
            let folder = tempfile::tempdir().unwrap();
            let path = |strategy| folder.path().join(format!("log.{strategy}"));
            let runs: Vec<_> = Strategy::ALL
                .iter()
                .map(|strategy| {
                    torture(&path(strategy))
                        .args(format!(
                            "--strategy {strategy} --threads 2 --per-thread 0 --pause 1ms"
                        ))
                        .args("--exit-after eof --chunk 1048576")
                        .start()
                })
                .collect();
            for _ in 0..times {
                for strategy in Strategy::ALL {
                    fs::remove_file(path(strategy)).unwrap();
                }
                let all_back = || Strategy::ALL.iter().all(|strategy| path(strategy).exists());
                assert!(eventually(Duration::from_millis(1_900), all_back), "not made again");
                pause(Duration::from_millis(figure(0, 500)));
            }
            for (mut run, strategy) in runs.into_iter().zip(Strategy::ALL) {
                run.close_input();
                let ended = run.finish().expect_code(0);
                assert_eq!((ended.count("reopened"), ended.count("errors")), (times, 0));
                let wrong = judge(&read(&path(strategy)), &[], None, &Allowed::default());
                assert!(wrong.is_empty(), "{strategy}: {wrong:#?}");
            }
            Ok(format!("made again {times} times by each strategy"))
        },
    );
}

/// Cuts the file, as `copytruncate` does after it has copied it.
fn cut(path: &Path) {
    fs::File::options().write(true).open(path).unwrap().set_len(0).unwrap();
}

#[test]
fn g27_copytruncate_leaves_no_nul_and_no_torn_line() {
    let times = figure(10, 50);
    let every = Duration::from_millis(figure(20, 200));
    row(
        "G27",
        &format!("copied and truncated {times} times, every {every:?}, under 4 busy threads"),
        "line and block: 0 NULs, 0 torn lines in the live file; order kept",
        || {
            for strategy in APPENDING {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("log");
                let mut running = torture(&path)
                    .args(format!("--strategy {strategy} --threads 4 --per-thread 0 --pause 10us"))
                    .args("--exit-after eof")
                    .start();
                for _ in 0..times {
                    pause(every);
                    fs::copy(&path, folder.path().join("copy")).unwrap();
                    cut(&path);
                }
                running.close_input();
                let ended = running.finish().expect_code(0);
                let found = read(&path);
                let wrong = judge(&found, &[], None, &Allowed::default());
                assert!(wrong.is_empty(), "{strategy}: {wrong:#?}");
                assert_eq!(ended.count("errors"), 0, "{strategy}");
            }
            Ok(format!("2 x {times} times, every line whole"))
        },
    );
}

/// The end of a run on a mapping that was cut. Linux copies into it by itself and answers with an
/// error where nothing is there any more; elsewhere, as documented, the copy may end the process.
fn end_of_a_cut_mapping(ended: Ended) -> Option<Ended> {
    let signal = ended.status.signal();
    if !cfg!(target_os = "linux") && signal == Some(rustix::process::Signal::BUS.as_raw()) {
        return None;
    }
    assert_eq!(signal, None, "a signal ended it");
    Some(ended.expect_code(0))
}

#[test]
fn g27_a_mapping_that_is_cut_underneath_goes_on_at_the_new_end() {
    let times = figure(5, 50);
    row(
        "G27",
        &format!("mmap, a record every ms; truncated {times} times, every 20 ms"),
        "no NUL, no torn line, on Linux no signal",
        || {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log");
            let mut running = torture(&path)
                .args("--strategy mmap --threads 1 --per-thread 0 --pause 1ms --exit-after eof")
                .start();
            for _ in 0..times {
                pause(Duration::from_millis(20));
                cut(&path);
            }
            running.close_input();
            let Some(ended) = end_of_a_cut_mapping(running.finish()) else {
                return Ok("one SIGBUS".into());
            };
            assert_eq!(ended.count("lost"), 0);
            let wrong = judge(&read(&path), &[], None, &Allowed::default());
            assert!(wrong.is_empty(), "{wrong:#?}");
            Ok(format!("{times} times, no signal"))
        },
    );
}

/// Of the file nothing is said: a cut at the very moment when space is reserved leaves NULs in it.
#[test]
fn g27_a_mapping_that_is_cut_in_the_midst_of_a_copy_raises_no_signal() {
    let times = figure(50, 500);
    row(
        "G27",
        &format!(
            "mmap under 4 threads without a pause; truncated {times} times as soon as it grows"
        ),
        "on Linux no signal; all counted",
        || {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log");
            let mut running = torture(&path)
                .args("--strategy mmap --threads 4 --per-thread 0 --exit-after eof")
                .args("--rec 4000")
                .start();
            for _ in 0..times {
                let grows = || fs::metadata(&path).unwrap().len() > 0 || !running.is_alive();
                assert!(eventually(Duration::from_secs(60), grows), "nothing is written");
                cut(&path);
            }
            running.close_input();
            let Some(ended) = end_of_a_cut_mapping(running.finish()) else {
                return Ok("one SIGBUS".into());
            };
            assert_eq!((ended.count("lost"), ended.count("pending")), (0, 0));
            assert_eq!(ended.count("written"), ended.count("taken"));
            Ok(format!("{times} times, no signal, {} errors", ended.count("errors")))
        },
    );
}

#[test]
fn g29_two_processes_share_a_file() {
    let each = figure(5_000, 125_000);
    row(
        "G29",
        &format!("2 processes x 8 threads x {each} records into one file, line and block mixed"),
        "all there, in order per thread, 0 torn",
        || {
            for pair in [["line", "line"], ["block", "block"], ["line", "block"]] {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("log");
                let [first, second] = [(pair[0], 0), (pair[1], 8)].map(|(strategy, thread)| {
                    torture(&path)
                        .args(format!("--strategy {strategy} --first-thread {thread}"))
                        .args(format!("--per-thread {each} --flush-every 1000"))
                        .launch()
                });
                let [first, second] = [first, second].map(|run| run.finish().expect_code(0));
                let found = read(&path);
                let acks = [first.acks, second.acks].concat();
                let wrong = judge(&found, &acks, None, &Allowed::default());
                assert!(wrong.is_empty(), "{pair:?}: {wrong:#?}");
                assert_eq!(found.records, 16 * each, "{pair:?}");
            }
            Ok(format!("3 pairs: {} records each", 16 * each))
        },
    );
}

#[test]
fn g29_a_mapping_shares_its_file_with_nobody() {
    row(
        "G29",
        "mmap beside mmap, line and block, in two processes",
        "the second is refused",
        || {
            for pair in [["mmap", "mmap"], ["mmap", "line"], ["mmap", "block"], ["block", "mmap"]] {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("log");
                let mut holder = torture(&path)
                    .args(format!("--strategy {} --threads 1 --exit-after eof", pair[0]))
                    .start();
                let other = torture(&path).args(format!("--strategy {}", pair[1])).run();
                let other = other.expect_code(3);
                let why = other.refused.unwrap();
                assert!(why.contains("another writer holds"), "{pair:?}: {why}");
                holder.close_input();
                let ended = holder.finish().expect_code(0);
                // Its input may end before it has sent its thousand.
                let accepted = ended.count("enqueued");
                assert_eq!(ended.verify(&path, &Allowed::default()).records, accepted, "{pair:?}");
            }
            Ok("4 pairs refused; the holder lost nothing".into())
        },
    );
}

/// Tells the other side when this one is done, or has failed.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Plants names at `path` over and over until it is told to stop.
fn plant(path: &Path, victim: &Path, stop: &AtomicBool) {
    let fifo = path.with_extension("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from(0o666),
        0,
    )
    .unwrap();
    while !stop.load(Ordering::Relaxed) {
        // Whether a name is free at this moment is the other side's doing.
        let _ = symlink(victim, path);
        let _ = fs::remove_file(path);
        let _ = fs::hard_link(&fifo, path);
        let _ = fs::remove_file(path);
        std::thread::yield_now();
    }
}

#[test]
fn g38_a_planted_name_in_a_shared_folder_reaches_no_other_file() {
    let rounds = figure(200, 1_000);
    row(
        "G38",
        &format!("links and pipes planted in a 1777 folder, {rounds} racing rounds"),
        "the victim is untouched; build never hangs",
        || {
            let folder = tempfile::tempdir().unwrap();
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).unwrap();
            let own = tempfile::tempdir().unwrap();
            let victim = own.path().join("victim");
            fs::write(&victim, "precious\n").unwrap();
            let path = folder.path().join("log");
            let stop = AtomicBool::new(false);
            let mut built = 0;
            std::thread::scope(|scope| {
                let _stop = Stop(&stop);
                scope.spawn(|| plant(&path, &victim, &stop));
                for round in 0..rounds {
                    let strategy = Strategy::ALL[round as usize % 3];
                    let builder = Writer::builder(&path).strategy(strategy).exit_hook(false);
                    if let Ok((writer, guard)) = builder.build() {
                        built += 1;
                        let _ = writer.send("an attack");
                        let _ = guard.shutdown(Duration::from_secs(5));
                    }
                    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious\n");
                }
            });
            Ok(format!("{rounds} rounds, {built} found the name free; the victim is untouched"))
        },
    );
}

/// How many bytes each write on the file took, in order, from the log of the tracer.
fn writes(log: &str) -> Vec<usize> {
    log.lines().map(|call| call.rsplit_once("= ").unwrap().1.parse().unwrap()).collect()
}

#[test]
fn a24_every_write_on_the_file_ends_with_a_line() {
    row(
        "A24",
        "line and block under strace: 4 threads x 500 records of 77 B, a flush each 100",
        "every write ends with a line",
        || {
            run_tool("strace", ["-f", "-o", "/dev/null", "true"], None)?;
            let mut seen = Vec::new();
            for strategy in APPENDING {
                let folder = tempfile::tempdir().unwrap();
                let (path, log) = (folder.path().join("log"), folder.path().join("calls"));
                let words = ["strace", "-f", "-qq", "-e", "trace=write,writev,pwrite64", "-P"];
                let mut words: Vec<OsString> = words.map(Into::into).into();
                words.extend([path.as_path().into(), "-o".into(), log.as_path().into()]);
                let ended = torture(&path)
                    .under(words)
                    .args(format!("--strategy {strategy} --threads 4 --per-thread 500"))
                    .args("--rec 77 --flush-every 100")
                    .run();
                ended.expect_code(0);
                let (bytes, mut end) = (fs::read(&path).unwrap(), 0);
                let writes = writes(&fs::read_to_string(&log).unwrap());
                for write in &writes {
                    end += write;
                    assert_eq!(bytes[end - 1], b'\n', "{strategy}: a write ends at byte {end}");
                }
                assert_eq!((end, end), (bytes.len(), 4 * 500 * 77), "{strategy}");
                seen.push(format!("{strategy}: {} writes", writes.len()));
            }
            Ok(seen.join("; "))
        },
    );
}
