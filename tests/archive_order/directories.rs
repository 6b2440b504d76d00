//! The files of a directory: which is missing, which is begun, which is of somebody else.

use super::samples::readers;
use super::*;

#[test]
fn what_is_wrong_is_told_of_the_file_that_it_is_in() {
    let torn = unsealed(header(1, 1, 0, 0), &[b"aaaa", b"bbbb"]);
    let torn = &torn[..torn.len() - 5];
    // Each of another store than the one before.
    let other = |number| {
        segment(header(2 + u8::try_from(number % 200).unwrap(), number, 0, 0), &[b"of another"], EndState::End)
    };
    let (two, three) = (other(2), other(3));
    let temp = tempfile::tempdir().unwrap();
    let dir = directory(temp.path(), "d", &[(1, torn), (2, &two), (3, &three)]);
    let seen = verify(&Input::of(&dir).unwrap());
    let [first, others @ ..] = &seen.reports[..] else { panic!("one a file") };
    let what = || (first.end, first.cut.is_some() || !first.problems.is_empty());
    assert_eq!(what(), (Some(End::Unsealed), true), "{:?}", seen.reports);
    for (number, report) in (2..).map(SegmentNumber).zip(others) {
        let kinds: Vec<_> = report.problems.iter().map(|problem| problem.kind).collect();
        assert_eq!(kinds, [ProblemKind::OtherStore { number }], "{report:?}");
        assert_eq!((report.end, report.cut.is_none()), (Some(End::Complete), true), "{report:?}");
    }
    let error = cat(Input::of(&dir).unwrap(), Span::All).1.unwrap_err().to_string();
    assert!(error.contains("0000000000000002.zst is damaged"), "{error}");
    // However many come in between, reports do not pile up for ever.
    let many: Vec<_> = (2..300).map(|number| (number, other(number))).collect();
    let many: Vec<_> = many.iter().map(|(number, bytes)| (*number, bytes.as_slice())).collect();
    let dir = directory(temp.path(), "d", &[&[(1, torn)], &many[..]].concat());
    let (mut verifier, mut seen) = (Verifier::new(&VerifyOptions::default()).unwrap(), Seen::default());
    for input in Input::of(&dir).unwrap() {
        verifier.input(&input, &mut seen);
    }
    assert!(seen.reports.len() > 200 && seen.reports[0].end == Some(End::Unsealed), "{}", seen.reports.len());
}

#[test]
fn a_later_format_is_named_by_all_wherever_its_header_stands() {
    let first = segment(header(1, 1, 0, 0), &[b"data"], EndState::Continues);
    let next = segment(header(1, 2, 1, 4), &[b"more"], EndState::End);
    let newer = |at: usize, value: u8| {
        let mut bytes = next.clone();
        bytes[at] = value;
        let crc = crc32(&bytes[..0x7C]).to_le_bytes();
        bytes[0x7C..0x80].copy_from_slice(&crc);
        bytes
    };
    let temp = tempfile::tempdir().unwrap();
    let torn = unsealed(header(1, 1, 0, 0), &[b"data"]);
    for (newer, words) in [(newer(0x20, 2), "format version 2.0 is newer"), (newer(0x24, 4), "unknown feature bits")] {
        for (before, data) in [(&b""[..], &b""[..]), (&first, b"data"), (&torn, b"data")] {
            let bytes = [before, &newer].concat();
            let reading = readers::read(&bytes);
            assert_eq!((reading.data.as_slice(), reading.verdict), (data, Verdict::Unreadable), "{words}");
            let (report, _) = verify_bytes(&bytes);
            assert!(matches!(report.error, Some(Error::Newer { .. })), "{report:?}");
            assert!(report.problems.is_empty() && report.error.unwrap().to_string().contains(words));
            let error = merge(file(temp.path(), &bytes)).unwrap_err();
            assert!(matches!(&error, StitchError::Archive(error) if matches!(**error, Error::Newer { .. })), "{error}");
        }
        let inputs = Input::of(&directory(temp.path(), "d", &[(1, &first), (2, &newer)])).unwrap();
        assert_eq!(verdicts(&verify(&inputs)), [Verdict::Incomplete, Verdict::Unreadable]);
        assert!(cat(inputs.clone(), Span::All).1.unwrap_err().to_string().contains(words));
        assert!(merge(inputs).unwrap_err().to_string().contains(words));
    }
}

#[test]
fn a_header_that_a_dead_writer_began_is_no_foreign_file_however_short() {
    let temp = tempfile::tempdir().unwrap();
    for family in Family::ALL {
        let header = |number, seq| SegmentHeader { family, ..header(1, number, seq, seq * 4) };
        let first = segment(header(1, 0), &[b"data"], EndState::Continues);
        let torn = header(2, 1).encode();
        let last = segment(header(3, 1), &[b"more"], EndState::End);
        for len in 0..HEADER_BYTES {
            let dir = directory(temp.path(), "d", &[(1, &first), (2, &torn[..len])]);
            let inputs = Input::of(&dir).unwrap();
            assert_eq!(verdicts(&verify(&inputs)).last(), Some(&Verdict::Incomplete), "{family:?}: {len} bytes");
            let (data, result) = cat(inputs.clone(), Span::All);
            assert!(data == b"data" && is_incomplete(&result), "{family:?}: {len} bytes: {result:?}");
            let merged = merge(inputs).unwrap_or_else(|error| panic!("{family:?}: {len} bytes: {error}"));
            assert_eq!(merged, (b"data".to_vec(), EndState::Aborted), "{family:?}: {len} bytes");

            // Another one went on, even if it died twice.
            for torn_number in [2, 3] {
                let mut segments = vec![(1, &first[..]), (2, &torn[..len])];
                if torn_number == 3 {
                    segments.push((3, &torn[..len]));
                }
                segments.push((torn_number + 1, &last));
                let inputs = Input::of(&directory(temp.path(), "d", &segments)).unwrap();
                let seen = verify(&inputs);
                assert!(
                    verdicts(&seen).iter().all(|verdict| *verdict == Verdict::Sound),
                    "{len} bytes: {seen:?}",
                    seen = seen.reports
                );
                let (data, result) = cat(inputs.clone(), Span::All);
                assert!(data == b"datamore" && result.is_ok(), "{family:?}: {len} bytes: {result:?}");
                assert_eq!(merge(inputs).unwrap(), (b"datamore".to_vec(), EndState::End), "{len} bytes");
            }
        }
    }
}

