//! Several files of one stream, what is missing of it, and how that is filled.

use crate::world::{Plan, Tape, World, run, unordered, zero_fill};
use spillpipe::archive::salvage::{Error, Input, Options, Plain, Progress, Sparse, salvage};
use spillpipe::archive::{Foreign, Source};
use spillpipe::codec::Codec;
use spillpipe::format::*;
use spillpipe::segment::{Chunk, write_all};
use std::io::{Read as _, Seek as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A segment of raw chunks of 10 bytes, that follow one another.
fn segment(number: u64, salt: u32, first: u64, chunks: &[[u8; 10]], end: EndState) -> Vec<u8> {
    let header = SegmentHeader {
        store: StoreId(*b"forked like this"),
        number: SegmentNumber(number),
        first_seq: ChunkSeq(first),
        first_offset: StreamOffset(first * 10),
        chunk_bytes_max: 4096,
        salt: Salt(salt),
        created_ns: 0,
        family: Family::Lz4,
    };
    let chunks: Vec<_> = chunks.iter().map(|raw| Chunk::new(raw, Codec::Raw)).collect();
    write_all(&header, false, &chunks, end)
}

fn tape(bytes: Vec<u8>) -> Tape {
    Tape::junk(bytes)
}

#[test]
fn two_damaged_copies_complete_each_other() {
    let mut world = World::default();
    let archive = world.archive(&Plan { chunks: 8, ..Plan::new(3) });
    let mut copies = [archive.clone(), archive.clone()];
    // The header and some chunks of the one, others and the end of the other.
    for at in (0..1500).step_by(40) {
        copies[0].set(at, copies[0].bytes[at] ^ 1);
    }
    let len = archive.len();
    for at in (len - 1500..len).step_by(40) {
        copies[1].set(at, copies[1].bytes[at] ^ 1);
    }
    for copy in &copies {
        let (report, _) = run(std::slice::from_ref(copy), &Options::default());
        assert!(report.lost_any());
    }
    let (report, output) = run(&copies, &Options::default());
    assert_eq!(output, world.truths[0].data);
    assert!(!report.lost_any() && report.is_ended(), "{report:#?}");
}

#[test]
fn the_segments_of_a_stream_are_one_in_any_order() {
    let mut world = World::default();
    let mut segments = world.segments(&Plan::new(8), 4);
    segments.reverse();
    let (report, output) = run(&segments, &Options::default());
    assert_eq!((output, report.streams.len()), (world.truths[0].data.clone(), 1));
    assert!(!report.lost_any() && report.is_ended());
    // One is not there.
    let removed = segments.remove(1);
    let (report, _) = run(&segments, &Options::default());
    assert_eq!((report.streams[0].lost.len(), report.is_ended()), (1, true), "{report:#?}");
    assert!(!removed.bytes.is_empty());
}

#[test]
fn of_two_forks_of_a_store_the_longer_one_comes_out_and_nothing_of_the_other() {
    let trunk = segment(1, 1, 0, &[[b'a'; 10]; 3], EndState::Continues);
    let short = segment(2, 2, 3, &[[b'x'; 10]; 2], EndState::End);
    let long = segment(2, 3, 3, &[[b'y'; 10]; 3], EndState::End);
    for files in [[&trunk, &short, &long], [&long, &short, &trunk]] {
        let files = files.map(|file| tape(file.clone()));
        let (report, output) = run(&files, &Options::default());
        assert_eq!(String::from_utf8(output).unwrap(), ["a".repeat(30), "y".repeat(30)].concat());
        assert_eq!((report.streams.len(), report.streams[0].contradicting_chunks), (1, 2));
        assert!(!report.lost_any() && report.is_ended());
    }
}

#[test]
fn what_is_missing_is_told_in_chunks_and_in_bytes() {
    let mut archive = segment(1, 1, 0, &b"012345".map(|digit| [digit; 10]), EndState::End);
    let record = 64 + 10 + 19 + 4;
    // The frames of 1, 2 and 4.
    for number in [1, 2, 4] {
        archive[128 + number * record + 64 + 20] ^= 1;
    }
    let (report, output) = run(&[tape(archive.clone())], &Options::default());
    assert_eq!(output, b"000000000033333333335555555555");
    let spans = |spans: &[spillpipe::archive::salvage::Span]| {
        spans.iter().map(|span| (span.chunks.clone(), span.bytes.clone())).collect::<Vec<_>>()
    };
    let stream = &report.streams[0];
    assert_eq!(spans(&stream.recovered), [(0..1, 0..10), (3..4, 30..40), (5..6, 50..60)]);
    assert_eq!(spans(&stream.lost), [(1..3, 10..30), (4..5, 40..50)]);
    assert_eq!((stream.chunks, stream.bytes, stream.end), (3, 30, Some(EndState::End)));

    // The same, with everything in its place.
    let options = zero_fill();
    let (filled, output) = run(&[tape(archive.clone())], &options);
    assert_eq!(output, [&[b'0'; 10][..], &[0; 20], &[b'3'; 10], &[0; 10], &[b'5'; 10]].concat());
    assert_eq!((filled.bytes_out, filled.zeros_out), (30, 30));
    let mut file = tempfile::tempfile().unwrap();
    let inputs = vec![Input::Source(Source::bytes("test", archive.clone()))];
    salvage(inputs, &options, &mut Sparse(&file)).unwrap();
    let mut sparse = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut sparse).unwrap();
    assert_eq!(sparse, output);

    // Without the end: the last chunk is known by its record alone, and the hole at the end has its length.
    archive.truncate(128 + 5 * record + 70);
    let (report, output) = run(&[tape(archive)], &options);
    assert_eq!((output.len(), report.streams[0].lost.last().unwrap().bytes.clone()), (60, 40..60));
    assert_eq!(report.streams[0].end, None);
}

