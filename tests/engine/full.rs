//! A disk that is full: memory holds what it can, the producer waits, and everything arrives.

use crate::common::{MIB, assert_same, noise, text};
use crate::store::{Interfere, Interfered};
use crate::transfer::{options, pile_up_then_drain};
use spillpipe::codec::TABLE;
use spillpipe::pipe::{Error, FullReason, WhenFull};
use spillpipe::store::{MemoryStore, SegmentName, SimStore};
use std::io;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn a_disk_of_any_small_size_delivers_everything() {
    let input: Arc<[u8]> = noise(11, 12 * MIB).into();
    for capacity in [0, 1, 127, 128, 200, 64 << 10, 1 << 20, 3 << 20, 6 << 20] {
        let disk = SimStore::new(capacity);
        disk.set_capacity(Some(capacity));
        let outcome = pile_up_then_drain(options(), Box::new(disk), &input);
        let end = outcome.result.unwrap_or_else(|e| panic!("a disk of {capacity} bytes: {e}"));
        assert_same(&outcome.output, &input);
        assert!(end.producer_waited > Duration::ZERO, "a disk of {capacity} bytes: {end:?}");
        assert!(end.disk_bytes_peak <= capacity, "a disk of {capacity} bytes: {end:?}");
    }
}

#[test]
fn a_full_disk_delivers_everything_in_every_codec() {
    let input: Arc<[u8]> = [text(1, 20 * MIB), noise(12, 6 * MIB), text(2, 20 * MIB)].concat().into();
    for codec in TABLE.iter().map(|row| row.name).chain(["auto"]) {
        let mut options = options();
        options.codec = codec.parse().expect("a codec");
        let outcome = pile_up_then_drain(options, Box::new(MemoryStore::with_capacity(2 << 20)), &input);
        outcome.result.unwrap_or_else(|e| panic!("{codec}: {e}"));
        assert_same(&outcome.output, &input);
    }
}

/// Each append writes to a disk that says it has no room, for the first so many times: another writer filled it.
struct NoRoom {
    error: i32,
    refusals: std::sync::atomic::AtomicU64,
}

impl Interfere for NoRoom {
    fn append(&self, _: SegmentName, _: usize) -> io::Result<()> {
        use std::sync::atomic::Ordering::Relaxed;
        let refused = self.refusals.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
        if refused { Err(io::Error::from_raw_os_error(self.error)) } else { Ok(()) }
    }
}

#[test]
fn no_space_no_quota_and_a_file_too_large_are_all_waited_out() {
    let input: Arc<[u8]> = noise(13, 8 * MIB).into();
    for error in [28, 122, 27] {
        for refusals in [1, 2, 5, 1 << 40] {
            let disk = Arc::new(NoRoom { error, refusals: refusals.into() });
            let outcome = pile_up_then_drain(options(), Interfered::boxed(&disk), &input);
            outcome.result.unwrap_or_else(|e| panic!("errno {error}, {refusals} times: {e}"));
            assert_same(&outcome.output, &input);
        }
    }
}

#[test]
fn when_full_fail_ends_with_what_the_system_said() {
    let input: Arc<[u8]> = noise(14, 12 * MIB).into();
    let mut options = options();
    options.spill.when_full = WhenFull::Fail;
    let disk = SimStore::new(1);
    disk.set_capacity(Some(1 << 20));
    let outcome = pile_up_then_drain(options, Box::new(disk), &input);
    assert!(
        matches!(outcome.result, Err(Error::Full { reason: FullReason::System(_) | FullReason::MinFree { .. }, .. })),
        "{:?}",
        outcome.result
    );
    crate::common::assert_prefix(&outcome.output, &input);
}

/// Numbers every 64 KiB chunk, so that what comes out tells which came through.
fn numbered_chunks(chunks: u32) -> Vec<u8> {
    let mut input = noise(15, chunks as usize * CHUNK);
    for (chunk, number) in input.chunks_mut(CHUNK).zip(0u32..) {
        chunk[..4].copy_from_slice(&number.to_le_bytes());
    }
    input
}

const CHUNK: usize = 64 << 10;

/// The numbers of the chunks that came out, each checked to be whole and sound.
fn numbers(output: &[u8], input: &[u8]) -> Vec<u32> {
    assert_eq!(output.len() % CHUNK, 0, "whole chunks");
    let number = |chunk: &[u8]| u32::from_le_bytes(chunk[..4].try_into().expect("four bytes"));
    let check = |chunk: &[u8]| {
        let n = number(chunk);
        assert_same(chunk, &input[n as usize * CHUNK..][..CHUNK]);
        n
    };
    output.chunks(CHUNK).map(check).collect()
}

#[test]
fn drop_oldest_keeps_order_counts_exactly_and_keeps_the_newest() {
    dropping(WhenFull::DropOldest, |numbers, chunks| {
        assert_eq!(numbers.last(), Some(&(chunks - 1)), "the newest is there");
    });
}

#[test]
fn drop_new_keeps_order_counts_exactly_and_keeps_the_oldest() {
    dropping(WhenFull::DropNew, |numbers, _| {
        let kept = numbers.iter().zip(0u32..).take_while(|(n, i)| *n == i).count();
        assert!(kept * CHUNK > 2 * MIB, "what was there first stays: {kept} chunks");
    });
}

fn dropping(when_full: WhenFull, check: impl Fn(&[u32], u32)) {
    let chunks = 256;
    let input: Arc<[u8]> = numbered_chunks(chunks).into();
    for max_disk_bytes in [0, 1 << 20, 4 << 20] {
        let mut options = options();
        options.spill.when_full = when_full;
        options.spill.max_disk_bytes = Some(max_disk_bytes);
        let outcome = pile_up_then_drain(options, Box::new(MemoryStore::new()), &input);
        let end = outcome.result.expect("dropping is no failure");
        let numbers = numbers(&outcome.output, &input);
        assert!(numbers.is_sorted_by(|a, b| a < b), "in order, none twice: {numbers:?}");
        assert!(end.dropped_chunks > 0, "{end:?}");
        assert_eq!(end.bytes_in, input.len() as u64);
        assert_eq!(end.bytes_in, end.bytes_out + end.dropped_bytes);
        assert_eq!(numbers.len() as u64 + end.dropped_chunks, u64::from(chunks));
        assert!(end.disk_bytes_peak <= max_disk_bytes, "{end:?}");
        check(&numbers, chunks);
    }
}
