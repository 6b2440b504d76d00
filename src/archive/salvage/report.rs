//! What was got back, what is lost, and what was left out.

use crate::archive::Foreign;
use crate::format::{EndState, StoreId};
use std::ops::Range;

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The inputs, in their order.
    pub files: Vec<FileReport>,
    /// The streams that were found, in the order of their data in the output.
    pub streams: Vec<StreamReport>,
    /// Chunks that are data of others, and what else is no stream of its own.
    pub left_out: Vec<LeftOut>,
    /// Bytes written, without the zeros.
    pub bytes_out: u64,
    /// Zeros written in place of what is missing, or left out in a file that can have holes.
    pub zeros_out: u64,
}

impl Report {
    /// Whether anything was found that belongs to an archive.
    #[must_use]
    pub fn found_any(&self) -> bool {
        !self.streams.is_empty()
    }

    /// Whether something is missing that was there once, other than an end.
    #[must_use]
    pub fn lost_any(&self) -> bool {
        self.streams.iter().any(|stream| !stream.lost.is_empty())
    }

    /// Whether every stream has its end mark.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.streams.iter().all(|stream| stream.end == Some(EndState::End))
    }
}

/// An input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileReport {
    /// As messages call it.
    pub name: String,
    /// Bytes of it.
    pub bytes: u64,
    /// Bytes of it that are no part of an archive, or of one that is damaged there.
    pub junk_bytes: u64,
    /// What it is by its first bytes, if they are not those of an archive. There may be one further on all the same.
    pub foreign: Option<Foreign>,
}

/// One stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamReport {
    /// Which of the files it was first found in.
    pub file: usize,
    /// Where in that.
    pub at: u64,
    /// Its store, unless all headers are lost.
    pub store: Option<StoreId>,
    /// Where its data begins in the output; `None` with [`unordered`](super::Options::unordered), where it is all over.
    pub output_at: Option<u64>,
    /// Chunks that were got back.
    pub chunks: u64,
    /// Bytes that were.
    pub bytes: u64,
    /// What was got back, one after another.
    pub recovered: Vec<Span>,
    /// What is missing.
    pub lost: Vec<Span>,
    /// Bytes that were dropped on purpose when it was written, between chunks that are all there.
    pub dropped_bytes: u64,
    /// Whole chunks that contradict those that were got back: those of another copy of the store, written on.
    pub contradicting_chunks: u64,
    /// What the seal behind its last chunk says; `None`: there is none.
    pub end: Option<EndState>,
}

/// A part of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Sequence numbers of its chunks.
    pub chunks: Range<u64>,
    /// Stream offsets of its bytes. Of what is lost it is at most these, as some may have been dropped on purpose.
    pub bytes: Range<u64>,
}

/// Whole chunks that are no stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Which of the files they are in.
    pub file: usize,
    /// Where in that.
    pub at: u64,
    /// How many there are.
    pub chunks: u64,
    /// Why they were left out.
    pub why: Why,
}

/// Why chunks are no stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// They are data of a chunk of another stream, which is damaged there.
    Nested,
    /// Their record is damaged: what it says of their place does not hold.
    DamagedRecord,
}
