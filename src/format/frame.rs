//! The data frames that we build and take apart ourselves: LZ4 frames of one block, and frames of raw blocks of
//! either family. Compressed zstd frames are libzstd's own (see [`crate::codec`]).
//!
//! ```text
//! LZ4:   magic 4 | FLG | BD | content size 8 | HC | block size 4, top bit: uncompressed | block | 0000 | [XXH32 4]
//! zstd:  magic 4 | FHD | content size 4 | (block header 3 | <= 128 KiB) ... | [XXH64, low 4]
//! ```
//!
//! Sources: the LZ4 frame format description 1.6.4 and RFC 8878, section 3.1.1.

use super::{CHUNK_BYTES_MAX, Family, FormatError};
use std::hash::Hasher as _;

/// How a zstd frame begins.
pub(crate) const ZSTD_MAGIC: u32 = 0xFD2F_B528;
/// Single segment, content size in 4 bytes, no dictionary; bit 2 is the content checksum.
const ZSTD_DESCRIPTOR: u8 = 0b1010_0000;
const ZSTD_CHECKSUM: u8 = 0b0000_0100;
const ZSTD_BLOCK_HEADER_BYTES: usize = 3;
const ZSTD_BLOCK_BYTES_MAX: usize = 128 << 10;
/// The longest frame header (magic, descriptor, 8 bytes of content size) and a checksum.
const ZSTD_EXTRA_BYTES: u32 = 18;

/// How an LZ4 frame begins.
pub(crate) const LZ4_MAGIC: u32 = 0x184D_2204;
/// Version 1, independent blocks, content size; bit 2 is the content checksum.
const LZ4_FLG: u8 = 0b0110_1000;
const LZ4_CHECKSUM: u8 = 0b0000_0100;
const LZ4_UNCOMPRESSED: u32 = 1 << 31;
const LZ4_END_MARK: [u8; 4] = [0; 4];
const CHECKSUM_BYTES: usize = 4;

/// Bytes of an LZ4 frame in front of its block: header and block size.
pub const LZ4_PREFIX_BYTES: usize = 4 + 2 + 8 + 1 + 4;

const _: () = assert!(CHUNK_BYTES_MAX as usize <= LZ4_BLOCK_SIZES[3].1, "a chunk is one LZ4 block");

/// Block size codes of the LZ4 frame descriptor.
const LZ4_BLOCK_SIZES: [(u8, usize); 4] = [(4, 64 << 10), (5, 256 << 10), (6, 1 << 20), (7, 4 << 20)];

/// Whether a frame that begins like this is one that decoders of zstd and of LZ4 skip: the magic ends in any digit.
pub(crate) fn is_skippable(magic: u32) -> bool {
    magic & !0xF == 0x184D_2A50
}

/// Longest data frame that a chunk of `raw_len` bytes can have: what a reader may allocate for it.
///
/// ```
/// use spillpipe::format::{Family, frame::frame_bytes_max};
/// assert_eq!(frame_bytes_max(Family::Zstd, 128 << 10), (128 << 10) + 3 + 18);
/// ```
#[must_use]
pub const fn frame_bytes_max(family: Family, raw_len: u32) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "small constants")]
    let extra = match family {
        Family::Zstd => {
            raw_len.div_ceil(ZSTD_BLOCK_BYTES_MAX as u32) * ZSTD_BLOCK_HEADER_BYTES as u32 + ZSTD_EXTRA_BYTES
        }
        Family::Lz4 => (LZ4_PREFIX_BYTES + LZ4_END_MARK.len() + CHECKSUM_BYTES) as u32,
    };
    raw_len.saturating_add(extra)
}

/// Appends to nothing but a fixed slice: frames are built in buffers whose size was settled before.
struct Out<'a> {
    bytes: &'a mut [u8],
    len: usize,
}

impl<'a> Out<'a> {
    fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, len: 0 }
    }

    fn put(&mut self, field: &[u8]) {
        self.bytes[self.len..self.len + field.len()].copy_from_slice(field);
        self.len += field.len();
    }
}

