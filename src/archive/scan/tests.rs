//! What the walk promises: everything that is whole is found, the same of any source, in linear time.

use super::*;
use crate::codec::{Codec, ZstdLevel};
use crate::format::{ChunkSeq, EndState, Salt, SegmentNumber, StoreId, StreamOffset};
use crate::segment::{Chunk, read_all, write_all};
use std::io::Cursor;
use std::time::{Duration, Instant};

/// Numbers that look random.
pub(super) struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).expect("64 bits") % below.max(1)
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| u8::try_from(self.roll(256)).expect("a byte")).collect()
    }
}

fn dice(seed: u64) -> Dice {
    Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
}

fn header(seed: u64, family: Family) -> SegmentHeader {
    let mut dice = dice(seed);
    SegmentHeader {
        store: StoreId(dice.bytes(16).try_into().expect("16")),
        number: SegmentNumber(1),
        first_seq: ChunkSeq(seed % 3),
        first_offset: StreamOffset(seed % 5 * 1000),
        chunk_bytes_max: 16 << 10,
        salt: Salt(u32::try_from(dice.roll(1 << 32)).expect("32 bits")),
        created_ns: 7,
        family,
    }
}

fn family(seed: u64) -> Family {
    Family::ALL[usize::from(seed % 2 == 1)]
}

/// An archive of this many chunks, that hold `nested` in a raw one if it is given.
fn archive(seed: u64, chunks: usize, nested: Option<&[u8]>) -> Vec<u8> {
    let (mut dice, family) = (dice(seed ^ 0x4D), family(seed));
    let compressed = if family == Family::Zstd { Codec::Zstd(ZstdLevel::FASTEST) } else { Codec::Lz4 };
    let raws: Vec<_> = (0..chunks)
        .map(|place| {
            let len = 1 + dice.roll(2000);
            let raw = match nested {
                Some(nested) if place == chunks / 2 => [&dice.bytes(100), nested, &dice.bytes(100)].concat(),
                _ if place % 2 == 0 => dice.bytes(len),
                _ => vec![b'x'; len],
            };
            (raw, if place % 2 == 0 { Codec::Raw } else { compressed })
        })
        .collect();
    let chunks: Vec<_> = raws.iter().map(|(raw, codec)| Chunk::new(raw, *codec)).collect();
    write_all(&header(seed, family), seed.is_multiple_of(3), &chunks, EndState::End)
}

fn walk(source: Source, depth: Depth) -> (Vec<Found>, u64) {
    let mut scan = Scan::new(source, depth);
    let mut found = Vec::new();
    while let Some(item) = scan.next().expect("readable") {
        found.push(item);
    }
    assert_eq!(scan.next().expect("readable"), None, "the end stays the end");
    (found, scan.at())
}

fn walk_bytes(bytes: &[u8]) -> Vec<Found> {
    walk(Source::bytes("test", bytes), Depth::Full).0
}

fn chunks(found: &[Found]) -> Vec<(u64, Record)> {
    let chunk = |found: &Found| match found.item {
        Item::Chunk(record) => Some((found.at, record)),
        _ => None,
    };
    found.iter().filter_map(chunk).collect()
}

/// Where the chunks of a whole archive are, and how long they are with their frames.
fn places(bytes: &[u8]) -> Vec<(usize, usize)> {
    let place =
        |(at, record): (u64, Record)| (usize::try_from(at).expect("small"), RECORD_BYTES + record.frame_len as usize);
    chunks(&walk_bytes(bytes)).into_iter().map(place).collect()
}

#[test]
fn a_whole_archive_is_what_the_reference_reads() {
    for seed in 0..40_u64 {
        let bytes = archive(seed, (seed % 7).try_into().expect("small"), None);
        let mut records = Vec::new();
        let (header, seal) = read_all(&bytes, |record, _| records.push(*record)).expect("it is whole");
        for depth in [Depth::Full, Depth::Structure] {
            let (found, end) = walk(Source::bytes("test", &*bytes), depth);
            assert_eq!(end, bytes.len() as u64);
            assert_eq!(chunks(&found).into_iter().map(|(_, record)| record).collect::<Vec<_>>(), records);
            assert_eq!(found[0].item, Item::Header(header));
            assert_eq!(found.last().expect("a seal").item, Item::Seal(seal, Ok(())));
            assert_eq!(found.len(), records.len() + 2);
            assert!(found.iter().all(|found| found.key == Some(header.key())));
        }
    }
}

