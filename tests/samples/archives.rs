//! The golden archives: what is in each, and how it is written. The files in tests/golden never change.

use super::{noise, text};
use spillpipe::codec::{Codec, Encoder, ZstdLevel};
use spillpipe::format::frame::frame_bytes_max;
use spillpipe::format::*;
use spillpipe::segment::{ChunkInfo, SegmentEncoder};
use std::path::PathBuf;

/// A chunk of a golden archive.
pub(crate) struct Piece {
    pub(crate) raw: Vec<u8>,
    pub(crate) codec: Codec,
    pub(crate) record_end: bool,
    /// Bytes of the stream that were dropped before it.
    pub(crate) dropped: u64,
    /// A frame of others in front of it.
    pub(crate) others: Option<Vec<u8>>,
}

/// How a segment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// So many bytes of the stream are dropped behind the last chunk.
    Sealed { end: EndState, dropped: u64 },
    /// Behind its last chunk, or so many bytes before the end of that.
    Unsealed { cut: usize },
}

/// One segment of a golden archive.
pub(crate) struct Part {
    pub(crate) header: SegmentHeader,
    /// Header bytes that a later minor version would set, each with its place.
    pub(crate) newer: Vec<(usize, u8)>,
    /// Whether the frames have content checksums.
    pub(crate) checksum: bool,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) ending: Ending,
}

const COMPLETE: Ending = Ending::Sealed { end: EndState::End, dropped: 0 };

/// Every golden archive, and what it is there for.
pub(crate) const NAMES: [&str; 12] = [
    "empty", "codecs", "bare", "gaps", "aborted", "open", "unsealed", "torn", "segments", "pushes", "streams", "newer",
];

