//! The seek table at the end of a sealed segment: the zstd project's *seekable format*, as it stands in
//! `contrib/seekable_format/zstd_seekable_compression_format.md` of its source: a skippable frame of 8-byte entries
//! (compressed size, decompressed size) and a 9-byte footer. Derived from the records, never trusted for more than
//! speed.

use super::bytes::Put;
use super::{CHUNKS_PER_SEGMENT_MAX, FormatError};

const SKIPPABLE_MAGIC: u32 = 0x184D_2A5E;
const FOOTER_MAGIC: u32 = 0x8F92_EAB1;
/// In front of the entries: the header of the skippable frame.
pub(crate) const HEAD_BYTES: usize = 8;
/// An entry.
pub(crate) const ENTRY_BYTES: usize = 8;
/// Bytes at the very end of a sealed segment, from which [`SeekTable::len_from_footer`] finds the table.
pub const FOOTER_BYTES: usize = 9;
/// Descriptor byte: no checksums in the entries, reserved bits zero.
const DESCRIPTOR: u8 = 0;

/// Most entries that a table may have: two a chunk, three for the segment, and room for what others may insert.
pub const SEEK_ENTRIES_MAX: usize = 1 << 26;

const _: () = assert!(SeekTable::entries_of(CHUNKS_PER_SEGMENT_MAX) <= SEEK_ENTRIES_MAX);

/// One frame of the file, skippable frames included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeekEntry {
    /// Bytes of the frame in the file.
    pub frame_len: u32,
    /// Bytes it decodes to: 0 for a skippable frame.
    pub raw_len: u32,
}

impl SeekEntry {
    /// An entry as it stands in a table.
    pub(crate) fn decode([a, b, c, d, raw_len @ ..]: [u8; ENTRY_BYTES]) -> Self {
        Self { frame_len: u32::from_le_bytes([a, b, c, d]), raw_len: u32::from_le_bytes(raw_len) }
    }

    /// A frame that decodes to nothing.
    ///
    /// # Panics
    /// Past 4 GiB, where no frame of ours is.
    #[must_use]
    pub(super) fn skippable(frame_len: usize) -> Self {
        Self { frame_len: u32::try_from(frame_len).expect("our skippable frames are short"), raw_len: 0 }
    }
}

/// The frames of a segment, in order, up to the table itself.
///
/// ```
/// use spillpipe::format::{SeekEntry, SeekTable};
/// let mut table = SeekTable::default();
/// table.push(SeekEntry { frame_len: 64, raw_len: 0 });
/// table.push(SeekEntry { frame_len: 1000, raw_len: 4096 });
/// let bytes = table.encode();
/// assert_eq!(bytes.len(), SeekTable::encoded_len(2));
/// assert_eq!(SeekTable::decode(&bytes), Ok(table));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeekTable {
    entries: Vec<SeekEntry>,
}

impl SeekTable {
    /// Bytes of a table of `entries` frames.
    #[must_use]
    pub const fn encoded_len(entries: usize) -> usize {
        HEAD_BYTES + entries * ENTRY_BYTES + FOOTER_BYTES
    }

    /// Entries of a segment of `chunks` chunks: the empty frame, the header, a record and a frame each, the seal.
    #[must_use]
    pub const fn entries_of(chunks: u32) -> usize {
        2 + 2 * chunks as usize + 1
    }

    /// Bytes of the table that ends with `footer`, so that a reader finds it, and the seal in front of it, from the
    /// end of the file.
    ///
    /// # Errors
    /// [`FormatError::Magic`] when no table ends here; [`FormatError::Field`] past [`SEEK_ENTRIES_MAX`].
    pub fn len_from_footer(footer: &[u8; FOOTER_BYTES]) -> Result<usize, FormatError> {
        let [count @ .., _descriptor, a, b, c, d] = *footer;
        let found = u32::from_le_bytes([a, b, c, d]);
        if found != FOOTER_MAGIC {
            return Err(FormatError::Magic { what: "seek table footer", expected: FOOTER_MAGIC, found });
        }
        let (count, expected) = (u32::from_le_bytes(count), SEEK_ENTRIES_MAX as u64);
        let value = u64::from(count);
        if value > expected {
            return Err(FormatError::Field { field: "seek table entries", value, expected });
        }
        Ok(Self::encoded_len(count as usize))
    }

    /// Adds the next frame of the file.
    pub fn push(&mut self, entry: SeekEntry) {
        self.entries.push(entry);
    }

    /// The frames, in file order.
    #[must_use]
    pub fn entries(&self) -> &[SeekEntry] {
        &self.entries
    }

