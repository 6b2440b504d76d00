//! Reading a segment: from structure to structure, each checked, in order.

use crate::codec::Decoder;
use crate::format::{
    CHUNKS_PER_SEGMENT_MAX, ChunkSeq, CodecId, Family, FormatError, HEADER_BYTES, RECORD_BYTES, Record, Seal,
    SegmentHeader, SegmentKey, StreamOffset, crc32, frame,
};

/// Skippable frames with these magics may stand between chunks, for what later versions may add. None is one flipped
/// bit away from the magic of our own structures, so that damage to a record is never taken for such a frame.
const SKIPPABLE_MAGICS: std::ops::RangeInclusive<u32> = 0x184D_2A51..=0x184D_2A57;
const SKIPPABLE_HEADER_BYTES: u64 = 8;
/// Longest skippable frame of others that a reader steps over.
const SKIPPABLE_BYTES_MAX: u64 = 1 << 20;

/// What stands at a place in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A chunk: its frame follows the record.
    Chunk(Record),
    /// The seal: the seek table follows, and nothing after that.
    Seal(Seal),
    /// A skippable frame of a later version's or someone else's. It has no meaning here.
    Skip {
        /// Bytes of the frame, its 8-byte header included.
        frame_len: u32,
    },
}

/// Where a reader is in one segment, and what must come next.
///
/// Pure: the caller reads [`RECORD_BYTES`] at [`Self::at`] and hands them to [`Self::step`], which moves `at` past
/// the chunk. A step that fails changes nothing, so a reader that follows a growing file takes it again later.
///
/// ```
/// use spillpipe::codec::{Codec, Decoder};
/// use spillpipe::format::*;
/// use spillpipe::segment::{Chunk, Next, SegmentWalker, open_chunk, write_all};
/// # let header = SegmentHeader {
/// #     store: StoreId([7; 16]), number: SegmentNumber(1), first_seq: ChunkSeq(0), first_offset: StreamOffset(0),
/// #     chunk_bytes_max: 4096, salt: Salt(9), created_ns: 0, family: Family::Lz4,
/// # };
/// let file = write_all(&header, false, &[Chunk::new(b"one", Codec::Lz4), Chunk::new(b"two", Codec::Raw)],
/// EndState::End);
///
/// let mut walker = SegmentWalker::new(&header);
/// let (mut decoder, mut out) = (Decoder::default(), Vec::new());
/// let seal = loop {
///     let at = walker.at() as usize;
///     match walker.step(file[at..at + RECORD_BYTES].try_into()?)? {
///         Next::Chunk(record) => {
///             let frame = &file[at + RECORD_BYTES..walker.at() as usize];
///             let mut raw = vec![0; record.raw_len as usize];
///             open_chunk(&record, header.family, frame, &mut raw, &mut decoder)?;
///             out.extend(raw);
///         }
///         Next::Seal(seal) => break seal,
///         Next::Skip { .. } => {}
///     }
/// };
/// assert_eq!((out.as_slice(), seal.end), (b"onetwo".as_slice(), EndState::End));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct SegmentWalker {
    key: SegmentKey,
    first_seq: ChunkSeq,
    next_seq: ChunkSeq,
    next_offset: StreamOffset,
    at: u64,
    /// The next structure need not follow immediately on what was seen: chunks between may be damaged.
    after_damage: bool,
}

impl SegmentWalker {
    /// At the first structure after the header.
    #[must_use]
    pub fn new(header: &SegmentHeader) -> Self {
        Self::resume(header, HEADER_BYTES as u64, header.first_seq, header.first_offset)
    }

    /// At the structure at `at`, where the chunk `seq` is expected, at stream offset `offset` or later.
    #[must_use]
    pub fn resume(header: &SegmentHeader, at: u64, seq: ChunkSeq, offset: StreamOffset) -> Self {
        let (key, first_seq) = (header.key(), header.first_seq);
        Self { key, first_seq, next_seq: seq, next_offset: offset, at, after_damage: false }
    }

    /// Goes on at `at`, past bytes that were damaged: the next structure may be any later one of the segment.
    pub fn skip_damage(&mut self, at: u64) {
        self.at = at;
        self.after_damage = true;
    }

    /// Takes the [`RECORD_BYTES`] at [`Self::at`] and moves past what they begin: a chunk's record *and frame*, the
    /// seal *and seek table*, or a frame of others.
    ///
    /// # Errors
    /// What [`Record::decode`] and [`Seal::decode`] refuse, and [`FormatError::Field`] when what is here is out of
    /// order. Nothing is changed then.
    pub fn step(&mut self, bytes: &[u8; RECORD_BYTES]) -> Result<Next, FormatError> {
        if let Some(frame_len) = others_skippable(bytes)? {
            self.at = advance(self.at, u64::from(frame_len))?;
            return Ok(Next::Skip { frame_len });
        }
        match Record::decode(bytes, &self.key) {
            Ok(record) => self.chunk(record).map(Next::Chunk),
            // A seal differs from a chunk record in its third word, its tag; its other errors are its own.
            Err(chunk_error @ FormatError::Magic { .. }) => match Seal::decode(bytes, &self.key) {
                Err(FormatError::Magic { .. }) => Err(chunk_error),
                seal => self.seal(seal?).map(Next::Seal),
            },
            Err(error) => Err(error),
        }
    }

