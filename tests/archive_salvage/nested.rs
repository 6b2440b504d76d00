//! What is a stream, and what is data of one: each rule.

use crate::world::{Plan, Tape, World, run, unordered};
use spillpipe::archive::salvage::{Options, Report, Why};
use spillpipe::format::{EndState, Family, RECORD_BYTES};

/// An archive with another one in the middle of chunk 2 of 5, and the places of its structures: header, records, seal.
struct Packed {
    world: World,
    archive: Tape,
    inner: Tape,
    at: Vec<usize>,
}

fn packed(family: Family, inner_chunk_bytes: usize) -> Packed {
    let mut world = World::default();
    let inner = world.archive(&Plan { chunks: 4, chunk_bytes: inner_chunk_bytes, ..Plan::new(40) });
    let archive = world.archive(&Plan { chunks: 5, nested: Some(&inner), family, ..Plan::new(50) });
    let at = records(&archive);
    Packed { world, archive, inner, at }
}

/// Where records of the first store stand, that of the header's segment.
fn records(archive: &Tape) -> Vec<usize> {
    let mut at = 128;
    let mut all = vec![0];
    loop {
        all.push(at);
        if &archive.bytes[at + 8..at + 12] == b"SPSL" {
            return all;
        }
        let len = u32::from_le_bytes(archive.bytes[at + 0x2C..at + 0x30].try_into().unwrap());
        at += RECORD_BYTES + len as usize;
    }
}

fn flip(tape: &mut Tape, at: usize) {
    tape.set(at, tape.bytes[at] ^ 1);
}

fn salvaged(tape: &Tape) -> Report {
    run(std::slice::from_ref(tape), &Options::default()).0
}

/// Streams, chunks of each, and chunks left out.
fn counts(report: &Report) -> (Vec<u64>, u64) {
    let streams = report.streams.iter().map(|stream| stream.chunks).collect();
    (streams, report.left_out.iter().map(|left| left.chunks).sum())
}

#[test]
fn in_a_chunk_that_is_whole_nothing_is_looked_for() {
    for family in Family::ALL {
        let packed = packed(family, 700);
        assert_eq!(counts(&salvaged(&packed.archive)), (vec![5], 0));
    }
}

#[test]
fn what_shows_where_a_chunk_is_damaged_and_the_stream_goes_on_is_its_data() {
    for family in Family::ALL {
        let Packed { archive, at, .. } = packed(family, 700);
        // Bytes too many, in front of it and behind it; missing; and the record of the next chunk is lost, too.
        for damage in 0..4 {
            let mut archive = archive.clone();
            let frame_at = at[3] + RECORD_BYTES;
            let lost = match damage {
                0 => {
                    archive.insert(frame_at + 30, Tape::junk(vec![1; 100]));
                    1
                }
                1 => {
                    archive.insert(at[4] - 10, Tape::junk(vec![1; 100]));
                    1
                }
                2 => {
                    archive.remove(frame_at + 30..frame_at + 40);
                    1
                }
                _ => {
                    flip(&mut archive, frame_at + 30);
                    flip(&mut archive, at[4] + 30);
                    2
                }
            };
            let report = salvaged(&archive);
            assert_eq!(counts(&report), (vec![5 - lost], 4), "{damage}: {report:#?}");
            assert_eq!(report.left_out[0].why, Why::Nested);
            // It can be had all the same.
            let options = unordered();
            let (unordered, _) = run(&[archive], &options);
            assert!(unordered.bytes_out > report.bytes_out);
        }
    }
}

#[test]
fn what_shows_in_the_last_frame_of_one_that_was_cut_off_is_its_data() {
    let Packed { archive, at, .. } = packed(Family::Lz4, 700);
    let cut = archive.cut(0..at[4] - 20);
    assert_eq!(counts(&salvaged(&cut)), (vec![2], 4));
}

#[test]
fn what_follows_on_one_that_was_cut_off_is_a_stream() {
    let Packed { archive, inner, at, world, .. } = packed(Family::Lz4, 700);
    // At a chunk's end; within a frame, and longer than what is missing of that; and whatever it ends with.
    for (cut_at, whole) in [(at[3], 2), (at[4] - 20, 2), (at[2] + 65, 1)] {
        for keep in [inner.len(), inner.len() - 120] {
            let mut tape = archive.cut(0..cut_at);
            if cut_at == at[4] - 20 {
                // The nested one is damaged beyond recognition.
                for at in (at[3] + RECORD_BYTES..cut_at).step_by(16) {
                    flip(&mut tape, at);
                }
            }
            let second = inner.cut(0..keep);
            tape.push(&second);
            let report = salvaged(&tape);
            assert_eq!(counts(&report).0.len(), 2, "{cut_at}, {keep}: {report:#?}");
            assert_eq!(report.streams[0].chunks, whole);
            assert!(report.left_out.is_empty());
        }
    }
    assert_eq!(world.truths.len(), 2);
}

