//! A backlog of very many segments: no descriptor for each, and no work that grows with their square.

use super::*;
use rustix::process::{Resource, Rlimit, setrlimit};
use spillpipe::format::{
    CHUNK_BYTES_MIN, ChunkSeq, Family, Position, Salt, SegmentHeader, SegmentNumber, StoreId, StreamOffset,
};
use spillpipe::segment::{Chunk, write_all};
use std::path::Path;
use std::time::Instant;

const OPEN_FILES: u64 = 64;
/// The child's spool, and how many segments are in it.
const DIR: &str = "SPILLPIPE_TEST_MANY";
const FEW: u64 = 10;

/// One byte a segment, as its writer would have left them.
fn segments(dir: &Path, store: StoreId, count: u64) {
    for number in 1..=count {
        let header = SegmentHeader {
            store,
            number: SegmentNumber(number),
            first_seq: ChunkSeq(number - 1),
            first_offset: StreamOffset(number - 1),
            chunk_bytes_max: CHUNK_BYTES_MIN,
            salt: Salt(7),
            created_ns: 1,
            family: Family::Zstd,
        };
        let end = if number == count { EndState::End } else { EndState::Continues };
        let segment = write_all(&header, true, &[Chunk::new(&number.to_le_bytes()[..1], Codec::Raw)], end);
        std::fs::write(dir.join(format!("{number:016x}.zst")), segment).unwrap();
    }
}

/// Opens, drains, and opens once more for writing, as one process after the other would; returns the milliseconds of
/// opening and of the rest.
fn drained(dir: &Path, count: u64) -> (f64, f64) {
    let started = Instant::now();
    let spool = Spool::open(dir).unwrap();
    let mut reader = spool.reader("default", ReaderOptions::default()).unwrap();
    let open = started.elapsed();
    let met = drain(&mut reader);
    reader.close().unwrap();
    assert_eq!(met.bytes.len() as u64, count);
    assert!(met.bytes.iter().zip(1u64..).all(|(byte, number)| *byte == number.to_le_bytes()[0]));
    assert_eq!((met.ends.as_slice(), met.gaps.len(), met.damages.len()), (&[Ended::Complete][..], 0, 0));
    assert_eq!(spool.info().unwrap().segments, 0, "all of it is gone");
    let writer = spool.writer(plain()).unwrap();
    let next = Position { segment: SegmentNumber(count + 1), seq: ChunkSeq(count), offset: StreamOffset(count) };
    assert_eq!(writer.position(), next, "no number is used twice");
    (open.as_secs_f64() * 1e3, started.elapsed().saturating_sub(open).as_secs_f64() * 1e3)
}

#[test]
#[ignore = "the child process of the tests below: runs under a limit of open files"]
fn many_in_a_process_with_few_descriptors() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let dir = Path::new(&dir);
    let limit = Some(OPEN_FILES);
    setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit }).unwrap();
    let spool = Spool::open(dir).unwrap();
    let count = spool.info().unwrap().segments;
    let started = Instant::now();
    let writer = spool.writer(plain()).unwrap();
    let to_write = started.elapsed().as_secs_f64() * 1e3;
    writer.finish(EndState::Continues).unwrap();
    let (to_read, rest) = drained(dir, count);
    println!("\n{count} segments: {to_write} ms to open for writing, {to_read} for reading, {rest} to drain");
}

/// Milliseconds: to open for writing, for reading, to drain.
fn timed(count: u64) -> [f64; 3] {
    // In memory: it is not the disk that is to be measured.
    let temp = tempfile::tempdir_in("/dev/shm").unwrap();
    let spool = Spool::create(temp.path()).unwrap();
    segments(temp.path(), spool.info().unwrap().store, count);
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--ignored", "--exact", "--nocapture", "many::many_in_a_process_with_few_descriptors"]);
    let output = child.env(DIR, temp.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().find(|line| line.starts_with(&format!("{count} segments: ")));
    let line = line.unwrap_or_else(|| panic!("{output:?}"));
    println!("{line}");
    let numbers: Vec<f64> = line.split_whitespace().filter_map(|word| word.parse().ok()).skip(1).collect();
    numbers.try_into().unwrap()
}

#[test]
fn a_backlog_of_many_segments_is_opened_and_drained_with_few_descriptors() {
    timed(10 * OPEN_FILES);
}

#[test]
#[ignore = "three seconds, and it measures: run it alone"]
fn large_a_hundred_thousand_segments_open_at_once_and_drain_in_time_that_grows_with_them() {
    let few = timed(FEW);
    let [some, many] = [10_000, 100_000].map(timed);
    assert!(many[0] < 1000.0 && many[1] < 1000.0, "{many:?}");
    // Ten times as many, ten times the work; a square would be a hundred times.
    assert!(many[2] < some[2] * 30.0, "{few:?}, {some:?}, {many:?}");
}

/// Says that nothing has been created or removed in it for a minute.
fn settle(dir: &Path) {
    let minute_ago = std::time::SystemTime::now() - Duration::from_mins(1);
    std::fs::File::open(dir).unwrap().set_modified(minute_ago).unwrap();
}

#[test]
fn a_directory_that_did_not_change_is_not_gone_through_again_and_one_that_did_is() {
    let temp = tempfile::tempdir_in("/dev/shm").unwrap();
    let spool = Spool::create(temp.path()).unwrap();
    segments(temp.path(), spool.info().unwrap().store, 20_000);
    // Another one needs them all.
    spool.add_reader("late", spillpipe::spool::Start::Oldest).unwrap();
    let mut reader = spool.reader("default", ReaderOptions::default()).unwrap();
    assert_eq!(drain(&mut reader).bytes.len(), 20_000);

    settle(temp.path());
    let look = |reader: &mut Reader| {
        let started = busy();
        assert!(matches!(reader.next().unwrap(), Next::Empty { writer: false }));
        busy().saturating_sub(started)
    };
    let (first, again) = (look(&mut reader), (0..5).map(|_| look(&mut reader)).min().unwrap());
    assert!(again * 10 < first, "{again:?} after {first:?}");

    push(&spool, &plain(), b"more", EndState::End);
    assert_eq!(drain(&mut reader).bytes, b"more", "found at once");
}

/// For how long this thread has been running, whatever else the machine does.
fn busy() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

/// Names that this process keeps alive though they are removed.
fn kept_alive(dir: &Path) -> usize {
    let links = std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| entry.unwrap().path().read_link().ok());
    links.filter(|to| to.starts_with(dir) && to.to_string_lossy().ends_with("(deleted)")).count()
}

#[test]
fn a_writer_that_never_syncs_does_not_keep_what_was_removed() {
    let temp = tempfile::tempdir().unwrap();
    let spool = Spool::create(temp.path()).unwrap();
    let mut options = plain();
    (options.codec, options.max_disk_bytes) = (Choice::Fixed(Codec::Raw), Some(1 << 20));
    options.when_full = spillpipe::spool::WhenFull::DropOldest;
    let mut writer = spool.writer(options).unwrap();
    for _ in 0..8 {
        writer.write_all(&text(1 << 20)).unwrap();
    }
    assert!(writer.stats().segments > 50, "{:?}", writer.stats());
    let kept = kept_alive(temp.path());
    assert!(kept <= 4, "{kept} removed segments are open");
    writer.sync().unwrap();
    assert_eq!(writer.durable().offset, writer.position().offset);
}
