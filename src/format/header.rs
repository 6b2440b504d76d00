//! The segment header: 128 bytes at the start of every segment.

use super::bytes::{Put, Take};
use super::{CHUNK_BYTES_MAX, ChunkSeq, FormatError, Salt, SeekEntry, SegmentNumber, StoreId, StreamOffset, crc32};

/// Length of the segment header.
pub const HEADER_BYTES: usize = 128;

pub(super) const OUR_MAGIC: [u8; 8] = *b"SPSG\x0D\x0A\x1A\x0A";
const MAJOR: u16 = 1;
const MINOR: u16 = 0;
const CRC_AT: usize = 0x7C;
/// From the end of the empty frame: skippable header, our magic, version, incompatible bits.
const READ_ONLY_BITS_AT: usize = 8 + 8 + 4 + 4;

/// Skippable frame magic that carries our own structures.
pub(super) const SKIPPABLE_MAGIC: u32 = 0x184D_2A58;

/// An empty zstd frame: single segment, content size 0 in 8 bytes, one last raw block of 0 bytes.
const ZSTD_EMPTY: [u8; 16] = [0x28, 0xB5, 0x2F, 0xFD, 0xE0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0];
/// An empty LZ4 frame: version 1, independent blocks, 4 MiB blocks at most, header checksum, end mark.
const LZ4_EMPTY: [u8; 11] = [0x04, 0x22, 0x4D, 0x18, 0x60, 0x70, 0x73, 0, 0, 0, 0];

/// Which standard format the data frames of a segment have: one per segment, never both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Readable with `zstd -dc`.
    Zstd,
    /// Readable with `lz4 -dc`.
    Lz4,
}

impl Family {
    /// Every family, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Zstd, Self::Lz4];

    /// The number stored in the header.
    #[must_use]
    pub fn code(self) -> u32 {
        match self {
            Self::Zstd => 1,
            Self::Lz4 => 2,
        }
    }

    /// File name extension, without the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Zstd => "zst",
            Self::Lz4 => "lz4",
        }
    }

    fn from_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.code() == code)
    }

    /// The empty frame that a segment of this family starts with.
    pub(crate) const fn empty_frame(self) -> &'static [u8] {
        match self {
            Self::Zstd => &ZSTD_EMPTY,
            Self::Lz4 => &LZ4_EMPTY,
        }
    }
}

/// What a segment says of itself.
///
/// ```
/// use spillpipe::format::*;
/// let header = SegmentHeader {
///     store: StoreId([7; 16]),
///     number: SegmentNumber(1),
///     first_seq: ChunkSeq(0),
///     first_offset: StreamOffset(0),
///     chunk_bytes_max: 256 << 10,
///     salt: Salt(0x1234_5678),
///     created_ns: 0,
///     family: Family::Zstd,
/// };
/// assert_eq!(SegmentHeader::decode(&header.encode()), Ok(header));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The store it belongs to.
    pub store: StoreId,
    /// Its number there.
    pub number: SegmentNumber,
    /// Sequence number of its first chunk.
    pub first_seq: ChunkSeq,
    /// Stream offset of its first byte.
    pub first_offset: StreamOffset,
    /// Largest raw chunk in it, in bytes, at most [`CHUNK_BYTES_MAX`].
    pub chunk_bytes_max: u32,
    /// Random, repeated in its records.
    pub salt: Salt,
    /// Creation time in nanoseconds since 1970.
    pub created_ns: u64,
    /// Format of its data frames.
    pub family: Family,
}

