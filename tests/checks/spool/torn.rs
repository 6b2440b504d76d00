//! A segment that ends anywhere, with anything behind it: readers have exactly the whole chunks before, time and again,
//! and change nothing.

use super::{Had, at_once, bytes_at, drain, open, plain};
use crate::checks::input::Input;
use spillpipe::codec::Decoder;
use spillpipe::format::*;
use spillpipe::segment::{Next, SegmentWalker, open_chunk};
use spillpipe::spool::Spool;
use spillpipe::store::{SegmentName, SimStore, Store};
use std::io::Write;
use std::ops::Range;

/// More than any of these spools has to tell.
const EVENTS_MAX: usize = 100;

/// A spool of one segment, and where each chunk lies in it and in the stream.
struct Image {
    disk: SimStore,
    spool: Spool,
    name: SegmentName,
    chunks: Vec<(Range<usize>, Range<usize>)>,
    stream: Vec<u8>,
}

fn image(input: &mut Input) -> Image {
    let disk = SimStore::new(5);
    let spool = open(&disk).expect("it opens");
    let mut options = plain();
    options.codec = input.one_of(&["zstd:1", "lz4", "none", "zstd:9"]).parse().expect("a codec");
    let mut writer = spool.writer(options).expect("a writer");
    let mut stream = Vec::new();
    for n in 0..=input.byte() % 5 {
        let bytes = bytes_at(n.into(), stream.len() as u64, u64::from(input.u16() % 3000) + 1);
        writer.write_all(&bytes).expect("it takes them");
        writer.publish().expect("a chunk");
        stream.extend(bytes);
    }
    match input.byte() % 4 {
        0 => drop(writer.finish(EndState::Continues).expect("its end")),
        1 => drop(writer.finish(EndState::End).expect("its end")),
        _ => drop(writer),
    }
    let name = disk.list().expect("no fault")[0];
    let bytes = disk.bytes(name).expect("no fault");
    let chunks = walked(&bytes).into_iter().map(|(at, record, _)| {
        let stream = record.offset.0..record.end_offset().0;
        (at, stream.start as usize..stream.end as usize)
    });
    Image { chunks: chunks.collect(), disk, spool, name, stream }
}

/// The whole chunks that come one after the other from the start.
fn walked(bytes: &[u8]) -> Vec<(Range<usize>, Record, Vec<u8>)> {
    let mut chunks = Vec::new();
    let Some(Ok(header)) = bytes.first_chunk::<HEADER_BYTES>().map(SegmentHeader::decode) else { return chunks };
    let mut walker = SegmentWalker::new(&header);
    loop {
        let at = walker.at() as usize;
        let Some(head) = bytes.get(at..).and_then(|rest| rest.first_chunk()) else { return chunks };
        let Ok(Next::Chunk(record)) = walker.step(head) else { return chunks };
        let Some(frame) = bytes.get(at + RECORD_BYTES..walker.at() as usize) else { return chunks };
        let mut raw = vec![0; record.raw_len as usize];
        if open_chunk(&record, header.family, frame, &mut raw, &mut Decoder::default()).is_err() {
            return chunks;
        }
        chunks.push((at..walker.at() as usize, record, raw));
    }
}

/// A few chunks, cut where the bytes say; what is left of them comes behind.
pub(crate) fn spool_torn_tail(data: &[u8]) {
    let mut input = Input(data);
    let Image { disk, spool, name, chunks, stream } = image(&mut input);
    let whole = disk.bytes(name).expect("no fault");
    let mut torn = whole.clone();
    torn.truncate(input.below(whole.len() + 1));
    torn.extend_from_slice(input.0);
    disk.put_bytes(name, &torn);
    // What came behind may be what was cut off.
    let same = whole.iter().zip(&torn).take_while(|(a, b)| a == b).count();
    let left: Vec<_> = chunks.iter().filter(|(at, _)| at.end <= same).map(|(_, place)| place.clone()).collect();
    let end = left.last().map_or(0, |place| place.end);

    let walked: Vec<u8> = walked(&torn).into_iter().flat_map(|(.., raw)| raw).collect();
    assert!(walked == stream[..end], "the walk ends where the whole chunks do");
    let files = || -> Vec<_> {
        disk.list().expect("no fault").into_iter().map(|name| (name, disk.bytes(name).expect("no fault"))).collect()
    };
    let before = files();
    let read = || {
        let mut reader = spool.reader("one", at_once()).expect("a reader");
        drain(&mut reader, EVENTS_MAX).expect("it can be read")
    };
    let first = read();
    check(&first, &left, &stream);
    let again = read();
    assert_eq!(again.pieces, first.pieces, "the same the second time");
    // The end of nothing is told once: there is nothing to be acknowledged before it.
    assert!(again.ends == first.ends || left.is_empty());
    // A segment goes when all that is in it was acknowledged: all of nothing, too.
    assert!(files() == before || (left.is_empty() && files().is_empty()), "not a byte was changed");

    let mut reader = spool.reader("one", at_once()).expect("a reader");
    drain(&mut reader, EVENTS_MAX).expect("it can be read");
    reader.ack(reader.position()).expect("it is acknowledged");
    reader.close().expect("it is closed");
    let after = read();
    assert_eq!((after.pieces.len(), after.ends.len()), (0, 0), "nothing comes again: {after:?}");

    let mut writer = spool.writer(plain()).expect("a writer");
    assert!(writer.position().offset.0 >= end as u64, "no place is used twice");
    writer.write_all(b"more").expect("it takes it");
    writer.finish(EndState::End).expect("its end");
    assert_eq!(read().bytes(), b"more");
}

/// All of the whole chunks, and nothing else.
fn check(had: &Had, left: &[Range<usize>], stream: &[u8]) {
    let expected: Vec<_> = left.iter().map(|place| (place.start as u64, stream[place.clone()].to_vec())).collect();
    assert_eq!(had.pieces, expected);
}
