//! Room on the disk, to the last of it: what comes back is used at once, and what there is is used.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use crate::common::{MIB, PATIENCE, assert_same, noise, thread, within};
use crate::store::{Interfere, Interfered};
use crate::transfer::{options, pile_up_then_drain};
use spillpipe::format::SegmentNumber;
use spillpipe::pipe::{Options, Pipe, WhenFull};
use spillpipe::store::SegmentName;
use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _, pipe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

const ENOSPC: i32 = 28;
const EFBIG: i32 = 27;

/// Says that there is no room, once, but not before the reader has come to where room came back.
struct FullForAMoment {
    /// Appends to this segment, after the first chunks, wait and are refused.
    segment: u64,
    until: ReadUpTo,
    lengths: Mutex<BTreeMap<u64, u64>>,
    come: Mutex<bool>,
    told: Condvar,
    refused: AtomicBool,
}

/// Where the reader frees room.
#[derive(Clone, Copy, PartialEq)]
enum ReadUpTo {
    /// The segment before has been read and removed.
    ItsStart,
    /// It has been read itself, as far as it is written.
    ItsEnd,
}

impl FullForAMoment {
    fn new(segment: u64, until: ReadUpTo) -> Arc<Self> {
        let (lengths, come) = (Mutex::default(), Mutex::default());
        Arc::new(Self { segment, until, lengths, come, told: Condvar::new(), refused: AtomicBool::new(false) })
    }
}

impl Interfere for FullForAMoment {
    fn append(&self, name: SegmentName, bytes: usize) -> io::Result<()> {
        let len = {
            let mut lengths = self.lengths.lock().unwrap();
            let len = lengths.entry(name.number.0).or_default();
            let before = *len;
            *len += bytes as u64;
            before
        };
        // A header and some chunks are there by then.
        if name.number != SegmentNumber(self.segment) || len < 1000 || self.refused.swap(true, Relaxed) {
            return Ok(());
        }
        *self.lengths.lock().unwrap().get_mut(&self.segment).unwrap() = len;
        let come = self.told.wait_timeout_while(self.come.lock().unwrap(), PATIENCE, |come| !*come).unwrap();
        assert!(*come.0, "the reader comes");
        drop(come);
        // What was read is still to be told, and intake fills what memory is left.
        std::thread::sleep(Duration::from_millis(100));
        Err(io::Error::from_raw_os_error(ENOSPC))
    }

    fn read(&self, name: SegmentName, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let end = offset + bytes.len() as u64;
        let here = name.number.0 == self.segment && self.refused.load(Relaxed);
        if here && (self.until == ReadUpTo::ItsStart || end == self.lengths.lock().unwrap()[&self.segment]) {
            *self.come.lock().unwrap() = true;
            self.told.notify_all();
        }
        Ok(())
    }
}

/// A producer and a consumer, both as fast as they can.
fn through(options: Options, disk: &Arc<FullForAMoment>, input: &Arc<[u8]>) {
    let (disk, input) = (Arc::clone(disk), Arc::clone(input));
    within(PATIENCE, move || {
        let (source, mut producer) = pipe().unwrap();
        let (mut consumer, sink) = pipe().unwrap();
        let bytes = Arc::clone(&input);
        let feeding = thread(move || producer.write_all(&bytes));
        let engine = {
            let engine = Pipe::new(options).unwrap().store(Interfered::boxed(&disk));
            thread(move || engine.run(&source, &sink))
        };
        // Nothing is taken before the write hangs.
        while !disk.refused.load(Relaxed) && !engine.is_finished() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut output = Vec::new();
        consumer.read_to_end(&mut output).unwrap();
        engine.join().unwrap().expect("there was room again when the disk said that it is full");
        feeding.join().unwrap().unwrap();
        assert_same(&output, &input);
    });
}

/// With `fail`, a disk that is taken for full ends it at once, as soon as the producer has to wait.
fn at_once() -> Options {
    let mut options = options();
    options.spill.when_full = WhenFull::Fail;
    options.spill.max_disk_bytes = Some(32 << 20);
    options
}

#[test]
fn room_that_comes_back_while_a_write_finds_none_is_used_at_once() {
    let input: Arc<[u8]> = noise(21, 40 * MIB).into();
    through(at_once(), &FullForAMoment::new(2, ReadUpTo::ItsStart), &input);
}

#[test]
fn a_segment_that_is_read_to_its_end_while_a_write_to_it_fails_is_room_that_comes_back() {
    let input: Arc<[u8]> = noise(22, 40 * MIB).into();
    through(at_once(), &FullForAMoment::new(1, ReadUpTo::ItsEnd), &input);
}

/// Files become so large and no larger.
struct SmallFiles {
    file_bytes_max: u64,
    lengths: Mutex<BTreeMap<SegmentName, u64>>,
    refused: AtomicUsize,
}

impl Interfere for SmallFiles {
    fn append(&self, name: SegmentName, bytes: usize) -> io::Result<()> {
        let mut lengths = self.lengths.lock().unwrap();
        let len = lengths.entry(name).or_default();
        if *len + bytes as u64 > self.file_bytes_max {
            self.refused.fetch_add(1, Relaxed);
            return Err(io::Error::from_raw_os_error(EFBIG));
        }
        *len += bytes as u64;
        Ok(())
    }
}

#[test]
fn a_file_that_is_too_large_is_followed_by_another() {
    let input: Arc<[u8]> = noise(23, 12 * MIB).into();
    let disk =
        Arc::new(SmallFiles { file_bytes_max: 3 << 20, lengths: Mutex::default(), refused: AtomicUsize::new(0) });
    let mut options = options();
    options.spill.when_full = WhenFull::Fail;
    let outcome = pile_up_then_drain(options, Interfered::boxed(&disk), &input);
    let end = outcome.result.expect("that is no full disk");
    assert_same(&outcome.output, &input);
    assert!(end.segments > 2, "{end:?}");
    assert!(disk.refused.load(Relaxed) < 3, "it learns how large a file may be");
}

#[test]
fn a_small_limit_on_the_disk_is_used_to_a_half_at_least() {
    let input: Arc<[u8]> = noise(24, 8 * MIB).into();
    for max_disk_bytes in [70 << 10, 100 << 10, 140 << 10, 256 << 10, 512 << 10, 1 << 20, 3 << 19, 2 << 20] {
        let mut options = options();
        options.spill.max_disk_bytes = Some(max_disk_bytes);
        let outcome = pile_up_then_drain(options, Box::new(spillpipe::store::MemoryStore::new()), &input);
        let end = outcome.result.expect("it waits");
        assert_same(&outcome.output, &input);
        let used = max_disk_bytes / 2..=max_disk_bytes;
        assert!(used.contains(&end.disk_bytes_peak), "of {max_disk_bytes}: {end:?}");
    }
}