impl SegmentHeader {
    /// The 128 bytes.
    ///
    /// # Panics
    /// When `chunk_bytes_max` is 0 or over [`CHUNK_BYTES_MAX`]: a writer's mistake, not a reader's input.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        assert!(
            (1..=CHUNK_BYTES_MAX).contains(&self.chunk_bytes_max),
            "chunk size was checked when the writer was made"
        );
        let empty = self.family.empty_frame();
        #[expect(clippy::cast_possible_truncation, reason = "at most 120")]
        let skippable_len = (HEADER_BYTES - empty.len() - 8) as u32;
        let put = Put::<HEADER_BYTES>::new()
            .raw(empty)
            .u32(SKIPPABLE_MAGIC)
            .u32(skippable_len)
            .raw(&OUR_MAGIC)
            .u16(MAJOR)
            .u16(MINOR)
            .u32(0)
            .u32(0)
            .u32(0)
            .raw(&self.store.0)
            .u64(self.number.0)
            .u64(self.first_seq.0)
            .u64(self.first_offset.0)
            .u32(self.chunk_bytes_max)
            .u32(self.salt.0)
            .u64(self.created_ns)
            .u32(self.family.code())
            .zeros_to(CRC_AT);
        let crc = crc32(put.so_far());
        put.u32(crc).done()
    }

    /// Reads the 128 bytes back.
    ///
    /// # Errors
    /// [`FormatError::Magic`] when this is no segment of ours; [`FormatError::Checksum`] when it is a damaged one;
    /// [`FormatError::Major`] and [`FormatError::Incompatible`] when it needs a newer program;
    /// [`FormatError::TooLong`] and [`FormatError::Field`] when a field is out of bounds.
    pub fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self, FormatError> {
        let family = Family::ALL.into_iter().find(|f| bytes.starts_with(f.empty_frame()));
        let family = family.ok_or_else(|| FormatError::Magic {
            what: "segment header",
            expected: u32::from_le_bytes([ZSTD_EMPTY[0], ZSTD_EMPTY[1], ZSTD_EMPTY[2], ZSTD_EMPTY[3]]),
            found: Take::new(bytes).u32(),
        })?;
        let mut take = Take::new(bytes);
        take.zeros_to(family.empty_frame().len());
        let skippable = take.u32();
        if skippable != SKIPPABLE_MAGIC {
            return Err(FormatError::Magic { what: "segment header", expected: SKIPPABLE_MAGIC, found: skippable });
        }
        let skippable_len = take.u32();
        let magic = take.array::<8>();
        if magic != OUR_MAGIC {
            let [a, b, c, d, ..] = magic;
            return Err(FormatError::Magic {
                what: "segment header",
                expected: u32::from_le_bytes([OUR_MAGIC[0], OUR_MAGIC[1], OUR_MAGIC[2], OUR_MAGIC[3]]),
                found: u32::from_le_bytes([a, b, c, d]),
            });
        }
        // The place of the checksum and of the version is the same in every major version, so that damage and a newer
        // format are never taken for one another.
        let computed = crc32(&bytes[..CRC_AT]);
        let stored = u32::from_le_bytes([bytes[CRC_AT], bytes[CRC_AT + 1], bytes[CRC_AT + 2], bytes[CRC_AT + 3]]);
        if computed != stored {
            return Err(FormatError::Checksum { what: "segment header", stored, computed });
        }
        let (major, minor) = (take.u16(), take.u16());
        if major != MAJOR {
            return Err(FormatError::Major { major, minor });
        }
        let expected_len = (HEADER_BYTES - family.empty_frame().len() - 8) as u64;
        if u64::from(skippable_len) != expected_len {
            let value = u64::from(skippable_len);
            return Err(FormatError::Field { field: "header length", value, expected: expected_len });
        }
        let incompatible = take.u32();
        if incompatible != 0 {
            return Err(FormatError::Incompatible { bits: incompatible });
        }
        // Neither hinders reading; [`Self::read_only_bits`] is for those who would change the segment.
        let (_read_only, _compatible) = (take.u32(), take.u32());
        let header = Self {
            store: StoreId(take.array()),
            number: SegmentNumber(take.u64()),
            first_seq: ChunkSeq(take.u64()),
            first_offset: StreamOffset(take.u64()),
            chunk_bytes_max: take.u32(),
            salt: Salt(take.u32()),
            created_ns: take.u64(),
            family: {
                let code = take.u32();
                Family::from_code(code).filter(|&f| f == family).ok_or(FormatError::Field {
                    field: "family",
                    value: u64::from(code),
                    expected: u64::from(family.code()),
                })?
            },
        };
        // The zeros up to the checksum are not looked at: a compatible feature may come to use them.
        if header.chunk_bytes_max == 0 {
            return Err(FormatError::Field { field: "largest chunk", value: 0, expected: u64::from(CHUNK_BYTES_MAX) });
        }
        if header.chunk_bytes_max > CHUNK_BYTES_MAX {
            return Err(FormatError::TooLong {
                field: "largest chunk",
                value: u64::from(header.chunk_bytes_max),
                limit: u64::from(CHUNK_BYTES_MAX),
            });
        }
        Ok(header)
    }

    /// Feature bits of a decoded header that allow reading the segment, but not changing it, to a program that does not
    /// know them. This one knows none: unless they are 0 it must not cut a torn tail off this segment, for instance.
    #[must_use]
    pub fn read_only_bits(&self, bytes: &[u8; HEADER_BYTES]) -> u32 {
        let mut take = Take::new(bytes);
        take.zeros_to(self.family.empty_frame().len() + READ_ONLY_BITS_AT);
        take.u32()
    }

    /// The two frames at the start of the segment, as its seek table lists them.
    #[must_use]
    pub fn seek_entries(&self) -> [SeekEntry; 2] {
        let empty = self.family.empty_frame().len();
        [SeekEntry::skippable(empty), SeekEntry::skippable(HEADER_BYTES - empty)]
    }

    /// What the records of this segment must carry and may not exceed.
    #[must_use]
    pub fn key(&self) -> super::SegmentKey {
        super::SegmentKey::new(&self.store, self.salt, self.family, self.chunk_bytes_max)
    }
}
