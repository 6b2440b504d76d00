//! A whole segment in memory, written and read with every check there is: the reference that tests, fuzz targets and
//! the other readers are held against.

use super::decode::{Next, SegmentWalker, check_crc, open_chunk};
use super::encode::{ChunkInfo, SegmentEncoder};
use crate::codec::{Codec, Decoder, Encoder};
use crate::format::frame::frame_bytes_max;
use crate::format::{
    EndState, FormatError, HEADER_BYTES, RECORD_BYTES, Record, SEEK_ENTRIES_MAX, Seal, SeekEntry, SeekTable,
    SegmentHeader, StreamOffset, crc32,
};

/// A chunk for [`write_all`].
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// Its bytes.
    pub raw: &'a [u8],
    /// How to store it, if that pays.
    pub codec: Codec,
    /// Whether it ends on a record boundary of the user's.
    pub record_end: bool,
    /// Its stream offset; `None` when nothing was dropped before it.
    pub offset: Option<StreamOffset>,
}

impl<'a> Chunk<'a> {
    /// A chunk that follows the one before, and ends no record.
    #[must_use]
    pub fn new(raw: &'a [u8], codec: Codec) -> Self {
        Self { raw, codec, record_end: false, offset: None }
    }
}

/// What is wrong with a segment, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at} of the segment: {error}")]
pub struct SegmentError {
    /// Where the structure begins that is not right.
    pub at: u64,
    /// What is wrong with it.
    #[source]
    pub error: FormatError,
}