/// Writes `raw` as a frame of uncompressed blocks into `out` and returns the frame's length.
///
/// # Panics
/// When `raw` is empty or longer than [`CHUNK_BYTES_MAX`], or `out` shorter than [`frame_bytes_max`].
///
/// ```
/// use spillpipe::format::{Family, frame};
/// let mut out = vec![0; frame::frame_bytes_max(Family::Lz4, 5) as usize];
/// let len = frame::write_raw(Family::Lz4, b"hello", false, &mut out);
/// let mut back = [0; 5];
/// frame::read_raw(Family::Lz4, &out[..len], &mut back)?;
/// assert_eq!(&back, b"hello");
/// # Ok::<(), spillpipe::format::FormatError>(())
/// ```
pub fn write_raw(family: Family, raw: &[u8], checksum: bool, out: &mut [u8]) -> usize {
    assert!((1..=CHUNK_BYTES_MAX as usize).contains(&raw.len()), "a chunk has 1 byte to 4 MiB");
    match family {
        Family::Zstd => write_raw_zstd(raw, checksum, out),
        Family::Lz4 => {
            out[LZ4_PREFIX_BYTES..LZ4_PREFIX_BYTES + raw.len()].copy_from_slice(raw);
            finish_lz4(raw, raw.len(), true, checksum, out)
        }
    }
}

/// Reads a frame of uncompressed blocks back into exactly `raw`.
///
/// # Errors
/// [`FormatError`] when the frame is not one that [`write_raw`] writes for that many bytes.
pub fn read_raw(family: Family, frame: &[u8], raw: &mut [u8]) -> Result<(), FormatError> {
    let Some(stored) = copy_raw(family, frame, raw)? else { return Ok(()) };
    match family {
        Family::Zstd => check_sum("zstd content", stored, xxh64_low(raw)),
        Family::Lz4 => check_sum("LZ4 content", stored, xxh32(raw)),
    }
}

/// As [`read_raw`], for a frame whose bytes have been compared with a checksum already: its own one is for tools that
/// know no other, takes longer than the rest, and is returned without being computed.
///
/// # Errors
/// As for [`read_raw`], but for the checksum.
pub fn copy_raw(family: Family, frame: &[u8], raw: &mut [u8]) -> Result<Option<[u8; CHECKSUM_BYTES]>, FormatError> {
    match family {
        Family::Zstd => copy_raw_zstd(frame, raw),
        Family::Lz4 => {
            let block = parse_lz4(frame, raw.len())?;
            if !block.uncompressed || block.bytes.len() != raw.len() {
                let (value, expected) = (block.bytes.len() as u64, raw.len() as u64);
                return Err(FormatError::Field { field: "raw LZ4 block length", value, expected });
            }
            raw.copy_from_slice(block.bytes);
            Ok(block.checksum)
        }
    }
}

fn write_raw_zstd(raw: &[u8], checksum: bool, out: &mut [u8]) -> usize {
    let mut out = Out::new(out);
    out.put(&ZSTD_MAGIC.to_le_bytes());
    out.put(&[ZSTD_DESCRIPTOR | if checksum { ZSTD_CHECKSUM } else { 0 }]);
    out.put(&len_u32(raw).to_le_bytes());
    let mut blocks = raw.chunks(ZSTD_BLOCK_BYTES_MAX).peekable();
    while let Some(block) = blocks.next() {
        let last = u32::from(blocks.peek().is_none());
        out.put(&(len_u32(block) << 3 | last).to_le_bytes()[..ZSTD_BLOCK_HEADER_BYTES]);
        out.put(block);
    }
    if checksum {
        out.put(&xxh64_low(raw));
    }
    out.len
}

