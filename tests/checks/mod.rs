//! What must hold for any bytes whatever. The fuzz targets (fuzz/) and `tests/fuzz_checks.rs` run the same functions.

use spillpipe::codec::{Codec, Decoder, TABLE, ZstdLevel};
use spillpipe::format::frame::{frame_bytes_max, read_raw, write_raw};
use spillpipe::format::*;
use spillpipe::segment::{Chunk, Next, SegmentWalker, read_all, write_all};

/// Panics when what must hold for these bytes does not.
pub(crate) type Check = fn(&[u8]);

/// Every check, by the name of its fuzz target.
pub(crate) const ALL: [(&str, Check); 7] = [
    ("segment_header", segment_header),
    ("record", record),
    ("seal_and_table", seal_and_table),
    ("frame_raw", frame_raw),
    ("codec_decode", codec_decode),
    ("segment_read", segment_read),
    ("round_trip", round_trip),
];

const RAW_BYTES_MAX: usize = 1 << 16;

/// The header that records and seals under test belong to.
pub(crate) fn key(family: Family) -> SegmentKey {
    SegmentKey { store: StoreId(*b"0123456789abcdef"), salt: Salt(0x4142_4344), family, chunk_bytes_max: 1 << 18 }
}

/// Header bytes: as they come, and with the checksum put right, so that what lies behind it is reached, too.
pub(crate) fn segment_header(data: &[u8]) {
    let Some(mut bytes) = data.first_chunk::<HEADER_BYTES>().copied() else { return };
    for refit in [false, true] {
        if refit {
            let crc = crc32(&bytes[..0x7C]);
            bytes[0x7C..].copy_from_slice(&crc.to_le_bytes());
        }
        if let Ok(header) = SegmentHeader::decode(&bytes) {
            assert!((1..=CHUNK_BYTES_MAX).contains(&header.chunk_bytes_max));
            assert_eq!(SegmentHeader::decode(&header.encode()), Ok(header));
        }
    }
}

/// Record bytes, likewise: what is accepted is in bounds and is written back bit for bit.
pub(crate) fn record(data: &[u8]) {
    let Some(bytes) = data.first_chunk::<RECORD_BYTES>() else { return };
    for family in Family::ALL {
        let key = key(family);
        for bytes in [*bytes, refit(*bytes, &key)] {
            if let Ok(record) = Record::decode(&bytes, &key) {
                assert!((1..=key.chunk_bytes_max).contains(&record.raw_len));
                assert!(record.frame_len <= frame_bytes_max(family, record.raw_len));
                assert!(record.codec.fits(family) && record.end_offset() > record.offset);
                assert!(record.next_seq() > record.seq);
                assert_eq!(record.encode(&key), bytes);
            }
        }
    }
}

