//! How frames and structures begin: for who looks at bytes of which nothing is known yet.

use super::header::{HEADER_BYTES, OUR_MAGIC, SKIPPABLE_MAGIC};
use super::record::{SKIPPABLE_LEN, TAG_AT, TAG_CHUNK, TAG_SEAL};
use super::{Family, SlotKind, frame};

/// How our own skippable frames begin.
pub(crate) const OUR_FRAME: [u8; 4] = SKIPPABLE_MAGIC.to_le_bytes();
/// How a reader's place and a spool's begin.
pub(crate) const SLOT_MAGICS: [[u8; 8]; 2] = [SlotKind::Cursor.magic(), SlotKind::Identity.magic()];

const ZSTD_EMPTY: &[u8] = Family::Zstd.empty_frame();
const LZ4_EMPTY: &[u8] = Family::Lz4.empty_frame();
/// The magic and the length of a skippable frame.
const SKIPPABLE_HEADER_BYTES: usize = 8;
/// Of our own magic, what a transfer as text leaves.
const OUR_NAME: &[u8] = OUR_MAGIC.split_at(4).0;

/// The length that follows [`OUR_FRAME`], and how many bytes in front of that the structure begins: a record or a seal; a
/// header of either family, which begins with its empty frame.
pub(crate) const STRUCTURES: [(u32, usize); 3] =
    [(SKIPPABLE_LEN, 0), (header_len(ZSTD_EMPTY), ZSTD_EMPTY.len()), (header_len(LZ4_EMPTY), LZ4_EMPTY.len())];

/// What stands near the start of a segment, and where. One whose first bytes are damaged, or cut off, has some of it.
pub(crate) const SEGMENT_MARKS: [(usize, &[u8]); 7] = [
    (0, ZSTD_EMPTY),
    (0, LZ4_EMPTY),
    (ZSTD_EMPTY.len() + SKIPPABLE_HEADER_BYTES, OUR_NAME),
    (LZ4_EMPTY.len() + SKIPPABLE_HEADER_BYTES, OUR_NAME),
    (TAG_AT, &TAG_CHUNK),
    (TAG_AT, &TAG_SEAL),
    (HEADER_BYTES + TAG_AT, &TAG_CHUNK),
];

#[expect(clippy::cast_possible_truncation, reason = "at most 120")]
const fn header_len(empty: &[u8]) -> u32 {
    (HEADER_BYTES - empty.len() - SKIPPABLE_HEADER_BYTES) as u32
}

impl Family {
    /// How its data frames begin, and with that its segments.
    pub(crate) const fn frame_magic(self) -> [u8; 4] {
        match self {
            Self::Zstd => frame::ZSTD_MAGIC.to_le_bytes(),
            Self::Lz4 => frame::LZ4_MAGIC.to_le_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{
        ChunkSeq, EndState, RECORD_BYTES, Salt, Seal, SegmentHeader, SegmentNumber, StoreId, StreamOffset, needle,
    };

    #[test]
    fn what_is_written_begins_as_it_is_looked_for() {
        for family in Family::ALL {
            let header = SegmentHeader {
                store: StoreId([7; 16]),
                number: SegmentNumber(1),
                first_seq: ChunkSeq(0),
                first_offset: StreamOffset(0),
                chunk_bytes_max: 4096,
                salt: Salt(9),
                created_ns: 0,
                family,
            };
            let (bytes, end) = (header.encode(), EndState::End);
            let (next_seq, end_offset) = (ChunkSeq(0), StreamOffset(0));
            let seal = Seal { next_seq, end_offset, chunks: 0, table_len: 41, table_crc: 5, end }.encode(&header.key());
            let record = needle(&header.key());
            assert!(bytes.starts_with(&family.frame_magic()));
            for structure in [&bytes[..], &seal, &record] {
                let found = STRUCTURES.iter().filter(|(len, front)| {
                    let begins = [&OUR_FRAME[..], &len.to_le_bytes()].concat();
                    structure[*front..].starts_with(&begins)
                });
                assert_eq!(found.count(), 1);
            }
            let stands = |bytes: &[u8], (at, mark): &(usize, &[u8])| bytes[*at..].starts_with(mark);
            let with_record = [&bytes[..], &record, &[0; RECORD_BYTES]].concat();
            assert_eq!(SEGMENT_MARKS.iter().filter(|mark| stands(&with_record, mark)).count(), 3);
            let behind = [&seal[..], &bytes].concat();
            assert_eq!(SEGMENT_MARKS.iter().filter(|mark| stands(&behind, mark)).count(), 1);
        }
    }
}
