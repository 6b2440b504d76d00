//! What is damaged, cut off, or something else: never a wrong byte, and an error that says what and where.

use super::{Model, archive_error, copy, file, read_all, samples, simple, stream};
use spillpipe::archive::*;
use spillpipe::format::*;
use std::io::{ErrorKind, Read, Seek, SeekFrom};

#[test]
fn no_flipped_bit_gives_a_wrong_byte() {
    for family in Family::ALL {
        let mut model = Model::starting(1000, 7);
        model.segment(family, 0, &[(0, b"first".to_vec()), (30, vec![7; 300])], 0, EndState::Continues);
        model.segment(family, 9, &[(0, samples::text(1, 200))], 0, EndState::End);
        let data = model.all();
        for bit in 0..model.bytes.len() * 8 {
            let mut bytes = model.bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let source = || Source::bytes("m", bytes.clone());
            for (source, threads) in [(source(), 0), (stream(&bytes), 0)] {
                let (out, _, result) = copy(source, Span::All, threads);
                assert!(data.starts_with(&out), "{family:?}: bit {bit}");
                assert!(result.is_err(), "{family:?}: bit {bit} went unseen");
            }
            let Ok(mut reader) = Reader::new(source()) else { continue };
            for range in [1003..1100, 1350..1400] {
                if reader.range(range.clone()).is_err() {
                    break;
                }
                let mut out = Vec::new();
                let result = reader.read_to_end(&mut out);
                let expected = model.range(&range);
                assert!(expected.starts_with(&out) && (out == expected || result.is_err()), "{family:?}: bit {bit}");
            }
        }
    }
}

#[test]
fn a_chunk_of_another_stream_in_the_midst_of_one_does_not_come_out() {
    let mut model = Model::starting(0, 0);
    model.segment(Family::Zstd, 0, &[(0, b"one".to_vec()), (0, b"two".to_vec())], 0, EndState::End);
    let mut other = Model::starting(0, 0);
    (other.stream, other.segments) = (7, 7);
    other.segment(Family::Zstd, 0, &[(0, b"of another".to_vec())], 0, EndState::End);
    let behind_first_chunk = |bytes: &[u8]| {
        let frame_len = bytes[HEADER_BYTES + 0x2C..].first_chunk().map(|len| u32::from_le_bytes(*len));
        HEADER_BYTES + RECORD_BYTES + usize::try_from(frame_len.unwrap()).unwrap()
    };
    let at = behind_first_chunk(&model.bytes);
    let strange = &other.bytes[HEADER_BYTES..behind_first_chunk(&other.bytes)];
    let bytes = [&model.bytes[..at], strange, &model.bytes[at..]].concat();
    for source in [Source::bytes("m", bytes.clone()), stream(&bytes)] {
        let (out, _, result) = copy(source, Span::All, 0);
        assert_eq!(out, b"one");
        assert!(matches!(result, Err(CopyError::Archive(Error::Damaged { .. }))), "{result:?}");
    }
}

#[test]
fn whatever_is_cut_off_what_is_there_comes_out_and_then_an_error_that_stays() {
    let model = simple(Family::Lz4, 4);
    let data = model.all();
    let frames_end = model.bytes.len() - RECORD_BYTES - SeekTable::encoded_len(SeekTable::entries_of(4));
    // As much as tells that it is none of somebody else's.
    for len in 16..model.bytes.len() {
        let source = Source::bytes("m", &model.bytes[..len]);
        let mut reader = match Reader::new(source) {
            Ok(reader) => reader,
            Err(error) => panic!("{len} bytes: {error}"),
        };
        let mut out = Vec::new();
        let error = reader.read_to_end(&mut out).unwrap_err();
        let again = reader.read(&mut [0]).unwrap_err();
        assert_eq!((error.kind(), error.to_string()), (again.kind(), again.to_string()));
        assert!(data.starts_with(&out), "{len} bytes");
        let whole = len >= frames_end;
        assert_eq!(out == data, whole, "{len} bytes");
        if (HEADER_BYTES..frames_end + RECORD_BYTES).contains(&len) {
            assert!(matches!(archive_error(&error), Error::Incomplete { .. }), "{len} bytes: {error}");
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
            reader.rewind().unwrap();
            let mut again = Vec::new();
            reader.read_to_end(&mut again).unwrap_err();
            assert_eq!(again, out, "from an end that is missing it can be gone back");
        }
    }
}

