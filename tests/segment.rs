//! A segment written and read: order, bounds, and every way to damage it.

mod samples;

use samples::{header, noise, text};
use spillpipe::codec::{Codec, Decoder, ZstdLevel};
use spillpipe::format::*;
use spillpipe::segment::{Chunk, ChunkInfo, Next, SegmentEncoder, SegmentWalker, open_chunk, read_all, write_all};

fn compressing(family: Family) -> Codec {
    match family {
        Family::Zstd => Codec::Zstd(ZstdLevel::FASTEST),
        Family::Lz4 => Codec::Lz4,
    }
}

fn sample_file(family: Family) -> Vec<u8> {
    let (text, noise) = (text(1, 500), noise(1, 40));
    let codec = compressing(family);
    let chunks = [Chunk::new(&text, codec), Chunk::new(&noise, Codec::Raw), Chunk::new(b"end", codec)];
    write_all(&header(family), true, &chunks, EndState::End)
}

fn info(raw_len: u32) -> ChunkInfo {
    let codec = CodecId::Raw;
    ChunkInfo { raw_len, frame_len: raw_len + 10, raw_crc: 0, frame_crc: 0, codec, record_end: false, offset: None }
}

fn refuses(f: impl FnOnce(&mut SegmentEncoder)) -> bool {
    let mut segment = SegmentEncoder::new(header(Family::Zstd));
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| f(&mut segment))).is_err()
}

fn refuses_chunk(chunk: ChunkInfo) -> bool {
    refuses(|segment| {
        segment.record(&chunk);
    })
}

#[test]
fn every_flipped_bit_of_a_segment_is_refused() {
    for family in Family::ALL {
        let file = sample_file(family);
        for bit in 0..file.len() * 8 {
            let mut flipped = file.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let error = read_all(&flipped, |_, _| ()).expect_err("a flipped bit");
            assert!(error.at <= bit as u64 / 8, "bit {bit}: {error}");
        }
    }
}

#[test]
fn every_truncation_and_every_zeroed_tail_is_refused() {
    for family in Family::ALL {
        let file = sample_file(family);
        for len in 0..file.len() {
            let error = read_all(&file[..len], |_, _| ()).expect_err("cut");
            assert!(matches!(error.error, FormatError::Short { .. }), "cut to {len}: {error}");
            let mut zeroed = file.clone();
            zeroed[len..].fill(0);
            // The last field of the file, the footer's magic, has no zero byte: every zeroed tail changes something.
            assert!(read_all(&zeroed, |_, _| ()).is_err(), "zeroed from {len}");
        }
        assert!(read_all(&[&file[..], &[0]].concat(), |_, _| ()).is_err(), "a byte too many");
    }
}

#[test]
fn damaged_chunks_are_never_handed_out() {
    let file = sample_file(Family::Zstd);
    let mut raw = Vec::new();
    read_all(&file, |_, bytes| raw.extend_from_slice(bytes)).unwrap();
    for bit in 0..file.len() * 8 {
        let mut flipped = file.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let mut out = Vec::new();
        let _refused = read_all(&flipped, |_, bytes| out.extend_from_slice(bytes));
        assert!(raw.starts_with(&out), "bit {bit}");
    }
}

#[test]
fn the_encoder_refuses_its_callers_mistakes() {
    let chunk_bytes_max = header(Family::Zstd).chunk_bytes_max;
    assert!(!refuses_chunk(info(chunk_bytes_max)), "the largest chunk");
    assert!(refuses_chunk(info(chunk_bytes_max + 1)), "too large");
    assert!(refuses_chunk(info(0)), "empty");
    assert!(refuses_chunk(ChunkInfo { frame_len: 0, ..info(5) }), "no frame");
    assert!(refuses_chunk(ChunkInfo { frame_len: 5 + 3 + 19, ..info(5) }), "long frame");
    assert!(refuses_chunk(ChunkInfo { codec: CodecId::Lz4, ..info(5) }), "other family");
    assert!(refuses(|segment| {
        let first = segment.next_offset();
        segment.record(&info(5));
        segment.record(&ChunkInfo { offset: first.checked_add(4), ..info(5) });
    }));
    assert!(refuses(|segment| segment.drop_to(StreamOffset(0))));
}