/// One way to damage bytes.
fn mutate(bytes: &mut Vec<u8>, dice: &mut Dice) {
    if bytes.is_empty() {
        return;
    }
    let at = dice.roll(bytes.len());
    let len = (1 + dice.roll(600)).min(bytes.len() - at);
    match dice.roll(7) {
        0 | 1 => bytes[at] ^= 1 << dice.roll(8),
        2 => bytes[at..at + len].fill(0),
        3 => drop(bytes.drain(at..at + len)),
        4 => drop(bytes.splice(at..at, dice.bytes(len))),
        5 => bytes.truncate(at),
        _ => {
            let piece = bytes[at..at + len].to_vec();
            let to = dice.roll(bytes.len());
            bytes.splice(to..to, piece);
        }
    }
}

/// A file that is opened and has no name any more.
fn file(bytes: &[u8]) -> std::fs::File {
    use std::io::{Seek as _, Write as _};
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).and_then(|()| file.rewind()).expect("it is written");
    file
}

#[test]
fn every_kind_of_source_gives_the_same() {
    for seed in 0..2000 {
        let mut dice = dice(seed);
        let nested = archive(seed + 1, 3, None);
        let mut bytes = archive(seed, 5, Some(&nested).filter(|_| seed % 3 == 0).map(Vec::as_slice));
        if seed % 4 == 0 {
            bytes.extend(archive(seed + 2, 3, None));
        }
        for _ in 0..=dice.roll(4) {
            mutate(&mut bytes, &mut dice);
        }
        for depth in [Depth::Full, Depth::Structure] {
            let expected = walk(Source::bytes("test", &*bytes), depth);
            assert_eq!(expected.1, bytes.len() as u64, "{seed}");
            let ends = expected.0.iter().zip(expected.0.iter().skip(1));
            assert!(ends.clone().all(|(a, b)| a.at <= b.at), "it goes on: {seed}");
            let stream = Source::stream("test", Trickle(Cursor::new(bytes.clone())));
            assert_eq!(walk(stream, depth), expected, "{seed}");
            if seed % 8 == 0 {
                assert_eq!(walk(Source::file("test", file(&bytes)).expect("a file"), depth), expected, "{seed}");
            }
        }
    }
}

/// A stream that gives little at a time.
struct Trickle(Cursor<Vec<u8>>);

impl std::io::Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len().min(1 + (self.0.position() % 701) as usize);
        self.0.read(&mut buffer[..len])
    }
}

#[test]
fn bytes_missing_or_too_many_in_a_frame_cost_that_chunk() {
    for seed in 0..60 {
        let bytes = archive(seed, 7, None);
        for (lost, (at, len)) in places(&bytes).into_iter().enumerate() {
            for damage in 0..3 {
                let (mut bytes, frame_at, count) = (bytes.clone(), at + RECORD_BYTES, (len - RECORD_BYTES).div_ceil(2));
                match damage {
                    0 => drop(bytes.drain(frame_at..frame_at + count)),
                    1 => drop(bytes.splice(frame_at + count..frame_at + count, vec![0x58; 300])),
                    _ => bytes[frame_at + count / 2] ^= 4,
                }
                let found = walk_bytes(&bytes);
                let broken = found.iter().filter(|found| matches!(found.item, Item::Broken(..))).count();
                let numbers: Vec<_> = chunks(&found).iter().map(|(_, record)| record.seq.0 - seed % 3).collect();
                let expected: Vec<_> = (0..7).filter(|number| *number != lost as u64).collect();
                assert_eq!((numbers, broken), (expected, 1), "{seed}, chunk {lost}, damage {damage}");
                assert!(matches!(found.last().expect("a seal").item, Item::Seal(_, Ok(()))));
                assert!(found.iter().all(|found| found.key == Some(header(seed, family(seed)).key())));
            }
        }
    }
}

