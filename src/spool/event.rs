//! What a reader meets, and what a writer tells.

use super::Position;
use crate::format::{SegmentNumber, StreamOffset};
use crate::ring::FullReason;
use std::time::Duration;

/// What comes next in the stream.
#[derive(Debug)]
pub enum Next<'r> {
    /// Data.
    Data(Data<'r>),
    /// Data is missing that was dropped on purpose.
    Gap(Gap),
    /// Data is missing, or bytes are, that are not what was written.
    Damage(Damage),
    /// A stream ended here. Another may follow.
    End(Ended),
    /// Nothing more for now.
    Empty {
        /// Whether a writer has the spool open, so that more may come any moment.
        writer: bool,
    },
}

/// A chunk, or the rest of one: verified.
#[derive(Debug)]
pub struct Data<'r> {
    /// Its bytes, at least one.
    pub bytes: &'r [u8],
    /// Where it begins.
    pub from: Position,
    /// Past its end: what to acknowledge when all of it is dealt with.
    pub to: Position,
    /// Whether it ends on a record boundary of the user's.
    pub record_end: bool,
}

impl Data<'_> {
    /// The place behind the first `len` bytes: what to acknowledge when so much of it is dealt with.
    #[must_use]
    pub fn place(&self, len: usize) -> Position {
        if len >= self.bytes.len() {
            return self.to;
        }
        let offset = self.from.offset.0.saturating_add(len as u64);
        Position { offset: StreamOffset(offset), ..self.from }
    }
}

/// Data that was dropped on purpose, before this reader had it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gap {
    /// Bytes of it.
    pub bytes: u64,
    /// Chunks of it; 0 when it was dropped before it was made into chunks.
    pub chunks: u64,
}

/// Bytes that are not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// In which segment.
    pub segment: SegmentNumber,
    /// Where in it, in bytes.
    pub at: u64,
    /// How many bytes of the segment are damaged; 0 when they are missing.
    pub damaged_bytes: u64,
    /// How many bytes of the stream are lost with them. 0: no data was in there, or it is not known how much.
    pub lost_bytes: u64,
    /// How many chunks are lost.
    pub lost_chunks: u64,
    /// The name under which the damaged bytes are kept in the quarantine.
    pub kept: Option<String>,
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With an end mark: it is complete.
    Complete,
    /// Without: its producer gave up, or died.
    Incomplete,
}

/// What a writer tells while it works.
#[derive(Debug)]
#[non_exhaustive]
pub enum WriterEvent {
    /// The disk or its limit is full. What follows depends on [`WhenFull`](crate::ring::WhenFull).
    Full(FullReason),
    /// There is room again.
    Resumed {
        /// How long it was full.
        after: Duration,
    },
    /// Data was dropped to keep within the limit, that not every reader had.
    Dropped(Gap),
}
