//! The frames that we build ourselves, and whole segments, against the standard decoders.

mod samples;

use proptest::prelude::*;
use samples::{decode_with_standard_decoders, header, noise, text};
use spillpipe::codec::{Codec, Decoder, Encoder, TABLE, ZstdLevel};
use spillpipe::format::frame::{frame_bytes_max, read_raw, write_raw};
use spillpipe::format::*;
use spillpipe::segment::{Chunk, read_all, write_all};

const BLOCK: usize = 128 << 10;

fn raw_frame(family: Family, raw: &[u8], checksum: bool) -> Vec<u8> {
    let mut out = vec![0xEE; frame_bytes_max(family, u32::try_from(raw.len()).expect("it is short")) as usize];
    let len = write_raw(family, raw, checksum, &mut out);
    out.truncate(len);
    out
}

#[test]
fn raw_frames_of_every_length_around_a_block_decode_everywhere() {
    let lens = [1, 2, 255, 4096, 64 << 10, (64 << 10) + 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 7];
    for family in Family::ALL {
        for len in lens.into_iter().chain([4 << 20]) {
            for checksum in [false, true] {
                let raw = noise(len as u64, len);
                let frame = raw_frame(family, &raw, checksum);
                assert!(decode_with_standard_decoders(family, &frame) == raw, "{family:?} {len}");
                let mut back = vec![0; len];
                assert_eq!(read_raw(family, &frame, &mut back), Ok(()));
                assert!(back == raw);
            }
        }
    }
}

#[test]
fn a_raw_zstd_frame_byte_by_byte() {
    let frame = raw_frame(Family::Zstd, b"abc", true);
    // magic, single segment + 4-byte size + checksum, size, last raw block of 3 bytes, data, XXH64
    assert_eq!(frame[..15], [0x28, 0xB5, 0x2F, 0xFD, 0xA4, 3, 0, 0, 0, 0x19, 0, 0, b'a', b'b', b'c']);
    // The low half of XXH64("abc") = 0x44BC2CF5AD770999
    assert_eq!(frame[15..], 0xAD77_0999_u32.to_le_bytes());
}

#[test]
fn a_raw_lz4_frame_byte_by_byte() {
    let frame = raw_frame(Family::Lz4, b"abc", true);
    // magic, version 1 + independent + content size + checksum, 64 KiB blocks, size, header checksum
    assert_eq!(frame[..14], [0x04, 0x22, 0x4D, 0x18, 0x6C, 0x40, 3, 0, 0, 0, 0, 0, 0, 0]);
    // uncompressed block of 3 bytes, data, end mark, XXH32 of "abc" (0x32D153FF)
    assert_eq!(frame[15..], [3, 0, 0, 0x80, b'a', b'b', b'c', 0, 0, 0, 0, 0xFF, 0x53, 0xD1, 0x32]);
}

#[test]
fn every_flipped_bit_of_a_raw_frame_with_checksum_is_refused() {
    for family in Family::ALL {
        let raw = noise(5, 60);
        let frame = raw_frame(family, &raw, true);
        for bit in 0..frame.len() * 8 {
            let mut flipped = frame.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // A larger LZ4 block size code is legal, were it not under the header checksum; clearing the checksum
            // flag leaves bytes over. So nothing passes.
            assert!(read_raw(family, &flipped, &mut [0; 60]).is_err(), "{family:?} bit {bit}");
        }
    }
}

#[test]
fn truncated_extended_and_mislabelled_raw_frames_are_refused() {
    for family in Family::ALL {
        for checksum in [false, true] {
            let frame = raw_frame(family, &noise(5, 60), checksum);
            for len in 0..frame.len() {
                assert!(read_raw(family, &frame[..len], &mut [0; 60]).is_err(), "cut to {len}");
            }
            assert!(read_raw(family, &[&frame[..], &[0]].concat(), &mut [0; 60]).is_err(), "a byte too many");
            for len in [0, 59, 61] {
                assert!(read_raw(family, &frame, &mut vec![0; len]).is_err(), "into {len} bytes");
            }
        }
    }
}

#[test]
fn an_lz4_frame_whose_block_size_cannot_hold_the_chunk_is_refused() {
    let raw = noise(6, 70_000);
    let mut frame = raw_frame(Family::Lz4, &raw, false);
    for (code, fits) in [(0x40, false), (0x50, true), (0x70, true), (0x30, false), (0x51, false), (0xF0, false)] {
        frame[5] = code;
        frame[14] = twox_hash::XxHash32::oneshot(0, &frame[4..14]).to_le_bytes()[1];
        let read = read_raw(Family::Lz4, &frame, &mut vec![0; 70_000]);
        assert_eq!(read.is_ok(), fits, "code {code:#x}: {read:?}");
    }
}

#[test]
fn an_empty_chunk_has_no_frame() {
    // Other decoders take an empty frame without a block to be cut short.
    for family in Family::ALL {
        assert!(std::panic::catch_unwind(|| write_raw(family, b"", false, &mut [0; 64])).is_err());
        assert!(read_raw(family, &[0x28, 0xB5, 0x2F, 0xFD, 0xA0, 0, 0, 0, 0], &mut []).is_err());
    }
}

