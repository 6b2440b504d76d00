//! Which part of a stream is wanted. Pure.

use super::index::Goal;
use super::track::Position;
use std::ops::Range;

/// Which part of a stream is wanted. Where several streams stand in one file, each goes on where the one before it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Span {
    /// All of it.
    #[default]
    All,
    /// Stream offsets; to [`u64::MAX`]: to the end.
    Bytes(Range<u64>),
    /// Numbers of chunks; to [`u64::MAX`]: to the end.
    Chunks(Range<u64>),
}

impl Span {
    /// What comes first of it, unless that is the start.
    pub(super) fn goal(&self) -> Option<Goal> {
        match self {
            Self::All => None,
            Self::Bytes(range) => Some(Goal::Offset(range.start)),
            Self::Chunks(range) => Some(Goal::Number(range.start)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Bytes(range) | Self::Chunks(range) if range.is_empty())
    }

    /// Whether all of it lies in front of this position.
    pub(super) fn ends_before(&self, position: Position) -> bool {
        match self {
            Self::All => false,
            Self::Bytes(range) => position.offset >= range.end,
            Self::Chunks(range) => position.number >= range.end,
        }
    }

    /// How much of a gap is in it: from `start` on, in a stream that begins at `origin`.
    pub(super) fn misses(&self, start: Position, len: u64, origin: Option<Position>) -> u64 {
        match self {
            // Of chunks, what lies between two of them.
            Self::Chunks(range) if start.number >= range.end => 0,
            Self::Chunks(range) if start.number <= range.start.max(origin.unwrap_or_default().number) => 0,
            _ => {
                let cut = self.cut(start.offset, len);
                cut.end - cut.start
            }
        }
    }

    /// How much of these bytes is in it, and from where on.
    pub(super) fn cut(&self, start: u64, len: u64) -> Range<u64> {
        match self {
            Self::All | Self::Chunks(_) => 0..len,
            Self::Bytes(range) => {
                let end = range.end.saturating_sub(start).min(len);
                range.start.saturating_sub(start).min(end)..end
            }
        }
    }
}
