//! The first pass: every whole chunk of the inputs, and what else says something of a stream.

use super::nested::Visit;
use crate::archive::scan::{Found, Item};
use crate::format::{ChunkSeq, EndState, Family, HEADER_BYTES, RECORD_BYTES, SegmentKey, StoreId, StoreMark};
use std::collections::HashMap;

/// A whole chunk, by its place in the stream; and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) seq: u64,
    pub(super) offset: u64,
    pub(super) raw_len: u32,
    pub(super) raw_crc: u32,
    /// Which of the parts it is in.
    pub(super) part: u32,
    /// Where in that file.
    pub(super) at: u64,
}

impl Entry {
    /// Whether the two are the same chunk.
    pub(super) fn is(&self, other: &Self) -> bool {
        (self.seq, self.offset, self.raw_len, self.raw_crc) == (other.seq, other.offset, other.raw_len, other.raw_crc)
    }

    pub(super) fn end(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.raw_len))
    }
}

/// A segment in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Part {
    pub(super) file: u32,
    pub(super) stream: u32,
    pub(super) key: SegmentKey,
}

/// All that has one store.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) id: Option<StoreId>,
    /// Where it was seen first.
    pub(super) file: usize,
    pub(super) at: u64,
    /// Structures that say this store.
    pub(super) witnesses: u64,
    /// Where it begins, if a header says so: number and offset.
    pub(super) start: Option<(u64, u64)>,
    /// How far it went, that is known of: the number that comes next, and the offset.
    pub(super) furthest: (u64, u64),
    /// The last seal: the number that comes next, and what it says.
    pub(super) seal: Option<(u64, EndState)>,
    /// Whether a chunk of it can hold a stretch of data of any length, as it is; else no longer than a block of zstd's.
    pub(super) longest_plain: u64,
}

/// Bytes of a block of zstd's: what lies in one piece in a chunk that was not compressed.
const ZSTD_BLOCK_BYTES_MAX: u64 = 128 << 10;

/// What was found in all files so far.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    pub(super) entries: Vec<Entry>,
    pub(super) parts: Vec<Part>,
    pub(super) streams: Vec<Stream>,
    /// By file and place.
    pub(super) visits: Vec<Visit>,
    by_part: HashMap<Part, u32>,
    by_store: HashMap<StoreMark, u32>,
    /// Where the structure before ends, in this file.
    end: u64,
    /// Bytes of this file that are structures.
    structure_bytes: u64,
}

impl Catalogue {
    /// From here on, what is found is in the next file.
    pub(super) fn next_file(&mut self) {
        (self.end, self.structure_bytes) = (0, 0);
    }

    pub(super) fn structure_bytes(&self) -> u64 {
        self.structure_bytes
    }

