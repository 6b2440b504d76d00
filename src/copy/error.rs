//! What is left to say when a copy fails.

use std::io;

/// A copy that ended early, and where it stood: what has been written, then [`unwritten`](Self::unwritten), then what
/// the input still holds are together the whole of it.
///
/// ```
/// use std::io::Write;
/// let (reader, mut producer) = std::io::pipe()?;
/// producer.write_all(b"to nowhere, then here")?;
/// drop(producer);
///
/// let full = std::fs::File::options().write(true).open("/dev/full")?;
/// let error = spillpipe::copy(&reader, &full, Some(12)).expect_err("there is no room");
/// assert_eq!((error.copied_bytes, error.source.kind()), (0, std::io::ErrorKind::StorageFull));
///
/// let mut elsewhere = tempfile::tempfile()?;
/// elsewhere.write_all(&error.unwritten)?;
/// spillpipe::copy(&reader, &elsewhere, None)?;
/// assert_eq!(elsewhere.metadata()?.len(), 21);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[error("copy failed after {copied_bytes} bytes: {source}")]
pub struct CopyError {
    /// Bytes that the output took.
    pub copied_bytes: u64,
    /// Bytes that were taken from the input, and that the output did not take: the next to be written. At most 1 MiB;
    /// none when the input is a file on a disk, which is wound back.
    pub unwritten: Vec<u8>,
    /// What the system said.
    pub source: io::Error,
}

/// Of the same kind, with the whole error inside; the number that the system gave is in [`CopyError::source`] only.
impl From<CopyError> for io::Error {
    fn from(error: CopyError) -> Self {
        Self::new(error.source.kind(), error)
    }
}
