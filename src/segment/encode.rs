//! Writing a segment: the structures in their order, as bytes.

use crate::format::frame::frame_bytes_max;
use crate::format::{
    CHUNKS_PER_SEGMENT_MAX, ChunkSeq, CodecId, EndState, HEADER_BYTES, RECORD_BYTES, Record, Seal, SeekDigest,
    SeekEntry, SeekTable, SegmentHeader, SegmentKey, StreamOffset, seek_entry_bytes, seek_foot_bytes, seek_head_bytes,
};

/// Entries of the seek table in one piece of memory, and in one piece of [`SegmentEncoder::seal_pieces`].
const ENTRIES_PER_PIECE: usize = 4096;

/// A chunk whose frame has been built, on its way into a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkInfo {
    /// Raw bytes.
    pub raw_len: u32,
    /// Bytes of the frame.
    pub frame_len: u32,
    /// CRC-32 of the raw bytes.
    pub raw_crc: u32,
    /// CRC-32 of the frame.
    pub frame_crc: u32,
    /// How it is stored.
    pub codec: CodecId,
    /// Whether it ends on a record boundary of the user's.
    pub record_end: bool,
    /// Stream offset of its first byte; `None` when it follows the chunk before without a gap.
    pub offset: Option<StreamOffset>,
}

/// One segment being written. It knows what has been handed out and numbers the chunks.
///
/// The contract after a failed write: what was handed out may or may not be in the file, so this segment is over.
/// Drop the encoder, unsealed, and write the chunk into the next segment.
///
/// ```
/// use spillpipe::format::*;
/// use spillpipe::segment::{ChunkInfo, SegmentEncoder};
/// let header = SegmentHeader {
///     store: StoreId([7; 16]),
///     number: SegmentNumber(1),
///     first_seq: ChunkSeq(40),
///     first_offset: StreamOffset(0),
///     chunk_bytes_max: 4096,
///     salt: Salt(9),
///     created_ns: 0,
///     family: Family::Zstd,
/// };
/// let mut frame = [0; 64];
/// let frame_len = frame::write_raw(Family::Zstd, b"hello", false, &mut frame);
///
/// let mut segment = SegmentEncoder::new(header);
/// let mut file = segment.header_bytes().to_vec();
/// file.extend(segment.record(&ChunkInfo {
///     raw_len: 5,
///     frame_len: frame_len as u32,
///     raw_crc: crc32(b"hello"),
///     frame_crc: crc32(&frame[..frame_len]),
///     codec: CodecId::Raw,
///     record_end: true,
///     offset: None,
/// }));
/// file.extend(&frame[..frame_len]);
/// assert_eq!((segment.chunks(), segment.next_seq()), (1, ChunkSeq(41)));
/// assert_eq!(segment.bytes_so_far(), file.len() as u64);
/// let sealed_len = segment.bytes_so_far() + segment.seal_bytes();
/// file.extend(segment.seal(EndState::End));
/// assert_eq!(file.len() as u64, sealed_len);
/// ```
#[derive(Clone, Debug)]
pub struct SegmentEncoder {
    header: SegmentHeader,
    key: SegmentKey,
    next_seq: ChunkSeq,
    next_offset: StreamOffset,
    chunks: u32,
    bytes: u64,
    digest: SeekDigest,
    /// Of each chunk what the seek table says of its frame: all that it takes, 8 bytes a chunk. In pieces, as one that
    /// grows would be copied, and twice there meanwhile.
    frames: Vec<Vec<SeekEntry>>,
}

impl SegmentEncoder {
    /// A segment that starts with this header, whose 128 bytes count as written.
    #[must_use]
    pub fn new(header: SegmentHeader) -> Self {
        let mut digest = SeekDigest::default();
        for entry in header.seek_entries() {
            digest.push(entry);
        }
        Self {
            header,
            key: header.key(),
            next_seq: header.first_seq,
            next_offset: header.first_offset,
            chunks: 0,
            bytes: HEADER_BYTES as u64,
            digest,
            frames: Vec::new(),
        }
    }