    /// The whole skippable frame.
    ///
    /// # Panics
    /// Past [`SEEK_ENTRIES_MAX`] entries: a segment is rolled long before.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        assert!(self.entries.len() <= SEEK_ENTRIES_MAX, "segments are rolled long before");
        let count = u32::try_from(self.entries.len()).expect("checked above");
        let mut out = Vec::with_capacity(Self::encoded_len(self.entries.len()));
        out.extend_from_slice(&head_bytes(count));
        for entry in &self.entries {
            out.extend_from_slice(&entry_bytes(*entry));
        }
        out.extend_from_slice(&foot_bytes(count));
        out
    }

    /// Reads a whole table back; `bytes` must be exactly it.
    ///
    /// # Errors
    /// [`FormatError::Short`], [`FormatError::Magic`] or [`FormatError::Field`] when it is not one.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let (have, need) = (bytes.len() as u64, Self::encoded_len(0) as u64);
        let short = FormatError::Short { what: "seek table", have, need };
        let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>().ok_or(short)?;
        let (body, footer) = rest.split_last_chunk::<FOOTER_BYTES>().ok_or(short)?;
        let word = |b: &[u8]| u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
        let expect = |what, expected, found| {
            if expected == found { Ok(()) } else { Err(FormatError::Magic { what, expected, found }) }
        };
        expect("seek table", SKIPPABLE_MAGIC, word(head))?;
        expect("seek table footer", FOOTER_MAGIC, word(&footer[5..]))?;
        let field = |field, value: u64, expected: u64| {
            if value == expected { Ok(()) } else { Err(FormatError::Field { field, value, expected }) }
        };
        field("seek table length", u64::from(word(&head[4..])), rest.len() as u64)?;
        field("seek table descriptor", u64::from(footer[4]), u64::from(DESCRIPTOR))?;
        field("seek table size", body.len() as u64, u64::from(word(footer)) * ENTRY_BYTES as u64)?;
        Ok(Self { entries: body.as_chunks().0.iter().copied().map(SeekEntry::decode).collect() })
    }
}

/// What the seek table of some frames must be, without the table: its length and its checksum, in constant memory.
///
/// ```
/// use spillpipe::format::{SeekDigest, SeekEntry, SeekTable, crc32};
/// let (mut digest, mut table) = (SeekDigest::default(), SeekTable::default());
/// for entry in [SeekEntry { frame_len: 64, raw_len: 0 }, SeekEntry { frame_len: 1000, raw_len: 4096 }] {
///     digest.push(entry);
///     table.push(entry);
/// }
/// assert_eq!((digest.table_len(), digest.table_crc()), (table.encode().len(), crc32(&table.encode())));
/// ```
#[derive(Clone, Debug, Default)]
pub struct SeekDigest {
    entries: crc32fast::Hasher,
    count: u32,
}

impl SeekDigest {
    /// Adds the next frame of the file.
    pub fn push(&mut self, entry: SeekEntry) {
        self.entries.update(&entry_bytes(entry));
        self.count = self.count.saturating_add(1);
    }

    /// Bytes of the table, its skippable header included.
    #[must_use]
    pub fn table_len(&self) -> usize {
        SeekTable::encoded_len(self.count as usize)
    }

    /// CRC-32 of those bytes.
    #[must_use]
    pub fn table_crc(&self) -> u32 {
        let mut crc = crc32fast::Hasher::new();
        crc.update(&head_bytes(self.count));
        crc.combine(&self.entries);
        let mut foot = crc32fast::Hasher::new();
        foot.update(&foot_bytes(self.count));
        crc.combine(&foot);
        crc.finalize()
    }
}

/// What is in front of the entries.
pub(crate) fn head_bytes(count: u32) -> [u8; HEAD_BYTES] {
    let len = u64::from(count) * ENTRY_BYTES as u64 + FOOTER_BYTES as u64;
    // Past what a table may have, nothing is equal to this any more.
    Put::new().u32(SKIPPABLE_MAGIC).u32(u32::try_from(len).unwrap_or(u32::MAX)).done()
}

/// An entry.
pub(crate) fn entry_bytes(entry: SeekEntry) -> [u8; ENTRY_BYTES] {
    Put::new().u32(entry.frame_len).u32(entry.raw_len).done()
}

/// What follows the entries.
pub(crate) fn foot_bytes(count: u32) -> [u8; FOOTER_BYTES] {
    Put::new().u32(count).u8(DESCRIPTOR).u32(FOOTER_MAGIC).done()
}
