//! Why something with a spool failed.

use super::Position;
use crate::format::FormatError;
use crate::ring::FullReason;
use crate::store::SegmentName;
use std::io;
use std::path::PathBuf;

/// Why something with a spool failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no spool in this directory.
    #[error("{} is no spool", dir.display())]
    NoSpool {
        /// The directory.
        dir: PathBuf,
    },
    /// The directory holds something else.
    #[error("{} holds files and is no spool", dir.display())]
    Foreign {
        /// The directory.
        dir: PathBuf,
    },
    /// A segment or a cursor of another spool, or a file of a later version of the format; or places at the end of all
    /// numbers, where no stream can go on.
    #[error("{}: {source}", file.display())]
    Segment {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: FormatError,
    },
    /// A file of the spool's own that cannot be made sense of.
    #[error("{} is damaged beyond repair: {source}", file.display())]
    Identity {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: FormatError,
    },
    /// Another writer has the spool, or another process reads under this name.
    #[error("{what} is in use{}", process.map_or(String::new(), |id| format!(" by process {id}")))]
    Busy {
        /// What: "the spool DIR", "reader NAME of DIR".
        what: String,
        /// Who has it, if the system tells.
        process: Option<u32>,
    },
    /// There is no reader of this name.
    #[error("{} has no reader '{name}'", dir.display())]
    NoReader {
        /// The directory.
        dir: PathBuf,
        /// The name.
        name: String,
    },
    /// There is a reader of this name already.
    #[error("{} has a reader '{name}' already", dir.display())]
    ReaderExists {
        /// The directory.
        dir: PathBuf,
        /// The name.
        name: String,
    },
    /// No name for a reader.
    #[error(
        "'{name}' is no name for a reader: it takes 1 to 64 letters, digits, dots, dashes and underscores, and begins with neither a dot nor a dash"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// A place that the stream does not have.
    #[error("there is nothing at byte {} of the stream: it goes from {oldest} to {newest}", at.offset)]
    Position {
        /// The place.
        at: Position,
        /// Stream offset of the oldest byte.
        oldest: u64,
        /// Stream offset past the newest byte.
        newest: u64,
    },
    /// As many batches are left behind as a cursor has room for.
    #[error("{count} batches are left behind or under way, as many as a reader keeps")]
    Holes {
        /// How many.
        count: usize,
    },
    /// The disk or its limit is full, under [`WhenFull::Fail`](crate::ring::WhenFull::Fail).
    #[error("cannot write to {}: {reason}", dir.display())]
    Full {
        /// The directory.
        dir: PathBuf,
        /// Why.
        reason: FullReason,
    },
    /// What was to be waited for was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The writer failed before, and takes nothing more.
    #[error("cannot write to {}: an earlier write failed", dir.display())]
    Failed {
        /// The directory.
        dir: PathBuf,
    },
    /// The system failed.
    #[error("cannot {doing} {}: {source}", file.display())]
    Io {
        /// What was being done, as in "read".
        doing: &'static str,
        /// To which file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// Wraps what the system said, for `map_err`.
    pub(super) fn io(doing: &'static str, file: PathBuf) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, file, source }
    }

    /// A segment of the directory.
    pub(super) fn segment_io(
        doing: &'static str,
        dir: &std::path::Path,
        name: SegmentName,
    ) -> impl FnOnce(io::Error) -> Self {
        Self::io(doing, dir.join(name.to_string()))
    }
}

/// For [`std::io::Write`] and [`std::io::Read`], which know no other error.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Io { source, .. } => source.kind(),
            Error::Full { .. } => io::ErrorKind::StorageFull,
            Error::Busy { .. } => io::ErrorKind::ResourceBusy,
            Error::NoSpool { .. } | Error::NoReader { .. } => io::ErrorKind::NotFound,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
