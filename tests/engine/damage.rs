//! A disk that changes what was written: nothing wrong ever goes out, and the error says where.

use crate::common::{MIB, assert_prefix, noise, text};
use crate::store::{Interfere, Interfered};
use crate::transfer::{options, spill_then_drain};
use spillpipe::format::{HEADER_BYTES, RECORD_BYTES, SegmentNumber};
use spillpipe::pipe::Error;
use spillpipe::store::SegmentName;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Bytes of the first segment that belong to its first chunk, header included, when that is 64 KiB of noise.
const FIRST_FRAME: u64 = (HEADER_BYTES + RECORD_BYTES) as u64;
const FRAME_BYTES: u64 = 64 << 10;

/// Flips one bit of the first segment, whenever it is read.
#[derive(Default)]
struct Flip {
    byte: u64,
    bit: u64,
    /// How often the byte was read.
    seen: AtomicU64,
}

impl Interfere for Flip {
    fn read(&self, name: SegmentName, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let here = (offset..offset + bytes.len() as u64).contains(&self.byte);
        if name.number == SegmentNumber(1) && here {
            bytes[usize::try_from(self.byte - offset).expect("inside")] ^= 1 << self.bit;
            self.seen.fetch_add(1, Relaxed);
        }
        Ok(())
    }
}

/// Flips each byte of `bytes` in turn, another bit each time, and expects the damage to be found in `place`.
fn every_flip_is_found(codec: &str, input: Vec<u8>, bytes: impl Iterator<Item = u64>, place: &Range<u64>) {
    let input: Arc<[u8]> = input.into();
    for byte in bytes {
        let flip = Arc::new(Flip { byte, bit: byte % 8, ..Flip::default() });
        let mut options = options();
        options.codec = codec.parse().expect("a codec");
        let outcome = spill_then_drain(options, Interfered::boxed(&flip), &input);
        assert!(flip.seen.load(Relaxed) > 0, "byte {byte} was read");
        match outcome.result {
            Err(Error::Damaged { segment: SegmentNumber(1), byte: at, .. }) => {
                assert!(place.contains(&at), "byte {byte} was flipped, and byte {at} is named");
            }
            other => panic!("byte {byte} was flipped, and it ended with {other:?}"),
        }
        assert!(outcome.output.len() < input.len(), "the damaged chunk did not come out");
        assert_prefix(&outcome.output, &input);
    }
}

#[test]
fn a_flipped_bit_in_the_segment_header_is_found() {
    every_flip_is_found("none", noise(1, 5 * MIB), (0..HEADER_BYTES as u64).step_by(3), &(0..1));
}

#[test]
fn a_flipped_bit_in_a_record_is_found() {
    let record = HEADER_BYTES as u64..FIRST_FRAME;
    every_flip_is_found("none", noise(2, 5 * MIB), record.clone(), &record);
}

#[test]
fn a_flipped_bit_in_a_frame_is_found_whatever_the_codec() {
    for codec in ["none", "lz4", "zstd:1"] {
        let frame = FIRST_FRAME..FIRST_FRAME + FRAME_BYTES;
        let bytes = frame.clone().take(16).chain(frame.step_by(4999));
        every_flip_is_found(codec, noise(3, 5 * MIB), bytes, &(FIRST_FRAME..FIRST_FRAME + 1));
    }
}

#[test]
fn a_flipped_bit_in_a_compressed_frame_is_found() {
    for codec in ["lz4", "zstd:1"] {
        let bytes = (FIRST_FRAME..FIRST_FRAME + 8).chain((FIRST_FRAME..FIRST_FRAME + 4000).step_by(499));
        every_flip_is_found(codec, text(4, 48 * MIB), bytes, &(FIRST_FRAME..FIRST_FRAME + 1));
    }
}

/// Reads of the first segment find less than was written there.
struct Cut {
    len: u64,
}

impl Interfere for Cut {
    fn read(&self, _: SegmentName, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        if offset + bytes.len() as u64 > self.len {
            bytes.fill(0);
        }
        Ok(())
    }
}

#[test]
fn a_segment_that_turned_to_zeros_is_damage() {
    for len in [0, HEADER_BYTES as u64, FIRST_FRAME, FIRST_FRAME + FRAME_BYTES / 2] {
        let input: Arc<[u8]> = noise(5, 5 * MIB).into();
        let outcome = spill_then_drain(options(), Interfered::boxed(&Arc::new(Cut { len })), &input);
        assert!(matches!(outcome.result, Err(Error::Damaged { .. })), "{:?}", outcome.result);
        assert_prefix(&outcome.output, &input);
    }
}