#[test]
fn a_segment_is_full_at_its_bound() {
    let header = SegmentHeader { first_seq: ChunkSeq(7), ..header(Family::Lz4) };
    let mut segment = SegmentEncoder::new(header);
    let mut walker = SegmentWalker::new(&header);
    let mut frame = [0; 64];
    let len = frame::write_raw(Family::Lz4, b"x", false, &mut frame);
    let frame = &frame[..len];
    let (raw_crc, frame_crc) = (crc32(b"x"), crc32(frame));
    let chunk = ChunkInfo { frame_len: u32::try_from(len).unwrap(), raw_crc, frame_crc, ..info(1) };
    let some_record = Record::decode(&segment.clone().record(&chunk), walker.key()).unwrap();
    while !segment.is_full() {
        let record = segment.record(&chunk);
        // All take too long; the last ones tell.
        if segment.chunks() == CHUNKS_PER_SEGMENT_MAX - 1 {
            let at = segment.bytes_so_far() - (RECORD_BYTES + len) as u64;
            let last = Record::decode(&record, walker.key()).unwrap();
            walker = SegmentWalker::resume(&header, at, last.seq, last.offset);
        }
        if segment.chunks() >= CHUNKS_PER_SEGMENT_MAX - 1 {
            walker.step(&record).unwrap();
        }
    }
    assert_eq!(segment.chunks(), CHUNKS_PER_SEGMENT_MAX);
    assert_eq!(segment.bytes_so_far(), walker.at());
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| segment.clone().record(&chunk))).is_err());
    let too_many = Record { seq: walker.next_seq(), offset: walker.next_offset(), ..some_record };
    let full = walker.clone().step(&too_many.encode(walker.key()));
    assert!(matches!(full, Err(FormatError::Field { field: "chunk of the segment", .. })));
    let sealed_bytes = segment.seal_bytes();
    let tail = segment.seal(EndState::Continues);
    assert_eq!(tail.len() as u64, sealed_bytes);
    let Ok(Next::Seal(seal)) = walker.step(tail.first_chunk().unwrap()) else { panic!("its seal") };
    assert_eq!((seal.chunks, seal.next_seq), (1 << 24, ChunkSeq(7 + (1 << 24))));
}

#[test]
fn dropped_data_is_a_gap_between_chunks_or_before_the_end() {
    let header = SegmentHeader { first_offset: StreamOffset(100), ..header(Family::Zstd) };
    let mut segment = SegmentEncoder::new(header);
    let first = segment.record(&info(10));
    segment.drop_to(StreamOffset(150));
    let second = segment.record(&info(10));
    let third = segment.record(&ChunkInfo { offset: Some(StreamOffset(200)), ..info(10) });
    segment.drop_to(StreamOffset(1000));
    let tail = segment.seal(EndState::End);

    let mut walker = SegmentWalker::new(&header);
    let mut gaps = Vec::new();
    for record in [first, second, third] {
        let expected = walker.next_offset();
        let Ok(Next::Chunk(record)) = walker.step(&record) else { panic!("a chunk") };
        gaps.push(record.offset.0 - expected.0);
    }
    assert_eq!(gaps, [0, 40, 40]);
    let Ok(Next::Seal(seal)) = walker.step(tail.first_chunk().unwrap()) else { panic!("a seal") };
    assert_eq!((seal.end_offset, seal.chunks), (StreamOffset(1000), 3));
}

