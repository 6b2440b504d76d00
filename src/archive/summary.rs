//! What is in an archive: counts, sizes, and how well its chunks compressed. Kept in constant memory.

use super::report::Gap;
use crate::format::{ChunkSeq, CodecId, Family, Record, SegmentHeader, SegmentNumber, StoreId, StreamOffset};

/// Upper ends of the classes of [`Summary::ratios`]: stored bytes a raw byte, in percent. The last class has the rest,
/// whose frames are longer than their data.
pub const RATIO_PERCENT_MAX: [u32; 11] = [1, 2, 5, 10, 20, 30, 40, 50, 70, 90, 100];
/// Classes of [`Summary::ratios`].
pub const RATIO_CLASSES: usize = RATIO_PERCENT_MAX.len() + 1;

/// Some chunks together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many.
    pub chunks: u64,
    /// Their bytes.
    pub raw_bytes: u64,
    /// Bytes of their frames.
    pub stored_bytes: u64,
}

/// What is in one file, or in several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Bytes of the file.
    pub bytes: u64,
    /// Segments whose header is whole.
    pub segments: u64,
    /// Their numbers: the least and the greatest.
    pub numbers: Option<(SegmentNumber, SegmentNumber)>,
    /// The store of the first of them.
    pub store: Option<StoreId>,
    /// Segments of other stores than that one.
    pub other_stores: u64,
    /// Segments by family, in the order of [`Family::ALL`].
    pub families: [u64; Family::ALL.len()],
    /// When they were created, in nanoseconds since 1970: the first and the last.
    pub created_ns: Option<(u64, u64)>,
    /// What their headers allow as their largest chunk.
    pub chunk_bytes_max: u32,
    /// All chunks.
    pub all: Sum,
    /// Chunks by codec, in the order of [`CodecId::ALL`].
    pub codecs: [Sum; CodecId::ALL.len()],
    /// Raw bytes of the smallest and of the largest chunk.
    pub chunk_bytes: Option<(u32, u32)>,
    /// Chunks by how much they shrank; see [`RATIO_PERCENT_MAX`].
    pub ratios: [u64; RATIO_CLASSES],
    /// The first chunk.
    pub first: Option<(ChunkSeq, StreamOffset)>,
    /// What follows on the last chunk.
    pub next: Option<(ChunkSeq, StreamOffset)>,
    /// Gaps in the stream, which were made on purpose.
    pub gaps: u64,
    /// Bytes of the stream in them.
    pub gap_bytes: u64,
}

impl Sum {
    fn add(&mut self, other: &Self) {
        self.chunks += other.chunks;
        self.raw_bytes = self.raw_bytes.saturating_add(other.raw_bytes);
        self.stored_bytes = self.stored_bytes.saturating_add(other.stored_bytes);
    }
}

impl Summary {
    pub(super) fn header(&mut self, header: &SegmentHeader) {
        let other = Self {
            segments: 1,
            numbers: Some((header.number, header.number)),
            store: Some(header.store),
            families: Family::ALL.map(|family| u64::from(family == header.family)),
            created_ns: Some((header.created_ns, header.created_ns)),
            chunk_bytes_max: header.chunk_bytes_max,
            ..Self::default()
        };
        self.add(&other);
    }

    pub(super) fn chunk(&mut self, record: &Record) {
        let sum = Sum { chunks: 1, raw_bytes: record.raw_len.into(), stored_bytes: record.frame_len.into() };
        self.all.add(&sum);
        let codec = CodecId::ALL.iter().position(|codec| *codec == record.codec).unwrap_or_default();
        self.codecs[codec].add(&sum);
        self.ratios[ratio_class(record)] += 1;
        self.chunk_bytes = spread(self.chunk_bytes, Some((record.raw_len, record.raw_len)));
        self.first.get_or_insert((record.seq, record.offset));
        self.next = Some((record.next_seq(), record.end_offset()));
    }

