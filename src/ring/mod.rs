//! The ring: the encoded chunks of one stream in order, in memory first and then on disk.
//!
//! ```text
//!          pop                                                                     push
//!   window <── │ front │ <── │ seg │ seg │ seg │ seg (tail) │ <── blocks under way <── │ back │ <── encoders
//!               memory                    disk                                          memory
//!               oldest                                                                  newest
//! ```
//! - *Memory first.* While nothing is on disk, chunks go to the front, as far as the budget allows: the oldest data is
//!   read next and is what memory should hold. Only what is newer goes to the back, and from there to disk.
//! - Whatever is drained from the front, or from the back before its turn on disk came, never costs a disk write.
//! - A chunk gets its place in a segment, and the record for it, only when it is written there. So a write that failed
//!   leaves nothing to repair: the segment ends where it last succeeded, and the blocks go into the next one.
//! - A segment is begun, appended to, read and removed; nothing in it is ever changed.
//!
//! [`Ring`] is the bookkeeping alone, without I/O: it lives behind the engine's lock. [`Tail`] writes and [`Head`]
//! reads segments, each owned by one thread, outside the lock. Nothing here compresses, waits or prints.

mod chunk;
mod head;
mod limits;
mod pool;
mod shelf;
mod tail;

pub use chunk::ChunkInfo;
pub use head::{Head, HeadError, Readable};
pub use limits::{DiskLimits, FullReason, Headroom, Room, WhenFull};
pub use pool::{Buffer, Pool};
pub use shelf::{Block, Shelf, StoredChunk};
pub use tail::{AppendError, Tail};
pub(crate) use tail::{new_salt, now_ns};

use crate::format::{FormatError, HEADER_BYTES, SegmentHeader};
use crate::store::{Read, SegmentName};
use std::collections::VecDeque;
use std::sync::Arc;

/// What a write to disk waits for, in bytes.
const WRITE_BYTES: usize = 1 << 20;
/// A write does not wait for more than this fraction of what the back may hold: the rest is to fill while it is made.
const WRITES_PER_BACK_MIN: usize = 4;
/// Most blocks that one write to disk is made of.
const BLOCKS_PER_WRITE_MAX: usize = 128;

/// Least blocks that a ring works with: one to be written, one to be filled behind it, and one in front, without which
/// what is left in the back could never be promoted.
pub const BLOCKS_MIN: usize = 3;

/// Chunks after which a ring or a spool goes on in the next segment at the latest, so that the seek table of the one that
/// is open takes at most 1 MiB of memory.
pub const SEGMENT_CHUNKS_MAX: u32 = 1 << 16;

/// A segment on disk, as far as the ring needs to know it.
#[derive(Debug)]
pub struct Segment {
    name: SegmentName,
    header: SegmentHeader,
    file: Arc<dyn Read>,
    len: u64,
    unread: Count,
}

/// Chunks and raw bytes that are yet to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Chunks.
    pub chunks: u64,
    /// Their raw bytes.
    pub raw_bytes: u64,
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, more: Self) {
        self.chunks += more.chunks;
        self.raw_bytes += more.raw_bytes;
    }
}

impl std::ops::SubAssign for Count {
    fn sub_assign(&mut self, less: Self) {
        self.chunks -= less.chunks;
        self.raw_bytes -= less.raw_bytes;
    }
}

