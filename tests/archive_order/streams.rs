//! One stream in one file, or in several: what is of it, and what is not.

use super::samples::readers::{self, Reading};
use super::*;

#[test]
fn a_chunk_of_another_store_in_between_does_not_come_out() {
    let chunks: [&[u8]; 4] = [b"aaaa", b"bbbb", b"cccc", b"dddd"];
    let whole = segment(header(1, 1, 0, 0), &chunks, EndState::End);
    let other = unsealed(header(2, 1, 70, 1000), &[b"of another"]);
    for place in places(&whole) {
        let bytes = [&whole[..place], &other[HEADER_BYTES..], &whole[place..]].concat();
        let Reading { data, verdict } = readers::read(&bytes);
        let before = &chunks.concat()[..4 * places(&whole).iter().position(|at| *at == place).unwrap()];
        assert_eq!((data.as_slice(), verdict), (before, Verdict::Damaged), "at byte {place}");
        spans_are_right_or_refused(&bytes, &chunks);
        let temp = tempfile::tempdir().unwrap();
        let error = merge(file(temp.path(), &bytes)).unwrap_err().to_string();
        assert!(error.contains(&format!("is damaged at byte {place}")), "{error}");
    }
}

#[test]
fn an_archive_inside_a_damaged_chunk_does_not_come_out() {
    let inner = segment(header(2, 1, 0, 0), &[b"inner 1", b"inner 2", b"inner 3"], EndState::End);
    let chunks: [&[u8]; 5] = [b"first", &inner, b"behind", b"further", b"last"];
    for sealed in [true, false] {
        let mut bytes = segment(header(1, 1, 0, 0), &chunks, EndState::End);
        let places = places(&bytes);
        if !sealed {
            bytes.truncate(*places.last().unwrap());
        }
        // The record is lost: its frame is searched.
        bytes[places[1] + 20] ^= 1;
        let Reading { data, verdict } = readers::read(&bytes);
        assert_eq!((data.as_slice(), verdict), (&b"first"[..], Verdict::Damaged), "sealed: {sealed}");
        spans_are_right_or_refused(&bytes, &chunks);
        let (out, ok) = &ranged(&bytes, &Span::Chunks(3..5))[0];
        assert_eq!((out.as_slice(), ok), (&b"furtherlast"[..], &true), "what is behind the damage can be had");
        let (report, data) = verify_bytes(&bytes);
        assert_eq!((report.summary.all.chunks, report.summary.segments, report.problems.len()), (4, 1, 1));
        assert_eq!(data, b"firstbehindfurtherlast", "only what is of the stream");
        let len = Reader::new(Source::bytes("x", bytes)).unwrap().len().unwrap();
        assert_eq!(len, Some(chunks.concat().len() as u64));
    }
}

#[test]
fn chunks_that_come_again_behind_a_torn_segment_come_out_once() {
    let chunks: [&[u8]; 5] = [b"aa", b"bbb", b"cccc", b"ddddd", b"eeeeee"];
    let all = chunks.concat();
    let first = unsealed(header(1, 1, 0, 0), &chunks[..3]);
    let again = |number, from: usize| {
        let offset = chunks[..from].concat().len() as u64;
        segment(header(1, number, from as u64, offset), &chunks[from..], EndState::End)
    };
    let temp = tempfile::tempdir().unwrap();
    // Once more all, some, and only the end of it; and twice in a row, where the second attempt was shorter.
    let short = unsealed(header(1, 2, 1, 2), &chunks[1..2]);
    let mut ways: Vec<Vec<Vec<u8>>> = (0..=3).map(|from| vec![first.clone(), again(2, from)]).collect();
    ways.extend((0..=2).map(|from| vec![first.clone(), short.clone(), again(3, from)]));
    for segments in ways {
        let joined = segments.concat();
        let Reading { data, verdict } = readers::read(&joined);
        assert_eq!((data.as_slice(), verdict), (&all[..], Verdict::Sound));
        spans_are_right_or_refused(&joined, &chunks);
        let (report, data) = verify_bytes(&joined);
        assert_eq!((report.summary.all.chunks, report.summary.all.raw_bytes), (5, all.len() as u64));
        assert_eq!(data, all);
        assert_eq!(merge(file(temp.path(), &joined)).unwrap(), (all.clone(), EndState::End));

        let numbered: Vec<_> = (1..).zip(segments.iter().map(Vec::as_slice)).collect();
        let inputs = Input::of(&directory(temp.path(), "d", &numbered)).unwrap();
        let seen = verify(&inputs);
        assert_eq!((verdicts(&seen), &seen.data), (vec![Verdict::Sound; segments.len()], &all));
        for start in 0..5 {
            let (data, result) = cat(inputs.clone(), Span::Chunks(start as u64..u64::MAX));
            assert!(result.is_ok() && data == chunks[start..].concat(), "from chunk {start}: {result:?}");
        }
        assert_eq!(merge(inputs).unwrap(), (all.clone(), EndState::End));
    }
}

