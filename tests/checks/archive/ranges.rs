//! A part of an archive is what stands there in the whole of it.

use super::{Ended, Read, as_stream, in_memory, read_on};
use crate::checks::input::Input;
use crate::checks::refit;
use spillpipe::archive::Reader;
use std::io::{Seek, SeekFrom};
use std::ops::Range;

/// Two numbers for places, and any bytes as an archive.
pub(crate) fn archive_range(data: &[u8]) {
    let mut input = Input(data);
    let (from, len) = (input.u16(), input.u16());
    let mut bytes = input.0.to_vec();
    part(&bytes, from, len);
    refit::archive(&mut bytes);
    if bytes != input.0 {
        part(&bytes, from, len);
    }
}

fn part(bytes: &[u8], from: u16, len: u16) {
    let Ok(mut reader) = Reader::new(in_memory(bytes)) else { return };
    let all = read_on(&mut reader);
    let start = all.pieces.first().map_or(0, |(at, _)| *at);
    let end = all.pieces.last().map_or(0, |(at, bytes)| at + bytes.len() as u64);
    // Mostly inside, sometimes around.
    let from = (start + u64::from(from) % (end - start + 10)).saturating_sub(5);
    let range = from..from + u64::from(len);
    let whole = all.ended == Ended::Well;
    for source in [in_memory(bytes), as_stream(bytes)] {
        let mut reader = Reader::new(source).expect("it opened before");
        if reader.range(range.clone()).is_err() {
            assert!(!whole, "{range:?} of what can be read");
            continue;
        }
        let read = read_on(&mut reader);
        if whole {
            assert_eq!(read.ended, Ended::Well, "{range:?} of what can be read");
            assert_eq!(read.bytes(), cut(&all.pieces, &range), "{range:?}");
        } else {
            // It may lie in front of the damage or behind it: what both have had is the same.
            let known = start..end;
            assert_eq!(cut(&read.pieces, &known), cut(&all.pieces, &both(&read.pieces, &known)), "{range:?}");
        }
    }
    if whole {
        let mut reader = Reader::new(in_memory(bytes)).expect("it opened before");
        assert_eq!(reader.seek(SeekFrom::Start(from)).expect("it is seekable"), from);
        assert_eq!(read_on(&mut reader).bytes(), cut(&all.pieces, &(from..u64::MAX)), "from {from} on");
        by_chunks(bytes, &all, u64::from(len));
        let length = reader.len().expect("it can be read").expect("a file has a length");
        assert!(length >= end);
    }
}

/// Those in front of a chunk, and those from it on, are all.
fn by_chunks(bytes: &[u8], all: &Read, place: u64) {
    let open = || Reader::new(in_memory(bytes)).expect("it opened before");
    let first = open().header().map_or(0, |header| header.first_seq.0);
    let at = first.saturating_add(place % (all.pieces.len() as u64 + 2));
    let part = |range: Range<u64>| {
        let mut reader = open();
        reader.chunks(range).expect("it can be read");
        let read = read_on(&mut reader);
        assert_eq!(read.ended, Ended::Well);
        read.pieces
    };
    let pieces = [part(0..at), part(at..u64::MAX)].concat();
    assert!(pieces == all.pieces, "up to chunk {at}, and from it on");
}

/// What of these lies in the range.
fn cut(pieces: &[(u64, Vec<u8>)], range: &Range<u64>) -> Vec<u8> {
    let of = |(at, bytes): &(u64, Vec<u8>)| {
        let place = |wanted: u64| usize::try_from(wanted.saturating_sub(*at)).unwrap_or(usize::MAX).min(bytes.len());
        let (start, end) = (place(range.start), place(range.end));
        bytes[start..end.max(start)].to_vec()
    };
    pieces.iter().flat_map(of).collect()
}

/// From the first to the last byte of these, within the range.
fn both(pieces: &[(u64, Vec<u8>)], range: &Range<u64>) -> Range<u64> {
    let Some(((first, _), (last, bytes))) = pieces.first().zip(pieces.last()) else { return 0..0 };
    (*first).max(range.start)..(last + bytes.len() as u64).min(range.end)
}
