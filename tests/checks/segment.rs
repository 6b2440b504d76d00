//! Segments: any bytes are read in order or refused; what was written comes back, and one flipped bit never does.

use super::input::Input;
use super::refit::{self, Where};
use spillpipe::codec::{Codec, TABLE, ZstdLevel};
use spillpipe::format::*;
use spillpipe::segment::{Chunk, read_all, write_all};

/// Any bytes as a segment; then with every checksum put right, as far as the structures can be followed.
pub(crate) fn segment_read(data: &[u8]) {
    reads_in_order(data);
    let mut bytes = data.to_vec();
    for place in [Where::Found, Where::Made] {
        refit::segment(&mut bytes, None, Family::Zstd, place);
        reads_in_order(&bytes);
    }
}

fn reads_in_order(bytes: &[u8]) {
    let mut end = None;
    let read = read_all(bytes, |record, raw| {
        assert_eq!((raw.len(), crc32(raw)), (record.raw_len as usize, record.raw_crc));
        assert!(end <= Some(record.offset), "offsets go up");
        end = Some(record.end_offset());
    });
    if let Ok((header, seal)) = read {
        assert!(seal.next_seq >= header.first_seq && seal.end_offset >= header.first_offset);
        assert!(end.is_none_or(|end| end <= seal.end_offset));
    }
}

/// A chunk to be written: its bytes, how, whether it ends a record, and how much was dropped before it.
struct Spec {
    raw: Vec<u8>,
    codec: Codec,
    record_end: bool,
    gap: u64,
}

/// Most bytes of a chunk that is written, so that a case takes no time.
const WRITTEN_BYTES_MAX: u32 = 1 << 16;

fn spec(input: &mut Input, chunk_bytes_max: u32) -> Spec {
    let codec = match TABLE[usize::from(input.byte()) % TABLE.len()].example {
        Codec::Zstd(_) => Codec::Zstd(ZstdLevel::new(input.byte() % 19 + 1).expect("a level from 1 to 19")),
        other => other,
    };
    let kind = input.byte();
    let len = (u32::from(input.u16()) + 1).min(chunk_bytes_max) as usize;
    let pattern: Vec<u8> = input.take(usize::from(kind % 32)).iter().copied().chain([kind]).collect();
    let raw = pattern.iter().copied().cycle().take(len).collect();
    let gap = if kind & 128 == 0 { 0 } else { input.number() >> 4 };
    Spec { raw, codec, record_end: kind & 64 != 0, gap }
}

/// Arbitrary chunks and options, written and read back; then with one bit flipped, and cut short, which is refused.
pub(crate) fn round_trip(data: &[u8]) {
    let mut input = Input(data);
    let family = input.one_of(&Family::ALL);
    let checksum = input.bit();
    let end = input.one_of(&[EndState::Continues, EndState::End, EndState::Aborted]);
    let harmed = input.u16();
    let header = SegmentHeader {
        store: StoreId([input.byte(); 16]),
        number: SegmentNumber(input.number()),
        first_seq: ChunkSeq(input.number() >> 1),
        first_offset: StreamOffset(input.number() >> 2),
        chunk_bytes_max: input.one_of(&[1, 4096, 5000, WRITTEN_BYTES_MAX, CHUNK_BYTES_MAX]),
        salt: Salt(u32::from(input.u16())),
        created_ns: input.number(),
        family,
    };
    let specs: Vec<Spec> = (0..input.byte() % 8).map(|_| spec(&mut input, header.chunk_bytes_max)).collect();
    let mut offset = header.first_offset.0;
    let mut chunks = Vec::new();
    for Spec { raw, codec, record_end, gap } in &specs {
        let at = offset.checked_add(*gap).filter(|at| *at <= 1 << 63).unwrap_or(offset);
        // Without a gap the place goes without saying.
        let said = Some(StreamOffset(at)).filter(|_| *gap > 0 || raw.len() % 2 == 0);
        chunks.push(Chunk { raw, codec: *codec, record_end: *record_end, offset: said });
        offset = at + raw.len() as u64;
    }
    let mut bytes = write_all(&header, checksum, &chunks, end);
    let mut expected = chunks.iter();
    let mut next = header.first_offset;
    let read = read_all(&bytes, |record, raw| {
        let chunk = expected.next().expect("no more chunks than were written");
        assert_eq!(
            (raw, record.record_end, record.offset),
            (chunk.raw, chunk.record_end, chunk.offset.unwrap_or(next))
        );
        next = record.end_offset();
    });
    let (read_header, seal) = read.expect("what was written is read");
    assert!(expected.next().is_none(), "all of them");
    assert_eq!((read_header, seal.end, seal.end_offset), (header, end, StreamOffset(offset)));

    let bit = usize::from(harmed) * 7919 % (bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
    assert!(read_all(&bytes, |_, _| ()).is_err(), "bit {bit} was flipped");
    bytes[bit / 8] ^= 1 << (bit % 8);
    assert!(read_all(&bytes[..bit / 8], |_, _| ()).is_err(), "it was cut to {}", bit / 8);
}
