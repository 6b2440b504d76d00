//! The seek table of a file of one segment, as a way to its chunks: read once, in pieces, and kept as a mark here and
//! there. It is never trusted: its checksum must fit, and a chunk that it leads to counts only when the record there
//! has the number that it must have.
//!
//! ```text
//! | header | record | frame | record | frame | ... | seal | table |
//!                   ^ mark: entry, place, bytes before it     └ read from the end
//! ```

use super::scan::Scan;
use crate::format::{
    FOOTER_BYTES, HEADER_BYTES, RECORD_BYTES, Record, SEEK_ENTRY_BYTES, SEEK_HEAD_BYTES, Seal, SeekEntry, SeekTable,
    SegmentHeader, SegmentKey,
};
use std::io;

/// Most marks that are kept.
const MARKS_MAX: u32 = 4096;
/// Bytes of the table that are read at once.
const PIECE_BYTES: usize = 64 << 10;

const _: () = assert!(size_of::<Mark>() * MARKS_MAX as usize + PIECE_BYTES <= 256 << 10, "what an index may take");

/// The table, as far as it is kept.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) header: SegmentHeader,
    pub(super) key: SegmentKey,
    pub(super) seal: Seal,
    pub(super) seal_at: u64,
    /// Every so many chunks, a mark.
    stride: u32,
    marks: Vec<Mark>,
}

/// Where the frame of a chunk stands.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// Which entry of the table it has.
    entry: u32,
    at: u64,
    /// Raw bytes in front of it in the segment, gaps not counted.
    raw: u64,
}

/// What was looked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reach {
    /// A chunk, and where its record stands.
    Chunk(u64, Record),
    /// It would be behind the last chunk.
    End,
}

impl Table {
    /// The table at the end of a source that can be read anywhere; `None`: there is no good one, or it is not that of
    /// the first and only segment.
    pub(super) fn load(scan: &mut Scan) -> io::Result<Option<Self>> {
        let Some(len) = scan.source().len() else { return Ok(None) };
        let Some(bytes) = scan.peek(0, HEADER_BYTES)?.first_chunk().copied() else { return Ok(None) };
        let Ok(header) = SegmentHeader::decode(&bytes) else { return Ok(None) };
        let Some(footer_at) = len.checked_sub(FOOTER_BYTES as u64) else { return Ok(None) };
        let Some(footer) = scan.peek(footer_at, FOOTER_BYTES)?.first_chunk().copied() else { return Ok(None) };
        let Ok(table_len) = SeekTable::len_from_footer(&footer) else { return Ok(None) };
        let Some(table_at) = len.checked_sub(table_len as u64) else { return Ok(None) };
        let Some(seal_at) = table_at.checked_sub(RECORD_BYTES as u64) else { return Ok(None) };
        let Some(bytes) = scan.peek(seal_at, RECORD_BYTES)?.first_chunk().copied() else { return Ok(None) };
        let key = header.key();
        let Ok(seal) = Seal::decode(&bytes, &key) else { return Ok(None) };
        let table = Self { header, key, seal, seal_at, stride: seal.chunks.div_ceil(MARKS_MAX).max(1), marks: vec![] };
        if u64::from(seal.table_len) != table_len as u64 || !table.numbers_fit() {
            return Ok(None);
        }
        table.mark(scan)
    }

    /// Whether the seal says of the chunks what follows from the header.
    fn numbers_fit(&self) -> bool {
        let (header, seal) = (&self.header, &self.seal);
        seal.next_seq.0.checked_sub(header.first_seq.0) == Some(u64::from(seal.chunks))
            && seal.end_offset >= header.first_offset
    }

    /// Reads all of it, and keeps the marks.
    fn mark(mut self, scan: &mut Scan) -> io::Result<Option<Self>> {
        let (mut crc, mut here, end) = (crc32fast::Hasher::new(), self.table_at(), self.table_end());
        while here < end {
            let piece = usize::try_from(end - here).unwrap_or(usize::MAX).min(PIECE_BYTES);
            let have = scan.peek(here, piece)?;
            if have.is_empty() {
                return Ok(None);
            }
            crc.update(have);
            here += have.len() as u64;
        }
        if crc.finalize() != self.seal.table_crc {
            return Ok(None);
        }
        let (mut chunks, mut past) = (0_u32, Mark { entry: 0, at: 0, raw: 0 });
        let (stride, mut marks) = (self.stride, Vec::new());
        self.each_from(past, scan, |mark, raw_len, frame_len| {
            if raw_len > 0 {
                if chunks.is_multiple_of(stride) {
                    marks.push(mark);
                }
                chunks = chunks.saturating_add(1);
            }
            past.at = mark.at.saturating_add(u64::from(frame_len));
            // So that their number is bounded whatever the table says.
            chunks <= self.seal.chunks
        })?;
        self.marks = marks;
        let whole = chunks == self.seal.chunks && past.at == self.table_at();
        Ok(whole.then_some(self))
    }