    fn chunk(&mut self, record: Record) -> Result<Record, FormatError> {
        self.check_order("sequence number", record.seq, "stream offset", record.offset)?;
        let (index, limit) = (record.seq.0.saturating_sub(self.first_seq.0), u64::from(CHUNKS_PER_SEGMENT_MAX) - 1);
        if index > limit {
            return Err(FormatError::Field { field: "chunk of the segment", value: index, expected: limit });
        }
        self.at = advance(self.at, RECORD_BYTES as u64 + u64::from(record.frame_len))?;
        self.next_seq = record.next_seq();
        self.next_offset = record.end_offset();
        self.after_damage = false;
        Ok(record)
    }

    fn seal(&mut self, seal: Seal) -> Result<Seal, FormatError> {
        self.check_order("seal sequence number", seal.next_seq, "seal stream offset", seal.end_offset)?;
        // Chunks are numbered without a gap.
        let chunks = seal.next_seq.0.saturating_sub(self.first_seq.0);
        if u64::from(seal.chunks) != chunks {
            return Err(FormatError::Field { field: "seal chunks", value: u64::from(seal.chunks), expected: chunks });
        }
        self.at = advance(self.at, RECORD_BYTES as u64 + u64::from(seal.table_len))?;
        self.after_damage = false;
        Ok(seal)
    }

    fn check_order(
        &self,
        seq_field: &'static str,
        seq: ChunkSeq,
        offset_field: &'static str,
        offset: StreamOffset,
    ) -> Result<(), FormatError> {
        if seq < self.next_seq || (seq > self.next_seq && !self.after_damage) {
            return Err(FormatError::Field { field: seq_field, value: seq.0, expected: self.next_seq.0 });
        }
        if offset < self.next_offset {
            return Err(FormatError::Field { field: offset_field, value: offset.0, expected: self.next_offset.0 });
        }
        Ok(())
    }

    /// Where the next structure stands: bytes from the start of the segment.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The sequence number that comes next.
    #[must_use]
    pub fn next_seq(&self) -> ChunkSeq {
        self.next_seq
    }

    /// The stream offset that comes next, when nothing was dropped. A chunk that lies `n` bytes further on says that
    /// `n` bytes were dropped before it.
    #[must_use]
    pub fn next_offset(&self) -> StreamOffset {
        self.next_offset
    }

    /// What the records of the segment carry.
    #[must_use]
    pub fn key(&self) -> &SegmentKey {
        &self.key
    }
}

/// The length of the skippable frame of others that begins here.
pub(crate) fn others_skippable(bytes: &[u8; RECORD_BYTES]) -> Result<Option<u32>, FormatError> {
    let [magic, len] = [0, 4].map(|at| u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i])));
    if !SKIPPABLE_MAGICS.contains(&magic) {
        return Ok(None);
    }
    let value = u64::from(len) + SKIPPABLE_HEADER_BYTES;
    if value > SKIPPABLE_BYTES_MAX {
        return Err(FormatError::TooLong { field: "skippable frame", value, limit: SKIPPABLE_BYTES_MAX });
    }
    Ok(u32::try_from(value).ok())
}

fn advance(at: u64, by: u64) -> Result<u64, FormatError> {
    at.checked_add(by).ok_or(FormatError::TooLong { field: "segment", value: at, limit: u64::MAX - by })
}

/// Decodes a stored chunk into `raw`, all of it verified: the frame's checksum before it is decoded, so that no
/// decoder sees damaged bytes, the exact length while it is, the raw bytes' checksum after.
///
/// # Errors
/// [`FormatError::Checksum`] when frame or raw bytes are not what was written, and what [`Decoder::decode`] refuses.
/// `raw` holds anything then.
///
/// # Panics
/// When `frame` or `raw` is not exactly as long as the record says: the caller sized them by it.
pub fn open_chunk(
    record: &Record,
    family: Family,
    frame: &[u8],
    raw: &mut [u8],
    decoder: &mut Decoder,
) -> Result<(), FormatError> {
    assert_eq!(frame.len(), record.frame_len as usize, "frame length");
    check_crc("frame", record.frame_crc, frame)?;
    open_checked_chunk(record, family, frame, raw, decoder)
}

/// The same for a frame whose checksum was found to be right.
pub(crate) fn open_checked_chunk(
    record: &Record,
    family: Family,
    frame: &[u8],
    raw: &mut [u8],
    decoder: &mut Decoder,
) -> Result<(), FormatError> {
    assert_eq!(raw.len(), record.raw_len as usize, "raw length");
    match record.codec {
        // All its bytes have just been compared, and what they come to is below.
        CodecId::Raw => drop(frame::copy_raw(family, frame, raw)?),
        CodecId::Lz4 | CodecId::Zstd => decoder.decode(record.codec, family, frame, raw)?,
    }
    check_crc("raw data", record.raw_crc, raw)
}

pub(crate) fn check_crc(what: &'static str, stored: u32, bytes: &[u8]) -> Result<(), FormatError> {
    let computed = crc32(bytes);
    if stored == computed { Ok(()) } else { Err(FormatError::Checksum { what, stored, computed }) }
}
