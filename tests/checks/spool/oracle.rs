//! What of a disk can be believed, found without the library's way through a spool: every place is tried.

use crate::checks::refit::STRUCTURE_MAGIC;
use spillpipe::codec::Decoder;
use spillpipe::format::*;
use spillpipe::segment::open_chunk;

/// A chunk all of whose checksums hold.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) offset: u64,
    pub(super) raw: Vec<u8>,
}

/// All chunks of this store in these bytes, overlapping ones, too.
pub(super) fn whole_chunks(bytes: &[u8], store: &StoreId, family: Family) -> Vec<Whole> {
    let starts = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(&STRUCTURE_MAGIC));
    starts.filter_map(|at| whole_chunk(&bytes[at..], store, family)).collect()
}

fn whole_chunk(bytes: &[u8], store: &StoreId, family: Family) -> Option<Whole> {
    let (head, rest) = bytes.split_first_chunk::<RECORD_BYTES>()?;
    let salt = u32::from_le_bytes(head[0x14..0x18].try_into().expect("four bytes"));
    let record = Record::decode(head, &SegmentKey::new(store, Salt(salt), family, CHUNK_BYTES_MAX)).ok()?;
    let frame = rest.get(..record.frame_len as usize)?;
    let mut raw = vec![0; record.raw_len as usize];
    open_chunk(&record, family, frame, &mut raw, &mut Decoder::default()).ok()?;
    Some(Whole { offset: record.offset.0, raw })
}

/// Whether these bytes, at this place, are the end of one of the chunks: a reader may have had what is before.
pub(super) fn is_there(chunks: &[Whole], at: u64, bytes: &[u8]) -> bool {
    let end = at + bytes.len() as u64;
    chunks.iter().any(|chunk| chunk.offset + chunk.raw.len() as u64 == end && chunk.raw.ends_with(bytes))
}