    fn table_at(&self) -> u64 {
        self.seal_at + RECORD_BYTES as u64
    }

    fn table_end(&self) -> u64 {
        self.table_at() + u64::from(self.seal.table_len)
    }

    /// Goes over the entries from a mark on, with what stands where: `(mark, raw_len, frame_len)`. False ends it.
    fn each_from(&self, from: Mark, scan: &mut Scan, mut each: impl FnMut(Mark, u32, u32) -> bool) -> io::Result<()> {
        let entries_at = self.table_at() + SEEK_HEAD_BYTES as u64;
        let entries_end = self.table_end() - FOOTER_BYTES as u64;
        let (mut mark, mut here) = (from, entries_at + u64::from(from.entry) * SEEK_ENTRY_BYTES as u64);
        // Most who ask want few.
        let mut piece_bytes = 512;
        while here < entries_end {
            let piece = usize::try_from(entries_end - here).unwrap_or(usize::MAX).min(piece_bytes);
            piece_bytes = (piece_bytes * 4).min(PIECE_BYTES);
            let have = scan.peek(here, piece)?;
            let (entries, _) = have.as_chunks::<SEEK_ENTRY_BYTES>();
            if entries.is_empty() {
                return Ok(());
            }
            for SeekEntry { frame_len, raw_len } in entries.iter().copied().map(SeekEntry::decode) {
                if !each(mark, raw_len, frame_len) {
                    return Ok(());
                }
                mark.entry += 1;
                mark.at = mark.at.saturating_add(u64::from(frame_len));
                mark.raw = mark.raw.saturating_add(u64::from(raw_len));
            }
            here += (entries.len() * SEEK_ENTRY_BYTES) as u64;
        }
        Ok(())
    }

    /// The chunk with this number in the segment, and where its record stands. `None`: the table is wrong.
    pub(super) fn chunk(&self, index: u32, scan: &mut Scan) -> io::Result<Option<(u64, Record)>> {
        let Some(mark) = self.marks.get((index / self.stride) as usize) else { return Ok(None) };
        let (mut left, mut frame_at) = (index % self.stride, None);
        self.each_from(*mark, scan, |mark, raw_len, _| {
            if raw_len == 0 {
                return true;
            }
            if left == 0 {
                frame_at = Some(mark.at);
            }
            left = left.wrapping_sub(1);
            frame_at.is_none()
        })?;
        let Some(at) = frame_at.and_then(|at| at.checked_sub(RECORD_BYTES as u64)) else { return Ok(None) };
        let Some(bytes) = scan.peek(at, RECORD_BYTES)?.first_chunk().copied() else { return Ok(None) };
        let record = Record::decode(&bytes, &self.key).ok();
        let expected = self.header.first_seq.checked_add(u64::from(index));
        Ok(record.filter(|record| Some(record.seq) == expected).map(|record| (at, record)))
    }

    /// The chunk that has byte `raw` of the segment's data if there are no gaps in it.
    fn guess(&self, raw: u64, scan: &mut Scan) -> io::Result<u32> {
        let place = self.marks.partition_point(|mark| mark.raw <= raw).saturating_sub(1);
        let Some(mark) = self.marks.get(place) else { return Ok(0) };
        let mut index = u32::try_from(place).unwrap_or(u32::MAX).saturating_mul(self.stride);
        self.each_from(*mark, scan, |mark, raw_len, _| {
            let before = raw_len == 0 || mark.raw.saturating_add(u64::from(raw_len)) <= raw;
            index += u32::from(before && raw_len > 0);
            before
        })?;
        Ok(index.min(self.seal.chunks.saturating_sub(1)))
    }

    /// The first chunk that ends behind this stream offset, or the end. `None`: the table is wrong.
    pub(super) fn chunk_at(&self, offset: u64, scan: &mut Scan) -> io::Result<Option<Reach>> {
        if self.seal.chunks == 0 {
            return Ok(Some(Reach::End));
        }
        let guess = self.guess(offset.saturating_sub(self.header.first_offset.0), scan)?;
        let Some((at, record)) = self.chunk(guess, scan)? else { return Ok(None) };
        if (record.offset.0..record.end_offset().0).contains(&offset) {
            return Ok(Some(Reach::Chunk(at, record)));
        }
        // There are gaps.
        let (mut low, mut high, mut hit) = (0, self.seal.chunks, Reach::End);
        while low < high {
            let middle = low + (high - low) / 2;
            let Some((at, record)) = self.chunk(middle, scan)? else { return Ok(None) };
            if record.end_offset().0 > offset {
                (high, hit) = (middle, Reach::Chunk(at, record));
            } else {
                low = middle + 1;
            }
        }
        Ok(Some(hit))
    }
}
