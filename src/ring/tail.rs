//! The writing end of the ring: blocks of chunks into segments, one after another.

use super::{BLOCKS_PER_WRITE_MAX, Block, SEGMENT_CHUNKS_MAX, Segment};
use crate::format::{
    ChunkSeq, Family, FormatError, HEADER_BYTES, Salt, SegmentHeader, SegmentNumber, StoreId, StreamOffset,
};
use crate::store::{Append, SegmentName, Store};
use crate::sys;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Appends chunks to the newest segment. Owned by one thread; the ring's shared state learns of what is written
/// only after it was.
#[derive(Debug)]
pub struct Tail<'s> {
    store: &'s dyn Store,
    id: StoreId,
    chunk_bytes_max: u32,
    next_number: SegmentNumber,
    next_seq: ChunkSeq,
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    file: Arc<dyn Append>,
    header: SegmentHeader,
}

impl<'s> Tail<'s> {
    /// A tail that has written nothing.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn new(store: &'s dyn Store, chunk_bytes_max: u32) -> io::Result<Self> {
        let mut id = [0; 16];
        sys::random::fill_random(&mut id)?;
        Ok(Self {
            store,
            id: StoreId(id),
            chunk_bytes_max,
            next_number: SegmentNumber(1),
            next_seq: ChunkSeq(0),
            current: None,
        })
    }

    /// Whether the next chunks of `family` go into the segment that is open, given how long one should be and
    /// which one the ring has as its newest.
    #[must_use]
    pub fn continues(&self, family: Family, segment_bytes: u64, newest: Option<SegmentName>) -> bool {
        self.current.as_ref().is_some_and(|current| {
            let name = SegmentName { number: current.header.number, family };
            let chunks = self.next_seq.0 - current.header.first_seq.0;
            let room = current.file.len() < segment_bytes && chunks < u64::from(SEGMENT_CHUNKS_MAX) / 2;
            room && current.header.family == family && newest == Some(name)
        })
    }

    /// Bytes of the open segment, 0 if there is none.
    #[must_use]
    pub fn segment_bytes(&self) -> u64 {
        self.current.as_ref().map_or(0, |current| current.file.len())
    }

    /// Lets go of the open segment, if there is one: it takes no more.
    pub fn finish(&mut self) {
        self.current = None;
    }

    /// Begins the next segment.
    ///
    /// # Errors
    /// What the system said; nothing is left of the segment then.
    pub fn begin(&mut self, family: Family, first_offset: StreamOffset) -> io::Result<Segment> {
        self.current = None;
        let header = SegmentHeader {
            store: self.id,
            number: self.next_number,
            first_seq: self.next_seq,
            first_offset,
            chunk_bytes_max: self.chunk_bytes_max,
            salt: new_salt()?,
            created_ns: now_ns(),
            family,
        };
        let name = SegmentName { number: header.number, family };
        let file = self.store.create(name)?;
        // The number is used up, whatever becomes of the segment.
        self.next_number.0 += 1;
        let opened = file.append(&[IoSlice::new(&header.encode())]).and_then(|()| self.store.open(name));
        match opened {
            Ok(reader) => {
                self.current = Some(Current { file, header });
                Ok(Segment::new(name, header, reader, HEADER_BYTES as u64))
            }
            Err(error) => {
                self.store.remove(name)?;
                Err(error)
            }
        }
    }

    /// Appends the chunks of `blocks`, all of the family of the open segment, in one call. Returns the bytes
    /// written.
    ///
    /// # Errors
    /// [`AppendError`]. None of the chunks counts as written, and the segment takes no more: the next write
    /// must [`begin`](Self::begin) another, for which they get other records.
    ///
    /// # Panics
    /// When no segment is open, or there are more blocks than [`Ring::spill`](super::Ring::spill) gives at once.
    pub fn append(&mut self, blocks: &mut [Block]) -> Result<u64, AppendError> {
        let current = self.current.as_mut().expect("a segment is begun before it is appended to");
        let key = current.header.key();
        let mut seq = self.next_seq;
        let mut parts = [IoSlice::new(&[]); BLOCKS_PER_WRITE_MAX];
        let parts = &mut parts[..blocks.len()];
        for (part, block) in parts.iter_mut().zip(blocks) {
            seq = block.stamp(&key, seq).map_err(AppendError::Damaged)?;
            *part = IoSlice::new(block.stored());
        }
        let before = current.file.len();
        match current.file.append(parts) {
            Ok(()) => {
                self.next_seq = seq;
                Ok(current.file.len() - before)
            }
            Err(error) => {
                self.current = None;
                Err(AppendError::Io(error))
            }
        }
    }
}

/// Why chunks could not be written.
#[derive(Debug)]
pub enum AppendError {
    /// What the system said.
    Io(io::Error),
    /// A record in memory is not what was put there.
    Damaged(FormatError),
}

/// The salt of a segment that is begun.
///
/// # Errors
/// When the system has no random numbers.
pub(crate) fn new_salt() -> io::Result<Salt> {
    let mut salt = [0; 4];
    sys::random::fill_random(&mut salt)?;
    Ok(Salt(u32::from_le_bytes(salt)))
}

/// Nanoseconds since 1970.
pub(crate) fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    u64::try_from(since).unwrap_or(u64::MAX)
}
