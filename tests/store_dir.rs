//! What the directory of a spool promises beyond the contract of all homes (that is tests/store).
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use spillpipe::format::{Family, SegmentNumber};
use spillpipe::store::{Cancel, DirHome, FileName, Files, Folder, Holder, SegmentName, Store, Woken};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, IoSlice};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

mod mounted;
use mounted::Mounted;

fn name(number: u64) -> SegmentName {
    SegmentName { number: SegmentNumber(number), family: Family::Zstd }
}

fn reader(name: &str) -> FileName {
    FileName::reader(name).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn names(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// A spool's directory with a `spool` file, and what deletes it.
fn spool() -> (TempDir, DirHome) {
    let temp = tempfile::tempdir().unwrap();
    let home = DirHome::create(temp.path()).unwrap();
    home.create_file(&FileName::Spool, b"spool").unwrap();
    (temp, home)
}

/// Fails in place of hanging.
fn in_time<T: Send>(what: impl FnOnce() -> T + Send) -> T {
    let (tell, told) = mpsc::sync_channel(1);
    std::thread::scope(|scope| {
        scope.spawn(move || tell.send(what()));
        told.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|_| {
            eprintln!("it hangs");
            std::process::abort()
        })
    })
}

#[test]
fn a_new_directory_is_private_and_complete() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("spool");
    let home = DirHome::create(&dir).unwrap();
    assert_eq!(home.dir(), dir);
    assert_eq!(names(&dir), ["quarantine", "readers", "writer.lock"]);
    home.create_file(&FileName::Spool, b"").unwrap();
    home.create_file(&reader("a"), b"").unwrap();
    home.create(name(1)).unwrap();
    for folder in ["", "readers", "quarantine"] {
        assert_eq!(mode(&dir.join(folder)), 0o700, "{folder}");
    }
    for file in ["spool", "writer.lock", "readers/a", "0000000000000001.zst"] {
        assert_eq!(mode(&dir.join(file)), 0o600, "{file}");
    }
    // Again, and by another, without a change to what is there.
    DirHome::create(&dir).unwrap().read_file(&reader("a")).unwrap();
    DirHome::open(&dir).unwrap().read_file(&reader("a")).unwrap();
}

#[test]
fn what_is_no_directory_of_ours_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let (missing, deep, file) = (temp.path().join("no"), temp.path().join("no/deeper"), temp.path().join("file"));
    File::create(&file).unwrap();
    assert_eq!(DirHome::open(&missing).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(DirHome::create(&deep).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(DirHome::open(&file).unwrap_err().kind(), ErrorKind::NotADirectory);
    assert_eq!(DirHome::create(&file).unwrap_err().kind(), ErrorKind::NotADirectory);
    assert_eq!(DirHome::open(temp.path()).unwrap_err().kind(), ErrorKind::NotFound, "nobody made it a spool");
    assert_eq!(names(temp.path()), ["file"], "nothing was made");
}

#[test]
fn a_directory_with_something_in_it_does_not_become_a_spool() {
    for foreign in ["notes.txt", ".hidden", "0000000000000001.zst", "readers/a", "quarantine/a", "spool.bak"] {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join(foreign);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, b"precious").unwrap();
        let before = names(temp.path());
        let error = DirHome::create(temp.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{foreign}");
        assert!(error.to_string().contains("not empty"), "{error}");
        assert_eq!(names(temp.path()), before, "nothing was made");
        // With the file that says that it is one, it is one.
        fs::write(temp.path().join("spool"), b"").unwrap();
        DirHome::create(temp.path()).unwrap();
        assert_eq!(fs::read(path).unwrap(), b"precious");
    }
}

#[test]
fn what_a_file_system_or_a_crash_left_is_no_obstacle() {
    let temp = tempfile::tempdir().unwrap();
    fs::create_dir(temp.path().join("lost+found")).unwrap();
    fs::create_dir(temp.path().join("readers")).unwrap();
    for leftover in [".new-0123456789abcdef", "readers/.new-0123456789abcdef"] {
        fs::write(temp.path().join(leftover), b"half").unwrap();
    }
    let home = DirHome::create(temp.path()).unwrap();
    assert_eq!(names(temp.path()), ["lost+found", "quarantine", "readers", "writer.lock"]);
    assert_eq!(names(&temp.path().join("readers")), Vec::<String>::new());
    home.create_file(&FileName::Spool, b"").unwrap();
    // What has got lost of it comes back.
    fs::remove_dir(temp.path().join("quarantine")).unwrap();
    fs::remove_file(temp.path().join("writer.lock")).unwrap();
    DirHome::open(temp.path()).unwrap().try_lock(&FileName::WriterLock).unwrap().unwrap();
}

#[test]
fn many_may_make_it_at_the_same_time() {
    for _ in 0..10 {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("spool");
        let made = std::thread::scope(|scope| {
            let make = || {
                let home = DirHome::create(&dir).unwrap();
                match home.create_file(&FileName::Spool, b"whole") {
                    Ok(()) => true,
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
                        assert_eq!(home.read_file(&FileName::Spool).unwrap(), b"whole");
                        false
                    }
                }
            };
            let threads: Vec<_> = (0..6).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum::<usize>()
        });
        assert_eq!(made, 1);
        assert_eq!(names(&dir), ["quarantine", "readers", "spool", "writer.lock"]);
    }
}

