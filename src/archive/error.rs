//! Why something with an archive failed.

use super::{End, Foreign, Problem};
use crate::format::{FormatError, StreamOffset};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why something with an archive failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system failed.
    #[error("cannot {doing} {name}{}: {source}", at.map_or(String::new(), |at| format!(" at byte {at}")))]
    Io {
        /// What was being done, as in "read".
        doing: &'static str,
        /// To which file.
        name: String,
        /// At which byte of it.
        at: Option<u64>,
        /// What the system said, or what a source failed with.
        source: Arc<io::Error>,
    },
    /// The file is something else.
    #[error("{name} is no archive: it is {what}")]
    Foreign {
        /// The file.
        name: String,
        /// What it is.
        what: Foreign,
    },
    /// It was written by a later version, or uses what this one does not know.
    #[error("cannot read {name}: {source}")]
    Newer {
        /// The file.
        name: String,
        /// What it needs.
        source: FormatError,
    },
    /// Damaged data was met.
    #[error("{name} is damaged {problem}; 'spillpipe salvage' gets back what is undamaged")]
    Damaged {
        /// The file.
        name: String,
        /// What is wrong, and where.
        problem: Box<Problem>,
    },
    /// All that is there is sound, and the end is missing.
    #[error("{name} is {end}, at stream offset {offset}")]
    Incomplete {
        /// The file.
        name: String,
        /// How it ends.
        end: End,
        /// Where in the stream.
        offset: StreamOffset,
    },
    /// A directory without any segments.
    #[error("{} holds no spool and no segments", dir.display())]
    NoSegments {
        /// The directory.
        dir: PathBuf,
    },
    /// A file of a directory's segments that is no regular file.
    #[error("{} is no regular file", file.display())]
    Irregular {
        /// The file.
        file: PathBuf,
    },
}

impl Error {
    /// Damage to this file.
    pub(super) fn damaged(name: String, problem: Problem) -> Self {
        Self::Damaged { name, problem: Box::new(problem) }
    }

    /// Wraps what the system said of a file, for `map_err`.
    pub(super) fn io(
        doing: &'static str,
        name: impl Into<String>,
        at: impl Into<Option<u64>>,
    ) -> impl FnOnce(io::Error) -> Self {
        let (name, at) = (name.into(), at.into());
        move |source| Self::Io { doing, name, at, source: Arc::new(source) }
    }
}

/// For [`std::io::Read`] and [`std::io::Write`], which know no other error.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Io { source, .. } => source.kind(),
            Error::Foreign { .. } | Error::Damaged { .. } | Error::Irregular { .. } => io::ErrorKind::InvalidData,
            Error::Newer { .. } => io::ErrorKind::Unsupported,
            Error::Incomplete { .. } => io::ErrorKind::UnexpectedEof,
            Error::NoSegments { .. } => io::ErrorKind::NotFound,
        };
        Self::new(kind, error)
    }
}
