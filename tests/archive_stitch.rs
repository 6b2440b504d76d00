//! Merging and splitting archives: the same chunks, in the same order, and nothing of what is not as it was written.

#![expect(clippy::unwrap_used, reason = "a test may end so")]

#[allow(unreachable_pub, reason = "written for test files that are crates of their own")]
#[path = "samples/mod.rs"]
mod samples;

use samples::{noise, text};
use spillpipe::archive::{Error, Identity, Input, Merge, Merged, Split, SplitUp, StitchError};
use spillpipe::codec::{Codec, ZstdLevel};
use spillpipe::format::{
    ChunkSeq, EndState, Family, HEADER_BYTES, RECORD_BYTES, Record, Salt, Seal, SegmentHeader, SegmentNumber, StoreId,
    StreamOffset,
};
use spillpipe::segment::{Chunk, read_all, write_all};
use spillpipe::store::WholeDir;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

const CHUNK: usize = 4096;
const CHUNK_BYTES_MAX: u32 = 4096;
const ZSTD: Codec = Codec::Zstd(ZstdLevel::DEFAULT);

fn header(store: u8, number: u64, seq: u64, offset: u64) -> SegmentHeader {
    SegmentHeader {
        store: StoreId([store; 16]),
        number: SegmentNumber(number),
        first_seq: ChunkSeq(seq),
        first_offset: StreamOffset(offset),
        chunk_bytes_max: CHUNK_BYTES_MAX,
        salt: Salt(u32::from(store) << 8 | u32::try_from(number).unwrap()),
        created_ns: 0,
        family: Family::Zstd,
    }
}

/// A segment of this data, in chunks of 4 KiB.
fn segment(header: SegmentHeader, data: &[u8], end: EndState) -> Vec<u8> {
    let codec = if header.family == Family::Zstd { ZSTD } else { Codec::Lz4 };
    let chunks: Vec<_> = data.chunks(CHUNK).map(|raw| Chunk::new(raw, codec)).collect();
    write_all(&header, true, &chunks, end)
}

/// A whole archive of its own.
fn archive(store: u8, data: &[u8]) -> Vec<u8> {
    segment(header(store, 1, 0, 0), data, EndState::End)
}

/// Files in a directory that lives as long.
struct Files {
    paths: Vec<PathBuf>,
    _dir: TempDir,
}

impl Files {
    fn of(contents: &[&[u8]]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let write = |(number, bytes): (usize, &&[u8])| {
            let path = dir.path().join(format!("file{number}"));
            fs::write(&path, bytes).unwrap();
            path
        };
        let paths = contents.iter().enumerate().map(write).collect();
        Self { paths, _dir: dir }
    }

    fn inputs(&self) -> Vec<Input> {
        self.paths.iter().flat_map(|path| Input::of(path).unwrap()).collect()
    }
}

fn merge(contents: &[&[u8]]) -> Result<(Vec<u8>, Merged), StitchError> {
    let files = Files::of(contents);
    let merge = Merge::of(files.inputs())?;
    let (archive, merged) = merge.write(Vec::new())?;
    assert_eq!((merged.written.raw_bytes, merged.written.stored_bytes), (merge.raw_bytes(), archive.len() as u64));
    Ok((archive, merged))
}

/// Reads one segment with every check there is.
fn read(archive: &[u8]) -> (SegmentHeader, Vec<u8>, Vec<Record>, Seal) {
    let (mut data, mut records) = (vec![], vec![]);
    let (header, seal) = read_all(archive, |record, raw| {
        data.extend_from_slice(raw);
        records.push(*record);
    })
    .unwrap();
    (header, data, records, seal)
}

