//! What the simulated disk promises to the tests that stand on it. A simulation that is kinder than a disk hides
//! the very defects that it is for.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use proptest::prelude::*;
use spillpipe::format::{Family, SegmentNumber};
use spillpipe::store::{Append, Fault, SegmentName, SimStore, Store, Unsynced};
use std::io::{self, ErrorKind, IoSlice};

fn name(number: u64) -> SegmentName {
    SegmentName { number: SegmentNumber(number), family: Family::Zstd }
}

fn append(segment: &dyn Append, bytes: &[u8]) -> io::Result<()> {
    segment.append(&[IoSlice::new(bytes)])
}

/// Segment 1: entry durable, "durable" durable, "-tail" not. Segment 2: nothing durable.
/// Segment 3: durable, its removal is not.
fn half_synced(seed: u64) -> SimStore {
    let disk = SimStore::new(seed);
    let first = disk.create(name(1)).unwrap();
    append(&*first, b"durable").unwrap();
    first.sync().unwrap();
    let third = disk.create(name(3)).unwrap();
    append(&*third, b"third").unwrap();
    third.sync().unwrap();
    disk.sync().unwrap();

    append(&*first, b"-tail").unwrap();
    append(&*disk.create(name(2)).unwrap(), b"second").unwrap();
    disk.remove(name(3)).unwrap();
    disk
}

#[test]
fn a_crash_that_loses_takes_all_that_was_not_synced() {
    let disk = half_synced(1);
    assert_eq!(disk.durable_bytes(name(1)).unwrap(), 7);
    let found = disk.crash(Unsynced::Lost);
    assert_eq!(found.list().unwrap(), [name(1), name(3)], "the creation is gone, the removal too");
    assert_eq!(found.bytes(name(1)).unwrap(), b"durable");
    assert_eq!(found.bytes(name(3)).unwrap(), b"third");
    assert_eq!(disk.list().unwrap(), [name(1), name(2)], "the disk itself goes on");
}

#[test]
fn a_crash_that_keeps_takes_nothing() {
    let found = half_synced(1).crash(Unsynced::Kept);
    assert_eq!(found.list().unwrap(), [name(1), name(2)]);
    assert_eq!(found.bytes(name(1)).unwrap(), b"durable-tail");
    assert_eq!(found.bytes(name(2)).unwrap(), b"second");
    assert_eq!(found.durable_bytes(name(2)).unwrap(), 6, "what was found is durable");
    assert_eq!(found.crash(Unsynced::Lost).list().unwrap(), [name(1), name(2)]);
}

#[test]
fn synced_bytes_without_a_synced_entry_are_lost() {
    let disk = SimStore::new(1);
    let segment = disk.create(name(1)).unwrap();
    append(&*segment, b"bytes").unwrap();
    segment.sync().unwrap();
    assert_eq!(disk.crash(Unsynced::Lost).list().unwrap(), []);
}

#[test]
fn a_synced_entry_without_synced_bytes_is_empty() {
    let disk = SimStore::new(1);
    append(&*disk.create(name(1)).unwrap(), b"bytes").unwrap();
    disk.sync().unwrap();
    assert_eq!(disk.crash(Unsynced::Lost).bytes(name(1)).unwrap(), b"");
}

/// Over many seeds a tear shows every outcome that it may have, and none that it may not.
#[test]
fn a_tear_shows_all_outcomes_over_the_seeds() {
    let (durable, tail) = ([1_u8; 700], [2_u8; 4000]);
    let (mut zeroed, mut garbage, mut cut, mut created, mut removed) = (0, 0, 0, 0, 0);
    for seed in 0..200 {
        let disk = half_synced(seed);
        let segment = disk.create(name(4)).unwrap();
        append(&*segment, &durable).unwrap();
        segment.sync().unwrap();
        disk.sync().unwrap();
        append(&*segment, &tail).unwrap();
        append(&*disk.create(name(5)).unwrap(), b"new").unwrap();
        disk.remove(name(1)).unwrap();

        let found = disk.crash(Unsynced::Torn);
        assert_eq!(format!("{:?}", found.list().unwrap()), format!("{:?}", disk.crash(Unsynced::Torn).list().unwrap()));
        let bytes = found.bytes(name(4)).unwrap();
        assert_eq!(bytes, disk.crash(Unsynced::Torn).bytes(name(4)).unwrap(), "the same moment, the same tear");
        assert_eq!(bytes[..700], durable, "also where a sector holds both");
        assert!(bytes.len() <= 4700);
        cut += u32::from(bytes.len() < 4700);
        zeroed += u32::from(bytes[700..].contains(&0));
        garbage += u32::from(bytes[700..].iter().any(|&byte| byte > 2));
        created += u32::from(found.bytes(name(5)).is_ok());
        removed += u32::from(found.bytes(name(1)).is_err());
    }
    for (what, seen, at_least) in
        [("cut", cut, 190), ("zeroed", zeroed, 50), ("garbage", garbage, 50), ("created", created, 50)]
    {
        assert!(seen >= at_least && seen <= 200, "{what}: {seen} of 200");
    }
    assert!(created < 150 && (50..150).contains(&removed), "created {created}, removed {removed} of 200");
}