#[test]
fn damage_is_told_with_its_place_and_what_to_do_and_what_is_before_it_comes_out() {
    let model = simple(Family::Zstd, 20);
    let before = model.chunks[..11].iter().map(|(_, raw)| raw.len()).sum::<usize>();
    let mut bytes = model.bytes.clone();
    let mut at = HEADER_BYTES;
    for _ in 0..11 {
        at += RECORD_BYTES + u32::from_le_bytes(*bytes[at + 0x2C..].first_chunk().unwrap()) as usize;
    }
    bytes[at + RECORD_BYTES + 9] ^= 1;
    for threads in [0, 1, 3] {
        let (out, copied, result) = copy(Source::bytes("x.zst", bytes.clone()), Span::All, threads);
        let error = result.unwrap_err().to_string();
        assert_eq!((out.len(), copied.chunks), (before, 11));
        assert!(error.starts_with(&format!("x.zst is damaged at byte {at} ")), "{error}");
        assert!(error.contains("chunk 11") && error.contains("'spillpipe salvage'"), "{error}");
    }
    // What is not asked for is not in the way.
    let behind = model.chunks[12].0..u64::MAX;
    let (out, _, result) = copy(Source::bytes("x.zst", bytes.clone()), Span::Bytes(behind.clone()), 0);
    result.unwrap();
    assert_eq!(out, model.range(&behind));
    let mut reader = Reader::new(Source::bytes("x.zst", bytes)).unwrap();
    let errors: Vec<_> = (0..3).map(|_| read_all(&mut reader).unwrap_err().to_string()).collect();
    assert!(errors[0] == errors[1] && errors[1] == errors[2], "{errors:?}");
    assert!(reader.seek(SeekFrom::Start(0)).is_err(), "also from elsewhere");
}

#[test]
fn a_frame_that_is_whole_and_does_not_hold_what_its_record_says_is_damage() {
    let mut model = simple(Family::Zstd, 1);
    let header = SegmentHeader::decode(model.bytes.first_chunk().unwrap()).unwrap();
    let record_at = HEADER_BYTES..HEADER_BYTES + RECORD_BYTES;
    let record = Record::decode(model.bytes[record_at.clone()].first_chunk().unwrap(), &header.key()).unwrap();
    let lie = Record { raw_crc: record.raw_crc ^ 1, ..record };
    model.bytes[record_at].copy_from_slice(&lie.encode(&header.key()));
    for threads in [0, 2] {
        let (out, _, result) = copy(stream(&model.bytes), Span::All, threads);
        let error = result.unwrap_err().to_string();
        assert!(out.is_empty() && error.contains("raw data checksum"), "{error}");
    }
    let error = read_all(&mut model.reader()).unwrap_err();
    assert!(matches!(archive_error(&error), Error::Damaged { .. }), "{error}");
}

#[test]
fn a_producer_that_gave_up_is_told_at_the_end() {
    let mut model = Model::default();
    model.segment(Family::Zstd, 0, &[(0, b"as far as it went".to_vec())], 0, EndState::Aborted);
    let (out, _, result) = copy(stream(&model.bytes), Span::All, 0);
    assert_eq!(out, b"as far as it went");
    assert!(matches!(result, Err(CopyError::Archive(Error::Incomplete { end: End::Aborted, .. }))), "{result:?}");
    // Who asks for less than all has it.
    let (out, _, result) = copy(stream(&model.bytes), Span::Bytes(0..2), 0);
    assert_eq!(out, b"as");
    result.unwrap();
}

#[test]
fn a_file_that_is_cut_while_it_is_mapped_is_a_clean_error() {
    let pieces: Vec<_> = (0..50).map(|i| (0, samples::noise(i, 20_000))).collect();
    let mut model = Model::default();
    model.segment(Family::Zstd, 0, &pieces, 0, EndState::End);
    for how in ["on", "elsewhere"] {
        let file = file(&model.bytes);
        let mut reader = Reader::new(Source::file("x", file.try_clone().unwrap()).unwrap()).unwrap();
        reader.read_exact(&mut vec![0; 30_000]).unwrap();
        file.set_len(200_000).unwrap();
        let error = match how {
            "on" => read_all(&mut reader).unwrap_err(),
            _ => reader.seek(SeekFrom::Start(900_000)).unwrap_err(),
        };
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert!(error.to_string().ends_with("it became shorter while it was read"), "{error}");
    }
    let file = file(&model.bytes);
    let source = Source::file("x", file.try_clone().unwrap()).unwrap();
    file.set_len(200_000).unwrap();
    let error = copy(source, Span::All, 2).2.unwrap_err().to_string();
    assert!(error.ends_with("it became shorter while it was read"), "{error}");
}

#[test]
fn what_is_no_archive_is_named_and_what_is_newer_is_refused() {
    let gzip = Reader::new(Source::bytes("x.gz", &b"\x1F\x8B\x08\0\0\0"[..])).unwrap_err();
    assert_eq!(gzip.to_string(), "x.gz is no archive: it is gzip data, which 'gzip -dc' reads");
    let header = simple(Family::Zstd, 1).bytes;
    for (at, value, expected) in [
        (0x20, 2, "cannot read x.zst: format version 2.0 is newer than this program reads (1.x)"),
        (0x24, 4, "cannot read x.zst: the file needs unknown feature bits 0x00000004"),
    ] {
        let mut bytes = header.clone();
        bytes[at] = value;
        let crc = crc32(&bytes[..0x7C]).to_le_bytes();
        bytes[0x7C..0x80].copy_from_slice(&crc);
        let error = Reader::new(stream(&bytes)).map(drop).unwrap_err().to_string();
        assert_eq!(error.replace("cannot read s:", "cannot read x.zst:"), expected);
    }
}
