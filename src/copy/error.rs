//! What is left to say when a copy fails.

use std::io;

/// A copy that ended early, and where it stood: what has been written, then [`unwritten`](Self::unwritten), then what
/// the input still holds are together the whole of it.
#[derive(Debug, thiserror::Error)]
#[error("copy failed after {copied_bytes} bytes: {source}")]
pub struct CopyError {
    /// Bytes that the output took.
    pub copied_bytes: u64,
    /// Bytes that were taken from the input, and that the output did not take: the next to be written. At most 1 MiB;
    /// none when the input is a file, which is wound back.
    pub unwritten: Vec<u8>,
    /// What the system said.
    pub source: io::Error,
}

/// Of the same kind, with the whole error inside.
impl From<CopyError> for io::Error {
    fn from(error: CopyError) -> Self {
        Self::new(error.source.kind(), error)
    }
}
