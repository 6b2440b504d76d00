//! A bit that flips on the disk: nothing wrong is ever handed out, and the place is named.

use super::{noise, run, sleeps_first, small};
use spillpipe::codec::{Choice, Codec};
use spillpipe::format::{Family, SegmentNumber};
use spillpipe::pipe::Error;
use spillpipe::store::{SegmentName, SimStore};
use std::io::Read as _;
use std::time::Instant;

/// Runs 8 MiB through, and once segment 1 holds 256 KiB flips a bit of byte `at` in it.
fn flip(at: u64) -> (Result<(), Error>, Vec<u8>, Vec<u8>) {
    let mut options = small();
    options.codec = Choice::Fixed(Codec::Raw);
    let input = noise(8 << 20);
    let store = SimStore::new(1);
    let name = SegmentName { number: SegmentNumber(1), family: Family::Zstd };
    let disk = store.clone();
    let (result, out) = run(options, Box::new(store), &input, move |mut consumer| {
        let start = Instant::now();
        while disk.bytes(name).map_or(0, |bytes| bytes.len()) < 256 << 10 {
            assert!(start.elapsed() < super::PATIENCE, "nothing is spilled");
            std::thread::sleep(super::Duration::from_millis(5));
        }
        disk.flip_bit(name, at, 3).expect("it is there");
        let mut out = Vec::new();
        consumer.read_to_end(&mut out).expect("pipes do not fail");
        out
    });
    (result.map(|_| ()), out, input)
}

#[test]
fn a_flipped_bit_is_named_and_nothing_after_it_goes_out() {
    // In the segment header, a record, a frame header, the data, and the record behind it.
    for at in [30, 140, 200, 5000, 128 + 64 + 9 + 3 + 64 * 1024 + 20] {
        let (result, out, input) = flip(at);
        let Err(Error::Damaged { segment, byte, .. }) = result else { panic!("byte {at}: {result:?}") };
        assert_eq!(segment, SegmentNumber(1));
        assert!(byte <= at && at < byte + (70 << 10), "byte {at} is reported at {byte}");
        assert!(out.len() < input.len() && input.starts_with(&out), "byte {at}: what went out is a prefix");
    }
}

#[test]
fn without_damage_the_same_run_succeeds() {
    let input = noise(8 << 20);
    let (result, out) = run(small(), Box::new(SimStore::new(1)), &input, sleeps_first);
    assert!(result.expect("no damage").segments > 0, "it went through the store");
    assert!(out == input);
}
