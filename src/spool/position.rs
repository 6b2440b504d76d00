//! Stretches of a stream.

use super::Position;

/// A stretch of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first byte.
    pub from: Position,
    /// Past its last one.
    pub to: Position,
}

impl Span {
    /// Its bytes, with those that were dropped or damaged.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.to.offset.0.saturating_sub(self.from.offset.0)
    }
}
