//! The fixed-size structures: their bytes, their round trips, and all that they refuse.

mod samples;

use proptest::prelude::*;
use samples::{header, record, seal};
use spillpipe::format::frame::frame_bytes_max;
use spillpipe::format::*;

const STORE: &[u8] = b"0123456789abcdef";

/// Puts the checksum of a header right again, after a field was changed.
fn refit_header(bytes: &mut [u8; HEADER_BYTES]) {
    let crc = crc32(&bytes[..0x7C]);
    bytes[0x7C..].copy_from_slice(&crc.to_le_bytes());
}

/// The same for a record or a seal.
fn refit_record(bytes: &mut [u8; RECORD_BYTES]) {
    let crc = crc32(&[STORE, &bytes[..0x3C]].concat());
    bytes[0x3C..].copy_from_slice(&crc.to_le_bytes());
}

fn header_with(family: Family, at: usize, field: &[u8]) -> Result<SegmentHeader, FormatError> {
    let mut bytes = header(family).encode();
    bytes[at..at + field.len()].copy_from_slice(field);
    refit_header(&mut bytes);
    SegmentHeader::decode(&bytes)
}

fn record_with(family: Family, at: usize, field: &[u8]) -> Result<Record, FormatError> {
    let key = header(family).key();
    let mut bytes = record(family).encode(&key);
    bytes[at..at + field.len()].copy_from_slice(field);
    refit_record(&mut bytes);
    Record::decode(&bytes, &key)
}

fn seal_with(at: usize, field: &[u8]) -> Result<Seal, FormatError> {
    let key = header(Family::Zstd).key();
    let mut bytes = seal().encode(&key);
    bytes[at..at + field.len()].copy_from_slice(field);
    refit_record(&mut bytes);
    Seal::decode(&bytes, &key)
}

#[test]
fn header_layout_zstd() {
    let bytes = header(Family::Zstd).encode();
    assert_eq!(bytes[..0x10], [0x28, 0xB5, 0x2F, 0xFD, 0xE0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0], "empty zstd frame");
    assert_eq!(bytes[0x10..0x14], [0x58, 0x2A, 0x4D, 0x18], "skippable magic");
    assert_eq!(bytes[0x14..0x18], 104_u32.to_le_bytes(), "skippable length");
    assert_eq!(bytes[0x18..0x20], *b"SPSG\x0D\x0A\x1A\x0A", "our magic");
    assert_eq!(bytes[0x20..0x24], [1, 0, 0, 0], "version 1.0");
    assert_eq!(bytes[0x24..0x30], [0; 12], "feature bits");
    assert_header_fields(&bytes[0x30..0x6C], [1, 0, 0, 0]);
    assert_eq!(bytes[0x6C..0x7C], [0; 16], "zeros");
    assert_eq!(bytes[0x7C..], crc32(&bytes[..0x7C]).to_le_bytes(), "checksum");
}

#[test]
fn header_layout_lz4() {
    let bytes = header(Family::Lz4).encode();
    assert_eq!(bytes[..0x0B], [0x04, 0x22, 0x4D, 0x18, 0x60, 0x70, 0x73, 0, 0, 0, 0], "empty LZ4 frame");
    assert_eq!(bytes[0x0B..0x0F], [0x58, 0x2A, 0x4D, 0x18], "skippable magic");
    assert_eq!(bytes[0x0F..0x13], 109_u32.to_le_bytes(), "skippable length");
    assert_eq!(bytes[0x13..0x1B], *b"SPSG\x0D\x0A\x1A\x0A", "our magic");
    assert_eq!(bytes[0x1B..0x1F], [1, 0, 0, 0], "version 1.0");
    assert_eq!(bytes[0x1F..0x2B], [0; 12], "feature bits");
    assert_header_fields(&bytes[0x2B..0x67], [2, 0, 0, 0]);
    assert_eq!(bytes[0x67..0x7C], [0; 21], "zeros");
    assert_eq!(bytes[0x7C..], crc32(&bytes[..0x7C]).to_le_bytes(), "checksum");
}

fn assert_header_fields(bytes: &[u8], family: [u8; 4]) {
    let expected: Vec<u8> = [
        STORE,
        &[0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11],
        &[0x28, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21],
        &[0x38, 0x37, 0x36, 0x35, 0x34, 0x33, 0x32, 0x31],
        &[0x00, 0x00, 0x04, 0x00],
        &[0x44, 0x43, 0x42, 0x41],
        &[0x58, 0x57, 0x56, 0x55, 0x54, 0x53, 0x52, 0x51],
        &family,
    ]
    .concat();
    assert_eq!(bytes, expected);
}