#[test]
fn a_link_in_the_place_of_a_folder_is_refused_by_name() {
    for folder in ["readers", "quarantine"] {
        let (temp, _) = spool();
        let elsewhere = tempfile::tempdir().unwrap();
        fs::remove_dir(temp.path().join(folder)).unwrap();
        symlink(elsewhere.path(), temp.path().join(folder)).unwrap();
        for refused in [DirHome::open(temp.path()), DirHome::create(temp.path())] {
            let error = refused.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotADirectory);
            assert!(error.to_string().contains(folder), "{error}");
        }
        assert_eq!(names(elsewhere.path()), Vec::<String>::new());
    }
}

/// Puts something else at `path`, in each of the ways there are.
fn put_something_else(path: &Path, target: &Path, what: &str) {
    match what {
        "link" => symlink(target, path).unwrap(),
        "FIFO" => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        _ => fs::create_dir(path).unwrap(),
    }
}

#[test]
fn what_is_no_regular_file_is_named_and_neither_followed_nor_removed() {
    for what in ["link", "FIFO", "directory"] {
        for file in [FileName::Spool, FileName::WriterLock, reader("a"), FileName::quarantine("a").unwrap()] {
            let (temp, home) = spool();
            let path = temp.path().join(file.to_string());
            let target = temp.path().join("target");
            fs::write(&target, b"secret").unwrap();
            let _ = fs::remove_file(&path);
            put_something_else(&path, &target, what);
            let refused: Vec<io::Result<()>> = in_time(|| {
                vec![
                    home.read_file(&file).map(drop),
                    home.update_file(&file, 0, b"x"),
                    home.remove_file(&file),
                    home.try_lock(&file).map(drop),
                    home.lock_holder(&file).map(drop),
                ]
            });
            for (call, refused) in refused.into_iter().enumerate() {
                let error = refused.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidInput, "{what} for {file}, call {call}: {error}");
                assert!(error.to_string().contains(&file.to_string()), "{error}");
            }
            assert_eq!(home.create_file(&file, b"x").unwrap_err().kind(), ErrorKind::AlreadyExists);
            assert!(fs::symlink_metadata(&path).is_ok_and(|meta| !meta.is_file()), "{what} for {file} is still there");
            assert_eq!(fs::read(&target).unwrap(), b"secret");
        }
    }
}