pub(crate) fn path(name: &str, family: Family) -> PathBuf {
    let name = format!("tests/golden/archive-{name}.{}", family.extension());
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The segments of a golden archive.
pub(crate) fn parts(name: &str, family: Family) -> Vec<Part> {
    let part = |pieces, ending| Part { header: header(family), newer: Vec::new(), checksum: true, pieces, ending };
    match name {
        "empty" => vec![part(Vec::new(), COMPLETE)],
        "codecs" => vec![part(codecs(family), COMPLETE)],
        // As a filter writes them: without content checksums.
        "bare" => vec![Part { checksum: false, ..part(codecs(family), COMPLETE) }],
        // In front of the first chunk, between two and behind the last one.
        "gaps" => {
            let mut pieces = plain(family, 3);
            (pieces[0].dropped, pieces[2].dropped) = (500, (1 << 40) + 1);
            vec![part(pieces, Ending::Sealed { end: EndState::End, dropped: 77 })]
        }
        "aborted" => vec![part(plain(family, 2), Ending::Sealed { end: EndState::Aborted, dropped: 0 })],
        "open" => vec![part(plain(family, 2), Ending::Sealed { end: EndState::Continues, dropped: 0 })],
        "unsealed" => vec![part(plain(family, 2), Ending::Unsealed { cut: 0 })],
        "torn" => vec![part(plain(family, 3), Ending::Unsealed { cut: 21 })],
        // The writer of the second was killed, and another one went on.
        "segments" => segments(
            family,
            [Ending::Sealed { end: EndState::Continues, dropped: 10 }, Ending::Unsealed { cut: 0 }, COMPLETE],
        ),
        // As a spool that was pushed to three times: each was the end when it was written.
        "pushes" => segments(family, [COMPLETE, Ending::Sealed { end: EndState::Aborted, dropped: 0 }, COMPLETE]),
        "streams" => {
            let other = SegmentHeader { store: StoreId(*b"golden-archive-2"), salt: Salt(7), ..header(family) };
            vec![part(plain(family, 2), COMPLETE), Part { header: other, ..part(plain(family, 1), COMPLETE) }]
        }
        "newer" => vec![newer(family)],
        _ => panic!("no golden archive {name}"),
    }
}

/// One stream in three segments that end so.
fn segments(family: Family, endings: [Ending; 3]) -> Vec<Part> {
    let mut next = header(family);
    endings
        .into_iter()
        .zip(1_u32..)
        .map(|(ending, n)| {
            let pieces = plain(family, n as usize);
            let header = SegmentHeader { number: SegmentNumber(u64::from(n)), salt: Salt(0x5A17_0000 + n), ..next };
            let raw: u64 = pieces.iter().map(|piece| piece.raw.len() as u64).sum();
            let dropped = if let Ending::Sealed { dropped, .. } = ending { dropped } else { 0 };
            next.first_seq.0 += pieces.len() as u64;
            next.first_offset.0 += raw + dropped;
            Part { header, newer: Vec::new(), checksum: true, pieces, ending }
        })
        .collect()
}

/// What a later minor version may write: features that do not hinder reading, and frames of its own.
fn newer(family: Family) -> Part {
    let version_at = if family == Family::Zstd { 0x20 } else { 0x1B };
    let zeros_at = if family == Family::Zstd { 0x6C } else { 0x67 };
    let mut pieces = plain(family, 2);
    for (piece, last) in pieces.iter_mut().zip([0x51, 0x57]) {
        let len = u8::from(last == 0x57) * 100;
        piece.others = Some([&[last, 0x2A, 0x4D, 0x18, len, 0, 0, 0][..], &noise(9, usize::from(len))].concat());
    }
    // Minor 7, the highest read-only bit, the lowest compatible bit, and something in the zeros.
    let newer = vec![(version_at + 2, 7), (version_at + 11, 0x80), (version_at + 12, 1), (zeros_at + 3, 9)];
    Part { header: header(family), newer, checksum: true, pieces, ending: COMPLETE }
}

fn header(family: Family) -> SegmentHeader {
    SegmentHeader {
        store: StoreId(*b"golden-archive-1"),
        number: SegmentNumber(1),
        first_seq: ChunkSeq(0),
        first_offset: StreamOffset(0),
        chunk_bytes_max: 4096,
        salt: Salt(0x5A17_0001),
        created_ns: 1_700_000_000_000_000_000,
        family,
    }
}

fn piece(raw: Vec<u8>, codec: Codec) -> Piece {
    Piece { raw, codec, record_end: false, dropped: 0, others: None }
}

/// Every codec of the family, at both ends of its range, and chunks of every kind of length.
fn codecs(family: Family) -> Vec<Piece> {
    let [fast, best] = match family {
        Family::Zstd => [ZstdLevel::FASTEST, ZstdLevel::new(19).unwrap()].map(Codec::Zstd),
        Family::Lz4 => [Codec::Lz4; 2],
    };
    let mut pieces = vec![
        piece(text(1, 4096), fast),
        piece(text(2, 3000), best),
        piece(noise(3, 700), fast),
        piece(text(4, 200), Codec::Raw),
        piece(vec![0; 4096], best),
        piece(vec![b'x'], fast),
        piece(b"the end\n".to_vec(), fast),
    ];
    for i in [1, 6] {
        pieces[i].record_end = true;
    }
    pieces
}

fn plain(family: Family, count: usize) -> Vec<Piece> {
    codecs(family).into_iter().skip(1).take(count).collect()
}

impl Part {
    /// The segment's bytes, with each chunk's frame from `frame`, which is told the piece's number.
    pub(crate) fn write(&self, mut frame: impl FnMut(usize) -> (CodecId, Vec<u8>)) -> Vec<u8> {
        let mut segment = SegmentEncoder::new(self.header);
        let mut out = segment.header_bytes().to_vec();
        for (at, byte) in &self.newer {
            out[*at] = *byte;
        }
        let crc = crc32(&out[..0x7C]);
        out[0x7C..].copy_from_slice(&crc.to_le_bytes());
        let mut table = SeekTable::default();
        self.header.seek_entries().into_iter().for_each(|entry| table.push(entry));
        for (i, piece) in self.pieces.iter().enumerate() {
            if let Some(others) = &piece.others {
                out.extend(others);
                table.push(SeekEntry { frame_len: u32::try_from(others.len()).unwrap(), raw_len: 0 });
            }
            let (codec, frame) = frame(i);
            let record = segment.record(&ChunkInfo {
                raw_len: u32::try_from(piece.raw.len()).unwrap(),
                frame_len: u32::try_from(frame.len()).unwrap(),
                raw_crc: crc32(&piece.raw),
                frame_crc: crc32(&frame),
                codec,
                record_end: piece.record_end,
                offset: segment.next_offset().checked_add(piece.dropped),
            });
            let decoded = Record::decode(&record, &self.header.key()).unwrap();
            decoded.seek_entries().into_iter().for_each(|entry| table.push(entry));
            out.extend([&record[..], &frame].concat());
        }
        match self.ending {
            Ending::Unsealed { cut } => out.truncate(out.len() - cut),
            Ending::Sealed { end, dropped } => {
                segment.drop_to(segment.next_offset().checked_add(dropped).unwrap());
                table.push(Seal::seek_entry());
                let table = table.encode();
                let seal = Seal {
                    next_seq: segment.next_seq(),
                    end_offset: segment.next_offset(),
                    chunks: segment.chunks(),
                    table_len: u32::try_from(table.len()).unwrap(),
                    table_crc: crc32(&table),
                    end,
                };
                let seal = [&seal.encode(&self.header.key())[..], &table].concat();
                if self.pieces.iter().all(|piece| piece.others.is_none()) {
                    assert!(segment.seal(end) == seal, "the encoder's own table");
                }
                out.extend(seal);
            }
        }
        out
    }

    /// The segment as this program writes it now.
    pub(crate) fn write_now(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(self.checksum);
        let mut frame = vec![0; frame_bytes_max(self.header.family, self.header.chunk_bytes_max) as usize];
        self.write(|i| {
            let piece = &self.pieces[i];
            let stored = encoder.encode(piece.codec, self.header.family, &piece.raw, &mut frame);
            (stored.codec, frame[..stored.frame_len].to_vec())
        })
    }
}

/// The data of a golden archive: what a reader hands out.
pub(crate) fn data(name: &str, family: Family) -> Vec<u8> {
    let parts = parts(name, family);
    let whole = |part: &Part| match part.ending {
        Ending::Unsealed { cut: 1.. } => part.pieces.len() - 1,
        _ => part.pieces.len(),
    };
    parts.iter().flat_map(|part| &part.pieces[..whole(part)]).flat_map(|piece| piece.raw.clone()).collect()
}