fn refused(contents: &[&[u8]], words: &str) {
    let error = merge(contents).unwrap_err();
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn archives_of_several_streams_become_one_that_is_complete() {
    let [a, b, c] = [text(1, 3 * CHUNK + 5), vec![], noise(2, CHUNK)];
    let (archive, merged) = merge(&[&archive(1, &a), &archive(2, &b), &archive(3, &c)]).unwrap();
    let (header, data, records, seal) = read(&archive);
    assert!(data == [a, c].concat());
    assert_eq!((header.number.0, header.first_seq.0, header.first_offset.0), (1, 0, 0));
    assert_eq!(records.iter().map(|record| record.seq.0).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert!(records.windows(2).all(|pair| pair[0].end_offset() == pair[1].offset), "no gap comes to be");
    assert_eq!((seal.end, merged.end, merged.stores, merged.written.segments), (EndState::End, EndState::End, 3, 1));
}

#[test]
fn frames_are_copied_as_they_are_and_records_keep_what_they_say() {
    let data = text(3, 2 * CHUNK);
    let chunks =
        [Chunk { record_end: true, ..Chunk::new(&data[..CHUNK], ZSTD) }, Chunk::new(&data[CHUNK..], Codec::Raw)];
    let before = write_all(&header(1, 1, 0, 0), true, &chunks, EndState::End);
    let (after, _) = merge(&[&before]).unwrap();
    let [before, after] = [read(&before), read(&after)];
    assert_eq!(before.2, after.2);
    assert_ne!(before.0.store, after.0.store, "it is another store now");
}

#[test]
fn the_largest_chunk_of_all_is_that_of_the_whole() {
    let large = SegmentHeader { chunk_bytes_max: 1 << 20, ..header(2, 1, 0, 0) };
    let (archive, _) = merge(&[&archive(1, b"x"), &segment(large, b"y", EndState::End)]).unwrap();
    assert_eq!(read(&archive).0.chunk_bytes_max, 1 << 20);
}

#[test]
fn segments_of_one_stream_keep_their_offsets_and_its_gaps() {
    let (data, at) = (text(4, 3 * CHUNK), |offset| Some(StreamOffset(offset)));
    let chunk = |n: usize, offset| Chunk { offset, ..Chunk::new(&data[n * CHUNK..(n + 1) * CHUNK], ZSTD) };
    let first =
        write_all(&header(1, 5, 70, 10_000), true, &[chunk(0, None), chunk(1, at(50_000))], EndState::Continues);
    let second = write_all(&header(1, 6, 72, 60_000), true, &[chunk(2, at(70_000))], EndState::End);
    let other = archive(2, b"other");
    for together in [false, true] {
        let joined = [first.clone(), second.clone()].concat();
        let inputs: &[&[u8]] = if together { &[&joined, &other] } else { &[&first, &second, &other] };
        let (archive, merged) = merge(inputs).unwrap();
        let (header, got, records, seal) = read(&archive);
        assert!(got == [&data[..], b"other"].concat());
        assert_eq!((header.first_seq.0, header.first_offset.0, merged.end), (70, 10_000, EndState::End));
        let offsets: Vec<_> = records.iter().map(|record| record.offset.0).collect();
        assert_eq!(offsets, [10_000, 50_000, 70_000, 70_000 + CHUNK as u64]);
        assert_eq!(seal.end_offset.0, 70_000 + CHUNK as u64 + 5);
    }
}

#[test]
fn the_end_mark_is_set_only_if_nothing_is_incomplete() {
    let data = text(5, 2 * CHUNK);
    let sealed = |store, end| segment(header(store, 1, 0, 0), &data, end);
    let unsealed = |store| {
        let whole = sealed(store, EndState::End);
        let (_, _, records, _) = read(&whole);
        let len = 128 + records.iter().map(|record| 64 + record.frame_len as usize).sum::<usize>();
        whole[..len].to_vec()
    };
    for broken in [sealed(2, EndState::Aborted), sealed(2, EndState::Continues), unsealed(2)] {
        let whole = archive(1, &data);
        for inputs in [[&whole, &broken], [&broken, &whole]] {
            let (archive, merged) = merge(&inputs.map(Vec::as_slice)).unwrap();
            assert_eq!((merged.end, read(&archive).3.end), (EndState::Aborted, EndState::Aborted));
            assert!(read(&archive).1 == [data.clone(), data.clone()].concat());
        }
    }
    // Another process went on with the stream behind it: then nothing is missing.
    let next = segment(header(2, 2, 2, 2 * CHUNK as u64), &data, EndState::End);
    assert_eq!(merge(&[&unsealed(2), &next]).unwrap().1.end, EndState::End);
}

#[test]
fn what_is_out_of_order_missing_or_twice_is_refused() {
    let data = text(6, CHUNK);
    let part = |number: u64| {
        let (seq, end) = (number - 1, if number == 3 { EndState::End } else { EndState::Continues });
        segment(header(1, number, seq, seq * CHUNK as u64), &data, end)
    };
    let [one, two, three] = [1, 2, 3].map(part);
    assert_eq!(merge(&[&one, &two, &three]).unwrap().1.end, EndState::End);
    refused(&[&two, &one], "segment 1 stands behind segment 2; give all files of a stream, in their order");
    refused(&[&one, &one], "segment 1 is there twice");
    refused(&[&one, &three], "segments 2 to 2 are missing");
    refused(&[&one, &archive(2, b"x"), &two], "goes on with a stream that another one has come after");
    let overlapping = segment(header(1, 2, 0, 0), &data, EndState::End);
    refused(&[&one, &overlapping], "chunk out of order, or there twice: chunk 1 is next");
    let back = segment(header(1, 2, 1, 0), &data, EndState::End);
    refused(&[&one, &back], "stream offset goes back: 4096 is next");
    let lz4 = segment(SegmentHeader { family: Family::Lz4, ..header(3, 1, 0, 0) }, &data, EndState::End);
    refused(&[&one, &lz4], "holds LZ4 frames, and what comes before it zstd");
    refused(&[&lz4, &one], "holds zstd frames, and what comes before it LZ4");
    assert!(merge(&[&lz4]).is_ok());
}

#[test]
fn what_a_dead_writer_leaves_is_incomplete_and_not_damaged() {
    let data = text(6, 2 * CHUNK);
    let first = segment(header(1, 1, 0, 0), &data, EndState::End);
    let (_, _, records, _) = read(&first);
    let one_chunk = HEADER_BYTES + RECORD_BYTES + records[0].frame_len as usize;
    let next = segment(header(1, 2, 1, CHUNK as u64), &data[CHUNK..], EndState::End);
    for torn in [1, RECORD_BYTES - 1, RECORD_BYTES, RECORD_BYTES + 7] {
        let torn = &first[..one_chunk + torn];
        let (archive, merged) = merge(&[torn]).unwrap();
        assert_eq!((read(&archive).1, merged.end), (data[..CHUNK].to_vec(), EndState::Aborted));
        let (archive, merged) = merge(&[torn, &next]).unwrap();
        assert_eq!((read(&archive).1, merged.end), (data.clone(), EndState::End), "the next one went on there");
        refused(&[&[torn, &next].concat()], "is damaged at byte");
    }
}

#[test]
fn what_is_no_archive_or_cannot_be_read_twice_is_refused() {
    assert!(matches!(Merge::of(vec![]).unwrap_err(), StitchError::Nothing));
    for other in [&b""[..], b"some text, and nothing else", b"\x1F\x8B\x08\0\0\0"] {
        assert!(matches!(merge(&[&archive(1, b"x"), other]).unwrap_err(), StitchError::Archive(error)
            if matches!(*error, Error::Foreign { .. })));
    }
    let dir = tempfile::tempdir().unwrap();
    let missing = Input::of(&dir.path().join("none")).unwrap();
    assert!(Merge::of(missing).unwrap_err().to_string().contains("none: No such file"));
    let [null] = &Input::of("/dev/null".as_ref()).unwrap()[..] else { panic!("it is one") };
    assert!(matches!(Merge::of(vec![null.clone()]).unwrap_err(), StitchError::Stream { .. }));
}

#[test]
fn every_flipped_bit_is_refused_and_every_cut_is_refused_or_marked() {
    let data = [text(7, 90), noise(7, 60)].concat();
    let chunks: Vec<_> = data.chunks(80).map(|raw| Chunk::new(raw, ZSTD)).collect();
    let whole = write_all(&header(1, 1, 0, 0), true, &chunks, EndState::End);
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        let error = merge(&[&bytes]).expect_err(&format!("byte {at}")).to_string();
        assert!(error.contains("is damaged") || error.contains("is no archive"), "byte {at}: {error}");
        if let Ok((archive, merged)) = merge(&[&whole[..at]]) {
            assert_eq!(merged.end, EndState::Aborted, "{at}");
            assert!(data.starts_with(&read(&archive).1));
        }
    }
    refused(&[&[&whole[..], b"more"].concat()], "bytes that belong to no segment");
}

/// The parts of what is split, in the order of their names.
fn split(contents: &[&[u8]], part_bytes: u64) -> (TempDir, Vec<(String, Vec<u8>)>, SplitUp) {
    let files = Files::of(contents);
    let home = tempfile::tempdir().unwrap();
    let (path, mut told) = (home.path().join("parts"), 0);
    let dir = WholeDir::create(&path).unwrap();
    let tell = &mut |bytes| {
        told += bytes as u64;
        Ok(())
    };
    let done = Split::of(files.inputs(), part_bytes).unwrap().write(&dir, tell).unwrap();
    dir.finish().unwrap();
    let parts = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
    let mut parts: Vec<_> =
        parts.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap())).collect();
    parts.sort();
    assert_eq!(told, parts.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>());
    assert_eq!((told, parts.len() as u64), (done.written.stored_bytes, done.written.segments));
    (home, parts, done)
}

