//! The reading end of the ring: the chunks of the oldest segment, in order.

use super::{Buffer, ChunkInfo, StoredChunk};
use crate::format::{FormatError, HEADER_BYTES, RECORD_BYTES, SegmentHeader};
use crate::segment::{Next, SegmentWalker};
use crate::store::{Read, SegmentName};
use std::io;
use std::sync::Arc;

/// What to read from: the oldest segment, as far as it is written.
#[derive(Clone, Debug)]
pub struct Readable {
    pub(super) name: SegmentName,
    pub(super) header: SegmentHeader,
    pub(super) file: Arc<dyn Read>,
    pub(super) len: u64,
}

impl Readable {
    /// The segment.
    #[must_use]
    pub fn name(&self) -> SegmentName {
        self.name
    }
}

/// Walks from record to record. Owned by one thread.
#[derive(Debug, Default)]
pub struct Head {
    at: Option<Position>,
}

#[derive(Debug)]
struct Position {
    name: SegmentName,
    walker: SegmentWalker,
    /// The next record, when it was read along with the frame before it.
    record: Option<[u8; RECORD_BYTES]>,
}

/// Why a chunk could not be read.
#[derive(Debug)]
pub enum HeadError {
    /// The system failed.
    Io(io::Error),
    /// The bytes are not what was written there.
    Damaged {
        /// Where in the segment, in bytes.
        byte: u64,
        /// What is wrong.
        source: FormatError,
    },
}

impl Head {
    /// Reads the next chunk of `segment` into `stored`, which is empty, and tells where its frame starts. A segment
    /// other than the last one read is read from its start.
    ///
    /// # Errors
    /// [`HeadError`]; where damage was found, if it is damage.
    pub fn next(&mut self, segment: &Readable, mut stored: Buffer) -> Result<(StoredChunk, u64), HeadError> {
        let position = match &mut self.at {
            Some(position) if position.name == segment.name => position,
            at => at.insert(Position::start(segment)?),
        };
        let at = position.walker.at();
        let damaged = |source| HeadError::Damaged { byte: at, source };
        let record = match position.record.take() {
            Some(record) => record,
            None => read_array(segment, at)?,
        };
        let record = match position.walker.step(&record).map_err(damaged)? {
            Next::Chunk(record) => record,
            Next::Seal(_) | Next::Skip { .. } => {
                return Err(damaged(FormatError::Field {
                    field: "structure in a spill segment",
                    value: 1,
                    expected: 0,
                }));
            }
        };
        let info = ChunkInfo::of(&record, segment.header.family);
        let frame_at = at + RECORD_BYTES as u64;
        let frame_len = info.frame_len as usize;
        stored.advance(RECORD_BYTES);
        // The record behind the frame comes along in the same call, where it is written already and there is room.
        let ahead = segment.len.saturating_sub(frame_at + frame_len as u64).min(RECORD_BYTES as u64);
        let want = (frame_len + usize::try_from(ahead).unwrap_or(0)).min(stored.spare());
        read_exact(segment, &mut stored.spare_mut()[..want], frame_at)?;
        position.record = stored.spare_mut()[frame_len..want].first_chunk().copied();
        stored.advance(frame_len);
        Ok((StoredChunk::new(info, stored), frame_at))
    }
}

impl Position {
    fn start(segment: &Readable) -> Result<Self, HeadError> {
        let damaged = |source| HeadError::Damaged { byte: 0, source };
        let header = SegmentHeader::decode(&read_array::<HEADER_BYTES>(segment, 0)?).map_err(damaged)?;
        if header != segment.header {
            let (value, expected) = (header.number.0, segment.header.number.0);
            return Err(damaged(FormatError::Field { field: "segment header of another segment", value, expected }));
        }
        Ok(Self { name: segment.name, walker: SegmentWalker::new(&header), record: None })
    }
}

fn read_array<const N: usize>(segment: &Readable, byte: u64) -> Result<[u8; N], HeadError> {
    let mut bytes = [0; N];
    read_exact(segment, &mut bytes, byte)?;
    Ok(bytes)
}

fn read_exact(segment: &Readable, buf: &mut [u8], byte: u64) -> Result<(), HeadError> {
    segment.file.read_exact_at(buf, byte).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            let have = segment.file.len().unwrap_or(0).saturating_sub(byte);
            HeadError::Damaged { byte, source: FormatError::Short { what: "segment", have, need: buf.len() as u64 } }
        }
        _ => HeadError::Io(error),
    })
}
