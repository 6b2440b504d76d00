//! Parts of archives: the bytes that were asked for, by whichever way, and little work for them.

use super::{Model, copy, read_all, samples, simple, stream};
use proptest::prelude::*;
use spillpipe::archive::*;
use spillpipe::format::*;
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;

fn models() -> impl Strategy<Value = Model> {
    let gap = prop_oneof![3 => Just(0_u64), 1 => 1..60_u64];
    let piece = (gap.clone(), prop::collection::vec(any::<u8>(), 1..200));
    let segment = (any::<bool>(), gap, prop::collection::vec(piece, 0..7));
    let start = prop_oneof![Just((0, 0)), (0..1_u64 << 60, 0..1_u64 << 60)];
    (start, prop::collection::vec(segment, 1..4)).prop_map(|((offset, number), segments)| {
        let mut model = Model::starting(offset, number);
        let last = segments.len() - 1;
        let mut is_first = true;
        let family = if segments[0].0 { Family::Zstd } else { Family::Lz4 };
        for (i, (goes_on, before, pieces)) in segments.into_iter().enumerate() {
            let end = if i == last || !goes_on { EndState::End } else { EndState::Continues };
            // In front of a stream's first segment nothing is known to have been dropped.
            model.segment(family, if is_first { 0 } else { before }, &pieces, 0, end);
            is_first = end == EndState::End;
            if end == EndState::End && i < last {
                model.next_stream();
            }
        }
        model
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_range_is_that_part_of_the_whole_whichever_way_it_is_read(
        model in models(),
        ranges in prop::collection::vec((0..2000_u64, 0..2000_u64), 4),
    ) {
        prop_assert!(read_all(&mut model.reader()).unwrap() == model.all());
        let first = model.chunks.first().map_or(model.end, |(start, _)| *start);
        let mut reader = model.reader();
        for (from, len) in ranges {
            let range = first.saturating_sub(50).saturating_add(from)..first.saturating_add(from).saturating_add(len);
            let expected = model.range(&range);
            reader.range(range.clone()).unwrap();
            prop_assert!(read_all(&mut reader).unwrap() == expected, "{range:?} of {:?}", model.chunks);
            let (in_order, copied, result) = copy(stream(&model.bytes), Span::Bytes(range.clone()), 0);
            result.unwrap();
            prop_assert!(in_order == expected, "{range:?} of a stream");
            prop_assert_eq!(copied.missed_bytes, reader.missed_bytes(), "{:?}", &range);
            let (in_threads, copied, result) = copy(Source::bytes("m", model.bytes.clone()), Span::Bytes(range.clone()), 2);
            result.unwrap();
            prop_assert!(in_threads == expected, "{range:?} by threads");
            prop_assert_eq!(copied.missed_bytes, reader.missed_bytes());
        }
    }

    #[test]
    fn a_range_of_chunks_is_those_chunks(model in models(), from in 0..20_u64, len in 0..20_u64) {
        let from = (model.first_number + from).saturating_sub(3);
        let range = from..from + len;
        let mut reader = model.reader();
        reader.chunks(range.clone()).unwrap();
        let expected = model.chunk_range(&range);
        prop_assert!(read_all(&mut reader).unwrap() == expected, "{range:?}");
        let (data, copied, result) = copy(stream(&model.bytes), Span::Chunks(range.clone()), 2);
        result.unwrap();
        prop_assert!(data == expected, "{range:?} of a stream");
        prop_assert_eq!((reader.decoded_chunks(), reader.missed_bytes()), (copied.chunks, copied.missed_bytes));
    }

    #[test]
    fn seeking_is_as_in_a_file(
        model in models(),
        seeks in prop::collection::vec((0..1500_u64, 0..300_usize, limits()), 1..12),
    ) {
        let mut reader = model.reader();
        let end = reader.len().unwrap().unwrap();
        prop_assert_eq!(end, model.end);
        for (back, len, limit) in seeks {
            if let Some((as_chunks, first, count, read)) = limit.filter(|_| !model.chunks.is_empty()) {
                // Of which a seek says nothing any more.
                let first = first % model.chunks.len();
                let last = (first + count).min(model.chunks.len() - 1);
                let (bytes, numbers) = model.whole_chunks(first..last + 1);
                let limited = if as_chunks { reader.chunks(numbers) } else { reader.range(bytes.clone()) };
                limited.unwrap();
                prop_assert_eq!(reader.position(), bytes.start);
                let expected = model.range(&bytes);
                prop_assert!(read_some(&mut reader, read) == expected[..read.min(expected.len())]);
            }
            let at = end.saturating_sub(back);
            prop_assert_eq!(reader.seek(SeekFrom::End(-i64::try_from(end - at).unwrap())).unwrap(), at);
            // In the middle of anything.
            prop_assert_eq!(reader.len().unwrap(), Some(end));
            let mut expected = model.range(&(at..end));
            expected.truncate(len);
            prop_assert!(read_some(&mut reader, len) == expected, "{len} bytes from {at} of {end}");
        }
    }

    #[test]
    fn of_a_stream_parts_can_be_had_one_behind_the_other(
        model in models(),
        parts in prop::collection::vec((0..150_u64, 0..300_u64, 0..400_usize), 1..10),
    ) {
        let mut reader = Reader::new(stream(&model.bytes)).unwrap();
        let mut from = model.chunks.first().map_or(model.end, |(start, _)| *start);
        for (behind, len, read) in parts {
            let start = from.saturating_add(behind);
            let range = start..start.saturating_add(len);
            reader.range(range.clone()).unwrap();
            let mut expected = model.range(&range);
            expected.truncate(read);
            prop_assert!(read_some(&mut reader, read) == expected, "{range:?} of {:?}", model.chunks);
            from = if expected.is_empty() { start } else { reader.position() };
        }
    }
}

/// What may be asked for in front of a seek: as chunks or as bytes, the first chunk, how many more; and how much of it is
/// read.
fn limits() -> impl Strategy<Value = Option<(bool, usize, usize, usize)>> {
    prop::option::of((any::<bool>(), 0..20_usize, 0..3_usize, 0..400_usize))
}

fn read_some(reader: &mut Reader, len: usize) -> Vec<u8> {
    let mut data = Vec::new();
    reader.take(len as u64).read_to_end(&mut data).unwrap();
    data
}

#[test]
fn a_seek_brings_back_what_a_range_has_left_out() {
    let model = simple(Family::Zstd, 3);
    let end = model.chunks[1].0;
    for to in [2, end + 2] {
        for as_chunks in [false, true] {
            let mut reader = model.reader();
            let limited = if as_chunks { reader.chunks(0..1) } else { reader.range(0..end) };
            limited.unwrap();
            reader.read_exact(&mut [0; 5]).unwrap();
            reader.seek(SeekFrom::Start(to)).unwrap();
            assert!(read_all(&mut reader).unwrap() == model.range(&(to..u64::MAX)), "from {to}, chunks: {as_chunks}");
        }
    }
}

#[test]
fn of_a_stream_what_was_decoded_and_not_read_is_still_there_to_be_had() {
    let mut model = Model::default();
    model.segment(Family::Lz4, 0, &[(0, samples::text(1, 300)), (50, samples::text(2, 300))], 0, EndState::End);
    let mut reader = Reader::new(stream(&model.bytes)).unwrap();
    reader.read_exact(&mut [0; 10]).unwrap();
    for range in [100..200, 200..210, 250..340, 360..370, 370..u64::MAX] {
        reader.range(range.clone()).unwrap();
        assert_eq!(reader.position(), range.start);
        assert!(read_all(&mut reader).unwrap() == model.range(&range), "{range:?}");
    }
    let mut reader = Reader::new(stream(&model.bytes)).unwrap();
    reader.read_exact(&mut [0; 10]).unwrap();
    reader.chunks(0..1).unwrap();
    assert!(read_all(&mut reader).unwrap() == model.range(&(10..300)), "the rest of it");
    reader.chunks(1..2).unwrap();
    assert!(read_all(&mut reader).unwrap() == model.range(&(350..650)));
}

#[test]
fn where_chunks_begin_is_known_before_one_is_read() {
    let sealed = simple(Family::Zstd, 30);
    let mut without_table = sealed.clone();
    without_table.bytes.truncate(sealed.bytes.len() - 20);
    for model in [sealed, without_table] {
        let mut reader = model.reader();
        for number in [20, 3, 29] {
            let start = model.chunks[number].0;
            reader.chunks(number as u64..u64::MAX).unwrap();
            assert_eq!(reader.position(), start);
            assert_eq!(reader.seek(SeekFrom::Current(-5)).unwrap(), start - 5);
            assert!(read_some(&mut reader, 9) == model.range(&(start - 5..start + 4)), "in front of chunk {number}");
            assert_eq!(reader.position(), start + 4);
        }
    }
}

#[test]
fn one_byte_anywhere_costs_the_decoding_of_one_chunk() {
    for family in Family::ALL {
        let model = simple(family, 100);
        for (i, (start, raw)) in model.chunks.iter().enumerate() {
            for at in [*start, start + raw.len() as u64 - 1] {
                let mut reader = model.reader();
                reader.range(at..at + 1).unwrap();
                assert_eq!(read_all(&mut reader).unwrap(), model.range(&(at..at + 1)));
                assert_eq!(reader.decoded_chunks(), 1, "{family:?}: chunk {i}, byte {at}");
            }
        }
    }
}

#[test]
fn seeking_within_a_chunk_decodes_it_once() {
    let model = simple(Family::Zstd, 3);
    let mut reader = model.reader();
    for at in [60, 50, 62, 45] {
        reader.seek(SeekFrom::Start(at)).unwrap();
        let mut byte = [0];
        reader.read_exact(&mut byte).unwrap();
        assert_eq!(byte[..], model.range(&(at..at + 1)));
    }
    assert_eq!(reader.decoded_chunks(), 1);
}

#[test]
fn a_seek_table_that_is_damaged_or_lies_changes_nothing() {
    let model = simple(Family::Zstd, 12);
    let table_len = SeekTable::encoded_len(SeekTable::entries_of(12));
    let table_at = model.bytes.len() - table_len;
    let mut tables: Vec<Vec<u8>> = Vec::new();
    for bit in 0..table_len * 8 {
        let mut bytes = model.bytes.clone();
        bytes[table_at + bit / 8] ^= 1 << (bit % 8);
        tables.push(bytes);
    }
    // Lies with a good checksum: entries swapped, and moved from one to the other.
    let header = SegmentHeader::decode(model.bytes.first_chunk().unwrap()).unwrap();
    let seal_at = table_at - RECORD_BYTES;
    let seal = Seal::decode(model.bytes[seal_at..].first_chunk().unwrap(), &header.key()).unwrap();
    for (a, b) in [(3, 5), (2, 3), (0, 25), (4, 7)] {
        for by in [0, 1] {
            let mut bytes = model.bytes.clone();
            let entry = |i: usize| table_at + 8 + i * 8;
            for byte in 0..8 {
                bytes.swap(entry(a) + byte, entry(b) + byte);
            }
            bytes[entry(a)] = bytes[entry(a)].wrapping_add(by);
            bytes[entry(b)] = bytes[entry(b)].wrapping_sub(by);
            let table_crc = crc32(&bytes[table_at..]);
            bytes[seal_at..table_at].copy_from_slice(&Seal { table_crc, ..seal }.encode(&header.key()));
            tables.push(bytes);
        }
    }
    for bytes in tables {
        for range in [0..1, 45..300, 600..601, 700..u64::MAX] {
            let mut reader = Reader::new(Source::bytes("m", bytes.clone())).unwrap();
            reader.range(range.clone()).unwrap();
            let (mut data, mut buffer) = (Vec::new(), [0; 4096]);
            // At the end it is damage; what comes before is what it was.
            while let Ok(len @ 1..) = reader.read(&mut buffer) {
                data.extend_from_slice(&buffer[..len]);
            }
            assert!(data == model.range(&range), "{range:?}");
        }
    }
}

#[test]
fn what_is_dropped_is_stepped_over_and_counted() {
    let mut model = Model::starting(100, 0);
    model.segment(Family::Zstd, 0, &[(0, vec![1; 10]), (20, vec![2; 10])], 0, EndState::Continues);
    model.segment(Family::Zstd, 40, &[(7, vec![3; 10])], 0, EndState::End);
    let missed = |range: Range<u64>| {
        let missed = [Source::bytes("m", model.bytes.clone()), stream(&model.bytes)].map(|source| {
            let (_, copied, result) = copy(source, Span::Bytes(range.clone()), 0);
            result.unwrap();
            copied.missed_bytes
        });
        assert_eq!(missed[0], missed[1], "{range:?} of a stream");
        missed[0]
    };
    assert_eq!(missed(0..u64::MAX), 67);
    assert_eq!((missed(110..130), missed(115..120), missed(112..1000), missed(130..140)), (20, 5, 65, 0));
    assert_eq!((missed(150..190), missed(185..190)), (37, 2), "also from the middle of a gap between two segments");
    let mut reader = model.reader();
    reader.read_exact(&mut [0; 11]).unwrap();
    assert_eq!((reader.position(), reader.missed_bytes()), (131, 20));
}

/// From its position on, a file is read: here behind five sparse gibibytes.
#[test]
fn places_past_four_gibibytes_are_places() {
    let mut model = Model::starting(u64::from(u32::MAX) * 3, u64::from(u32::MAX) * 5);
    model.segment(Family::Lz4, 0, &[(0, vec![1; 100]), (9 << 30, samples::text(1, 1000))], 0, EndState::End);
    let mut file = tempfile::tempfile().unwrap();
    for base in [0, 5 << 30] {
        file.seek(SeekFrom::Start(base)).unwrap();
        file.write_all(&model.bytes).unwrap();
        file.seek(SeekFrom::Start(base)).unwrap();
        let mut reader = Reader::new(Source::file("sparse", file.try_clone().unwrap()).unwrap()).unwrap();
        if base > 0 {
            assert_eq!(reader.len().unwrap(), Some(model.end));
        }
        let at = model.chunks[1].0 + 500;
        reader.range(at..at + 10).unwrap();
        assert_eq!(read_all(&mut reader).unwrap(), model.range(&(at..at + 10)));
        assert_eq!(reader.decoded_chunks(), 1);
    }
}