#[test]
fn a_torn_chunk_that_holds_an_archive_is_no_more_than_torn() {
    let inner = segment(header(2, 1, 0, 0), &[b"inner 1", b"inner 2"], EndState::End);
    let chunks: [&[u8]; 3] = [b"first", &inner, b"last"];
    let first = unsealed(header(1, 1, 0, 0), &chunks[..2]);
    let next = segment(header(1, 2, 1, 5), &chunks[1..], EndState::End);
    let temp = tempfile::tempdir().unwrap();
    let tail = first.len() - places(&[&first[..], &[0; RECORD_BYTES]].concat())[1];
    for cut in 1..tail {
        let torn = &first[..first.len() - cut];
        let inputs = Input::of(&directory(temp.path(), "d", &[(1, torn), (2, &next)])).unwrap();
        let (data, result) = cat(inputs.clone(), Span::All);
        assert!(result.is_ok() && data == chunks.concat(), "{cut} bytes: {result:?}");
        let seen = verify(&inputs);
        assert_eq!((verdicts(&seen), &seen.data), (vec![Verdict::Sound; 2], &data), "{cut} bytes");
        assert_eq!(merge(inputs).unwrap(), (data, EndState::End), "{cut} bytes");

        let inputs = Input::of(&directory(temp.path(), "d", &[(1, torn)])).unwrap();
        let (data, result) = cat(inputs.clone(), Span::All);
        assert!(is_incomplete(&result) && data == b"first", "{cut} bytes: {result:?}");
        let seen = verify(&inputs);
        let [report] = &seen.reports[..] else { panic!("one a file") };
        assert_eq!((report.verdict(), report.end), (Verdict::Incomplete, Some(End::Unsealed)), "{cut} bytes");
        assert_eq!(merge(inputs).unwrap(), (data, EndState::Aborted), "{cut} bytes");
    }
}

#[test]
fn parts_without_the_first_are_not_all() {
    let part = |number: u64, end| segment(header(1, number, number - 1, 4 * (number - 1)), &[b"part"], end);
    let (two, three) = (part(2, EndState::Continues), part(3, EndState::End));
    let temp = tempfile::tempdir().unwrap();
    let dir = directory(temp.path(), "d", &[(2, &two), (3, &three)]);
    let inputs = || Input::of(&dir).unwrap();
    let seen = verify(&inputs());
    let problem = &seen.reports[0].problems[0];
    let kind = ProblemKind::MissingSegments { first: SegmentNumber(1), last: SegmentNumber(1) };
    assert_eq!((problem.kind, problem.chunks.clone()), (kind, Some(ChunkSeq(0)..ChunkSeq(1))));
    assert_eq!(verdicts(&seen), [Verdict::Damaged, Verdict::Sound]);
    let (data, result) = cat(inputs(), Span::All);
    assert!(data.is_empty() && result.unwrap_err().to_string().contains("segments 1 to 1 are missing"));
    let error = merge(inputs()).unwrap_err();
    assert!(matches!(error, StitchError::Order { .. }), "{error}");
    // What is asked for is there.
    for (range, expected) in [(4..8, &b"part"[..]), (6..12, b"rtpart"), (8..12, b"part")] {
        let (data, result) = cat(inputs(), Span::Bytes(range.clone()));
        assert!(result.is_ok() && data == expected, "{range:?}: {result:?}");
    }
    assert!(cat(inputs(), Span::Bytes(2..8)).1.is_err(), "the first two bytes are not there");
    std::fs::write(dir.join("spool"), "").unwrap();
    assert_eq!(verdicts(&verify(&inputs())), [Verdict::Sound; 2], "a spool removes what has been read");
    assert_eq!(cat(inputs(), Span::All).0, b"partpart");
    assert_eq!(merge(inputs()).unwrap().0, b"partpart");
}

#[test]
fn a_directory_is_of_one_store_and_two_directories_are_not() {
    let temp = tempfile::tempdir().unwrap();
    let of = |store, number, end| segment(header(store, number, 0, 0), &[&[store; 3]], end);
    let (one, two) = (of(1, 1, EndState::End), of(2, 2, EndState::End));
    let dir = directory(temp.path(), "mixed", &[(1, &one), (2, &two)]);
    let error = merge(Input::of(&dir).unwrap()).unwrap_err();
    assert!(matches!(error, StitchError::Order { .. }), "{error}");
    assert!(error.to_string().contains("segment 2 is of another store"), "{error}");
    assert_eq!(verdicts(&verify(&Input::of(&dir).unwrap()))[1], Verdict::Damaged);

    let two = of(2, 1, EndState::End);
    let mut inputs = Input::of(&directory(temp.path(), "a", &[(1, &one)])).unwrap();
    inputs.extend(Input::of(&directory(temp.path(), "b", &[(1, &two)])).unwrap());
    assert_eq!(verdicts(&verify(&inputs)), [Verdict::Sound; 2]);
    assert_eq!(merge(inputs).unwrap(), (vec![1, 1, 1, 2, 2, 2], EndState::End));
}
