//! Encoded chunks in memory, in order, packed into pool buffers.
//!
//! ```text
//!  pop                                   push
//!   <──  │frame frame ▒│  │frame frame frame│  │frame ░░░│  <──
//!            block              block            block (packing)
//! ```
//! A frame never straddles two blocks. A frame that fits behind the last one is copied there; one that does not
//! brings its own buffer along as a new block, so a chunk that did not compress is never copied.
//! A block holds chunks of one family, so that it can be written into one segment.

use super::ChunkInfo;
use super::{Buffer, Pool};
use crate::format::{HEADER_BYTES, RECORD_BYTES};
use std::collections::VecDeque;
use std::sync::Arc;

/// A stored chunk in memory: what is known of it, and its frame alone in a buffer.
#[derive(Debug)]
pub struct StoredChunk {
    /// What is known of it.
    pub info: ChunkInfo,
    /// Its data frame, exactly.
    pub frame: Buffer,
}

/// Frames of one family, back to back in one buffer.
#[derive(Debug)]
pub struct Block {
    chunks: VecDeque<ChunkInfo>,
    frames: Buffer,
    /// Where the frame of the first chunk starts: the ones before it have been taken.
    start: usize,
}

impl Block {
    fn fits(&self, info: &ChunkInfo) -> bool {
        let same_family = self.chunks.back().is_none_or(|last| last.family == info.family);
        same_family && self.frames.spare() >= info.frame_len as usize
    }

    /// Its chunks and their frames, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&ChunkInfo, &[u8])> {
        let mut at = self.start;
        self.chunks.iter().map(move |info| {
            let from = at;
            at += info.frame_len as usize;
            (info, &self.frames.filled()[from..at])
        })
    }
}

/// A queue of blocks.
#[derive(Debug, Default)]
pub struct Shelf {
    blocks: VecDeque<Block>,
}

impl Shelf {
    /// Whether there is no chunk.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Buffers in use.
    #[must_use]
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Whether a chunk fits without another buffer.
    #[must_use]
    pub fn fits(&self, info: &ChunkInfo) -> bool {
        self.blocks.back().is_some_and(|block| block.fits(info))
    }

    /// Adds the newest chunk.
    pub fn push(&mut self, chunk: StoredChunk) {
        match self.blocks.back_mut().filter(|block| block.fits(&chunk.info)) {
            Some(block) => {
                block.frames.extend(chunk.frame.filled());
                block.chunks.push_back(chunk.info);
            }
            None => self.blocks.push_back(Block { chunks: [chunk.info].into(), frames: chunk.frame, start: 0 }),
        }
    }

    /// Takes the oldest chunk, in a buffer of its own: the block's, when it is alone there.
    pub fn pop(&mut self, pool: &Arc<Pool>) -> Option<StoredChunk> {
        let block = self.blocks.front_mut()?;
        if block.chunks.len() == 1 && block.start == 0 {
            let Block { mut chunks, frames, .. } = self.blocks.pop_front()?;
            return chunks.pop_front().map(|info| StoredChunk { info, frame: frames });
        }
        let info = block.chunks.pop_front()?;
        let end = block.start + info.frame_len as usize;
        let mut frame = pool.take();
        frame.extend(&block.frames.filled()[block.start..end]);
        block.start = end;
        if block.chunks.is_empty() {
            self.blocks.pop_front();
        }
        Some(StoredChunk { info, frame })
    }

    /// The oldest block, when it is `whole`: another has been begun behind it, so no more is packed into it.
    #[must_use]
    pub fn oldest_whole(&self) -> Option<&Block> {
        self.blocks.front().filter(|_| self.blocks.len() > 1)
    }

    /// Takes the oldest block.
    pub fn pop_block(&mut self) -> Option<Block> {
        self.blocks.pop_front()
    }

    /// Adds a block as the newest.
    pub fn push_block(&mut self, block: Block) {
        self.blocks.push_back(block);
    }

    /// Puts back, as the oldest, a block that was taken.
    pub fn unpop_block(&mut self, block: Block) {
        self.blocks.push_front(block);
    }
}

impl Block {
    /// How many chunks it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chunks.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The first chunk.
    #[must_use]
    pub fn first(&self) -> Option<&ChunkInfo> {
        self.chunks.front()
    }

    /// Bytes that it takes on disk, at most: records, frames, and a header in case a segment begins with it.
    #[must_use]
    pub fn stored_bytes_max(&self) -> u64 {
        let chunks = self.chunks.iter().map(|info| RECORD_BYTES as u64 + u64::from(info.frame_len));
        HEADER_BYTES as u64 + chunks.sum::<u64>()
    }

    /// Raw bytes of its chunks.
    #[must_use]
    pub fn raw_bytes(&self) -> u64 {
        self.chunks.iter().map(|info| u64::from(info.raw_len)).sum()
    }
}