impl Segment {
    fn new(name: SegmentName, header: SegmentHeader, file: Arc<dyn Read>, len: u64) -> Self {
        Self { name, header, file, len, unread: Count::default() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> SegmentName {
        self.name
    }

    /// Whether a chunk was ever written to it.
    #[must_use]
    pub fn was_written_to(&self) -> bool {
        self.len > HEADER_BYTES as u64
    }
}

/// The bookkeeping of a ring.
#[derive(Debug)]
pub struct Ring {
    pool: Arc<Pool>,
    /// Buffers that the front, the back and the blocks under way may take together.
    blocks_max: usize,
    /// Of these, how many are kept for the back.
    back_blocks_min: usize,
    front: Shelf,
    segments: VecDeque<Segment>,
    disk_bytes: u64,
    back: Shelf,
    /// Blocks that are being written.
    under_way: usize,
    /// The oldest segment is being read.
    reading: bool,
}

impl Ring {
    /// An empty ring that may take `blocks_max` buffers of `pool`.
    ///
    /// # Panics
    /// When `blocks_max` is under [`BLOCKS_MIN`].
    #[must_use]
    pub fn new(pool: Arc<Pool>, blocks_max: usize) -> Self {
        assert!(blocks_max >= BLOCKS_MIN, "a block to be written, one to be filled and one in front");
        Self {
            pool,
            blocks_max,
            back_blocks_min: (blocks_max / 4).max(2),
            front: Shelf::default(),
            segments: VecDeque::new(),
            disk_bytes: 0,
            back: Shelf::default(),
            under_way: 0,
            reading: false,
        }
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.front.is_empty() && self.nothing_behind_front()
    }

    fn nothing_behind_front(&self) -> bool {
        self.segments.is_empty() && self.under_way == 0 && self.back.is_empty()
    }

    fn front_blocks_max(&self) -> usize {
        self.blocks_max - self.back_blocks_min
    }

    fn back_blocks_max(&self) -> usize {
        self.blocks_max - self.front.blocks()
    }

    /// Whether the chunk can be taken in now.
    #[must_use]
    pub fn accepts(&self, info: &ChunkInfo) -> bool {
        self.to_front(info)
            || self.under_way + self.back.blocks() < self.back_blocks_max()
            || (self.back.fits(info) && self.under_way + self.back.blocks() <= self.back_blocks_max())
    }

    fn to_front(&self, info: &ChunkInfo) -> bool {
        let room = self.front.blocks() < self.front_blocks_max();
        self.nothing_behind_front() && (room || self.front.fits(info))
    }

    /// Takes in the newest chunk, which it [`accepts`](Self::accepts).
    pub fn push(&mut self, chunk: StoredChunk) {
        debug_assert!(self.accepts(&chunk.info));
        if self.to_front(&chunk.info) {
            self.front.push(chunk);
        } else {
            self.back.push(chunk);
        }
    }

    /// Takes the oldest chunk, if it is in memory.
    ///
    /// # Errors
    /// [`FormatError`] when its record is not what was put there.
    pub fn pop_from_memory(&mut self) -> Result<Option<StoredChunk>, FormatError> {
        if self.front.is_empty() && self.segments.is_empty() && self.under_way == 0 {
            // Nothing is on disk: what waits to be written is the oldest, and need not be.
            while self.front.blocks() < self.front_blocks_max() {
                let Some(block) = self.back.pop_block() else { break };
                self.front.push_block(block);
            }
        }
        self.front.pop(&self.pool)
    }

    /// Whether the oldest chunk is on disk, ready to be read.
    #[must_use]
    pub fn readable(&self) -> bool {
        self.front.is_empty() && !self.reading && self.segments.front().is_some_and(|s| s.unread.chunks > 0)
    }

    /// Tells where on disk the oldest chunk is, if it is there. [`end_read`](Self::end_read) must follow.
    pub fn begin_read(&mut self) -> Option<Readable> {
        if !self.readable() {
            return None;
        }
        self.reading = true;
        let Segment { name, header, file, len, .. } = self.segments.front()?;
        Some(Readable { name: *name, header: *header, file: Arc::clone(file), len: *len })
    }

    /// A chunk of `raw_len` bytes of the oldest segment has been read. When that was its last, the segment is
    /// dropped and its name returned, for removal.
    pub fn end_read(&mut self, raw_len: u32) -> Option<SegmentName> {
        self.reading = false;
        let segment = self.segments.front_mut()?;
        segment.unread -= Count { chunks: 1, raw_bytes: u64::from(raw_len) };
        self.remove_drained()
    }

    /// Drops the oldest segment if nothing in it is left to read, unless it is just being appended to.
    fn remove_drained(&mut self) -> Option<SegmentName> {
        let appending = self.under_way > 0 && self.segments.len() == 1;
        if self.reading || appending || self.segments.front()?.unread.chunks > 0 {
            return None;
        }
        self.pop_segment().map(|segment| segment.name)
    }

    fn pop_segment(&mut self) -> Option<Segment> {
        let segment = self.segments.pop_front()?;
        self.disk_bytes -= segment.len;
        Some(segment)
    }

    /// Whether there are blocks to be written: enough for a large write, or as many as may wait for one.
    #[must_use]
    pub fn can_spill(&self) -> bool {
        let enough = WRITE_BYTES.div_ceil(self.pool.buffer_bytes()).min(BLOCKS_PER_WRITE_MAX);
        let least = enough.min(self.back_blocks_max() / WRITES_PER_BACK_MIN).max(1);
        // The newest block is not whole yet.
        self.under_way == 0 && self.back.blocks() > least
    }

    /// Moves blocks of one family to `blocks`, which is empty, to be written: one, and more until they have
    /// `write_bytes`.
    pub fn spill(&mut self, write_bytes: u64, blocks: &mut Vec<Block>) {
        debug_assert!(blocks.is_empty());
        let mut bytes = 0;
        while let Some(block) = self.back.oldest_whole() {
            let enough = bytes >= write_bytes || blocks.len() == BLOCKS_PER_WRITE_MAX;
            if !blocks.is_empty() && (enough || blocks[0].family() != block.family()) {
                break;
            }
            bytes += block.stored().len() as u64;
            blocks.extend(self.back.pop_block());
        }
        self.under_way = blocks.len();
    }

    /// The newest segment, which is the one to append to, unless all of it was read and it is gone.
    #[must_use]
    pub fn newest_segment(&self) -> Option<SegmentName> {
        self.segments.back().map(|segment| segment.name)
    }

    /// A segment has been begun, for the blocks under way. When the one before has been read to its end, it is
    /// dropped and its name returned, for removal.
    pub fn began(&mut self, segment: Segment) -> Option<SegmentName> {
        self.disk_bytes += segment.len;
        self.segments.push_back(segment);
        self.remove_drained()
    }

    /// The blocks under way, so many chunks, have been written to the newest segment, in so many bytes. Their
    /// buffers must be back in the pool by now.
    pub fn spilled(&mut self, count: Count, bytes: u64) {
        if let Some(tail) = self.segments.back_mut() {
            tail.len += bytes;
            tail.unread += count;
        }
        self.disk_bytes += bytes;
        self.under_way = 0;
    }

    /// The blocks under way could not be written: they are the oldest of the back again. When in the segment that they
    /// were meant for nothing is left to read, it is dropped and returned, for removal.
    pub fn unspill(&mut self, blocks: &mut Vec<Block>) -> Option<Segment> {
        for block in blocks.drain(..).rev() {
            self.back.unpop_block(block);
        }
        self.under_way = 0;
        // It need not be the oldest: behind others it would never be read, and so never be removed.
        let tail = self.segments.pop_back_if(|tail| tail.unread.chunks == 0)?;
        self.disk_bytes -= tail.len;
        Some(tail)
    }

    /// Whether [`drop_oldest`](Self::drop_oldest) would drop something now.
    #[must_use]
    pub fn can_drop(&self) -> bool {
        !self.reading && self.under_way == 0 && !self.is_empty()
    }

    /// Gives up the oldest data on disk, a whole segment, or where there is none in memory, a block. `None`: it is
    /// just being read or written, or there is nothing.
    pub fn drop_oldest(&mut self) -> Option<(Count, Option<SegmentName>)> {
        if !self.can_drop() {
            return None;
        }
        if let Some(segment) = self.pop_segment() {
            return Some((segment.unread, Some(segment.name)));
        }
        let block = self.front.pop_block().or_else(|| self.back.pop_block())?;
        Some((block.count(), None))
    }

    /// Bytes on disk.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        self.disk_bytes
    }

    /// Segments on disk.
    #[must_use]
    pub fn segments(&self) -> usize {
        self.segments.len()
    }

    /// Fill of the memory that waits for the disk, 0 to 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a hint for the codec policy")]
    pub fn back_fill(&self) -> f32 {
        (self.under_way + self.back.blocks()) as f32 / self.back_blocks_max() as f32
    }
}
