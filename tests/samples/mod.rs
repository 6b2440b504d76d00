//! What several format tests share: a header, some data, and the standard decoders as oracles.
#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    reason = "each test file uses its part; a test fails by panicking"
)]

pub(crate) mod archives;
mod data;
pub(crate) mod golden;
pub(crate) mod readers;

pub(crate) use data::{noise, text};
use spillpipe::format::*;
use std::io::Read as _;

/// A header whose every field differs from every other.
pub(crate) fn header(family: Family) -> SegmentHeader {
    SegmentHeader {
        store: StoreId(*b"0123456789abcdef"),
        number: SegmentNumber(0x1112_1314_1516_1718),
        first_seq: ChunkSeq(0x2122_2324_2526_2728),
        first_offset: StreamOffset(0x3132_3334_3536_3738),
        chunk_bytes_max: 0x0004_0000,
        salt: Salt(0x4142_4344),
        created_ns: 0x5152_5354_5556_5758,
        family,
    }
}

/// A record whose every field differs from every other.
pub(crate) fn record(family: Family) -> Record {
    Record {
        seq: ChunkSeq(0x6162_6364_6566_6768),
        offset: StreamOffset(0x7172_7374_7576_7778),
        raw_len: 0x0003_8182,
        frame_len: 0x0002_9192,
        raw_crc: 0xA1A2_A3A4,
        frame_crc: 0xB1B2_B3B4,
        codec: if family == Family::Zstd { CodecId::Zstd } else { CodecId::Lz4 },
        record_end: true,
    }
}

/// A seal whose every field differs from every other.
pub(crate) fn seal() -> Seal {
    Seal {
        next_seq: ChunkSeq(0x6162_6364_6566_6768),
        end_offset: StreamOffset(0x7172_7374_7576_7778),
        chunks: 0x0000_8182,
        table_len: u32::try_from(SeekTable::encoded_len(SeekTable::entries_of(0x8182))).unwrap(),
        table_crc: 0xB1B2_B3B4,
        end: EndState::End,
    }
}

/// Decodes a whole file with every standard decoder of its family, and returns what they agree on.
///
/// # Panics
/// When one of them refuses the file, or when they disagree.
pub(crate) fn decode_with_standard_decoders(family: Family, file: &[u8]) -> Vec<u8> {
    let mut first = Vec::new();
    let mut second = Vec::new();
    match family {
        Family::Zstd => {
            zstd::stream::read::Decoder::new(file).unwrap().read_to_end(&mut first).expect("libzstd decodes it");
            second = vec![0; first.len()];
            let len = ruzstd::decoding::FrameDecoder::new().decode_all(file, &mut second).expect("ruzstd decodes it");
            assert_eq!(len, first.len());
        }
        Family::Lz4 => {
            for frame in lz4_frames(file) {
                lz4_flex::frame::FrameDecoder::new(frame).read_to_end(&mut first).expect("lz4_flex decodes it");
            }
            // Not in one go: lz4_flex 0.14 panics where a frame has smaller blocks than the one before.
            second.clone_from(&first);
        }
    }
    assert!(first == second, "the decoders disagree");
    first
}

/// The LZ4 frames of a file without its skippable ones, found as the LZ4 frame format says: `lz4_flex` rejects a
/// skippable frame, the `lz4` command (in an ignored test) does not.
fn lz4_frames(mut file: &[u8]) -> Vec<&[u8]> {
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut frames = Vec::new();
    while !file.is_empty() {
        let len = if word(file, 0) & 0xFFFF_FFF0 == 0x184D_2A50 {
            8 + word(file, 4) as usize
        } else {
            assert_eq!(word(file, 0), 0x184D_2204, "an LZ4 frame");
            let (content_size, checksum) = (file[4] & 8 != 0, file[4] & 4 != 0);
            let mut len = if content_size { 15 } else { 7 };
            loop {
                let block = (word(file, len) & 0x7FFF_FFFF) as usize;
                len += 4 + block;
                if block == 0 {
                    break len + if checksum { 4 } else { 0 };
                }
            }
        };
        if word(file, 0) == 0x184D_2204 {
            frames.push(&file[..len]);
        }
        file = &file[len..];
    }
    frames
}