#[test]
fn a_damaged_record_costs_its_chunk_and_is_nobody_elses() {
    for seed in 0..20 {
        let bytes = archive(seed, 4, None);
        let places = places(&bytes);
        for bit in 0..RECORD_BYTES * 8 {
            let mut bytes = bytes.clone();
            bytes[places[1].0 + bit / 8] ^= 1 << (bit % 8);
            let found = walk_bytes(&bytes);
            let numbers: Vec<_> = chunks(&found).iter().map(|(_, record)| record.seq.0 - seed % 3).collect();
            assert_eq!(numbers, [0, 2, 3], "{seed}, bit {bit}");
            assert!(found.iter().all(|found| found.key == Some(header(seed, family(seed)).key())));
        }
    }
}

#[test]
fn without_a_header_the_chunks_are_found_and_are_of_one_store() {
    for seed in 0..40 {
        let bytes = archive(seed, 6, None);
        let expected = chunks(&walk_bytes(&bytes));
        for cut in [1, 20, 64, 127] {
            let mut damaged = bytes.clone();
            damaged[cut] ^= 1;
            let found = walk_bytes(&damaged);
            assert_eq!(chunks(&found), expected);
            let stores = found.iter().skip(1).map(|found| found.key.expect("of a store").store);
            assert!(stores.clone().all(|store| store == header(seed, family(seed)).key().store));
            let headless = &bytes[cut..];
            let found = chunks(&walk_bytes(headless));
            assert_eq!(
                found.iter().map(|found| found.1).collect::<Vec<_>>(),
                expected.iter().map(|e| e.1).collect::<Vec<_>>()
            );
            // In the middle of a frame.
            let at = places(&bytes)[2].0 + RECORD_BYTES + 3;
            assert_eq!(chunks(&walk_bytes(&bytes[at..])).len(), 3);
        }
    }
}

#[test]
fn archives_after_one_another_and_junk_around_them() {
    for seed in 0..40 {
        let (a, b, junk) = (archive(seed, 3, None), archive(seed + 1, 4, None), dice(seed).bytes(5000));
        let count = |parts: &[&[u8]]| chunks(&walk_bytes(&parts.concat())).len();
        assert_eq!(count(&[&a, &b]), 7);
        assert_eq!(count(&[&junk, &a, &b]), 7);
        assert_eq!(count(&[&a, &junk, &b, &junk]), 7);
        assert_eq!(count(&[&[0; 4096], &a, &vec![0; 100_000], &b[128..], &[0; 3]]), 7);
        assert_eq!(count(&[&a[..a.len() - 300], &b[..b.len() - 10], &a]), count(&[&a[..a.len() - 300]]) + 7);
    }
}

#[test]
fn nothing_slips_through_between_two_reads() {
    let bytes = archive(5, 2, None);
    for headless in [0, 128] {
        for short_of in 0..160 {
            let junk = vec![0x58; (128 << 10) - short_of];
            assert_eq!(chunks(&walk_bytes(&[&junk, &bytes[headless..]].concat())).len(), 2, "{headless}, {short_of}");
        }
    }
}

#[test]
fn the_inside_of_an_intact_frame_is_not_looked_at() {
    for seed in 0..40 {
        let nested = archive(seed + 1, 3, None);
        let bytes = archive(seed, 5, Some(&nested));
        let found = walk_bytes(&bytes);
        assert_eq!((chunks(&found).len(), found.len()), (5, 7));
        let (at, len) = places(&bytes)[2];
        // One that only lost its content, and is not out of place.
        let mut damaged = bytes.clone();
        damaged[at + RECORD_BYTES + 50] ^= 1;
        assert_eq!(chunks(&walk_bytes(&damaged)).len(), 4);
        // With its end lost too, what is in it is found; salvage knows better.
        damaged[at + len..at + len + 50].fill(0);
        assert_eq!(chunks(&walk_bytes(&damaged)).len(), 3 + 3);
    }
}

#[test]
fn frames_of_others_are_passed_over_in_their_place() {
    let bytes = archive(4, 3, None);
    let (at, _) = places(&bytes)[1];
    for len in [0_u32, 5, 70_000] {
        let frame = [&0x184D_2A53_u32.to_le_bytes()[..], &len.to_le_bytes(), &vec![9; len as usize]].concat();
        let found = walk_bytes(&[&bytes[..at], &frame, &bytes[at..]].concat());
        assert_eq!(found[2].item, Item::Skip { frame_len: 8 + len });
        assert_eq!(chunks(&found).len(), 3);
    }
}