#[test]
fn record_layout() {
    let bytes = record(Family::Zstd).encode(&header(Family::Zstd).key());
    let expected: Vec<u8> = [
        &[0x58, 0x2A, 0x4D, 0x18, 56, 0, 0, 0][..],
        b"SPCK01234567",
        &[0x44, 0x43, 0x42, 0x41],
        &[0x68, 0x67, 0x66, 0x65, 0x64, 0x63, 0x62, 0x61],
        &[0x78, 0x77, 0x76, 0x75, 0x74, 0x73, 0x72, 0x71],
        &[0x82, 0x81, 0x03, 0x00],
        &[0x92, 0x91, 0x02, 0x00],
        &[0xA4, 0xA3, 0xA2, 0xA1],
        &[0xB4, 0xB3, 0xB2, 0xB1],
        &[1, 1, 0, 0],
    ]
    .concat();
    assert_eq!(bytes[..0x3C], expected);
    assert_eq!(bytes[0x3C..], crc32(&[STORE, &expected].concat()).to_le_bytes());
    assert_eq!(bytes[..NEEDLE_BYTES], needle(&header(Family::Zstd).key()));
}

#[test]
fn seal_layout() {
    let bytes = seal().encode(&header(Family::Zstd).key());
    let expected: Vec<u8> = [
        &[0x58, 0x2A, 0x4D, 0x18, 56, 0, 0, 0][..],
        b"SPSL01234567",
        &[0x44, 0x43, 0x42, 0x41],
        &[0x68, 0x67, 0x66, 0x65, 0x64, 0x63, 0x62, 0x61],
        &[0x78, 0x77, 0x76, 0x75, 0x74, 0x73, 0x72, 0x71],
        &[0x82, 0x81, 0x00, 0x00],
        &seal().table_len.to_le_bytes(),
        &[0, 0, 0, 0],
        &[0xB4, 0xB3, 0xB2, 0xB1],
        &[0, 1, 0, 0],
    ]
    .concat();
    assert_eq!(bytes[..0x3C], expected);
    assert_eq!(bytes[0x3C..], crc32(&[STORE, &expected].concat()).to_le_bytes());
}

#[test]
fn seek_table_layout() {
    let mut table = SeekTable::default();
    table.push(SeekEntry { frame_len: 0x0102_0304, raw_len: 0x0506_0708 });
    let expected: Vec<u8> = [
        &[0x5E, 0x2A, 0x4D, 0x18, 17, 0, 0, 0][..],
        &[4, 3, 2, 1, 8, 7, 6, 5],
        &[1, 0, 0, 0],
        &[0],
        &[0xB1, 0xEA, 0x92, 0x8F],
    ]
    .concat();
    assert_eq!(table.encode(), expected);
    assert_eq!(SeekTable::len_from_footer(expected.last_chunk().unwrap()), Ok(expected.len()));
}

#[test]
fn every_flipped_bit_of_a_header_is_refused() {
    for family in Family::ALL {
        let bytes = header(family).encode();
        for bit in 0..HEADER_BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            let error = SegmentHeader::decode(&flipped).expect_err("a flipped bit");
            assert!(
                matches!(error, FormatError::Magic { .. } | FormatError::Checksum { .. }),
                "bit {bit}: damage is not taken for a newer version: {error}"
            );
        }
    }
}

#[test]
fn every_flipped_bit_of_a_record_or_seal_is_refused() {
    for family in Family::ALL {
        let key = header(family).key();
        let (chunk, end) = (record(family).encode(&key), seal().encode(&key));
        for bit in 0..RECORD_BYTES * 8 {
            let flip = |mut bytes: [u8; RECORD_BYTES]| {
                bytes[bit / 8] ^= 1 << (bit % 8);
                bytes
            };
            assert!(Record::decode(&flip(chunk), &key).is_err(), "record bit {bit}");
            assert!(Seal::decode(&flip(end), &key).is_err(), "seal bit {bit}");
        }
    }
}

