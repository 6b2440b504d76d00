//! What a directory of files promises beyond the contract of all stores (that is tests/store).
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use spillpipe::format::{Family, SegmentNumber};
use spillpipe::store::{DiskStore, Naming, SegmentName, Store};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, IoSlice};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

mod mounted;
use mounted::Mounted;

fn name(number: u64) -> SegmentName {
    SegmentName { number: SegmentNumber(number), family: Family::Zstd }
}

fn entries(dir: &Path) -> usize {
    fs::read_dir(dir).unwrap().count()
}

/// Mode and open flags of every descriptor of this process that leads below `dir`.
fn descriptors_below(dir: &Path) -> Vec<(u32, u32)> {
    let below = |fd: &fs::DirEntry| fs::read_link(fd.path()).is_ok_and(|to| to.starts_with(dir) && to != dir);
    let fds = fs::read_dir("/proc/self/fd").unwrap().map(Result::unwrap).filter(below);
    fds.map(|fd| {
        let info = Path::new("/proc/self/fdinfo").join(fd.file_name());
        let info = fs::read_to_string(info).unwrap();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
        (fs::metadata(fd.path()).unwrap().mode() & 0o7777, u32::from_str_radix(flags.trim(), 8).unwrap())
    })
    .collect()
}

const O_CLOEXEC: u32 = 0o2_000_000;

#[test]
fn files_are_private_and_not_inherited() {
    let dir = tempfile::tempdir().unwrap();
    let stores = [
        DiskStore::nameless(dir.path()).unwrap(),
        DiskStore::nameless(dir.path()).unwrap().without_tmpfile(),
        DiskStore::named(dir.path()).unwrap(),
    ];
    for store in stores {
        let _segment = store.create(name(1)).unwrap();
        let _reader = store.open(name(1)).unwrap();
        let found = descriptors_below(dir.path());
        assert!(!found.is_empty(), "{store:?} holds no file");
        for (mode, flags) in found {
            assert_eq!(mode, 0o600, "{store:?}");
            assert!(flags & O_CLOEXEC != 0, "{store:?}");
        }
    }
}

#[test]
fn nameless_files_leave_the_directory_empty_while_they_are_open() {
    for store in [DiskStore::nameless, |dir| Ok(DiskStore::nameless(dir)?.without_tmpfile())] {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path().to_owned()).unwrap();
        let segment = store.create(name(1)).unwrap();
        segment.append(&[IoSlice::new(&[1; 10_000])]).unwrap();
        store.sync().unwrap();
        assert_eq!(entries(dir.path()), 0);
        drop((segment, store));
        assert_eq!(entries(dir.path()), 0);
    }
}

/// Set for the process that is going to be killed.
const CHILD_DIR: &str = "SPILLPIPE_TEST_CHILD_DIR";

#[test]
#[ignore = "the child process of the test below: waits to be killed"]
fn child_holds_nameless_files() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let stores = [DiskStore::nameless(&dir).unwrap(), DiskStore::nameless(&dir).unwrap().without_tmpfile()];
    for store in &stores {
        store.create(name(1)).unwrap().append(&[IoSlice::new(&[1; 10_000])]).unwrap();
    }
    println!("\nholding");
    std::thread::sleep(Duration::from_mins(1));
}

#[test]
fn sigkill_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "child_holds_nameless_files"])
        .env(CHILD_DIR, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "holding"), "the child came to hold its files");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(entries(dir.path()), 0);
}

#[test]
fn a_bad_directory_is_refused_before_data_flows() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    File::create(&file).unwrap();
    for open in [DiskStore::nameless, DiskStore::named] {
        let kind = |path: &Path| open(path.to_owned()).unwrap_err().kind();
        assert_eq!(kind(&dir.path().join("missing")), ErrorKind::NotFound);
        assert_eq!(kind(&file), ErrorKind::NotADirectory);
        open(dir.path().to_owned()).unwrap();
    }
    assert_eq!(entries(dir.path()), 1, "checking creates nothing");
    let Some(mounted) = Mounted::tmpfs("ro") else { return };
    for open in [DiskStore::nameless, DiskStore::named] {
        assert_eq!(open(mounted.path().to_owned()).unwrap_err().kind(), ErrorKind::ReadOnlyFilesystem);
    }
}

#[test]
fn named_files_are_found_again_under_their_names() {
    let dir = tempfile::tempdir().unwrap();
    let store = DiskStore::named(dir.path()).unwrap();
    assert_eq!((store.dir(), store.naming()), (dir.path(), Naming::Named));
    store.create(name(0x1a)).unwrap().append(&[IoSlice::new(b"kept")]).unwrap();
    drop(store);
    assert_eq!(fs::read(dir.path().join("000000000000001a.zst")).unwrap(), b"kept");

    let store = DiskStore::named(dir.path()).unwrap();
    assert_eq!(store.list().unwrap(), [name(0x1a)]);
    assert_eq!(store.create(name(0x1a)).unwrap_err().kind(), ErrorKind::AlreadyExists);
    let mut back = [0; 4];
    store.open(name(0x1a)).unwrap().read_exact_at(&mut back, 0).unwrap();
    assert_eq!(&back, b"kept");
    store.remove(name(0x1a)).unwrap();
    assert_eq!(entries(dir.path()), 0);
}