#[test]
fn parts_are_no_larger_than_asked_for_and_together_are_the_stream_again() {
    let data = [noise(8, 40 * CHUNK), text(8, 100 * CHUNK + 1)].concat();
    let whole = archive(1, &data);
    let (_, _, records, _) = read(&whole);
    for part_bytes in [10_000, 65_536, 1 << 30] {
        let (home, parts, done) = split(&[&whole], part_bytes);
        assert_eq!(done.end, EndState::End);
        assert_eq!(parts.len() == 1, part_bytes == 1 << 30);
        let (mut all, mut seen) = (vec![], vec![]);
        for (place, (name, part)) in parts.iter().enumerate() {
            assert!(part.len() as u64 <= part_bytes, "{}", part.len());
            assert_eq!(*name, format!("{:016x}.zst", place + 1));
            let (header, raw, mut records, seal) = read(part);
            assert_eq!((header.number.0, header.first_seq.0), (place as u64 + 1, seen.len() as u64));
            assert_eq!(header.first_offset.0, all.len() as u64);
            let last = place + 1 == parts.len();
            assert_eq!(seal.end, if last { EndState::End } else { EndState::Continues });
            all.extend(raw);
            seen.append(&mut records);
        }
        assert!(all == data && seen == records);
        let again = Merge::of(Input::of(&home.path().join("parts")).unwrap()).unwrap().write(Vec::new()).unwrap().0;
        assert!(read(&again).1 == data && read(&again).2 == records);
    }
}

