//! Bytes to structs and back, and nothing else: no I/O, no clock, no threads, no allocation that a length field
//! could inflate.
//!
//! A segment is a valid sequence of standard zstd or LZ4 frames; what is ours rides between them in skippable frames:
//!
//! ```text
//! | header 128 | record 64 | frame | record 64 | frame | ... | seal 64 | seek table |
//! ```
//!
//! docs/format.md is the normative text. This module does not read files ([`crate::segment`] does), does not
//! compress ([`crate::codec`] does) and never trusts a length that it has not checked against its bound.

mod bytes;
mod error;
pub mod frame;
mod header;
mod ids;
pub(crate) mod marks;
mod record;
mod seal;
mod seek;
mod slot;

pub use error::FormatError;
pub use header::{Family, HEADER_BYTES, SegmentHeader};
pub use ids::{ChunkSeq, Salt, SegmentNumber, StoreId, StreamOffset};
pub use record::{CodecId, NEEDLE_BYTES, RECORD_BYTES, Record, SegmentKey, StoreMark, needle};
pub use seal::{EndState, Seal};
pub(crate) use seek::{
    ENTRY_BYTES as SEEK_ENTRY_BYTES, HEAD_BYTES as SEEK_HEAD_BYTES, entry_bytes as seek_entry_bytes,
    foot_bytes as seek_foot_bytes, head_bytes as seek_head_bytes,
};
pub use seek::{FOOTER_BYTES, SEEK_ENTRIES_MAX, SeekDigest, SeekEntry, SeekTable};
pub use slot::{HOLES_MAX, Hole, Position, SLOT_BYTES, Slot, SlotKind, SlotState};

/// Largest chunk, in raw bytes.
pub const CHUNK_BYTES_MAX: u32 = 4 << 20;

/// Smallest chunk size that can be asked for, in raw bytes (the last chunk of a stream may be shorter).
pub const CHUNK_BYTES_MIN: u32 = 4 << 10;

/// Most chunks in one segment: 4 TiB of 256-KiB chunks, and a seek table of 256 MiB. Who would keep tables small rolls
/// to the next segment long before.
pub const CHUNKS_PER_SEGMENT_MAX: u32 = 1 << 24;

/// The CRC-32 (IEEE 802.3, as in zlib and gzip) used throughout the format.
///
/// ```
/// assert_eq!(spillpipe::format::crc32(b"123456789"), 0xCBF4_3926);
/// ```
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}