#[test]
fn a_frame_of_another_length_or_two_frames_are_refused_by_every_codec() {
    let raw = text(1, 5000);
    for row in TABLE {
        for family in Family::ALL.into_iter().filter(|family| row.id.fits(*family)) {
            let mut out = vec![0; frame_bytes_max(family, 5000) as usize];
            let encoded = Encoder::new(true).encode(row.example, family, &raw, &mut out);
            assert_eq!(encoded.codec, row.id);
            let frame = &out[..encoded.frame_len];
            let decode = |frame: &[u8], len| Decoder::default().decode(row.id, family, frame, &mut vec![0; len]);
            assert_eq!(decode(frame, 5000), Ok(()));
            assert!(decode(frame, 4999).is_err() && decode(frame, 5001).is_err() && decode(frame, 0).is_err());
            assert!(decode(&[frame, frame].concat(), 5000).is_err(), "two frames");
            assert!(decode(&[frame, frame].concat(), 10_000).is_err(), "two frames");
            assert!(decode(&frame[..frame.len() - 1], 5000).is_err(), "cut short");
            assert!(decode(&[], 5000).is_err(), "nothing");
        }
    }
}

#[test]
fn old_decoders_errata_are_kept() {
    // The first block of a frame is never an RLE block (zstd up to 1.4.3), and no compressed block is exactly 128 KiB
    // long: docs/format.md, section 5.
    let mut inputs = vec![vec![0; 1 << 20], vec![b'x'; 200_000], noise(1, 300_000), text(1, 1 << 20)];
    inputs.push([noise(2, BLOCK - 3), text(2, 4 * BLOCK)].concat());
    for raw in inputs {
        for level in [1, 3, 9, 19] {
            let codec = Codec::Zstd(ZstdLevel::new(level).unwrap());
            let mut out = vec![0; frame_bytes_max(Family::Zstd, u32::try_from(raw.len()).unwrap()) as usize];
            let len = Encoder::new(true).encode(codec, Family::Zstd, &raw, &mut out).frame_len;
            let blocks = zstd_blocks(&out[..len]);
            assert_ne!(blocks[0].0, 1, "an RLE block first");
            assert!(blocks.iter().all(|(kind, len)| *kind != 2 || *len < BLOCK), "compressed block of 128 KiB");
        }
    }
}

/// Type and length of each block of a zstd frame with content size and without dictionary (RFC 8878, 3.1.1).
fn zstd_blocks(frame: &[u8]) -> Vec<(u8, usize)> {
    let (descriptor, single_segment) = (frame[4], frame[4] & 0b0010_0000 != 0);
    assert_eq!(descriptor & 3, 0, "no dictionary");
    let window = usize::from(!single_segment);
    if !single_segment {
        assert!(10 + (frame[5] >> 3) <= 22, "a window of at most 4 MiB");
    }
    let size_bytes = match descriptor >> 6 {
        0 => {
            assert!(single_segment, "content size");
            1
        }
        code => 1 << code,
    };
    let mut at = 5 + window + size_bytes;
    let mut blocks = Vec::new();
    loop {
        let header = u32::from_le_bytes([frame[at], frame[at + 1], frame[at + 2], 0]);
        let (kind, len) = ((header >> 1 & 3) as u8, (header >> 3) as usize);
        blocks.push((kind, len));
        at += 3 + if kind == 1 { 1 } else { len };
        if header & 1 == 1 {
            return blocks;
        }
    }
}

fn any_chunk() -> impl Strategy<Value = (Vec<u8>, Codec, bool, u64)> {
    let lens = prop_oneof![4 => 1_usize..3000, 1 => BLOCK - 2..BLOCK + 2, 1 => 200_000_usize..262_144];
    let data = (lens, 0_u64..1000, 0_u8..4).prop_map(|(len, seed, kind)| match kind {
        0 => noise(seed, len),
        1 => vec![0; len],
        2 => [noise(seed, len / 2), text(seed, len - len / 2)].concat(),
        _ => text(seed, len),
    });
    let levels = 1_u8..7;
    (data, prop::sample::select(&TABLE[..]), levels, any::<bool>(), 0_u64..3).prop_map(
        |(raw, row, level, record_end, gap)| {
            let codec = if let Codec::Zstd(_) = row.example {
                Codec::Zstd(ZstdLevel::new(level).expect("from 1 to 6"))
            } else {
                row.example
            };
            (raw, codec, record_end, gap)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_segment_we_write_decodes_with_standard_decoders(
        specs in prop::collection::vec(any_chunk(), 0..8),
        family in prop::sample::select(&Family::ALL[..]),
        checksum in any::<bool>(),
        end in prop::sample::select(&[EndState::Continues, EndState::End, EndState::Aborted][..]),
    ) {
        let header = header(family);
        let mut offset = header.first_offset.0;
        let mut chunks = Vec::new();
        for (raw, codec, record_end, gap) in &specs {
            offset += gap;
            chunks.push(Chunk { raw, codec: *codec, record_end: *record_end, offset: Some(StreamOffset(offset)) });
            offset += raw.len() as u64;
        }
        let file = write_all(&header, checksum, &chunks, end);
        let expected = specs.iter().map(|(raw, ..)| &raw[..]).collect::<Vec<_>>().concat();
        prop_assert!(decode_with_standard_decoders(family, &file) == expected);

        let mut own = Vec::new();
        let (_, seal) = read_all(&file, |_, raw| own.extend_from_slice(raw)).unwrap();
        prop_assert!(own == expected);
        prop_assert_eq!((seal.chunks as usize, seal.end_offset.0, seal.end), (specs.len(), offset, end));

        // Segments of one family after one another are still one standard file.
        let twice = decode_with_standard_decoders(family, &[&file[..], &file[..]].concat());
        prop_assert!(twice == [&expected[..], &expected[..]].concat());
    }
}