    /// The first bytes of the file.
    #[must_use]
    pub fn header_bytes(&self) -> [u8; HEADER_BYTES] {
        self.header.encode()
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &SegmentHeader {
        &self.header
    }

    /// The record of the next chunk, after which its frame must follow.
    ///
    /// # Panics
    /// On a caller's mistake: the segment [is full](Self::is_full), the chunk is empty or larger than the header says,
    /// its frame is longer than any frame of it can be, its codec is of the other family, or its offset lies before
    /// the end of the chunk before.
    pub fn record(&mut self, chunk: &ChunkInfo) -> [u8; RECORD_BYTES] {
        let family = self.header.family;
        let offset = chunk.offset.unwrap_or(self.next_offset);
        assert!(!self.is_full(), "a segment holds at most {CHUNKS_PER_SEGMENT_MAX} chunks");
        assert!((1..=self.key.chunk_bytes_max).contains(&chunk.raw_len), "chunk of {} bytes", chunk.raw_len);
        assert!((1..=frame_bytes_max(family, chunk.raw_len)).contains(&chunk.frame_len), "frame length");
        assert!(chunk.codec.fits(family), "{:?} in a segment of family {family:?}", chunk.codec);
        assert!(offset >= self.next_offset, "offset {offset} lies before {}", self.next_offset);
        let record = Record {
            seq: self.next_seq,
            offset,
            raw_len: chunk.raw_len,
            frame_len: chunk.frame_len,
            raw_crc: chunk.raw_crc,
            frame_crc: chunk.frame_crc,
            codec: chunk.codec,
            record_end: chunk.record_end,
        };
        self.next_seq = record.next_seq();
        self.next_offset = record.end_offset();
        self.chunks += 1;
        for entry in record.seek_entries() {
            self.digest.push(entry);
        }
        let [_, frame] = record.seek_entries();
        match self.frames.last_mut().filter(|piece| piece.len() < ENTRIES_PER_PIECE) {
            Some(piece) => piece.push(frame),
            None => self.frames.push(vec![frame]),
        }
        self.bytes += RECORD_BYTES as u64 + u64::from(chunk.frame_len);
        record.encode(&self.key)
    }

    /// Says that the data up to `offset` was dropped on purpose: what comes next, a chunk or the end, is there.
    ///
    /// # Panics
    /// When `offset` lies before the end of the last chunk.
    pub fn drop_to(&mut self, offset: StreamOffset) {
        assert!(offset >= self.next_offset, "offset {offset} lies before {}", self.next_offset);
        self.next_offset = offset;
    }

    /// The last bytes of the file: the seal and the seek table.
    #[must_use]
    pub fn seal(self, end: EndState) -> Vec<u8> {
        let mut out = Vec::with_capacity(usize::try_from(self.seal_bytes()).unwrap_or(0));
        for piece in self.seal_pieces(end) {
            out.extend_from_slice(&piece);
        }
        out
    }

    /// The same in pieces of at most 64 KiB and a little: the table of a large segment takes more than twice the memory
    /// that this does.
    ///
    /// # Panics
    /// Never: [`CHUNKS_PER_SEGMENT_MAX`] bounds the table.
    pub fn seal_pieces(mut self, end: EndState) -> impl Iterator<Item = Vec<u8>> {
        self.digest.push(Seal::seek_entry());
        let seal = Seal {
            next_seq: self.next_seq,
            end_offset: self.next_offset,
            chunks: self.chunks,
            table_len: u32::try_from(self.digest.table_len()).expect("the number of chunks is bounded"),
            table_crc: self.digest.table_crc(),
            end,
        };
        let entries = u32::try_from(SeekTable::entries_of(self.chunks)).expect("the number of chunks is bounded");
        let mut first = seal.encode(&self.key).to_vec();
        first.extend_from_slice(&seek_head_bytes(entries));
        first.extend(self.header.seek_entries().into_iter().flat_map(seek_entry_bytes));
        let mut last = seek_entry_bytes(Seal::seek_entry()).to_vec();
        last.extend_from_slice(&seek_foot_bytes(entries));
        // The record in front of a frame is as long as the seal.
        let of_chunk = |frame| [Seal::seek_entry(), frame].into_iter().flat_map(seek_entry_bytes);
        let chunks = self.frames.into_iter().map(move |piece| piece.into_iter().flat_map(of_chunk).collect());
        std::iter::once(first).chain(chunks).chain([last])
    }

    /// Bytes of the file so far: header, records and frames.
    #[must_use]
    pub fn bytes_so_far(&self) -> u64 {
        self.bytes
    }

    /// Bytes that [`Self::seal`] would add now: what to keep free on a disk that runs full.
    #[must_use]
    pub fn seal_bytes(&self) -> u64 {
        (RECORD_BYTES + SeekTable::encoded_len(SeekTable::entries_of(self.chunks))) as u64
    }

    /// Chunks so far.
    #[must_use]
    pub fn chunks(&self) -> u32 {
        self.chunks
    }

    /// Whether it takes no further chunk: [`CHUNKS_PER_SEGMENT_MAX`] are in it.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.chunks >= CHUNKS_PER_SEGMENT_MAX
    }

    /// Sequence number that the next chunk gets, here or in the next segment.
    #[must_use]
    pub fn next_seq(&self) -> ChunkSeq {
        self.next_seq
    }

    /// Stream offset that the next chunk has when nothing is dropped before it.
    #[must_use]
    pub fn next_offset(&self) -> StreamOffset {
        self.next_offset
    }
}