#[test]
fn what_is_no_regular_file_is_no_segment() {
    for what in ["link", "FIFO", "directory"] {
        let (temp, home) = spool();
        let path = temp.path().join(name(1).to_string());
        let target = temp.path().join("target");
        fs::write(&target, b"secret").unwrap();
        put_something_else(&path, &target, what);
        let refused = in_time(|| [home.open(name(1)).map(drop), home.remove(name(1)), home.segment_sizes().map(drop)]);
        for refused in refused {
            let error = refused.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{what}: {error}");
            assert!(error.to_string().contains(&name(1).to_string()), "{error}");
        }
        assert_eq!(home.create(name(1)).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert!(fs::symlink_metadata(&path).is_ok_and(|meta| !meta.is_file()), "{what} is still there");
    }
}

#[test]
fn foreign_names_in_a_folder_are_not_listed() {
    let (temp, home) = spool();
    let readers = temp.path().join("readers");
    home.create_file(&reader("mine"), b"").unwrap();
    for foreign in [".hidden", "with space", "-dash", "ä", &"x".repeat(65)] {
        fs::write(readers.join(foreign), b"").unwrap();
    }
    fs::create_dir(readers.join("directory")).unwrap();
    symlink("mine", readers.join("link")).unwrap();
    assert_eq!(home.list_files(Folder::Readers).unwrap(), ["mine"]);
    assert_eq!(names(&readers).len(), 8);
}

#[test]
fn the_directory_may_be_renamed_and_replaced_meanwhile() {
    let temp = tempfile::tempdir().unwrap();
    let (old, new) = (temp.path().join("old"), temp.path().join("new"));
    let home = DirHome::create(&old).unwrap();
    let mut watch = home.watch();
    fs::rename(&old, &new).unwrap();
    fs::create_dir(&old).unwrap();
    home.create_file(&reader("a"), b"x").unwrap();
    home.create(name(1)).unwrap();
    assert_eq!(watch.wait(Duration::from_secs(20), None).unwrap(), Woken::Changed);
    assert_eq!(names(&new.join("readers")), ["a"]);
    assert_eq!(names(&old), Vec::<String>::new());
    home.try_lock(&FileName::WriterLock).unwrap().unwrap();
}

/// What a drained spool needs to become empty: acknowledging and removing take no room, and a creation that finds none
/// leaves nothing.
#[test]
fn a_full_file_system_takes_updates_and_removals() {
    let Some(mounted) = Mounted::tmpfs("size=1m") else { return };
    let home = DirHome::create(mounted.path().join("spool")).unwrap();
    home.create_file(&reader("a"), &[1; 8192]).unwrap();
    let segment = home.create(name(1)).unwrap();
    while segment.append(&[IoSlice::new(&[7; 4096])]).is_ok() {}
    assert_eq!(home.create_file(&reader("b"), &[1; 8192]).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(names(&home.dir().join("readers")), ["a"]);
    home.update_file(&reader("a"), 4096, &[2; 4096]).unwrap();
    assert_eq!(home.read_file(&reader("a")).unwrap()[4095..4097], [1, 2]);
    home.remove(name(1)).unwrap();
    drop(segment);
    home.create_file(&reader("b"), &[1; 8192]).unwrap();
}

/// Set for the processes of these tests.
const CHILD_DIR: &str = "SPILLPIPE_TEST_CHILD_DIR";

/// A child test, to be run in its own process.
fn child(test: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "--nocapture", test]).env(CHILD_DIR, dir);
    command
}

#[test]
#[ignore = "the child process of the test below: waits to be killed"]
fn child_holds_locks() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let home = DirHome::open(dir).unwrap();
    let _locks = [FileName::WriterLock, reader("a")].map(|file| home.try_lock(&file).unwrap().unwrap());
    println!("\nready");
    std::thread::sleep(Duration::from_mins(1));
}

#[test]
fn sigkill_leaves_no_lock() {
    let (temp, home) = spool();
    home.create_file(&reader("a"), b"").unwrap();
    let mut child = child("child_holds_locks", temp.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "ready"), "the child came to hold its locks");
    for file in [FileName::WriterLock, reader("a")] {
        assert!(home.try_lock(&file).unwrap().is_none(), "{file}");
        assert_eq!(home.lock_holder(&file).unwrap(), Holder::Somebody { process: Some(child.id()) });
    }
    child.kill().unwrap();
    child.wait().unwrap();
    for file in [FileName::WriterLock, reader("a")] {
        assert_eq!(home.lock_holder(&file).unwrap(), Holder::Nobody);
        home.try_lock(&file).unwrap().expect("it died with its process");
    }
}