/// A seal, likewise, and a seek table behind it.
pub(crate) fn seal_and_table(data: &[u8]) {
    let Some((bytes, table)) = data.split_first_chunk::<RECORD_BYTES>() else { return };
    for family in Family::ALL {
        let key = key(family);
        let mut seal_bytes = refit(*bytes, &key);
        seal_bytes[8..12].copy_from_slice(b"SPSL");
        for bytes in [*bytes, refit(seal_bytes, &key)] {
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

/// A frame of raw blocks: what is accepted is exactly what [`write_raw`] writes, but for the LZ4 block size code.
pub(crate) fn frame_raw(data: &[u8]) {
    let Some((len, frame)) = data.split_first_chunk::<2>() else { return };
    let mut raw = vec![0; usize::from(u16::from_le_bytes(*len))];
    for family in Family::ALL {
        if read_raw(family, frame, &mut raw).is_ok() {
            let mut out = vec![0; frame_bytes_max(family, u32::from(u16::from_le_bytes(*len))) as usize];
            let checksum = frame[4] & 4 != 0;
            let written = write_raw(family, &raw, checksum, &mut out);
            match family {
                Family::Zstd => assert_eq!(&out[..written], frame),
                Family::Lz4 => assert_eq!(written, frame.len()),
            }
        }
    }
}

/// Any bytes as a frame of any codec: the decoder fills exactly the buffer it is given or refuses.
pub(crate) fn codec_decode(data: &[u8]) {
    let Some(([codec, family, len @ ..], frame)) = data.split_first_chunk::<4>() else { return };
    let row = &TABLE[usize::from(*codec) % TABLE.len()];
    let family = Family::ALL[usize::from(*family) % Family::ALL.len()];
    let mut raw = vec![0; usize::from(u16::from_le_bytes(*len))];
    let mut again = vec![1; raw.len()];
    let mut decoder = Decoder::default();
    let first = decoder.decode(row.id, family, frame, &mut raw);
    let second = decoder.decode(row.id, family, frame, &mut again);
    assert_eq!(first, second, "a decoder that was used before, or has failed, decodes as a new one does");
    if first.is_ok() {
        assert_eq!(raw, again, "all of the buffer is written");
    }
}

/// Any bytes as a segment; then with every checksum put right, as far as the structures can be followed.
pub(crate) fn segment_read(data: &[u8]) {
    if let Ok((header, seal)) = read_all(data, |_, raw| assert!(!raw.is_empty())) {
        assert!(seal.next_seq >= header.first_seq && seal.end_offset >= header.first_offset);
    }
    let mut bytes = data.to_vec();
    if refit_segment(&mut bytes).is_some() {
        let mut end = None;
        let read = read_all(&bytes, |record, raw| {
            assert_eq!(raw.len(), record.raw_len as usize);
            assert!(end <= Some(record.offset), "offsets go up");
            end = Some(record.end_offset());
        });
        if let Ok((_, seal)) = read {
            assert!(end.is_none_or(|end| end <= seal.end_offset));
        }
    }
}

/// Arbitrary chunks and options, written and read back; then with one bit flipped, which must be refused.
pub(crate) fn round_trip(data: &[u8]) {
    let mut input = data.iter().copied();
    let mut byte = || input.next().unwrap_or(0);
    let family = Family::ALL[usize::from(byte() & 1)];
    let (checksum, end) = (byte() & 1 != 0, [EndState::Continues, EndState::End, EndState::Aborted]);
    let end = end[usize::from(byte() % 3)];
    let flip_bit = usize::from(u16::from_le_bytes([byte(), byte()]));
    let header = SegmentHeader {
        store: StoreId([byte(); 16]),
        number: SegmentNumber(u64::from(byte())),
        first_seq: ChunkSeq(u64::from(byte())),
        first_offset: StreamOffset(u64::from(byte())),
        chunk_bytes_max: u32::try_from(RAW_BYTES_MAX).expect("it is small"),
        salt: Salt(u32::from(byte())),
        created_ns: u64::from(byte()),
        family,
    };
    let mut specs = Vec::new();
    for _ in 0..byte() % 8 {
        let codec = match TABLE[usize::from(byte()) % TABLE.len()].example {
            Codec::Zstd(_) => Codec::Zstd(ZstdLevel::new(byte() % 5 + 1).expect("a level from 1 to 5")),
            other => other,
        };
        let (kind, len) = (byte(), usize::from(u16::from_le_bytes([byte(), byte()])) + 1);
        let pattern: Vec<u8> = (0..kind % 32).map(|_| byte()).chain([kind]).collect();
        let raw: Vec<u8> = pattern.iter().copied().cycle().take(len).collect();
        specs.push((raw, codec, kind & 64 != 0, u64::from(kind >> 7)));
    }
    let mut offset = header.first_offset.0;
    let mut chunks = Vec::new();
    for (raw, codec, record_end, gap) in &specs {
        offset += gap;
        chunks.push(Chunk { raw, codec: *codec, record_end: *record_end, offset: Some(StreamOffset(offset)) });
        offset += raw.len() as u64;
    }
    let mut bytes = write_all(&header, checksum, &chunks, end);
    let mut expected = chunks.iter();
    let read = read_all(&bytes, |record, raw| {
        let chunk = expected.next().expect("no more chunks than were written");
        assert_eq!((raw, record.record_end, Some(record.offset)), (chunk.raw, chunk.record_end, chunk.offset));
    });
    let (read_header, seal) = read.expect("what was written is read");
    assert!(expected.next().is_none(), "all of them");
    assert_eq!((read_header, seal.end, seal.end_offset), (header, end, StreamOffset(offset)));

    let bit = flip_bit % (bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
    assert!(read_all(&bytes, |_, _| ()).is_err(), "bit {bit} was flipped");
}

/// The record with the needle of `key` and a checksum that fits.
fn refit(mut bytes: [u8; RECORD_BYTES], key: &SegmentKey) -> [u8; RECORD_BYTES] {
    let tag: [u8; 4] = std::array::from_fn(|i| bytes[8 + i]);
    bytes[..NEEDLE_BYTES].copy_from_slice(&needle(key));
    if tag == *b"SPSL" {
        bytes[8..12].copy_from_slice(&tag);
    }
    let crc = crc32(&[&key.store.0, &bytes[..0x3C]].concat());
    bytes[0x3C..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Puts header, record, frame and table checksums of a segment right, as far as it can be walked. The checksum of
/// the raw bytes stays as it is: it would take a decoder to know it.
fn refit_segment(bytes: &mut [u8]) -> Option<()> {
    let head = bytes.first_chunk_mut::<HEADER_BYTES>()?;
    let crc = crc32(&head[..0x7C]);
    head[0x7C..].copy_from_slice(&crc.to_le_bytes());
    let header = SegmentHeader::decode(head).ok()?;
    let mut walker = SegmentWalker::new(&header);
    loop {
        let at = usize::try_from(walker.at()).ok()?;
        let (record, rest) = bytes.get_mut(at..)?.split_first_chunk_mut::<RECORD_BYTES>()?;
        let body_len = u32::from_le_bytes(record[0x2C..0x30].try_into().expect("four bytes")) as usize;
        if let Some(body) = rest.get(..body_len) {
            record[0x34..0x38].copy_from_slice(&crc32(body).to_le_bytes());
        }
        *record = refit(*record, &header.key());
        if !matches!(walker.step(record).ok()?, Next::Chunk(_)) {
            return Some(());
        }
    }
}
