//! How much of a spill the page cache holds, counted by fincore (util-linux) on a real disk.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use spillpipe::format::{Family, SegmentNumber};
use spillpipe::store::{Append, DiskStore, SegmentName, Store};
use std::fs;
use std::io::{IoSlice, Write as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

mod mounted;
use mounted::Mounted;

const MIB: usize = 1 << 20;
const CACHED_BYTES_MAX: u64 = 256 << 20;
/// As of a backlog of 4 GiB.
const SEGMENT_MIB: usize = 64;
/// Longest that the disk may take to catch up.
const PATIENCE: Duration = Duration::from_mins(1);

/// One at a time: they count what this process has open.
static DISK: Mutex<()> = Mutex::new(());

fn name(number: usize) -> SegmentName {
    SegmentName { number: SegmentNumber(number as u64), family: Family::Zstd }
}

/// Bytes of these files in the page cache.
fn cached_bytes(files: &[PathBuf]) -> u64 {
    if files.is_empty() {
        return 0;
    }
    let fincore = Command::new("fincore").args(["--bytes", "--noheadings", "--output", "RES"]).args(files).output();
    let fincore = fincore.expect("fincore of util-linux");
    assert!(fincore.status.success(), "{fincore:?}");
    let bytes = |line: &str| line.trim().parse::<u64>().unwrap();
    String::from_utf8(fincore.stdout).unwrap().lines().map(bytes).sum()
}

/// The nameless files below `dir` that this process has open, where fincore finds them.
fn spill_files(dir: &Path) -> Vec<PathBuf> {
    let fds = format!("/proc/{}/fd", std::process::id());
    let nameless = |fd: &PathBuf| fs::metadata(fd).is_ok_and(|meta| meta.nlink() == 0);
    let below = |fd: &PathBuf| fs::read_link(fd).is_ok_and(|to| to.starts_with(dir));
    let fds = fs::read_dir(fds).unwrap().map(|fd| fd.unwrap().path());
    fds.filter(|fd| below(fd) && nameless(fd)).collect()
}

/// Writes so many MiB, each of its own kind, in segments.
fn spill(store: &DiskStore, mib: usize) {
    let mut segment: Option<Arc<dyn Append>> = None;
    for at in 0..mib {
        if at % SEGMENT_MIB == 0 {
            segment = Some(store.create(name(at / SEGMENT_MIB)).unwrap());
        }
        segment.as_ref().unwrap().append(&[IoSlice::new(&piece(at))]).unwrap();
    }
}

fn piece(at: usize) -> Vec<u8> {
    at.to_le_bytes().repeat(MIB / size_of::<usize>())
}

/// Reads what was written, calling `each` at every MiB, and removes what was read.
fn drain(store: &DiskStore, mib: usize, each: impl Fn(usize)) {
    let mut back = vec![0; MIB];
    for at in 0..mib {
        let segment = store.open(name(at / SEGMENT_MIB)).unwrap();
        segment.read_exact_at(&mut back, (at % SEGMENT_MIB * MIB) as u64).unwrap();
        assert!(back == piece(at), "MiB {at} came back as it was");
        each(at);
        if (at + 1) % SEGMENT_MIB == 0 {
            store.remove(name(at / SEGMENT_MIB)).unwrap();
        }
    }
}

/// A directory on a disk; nothing, said loudly, where there is only memory.
fn on_disk() -> Option<tempfile::TempDir> {
    let dir = tempfile::tempdir().unwrap();
    if DiskStore::nameless(dir.path()).unwrap().is_tmpfs().unwrap() {
        eprintln!("SKIPPED: {} is in memory; set TMPDIR to a disk", dir.path().display());
        return None;
    }
    Some(dir)
}

#[test]
#[ignore = "needs fincore, and 1 GB of disk"]
fn little_of_a_long_spill_stays_in_the_page_cache_and_nothing_of_a_neighbour_goes() {
    const SPILL_MIB: usize = 1024;
    let _alone = DISK.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(dir) = on_disk() else { return };
    let neighbour = dir.path().join("neighbour");
    let mut file = fs::File::create(&neighbour).unwrap();
    file.write_all(&vec![1; 32 * MIB]).unwrap();
    file.sync_all().unwrap();

    let store = DiskStore::nameless(dir.path()).unwrap();
    spill(&store, SPILL_MIB);
    let cached = || cached_bytes(&spill_files(dir.path()));
    // A consumer so slow that it takes nothing to speak of, while the disk catches up.
    let first = store.open(name(0)).unwrap();
    let since = Instant::now();
    while cached() > CACHED_BYTES_MAX {
        assert!(since.elapsed() < PATIENCE, "{} bytes are still in the page cache", cached());
        first.read_exact_at(&mut [0; 64], 0).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(first);
    assert!(cached() >= 64 << 20, "what is read next, and what is newest, is kept: {}", cached());
    drain(&store, SPILL_MIB, |at| {
        if at % 100 == 0 {
            assert!(cached() <= CACHED_BYTES_MAX, "after {at} MiB: {}", cached());
        }
    });
    assert_eq!(cached_bytes(&[neighbour]), 32 << 20);
}

#[test]
#[ignore = "needs fincore"]
fn all_of_a_short_spill_stays_in_the_page_cache() {
    const SPILL_MIB: usize = 128;
    let _alone = DISK.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(dir) = on_disk() else { return };
    let store = DiskStore::nameless(dir.path()).unwrap();
    spill(&store, SPILL_MIB);
    assert_eq!(cached_bytes(&spill_files(dir.path())), (SPILL_MIB * MIB) as u64);
    drain(&store, SPILL_MIB, |_| ());
}

#[test]
fn on_a_file_system_in_memory_the_advice_does_no_harm() {
    let Some(mounted) = Mounted::tmpfs("size=400m") else { return };
    let store = DiskStore::nameless(mounted.path()).unwrap();
    spill(&store, 320);
    drain(&store, 320, |_| ());
    assert_eq!(store.list().unwrap(), []);
}
