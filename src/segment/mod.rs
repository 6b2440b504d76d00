//! One segment: what is written into it in which order, and how a reader makes sure of that order.
//!
//! ```text
//! | empty frame + header 128 | record 64 | frame | record 64 | frame | ... | seal 64 | seek table |
//!                            ^ SegmentWalker::at() goes from structure to structure ^
//! ```
//!
//! [`SegmentEncoder`] hands out the bytes of the structures and numbers the chunks; [`SegmentWalker`] takes them back
//! and refuses what is out of order; [`open_chunk`] turns a stored frame into verified raw bytes. None of the three
//! reads or writes anything: the caller has the file. [`write_all`] and [`read_all`] do a whole segment in memory.
//!
//! Invariants:
//! - chunks of a segment are numbered without a gap, from the header's first sequence number on;
//! - stream offsets never go back; a gap between two chunks is data that was dropped on purpose;
//! - no byte of a chunk is handed out before frame CRC, decoded length and raw CRC have been checked;
//! - the seek table is derived from the records: it is checked against them and never trusted.
//!
//! What this module does not do: compress (see [`crate::codec`]), find its way after damage, or name files.

mod decode;
mod encode;
mod memory;

pub use crate::format::CHUNKS_PER_SEGMENT_MAX;
pub use decode::{Next, SegmentWalker, open_chunk};
pub(crate) use decode::{check_crc, open_checked_chunk, others_skippable};
pub use encode::{ChunkInfo, SegmentEncoder};
pub use memory::{Chunk, SegmentError, read_all, write_all};