#[test]
fn one_after_another_are_two_streams_whatever_is_lost_of_them() {
    let mut world = World::default();
    let first = world.archive(&Plan { chunks: 4, end: EndState::Continues, ..Plan::new(60) });
    let second = world.archive(&Plan { chunks: 4, ..Plan::new(70) });
    for damaged in 0..5 {
        let mut tape = first.clone();
        tape.push(&second);
        let at = records(&first);
        flip(&mut tape, at[damaged] + 20);
        let report = salvaged(&tape);
        assert_eq!(report.streams.len(), 2, "{report:#?}");
        world.check(&[tape.clone()], &run(&[tape], &Options::default()), "one after another");
    }
}

/// What stands in one piece for longer than a block of zstd's was not packed into a chunk of that family.
#[test]
fn what_is_longer_than_a_block_is_a_stream_of_its_own() {
    let mut world = World::default();
    let old = world.archive(&Plan { chunks: 40, chunk_bytes: 30_000, family: Family::Zstd, ..Plan::new(80) });
    let new = world.archive(&Plan { chunks: 12, chunk_bytes: 40_000, ..Plan::new(91) });
    assert!(new.len() > 128 << 10 && new.len() + 100_000 < old.len());
    let mut tape = old.clone();
    tape.write(50_001, &new);
    let report = salvaged(&tape);
    assert_eq!((report.streams.len(), report.left_out.len()), (2, 0), "{report:#?}");
    assert_eq!(report.streams[1].chunks, 12);
}

/// A file system writes whole blocks: what begins with one was a file.
#[test]
fn what_a_disk_had_written_over_an_old_archive_is_a_stream_of_its_own() {
    let mut world = World::default();
    let old = world.archive(&Plan { chunks: 30, ..Plan::new(80) });
    let mut new = world.archive(&Plan { chunks: 3, chunk_bytes: 700, ..Plan::new(91) });
    let packed = new.len();
    new.pad(4096);
    let mut tape = old.clone();
    tape.write(8192, &new);
    let report = salvaged(&tape);
    assert_eq!((report.streams.len(), report.streams[1].chunks), (2, 3), "{report:#?}");
    // In another place the same is data, as far as anyone can tell.
    let mut tape = old.clone();
    let at = records(&old)[8] + RECORD_BYTES + 20;
    tape.insert(at, new.cut(0..packed));
    let report = salvaged(&tape);
    assert_eq!((report.streams.len(), report.left_out.len()), (1, 1), "{report:#?}");
}

/// An image of a disk has a file in pieces, and another one between them.
#[test]
fn what_stands_between_two_pieces_of_a_file_is_a_stream() {
    let mut world = World::default();
    let mut outer = world.archive(&Plan { chunks: 20, ..Plan::new(80) });
    let mut between = world.archive(&Plan { chunks: 3, chunk_bytes: 700, ..Plan::new(91) });
    outer.pad(4096);
    between.pad(4096);
    let tail = outer.remove(8192..outer.len());
    // The pieces in their order, and the other way round.
    for swapped in [false, true] {
        let mut tape = Tape::default();
        let pieces = if swapped { [&tail, &between, &outer] } else { [&outer, &between, &tail] };
        for piece in pieces {
            tape.push(piece);
        }
        let report = salvaged(&tape);
        assert_eq!((report.streams.len(), report.left_out.len()), (2, 0), "{swapped}: {report:#?}");
        assert_eq!(report.streams.iter().map(|stream| stream.chunks).sum::<u64>(), 22);
    }
}

#[test]
fn a_chunk_whose_record_is_damaged_is_no_stream() {
    let mut world = World::default();
    let mut tape = world.archive(&Plan { chunks: 6, ..Plan::new(80) });
    let at = records(&tape);
    // The header is lost; of the third record, its number.
    flip(&mut tape, 100);
    flip(&mut tape, at[3] + 0x18);
    let report = salvaged(&tape);
    assert_eq!(counts(&report), (vec![5], 1), "{report:#?}");
    assert_eq!(report.left_out[0].why, Why::DamagedRecord);
}