/// Three records of 10 bytes each, and the seal.
fn four_structures(header: &SegmentHeader) -> [[u8; RECORD_BYTES]; 4] {
    let mut segment = SegmentEncoder::new(*header);
    let [a, b, c] = [(); 3].map(|()| segment.record(&info(10)));
    [a, b, c, *segment.seal(EndState::End).first_chunk().expect("a seal")]
}

#[test]
fn missing_swapped_and_repeated_chunks_are_seen() {
    let header = header(Family::Zstd);
    let [a, b, c, seal] = four_structures(&header);
    let walk = |records: &[[u8; RECORD_BYTES]]| {
        let mut walker = SegmentWalker::new(&header);
        records.iter().map(|record| walker.step(record).is_ok()).collect::<Vec<_>>()
    };
    assert_eq!(walk(&[a, b, c, seal]), [true, true, true, true]);
    assert_eq!(walk(&[b]), [false], "first missing");
    assert_eq!(walk(&[a, c, b]), [true, false, true], "one missing; a refused step changes nothing");
    assert_eq!(walk(&[a, a]), [true, false], "repeated");
    assert_eq!(walk(&[a, b, seal, c, seal]), [true, true, false, true, true], "last missing");
}

#[test]
fn after_damage_a_later_chunk_is_taken_and_an_earlier_one_is_not() {
    let header = header(Family::Zstd);
    let [a, b, c, seal] = four_structures(&header);
    let mut walker = SegmentWalker::new(&header);
    walker.step(&a).unwrap();
    walker.skip_damage(5000);
    assert!(walker.step(&a).is_err(), "it was there before");
    assert!(matches!(walker.step(&c), Ok(Next::Chunk(record)) if record.seq.0 == header.first_seq.0 + 2));
    assert_eq!(walker.at(), 5000 + 64 + 20);
    assert!(walker.step(&b).is_err(), "out of order again");
    assert!(matches!(walker.step(&seal), Ok(Next::Seal(_))));

    let mut walker = SegmentWalker::new(&header);
    walker.skip_damage(400);
    assert!(matches!(walker.step(&seal), Ok(Next::Seal(seal)) if seal.chunks == 3), "all chunks were damaged");
}

#[test]
fn a_walker_resumes_where_a_cursor_points() {
    let header = header(Family::Zstd);
    let [_, b, c, _] = four_structures(&header);
    let (seq, offset) = (header.first_seq.checked_add(1).unwrap(), header.first_offset.checked_add(10).unwrap());
    let mut walker = SegmentWalker::resume(&header, 128 + 84, seq, offset);
    assert!(walker.step(&c).is_err());
    assert!(walker.step(&b).is_ok());
    assert_eq!(walker.at(), 128 + 2 * 84);
    let mut at_the_end = SegmentWalker::resume(&header, u64::MAX - 10, seq, offset);
    assert!(at_the_end.step(&b).is_err(), "no position past the end of the number line");
}

#[test]
fn a_seal_that_counts_other_chunks_is_refused() {
    let header = header(Family::Zstd);
    let key = header.key();
    let [a, b, c, seal_bytes] = four_structures(&header);
    let seal = Seal::decode(&seal_bytes, &key).unwrap();
    let refused = |seal: Seal| {
        let mut walker = SegmentWalker::new(&header);
        for record in [a, b, c] {
            walker.step(&record).expect("in order");
        }
        walker.step(&seal.encode(&key)).is_err()
    };
    assert!(!refused(seal));
    assert!(refused(Seal { chunks: 2, ..seal }));
    assert!(refused(Seal { next_seq: ChunkSeq(seal.next_seq.0 + 1), ..seal }));
    assert!(refused(Seal { end_offset: StreamOffset(seal.end_offset.0 - 1), ..seal }));
}

