//! What a caller is told while a pipe runs, and why it ended.

use crate::format::{FormatError, SegmentNumber};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Something worth a line to the user.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The first chunk goes to disk.
    SpillStarted {
        /// Where to.
        dir: PathBuf,
        /// Whether that is a tmpfs: memory in disguise.
        tmpfs: bool,
    },
    /// The disk or its limit is full. What follows depends on [`WhenFull`](super::WhenFull).
    Full {
        /// Where.
        dir: PathBuf,
        /// What the system, or the limit, said.
        reason: FullReason,
        /// Raw bytes held in memory and on disk at this moment.
        backlog_bytes: u64,
    },
    /// There is room again.
    Resumed {
        /// How long it was full.
        after: Duration,
    },
    /// Chunks are being dropped: told once each time it begins.
    Dropping {
        /// Whether the oldest go, or the newest.
        oldest: bool,
    },
}

/// Why no more can be spilled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FullReason {
    /// The file system is full, or a quota is used up.
    #[error("{0}")]
    System(io::Error),
    /// `max_disk_bytes` is reached.
    #[error("the limit of {limit_bytes} bytes on disk is reached")]
    MaxDisk {
        /// The limit.
        limit_bytes: u64,
    },
    /// `min_free` is reached.
    #[error("only {free_bytes} bytes are free, and {min_free_bytes} are to stay so")]
    MinFree {
        /// Bytes free.
        free_bytes: u64,
        /// Bytes to be left free.
        min_free_bytes: u64,
    },
    /// No more segment files can be open at once.
    #[error("{open} segment files are open, as many as may be")]
    Descriptors {
        /// Segment files open.
        open: usize,
    },
}

/// Why a pipe ended before its input did. The first cause, never a consequence of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option is out of bounds.
    #[error(transparent)]
    Options(#[from] super::OptionsError),
    /// Reading the input failed.
    #[error("cannot read the input: {0}")]
    Input(#[source] io::Error),
    /// Writing the output failed.
    #[error("cannot write the output: {0}")]
    Output(#[source] io::Error),
    /// The consumer went away.
    #[error("the consumer went away")]
    OutputClosed,
    /// Spilling or reading back failed.
    #[error("cannot {doing} {}: {source}", dir.display())]
    Spill {
        /// What was being done, as in "spill to".
        doing: &'static str,
        /// The directory.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What was read back is not what was written. Nothing of the chunk was handed out.
    #[error("damaged spill in {}: segment {segment}, byte {byte}: {source}", dir.display())]
    Damaged {
        /// The directory.
        dir: PathBuf,
        /// The segment.
        segment: SegmentNumber,
        /// Where in it, in bytes.
        byte: u64,
        /// What was wrong.
        source: FormatError,
    },
    /// The disk or its limit is full, under [`WhenFull::Fail`](super::WhenFull).
    #[error("cannot spill to {}: {reason}", dir.display())]
    Full {
        /// Where.
        dir: PathBuf,
        /// Why.
        reason: FullReason,
    },
    /// A thread could not be started, or one of the engine's own gave up.
    #[error("cannot start a worker thread: {0}")]
    Thread(#[source] io::Error),
}
