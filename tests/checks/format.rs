//! The structures of the format: what is accepted is in bounds, and is written back bit for bit.

use super::refit;
use spillpipe::format::frame::frame_bytes_max;
use spillpipe::format::*;

const STORE: StoreId = StoreId(*b"0123456789abcdef");
const SALT: Salt = Salt(0x4142_4344);

/// The header that records and seals under test belong to.
pub(crate) fn key(family: Family) -> SegmentKey {
    SegmentKey::new(&STORE, SALT, family, 1 << 18)
}

/// Header bytes.
pub(crate) fn segment_header(data: &[u8]) {
    let Some(mut bytes) = data.first_chunk::<HEADER_BYTES>().copied() else { return };
    for refitted in [false, true] {
        if refitted {
            refit::header(&mut bytes);
        }
        if let Ok(header) = SegmentHeader::decode(&bytes) {
            assert!((1..=CHUNK_BYTES_MAX).contains(&header.chunk_bytes_max));
            assert_eq!(SegmentHeader::decode(&header.encode()), Ok(header));
        }
    }
}

/// The record, as it comes and refitted.
fn both(bytes: &[u8; RECORD_BYTES]) -> [[u8; RECORD_BYTES]; 2] {
    let mut refitted = *bytes;
    refit::record(&mut refitted, &STORE, Some(SALT));
    [*bytes, refitted]
}

/// Record bytes.
pub(crate) fn record(data: &[u8]) {
    let Some(bytes) = data.first_chunk::<RECORD_BYTES>() else { return };
    for family in Family::ALL {
        let key = key(family);
        for bytes in both(bytes) {
            if let Ok(record) = Record::decode(&bytes, &key) {
                assert!((1..=key.chunk_bytes_max).contains(&record.raw_len));
                assert!(record.frame_len <= frame_bytes_max(family, record.raw_len));
                assert!(record.codec.fits(family) && record.end_offset() > record.offset);
                assert!(record.next_seq() > record.seq);
                assert_eq!(record.encode(&key), bytes);
                let found = SegmentKey::of_record(&bytes, family).expect("it is one");
                assert_eq!((found.store, found.salt), (key.store, key.salt), "a record tells whose it is");
            }
        }
    }
}

/// A seal, and a seek table behind it.
pub(crate) fn seal_and_table(data: &[u8]) {
    let Some((bytes, table)) = data.split_first_chunk::<RECORD_BYTES>() else { return };
    for family in Family::ALL {
        let key = key(family);
        let mut seal = *bytes;
        seal[8..12].copy_from_slice(b"SPSL");
        for bytes in [*bytes, both(&seal)[1]] {
            if let Ok(seal) = Seal::decode(&bytes, &key) {
                assert!(seal.chunks <= CHUNKS_PER_SEGMENT_MAX);
                assert!(seal.table_len as usize <= SeekTable::encoded_len(SEEK_ENTRIES_MAX));
                assert_eq!(seal.encode(&key), bytes);
            }
        }
    }
    if let Ok(read) = SeekTable::decode(table) {
        assert_eq!(SeekTable::len_from_footer(table.last_chunk().expect("it has a footer")), Ok(table.len()));
        assert_eq!(read.encode(), table);
    }
}

/// A slot, filled up with zeros. Reserved bytes are for later versions, so it need not be written back as it came.
pub(crate) fn slot(data: &[u8]) {
    let mut bytes = [0; SLOT_BYTES];
    let len = data.len().min(SLOT_BYTES);
    bytes[..len].copy_from_slice(&data[..len]);
    for refitted in [false, true] {
        if refitted {
            refit::slot(&mut bytes);
        }
        for kind in [SlotKind::Cursor, SlotKind::Identity] {
            if let Ok(slot) = Slot::decode(&bytes, kind) {
                assert!(slot.holes.len() <= HOLES_MAX && slot.kind == kind);
                assert_eq!(Slot::decode(&slot.encode(), kind), Ok(slot));
            }
        }
    }
}