#[test]
fn zeros_are_nothing() {
    let key = header(Family::Zstd).key();
    assert!(matches!(SegmentHeader::decode(&[0; HEADER_BYTES]), Err(FormatError::Magic { found: 0, .. })));
    assert!(matches!(Record::decode(&[0; RECORD_BYTES], &key), Err(FormatError::Magic { found: 0, .. })));
    assert!(matches!(Seal::decode(&[0; RECORD_BYTES], &key), Err(FormatError::Magic { found: 0, .. })));
    assert!(SeekTable::decode(&[0; 17]).is_err());
    assert!(SeekTable::decode(&[]).is_err());
}

#[test]
fn a_header_of_another_major_version_is_refused_by_name() {
    for family in Family::ALL {
        let at = if family == Family::Zstd { 0x20 } else { 0x1B };
        assert_eq!(header_with(family, at, &[2, 0, 5, 0]), Err(FormatError::Major { major: 2, minor: 5 }));
        assert_eq!(header_with(family, at, &[0, 0]), Err(FormatError::Major { major: 0, minor: 0 }));
        assert_eq!(header_with(family, at, &[1, 0, 9, 0]), Ok(header(family)), "a later minor version is read");
    }
}

#[test]
fn unknown_feature_bits_refuse_restrict_or_do_nothing() {
    for family in Family::ALL {
        let at = if family == Family::Zstd { 0x24 } else { 0x1F };
        for bit in 0..32 {
            let bits = 1_u32 << bit;
            assert_eq!(header_with(family, at, &bits.to_le_bytes()), Err(FormatError::Incompatible { bits }));
            assert_eq!(header_with(family, at + 8, &bits.to_le_bytes()), Ok(header(family)), "compatible");
            let mut bytes = header(family).encode();
            bytes[at + 4..at + 8].copy_from_slice(&bits.to_le_bytes());
            refit_header(&mut bytes);
            let read = SegmentHeader::decode(&bytes).expect("read-only bits do not hinder reading");
            assert_eq!(read.read_only_bits(&bytes), bits);
        }
        assert_eq!(header(family).read_only_bits(&header(family).encode()), 0);
    }
}

#[test]
fn hostile_header_fields_are_refused() {
    let z = Family::Zstd;
    let too_long = FormatError::TooLong { field: "largest chunk", value: (4 << 20) + 1, limit: 4 << 20 };
    assert_eq!(header_with(z, 0x58, &((4_u32 << 20) + 1).to_le_bytes()), Err(too_long));
    assert!(header_with(z, 0x58, &u32::MAX.to_le_bytes()).is_err());
    assert!(matches!(header_with(z, 0x58, &[0; 4]), Err(FormatError::Field { field: "largest chunk", .. })));
    for (family, at) in [(Family::Zstd, 0x68), (Family::Lz4, 0x63)] {
        for code in [0, 3, u32::MAX, if family == z { 2 } else { 1 }] {
            let error = header_with(family, at, &code.to_le_bytes()).unwrap_err();
            assert!(matches!(error, FormatError::Field { field: "family", .. }), "{error}");
        }
    }
    assert!(matches!(header_with(z, 0x14, &[109]), Err(FormatError::Field { field: "header length", .. })));
    assert!(matches!(header_with(z, 0x10, &[0x59]), Err(FormatError::Magic { .. })));
}

#[test]
fn hostile_record_lengths_are_refused() {
    for family in Family::ALL {
        let chunk_bytes_max = header(family).chunk_bytes_max;
        for value in [chunk_bytes_max + 1, 4 << 20, u32::MAX] {
            let expected = FormatError::TooLong { field: "raw length", value: value.into(), limit: 0x4_0000 };
            assert_eq!(record_with(family, 0x28, &value.to_le_bytes()), Err(expected));
        }
        let limit = frame_bytes_max(family, record(family).raw_len);
        assert!(record_with(family, 0x2C, &limit.to_le_bytes()).is_ok(), "the longest frame");
        for value in [limit + 1, u32::MAX] {
            let expected = FormatError::TooLong { field: "frame length", value: value.into(), limit: limit.into() };
            assert_eq!(record_with(family, 0x2C, &value.to_le_bytes()), Err(expected));
        }
        let zero = |field| Err(FormatError::Field { field, value: 0, expected: 1 });
        assert_eq!(record_with(family, 0x2C, &[0; 4]), zero("frame length"));
        assert_eq!(record_with(family, 0x28, &[0, 0, 0, 0, 5, 0, 0, 0]), zero("raw length"));
    }
}

