//! What is known of an encoded chunk, wherever it is.

use crate::format::{ChunkSeq, CodecId, Family, Record, StreamOffset};

/// What is known of an encoded chunk before it has a place in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkInfo {
    /// Stream offset of its first raw byte.
    pub offset: StreamOffset,
    /// Raw bytes.
    pub raw_len: u32,
    /// Bytes of its frame.
    pub frame_len: u32,
    /// CRC-32 of the raw bytes.
    pub raw_crc: u32,
    /// CRC-32 of the frame.
    pub frame_crc: u32,
    /// How it is stored.
    pub codec: CodecId,
    /// The family that its frame belongs to.
    pub family: Family,
}

impl ChunkInfo {
    /// Its record, as the chunk of that sequence number.
    #[must_use]
    pub fn record(&self, seq: ChunkSeq) -> Record {
        Record {
            seq,
            offset: self.offset,
            raw_len: self.raw_len,
            frame_len: self.frame_len,
            raw_crc: self.raw_crc,
            frame_crc: self.frame_crc,
            codec: self.codec,
            record_end: false,
        }
    }

    /// What a record read back from a segment of `family` says.
    #[must_use]
    pub fn of(record: &Record, family: Family) -> Self {
        Self {
            offset: record.offset,
            raw_len: record.raw_len,
            frame_len: record.frame_len,
            raw_crc: record.raw_crc,
            frame_crc: record.frame_crc,
            codec: record.codec,
            family,
        }
    }
}