#[test]
fn a_torn_chunk_that_comes_again_was_not_had() {
    let chunks: [&[u8]; 3] = [b"aa", b"bbb", b"cccc"];
    let first = unsealed(header(1, 1, 0, 0), &chunks);
    let next = segment(header(1, 2, 2, 5), &chunks[2..], EndState::End);
    let temp = tempfile::tempdir().unwrap();
    for cut in 1..RECORD_BYTES + 4 {
        let dir = directory(temp.path(), "d", &[(1, &first[..first.len() - cut]), (2, &next)]);
        let inputs = Input::of(&dir).unwrap();
        assert_eq!(verdicts(&verify(&inputs)), [Verdict::Sound; 2], "{cut} bytes");
        let (data, result) = cat(inputs.clone(), Span::All);
        assert!(result.is_ok() && data == chunks.concat(), "{cut} bytes: {result:?}");
        assert_eq!(merge(inputs).unwrap().0, chunks.concat(), "{cut} bytes");
    }
}

#[test]
fn what_comes_again_and_is_not_the_same_is_damage() {
    let first = unsealed(header(1, 1, 0, 0), &[b"aa", b"bbb", b"cccc"]);
    for (what, next) in [
        ("longer", segment(header(1, 2, 2, 5), &[b"ccccc", b"d"], EndState::End)),
        ("further on", segment(header(1, 2, 2, 6), &[b"cccc", b"d"], EndState::End)),
        ("and ends before", segment(header(1, 2, 1, 2), &[b"bbb"], EndState::End)),
    ] {
        let Reading { data, verdict } = readers::read(&[&first[..], &next].concat());
        assert_eq!((data.as_slice(), verdict), (&b"aabbbcccc"[..], Verdict::Damaged), "{what}");
    }
}

#[test]
fn behind_a_torn_segment_too_offsets_are_compared() {
    let first = unsealed(header(1, 1, 0, 0), &[b"aaaa", b"bbbb"]);
    let next = |offset| segment(header(1, 2, 2, offset), &[b"cccc"], EndState::End);
    for offset in [0, 3, 7] {
        let bytes = [&first[..], &next(offset)].concat();
        let Reading { data, verdict } = readers::read(&bytes);
        assert_eq!((data.as_slice(), verdict), (&b"aaaabbbb"[..], Verdict::Damaged), "offset {offset}");
        let kind = ProblemKind::OffsetBack { expected: StreamOffset(8) };
        assert_eq!(verify_bytes(&bytes).0.problems[0].kind, kind);
    }
    let bytes = [&first[..], &next(1000)].concat();
    assert_eq!(readers::read(&bytes), Reading { data: b"aaaabbbbcccc".to_vec(), verdict: Verdict::Sound });
    assert_eq!(verify_bytes(&bytes).0.summary.gap_bytes, 992);
    let mut copied = Copied::default();
    let source = Source::bytes("x", bytes);
    copy_out(Parts::from(source), &mut Vec::new(), &CopyOptions::default(), &mut copied).unwrap();
    assert_eq!(copied.missed_bytes, 992);
}