#[test]
fn hostile_record_positions_are_refused() {
    let family = Family::Zstd;
    assert!(matches!(
        record_with(family, 0x18, &u64::MAX.to_le_bytes()),
        Err(FormatError::Field { field: "sequence number", value: u64::MAX, .. })
    ));
    let last = u64::MAX - u64::from(record(family).raw_len);
    let fits = record_with(family, 0x20, &last.to_le_bytes()).expect("ends at the end of the number line");
    assert_eq!(fits.end_offset(), StreamOffset(u64::MAX));
    assert!(matches!(
        record_with(family, 0x20, &(last + 1).to_le_bytes()),
        Err(FormatError::Field { field: "stream offset", .. })
    ));
}

#[test]
fn hostile_record_codecs_flags_and_reserved_bytes_are_refused() {
    for (family, allowed) in [(Family::Zstd, [0, 1]), (Family::Lz4, [0, 2])] {
        for code in 0..=u8::MAX {
            let read = record_with(family, 0x38, &[code]);
            if allowed.contains(&code) {
                assert_eq!(read.unwrap().codec.code(), code);
            } else {
                assert!(matches!(read, Err(FormatError::Field { field: "codec", .. })), "codec {code}");
            }
        }
        for flags in 2..=u8::MAX {
            assert!(matches!(record_with(family, 0x39, &[flags]), Err(FormatError::Field { field: "flags", .. })));
        }
        for reserved in [[1, 0], [0, 1], [0xFF, 0xFF]] {
            let read = record_with(family, 0x3A, &reserved);
            assert!(matches!(read, Err(FormatError::Field { field: "reserved", .. })));
        }
    }
}

#[test]
fn a_record_of_another_segment_or_store_is_foreign() {
    let own = header(Family::Zstd);
    let bytes = record(Family::Zstd).encode(&own.key());
    let other_salt = SegmentKey { salt: Salt(1), ..own.key() };
    let other_prefix = SegmentKey { store: StoreMark::new(&StoreId([9; 16])), ..own.key() };
    let mut same_prefix = own.store;
    same_prefix.0[15] ^= 1;
    let other_store = SegmentKey { store: StoreMark::new(&same_prefix), ..own.key() };
    assert_eq!(Record::decode(&bytes, &other_salt), Err(FormatError::Foreign { what: "chunk record" }));
    assert_eq!(Record::decode(&bytes, &other_prefix), Err(FormatError::Foreign { what: "chunk record" }));
    // The rest of the store id is not in the record, only under its checksum.
    assert!(matches!(Record::decode(&bytes, &other_store), Err(FormatError::Checksum { .. })));
}

#[test]
fn a_record_is_no_seal_and_a_seal_no_record() {
    let key = header(Family::Zstd).key();
    let chunk = record(Family::Zstd).encode(&key);
    assert!(matches!(Seal::decode(&chunk, &key), Err(FormatError::Magic { .. })));
    assert!(matches!(Record::decode(&seal().encode(&key), &key), Err(FormatError::Magic { .. })));
}

#[test]
fn hostile_seals_are_refused() {
    let too_many = CHUNKS_PER_SEGMENT_MAX + 1;
    assert!(matches!(seal_with(0x28, &too_many.to_le_bytes()), Err(FormatError::Field { field: "chunks", .. })));
    assert!(matches!(seal_with(0x2C, &u32::MAX.to_le_bytes()), Err(FormatError::TooLong { field: "seek table", .. })));
    let too_short = seal().table_len - 1;
    assert!(matches!(
        seal_with(0x2C, &too_short.to_le_bytes()),
        Err(FormatError::Field { field: "seek table length", .. })
    ));
    assert!(matches!(seal_with(0x30, &[1]), Err(FormatError::Field { field: "unused seal field", .. })));
    assert!(matches!(seal_with(0x38, &[1]), Err(FormatError::Field { field: "unused seal field", .. })));
    assert!(seal_with(0x39, &[2]).is_ok_and(|seal| seal.end == EndState::Aborted));
    assert!(seal_with(0x39, &[0]).is_ok_and(|seal| seal.end == EndState::Continues));
    for flags in 3..=u8::MAX {
        assert!(matches!(seal_with(0x39, &[flags]), Err(FormatError::Field { field: "seal flags", .. })));
    }
}