#[test]
fn operations_are_counted_one_by_one() {
    let disk = SimStore::new(1);
    let mut expected = 0;
    let mut counted = |what: &str| {
        expected += 1;
        assert_eq!(disk.operations(), expected, "{what}");
    };
    let segment = disk.create(name(1)).unwrap();
    counted("create");
    append(&*segment, b"x").unwrap();
    counted("append");
    segment.sync().unwrap();
    counted("sync");
    disk.sync().unwrap();
    counted("directory sync");
    let reader = disk.open(name(1)).unwrap();
    counted("open");
    reader.read_at(&mut [0], 0).unwrap();
    counted("read");
    disk.list().unwrap();
    counted("list");
    disk.space().unwrap();
    counted("space");
    disk.remove(name(1)).unwrap();
    counted("remove");
    disk.remove(name(1)).unwrap_err();
    counted("one that fails by itself");
    assert_eq!((reader.len().unwrap(), segment.len()), (1, 1));
    drop((reader, segment));
    assert_eq!(disk.operations(), 10, "lengths and handles are not counted");
}

/// Writes records of 100 bytes, each synced, into segments of three, removing the oldest beyond two; returns how many
/// were acknowledged as durable. What a spool does, without its format.
fn push_records(disk: &SimStore) -> (u64, io::Result<()>) {
    let mut acknowledged = 0;
    let mut push = || -> io::Result<()> {
        for number in 1..=4 {
            let segment = disk.create(name(number))?;
            disk.sync()?;
            for _ in 0..3 {
                append(&*segment, &[u8::try_from(acknowledged + 1).unwrap(); 100])?;
                segment.sync()?;
                acknowledged += 1;
            }
            if disk.list()?.len() > 2 {
                disk.remove(name(number - 2))?;
                disk.sync()?;
            }
            disk.open(name(number))?.read_exact_at(&mut [0; 300], 0)?;
            disk.space()?;
        }
        Ok(())
    };
    let result = push();
    (acknowledged, result)
}

/// Every acknowledged record whose segment was not removed is there, in its place.
fn assert_acknowledged(found: &SimStore, acknowledged: u64) {
    let names = found.list().unwrap();
    for record in 0..acknowledged {
        let (segment, place) = (name(record / 3 + 1), usize::try_from(record % 3).unwrap());
        if segment.number.0 + 2 <= acknowledged.div_ceil(3) {
            continue; // may be removed
        }
        assert!(names.contains(&segment), "{segment} of {names:?}, {acknowledged} acknowledged");
        let bytes = found.bytes(segment).unwrap();
        assert_eq!(bytes[place * 100..][..100], [u8::try_from(record + 1).unwrap(); 100]);
    }
}

#[test]
fn any_single_operation_can_fail() {
    let clean = SimStore::new(1);
    push_records(&clean).1.unwrap();
    for n in 1..=clean.operations() {
        for (fault, kind) in
            [(Fault::Eio, None), (Fault::ShortWrite, None), (Fault::Enospc, Some(ErrorKind::StorageFull))]
        {
            for sticky in [false, true] {
                let disk = SimStore::new(n);
                disk.fail_nth(n, fault, sticky);
                let (acknowledged, result) = push_records(&disk);
                let error = result.unwrap_err();
                assert_eq!(disk.operations(), n, "it is the n-th that fails");
                assert!(kind.is_none_or(|kind| error.kind() == kind), "{error}");
                assert!(kind.is_some() || error.raw_os_error() == Some(5), "EIO: {error}");
                assert_eq!(disk.list().is_err(), sticky, "only a sticky fault stays");
                disk.heal();
                for unsynced in [Unsynced::Lost, Unsynced::Kept, Unsynced::Torn] {
                    assert_acknowledged(&disk.crash(unsynced), acknowledged);
                }
            }
        }
    }
}

#[test]
fn the_machine_can_stop_at_any_operation() {
    let clean = SimStore::new(1);
    push_records(&clean).1.unwrap();
    let total = clean.operations();
    for n in 1..=total {
        for seed in 0..4 {
            let disk = SimStore::new(seed);
            disk.crash_at(n);
            let (acknowledged, result) = push_records(&disk);
            assert_eq!(result.unwrap_err().kind(), ErrorKind::Other);
            assert_eq!(disk.list().unwrap_err().kind(), ErrorKind::Other, "it stays stopped");
            for unsynced in [Unsynced::Lost, Unsynced::Kept, Unsynced::Torn] {
                let found = disk.crash(unsynced);
                assert_acknowledged(&found, acknowledged);
                assert_eq!(found.operations(), 1, "counted from the start again: this was the list");
            }
        }
    }
    let disk = SimStore::new(1);
    disk.crash_at(total + 1);
    push_records(&disk).1.unwrap();
}

