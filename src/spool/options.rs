//! What a caller can ask of a writer and of a reader.

use crate::codec::Choice;
use crate::format::{CHUNK_BYTES_MAX, CHUNK_BYTES_MIN};
use crate::ring::{Headroom, WhenFull};
use crate::sync::threads_default;
use std::time::Duration;

/// How a [`Writer`](super::Writer) works. All sizes are bytes.
///
/// ```
/// use spillpipe::spool::{Sync, WriterOptions};
/// let mut options = WriterOptions::default();
/// options.sync = Sync::EveryChunk;
/// options.max_disk_bytes = Some(1 << 30);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WriterOptions {
    /// Raw bytes a chunk, 4 KiB to 4 MiB; made smaller where the disk or its limit is tiny. Default 256 KiB.
    pub chunk_bytes: usize,
    /// How chunks are compressed. Default [`Choice::Auto`].
    pub codec: Choice,
    /// Threads that compress. With 0 the caller's own thread does it, and `auto` means zstd:3. Default: the cores, at
    /// most 4.
    pub threads: usize,
    /// When what was written is made durable. Default: every second.
    pub sync: Sync,
    /// How long a chunk that is not full yet may be kept from the readers after the one before it: what comes after a
    /// quiet while is seen at once, and a trickle no more often than this. `None`: until it is full, or
    /// [`flush`](std::io::Write::flush). Each time costs a record and a frame of their own, some 100 bytes. Default
    /// 100 ms.
    pub linger: Option<Duration>,
    /// Where chunks may end. Default [`Records::None`].
    pub records: Records,
    /// Most bytes on disk. Default: no limit.
    pub max_disk_bytes: Option<u64>,
    /// How much of the file system stays free. Default 5 %.
    pub min_free: Headroom,
    /// What to do when the disk or its limit is full. Default [`WhenFull::Block`].
    pub when_full: WhenFull,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            chunk_bytes: 256 << 10,
            codec: Choice::Auto,
            threads: threads_default(),
            sync: Sync::Interval(Duration::from_secs(1)),
            linger: Some(Duration::from_millis(100)),
            records: Records::None,
            max_disk_bytes: None,
            min_free: Headroom::Percent(5.0),
            when_full: WhenFull::Block,
        }
    }
}

impl WriterOptions {
    /// The chunk size, within its bounds.
    pub(super) fn chunk_bytes_bounded(&self) -> usize {
        self.chunk_bytes.clamp(CHUNK_BYTES_MIN as usize, CHUNK_BYTES_MAX as usize)
    }
}

/// When a [`Writer`](super::Writer) makes durable what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// When it is asked to: [`Writer::sync`](super::Writer::sync). A power cut may take the rest; the death of the
    /// process does not.
    Asked,
    /// So long after the first byte that is not durable, at the latest, if the disk keeps up.
    Interval(Duration),
    /// Each chunk, before the next one is written.
    EveryChunk,
}

/// Where the records of the user's end. Chunks end there, too, as long as a record fits into a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Records {
    /// Where [`Writer::end_record`](super::Writer::end_record) says; without it, chunks end anywhere.
    None,
    /// After each newline.
    Lines,
    /// After each zero byte.
    Nul,
}

impl Records {
    /// The byte that ends a record.
    pub(super) fn delimiter(self) -> Option<u8> {
        match self {
            Self::None => None,
            Self::Lines => Some(b'\n'),
            Self::Nul => Some(0),
        }
    }
}

/// Where a new reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the oldest data there is.
    Oldest,
    /// With what is written from now on.
    Newest,
}

/// How a [`Reader`](super::Reader) works.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReaderOptions {
    /// Where to begin under a name that is new. Default [`Start::Oldest`].
    pub start: Start,
    /// How long an acknowledgement may stay in memory: so much may come again after a crash. Zero: each is made
    /// durable before [`ack`](super::Reader::ack) returns. Default 1 s.
    pub ack_interval: Duration,
}

impl Default for ReaderOptions {
    fn default() -> Self {
        Self { start: Start::Oldest, ack_interval: Duration::from_secs(1) }
    }
}
