//! The golden segments: small, one of each family, of this version of the format. Once released they never change.

use super::{noise, text};
use spillpipe::codec::{Codec, ZstdLevel};
use spillpipe::format::*;
use spillpipe::segment::{Chunk, write_all};
use std::path::PathBuf;

pub(crate) fn path(family: Family) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/v1.{}", family.extension()))
}

pub(crate) fn file(family: Family) -> Vec<u8> {
    std::fs::read(path(family)).unwrap()
}

pub(crate) fn header(family: Family) -> SegmentHeader {
    SegmentHeader {
        store: StoreId(*b"golden-segment-1"),
        number: SegmentNumber(3),
        first_seq: ChunkSeq(5),
        first_offset: StreamOffset(0x1000),
        chunk_bytes_max: 4096,
        salt: Salt(0x5A17_0001),
        created_ns: 1_700_000_000_000_000_000,
        family,
    }
}

/// The raw chunks: one that compresses, one that does not, a short last one.
pub(crate) fn raw_chunks() -> [Vec<u8>; 3] {
    [text(1, 150), noise(1, 24), b"end\n".to_vec()]
}

pub(crate) fn codec(family: Family) -> Codec {
    match family {
        Family::Zstd => Codec::Zstd(ZstdLevel::FASTEST),
        Family::Lz4 => Codec::Lz4,
    }
}

/// The segment as this program writes it now.
pub(crate) fn written(family: Family) -> Vec<u8> {
    let raw = raw_chunks();
    let mut chunks = raw.each_ref().map(|raw| Chunk::new(raw, codec(family)));
    chunks[1].record_end = true;
    write_all(&header(family), true, &chunks, EndState::End)
}
