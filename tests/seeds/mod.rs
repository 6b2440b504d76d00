//! What the fuzzers begin with: for each target a few small inputs that get far.

use crate::checks::format::key;
use crate::checks::spool::recovery::pack;
use crate::checks::spool::{at_once, bytes_at, open, plain};
use crate::samples;
use spillpipe::codec::{Codec, Encoder, ZstdLevel};
use spillpipe::format::*;
use spillpipe::segment::{Chunk, write_all};
use spillpipe::spool::{BatchLimits, NextBatch, Tap};
use spillpipe::store::SimStore;
use std::io::Write;
use std::time::Duration;

/// A seed: of which target, under which name, and its bytes.
pub(crate) type Seed = (&'static str, String, Vec<u8>);

/// All of them.
pub(crate) fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (family, codec) in [(Family::Zstd, Codec::Zstd(ZstdLevel::FASTEST)), (Family::Lz4, Codec::Lz4)] {
        of_family(family, codec, &mut seeds);
    }
    let slot = |kind| {
        let holes =
            [5, 9].map(|n| Hole { from: place(n), to: place(n + 1), bytes: n, attempts: 2, left_behind: n > 5 });
        let (store, state) = (samples::header(Family::Zstd).store, SlotState::Incomplete);
        let holes = holes.to_vec();
        let slot = Slot { kind, store, generation: 7, position: place(12), written_ns: 99, state, holes };
        slot.encode()[..0x50 + 2 * 64].to_vec()
    };
    seeds.push(("slot", "cursor".to_owned(), slot(SlotKind::Cursor)));
    seeds.push(("slot", "identity".to_owned(), slot(SlotKind::Identity)));
    for (name, text) in [("fraction", "1.5GiB"), ("percent", "12.5%"), ("level", "zstd:19"), ("large", "15.999E")] {
        seeds.push(("sizes", name.to_owned(), text.as_bytes().to_vec()));
    }
    seeds.push((
        "spool_torn_tail",
        "sealed".to_owned(),
        vec![0, 2, 200, 1, 100, 2, 44, 0, 1, 40, 2, b't', b'o', b'r', b'n'],
    ));
    seeds.push((
        "spool_torn_tail",
        "open".to_owned(),
        vec![1, 3, 9, 4, 8, 2, 7, 9, 200, 0, 3, 7, 0, 58, 0x2A, 0x4D, 0x18],
    ));
    seeds.push(("spool_recovery", "batches".to_owned(), pack(&batches())));
    seeds.push(("spool_recovery", "broken-off".to_owned(), pack(&broken_off())));
    archives(&mut seeds);
    for (name, steps) in LIVES {
        seeds.push(("spool_operations", name.to_owned(), steps.to_vec()));
    }
    seeds
}

/// Lives, as `spool_operations` reads them.
const LIVES: [(&str, &[u8]); 4] = [
    // Opened, written, made durable, read, acknowledged in part and by batches, closed, finished.
    ("calm", &[0, 0x70, 1, 0, 16, 5, 8, 9, 10, 1, 15, 16, 11, 0, 9, 11, 0, 9, 12, 1, 13, 0, 14, 0, 1, 9, 9, 6, 1]),
    // The power is cut, with all and with nothing of it kept.
    ("cut", &[0, 0x74, 1, 0, 32, 3, 4, 8, 5, 9, 19, 0, 2, 0, 0x71, 1, 99, 9, 5, 136, 9, 137, 19, 0, 0, 8, 11, 9, 6, 1]),
    // An operation fails, and the power is cut in the middle of another one.
    ("faults", &[0, 0x74, 1, 0, 32, 19, 83, 0, 0, 5, 7, 0, 0x70, 8, 9, 9, 19, 42, 2, 1, 0, 32, 5, 4, 8, 7, 9, 15, 16]),
    // More than fits, of which the oldest goes.
    ("full", &[0, 0x0A, 1, 0, 35, 5, 1, 0, 35, 5, 1, 0, 35, 5, 8, 3, 1, 0, 35, 4, 1, 0, 35, 6, 2, 8, 11, 17, 18, 0]),
];

fn place(n: u64) -> Position {
    Position { segment: SegmentNumber(n), seq: ChunkSeq(n + 1), offset: StreamOffset(n + 2) }
}

fn of_family(family: Family, codec: Codec, seeds: &mut Vec<Seed>) {
    let mut save = |target, name: String, bytes: Vec<u8>| seeds.push((target, name, bytes));
    let name = || family.extension().to_owned();
    let is_lz4 = u8::from(family == Family::Lz4);
    let header = samples::header(family);
    let (text, noise) = (samples::text(1, 900), samples::noise(1, 40));
    let chunks = [Chunk::new(&text, codec), Chunk::new(&noise, Codec::Raw), Chunk::new(b"end", codec)];
    let file = write_all(&header, true, &chunks, EndState::End);
    save("segment_header", name(), header.encode().to_vec());
    save("record", name(), samples::record(family).encode(&key(family)).to_vec());
    save("seal_and_table", name(), file[file.len() - SeekTable::encoded_len(9) - RECORD_BYTES..].to_vec());
    save("segment_read", name(), file);
    save("segment_read", format!("{}-empty", name()), write_all(&header, false, &[], EndState::Aborted));

    let (mut frame, mut encoder) = ([0; 1000], Encoder::new(true));
    let len = encoder.encode(codec, family, &text, &mut frame).frame_len;
    save("codec_decode", name(), [&[2 - is_lz4, is_lz4, 0x84, 3], &frame[..len]].concat());
    let len = encoder.encode(Codec::Raw, family, &noise, &mut frame).frame_len;
    save("codec_decode", format!("{}-raw", name()), [&[0, is_lz4, 40, 0], &frame[..len]].concat());
    save("frame_raw", name(), [&[40, 0], &frame[..len]].concat());
    save("round_trip", name(), [&[is_lz4, 1, 1], &samples::noise(9, 200)[..]].concat());
}

