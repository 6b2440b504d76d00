//! What a caller is told while a pipe runs, and why it ended.

use crate::format::{FormatError, SegmentNumber};
use crate::ring::FullReason;
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
}

/// Why a pipe ended before its input did. The first cause, never a consequence of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option is out of bounds.
    #[error(transparent)]
    Options(#[from] super::OptionsError),
    /// Reading the input failed. What had been read by then has been handed out.
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
    /// A chunk in memory is not what was put there. Nothing of it was handed out.
    #[error("damaged chunk in memory: {source}")]
    DamagedMemory {
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
    /// A stage panicked: a defect of this program. Nothing more went out after it.
    #[error("the {stage} stage broke: this is a defect, please report it")]
    Defect {
        /// The stage.
        stage: &'static str,
    },
    /// The system refused what it takes to start: a descriptor, a thread, random numbers.
    #[error("cannot start: {0}")]
    Start(#[source] io::Error),
}
