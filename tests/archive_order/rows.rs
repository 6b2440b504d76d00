//! Segments in a row as they should be, and as they should not: whatever it is, all who read it must agree.

use super::samples::readers::{self, Reading};
use super::*;

/// Numbers that look random, and are the same each time.
struct Random(u64);

impl Random {
    /// Below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// Chunk number `seq` of a stream: 5 bytes, or an archive.
fn chunk(store: u8, seq: u64) -> Vec<u8> {
    if seq % 4 == 3 {
        let inner = SegmentHeader { salt: Salt(77), ..header(9, 1, 0, 0) };
        return segment(inner, &[b"nested"], EndState::End);
    }
    format!("{}{seq:04}", char::from(b'a' + store)).into_bytes()
}

/// Where it begins, without gaps.
fn offset(store: u8, seq: u64) -> u64 {
    (0..seq).map(|seq| chunk(store, seq).len() as u64).sum()
}

/// Whether that is nothing but such chunks.
fn is_chunks(mut data: &[u8]) -> bool {
    let archive = chunk(0, 3);
    while let Some(rest) = data.strip_prefix(&archive[..]).or_else(|| {
        let (start, rest) = data.split_at_checked(5)?;
        (b"bc".contains(&start[0]) && start[1..].iter().all(u8::is_ascii_digit)).then_some(rest)
    }) {
        data = rest;
    }
    data.is_empty()
}

/// Segments that go on with one another most of the time.
fn row(random: &mut Random) -> Vec<Vec<u8>> {
    let (mut store, mut number, mut seq, mut shift) = (1, 1 + u64::from(random.one_in(9)), random.below(2), 0);
    let (mut row, mut is_torn) = (Vec::new(), false);
    for _ in 0..=random.below(4) {
        let first = if is_torn && random.one_in(2) {
            seq.saturating_sub(random.below(3))
        } else {
            (seq + u64::from(random.one_in(20))).saturating_sub(u64::from(random.one_in(30)))
        };
        if random.one_in(20) {
            shift += random.below(9);
        }
        let offset = (offset(store, first) + shift).saturating_sub(u64::from(random.one_in(30)));
        let chunks: Vec<_> = (first..first + random.below(4)).map(|seq| chunk(store, seq)).collect();
        let chunks: Vec<_> = chunks.iter().map(Vec::as_slice).collect();
        let header = header(store, number, first, offset);
        let how = random.below(8);
        is_torn = how > 4;
        let mut bytes = match how {
            0 | 1 => segment(header, &chunks, EndState::End),
            2 => segment(header, &chunks, EndState::Aborted),
            3 | 4 => segment(header, &chunks, EndState::Continues),
            _ => unsealed(header, &chunks),
        };
        let places = places(&[&bytes[..], &[0; RECORD_BYTES]].concat());
        if is_torn && random.one_in(3) {
            bytes.truncate(bytes.len() - usize::try_from(random.below(70)).unwrap());
        }
        if random.one_in(20) {
            let stranger = unsealed(super::header(3, 1, random.below(4), random.below(30)), &[b"strange"]);
            let at = places[usize::try_from(random.below(places.len() as u64)).unwrap()].min(bytes.len());
            bytes.splice(at..at, stranger[HEADER_BYTES..].iter().copied());
        }
        if random.one_in(20) {
            let at = usize::try_from(random.below(bytes.len() as u64)).unwrap();
            bytes[at] ^= 1 << random.below(8);
        }
        row.push(bytes);
        seq = first + chunks.len() as u64;
        number += u64::from(!random.one_in(30)) + u64::from(random.one_in(30));
        if random.one_in(10) {
            (store, seq) = (3 - store, 0);
        }
    }
    row
}

/// Merging takes what is sound or incomplete, marks it as such, and nothing else.
#[track_caller]
fn merge_agrees(inputs: Vec<Input>, data: &[u8], verdict: Verdict) {
    match (merge(inputs), verdict) {
        (Ok((merged, end)), Verdict::Sound | Verdict::Incomplete) => {
            assert_eq!(merged, data);
            assert_eq!(end == EndState::End, verdict == Verdict::Sound);
        }
        // It does not mix streams, and of nothing it makes nothing.
        (Err(StitchError::Apart { .. }), _)
        | (Err(StitchError::Archive(_) | StitchError::Order { .. }), Verdict::Damaged) => {}
        (Err(StitchError::Nothing), _) => assert_eq!(data, b""),
        (merged, verdict) => panic!("{verdict:?}, and merging: {merged:?}"),
    }
}

#[test]
fn of_whatever_segments_in_one_file_all_readers_say_the_same() {
    let (mut random, temp) = (Random(0x9E37_79B9_7F4A_7C15), tempfile::tempdir().unwrap());
    let mut verdicts = [0; 3];
    for _ in 0..300 {
        let bytes = row(&mut random).concat();
        if Foreign::of(&bytes).is_some() {
            continue;
        }
        let Reading { data, verdict } = readers::read(&bytes);
        verdicts
            [[Verdict::Sound, Verdict::Incomplete, Verdict::Damaged].iter().position(|v| *v == verdict).unwrap()] += 1;
        assert!(is_chunks(&data), "{:?}", String::from_utf8_lossy(&data));
        merge_agrees(file(temp.path(), &bytes), &data, verdict);
        let from = random.below(40);
        for span in [Span::Bytes(from..from + 9), Span::Chunks(from / 4..from / 4 + 2)] {
            let [a, b, c] = ranged(&bytes, &span);
            for ((out, ok), (whole, is_whole)) in [(&a, &b), (&b, &a), (&a, &c), (&c, &a)] {
                assert!(!is_whole || whole.starts_with(out) && (!ok || out == whole), "{span:?}: {a:?}, {b:?}, {c:?}");
            }
            assert!(verdict == Verdict::Damaged || a.1 && b.1 && c.1 || verdict == Verdict::Incomplete, "{span:?}");
        }
    }
    assert!(verdicts.iter().all(|count| *count > 20), "there is some of each: {verdicts:?}");
}

#[test]
fn of_whatever_segments_in_a_directory_copying_verifying_and_merging_say_the_same() {
    let (mut random, temp) = (Random(0x2545_F491_4F6C_DD1D), tempfile::tempdir().unwrap());
    for round in 0..200 {
        let row = row(&mut random);
        let segments: Vec<_> = (1..).zip(row.iter().map(Vec::as_slice)).collect();
        let inputs = Input::of(&directory(temp.path(), "d", &segments)).unwrap();
        let (data, result) = cat(inputs.clone(), Span::All);
        let seen = verify(&inputs);
        assert!(seen.data.starts_with(&data), "round {round}");
        assert!(is_chunks(&data), "round {round}");
        let worst = *verdicts(&seen).iter().max().unwrap();
        let only_tables = |report: &FileReport| {
            report.problems.iter().all(|problem| matches!(problem.kind, ProblemKind::SeekTable(_)))
        };
        let expected = match &result {
            Ok(()) => Verdict::Sound,
            Err(CopyError::Archive(Error::Incomplete { .. })) => Verdict::Incomplete,
            Err(CopyError::Archive(Error::Damaged { .. } | Error::Foreign { .. })) => Verdict::Damaged,
            Err(error) => panic!("{error}"),
        };
        // The data can be read without its table.
        let tables = expected < Verdict::Damaged && seen.reports.iter().all(only_tables);
        assert!(worst == expected || tables, "round {round}: {result:?}, {:?}", seen.reports);
        merge_agrees(inputs, &data, worst);
    }
}
