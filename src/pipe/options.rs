//! What a caller can choose.

use crate::codec::Choice;
use crate::format::{CHUNK_BYTES_MAX, CHUNK_BYTES_MIN};
use crate::ring::{Headroom, WhenFull};
use crate::sync::threads_default;
use std::num::NonZeroU64;
use std::path::PathBuf;

/// Least `memory_bytes`: 4 MiB.
pub const MEMORY_BYTES_MIN: usize = 4 << 20;
/// A chunk takes at most this fraction of the memory, so that enough of them fit to work with.
pub const CHUNKS_IN_MEMORY_MIN: usize = 64;

/// Options of a [`Pipe`](super::Pipe).
///
/// ```
/// use spillpipe::pipe::Options;
/// let mut options = Options::default();
/// options.memory_bytes = 256 << 20;
/// options.spill.max_disk_bytes = Some(10 << 30);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Memory for buffered data, all of it counted, codec contexts included. Default 64 MiB, least
    /// [`MEMORY_BYTES_MIN`].
    pub memory_bytes: usize,
    /// Raw bytes a chunk. Default 256 KiB; from [`CHUNK_BYTES_MIN`] to [`CHUNK_BYTES_MAX`], and never more than
    /// 1/[`CHUNKS_IN_MEMORY_MIN`] of the memory.
    pub chunk_bytes: usize,
    /// How spilled chunks are compressed. Default [`Choice::Auto`].
    pub codec: Choice,
    /// Workers that compress, and as many that decompress; fewer when the memory does not hold a set of buffers for
    /// each. Default: the number of cores, at most 4.
    pub threads: usize,
    /// Where to spill, and how much.
    pub spill: SpillOptions,
    /// Most bytes a second to take in. Default: no limit.
    pub read_rate: Option<NonZeroU64>,
    /// Most bytes a second to hand out. Default: no limit.
    pub write_rate: Option<NonZeroU64>,
    /// Whether bytes may go from the input to the output by `splice(2)` while nothing is buffered. Default: yes. It is
    /// not done where the bytes are to be seen ([`Pipe::tap`](super::Pipe::tap)) or held back (`write_rate`), nor for a
    /// trickle, nor where the output is no pipe. Of an input that is a file, up to 1 MiB in the output's pipe are
    /// the file's own pages then: who overwrites them in place changes what the consumer is about to read.
    pub splice: bool,
}

/// Where to spill, and how much.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SpillOptions {
    /// The directory. Default: `$TMPDIR`, else `/var/tmp`.
    pub dir: PathBuf,
    /// Most bytes on disk. Default: no limit.
    pub max_disk_bytes: Option<u64>,
    /// How much of the file system stays free. Default 5 %.
    pub min_free: Headroom,
    /// What to do when the disk or its limit is full and memory too. Default [`WhenFull::Block`].
    pub when_full: WhenFull,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            memory_bytes: 64 << 20,
            chunk_bytes: 256 << 10,
            codec: Choice::Auto,
            threads: threads_default(),
            spill: SpillOptions::default(),
            read_rate: None,
            write_rate: None,
            splice: true,
        }
    }
}

impl Default for SpillOptions {
    fn default() -> Self {
        Self {
            dir: std::env::var_os("TMPDIR").filter(|d| !d.is_empty()).map_or_else(|| "/var/tmp".into(), PathBuf::from),
            max_disk_bytes: None,
            min_free: Headroom::Percent(5.0),
            when_full: WhenFull::Block,
        }
    }
}

/// An option outside its bounds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// Too little memory.
    #[error("memory of {memory_bytes} bytes is too little: it takes at least {least_bytes}")]
    Memory {
        /// What was asked for, in bytes.
        memory_bytes: usize,
        /// What it takes at least with these options, in bytes.
        least_bytes: usize,
    },
    /// A chunk size out of bounds.
    #[error("chunk size {chunk_bytes} is not between {CHUNK_BYTES_MIN} and {CHUNK_BYTES_MAX}")]
    Chunk {
        /// What was asked for, in bytes.
        chunk_bytes: usize,
    },
    /// No workers, or more than there is any use for.
    #[error("{threads} threads: it takes 1 to {THREADS_MAX}")]
    Threads {
        /// What was asked for.
        threads: usize,
    },
}

/// Most workers of a kind.
pub const THREADS_MAX: usize = crate::sync::ordered::THREADS_MAX;
