//! The seal: the record that says a segment is finished, and whether the stream is.

use super::record::{Fields, TAG_SEAL};
use super::{
    CHUNKS_PER_SEGMENT_MAX, ChunkSeq, FormatError, RECORD_BYTES, SEEK_ENTRIES_MAX, SeekEntry, SeekTable, SegmentKey,
    StreamOffset,
};

const FLAG_END: u8 = 1;
const FLAG_ABORTED: u8 = 2;

/// What a seal says of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndState {
    /// More may follow in the next segment.
    Continues,
    /// The end mark: the stream is complete.
    End,
    /// The producer gave up: the stream ends here, incomplete.
    Aborted,
}

impl EndState {
    const ALL: [Self; 3] = [Self::Continues, Self::End, Self::Aborted];

    fn flags(self) -> u8 {
        match self {
            Self::Continues => 0,
            Self::End => FLAG_END,
            Self::Aborted => FLAG_ABORTED,
        }
    }
}

/// The last record of a sealed segment, in front of its seek table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    /// Sequence number that the next chunk of the stream has.
    pub next_seq: ChunkSeq,
    /// Stream offset just past the last byte.
    pub end_offset: StreamOffset,
    /// Chunks in the segment.
    pub chunks: u32,
    /// Bytes of the seek table that follows, its own skippable header included.
    pub table_len: u32,
    /// CRC-32 of those bytes.
    pub table_crc: u32,
    /// Whether the stream ends here.
    pub end: EndState,
}

impl Seal {
    /// The seal itself, as the segment's seek table lists it: the last entry.
    #[must_use]
    pub fn seek_entry() -> SeekEntry {
        SeekEntry::skippable(RECORD_BYTES)
    }

    /// The 64 bytes, for the segment with this key.
    #[must_use]
    pub fn encode(&self, key: &SegmentKey) -> [u8; RECORD_BYTES] {
        Fields {
            seq: self.next_seq,
            offset: self.end_offset,
            count: self.chunks,
            len: self.table_len,
            first_crc: 0,
            crc: self.table_crc,
            codec: 0,
            flags: self.end.flags(),
        }
        .encode(key, TAG_SEAL)
    }

    /// Reads the 64 bytes back.
    ///
    /// # Errors
    /// [`FormatError::Magic`] when there is no seal here, [`FormatError::Foreign`] when it is another segment's,
    /// [`FormatError::Checksum`] when it is damaged, [`FormatError::TooLong`] and [`FormatError::Field`] when a field
    /// holds what it may not.
    pub fn decode(bytes: &[u8; RECORD_BYTES], key: &SegmentKey) -> Result<Self, FormatError> {
        let fields = Fields::decode(bytes, key, TAG_SEAL, "seal")?;
        let field = |field, value: u64| FormatError::Field { field, value, expected: 0 };
        let end = EndState::ALL.into_iter().find(|e| e.flags() == fields.flags);
        let end = end.ok_or(field("seal flags", u64::from(fields.flags)))?;
        if fields.codec != 0 || fields.first_crc != 0 {
            return Err(field("unused seal field", u64::from(fields.codec) << 32 | u64::from(fields.first_crc)));
        }
        if fields.count > CHUNKS_PER_SEGMENT_MAX {
            let expected = u64::from(CHUNKS_PER_SEGMENT_MAX);
            return Err(FormatError::Field { field: "chunks", value: u64::from(fields.count), expected });
        }
        let [least, most] = [SeekTable::entries_of(fields.count), SEEK_ENTRIES_MAX].map(SeekTable::encoded_len);
        let (value, least, limit) = (u64::from(fields.len), least as u64, most as u64);
        if value > limit {
            return Err(FormatError::TooLong { field: "seek table", value, limit });
        }
        if value < least {
            return Err(FormatError::Field { field: "seek table length", value, expected: least });
        }
        Ok(Self {
            next_seq: fields.seq,
            end_offset: fields.offset,
            chunks: fields.count,
            table_len: fields.len,
            table_crc: fields.crc,
            end,
        })
    }
}