#[test]
fn a_chunk_that_is_too_large_for_a_part_has_one_of_its_own() {
    let (_home, parts, _) = split(&[&archive(1, &noise(9, 5 * CHUNK))], 4096);
    assert_eq!(parts.len(), 5);
}

#[test]
fn the_last_part_ends_as_the_archive_does() {
    for (end, expected) in [(EndState::Aborted, EndState::Aborted), (EndState::End, EndState::End)] {
        let (_home, parts, done) = split(&[&segment(header(1, 1, 0, 0), b"x", end)], 4096);
        assert_eq!((done.end, read(&parts[0].1).3.end), (expected, expected));
    }
    let (_home, parts, _) = split(&[&archive(1, b"")], 4096);
    assert_eq!((parts.len(), read(&parts[0].1).3.chunks), (1, 0));
}

#[test]
fn a_fixed_identity_gives_the_same_bytes_each_time() {
    let identity = Identity { store: StoreId([9; 16]), salt: Salt(1), created_ns: 2 };
    let files = Files::of(&[&archive(1, b"data")]);
    let merge = || Merge::of(files.inputs()).unwrap().identity(identity).write(Vec::new()).unwrap().0;
    assert!(merge() == merge());
    assert_eq!(read(&merge()).0.store, identity.store);
}
