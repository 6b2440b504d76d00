//! Encoded chunks in memory, in order, packed into pool buffers as they are written to disk.
//!
//! ```text
//!  pop                                             push
//!   <──  │▒▒▒▒▒▒▒▒▒ R frame │  │R frame R frame│  │R frame ░░░│  <──
//!               block               block        block (packing)
//! ```
//! In front of each frame lies its record (R). It keeps what is known of the chunk while that is in memory, and is
//! encoded anew, in place, when the block is written. So a block is one run of bytes for the disk, it needs no list of
//! its chunks beside it, and all that a chunk takes is counted in its buffer.
//!
//! A frame never straddles two blocks. A frame that fits behind the last one is copied there; one that does not
//! brings its own buffer along as a new block, so a chunk that did not compress is never copied.
//! A block holds chunks of one family, so that it can be written into one segment.

use super::{Buffer, ChunkInfo, Count, Pool};
use crate::format::{
    CHUNK_BYTES_MAX, ChunkSeq, Family, FormatError, HEADER_BYTES, RECORD_BYTES, Record, Salt, SegmentKey, StoreId,
    StreamOffset,
};
use std::collections::VecDeque;
use std::sync::Arc;

/// A stored chunk in memory: what is known of it, and its frame alone in a buffer, behind room for its record.
#[derive(Debug)]
pub struct StoredChunk {
    /// What is known of it.
    pub info: ChunkInfo,
    stored: Buffer,
}

impl StoredChunk {
    /// A chunk whose frame lies in `stored` behind [`RECORD_BYTES`] of any content.
    ///
    /// # Panics
    /// When `stored` is not as long as that and the frame.
    #[must_use]
    pub fn new(info: ChunkInfo, stored: Buffer) -> Self {
        assert_eq!(stored.len(), stored_bytes(info.frame_len), "a frame behind its record");
        Self { info, stored }
    }

    /// Its data frame.
    #[must_use]
    pub fn frame(&self) -> &[u8] {
        &self.stored.filled()[RECORD_BYTES..]
    }
}

/// A record and its frame.
fn stored_bytes(frame_len: u32) -> usize {
    RECORD_BYTES + frame_len as usize
}

/// What the records of chunks are encoded with that have no place in a segment yet.
fn unplaced(family: Family) -> SegmentKey {
    SegmentKey::new(&StoreId([0; 16]), Salt(0), family, CHUNK_BYTES_MAX)
}

/// Chunks of one family, one or more, back to back in one buffer: of each its record and its frame.
#[derive(Debug)]
pub struct Block {
    stored: Buffer,
    /// Where the first chunk starts: the ones before it have been taken.
    start: usize,
    /// What its records are encoded with.
    key: SegmentKey,
    /// Stream offset of its first chunk.
    offset: StreamOffset,
    count: Count,
}

impl Block {
    fn new(chunk: StoredChunk) -> Self {
        let StoredChunk { info, stored } = chunk;
        let (key, offset) = (unplaced(info.family), info.offset);
        let mut block = Self { stored, start: 0, key, offset, count: Count::default() };
        block.enter(0, &info);
        block
    }

    fn fits(&self, info: &ChunkInfo) -> bool {
        info.family == self.key.family && self.stored.spare() >= stored_bytes(info.frame_len)
    }

    fn push(&mut self, chunk: &StoredChunk) {
        let at = self.stored.len();
        self.stored.extend(chunk.stored.filled());
        self.enter(at, &chunk.info);
    }

    fn enter(&mut self, at: usize, info: &ChunkInfo) {
        let record = info.record(ChunkSeq(0)).encode(&self.key);
        self.stored.filled_mut()[at..][..RECORD_BYTES].copy_from_slice(&record);
        self.count += Count { chunks: 1, raw_bytes: u64::from(info.raw_len) };
    }

    fn record(&self, at: usize) -> Result<Record, FormatError> {
        let record = self.stored.filled()[at..].first_chunk().expect("a block ends behind a frame");
        Record::decode(record, &self.key)
    }

    /// Gives its chunks their records in the segment of `key`, numbered from `seq` on. Returns the number that comes
    /// next. Fails when a record is not what was put there.
    pub(super) fn stamp(&mut self, key: &SegmentKey, mut seq: ChunkSeq) -> Result<ChunkSeq, FormatError> {
        let mut at = self.start;
        while at < self.stored.len() {
            let record = Record { seq, ..self.record(at)? };
            self.stored.filled_mut()[at..][..RECORD_BYTES].copy_from_slice(&record.encode(key));
            at += stored_bytes(record.frame_len);
            seq = record.next_seq();
        }
        self.key = *key;
        Ok(seq)
    }

    /// Records and frames, as they belong into the segment that it was last stamped for.
    pub(super) fn stored(&self) -> &[u8] {
        &self.stored.filled()[self.start..]
    }

    /// Family of all its chunks.
    #[must_use]
    pub fn family(&self) -> Family {
        self.key.family
    }