    pub(super) fn gap(&mut self, gap: &Gap) {
        self.gaps += 1;
        self.gap_bytes = self.gap_bytes.saturating_add(gap.offsets.end.0.saturating_sub(gap.offsets.start.0));
    }

    /// Adds what is in the file that follows.
    pub fn add(&mut self, other: &Self) {
        let same_store = self.store.is_none() || other.store.is_none() || self.store == other.store;
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.other_stores += if same_store { other.other_stores } else { other.segments };
        self.segments += other.segments;
        self.numbers = spread(self.numbers, other.numbers);
        self.store = self.store.or(other.store);
        for (sum, more) in self.families.iter_mut().zip(other.families) {
            *sum += more;
        }
        self.created_ns = spread(self.created_ns, other.created_ns);
        self.chunk_bytes_max = self.chunk_bytes_max.max(other.chunk_bytes_max);
        self.all.add(&other.all);
        for (sum, more) in self.codecs.iter_mut().zip(&other.codecs) {
            sum.add(more);
        }
        self.chunk_bytes = spread(self.chunk_bytes, other.chunk_bytes);
        for (sum, more) in self.ratios.iter_mut().zip(other.ratios) {
            *sum += more;
        }
        self.first = self.first.or(other.first);
        self.next = other.next.or(self.next);
        self.gaps += other.gaps;
        self.gap_bytes = self.gap_bytes.saturating_add(other.gap_bytes);
    }
}

/// The class of a chunk.
fn ratio_class(record: &Record) -> usize {
    let (stored, raw) = (u64::from(record.frame_len) * 100, u64::from(record.raw_len));
    RATIO_PERCENT_MAX.iter().position(|percent| stored <= raw * u64::from(*percent)).unwrap_or(RATIO_CLASSES - 1)
}

/// From the least of both to the greatest.
fn spread<T: Ord>(a: Option<(T, T)>, b: Option<(T, T)>) -> Option<(T, T)> {
    match (a, b) {
        (Some((a, z)), Some((b, y))) => Some((a.min(b), z.max(y))),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(seq: u64, raw_len: u32, frame_len: u32) -> Record {
        let (codec, offset) = (CodecId::Zstd, StreamOffset(seq * 1000));
        let seq = ChunkSeq(seq);
        Record { seq, offset, raw_len, frame_len, raw_crc: 0, frame_crc: 0, codec, record_end: false }
    }

    #[test]
    fn a_chunk_is_in_the_class_of_what_it_shrank_to() {
        let classes = [1, 10, 11, 1000, 1001, u32::MAX].map(|frame_len| ratio_class(&record(0, 1000, frame_len)));
        assert_eq!(classes, [0, 0, 1, RATIO_CLASSES - 2, RATIO_CLASSES - 1, RATIO_CLASSES - 1]);
    }

    #[test]
    fn two_files_together_are_what_one_with_both_is() {
        let (mut first, mut second, mut both) = (Summary::default(), Summary::default(), Summary::default());
        for (seq, part) in [&mut first, &mut second].into_iter().enumerate() {
            let header = SegmentHeader {
                store: StoreId([7; 16]),
                number: SegmentNumber(seq as u64 + 1),
                first_seq: ChunkSeq(seq as u64),
                first_offset: StreamOffset(0),
                chunk_bytes_max: 4096,
                salt: crate::format::Salt(0),
                created_ns: 100 - seq as u64,
                family: Family::ALL[seq],
            };
            for summary in [part, &mut both] {
                summary.header(&header);
                summary.chunk(&record(seq as u64, 1000 + 100 * u32::try_from(seq).unwrap(), 500));
                summary.gap(&Gap { at: 0, offsets: StreamOffset(5)..StreamOffset(9) });
            }
        }
        first.add(&second);
        assert_eq!(first, both);
        assert_eq!((both.segments, both.other_stores, both.gap_bytes), (2, 0, 8));
        assert_eq!((both.created_ns, both.chunk_bytes), (Some((99, 100)), Some((1000, 1100))));
    }
}