fn copy_raw_zstd(frame: &[u8], raw: &mut [u8]) -> Result<Option<[u8; CHECKSUM_BYTES]>, FormatError> {
    check_raw_len(raw.len())?;
    let mut input = In(frame);
    let magic = input.u32()?;
    if magic != ZSTD_MAGIC {
        return Err(FormatError::Magic { what: "zstd frame", expected: ZSTD_MAGIC, found: magic });
    }
    let descriptor = input.array::<1>()?[0];
    expect("zstd frame descriptor", descriptor & !ZSTD_CHECKSUM, ZSTD_DESCRIPTOR)?;
    expect("zstd content size", input.u32()?, len_u32(raw))?;
    let block_count = raw.len().div_ceil(ZSTD_BLOCK_BYTES_MAX);
    for (i, block) in raw.chunks_mut(ZSTD_BLOCK_BYTES_MAX).enumerate() {
        let [a, b, c] = input.array::<ZSTD_BLOCK_HEADER_BYTES>()?;
        let last = u32::from(i + 1 == block_count);
        expect("raw zstd block header", u32::from_le_bytes([a, b, c, 0]), len_u32(block) << 3 | last)?;
        block.copy_from_slice(input.bytes(block.len())?);
    }
    let checksum = if descriptor & ZSTD_CHECKSUM == 0 { None } else { Some(input.array()?) };
    input.end()?;
    Ok(checksum)
}

/// Completes an LZ4 frame in `out`, where the block of `block_len` bytes stands at [`LZ4_PREFIX_BYTES`] already;
/// returns the frame's length. `raw` is what the block decodes to.
///
/// # Panics
/// When `out` cannot hold the frame: its size was settled by [`frame_bytes_max`].
pub fn finish_lz4(raw: &[u8], block_len: usize, uncompressed: bool, checksum: bool, out: &mut [u8]) -> usize {
    let mut out = Out::new(out);
    out.put(&LZ4_MAGIC.to_le_bytes());
    out.put(&[LZ4_FLG | if checksum { LZ4_CHECKSUM } else { 0 }, lz4_block_code(raw.len()) << 4]);
    out.put(&(raw.len() as u64).to_le_bytes());
    let descriptor_sum = lz4_descriptor_sum(&out.bytes[4..out.len]);
    out.put(&[descriptor_sum]);
    let block_size = u32::try_from(block_len).expect("a block is at most 4 MiB");
    out.put(&(block_size | if uncompressed { LZ4_UNCOMPRESSED } else { 0 }).to_le_bytes());
    out.len += block_len;
    out.put(&LZ4_END_MARK);
    if checksum {
        out.put(&xxh32(raw));
    }
    out.len
}

/// The one block of an LZ4 frame.
#[derive(Debug)]
pub struct Lz4Block<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Whether they are the data itself.
    pub uncompressed: bool,
    checksum: Option<[u8; CHECKSUM_BYTES]>,
}

/// Takes apart an LZ4 frame of one block that says it decodes to `raw_len` bytes and fills `frame` exactly.
///
/// # Errors
/// [`FormatError`] when it is not such a frame, or its header checksum is wrong.
pub fn parse_lz4(frame: &[u8], raw_len: usize) -> Result<Lz4Block<'_>, FormatError> {
    check_raw_len(raw_len)?;
    let mut input = In(frame);
    let magic = input.u32()?;
    if magic != LZ4_MAGIC {
        return Err(FormatError::Magic { what: "LZ4 frame", expected: LZ4_MAGIC, found: magic });
    }
    let descriptor = input.array::<10>()?;
    let [flg, block_size_code, size @ ..] = descriptor;
    expect("LZ4 frame flags", flg & !LZ4_CHECKSUM, LZ4_FLG)?;
    let block_max = LZ4_BLOCK_SIZES.iter().find(|(code, _)| code << 4 == block_size_code).map_or(0, |(_, max)| *max);
    if raw_len > block_max {
        let (value, expected) = (u64::from(block_size_code), u64::from(lz4_block_code(raw_len) << 4));
        return Err(FormatError::Field { field: "LZ4 block size code", value, expected });
    }
    expect("LZ4 content size", u64::from_le_bytes(size), raw_len as u64)?;
    expect("LZ4 header checksum", input.array::<1>()?[0], lz4_descriptor_sum(&descriptor))?;
    let block_size = input.u32()?;
    let bytes = input.bytes((block_size & !LZ4_UNCOMPRESSED) as usize)?;
    expect("LZ4 end mark", input.u32()?, 0u32)?;
    let checksum = if flg & LZ4_CHECKSUM == 0 { None } else { Some(input.array()?) };
    input.end()?;
    Ok(Lz4Block { bytes, uncompressed: block_size & LZ4_UNCOMPRESSED != 0, checksum })
}