    /// Takes what was found. `whole`: if it is a chunk, it can be had; of chunks that are not, it is known that they were.
    pub(super) fn take(&mut self, file: usize, found: &Found, whole: bool) {
        let Some(key) = found.key else { return };
        let at = found.at;
        let (len, intact_len) = match found.item {
            Item::Lost(_) => return,
            Item::Skip { frame_len } => (u64::from(frame_len), u64::from(frame_len)),
            Item::Header(_) => (HEADER_BYTES as u64, HEADER_BYTES as u64),
            Item::Chunk(record) => {
                let len = RECORD_BYTES as u64 + u64::from(record.frame_len);
                (len, len)
            }
            Item::Broken(record, _) => (RECORD_BYTES as u64 + u64::from(record.frame_len), RECORD_BYTES as u64),
            Item::Seal(seal, Ok(())) => {
                let len = RECORD_BYTES as u64 + u64::from(seal.table_len);
                (len, len)
            }
            Item::Seal(seal, Err(_)) => (RECORD_BYTES as u64 + u64::from(seal.table_len), RECORD_BYTES as u64),
        };
        let in_place = at == self.end;
        self.end = at + len;
        self.structure_bytes += intact_len;
        if matches!(found.item, Item::Skip { .. }) {
            return;
        }
        let stream = self.stream(file, at, &key);
        let part = Part { file: u32::try_from(file).unwrap_or(u32::MAX), stream, key };
        let next_part = u32::try_from(self.parts.len()).unwrap_or(u32::MAX);
        let part_number = *self.by_part.entry(part).or_insert(next_part);
        if part_number == next_part {
            self.parts.push(part);
        }
        let known = &mut self.streams[stream as usize];
        known.witnesses += 1;
        let plain = match key.family {
            Family::Zstd => ZSTD_BLOCK_BYTES_MAX.min(key.chunk_bytes_max.into()),
            Family::Lz4 => key.chunk_bytes_max.into(),
        };
        known.longest_plain = known.longest_plain.max(plain);
        // What number the structure has, and which comes next.
        let (seq, next) = match found.item {
            Item::Header(header) => {
                let start = (header.first_seq.0, header.first_offset.0);
                known.id = Some(header.store);
                known.start = Some(known.start.map_or(start, |known| known.min(start)));
                known.furthest = known.furthest.max(start);
                (start.0, start.0)
            }
            Item::Chunk(record) | Item::Broken(record, _) => {
                let (ChunkSeq(seq), next) = (record.seq, (record.next_seq().0, record.end_offset().0));
                known.furthest = known.furthest.max(next);
                if whole && matches!(found.item, Item::Chunk(_)) {
                    let (offset, raw_len, raw_crc) = (record.offset.0, record.raw_len, record.raw_crc);
                    self.entries.push(Entry { seq, offset, raw_len, raw_crc, part: part_number, at });
                    (seq, next.0)
                } else {
                    (seq, seq)
                }
            }
            Item::Seal(seal, _) => {
                let ends = (seal.next_seq.0, seal.end);
                known.furthest = known.furthest.max((ends.0, seal.end_offset.0));
                let later = known.seal.is_none_or(|seal| (seal.0, rank(seal.1)) < (ends.0, rank(ends.1)));
                if later {
                    known.seal = Some(ends);
                }
                (ends.0, ends.0)
            }
            Item::Skip { .. } | Item::Lost(_) => return,
        };
        self.visit(file, stream, found, in_place, (seq, next));
    }

    fn stream(&mut self, file: usize, at: u64, key: &SegmentKey) -> u32 {
        let next = u32::try_from(self.streams.len()).unwrap_or(u32::MAX);
        let stream = *self.by_store.entry(key.store).or_insert(next);
        if stream == next {
            self.streams.push(Stream {
                id: None,
                file,
                at,
                witnesses: 0,
                start: None,
                furthest: (0, 0),
                seal: None,
                longest_plain: 0,
            });
        }
        stream
    }

    fn visit(&mut self, file: usize, stream: u32, found: &Found, in_place: bool, (seq, next): (u64, u64)) {
        let at = found.at;
        let begins_run = if let Some(visit) = self.visits.last_mut()
            && (visit.file, visit.stream) == (file, stream)
        {
            if !in_place {
                visit.run_at = at;
            }
            false
        } else {
            true
        };
        if begins_run {
            let headed = matches!(found.item, Item::Header(_));
            self.visits.push(Visit { headed, ..Visit::new(file, stream, at, in_place, seq) });
        }
        let Some(visit) = self.visits.last_mut() else { return };
        visit.next_seq = next;
        visit.longest_run = visit.longest_run.max((self.end - visit.run_at, visit.run_at));
        visit.end = self.end;
        visit.chunks += u64::from(matches!(found.item, Item::Chunk(_)));
        visit.sealed = matches!(found.item, Item::Seal(_, Ok(())));
        visit.broken = match found.item {
            Item::Broken(record, _) => Some((record.seq.0, self.end)),
            _ => None,
        };
    }
}

/// Of two seals at one place, the one that says more is the later one.
fn rank(end: EndState) -> u8 {
    match end {
        EndState::Continues => 0,
        EndState::Aborted => 1,
        EndState::End => 2,
    }
}