/// Those of the golden archives that are small.
fn archives(seeds: &mut Vec<Seed>) {
    for (name, family) in [("segments", Family::Zstd), ("gaps", Family::Lz4), ("streams", Family::Zstd)] {
        let bytes = std::fs::read(samples::archives::path(name, family)).expect("a golden archive");
        seeds.push(("archive_range", name.to_owned(), [&[40, 0, 90, 0], &bytes[..]].concat()));
        seeds.push(("archive_salvage", name.to_owned(), [&[0], &bytes[..]].concat()));
        seeds.push(("archive_stitch", name.to_owned(), [&[130, 1, 0, 0, 20], &bytes[..]].concat()));
        seeds.push(("archive_read", name.to_owned(), bytes));
    }
    // How it is read; how it is packed.
    let segments: [&[u8]; 2] = [&[5, 1, 99, 0, 50, 0, 200, 0, 0, 16], &[0, 0, 2, 3, 2, 7, 1, 0, 0, 0, 0, 0, 3]];
    let raw: [&[u8]; 2] = [&[8, 2, 9, 0, 3, 1, 0, 9, 0, 0], &[1, 0, 0, 0, 7, 1, 0, 0, 0, 0, 1, 3]];
    for (name, how) in [("segments", segments.concat()), ("raw", raw.concat())] {
        let pieces = [&[3, 0x43, 0, 60], &b"abc"[..], &[0x82, 9, 40], b"de", &[1, 0, 70], b"f"].concat();
        seeds.push(("archive_round_trip", name.to_owned(), [how, pieces].concat()));
    }
    for (name, harms) in HARMS {
        seeds.push(("archive_salvage", name.to_owned(), harms.to_vec()));
    }
}

/// Archives and what is done to them, as `archive_salvage` reads them.
const HARMS: [(&str, &[u8]); 3] = [
    // One in another one: a byte of it changes, and some are cut off.
    ("nested", &[1, 7, 0, 0x27, 44, 1, 0, 64, 1, 3, 0, 6, 0, 4]),
    // Two copies: some bytes of the one are zero, some of the other are gone.
    ("copies", &[1, 8, 0, 0x6A, 44, 1, 1, 0, 2, 40, 0, 0x82, 0, 3, 60, 0, 4, 200, 1, 90, 0, 77, 0]),
    // Two in a row: noise is put in, a piece comes twice.
    ("two", &[1, 9, 0, 0x46, 200, 0, 3, 64, 2, 5, 0, 1, 2, 3, 4, 5, 5, 64, 0, 90, 0, 9, 0]),
];

/// A spool of two streams, one of whose readers has left a batch behind.
fn batches() -> SimStore {
    let disk = SimStore::new(1);
    let spool = open(&disk).expect("it opens");
    for (codec, end) in [("zstd:1", EndState::Continues), ("lz4", EndState::End)] {
        let mut options = plain();
        options.codec = codec.parse().expect("a codec");
        let mut writer = spool.writer(options).expect("a writer");
        for n in 0..4 {
            writer.write_all(&samples::text(n, 200)).expect("it takes them");
            writer.publish().expect("a chunk");
        }
        writer.finish(end).expect("its end");
    }
    let mut reader = spool.reader("a", at_once()).expect("a reader");
    let limits = BatchLimits { bytes: 300, age: Duration::ZERO };
    let mut batches = Vec::new();
    while let NextBatch::Batch(batch) = reader.next_batch(limits, &mut Deaf).expect("it can be read") {
        batches.push(batch);
    }
    reader.leave_behind(&batches[0], 2).expect("it is left");
    reader.ack_batch(&batches[2]).expect("it is acknowledged");
    reader.close().expect("it is closed");
    disk
}

/// A spool whose writer died over it.
fn broken_off() -> SimStore {
    let disk = SimStore::new(1);
    let spool = open(&disk).expect("it opens");
    for n in 1..3 {
        let mut options = plain();
        options.codec = "none".parse().expect("a codec");
        let mut writer = spool.writer(options).expect("a writer");
        writer.write_all(&bytes_at(n, 0, 100 * n)).expect("it takes them");
        drop(writer);
    }
    spool.reader("b", at_once()).expect("a reader");
    disk
}

struct Deaf;

impl Tap for Deaf {
    fn restart(&mut self) {}

    fn take(&mut self, _: &[u8]) {}
}