    /// Stream offset of its first chunk.
    #[must_use]
    pub fn offset(&self) -> StreamOffset {
        self.offset
    }

    /// Bytes that it takes on disk, at most: records, frames, and a header in case a segment begins with it.
    #[must_use]
    pub fn stored_bytes_max(&self) -> u64 {
        (HEADER_BYTES + self.stored().len()) as u64
    }

    /// How much it holds.
    #[must_use]
    pub fn count(&self) -> Count {
        self.count
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
            Some(block) => block.push(&chunk),
            None => self.blocks.push_back(Block::new(chunk)),
        }
    }

    /// Takes the oldest chunk, in a buffer of its own: the block's, when it is alone there.
    ///
    /// # Errors
    /// [`FormatError`] when its record is not what was put there.
    pub fn pop(&mut self, pool: &Arc<Pool>) -> Result<Option<StoredChunk>, FormatError> {
        let Some(block) = self.blocks.front_mut() else { return Ok(None) };
        let info = ChunkInfo::of(&block.record(block.start)?, block.key.family);
        let end = block.start + stored_bytes(info.frame_len);
        let last = end == block.stored.len();
        if last && block.start == 0 {
            return Ok(self.blocks.pop_front().map(|block| StoredChunk { info, stored: block.stored }));
        }
        let mut stored = pool.take();
        stored.extend(&block.stored.filled()[block.start..end]);
        block.start = end;
        block.offset.0 += u64::from(info.raw_len);
        block.count -= Count { chunks: 1, raw_bytes: u64::from(info.raw_len) };
        if last {
            self.blocks.pop_front();
        }
        Ok(Some(StoredChunk { info, stored }))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{CodecId, SegmentHeader, SegmentNumber};
    use crate::segment::{Next, SegmentWalker};

    fn header(number: u64, first_seq: u64) -> SegmentHeader {
        SegmentHeader {
            store: StoreId(*b"0123456789abcdef"),
            number: SegmentNumber(number),
            first_seq: ChunkSeq(first_seq),
            first_offset: StreamOffset(0),
            chunk_bytes_max: 4096,
            salt: Salt(7),
            created_ns: 0,
            family: Family::Zstd,
        }
    }

    /// The chunk at `offset`, whose frame is `len` bytes that say so.
    fn chunk(pool: &Arc<Pool>, offset: u64, len: u8) -> StoredChunk {
        let mut stored = pool.take();
        stored.advance(RECORD_BYTES);
        stored.extend(&vec![len; len.into()]);
        let (codec, family, frame_len) = (CodecId::Zstd, Family::Zstd, len.into());
        let offset = StreamOffset(offset);
        let info = ChunkInfo { offset, raw_len: 1000, frame_len, raw_crc: 1, frame_crc: 2, codec, family };
        StoredChunk::new(info, stored)
    }

    #[test]
    fn a_record_that_was_damaged_in_memory_is_an_error_and_no_panic() {
        let pool = Pool::new(1000, 2);
        for byte in 0..RECORD_BYTES {
            let mut shelf = Shelf::default();
            shelf.push(chunk(&pool, 0, 10));
            shelf.blocks[0].stored.filled_mut()[byte] ^= 1;
            let header = header(1, 0);
            assert!(shelf.pop(&pool).is_err(), "byte {byte}");
            assert!(shelf.blocks[0].stamp(&header.key(), header.first_seq).is_err(), "byte {byte}");
        }
    }

    #[test]
    fn a_block_that_could_not_be_written_goes_into_the_next_segment_or_is_read_from_memory() {
        let pool = Pool::new(1000, 3);
        let mut shelf = Shelf::default();
        for (i, len) in [10, 20, 30].into_iter().enumerate() {
            shelf.push(chunk(&pool, 1000 * i as u64, len));
        }
        assert_eq!(shelf.pop(&pool).unwrap().map(|chunk| chunk.info.frame_len), Some(10));

        for header in [header(1, 5), header(2, 77)] {
            let mut block = shelf.pop_block().expect("a block");
            let mut walker = SegmentWalker::new(&header);
            assert_eq!(block.stamp(&header.key(), header.first_seq), Ok(ChunkSeq(header.first_seq.0 + 2)));
            for expected in [20, 30] {
                let at = usize::try_from(walker.at()).expect("small") - HEADER_BYTES;
                let record = block.stored()[at..].first_chunk().expect("a record");
                let Ok(Next::Chunk(record)) = walker.step(record) else { panic!("no chunk") };
                assert_eq!(record.frame_len, expected);
            }
            assert_eq!(walker.at(), block.stored_bytes_max());
            shelf.unpop_block(block);
        }

        assert_eq!(shelf.blocks[0].count(), Count { chunks: 2, raw_bytes: 2000 });
        for len in [20, 30] {
            let chunk = shelf.pop(&pool).unwrap().expect("a chunk");
            assert_eq!((chunk.info.frame_len, chunk.frame()), (len.into(), &vec![len; len.into()][..]));
        }
        assert!(shelf.is_empty() && pool.bytes_out() == 0, "every buffer is back");
    }
}