#[test]
fn only_the_end_is_missing() {
    let archive = segment(1, 1, 0, &[[b'a'; 10]; 3], EndState::End);
    let cut = archive[..128 + 3 * (64 + 10 + 19 + 4)].to_vec();
    let (report, output) = run(&[tape(cut)], &Options::default());
    assert_eq!(output, [b'a'; 30]);
    assert!(!report.lost_any() && !report.is_ended());
    let aborted = segment(1, 1, 0, &[[b'a'; 10]; 3], EndState::Aborted);
    let (report, _) = run(&[tape(aborted)], &Options::default());
    assert!(!report.lost_any() && !report.is_ended());
    assert_eq!(report.streams[0].end, Some(EndState::Aborted));
}

#[test]
fn nothing_is_found_in_what_is_no_archive() {
    for bytes in [vec![], vec![0; 100_000], b"SPCK".repeat(1000)] {
        let (report, output) = run(&[tape(bytes)], &Options::default());
        assert!(!report.found_any() && output.is_empty());
    }
}

#[test]
fn every_chunk_comes_in_the_order_of_the_files_if_that_is_wanted() {
    let first = segment(1, 1, 0, &[[b'a'; 10]; 2], EndState::Continues);
    let second = segment(2, 2, 2, &[[b'b'; 10]; 2], EndState::End);
    let options = unordered();
    let (report, output) = run(&[tape([&second[..], &first, &first].concat())], &options);
    assert_eq!(output, b"bbbbbbbbbbbbbbbbbbbbaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_eq!((report.bytes_out, report.streams[0].bytes, report.lost_any()), (60, 40, false));
}

#[test]
fn a_stream_is_read_once_and_that_takes_unordered() {
    let archive = segment(1, 1, 0, &[[b'a'; 10]; 2], EndState::End);
    let input = || vec![Input::Source(Source::stream("pipe", std::io::Cursor::new(archive.clone())))];
    let mut output = Plain(Vec::new());
    let refused = salvage(input(), &Options::default(), &mut output).unwrap_err();
    assert!(matches!(&refused, Error::Once { name } if name == "pipe"), "{refused}");
    let options = unordered();
    assert!(salvage(input(), &options, &mut output).unwrap().is_ended());
    assert_eq!(output.0, [b'a'; 20]);
}

#[test]
fn what_can_be_read_once_is_refused_before_anything_is_searched() {
    let searched = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&searched);
    let progress = Progress::new(move |bytes| {
        counter.fetch_add(bytes, Relaxed);
        Ok(())
    });
    let options = Options { progress, ..Options::default() };
    let archive = || Input::Source(Source::bytes("first", segment(1, 1, 0, &[[b'a'; 10]; 2], EndState::End)));
    let pipe = Input::Source(Source::stream("pipe", std::io::empty()));
    let refused = salvage(vec![archive(), pipe], &options, &mut Plain(Vec::new())).unwrap_err();
    assert!(matches!(&refused, Error::Once { name } if name == "pipe"), "{refused}");
    assert_eq!(searched.load(Relaxed), 0);
    let report = salvage(vec![archive()], &options, &mut Plain(Vec::new())).unwrap();
    assert_eq!(searched.load(Relaxed), report.files[0].bytes, "each byte is told of once");
}

#[test]
fn what_a_file_is_that_holds_nothing_is_told() {
    let (report, _) = run(&[tape(b"just text".to_vec()), tape(vec![0; 100])], &Options::default());
    let foreign: Vec<_> = report.files.iter().map(|file| file.foreign).collect();
    assert_eq!(foreign, [Some(Foreign::Text), None]);
}

/// The frame has its checksum, and its bytes have not what the record says.
#[test]
fn a_chunk_that_does_not_decode_to_what_was_written_is_lost() {
    let key = SegmentKey::new(&StoreId([1; 16]), Salt(5), Family::Lz4, 4096);
    let frames: Vec<Vec<u8>> = (0..3)
        .map(|n| {
            let mut frame = vec![0; 100];
            let len = frame::write_raw(Family::Lz4, &[n; 10], false, &mut frame);
            frame.truncate(len);
            frame
        })
        .collect();
    let mut bytes = Vec::new();
    for (n, frame) in (0_u8..).zip(&frames) {
        let raw_crc = if n == 1 { 7 } else { crc32(&[n; 10]) };
        let record = Record {
            seq: ChunkSeq(n.into()),
            offset: StreamOffset(u64::from(n) * 10),
            raw_len: 10,
            frame_len: frame.len().try_into().unwrap(),
            raw_crc,
            frame_crc: crc32(frame),
            codec: CodecId::Raw,
            record_end: false,
        };
        bytes.extend(record.encode(&key));
        bytes.extend(frame);
    }
    for options in [Options::default(), unordered()] {
        let (report, output) = run(&[tape(bytes.clone())], &options);
        assert_eq!(output, [[0; 10], [2; 10]].concat());
        assert_eq!(report.streams[0].lost[0].chunks, 1..2);
    }
}
