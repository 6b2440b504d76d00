//! The chunk record: 64 bytes in front of every data frame. The seal has the same shape.

use super::bytes::{Put, Take};
use super::header::SKIPPABLE_MAGIC;
use super::{CHUNK_BYTES_MAX, ChunkSeq, Family, FormatError, Salt, SeekEntry, StoreId, StreamOffset, crc32, frame};

/// Length of a chunk record, and of a seal.
pub const RECORD_BYTES: usize = 64;
/// How many bytes at the start of a record are the same throughout a segment.
pub const NEEDLE_BYTES: usize = 0x18;

pub(super) const SKIPPABLE_LEN: u32 = 56;
/// Where the tag stands.
pub(super) const TAG_AT: usize = 8;
pub(super) const TAG_CHUNK: [u8; 4] = *b"SPCK";
pub(super) const TAG_SEAL: [u8; 4] = *b"SPSL";
const CRC_AT: usize = 0x3C;
const FLAG_RECORD_END: u8 = 1;

/// How a chunk is stored. The set is closed for a major version of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodecId {
    /// As it is, in raw (uncompressed) blocks of its family.
    Raw,
    /// One zstd frame.
    Zstd,
    /// One LZ4 frame of one independent block.
    Lz4,
}

impl CodecId {
    /// Every codec, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Raw, Self::Zstd, Self::Lz4];

    /// The number stored in the record.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Raw => 0,
            Self::Zstd => 1,
            Self::Lz4 => 2,
        }
    }

    /// Whether a segment of this family may hold chunks of this codec.
    #[must_use]
    pub fn fits(self, family: Family) -> bool {
        match self {
            Self::Raw => true,
            Self::Zstd => family == Family::Zstd,
            Self::Lz4 => family == Family::Lz4,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.code() == code)
    }
}

/// What the records of a store have in common, as far as a record shows it: the first half of the store id as it is, and
/// all of it as the *mark*.
///
/// A record's checksum covers the store id and then the record. CRC is linear, so the checksum of the whole, less the
/// one of the record alone, depends on the store id only: it is the same for all records of a store. So chunks of one
/// store are told from others also where the header is lost that has the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreMark {
    prefix: [u8; 8],
    mark: u32,
}

impl StoreMark {
    /// The mark of this store.
    #[must_use]
    pub fn new(store: &StoreId) -> Self {
        let zeros = [0; CRC_AT];
        let mut crc = crc32fast::Hasher::new();
        crc.update(&store.0);
        crc.update(&zeros);
        Self { prefix: store.prefix(), mark: crc.finalize() ^ crc32(&zeros) }
    }

    /// The first half of the store's id.
    #[must_use]
    pub fn prefix(&self) -> [u8; 8] {
        self.prefix
    }
}

/// What a segment's header fixes for its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SegmentKey {
    /// The store.
    pub store: StoreMark,
    /// The segment's salt.
    pub salt: Salt,
    /// The segment's family.
    pub family: Family,
    /// Its largest chunk, in raw bytes.
    pub chunk_bytes_max: u32,
}

impl SegmentKey {
    /// The key of a segment of this store.
    #[must_use]
    pub fn new(store: &StoreId, salt: Salt, family: Family, chunk_bytes_max: u32) -> Self {
        Self { store: StoreMark::new(store), salt, family, chunk_bytes_max }
    }

    /// The key that these bytes have if they are a record or a seal, whose segment's header is lost. `None`: they are
    /// neither. With this key any bytes of that shape pass the record's own checksum: only what follows them, checked,
    /// or a second record with an equal [`StoreMark`], makes them one.
    ///
    /// ```
    /// use spillpipe::format::*;
    /// # let header = SegmentHeader {
    /// #     store: StoreId([7; 16]), number: SegmentNumber(1), first_seq: ChunkSeq(0), first_offset: StreamOffset(0),
    /// #     chunk_bytes_max: CHUNK_BYTES_MAX, salt: Salt(9), created_ns: 0, family: Family::Lz4,
    /// # };
    /// let seal = Seal {
    ///     next_seq: ChunkSeq(0), end_offset: StreamOffset(0), chunks: 0, table_len: 41, table_crc: 5, end: EndState::End,
    /// };
    /// let bytes = seal.encode(&header.key());
    /// assert_eq!(SegmentKey::of_record(&bytes, header.family), Some(header.key()));
    /// assert_eq!(SegmentKey::of_record(&[7; RECORD_BYTES], header.family), None);
    /// ```
    #[must_use]
    pub fn of_record(bytes: &[u8; RECORD_BYTES], family: Family) -> Option<Self> {
        let mut take = Take::new(bytes);
        let shape = (take.u32(), take.u32()) == (SKIPPABLE_MAGIC, SKIPPABLE_LEN);
        let tag = take.array::<4>();
        let (prefix, salt) = (take.array(), Salt(take.u32()));
        let (covered, stored) = bytes.split_last_chunk::<4>()?;
        let mark = u32::from_le_bytes(*stored) ^ crc32(covered);
        let store = StoreMark { prefix, mark };
        (shape && (tag == TAG_CHUNK || tag == TAG_SEAL)).then_some(Self {
            store,
            salt,
            family,
            chunk_bytes_max: CHUNK_BYTES_MAX,
        })
    }
}