#[test]
fn one_of_a_newer_version_is_told_and_searched() {
    let mut bytes = archive(4, 3, None);
    bytes[0x20] = 2;
    let crc = crate::format::crc32(&bytes[..0x7C]);
    bytes[0x7C..0x80].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(walk_bytes(&bytes)[0].item, Item::Lost(FormatError::Major { major: 2, minor: 0 }));
}

/// What somebody may make up to keep us busy: as many structures as fit, each of which says that a lot follows.
fn hostile(kind: usize, len: usize) -> Vec<u8> {
    let header = header(9, Family::Zstd);
    let key = SegmentKey { chunk_bytes_max: CHUNK_BYTES_MAX, ..header.key() };
    let stranger = SegmentKey::new(&StoreId([3; 16]), Salt(4), Family::Zstd, CHUNK_BYTES_MAX);
    let mut bytes = SegmentHeader { chunk_bytes_max: CHUNK_BYTES_MAX, ..header }.encode().to_vec();
    let mut number = 0;
    while bytes.len() < len {
        number += 2;
        let frame_len = [20, 4000, 70_000, CHUNK_BYTES_MAX][number / 2 % 4];
        let record = Record {
            seq: ChunkSeq(number as u64),
            offset: StreamOffset(0),
            raw_len: CHUNK_BYTES_MAX,
            frame_len: if kind == 3 { 20 } else { frame_len.max(if kind < 2 { CHUNK_BYTES_MAX } else { 0 }) },
            raw_crc: 0,
            frame_crc: 0,
            codec: crate::format::CodecId::Raw,
            record_end: false,
        };
        let seal = Seal {
            next_seq: ChunkSeq(number as u64),
            end_offset: StreamOffset(0),
            chunks: 0,
            table_len: 500 << 20,
            table_crc: 0,
            end: EndState::End,
        };
        bytes.extend(match kind {
            0 | 2 | 3 => record.encode(&key),
            1 => record.encode(&stranger),
            4 => seal.encode(&key),
            5 => Seal { table_len: 10 << 20, ..seal }.encode(&key),
            6 => Seal { table_len: 10 << 20, ..seal }.encode(&stranger),
            _ => [OUR_FRAME, 56_u32.to_le_bytes()].concat().repeat(RECORD_BYTES / 8).try_into().expect("64"),
        });
    }
    bytes
}

/// The archive behind all of that is not asked for: who makes up the one may make up the other. It is for no one to wait.
#[test]
fn made_up_structures_cost_linear_time_and_bounded_memory() {
    for kind in 0..8 {
        let bytes = hostile(kind, 5_000_000);
        for depth in [Depth::Full, Depth::Structure] {
            for stream in [false, true] {
                let source = if stream {
                    Source::stream("test", Cursor::new(bytes.clone()))
                } else {
                    Source::bytes("test", &*bytes)
                };
                let start = Instant::now();
                let mut scan = Scan::new(source, depth);
                while scan.next().expect("readable").is_some() {}
                assert_eq!(scan.at(), bytes.len() as u64);
                let took = start.elapsed();
                assert!(took < Duration::from_secs(5), "kind {kind}, {depth:?}, stream {stream}: {took:?}");
                // Who looks at frames decodes them, too; who does not has to be able to go back by one.
                let frames = if depth == Depth::Full { 1 } else { 2 };
                assert!(scan.window.memory_bytes() <= frames * CHUNK_BYTES_MAX as usize + (512 << 10));
            }
        }
    }
}

#[test]
fn what_was_spent_in_vain_does_not_count_in_a_pass_from_elsewhere() {
    let bytes = archive(1, 5, None);
    let mut scan = Scan::new(Source::bytes("m", bytes.clone()), Depth::Full);
    let whole = chunks(&walk_bytes(&bytes)).len();
    let mut passes = |spent| {
        scan.state.fruitless_bytes = spent;
        scan.go(0, None, Depth::Full);
        let mut found = Vec::new();
        while let Some(next) = scan.next().expect("memory") {
            found.push(next);
        }
        chunks(&found).len()
    };
    assert_eq!([0, u64::MAX].map(&mut passes), [whole, whole]);
    scan.state.fruitless_bytes = 5;
    let paused = scan.pause();
    scan.go(0, None, Depth::Structure);
    scan.unpause(paused);
    assert_eq!(scan.state.fruitless_bytes, 5, "the pass that is gone on with is the same one");
}