/// Checks the content checksum of a frame, where it carries one, against the decoded bytes.
///
/// # Errors
/// [`FormatError::Checksum`] when it does not match.
pub fn check_lz4_checksum(block: &Lz4Block<'_>, raw: &[u8]) -> Result<(), FormatError> {
    block.checksum.map_or(Ok(()), |stored| check_sum("LZ4 content", stored, xxh32(raw)))
}

/// The smallest block size that holds `raw_len` bytes.
fn lz4_block_code(raw_len: usize) -> u8 {
    LZ4_BLOCK_SIZES.iter().find(|(_, max)| raw_len <= *max).map_or(7, |(code, _)| *code)
}

fn lz4_descriptor_sum(descriptor: &[u8]) -> u8 {
    twox_hash::XxHash32::oneshot(0, descriptor).to_le_bytes()[1]
}

fn xxh32(raw: &[u8]) -> [u8; CHECKSUM_BYTES] {
    twox_hash::XxHash32::oneshot(0, raw).to_le_bytes()
}

/// The low 4 bytes of the XXH64, as zstd stores them.
fn xxh64_low(raw: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut hash = twox_hash::XxHash64::with_seed(0);
    hash.write(raw);
    let [a, b, c, d, ..] = hash.finish().to_le_bytes();
    [a, b, c, d]
}

fn len_u32(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("a chunk is at most 4 MiB")
}

/// A chunk has 1 byte to 4 MiB: an empty one would need frames that some decoders stumble over.
fn check_raw_len(raw_len: usize) -> Result<(), FormatError> {
    let (value, limit) = (raw_len as u64, u64::from(CHUNK_BYTES_MAX));
    match value {
        0 => Err(FormatError::Field { field: "raw length", value, expected: 1 }),
        _ if value > limit => Err(FormatError::TooLong { field: "raw length", value, limit }),
        _ => Ok(()),
    }
}

fn check_sum(what: &'static str, stored: [u8; 4], computed: [u8; 4]) -> Result<(), FormatError> {
    let (stored, computed) = (u32::from_le_bytes(stored), u32::from_le_bytes(computed));
    if stored == computed { Ok(()) } else { Err(FormatError::Checksum { what, stored, computed }) }
}

fn expect<T: Into<u64>>(field: &'static str, value: T, expected: T) -> Result<(), FormatError> {
    let (value, expected) = (value.into(), expected.into());
    if value == expected { Ok(()) } else { Err(FormatError::Field { field, value, expected }) }
}

/// What is left of a frame while it is taken apart.
struct In<'a>(&'a [u8]);

impl<'a> In<'a> {
    fn bytes(&mut self, len: usize) -> Result<&'a [u8], FormatError> {
        let (have, need) = (self.0.len() as u64, len as u64);
        let (head, rest) = self.0.split_at_checked(len).ok_or(FormatError::Short { what: "frame", have, need })?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let mut out = [0; N];
        out.copy_from_slice(self.bytes(N)?);
        Ok(out)
    }

    fn u32(&mut self) -> Result<u32, FormatError> {
        self.array().map(u32::from_le_bytes)
    }

    fn end(self) -> Result<(), FormatError> {
        expect("bytes after the frame", self.0.len() as u64, 0)
    }
}
