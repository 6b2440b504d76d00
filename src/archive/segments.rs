//! Segments of one stream, one after another, into something that takes bytes: what all who write archives share.
//!
//! The contract after a failed write, or one that panicked: some of its bytes may be there, so nothing more is written.

use crate::format::{
    CHUNKS_PER_SEGMENT_MAX, ChunkSeq, CodecId, EndState, Family, RECORD_BYTES, Salt, SegmentHeader, SegmentNumber,
    StoreId, StreamOffset,
};
use crate::ring::{new_salt, now_ns};
use crate::segment::{ChunkInfo, SegmentEncoder};
use crate::sys::random::fill_random;
use std::fmt;
use std::io::{self, Write};

/// What an archive says of itself that is not in the data. With a fixed one, equal data gives equal bytes; but archives
/// of different data must not share one, or they count as parts of the same stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The store.
    pub store: StoreId,
    /// Salt of the first segment; that of each further one is one more.
    pub salt: Salt,
    /// Creation time in nanoseconds since 1970.
    pub created_ns: u64,
}

/// What a [`Writer`](super::Writer) has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// Bytes of data.
    pub raw_bytes: u64,
    /// Bytes of the archive: frames and all that is around them.
    pub stored_bytes: u64,
    /// Chunks.
    pub chunks: u64,
    /// Of these, those that are stored as they are, as compression did not make them smaller.
    pub raw_chunks: u64,
    /// Segments begun.
    pub segments: u64,
}

/// Where a stream begins, and what its segments have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) family: Family,
    pub(super) chunk_bytes_max: u32,
    pub(super) first_seq: ChunkSeq,
    pub(super) first_offset: StreamOffset,
}

/// Writes segments.
pub(super) struct Segments<W> {
    inner: W,
    segment: SegmentEncoder,
    /// `None`: random ones.
    identity: Option<Identity>,
    /// Chunks after which a further segment is begun.
    pub(super) chunks_max: u32,
    written: Written,
    /// A write has begun, and did not succeed.
    is_broken: bool,
}

impl<W: Write> Segments<W> {
    /// Begins the first segment.
    pub(super) fn begin(inner: W, start: &Start, identity: Option<Identity>) -> io::Result<Self> {
        let mut store = StoreId::default();
        fill_random(&mut store.0)?;
        let random = Identity { store, salt: new_salt()?, created_ns: now_ns() };
        let Identity { store, salt, created_ns } = identity.unwrap_or(random);
        let header = SegmentHeader {
            store,
            number: SegmentNumber(1),
            first_seq: start.first_seq,
            first_offset: start.first_offset,
            chunk_bytes_max: start.chunk_bytes_max,
            salt,
            created_ns,
            family: start.family,
        };
        let (segment, written) = (SegmentEncoder::new(header), Written::default());
        let mut segments =
            Self { inner, segment, identity, chunks_max: CHUNKS_PER_SEGMENT_MAX, written, is_broken: false };
        segments.header()?;
        Ok(segments)
    }

    /// Writes a chunk. The frame stands in `stored`, behind room for its record.
    pub(super) fn chunk(&mut self, info: &ChunkInfo, stored: &mut [u8]) -> io::Result<()> {
        if self.segment.chunks() >= self.chunks_max {
            self.roll(|_| Ok(()))?;
        }
        stored[..RECORD_BYTES].copy_from_slice(&self.segment.record(info));
        self.put(stored)?;
        self.written.raw_bytes += u64::from(info.raw_len);
        self.written.chunks += 1;
        self.written.raw_chunks += u64::from(info.codec == CodecId::Raw);
        Ok(())
    }

    /// Seals the segment, lets `next` do with the inner writer what is to be done, and begins another one.
    pub(super) fn roll(&mut self, next: impl FnOnce(&mut W) -> io::Result<()>) -> io::Result<()> {
        let before = *self.segment.header();
        let (first_seq, first_offset) = (self.segment.next_seq(), self.segment.next_offset());
        self.seal(EndState::Continues)?;
        self.is_broken = true;
        next(&mut self.inner)?;
        self.is_broken = false;
        self.segment = SegmentEncoder::new(SegmentHeader {
            number: SegmentNumber(before.number.0 + 1),
            first_seq,
            first_offset,
            salt: if self.identity.is_some() { Salt(before.salt.0.wrapping_add(1)) } else { new_salt()? },
            created_ns: if self.identity.is_some() { before.created_ns } else { now_ns() },
            ..before
        });
        self.header()
    }

    /// The segment at hand.
    pub(super) fn segment(&mut self) -> &mut SegmentEncoder {
        &mut self.segment
    }

    /// Seals the last segment, and gives the inner writer back.
    pub(super) fn finish(mut self, end: EndState) -> io::Result<(W, Written)> {
        self.check()?;
        self.seal(end)?;
        self.flush()?;
        Ok((self.inner, self.written))
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.check()?;
        self.is_broken = true;
        self.inner.flush()?;
        self.is_broken = false;
        Ok(())
    }

    pub(super) fn written(&self) -> Written {
        self.written
    }

    pub(super) fn get_ref(&self) -> &W {
        &self.inner
    }

    /// Nothing more is written.
    pub(super) fn give_up(&mut self) {
        self.is_broken = true;
    }

    /// Fails once a write has failed.
    pub(super) fn check(&self) -> io::Result<()> {
        if self.is_broken { Err(io::Error::other("an earlier write failed: the archive is over")) } else { Ok(()) }
    }

    fn header(&mut self) -> io::Result<()> {
        self.written.segments += 1;
        self.put(&self.segment.header_bytes())
    }

    fn seal(&mut self, end: EndState) -> io::Result<()> {
        let unused = SegmentEncoder::new(*self.segment.header());
        for piece in std::mem::replace(&mut self.segment, unused).seal_pieces(end) {
            self.put(&piece)?;
        }
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        self.is_broken = true;
        self.inner.write_all(bytes)?;
        self.written.stored_bytes += bytes.len() as u64;
        self.is_broken = false;
        Ok(())
    }
}

impl<W> fmt::Debug for Segments<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { written, is_broken, .. } = self;
        f.debug_struct("Segments").field("written", written).field("is_broken", is_broken).finish_non_exhaustive()
    }
}