/// The first 24 bytes of every chunk record of a segment: what a resynchronising reader searches for.
#[must_use]
pub fn needle(key: &SegmentKey) -> [u8; NEEDLE_BYTES] {
    prefix(key, TAG_CHUNK)
}

fn prefix(key: &SegmentKey, tag: [u8; 4]) -> [u8; NEEDLE_BYTES] {
    Put::new().u32(SKIPPABLE_MAGIC).u32(SKIPPABLE_LEN).raw(&tag).raw(&key.store.prefix).u32(key.salt.0).done()
}

/// What is known of a stored chunk.
///
/// ```
/// use spillpipe::format::*;
/// let key = SegmentKey::new(&StoreId([7; 16]), Salt(9), Family::Zstd, 1 << 18);
/// let record = Record {
///     seq: ChunkSeq(3),
///     offset: StreamOffset(3 << 18),
///     raw_len: 1 << 18,
///     frame_len: 70_000,
///     raw_crc: 1,
///     frame_crc: 2,
///     codec: CodecId::Zstd,
///     record_end: false,
/// };
/// assert_eq!(Record::decode(&record.encode(&key), &key), Ok(record));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its sequence number.
    pub seq: ChunkSeq,
    /// Stream offset of its first raw byte.
    pub offset: StreamOffset,
    /// Raw bytes.
    pub raw_len: u32,
    /// Bytes of the data frame that follows the record.
    pub frame_len: u32,
    /// CRC-32 of the raw bytes.
    pub raw_crc: u32,
    /// CRC-32 of the data frame.
    pub frame_crc: u32,
    /// How it is stored.
    pub codec: CodecId,
    /// Whether it ends on a record boundary of the user's.
    pub record_end: bool,
}

impl Record {
    /// Itself and its data frame, as the segment's seek table lists them.
    #[must_use]
    pub fn seek_entries(&self) -> [SeekEntry; 2] {
        [SeekEntry::skippable(RECORD_BYTES), SeekEntry { frame_len: self.frame_len, raw_len: self.raw_len }]
    }

    /// Sequence number of the chunk after this one.
    ///
    /// # Panics
    /// Past the end of the number line, where no decoded record is.
    #[must_use]
    pub fn next_seq(&self) -> ChunkSeq {
        self.seq.checked_add(1).expect("decoding checks it")
    }

    /// Stream offset just past its last raw byte.
    ///
    /// # Panics
    /// Past the end of the number line, where no decoded record is.
    #[must_use]
    pub fn end_offset(&self) -> StreamOffset {
        self.offset.checked_add(u64::from(self.raw_len)).expect("decoding checks it")
    }

    /// The 64 bytes, for the segment with this key.
    #[must_use]
    pub fn encode(&self, key: &SegmentKey) -> [u8; RECORD_BYTES] {
        Fields {
            seq: self.seq,
            offset: self.offset,
            count: self.raw_len,
            len: self.frame_len,
            first_crc: self.raw_crc,
            crc: self.frame_crc,
            codec: self.codec.code(),
            flags: if self.record_end { FLAG_RECORD_END } else { 0 },
        }
        .encode(key, TAG_CHUNK)
    }