#[test]
fn hostile_seek_tables_are_refused() {
    let mut table = SeekTable::default();
    table.push(SeekEntry { frame_len: 64, raw_len: 0 });
    let bytes = table.encode();
    for len in 0..bytes.len() {
        assert!(SeekTable::decode(&bytes[..len]).is_err(), "cut to {len}");
    }
    assert!(SeekTable::decode(&[&bytes[..], &[0]].concat()).is_err(), "trailing byte");
    let with = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        SeekTable::decode(&bytes)
    };
    assert!(with(0, 0x5F).is_err() && with(4, 18).is_err(), "frame header");
    assert!(with(16, 2).is_err() && with(19, 0xFF).is_err(), "number of entries");
    assert!(with(20, 0x80).is_err() && with(20, 1).is_err(), "descriptor: no checksums, nothing reserved");
    assert!(with(24, 0).is_err(), "footer magic");
    let huge: [u8; FOOTER_BYTES] = [0xFF, 0xFF, 0xFF, 0xFF, 0, 0xB1, 0xEA, 0x92, 0x8F];
    assert!(matches!(SeekTable::len_from_footer(&huge), Err(FormatError::Field { .. })));
    assert!(matches!(SeekTable::len_from_footer(&[0; FOOTER_BYTES]), Err(FormatError::Magic { .. })));
}

prop_compose! {
    fn any_header()(
        (store, number, first_seq, first_offset) in any::<([u8; 16], u64, u64, u64)>(),
        chunk_bytes_max in 1..=CHUNK_BYTES_MAX,
        (salt, created_ns) in any::<(u32, u64)>(),
        family in prop::sample::select(&Family::ALL[..]),
    ) -> SegmentHeader {
        SegmentHeader {
            store: StoreId(store),
            number: SegmentNumber(number),
            first_seq: ChunkSeq(first_seq),
            first_offset: StreamOffset(first_offset),
            chunk_bytes_max,
            salt: Salt(salt),
            created_ns,
            family,
        }
    }
}

prop_compose! {
    fn any_record()(header in any_header())(
        raw_len in 1..=header.chunk_bytes_max,
        frame_part in 0.0..=1.0,
        seq in 0..u64::MAX,
        offset in 0..=u64::MAX - u64::from(CHUNK_BYTES_MAX),
        (raw_crc, frame_crc, record_end) in any::<(u32, u32, bool)>(),
        codec in prop::sample::select(CodecId::ALL.into_iter().filter(|c| c.fits(header.family)).collect::<Vec<_>>()),
        header in Just(header),
    ) -> (SegmentHeader, Record) {
        let (seq, offset) = (ChunkSeq(seq), StreamOffset(offset));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of what is allowed")]
        let frame_len = ((f64::from(frame_bytes_max(header.family, raw_len)) * frame_part) as u32).max(1);
        (header, Record { seq, offset, raw_len, frame_len, raw_crc, frame_crc, codec, record_end })
    }
}

proptest! {
    #[test]
    fn headers_round_trip(header in any_header()) {
        prop_assert_eq!(SegmentHeader::decode(&header.encode()), Ok(header));
    }

    #[test]
    fn records_round_trip((header, record) in any_record()) {
        prop_assert_eq!(Record::decode(&record.encode(&header.key()), &header.key()), Ok(record));
    }

    #[test]
    fn seals_round_trip(
        header in any_header(),
        (next_seq, end_offset, table_crc) in any::<(u64, u64, u32)>(),
        chunks in 0..=CHUNKS_PER_SEGMENT_MAX,
        others in 0_usize..1000,
        end in prop::sample::select(&[EndState::Continues, EndState::End, EndState::Aborted][..]),
    ) {
        let table_len = SeekTable::encoded_len(SeekTable::entries_of(chunks) + others);
        let seal = Seal {
            next_seq: ChunkSeq(next_seq),
            end_offset: StreamOffset(end_offset),
            chunks,
            table_len: u32::try_from(table_len).unwrap(),
            table_crc,
            end,
        };
        prop_assert_eq!(Seal::decode(&seal.encode(&header.key()), &header.key()), Ok(seal));
    }

    #[test]
    fn seek_tables_round_trip(entries in prop::collection::vec(any::<(u32, u32)>(), 0..100)) {
        let mut table = SeekTable::default();
        for (frame_len, raw_len) in entries {
            table.push(SeekEntry { frame_len, raw_len });
        }
        let bytes = table.encode();
        prop_assert_eq!(bytes.len(), SeekTable::encoded_len(table.entries().len()));
        prop_assert_eq!(SeekTable::len_from_footer(bytes.last_chunk().unwrap()), Ok(bytes.len()));
        prop_assert_eq!(SeekTable::decode(&bytes), Ok(table));
    }
}