#[test]
fn skippable_frames_of_others_are_skipped_and_hostile_ones_are_not() {
    for family in Family::ALL {
        let file = sample_file(family);
        // An empty one, shorter than a record, behind the header: the table does not list it, all else reads.
        let frame = [0x51, 0x2A, 0x4D, 0x18, 0, 0, 0, 0];
        let with = [&file[..HEADER_BYTES], &frame, &file[HEADER_BYTES..]].concat();
        let mut chunks = 0;
        let error = read_all(&with, |_, _| chunks += 1).expect_err("the table lacks it");
        assert!(matches!(error.error, FormatError::Field { field: "seek table entries", .. }), "{error}");
        assert_eq!(chunks, 3);

        let huge = [0x57, 0x2A, 0x4D, 0x18, 0xFF, 0xFF, 0xFF, 0xFF];
        let with = [&file[..HEADER_BYTES], &huge, &file[HEADER_BYTES..]].concat();
        let error = read_all(&with, |_, _| ()).unwrap_err();
        assert!(matches!(error.error, FormatError::TooLong { field: "skippable frame", .. }), "{error}");
    }
}

#[test]
fn a_store_nested_in_a_chunk_is_not_mistaken_for_our_own() {
    let inner = sample_file(Family::Zstd);
    let outer_header = SegmentHeader { salt: Salt(1), ..header(Family::Zstd) };
    let outer = write_all(&outer_header, false, &[Chunk::new(&inner, Codec::Raw)], EndState::End);
    let own = needle(&outer_header.key());
    let nested = needle(&header(Family::Zstd).key());
    let count = |needle: &[u8]| outer.windows(needle.len()).filter(|window| *window == needle).count();
    assert_eq!((count(&own), count(&nested)), (1, 3));
}

#[test]
fn the_frame_is_checked_before_it_is_decoded_and_the_data_after() {
    let key = header(Family::Zstd).key();
    let mut frame = [0; 64];
    let len = frame::write_raw(Family::Zstd, b"hello", false, &mut frame);
    let frame = &frame[..len];
    let record = Record {
        seq: ChunkSeq(0),
        offset: StreamOffset(0),
        raw_len: 5,
        frame_len: u32::try_from(len).unwrap(),
        raw_crc: crc32(b"hello"),
        frame_crc: crc32(frame),
        codec: CodecId::Raw,
        record_end: false,
    };
    let open = |record: Record, frame: &[u8]| {
        let mut raw = [0; 5];
        let result = open_chunk(&record, key.family, frame, &mut raw, &mut Decoder::default());
        (result, raw)
    };
    assert_eq!(open(record, frame), (Ok(()), *b"hello"));
    let (result, raw) = open(Record { frame_crc: 0, ..record }, frame);
    assert!(matches!(result, Err(FormatError::Checksum { what: "frame", .. })));
    assert_eq!(raw, [0; 5], "nothing was decoded");
    let (result, _) = open(Record { raw_crc: 0, ..record }, frame);
    assert!(matches!(result, Err(FormatError::Checksum { what: "raw data", .. })));
}

#[test]
#[ignore = "needs the zstd and lz4 commands"]
fn the_standard_commands_read_our_segments() {
    let directory = tempfile::tempdir().unwrap();
    for family in Family::ALL {
        let path = directory.path().join(format!("segment.{}", family.extension()));
        let parts = [text(1, 262_144), noise(1, 262_144), text(2, 1)];
        let codec = compressing(family);
        let chunks: Vec<_> = parts.iter().map(|raw| Chunk::new(raw, codec)).collect();
        for checksum in [false, true] {
            let file = write_all(&header(family), checksum, &chunks, EndState::End);
            std::fs::write(&path, [&file[..], &file[..]].concat()).unwrap();
            let command = if family == Family::Zstd { "zstd" } else { "lz4" };
            let run = |flag| std::process::Command::new(command).arg(flag).arg(&path).output().unwrap();
            let (test, decoded) = (run("-t"), run("-dc"));
            assert!(test.status.success() && decoded.status.success(), "{test:?}");
            let raw = parts.concat();
            assert!(decoded.stdout == [&raw[..], &raw[..]].concat(), "{command} -dc");
        }
    }
}