    /// Reads the 64 bytes back and checks every length against its bound.
    ///
    /// # Errors
    /// [`FormatError::Magic`] when there is no record here, [`FormatError::Foreign`] when there is one of another
    /// segment; [`FormatError::Checksum`] when it is damaged; [`FormatError::TooLong`] and [`FormatError::Field`] when
    /// a field is out of bounds.
    pub fn decode(bytes: &[u8; RECORD_BYTES], key: &SegmentKey) -> Result<Self, FormatError> {
        let fields = Fields::decode(bytes, key, TAG_CHUNK, "chunk record")?;
        let codec = CodecId::from_code(fields.codec).filter(|c| c.fits(key.family)).ok_or(FormatError::Field {
            field: "codec",
            value: u64::from(fields.codec),
            expected: u64::from(CodecId::Raw.code()),
        })?;
        if fields.flags & !FLAG_RECORD_END != 0 {
            let value = u64::from(fields.flags);
            return Err(FormatError::Field { field: "flags", value, expected: u64::from(FLAG_RECORD_END) });
        }
        let bound = |field, value: u32, limit: u32| {
            if value > limit {
                return Err(FormatError::TooLong { field, value: u64::from(value), limit: u64::from(limit) });
            }
            Ok(())
        };
        bound("raw length", fields.count, key.chunk_bytes_max)?;
        bound("frame length", fields.len, frame::frame_bytes_max(key.family, fields.count))?;
        for (field, value) in [("raw length", fields.count), ("frame length", fields.len)] {
            if value == 0 {
                return Err(FormatError::Field { field, value: 0, expected: 1 });
            }
        }
        // What follows a chunk has a number, too: readers add to these without further checks.
        for (field, value, n) in
            [("sequence number", fields.seq.0, 1), ("stream offset", fields.offset.0, fields.count)]
        {
            let limit = u64::MAX - u64::from(n);
            if value > limit {
                return Err(FormatError::Field { field, value, expected: limit });
            }
        }
        Ok(Self {
            seq: fields.seq,
            offset: fields.offset,
            raw_len: fields.count,
            frame_len: fields.len,
            raw_crc: fields.first_crc,
            frame_crc: fields.crc,
            codec,
            record_end: fields.flags & FLAG_RECORD_END != 0,
        })
    }
}

/// The shape that chunk records and seals share.
pub(super) struct Fields {
    pub(super) seq: ChunkSeq,
    pub(super) offset: StreamOffset,
    pub(super) count: u32,
    pub(super) len: u32,
    pub(super) first_crc: u32,
    pub(super) crc: u32,
    pub(super) codec: u8,
    pub(super) flags: u8,
}

impl Fields {
    pub(super) fn encode(&self, key: &SegmentKey, tag: [u8; 4]) -> [u8; RECORD_BYTES] {
        let put = Put::<RECORD_BYTES>::new()
            .raw(&prefix(key, tag))
            .u64(self.seq.0)
            .u64(self.offset.0)
            .u32(self.count)
            .u32(self.len)
            .u32(self.first_crc)
            .u32(self.crc)
            .u8(self.codec)
            .u8(self.flags)
            .u16(0);
        let crc = crc32(put.so_far()) ^ key.store.mark;
        put.u32(crc).done()
    }

    pub(super) fn decode(
        bytes: &[u8; RECORD_BYTES],
        key: &SegmentKey,
        tag: [u8; 4],
        what: &'static str,
    ) -> Result<Self, FormatError> {
        let mut take = Take::new(bytes);
        for expected in [SKIPPABLE_MAGIC, SKIPPABLE_LEN, u32::from_le_bytes(tag)] {
            let found = take.u32();
            if found != expected {
                return Err(FormatError::Magic { what, expected, found });
            }
        }
        if !bytes.starts_with(&prefix(key, tag)) {
            return Err(FormatError::Foreign { what });
        }
        take.zeros_to(NEEDLE_BYTES);
        let fields = Self {
            seq: ChunkSeq(take.u64()),
            offset: StreamOffset(take.u64()),
            count: take.u32(),
            len: take.u32(),
            first_crc: take.u32(),
            crc: take.u32(),
            codec: take.u8(),
            flags: take.u8(),
        };
        let reserved = take.u16();
        let computed = crc32(&bytes[..take.at()]) ^ key.store.mark;
        let stored = take.u32();
        if computed != stored {
            return Err(FormatError::Checksum { what, stored, computed });
        }
        if reserved != 0 {
            return Err(FormatError::Field { field: "reserved", value: u64::from(reserved), expected: 0 });
        }
        Ok(fields)
    }
}