/// A sealed segment of these chunks. With `checksum`, the frames carry their own content checksums, too.
///
/// # Panics
/// Where [`SegmentEncoder::record`] does: chunks that are empty, too large, too many or out of order.
#[must_use]
pub fn write_all(header: &SegmentHeader, checksum: bool, chunks: &[Chunk<'_>], end: EndState) -> Vec<u8> {
    let mut segment = SegmentEncoder::new(*header);
    let mut out = segment.header_bytes().to_vec();
    let mut encoder = Encoder::new(checksum);
    let mut frame = vec![0; frame_bytes_max(header.family, header.chunk_bytes_max) as usize];
    for chunk in chunks {
        let raw_len = u32::try_from(chunk.raw.len()).ok().filter(|len| (1..=header.chunk_bytes_max).contains(len));
        let raw_len = raw_len.expect("a chunk has 1 byte to the header's largest chunk");
        let stored = encoder.encode(chunk.codec, header.family, chunk.raw, &mut frame);
        let frame = &frame[..stored.frame_len];
        out.extend(segment.record(&ChunkInfo {
            raw_len,
            frame_len: u32::try_from(frame.len()).expect("frames are bounded"),
            raw_crc: crc32(chunk.raw),
            frame_crc: crc32(frame),
            codec: stored.codec,
            record_end: chunk.record_end,
            offset: chunk.offset,
        }));
        out.extend_from_slice(frame);
    }
    out.extend(segment.seal(end));
    out
}

/// Reads a whole sealed segment and hands every chunk, verified, to `sink`.
///
/// Checks all that can be checked: the header, order and bounds of the records, both checksums of every chunk, the
/// seal, the seek table's checksum and that it lists exactly the frames that are there, and that nothing follows it.
/// At any time it holds one chunk and the frames' lengths, both bounded.
///
/// # Errors
/// [`SegmentError`] with the place of the first structure that is not right. Chunks before it have gone to `sink`.
///
/// ```
/// use spillpipe::codec::{Codec, ZstdLevel};
/// use spillpipe::format::*;
/// use spillpipe::segment::{Chunk, read_all, write_all};
/// # let header = SegmentHeader {
/// #     store: StoreId([7; 16]), number: SegmentNumber(1), first_seq: ChunkSeq(0), first_offset: StreamOffset(0),
/// #     chunk_bytes_max: 4096, salt: Salt(9), created_ns: 0, family: Family::Zstd,
/// # };
/// let mut file = write_all(&header, true, &[Chunk::new(&[b'x'; 3000], Codec::Zstd(ZstdLevel::DEFAULT))],
/// EndState::End); let mut out = Vec::new();
/// let (read_header, seal) = read_all(&file, |_record, raw| out.extend_from_slice(raw))?;
/// assert_eq!((read_header, seal.chunks, out), (header, 1, vec![b'x'; 3000]));
///
/// file.push(0);
/// assert!(read_all(&file, |_, _| ()).is_err(), "a byte too many");
/// # Ok::<(), spillpipe::segment::SegmentError>(())
/// ```
pub fn read_all(bytes: &[u8], mut sink: impl FnMut(&Record, &[u8])) -> Result<(SegmentHeader, Seal), SegmentError> {
    let at_start = |error| SegmentError { at: 0, error };
    let header = bytes.first_chunk::<HEADER_BYTES>().ok_or(at_start(short("segment header", bytes, HEADER_BYTES)))?;
    let header = SegmentHeader::decode(header).map_err(at_start)?;
    let key = header.key();
    let mut walker = SegmentWalker::new(&header);
    let mut decoder = Decoder::default();
    let mut raw = Vec::new();
    let mut table = SeekTable::default();
    for entry in header.seek_entries() {
        table.push(entry);
    }
    loop {
        let at = walker.at();
        let fail = |error| SegmentError { at, error };
        if table.entries().len() >= SEEK_ENTRIES_MAX {
            let (value, expected) = (table.entries().len() as u64, SEEK_ENTRIES_MAX as u64);
            return Err(fail(FormatError::Field { field: "frames of the segment", value, expected }));
        }
        let next = step(&mut walker, bytes).map_err(fail)?;
        let body = usize::try_from(at).ok().zip(usize::try_from(walker.at()).ok());
        let body = body.and_then(|(from, to)| bytes.get(from..to));
        match next {
            Next::Skip { frame_len } => {
                body.ok_or(fail(short("skippable frame", tail(bytes, at), frame_len as usize)))?;
                table.push(SeekEntry { frame_len, raw_len: 0 });
            }
            Next::Chunk(record) => {
                let have = tail(bytes, at + RECORD_BYTES as u64);
                let frame = body.ok_or(fail(short("data frame", have, record.frame_len as usize)))?;
                raw.resize(record.raw_len as usize, 0);
                open_chunk(&record, key.family, &frame[RECORD_BYTES..], &mut raw, &mut decoder).map_err(fail)?;
                sink(&record, &raw);
                for entry in record.seek_entries() {
                    table.push(entry);
                }
            }
            Next::Seal(seal) => {
                table.push(Seal::seek_entry());
                check_table(&seal, tail(bytes, at + RECORD_BYTES as u64), &table).map_err(fail)?;
                return Ok((header, seal));
            }
        }
    }
}

fn step(walker: &mut SegmentWalker, bytes: &[u8]) -> Result<Next, FormatError> {
    let rest = tail(bytes, walker.at());
    // A foreign skippable frame may be shorter than a record: what lies past the end reads as zeros.
    let mut window = [0; RECORD_BYTES];
    let have = rest.len().min(RECORD_BYTES);
    window[..have].copy_from_slice(&rest[..have]);
    match walker.step(&window) {
        Ok(next) => Ok(next),
        Err(_) if have < RECORD_BYTES => Err(short("record or seal", rest, RECORD_BYTES)),
        Err(error) => Err(error),
    }
}

fn check_table(seal: &Seal, rest: &[u8], expected: &SeekTable) -> Result<(), FormatError> {
    let table = rest.get(..seal.table_len as usize).ok_or(short("seek table", rest, seal.table_len as usize))?;
    check_crc("seek table", seal.table_crc, table)?;
    let table = SeekTable::decode(table)?;
    let field = |field, value: u64, expected: u64| {
        if value == expected { Ok(()) } else { Err(FormatError::Field { field, value, expected }) }
    };
    field("seek table entries", table.entries().len() as u64, expected.entries().len() as u64)?;
    for (found, expected) in table.entries().iter().zip(expected.entries()) {
        field("seek table frame length", u64::from(found.frame_len), u64::from(expected.frame_len))?;
        field("seek table raw length", u64::from(found.raw_len), u64::from(expected.raw_len))?;
    }
    field("bytes after the seek table", rest.len() as u64 - u64::from(seal.table_len), 0)
}

/// The bytes from `at` on; none when `at` lies past the end.
fn tail(bytes: &[u8], at: u64) -> &[u8] {
    usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default()
}

fn short(what: &'static str, have: &[u8], need: usize) -> FormatError {
    FormatError::Short { what, have: have.len() as u64, need: need as u64 }
}
