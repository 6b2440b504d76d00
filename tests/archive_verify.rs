//! Verification of archives, by damaging small ones in every way there is.

#![expect(clippy::unwrap_used, reason = "a test may end so")]

use spillpipe::archive::{
    Bond, End, Error, FileReport, Input, Observer, PROBLEMS_MAX, ProblemKind, Source, Verdict, Verifier, VerifyOptions,
};
use spillpipe::codec::{Codec, ZstdLevel};
use spillpipe::format::{
    ChunkSeq, EndState, Family, FormatError, HEADER_BYTES, RECORD_BYTES, Record, Salt, SegmentHeader, SegmentNumber,
    StoreId, StreamOffset, crc32,
};
use spillpipe::segment::{Chunk, write_all};
use std::io::Cursor;
use std::path::Path;

const CHUNK: usize = 96;

#[derive(Default)]
struct Seen {
    reports: Vec<FileReport>,
    data: Vec<u8>,
    bytes: u64,
}

impl Observer for Seen {
    fn progress(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    fn data(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
    }

    fn report(&mut self, report: FileReport) {
        self.reports.push(report);
    }
}

fn options(threads: usize, quick: bool) -> VerifyOptions {
    let mut options = VerifyOptions::default();
    (options.threads, options.quick, options.data) = (threads, quick, !quick);
    options
}

fn verify_all(sources: Vec<Source>, options: &VerifyOptions) -> Seen {
    let (mut verifier, mut seen) = (Verifier::new(options).unwrap(), Seen::default());
    for source in sources {
        verifier.source(source, &mut seen);
    }
    verifier.finish(&mut seen);
    seen
}

fn verify(bytes: &[u8]) -> FileReport {
    let mut seen = verify_all(vec![Source::bytes("x", bytes.to_vec())], &options(1, false));
    assert_eq!((seen.reports.len(), seen.bytes), (1, bytes.len() as u64));
    seen.reports.remove(0)
}

/// Everything that a report says, in words.
fn told(report: &FileReport) -> Vec<String> {
    let mut told: Vec<_> = report.problems.iter().map(ToString::to_string).collect();
    told.extend(report.gaps.iter().map(ToString::to_string));
    told.extend(report.end.map(|end| end.to_string()));
    told.extend(report.cut.iter().map(ToString::to_string));
    told.extend(report.error.iter().map(ToString::to_string));
    told
}

fn header(family: Family, number: u64, first: u64) -> SegmentHeader {
    SegmentHeader {
        store: StoreId([7; 16]),
        number: SegmentNumber(number),
        first_seq: ChunkSeq(first),
        first_offset: StreamOffset(first * CHUNK as u64),
        chunk_bytes_max: 4096,
        salt: Salt(u32::try_from(number).unwrap() * 77),
        created_ns: 1,
        family,
    }
}

/// Chunk number `seq`: raw, or compressible.
fn raw(seq: u64) -> Vec<u8> {
    let byte = |i: usize| {
        let word = (seq * 1000 + i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        if seq.is_multiple_of(2) { word.to_be_bytes()[0] } else { u8::try_from(i / 16).unwrap() }
    };
    (0..CHUNK).map(byte).collect()
}

/// A segment of the chunks `from..to`.
fn segment(header: &SegmentHeader, to: u64, end: EndState) -> Vec<u8> {
    let raws: Vec<_> = (header.first_seq.0..to).map(raw).collect();
    let codec = |family| match family {
        Family::Zstd => Codec::Zstd(ZstdLevel::DEFAULT),
        Family::Lz4 => Codec::Lz4,
    };
    let chunks: Vec<_> = raws.iter().map(|raw| Chunk::new(raw, codec(header.family))).collect();
    write_all(header, true, &chunks, end)
}

fn archive(family: Family) -> Vec<u8> {
    segment(&header(family, 1, 0), 4, EndState::End)
}

/// Where the records stand, and what is in them.
fn records(bytes: &[u8]) -> Vec<(usize, Record)> {
    let key = SegmentHeader::decode(bytes.first_chunk().unwrap()).unwrap().key();
    let (mut at, mut found) = (HEADER_BYTES, vec![]);
    while let Ok(record) = Record::decode(bytes[at..].first_chunk().unwrap(), &key) {
        found.push((at, record));
        at += RECORD_BYTES + record.frame_len as usize;
    }
    found
}

fn seal_at(bytes: &[u8]) -> usize {
    let (at, record) = *records(bytes).last().unwrap();
    at + RECORD_BYTES + record.frame_len as usize
}

/// Changes a record, with a checksum that fits.
fn with_record(bytes: &[u8], place: usize, change: impl FnOnce(&mut Record)) -> Vec<u8> {
    let key = SegmentHeader::decode(bytes.first_chunk().unwrap()).unwrap().key();
    let (at, mut record) = records(bytes)[place];
    change(&mut record);
    let mut out = bytes.to_vec();
    out[at..at + RECORD_BYTES].copy_from_slice(&record.encode(&key));
    out
}

#[test]
fn a_sound_archive_is_told_as_such_with_its_figures_and_its_data() {
    for family in Family::ALL {
        let bytes = archive(family);
        for threads in [1, 3] {
            let seen = verify_all(vec![Source::bytes("x", bytes.clone())], &options(threads, false));
            let report = &seen.reports[0];
            assert_eq!((report.verdict(), told(report)), (Verdict::Sound, vec!["complete".to_owned()]));
            assert_eq!(seen.data, (0..4).flat_map(raw).collect::<Vec<_>>());
            let summary = &report.summary;
            assert_eq!((summary.bytes, summary.segments, summary.all.chunks), (bytes.len() as u64, 1, 4));
            assert_eq!((summary.all.raw_bytes, summary.chunk_bytes), (4 * CHUNK as u64, Some((96, 96))));
            assert_eq!(summary.codecs[0].chunks, 2, "two chunks do not compress");
        }
    }
}

#[test]
fn every_flipped_bit_is_told() {
    for family in Family::ALL {
        let bytes = archive(family);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let report = verify(&damaged);
            assert_eq!(report.verdict(), Verdict::Damaged, "{family:?}: bit {bit}: {:?}", told(&report));
            // The place is that of the structure which the bit is in.
            let at = usize::try_from(report.problems[0].at).unwrap();
            let starts =
                records(&bytes).into_iter().map(|(at, _)| at).chain([0, seal_at(&bytes), seal_at(&bytes) + 64]);
            let place = starts.filter(|start| *start <= bit / 8).max().unwrap();
            assert_eq!(at, place, "{family:?}: bit {bit}: {:?}", told(&report));
        }
    }
}

#[test]
fn every_truncation_is_incomplete_or_damaged_as_it_should() {
    for family in Family::ALL {
        let bytes = archive(family);
        let seal_at = seal_at(&bytes);
        for len in 0..bytes.len() {
            let report = verify(&bytes[..len]);
            let expected = match len {
                0..HEADER_BYTES => Verdict::Damaged,
                // The data and the end mark are there, and what comes behind them is not.
                len if len >= seal_at + RECORD_BYTES => Verdict::Damaged,
                _ => Verdict::Incomplete,
            };
            assert_eq!(report.verdict(), expected, "{family:?}: {len} bytes: {:?}", told(&report));
            let on_edge = len == seal_at || records(&bytes).iter().any(|(at, _)| *at == len);
            if expected == Verdict::Incomplete {
                assert_eq!((report.end, report.cut.is_none()), (Some(End::Unsealed), on_edge), "{len} bytes");
            }
        }
    }
}

#[test]
fn a_stream_gives_the_same_report_as_a_file_and_three_threads_the_same_as_one() {
    for family in Family::ALL {
        let bytes = archive(family);
        let damaged: Vec<Vec<u8>> = (0..bytes.len())
            .step_by(7)
            .map(|at| {
                let mut damaged = [&bytes[..], &archive(family)].concat();
                damaged[at] ^= 0x10;
                damaged.truncate(2 * bytes.len() - at / 2);
                damaged
            })
            .collect();
        let run = |stream: bool, threads| {
            let source = |bytes: &Vec<u8>| {
                if stream { Source::stream("x", Cursor::new(bytes.clone())) } else { Source::bytes("x", bytes.clone()) }
            };
            let seen = verify_all(damaged.iter().map(source).collect(), &options(threads, false));
            let told: Vec<_> = seen.reports.iter().map(|r| (told(r), r.verdict(), r.summary.clone())).collect();
            (told, seen.data)
        };
        let expected = run(false, 1);
        assert_eq!(expected.0.len(), damaged.len());
        for (stream, threads) in [(true, 1), (false, 3), (true, 3)] {
            assert!(run(stream, threads) == expected, "{family:?}: stream {stream}, {threads} threads");
        }
    }
}

#[test]
fn what_a_record_says_is_compared_with_what_its_frame_comes_to() {
    for family in Family::ALL {
        let bytes = archive(family);
        let problem = |place, change: fn(&mut Record)| {
            let report = verify(&with_record(&bytes, place, change));
            let undecodable = |kind: &&ProblemKind| matches!(kind, ProblemKind::Undecodable(_));
            let kinds: Vec<_> = report.problems.iter().map(|problem| problem.kind).collect();
            assert!(kinds.iter().find(undecodable).is_some(), "{family:?}: {:?}", told(&report));
            kinds.into_iter().find(|kind| undecodable(&kind)).unwrap()
        };
        for place in [0, 1] {
            let ProblemKind::Undecodable(error) = problem(place, |record| record.raw_crc ^= 1) else { unreachable!() };
            assert!(matches!(error, FormatError::Checksum { what: "raw data", .. }), "{error}");
        }
        problem(1, |record| record.raw_len -= 1);
    }
}

#[test]
fn the_checksum_that_a_frame_of_raw_blocks_has_for_other_tools_is_compared_too() {
    for family in Family::ALL {
        let bytes = archive(family);
        let (at, record) = records(&bytes)[0];
        let end = at + RECORD_BYTES + record.frame_len as usize;
        let mut wrong = bytes.clone();
        wrong[end - 1] ^= 1;
        let crc = crc32(&wrong[at + RECORD_BYTES..end]);
        let report = verify(&with_record(&wrong, 0, |record| record.frame_crc = crc));
        assert_eq!(report.problems.len(), 1, "{:?}", told(&report));
        let ProblemKind::Undecodable(FormatError::Checksum { what, .. }) = report.problems[0].kind else {
            panic!("{:?}", told(&report))
        };
        assert!(what.ends_with(" content"), "{what}");
    }
}

#[test]
fn chunks_that_are_missing_swapped_or_repeated_are_told_by_their_numbers() {
    let bytes = archive(Family::Zstd);
    let starts: Vec<_> = records(&bytes).iter().map(|(at, _)| *at).chain([seal_at(&bytes)]).collect();
    let chunk = |i: usize| &bytes[starts[i]..starts[i + 1]];
    let with = |chunks: &[usize]| {
        let body: Vec<u8> = chunks.iter().flat_map(|i| chunk(*i).to_vec()).collect();
        let report = verify(&[&bytes[..HEADER_BYTES], &body, &bytes[seal_at(&bytes)..]].concat());
        report
            .problems
            .iter()
            .map(|problem| problem.to_string().split_once(": ").unwrap().1.to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(with(&[0, 1, 2, 3]), Vec::<String>::new());
    assert_eq!(with(&[0, 3]), ["chunks are missing (chunks 1 to 2, stream bytes 96 to 287)"]);
    assert_eq!(with(&[1, 2, 3]), ["chunks are missing (chunk 0, stream bytes 0 to 95)"]);
    assert_eq!(with(&[0, 1, 2]), ["chunks are missing (chunk 3, stream bytes 288 to 383)"]);
    let swapped =
        ["chunks are missing (chunk 1, stream bytes 96 to 191)", "chunk out of order, or there twice: chunk 3 is next"];
    assert_eq!(with(&[0, 2, 1, 3]), swapped);
    assert_eq!(with(&[0, 1, 1, 2, 3]), ["chunk out of order, or there twice: chunk 2 is next"]);
    let none = ["chunks are missing (chunks 0 to 3, stream bytes 0 to 383)"];
    assert_eq!(with(&[]), none);
}

#[test]
fn what_was_lost_is_told_by_the_numbers_around_it() {
    let bytes = archive(Family::Zstd);
    let records = records(&bytes);
    let mut zeroed = bytes.clone();
    zeroed[records[1].0..records[3].0].fill(0);
    let report = verify(&zeroed);
    let [problem] = &report.problems[..] else { panic!("{:?}", told(&report)) };
    assert_eq!((problem.at, problem.end), (records[1].0 as u64, Some(records[3].0 as u64)));
    assert_eq!(problem.chunks, Some(ChunkSeq(1)..ChunkSeq(3)));
    assert_eq!(problem.offsets, Some(StreamOffset(96)..StreamOffset(288)));
    // Bytes too many, and nothing missing.
    let grown = [&bytes[..records[2].0], &[0xAA; 99], &bytes[records[2].0..]].concat();
    let report = verify(&grown);
    assert_eq!(
        report.problems[0].to_string().split_once(": ").unwrap().0,
        format!("at byte {0} to {1}", records[2].0, records[2].0 + 98)
    );
    assert_eq!((report.problems.len(), report.end), (1, Some(End::Complete)), "{:?}", told(&report));
}

#[test]
fn offsets_that_go_on_further_are_gaps_and_those_that_go_back_are_wrong() {
    let raws = [raw(0), raw(1)];
    let at = |offset| Chunk { offset: Some(StreamOffset(offset)), ..Chunk::new(&raws[1], Codec::Raw) };
    let bytes =
        write_all(&header(Family::Lz4, 1, 0), true, &[Chunk::new(&raws[0], Codec::Raw), at(1000)], EndState::End);
    let report = verify(&bytes);
    assert_eq!((report.verdict(), report.gaps.len(), report.summary.gap_bytes), (Verdict::Sound, 1, 1000 - 96));
    assert!(told(&report)[0].contains("gap of 904 bytes at stream offset 96"), "{:?}", told(&report));
    let report = verify(&with_record(&bytes, 1, |record| record.offset = StreamOffset(95)));
    let kinds: Vec<_> = report.problems.iter().map(|problem| problem.kind).collect();
    assert!(kinds.contains(&ProblemKind::OffsetBack { expected: StreamOffset(96) }), "{:?}", told(&report));
}

#[test]
fn an_archive_without_its_header_is_checked_all_the_same() {
    let bytes = archive(Family::Zstd);
    let cut = verify(&bytes[HEADER_BYTES..]);
    assert_eq!(cut.problems.iter().map(|problem| problem.kind).collect::<Vec<_>>(), [ProblemKind::NoHeader]);
    let mut zeroed = bytes.clone();
    zeroed[..HEADER_BYTES].fill(0);
    let damaged = verify(&zeroed);
    assert!(matches!(damaged.problems[0].kind, ProblemKind::Header(_)), "{:?}", told(&damaged));
    assert_eq!((damaged.problems.len(), damaged.problems[0].end), (1, Some(HEADER_BYTES as u64)));
    for report in [cut, damaged] {
        assert_eq!((report.summary.all.chunks, report.end), (4, Some(End::Complete)));
    }
    let damaged_chunk = records(&bytes)[2].0 + RECORD_BYTES;
    zeroed[damaged_chunk] ^= 1;
    assert_eq!(verify(&zeroed).problems.len(), 2, "behind a lost header, too, damage is found");
}

#[test]
fn bytes_behind_the_end_are_told() {
    let bytes = archive(Family::Lz4);
    for tail in [&b"x"[..], &[0; 500], &bytes[records(&bytes)[1].0..], &[0x51, 0x2A, 0x4D, 0x18, 0, 0, 0, 0]] {
        let report = verify(&[&bytes, tail].concat());
        assert_eq!(report.verdict(), Verdict::Damaged);
        let problem = &report.problems[0];
        assert_eq!((problem.at, problem.kind), (bytes.len() as u64, ProblemKind::Outside), "{:?}", told(&report));
    }
}

#[test]
fn segments_one_after_another_are_one_stream() {
    for families in [[Family::Zstd, Family::Zstd], [Family::Zstd, Family::Lz4]] {
        let first = segment(&header(families[0], 1, 0), 2, EndState::Continues);
        let second = segment(&header(families[1], 2, 2), 4, EndState::End);
        let report = verify(&[&first[..], &second].concat());
        assert_eq!(told(&report), ["complete"]);
        assert_eq!((report.summary.segments, report.summary.all.chunks), (2, 4));
        let alone = verify(&first);
        assert_eq!((alone.verdict(), told(&alone)), (Verdict::Incomplete, vec![End::Continues.to_string()]));
        let seen = verify_all(vec![Source::bytes("1", first), Source::bytes("2", second)], &options(1, false));
        let ends: Vec<_> = seen.reports.iter().map(|report| (report.verdict(), report.end)).collect();
        assert_eq!(ends, [(Verdict::Sound, None), (Verdict::Sound, Some(End::Complete))], "in two files as well");
    }
}

#[test]
fn a_segment_that_is_missing_between_two_is_told() {
    let part = |number| segment(&header(Family::Zstd, number, 2 * number - 2), 2 * number, EndState::Continues);
    let joined = verify(&[part(1), part(4)].concat());
    let kind = ProblemKind::MissingSegments { first: SegmentNumber(2), last: SegmentNumber(3) };
    assert_eq!((joined.problems[0].kind, joined.problems[0].chunks.clone()), (kind, Some(ChunkSeq(2)..ChunkSeq(6))));
    let swapped = verify(&[part(2), part(1)].concat());
    let kind = ProblemKind::SegmentOrder { number: SegmentNumber(1), after: SegmentNumber(2) };
    assert_eq!(swapped.problems[0].kind, kind, "{:?}", told(&swapped));
}

#[test]
fn archives_of_different_streams_stand_for_themselves() {
    let bytes = archive(Family::Zstd);
    let twice =
        verify_all(vec![Source::bytes("a", bytes.clone()), Source::bytes("copy", bytes.clone())], &options(1, false));
    assert!(twice.reports.iter().all(|report| report.verdict() == Verdict::Sound), "a copy is no repetition");
    let other = SegmentHeader { store: StoreId([8; 16]), ..header(Family::Zstd, 1, 0) };
    let both = verify(&[&bytes[..], &segment(&other, 3, EndState::End)].concat());
    assert_eq!((told(&both), both.summary.other_stores), (vec!["complete".to_owned()], 1));
    let unsealed = &bytes[..seal_at(&bytes)];
    let both = verify(&[unsealed, &segment(&other, 3, EndState::End)].concat());
    assert_eq!((both.verdict(), both.end), (Verdict::Incomplete, Some(End::Unsealed)), "the first has no end");
}

#[test]
fn a_producer_that_gave_up_leaves_an_incomplete_stream() {
    let report = verify(&segment(&header(Family::Zstd, 1, 0), 2, EndState::Aborted));
    assert_eq!((report.verdict(), report.end), (Verdict::Incomplete, Some(End::Aborted)));
}

#[test]
fn an_archive_inside_a_damaged_chunk_is_not_taken_for_the_stream() {
    let other = SegmentHeader { store: StoreId([8; 16]), ..header(Family::Zstd, 1, 0) };
    let inner = segment(&other, 3, EndState::Aborted);
    let chunks = [Chunk::new(&inner, Codec::Raw), Chunk::new(b"behind", Codec::Raw)];
    let bytes = write_all(&header(Family::Zstd, 1, 0), true, &chunks, EndState::End);
    assert_eq!(verify(&bytes).verdict(), Verdict::Sound);
    let mut damaged = bytes.clone();
    // The record is lost: its frame is searched.
    damaged[HEADER_BYTES + 20] ^= 1;
    let report = verify(&damaged);
    let [problem] = &report.problems[..] else { panic!("{:?}", told(&report)) };
    assert_eq!(problem.at, HEADER_BYTES as u64, "{:?}", told(&report));
    assert_eq!(problem.chunks, Some(ChunkSeq(0)..ChunkSeq(1)), "{:?}", told(&report));
}

#[test]
fn a_seal_that_contradicts_its_segment_and_a_table_that_lists_something_else_are_told() {
    let (four, three) = (archive(Family::Zstd), segment(&header(Family::Zstd, 1, 0), 3, EndState::End));
    let report = verify(&[&four[..seal_at(&four)], &three[seal_at(&three)..]].concat());
    assert!(matches!(report.problems[0].kind, ProblemKind::Seal(_)), "{:?}", told(&report));
    let raws = [raw(0)];
    let chunk = [Chunk::new(&raws[0], Codec::Raw)];
    let plain = write_all(&header(Family::Zstd, 1, 0), false, &chunk, EndState::End);
    let summed = write_all(&header(Family::Zstd, 1, 0), true, &chunk, EndState::End);
    let report = verify(&[&plain[..seal_at(&plain)], &summed[seal_at(&summed)..]].concat());
    let [problem] = &report.problems[..] else { panic!("{:?}", told(&report)) };
    assert!(matches!(problem.kind, ProblemKind::SeekTable(_)), "{problem}");
}

#[test]
fn a_quick_look_sees_structures_and_not_frames() {
    for family in Family::ALL {
        let bytes = archive(family);
        let quick = |bytes: &[u8]| {
            let mut seen = verify_all(vec![Source::bytes("x", bytes.to_vec())], &options(1, true));
            assert_eq!(seen.data, b"");
            seen.reports.remove(0)
        };
        assert_eq!(quick(&bytes).summary, verify(&bytes).summary);
        for bit in (0..bytes.len() * 8).step_by(3) {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let in_frame = records(&bytes).iter().any(|(at, record)| {
                (at + RECORD_BYTES..at + RECORD_BYTES + record.frame_len as usize).contains(&(bit / 8))
            });
            let expected = if in_frame { Verdict::Sound } else { Verdict::Damaged };
            assert_eq!(quick(&damaged).verdict(), expected, "{family:?}: bit {bit}");
        }
        for len in HEADER_BYTES..bytes.len() {
            assert_ne!(quick(&bytes[..len]).verdict(), Verdict::Sound, "{family:?}: {len} bytes");
        }
    }
}

#[test]
fn what_is_no_archive_is_told_as_what_it_is() {
    let report = verify(b"\x1F\x8B\x08 and so on");
    let Some(Error::Foreign { name, what }) = &report.error else { panic!("{:?}", told(&report)) };
    assert_eq!((report.verdict(), name.as_str()), (Verdict::Damaged, "x"));
    assert_eq!(report.error.as_ref().unwrap().to_string(), format!("x is no archive: it is {what}"));
    assert_eq!(verify(b"").verdict(), Verdict::Damaged);
    let noise: Vec<u8> = (0..30_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let report = verify(&noise);
    assert_eq!((report.problems.len(), report.problems[0].end), (1, Some(30_000)), "{:?}", told(&report));
}

#[test]
fn more_problems_than_anyone_reads_are_counted() {
    let header = header(Family::Zstd, 1, 0);
    let raws = [raw(0)];
    let one = write_all(&header, false, &[Chunk::new(&raws[0], Codec::Raw)], EndState::End);
    let chunk = &one[HEADER_BYTES..seal_at(&one)];
    let bytes = [&one[..HEADER_BYTES], &chunk.repeat(1 + PROBLEMS_MAX + 7)].concat();
    let report = verify(&bytes);
    assert_eq!((report.problems.len(), report.more_problems), (PROBLEMS_MAX, 7));
}

/// Writes segments under their names.
fn directory(dir: &Path, segments: &[(u64, Vec<u8>)]) {
    for (number, bytes) in segments {
        std::fs::write(dir.join(format!("{number:016x}.zst")), bytes).unwrap();
    }
}

fn verify_directory(dir: &Path) -> Vec<FileReport> {
    let (mut verifier, mut seen) = (Verifier::new(&options(1, false)).unwrap(), Seen::default());
    for input in Input::of(dir).unwrap() {
        verifier.input(&input, &mut seen);
    }
    verifier.finish(&mut seen);
    seen.reports
}

#[test]
fn the_segments_of_a_directory_are_one_stream_of_one_store() {
    let part = |number| segment(&header(Family::Zstd, number, 2 * number - 2), 2 * number, EndState::Continues);
    let last = segment(&header(Family::Zstd, 3, 4), 6, EndState::End);
    let temp = tempfile::tempdir().unwrap();
    directory(temp.path(), &[(1, part(1)), (2, part(2)), (3, last.clone())]);
    let verdicts = || verify_directory(temp.path()).iter().map(FileReport::verdict).collect::<Vec<_>>();
    assert_eq!(verdicts(), [Verdict::Sound; 3]);

    // A torn tail comes again in the next segment; where it does not, something is missing.
    let two = part(2);
    directory(
        temp.path(),
        &[(2, two[..records(&two)[0].0 + 70].to_vec()), (3, segment(&header(Family::Zstd, 3, 2), 6, EndState::End))],
    );
    assert_eq!(verdicts(), [Verdict::Sound; 3], "{:?}", verify_directory(temp.path()));
    directory(temp.path(), &[(2, vec![])]);
    assert_eq!(verdicts(), [Verdict::Sound; 3], "the writer died when it had begun it");
    directory(temp.path(), &[(2, two[..records(&two)[1].0 + 70].to_vec()), (3, last.clone())]);
    assert_eq!(verdicts(), [Verdict::Sound, Verdict::Damaged, Verdict::Sound]);

    let other = SegmentHeader { store: StoreId([8; 16]), ..header(Family::Zstd, 2, 2) };
    directory(temp.path(), &[(2, segment(&other, 4, EndState::Continues))]);
    let reports = verify_directory(temp.path());
    let kind = ProblemKind::OtherStore { number: SegmentNumber(2) };
    assert_eq!((reports[1].problems[0].kind, reports[2].verdict()), (kind, Verdict::Damaged), "{reports:?}");

    std::fs::remove_file(temp.path().join(format!("{:016x}.zst", 2))).unwrap();
    let reports = verify_directory(temp.path());
    let missing = ProblemKind::MissingSegments { first: SegmentNumber(2), last: SegmentNumber(2) };
    assert_eq!(reports[1].problems[0].kind, missing);
    std::fs::write(temp.path().join("spool"), "").unwrap();
    let reports = verify_directory(temp.path());
    assert_eq!((reports[1].verdict(), reports[1].summary.gap_bytes), (Verdict::Sound, 192), "a spool removes segments");
    assert_eq!(Input::of(temp.path()).unwrap()[0].bond(), Bond::Spool);
}

/// A source that fails where its bytes end.
struct Failing(Cursor<Vec<u8>>);

impl std::io::Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(std::io::Error::other("the line is dead")),
            len => Ok(len),
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told_and_the_next_one_is_verified() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("sound.zst");
    std::fs::write(&path, archive(Family::Zstd)).unwrap();
    let (mut verifier, mut seen) = (Verifier::new(&options(1, false)).unwrap(), Seen::default());
    for path in [&temp.path().join("nothing.zst"), &path] {
        verifier.input(&Input::of(path).unwrap()[0], &mut seen);
    }
    let half = archive(Family::Zstd)[..300].to_vec();
    verifier.source(Source::stream("wire", Failing(Cursor::new(half))), &mut seen);
    verifier.finish(&mut seen);
    let verdicts: Vec<_> = seen.reports.iter().map(FileReport::verdict).collect();
    assert_eq!(verdicts, [Verdict::Unreadable, Verdict::Sound, Verdict::Unreadable]);
    let error = seen.reports[2].error.as_ref().unwrap().to_string();
    assert!(error.starts_with("cannot read wire at byte ") && error.ends_with(": the line is dead"), "{error}");
}