#[test]
fn foreign_names_are_neither_listed_nor_touched() {
    let dir = tempfile::tempdir().unwrap();
    let foreign: [&[u8]; 8] = [
        b"spool",
        b"writer.lock",
        b"1a.zst",
        b"000000000000001A.zst",
        b"+00000000000001a.zst",
        b"000000000000001a.zst.broken",
        b"000000000000001a.gz",
        b"\xff\xfe.zst",
    ];
    for foreign in foreign {
        File::create(dir.path().join(OsStr::from_bytes(foreign))).unwrap();
    }
    let store = DiskStore::named(dir.path()).unwrap();
    assert_eq!(store.list().unwrap(), []);
    // What has the name of a segment is listed, whatever it is: opening it tells.
    fs::create_dir(dir.path().join(name(2).to_string())).unwrap();
    assert_eq!(store.list().unwrap(), [name(2)]);
    assert_eq!(entries(dir.path()), foreign.len() + 1);
}

#[test]
fn a_symbolic_link_is_never_followed() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("target");
    let link = |number| symlink(&target, dir.path().join(name(number).to_string())).unwrap();
    link(1);
    let store = DiskStore::named(dir.path()).unwrap();
    assert_eq!(store.create(name(1)).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert!(!target.exists(), "nothing was created through the dangling link");
    fs::write(&target, b"secret").unwrap();
    link(2);
    store.open(name(2)).unwrap_err();
    store.remove(name(2)).unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"secret", "the link went, not its target");
}

#[test]
fn what_is_no_regular_file_is_refused_without_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let at = |number| dir.path().join(name(number).to_string());
    fs::create_dir(at(1)).unwrap();
    assert!(Command::new("mkfifo").arg(at(2)).status().unwrap().success());
    let store = DiskStore::named(dir.path()).unwrap();
    let (tell, told) = mpsc::sync_channel(1);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for number in [1, 2] {
                tell.send(store.open(name(number)).unwrap_err().kind()).unwrap();
            }
        });
        for what in ["directory", "FIFO"] {
            let kind = told.recv_timeout(Duration::from_secs(20));
            if kind.is_err() {
                // Frees the thread that waits for a writer, so that the test fails in place of hanging.
                File::options().read(true).write(true).open(at(2)).unwrap();
            }
            assert_eq!(kind, Ok(ErrorKind::InvalidInput), "{what}");
        }
    });
}

#[test]
fn the_directory_may_be_renamed_meanwhile() {
    let parent = tempfile::tempdir().unwrap();
    let (old, new) = (parent.path().join("old"), parent.path().join("new"));
    fs::create_dir(&old).unwrap();
    let named = DiskStore::named(&old).unwrap();
    let nameless = DiskStore::nameless(&old).unwrap();
    fs::rename(&old, &new).unwrap();
    named.create(name(1)).unwrap();
    nameless.create(name(1)).unwrap();
    named.sync().unwrap();
    assert_eq!(named.list().unwrap(), [name(1)]);
    assert!(new.join(name(1).to_string()).exists());
}

#[test]
fn a_file_system_in_memory_is_recognized() {
    assert!(DiskStore::nameless("/dev/shm").unwrap().is_tmpfs().unwrap());
    let Some(mounted) = Mounted::tmpfs("size=1m") else { return };
    let store = DiskStore::named(mounted.path()).unwrap();
    assert!(store.is_tmpfs().unwrap());
    assert_eq!(store.space().unwrap().total_bytes, 1 << 20);
}

/// Nameless files each hold a descriptor; at the limit there is a clear error, and the store goes on.
#[test]
fn too_many_open_files_is_an_error_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let exe = std::env::current_exe().unwrap();
    let script = "ulimit -n 40 && exec \"$0\" --ignored --exact --nocapture child_runs_out_of_descriptors";
    let child = Command::new("sh").args(["-c", script]).arg(exe).env(CHILD_DIR, dir.path()).output().unwrap();
    assert!(child.status.success(), "{child:?}");
    assert!(String::from_utf8_lossy(&child.stdout).contains("ran out"), "{child:?}");
    assert_eq!(entries(dir.path()), 0);
}

#[test]
#[ignore = "the child process of the test above: runs under a limit of open files"]
fn child_runs_out_of_descriptors() {
    const EMFILE: i32 = 24;
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    for store in [DiskStore::nameless(&dir).unwrap(), DiskStore::nameless(&dir).unwrap().without_tmpfile()] {
        let refused = (1..100).find_map(|number| Some((number, store.create(name(number)).err()?)));
        let (number, error) = refused.expect("the limit is lower");
        assert_eq!(error.raw_os_error(), Some(EMFILE));
        assert_eq!(store.list().unwrap().len() as u64, number - 1, "the failed one is not registered");
        store.remove(name(1)).unwrap();
        store.create(name(number)).unwrap();
    }
    println!("\nran out");
}