/// A signal is not the caller's business; it costs a number.
#[test]
fn an_interrupted_operation_is_started_again() {
    let clean = SimStore::new(1);
    push_records(&clean).1.unwrap();
    for n in 1..=clean.operations() {
        let disk = SimStore::new(1);
        disk.fail_nth(n, Fault::Eintr, false);
        push_records(&disk).1.unwrap();
        assert_eq!(disk.operations(), clean.operations() + 1);
    }
    let disk = SimStore::new(1);
    disk.fail_nth(1, Fault::Eintr, true);
    assert_eq!(disk.create(name(1)).unwrap_err().kind(), ErrorKind::Interrupted, "but a test has to end");
    disk.heal();
    assert_eq!(disk.list().unwrap(), []);
}

#[test]
fn a_short_write_leaves_a_part_that_nobody_is_told_of() {
    let lengths: Vec<usize> = (0..40)
        .map(|seed| {
            let disk = SimStore::new(seed);
            let segment = disk.create(name(1)).unwrap();
            append(&*segment, b"before").unwrap();
            disk.fail_nth(3, Fault::ShortWrite, false);
            append(&*segment, &[9; 50]).unwrap_err();
            assert_eq!(segment.len(), 6);
            assert_eq!(append(&*segment, b"x").unwrap_err().kind(), ErrorKind::Other);
            assert_eq!(disk.operations(), 3, "a latched segment asks no disk");
            let bytes = disk.bytes(name(1)).unwrap();
            assert_eq!(&bytes[..6], b"before");
            bytes.len() - 6
        })
        .collect();
    assert!(lengths.iter().all(|&n| n < 50) && lengths.iter().any(|&n| n > 0), "{lengths:?}");
}

#[test]
fn a_failed_sync_is_final_and_made_nothing_durable() {
    let disk = SimStore::new(1);
    let segment = disk.create(name(1)).unwrap();
    disk.sync().unwrap();
    append(&*segment, b"bytes").unwrap();
    disk.fail_nth(4, Fault::Eio, false);
    segment.sync().unwrap_err();
    segment.sync().unwrap_err();
    append(&*segment, b"x").unwrap_err();
    assert_eq!(disk.crash(Unsynced::Lost).bytes(name(1)).unwrap(), b"");
}

#[test]
fn clones_are_the_same_disk() {
    let disk = SimStore::new(1);
    let engine = disk.clone();
    disk.set_capacity(Some(3));
    let segment = engine.create(name(1)).unwrap();
    assert_eq!(append(&*segment, b"four").unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(disk.bytes(name(1)).unwrap(), b"fou", "what fits goes in");
    assert_eq!(disk.space().unwrap().free_bytes, 0);
    disk.set_capacity(Some(1));
    assert_eq!(disk.space().unwrap().free_bytes, 0, "less than there is");
    assert_eq!(disk.operations(), 4);
}

#[test]
fn damage_is_exactly_what_was_asked_for() {
    let disk = SimStore::new(1);
    append(&*disk.create(name(1)).unwrap(), &[0x55; 8]).unwrap();
    let bytes = || disk.bytes(name(1)).unwrap();
    disk.flip_bit(name(1), 2, 7).unwrap();
    assert_eq!(bytes(), [0x55, 0x55, 0xD5, 0x55, 0x55, 0x55, 0x55, 0x55]);
    disk.flip_bit(name(1), 2, 7).unwrap();
    disk.zero(name(1), 6..8).unwrap();
    assert_eq!(bytes(), [0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0, 0]);
    disk.corrupt(name(1), 0..6).unwrap();
    assert!(bytes()[..6].iter().all(|&byte| byte != 0x55), "every byte differs");
    disk.truncate(name(1), 3).unwrap();
    disk.truncate(name(1), 30).unwrap();
    assert_eq!(bytes().len(), 3);

    for refused in [disk.flip_bit(name(1), 3, 0), disk.flip_bit(name(1), 0, 8), disk.zero(name(1), 2..4)] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    assert_eq!(disk.flip_bit(name(2), 0, 0).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(disk.operations(), 2);
}

proptest! {
    /// Of any appends and syncs, a crash keeps at least what was synced, and never bytes past what was written.
    #[test]
    fn a_crash_keeps_what_was_synced(seed: u64, steps in prop::collection::vec((0..2000_usize, any::<bool>()), 0..12)) {
        let disk = SimStore::new(seed);
        let segment = disk.create(name(1)).unwrap();
        disk.sync().unwrap();
        let (mut written, mut synced) = (Vec::new(), 0);
        for (len, sync) in steps {
            let bytes: Vec<u8> = (0..len).map(|i| u8::try_from((written.len() + i) % 251).unwrap()).collect();
            append(&*segment, &bytes).unwrap();
            written.extend(bytes);
            if sync {
                segment.sync().unwrap();
                synced = written.len();
            }
        }
        prop_assert_eq!(disk.crash(Unsynced::Lost).bytes(name(1)).unwrap(), &written[..synced]);
        prop_assert_eq!(&disk.crash(Unsynced::Kept).bytes(name(1)).unwrap(), &written);
        let torn = disk.crash(Unsynced::Torn).bytes(name(1)).unwrap();
        prop_assert!((synced..=written.len()).contains(&torn.len()));
        prop_assert_eq!(&torn[..synced], &written[..synced]);
    }
}