#[test]
fn a_child_inherits_no_lock() {
    let (_temp, home) = spool();
    let lock = home.try_lock(&FileName::WriterLock).unwrap().unwrap();
    let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    let inherited = fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap();
    let below = |fd: &fs::DirEntry| fs::read_link(fd.path()).is_ok_and(|to| to.starts_with(home.dir()));
    let inherited = inherited.map(Result::unwrap).filter(below).count();
    drop(lock);
    let again = home.try_lock(&FileName::WriterLock).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(again.is_some());
    assert_eq!(inherited, 0);
}

#[test]
fn without_notification_the_timeout_serves() {
    let (_temp, home) = spool();
    let home = home.without_notify();
    let mut watch = home.watch();
    assert!(!watch.is_notified());
    home.create(name(1)).unwrap();
    let (start, timeout) = (Instant::now(), Duration::from_millis(50));
    assert_eq!(watch.wait(timeout, None).unwrap(), Woken::TimedOut);
    let cancel = Cancel::new().unwrap();
    assert_eq!(watch.wait(timeout, Some(&cancel)).unwrap(), Woken::TimedOut);
    assert!(start.elapsed() >= 2 * timeout);
    cancel.raise();
    assert_eq!(watch.wait(Duration::MAX, Some(&cancel)).unwrap(), Woken::Cancelled);
}

#[test]
fn without_descriptors_there_is_a_watch_all_the_same() {
    let (temp, _home) = spool();
    let exe = std::env::current_exe().unwrap();
    let script = "ulimit -n 40 && exec \"$0\" --ignored --exact --nocapture child_has_no_descriptors";
    let child = Command::new("sh").args(["-c", script]).arg(exe).env(CHILD_DIR, temp.path()).output().unwrap();
    assert!(child.status.success(), "{child:?}");
    assert!(String::from_utf8_lossy(&child.stdout).contains("waited"), "{child:?}");
}

#[test]
#[ignore = "the child process of the test above: runs under a limit of open files"]
fn child_has_no_descriptors() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let home = DirHome::open(dir).unwrap();
    let taken: Vec<_> = std::iter::repeat_with(|| File::open("/dev/null")).map_while(Result::ok).collect();
    let mut watch = home.watch();
    assert!(!watch.is_notified());
    assert_eq!(watch.wait(Duration::from_millis(20), None).unwrap(), Woken::TimedOut);
    drop(taken);
    assert!(home.watch().is_notified());
    println!("\nwaited");
}

/// Other processes' changes are told, too; that is what it is for.
#[test]
fn a_change_by_another_process_ends_the_wait() {
    let (temp, home) = spool();
    let mut watch = home.watch();
    let child = child("child_creates_a_segment", temp.path()).output().unwrap();
    assert!(child.status.success(), "{child:?}");
    assert_eq!(watch.wait(Duration::from_secs(20), None).unwrap(), Woken::Changed);
    assert_eq!(home.segment_sizes().unwrap(), [(name(1), 4)]);
}

#[test]
#[ignore = "the child process of the test above"]
fn child_creates_a_segment() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    DirHome::open(dir).unwrap().create(name(1)).unwrap().append(&[IoSlice::new(b"data")]).unwrap();
}

/// For how long this thread has been running, whatever else the machine does.
fn busy() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

/// A backlog of 100,000 segments is opened and measured in a moment.
#[test]
fn many_segments_are_measured_fast() {
    let temp = tempfile::tempdir_in("/dev/shm").unwrap();
    let home = DirHome::create(temp.path()).unwrap();
    for number in 1..=100_000 {
        home.create(name(number)).unwrap();
    }
    let start = busy();
    let sizes = home.segment_sizes().unwrap();
    let took = busy().checked_sub(start).unwrap();
    assert!(sizes.len() == 100_000 && sizes.is_sorted());
    println!("took {took:?}");
    assert!(!took.is_zero() && took < Duration::from_millis(500), "{took:?}");
}

/// Modes of what was there are the user's business.
#[test]
fn the_modes_of_what_was_there_stay() {
    let temp = tempfile::tempdir().unwrap();
    fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o750)).unwrap();
    DirHome::create(temp.path()).unwrap();
    assert_eq!(mode(temp.path()), 0o750);
}
