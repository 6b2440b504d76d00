//! The simulated disk as the home of a spool: what a crash may do to its small files, and what it may not.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use proptest::prelude::*;
use spillpipe::format::{Family, SegmentNumber};
use spillpipe::store::{Fault, FileName, Files, Folder, Holder, SegmentName, SimStore, Store, Unsynced};
use std::io::{ErrorKind, IoSlice};

const EVERY: [Unsynced; 3] = [Unsynced::Lost, Unsynced::Kept, Unsynced::Torn];
const SECTOR: usize = 512;

fn cursor() -> FileName {
    FileName::reader("a").unwrap()
}

fn segment(number: u64) -> SegmentName {
    SegmentName { number: SegmentNumber(number), family: Family::Zstd }
}

/// A disk with a cursor of eight sectors of ones: one operation.
fn with_cursor(seed: u64) -> SimStore {
    let disk = SimStore::new(seed);
    disk.create_file(&cursor(), &[1; 8 * SECTOR]).unwrap();
    disk
}

#[test]
fn what_was_created_updated_or_removed_stays_so() {
    for unsynced in EVERY {
        let disk = with_cursor(1);
        assert_eq!(disk.crash(unsynced).bytes(cursor()).unwrap(), [1; 8 * SECTOR], "{unsynced:?}");
        disk.update_file(&cursor(), 100, &[2; 1000]).unwrap();
        let mut expected = [1; 8 * SECTOR];
        expected[100..1100].fill(2);
        assert_eq!(disk.crash(unsynced).bytes(cursor()).unwrap(), expected, "{unsynced:?}");
        disk.remove_file(&cursor()).unwrap();
        assert_eq!(disk.crash(unsynced).bytes(cursor()).unwrap_err().kind(), ErrorKind::NotFound, "{unsynced:?}");
    }
}

#[test]
fn a_creation_in_flight_is_there_whole_or_not_at_all() {
    let mut there = 0;
    for seed in 0..100 {
        let disk = SimStore::new(seed);
        disk.crash_at(1);
        disk.create_file(&cursor(), &[1; 4096]).unwrap_err();
        let found = EVERY.map(|unsynced| disk.crash(unsynced).bytes(cursor()).ok());
        assert!(found[0] == found[1] && found[1] == found[2], "it was or was not, whatever is not synced");
        assert!(found[0].as_ref().is_none_or(|bytes| *bytes == [1; 4096]));
        there += u32::from(found[0].is_some());
    }
    assert!((25..75).contains(&there), "{there} of 100");
}

#[test]
fn a_removal_in_flight_happens_or_not() {
    let mut there = 0;
    for seed in 0..100 {
        let disk = with_cursor(seed);
        disk.crash_at(2);
        disk.remove_file(&cursor()).unwrap_err();
        let found = EVERY.map(|unsynced| disk.crash(unsynced).bytes(cursor()).ok());
        assert!(found[0] == found[1] && found[1] == found[2]);
        there += u32::from(found[0].is_some());
    }
    assert!((25..75).contains(&there), "{there} of 100");
}

/// Counts of the sectors from 2 up to 6 that are as before, as after, and neither; all others must be as before.
fn sectors(bytes: &[u8]) -> [u32; 3] {
    assert_eq!(bytes.len(), 8 * SECTOR);
    let mut counts = [0; 3];
    for (at, sector) in bytes.chunks(SECTOR).enumerate() {
        let kind = [1, 2].iter().position(|byte| sector.iter().all(|b| b == byte)).unwrap_or(2);
        if (2..6).contains(&at) {
            counts[kind] += 1;
        } else {
            assert_eq!(kind, 0, "sector {at} was not written to");
        }
    }
    counts
}

/// Between the write and the sync (which fails), and while the sync is in flight.
#[test]
fn an_update_that_was_not_synced_is_lost_kept_or_torn() {
    let (mut torn, mut synced) = ([0; 3], 0);
    for seed in 0..200 {
        let disk = with_cursor(seed);
        disk.fail_nth(3, Fault::Eio, false);
        disk.update_file(&cursor(), 2 * SECTOR as u64, &[2; 4 * SECTOR]).unwrap_err();
        assert_eq!(disk.operations(), 3, "the write, and the sync");
        assert_eq!(sectors(&disk.bytes(cursor()).unwrap()), [0, 4, 0], "it reads as it was written");
        assert_eq!(sectors(&disk.crash(Unsynced::Lost).bytes(cursor()).unwrap()), [4, 0, 0]);
        assert_eq!(sectors(&disk.crash(Unsynced::Kept).bytes(cursor()).unwrap()), [0, 4, 0]);
        let found = disk.crash(Unsynced::Torn).bytes(cursor()).unwrap();
        assert_eq!(found, disk.crash(Unsynced::Torn).bytes(cursor()).unwrap(), "the same moment, the same tear");
        torn = std::array::from_fn(|kind| torn[kind] + sectors(&found)[kind]);

        let disk = with_cursor(seed);
        disk.crash_at(3);
        disk.update_file(&cursor(), 2 * SECTOR as u64, &[2; 4 * SECTOR]).unwrap_err();
        synced += u32::from(sectors(&disk.crash(Unsynced::Lost).bytes(cursor()).unwrap()) == [0, 4, 0]);
    }
    assert!(torn.iter().all(|&kind| kind > 200), "of 800 sectors: old, new, garbage {torn:?}");
    assert!((50..150).contains(&synced), "{synced} of 200");
}

#[test]
fn a_write_in_flight_may_have_got_anywhere() {
    let (mut none, mut part, mut all) = (0, 0, 0);
    for seed in 0..2000 {
        let disk = with_cursor(seed);
        disk.crash_at(2);
        disk.update_file(&cursor(), 700, &[2; 20]).unwrap_err();
        let mut old = [1; 8 * SECTOR];
        assert_eq!(disk.crash(Unsynced::Lost).bytes(cursor()).unwrap(), old);
        let found = disk.crash(Unsynced::Kept).bytes(cursor()).unwrap();
        let written = found.iter().map(|byte| usize::from(*byte == 2)).sum();
        old[700..700 + written].fill(2);
        assert_eq!(found, old, "what came through is the beginning");
        match written {
            0 => none += 1,
            20 => all += 1,
            _ => part += 1,
        }
        let torn = disk.crash(Unsynced::Torn).bytes(cursor()).unwrap();
        assert!(torn[..SECTOR].iter().chain(&torn[2 * SECTOR..]).all(|&byte| byte == 1), "one sector at most");
    }
    assert!(none > 20 && part > 1000 && all > 20, "{none}, {part}, {all}");
}

/// After a failed fsync the system may call the pages clean: a later one says nothing about them.
#[test]
fn a_later_sync_does_not_make_up_for_a_failed_one() {
    let disk = with_cursor(1);
    disk.fail_nth(3, Fault::Eio, false);
    disk.update_file(&cursor(), 0, &[2; 512]).unwrap_err();
    disk.update_file(&cursor(), 4 * SECTOR as u64, &[3; 512]).unwrap();
    let mut expected = [1; 8 * SECTOR];
    expected[4 * SECTOR..5 * SECTOR].fill(3);
    assert_eq!(disk.crash(Unsynced::Lost).bytes(cursor()).unwrap(), expected);
    disk.update_file(&cursor(), 0, &[4; 512]).unwrap();
    expected[..SECTOR].fill(4);
    assert_eq!(disk.crash(Unsynced::Lost).bytes(cursor()).unwrap(), expected, "written again, it is durable");
}

#[test]
fn operations_are_counted_and_each_can_fail() {
    type Call = fn(&SimStore) -> std::io::Result<()>;
    let calls: [(&str, u64, Call); 9] = [
        ("create", 1, |disk| disk.create_file(&FileName::Spool, b"x")),
        ("read", 1, |disk| disk.read_file(&cursor()).map(drop)),
        ("update", 2, |disk| disk.update_file(&cursor(), 0, b"x")),
        ("list", 1, |disk| disk.list_files(Folder::Readers).map(drop)),
        ("sizes", 1, |disk| disk.segment_sizes().map(drop)),
        ("remove", 1, |disk| disk.remove_file(&cursor())),
        ("lock", 0, |disk| disk.try_lock(&FileName::WriterLock).map(drop)),
        ("holder", 0, |disk| disk.lock_holder(&FileName::WriterLock).map(drop)),
        ("bad name", 0, |disk| disk.remove_file(&FileName::Reader("/".into())).or(Ok(()))),
    ];
    for (what, operations, call) in calls {
        let disk = with_cursor(1);
        call(&disk).unwrap();
        assert_eq!(disk.operations(), 1 + operations, "{what}");
        for n in 0..operations {
            for (fault, code) in [(Fault::Eio, 5), (Fault::Enospc, 28), (Fault::ShortWrite, 5)] {
                let disk = with_cursor(1);
                disk.fail_nth(2 + n, fault, false);
                assert_eq!(call(&disk).unwrap_err().raw_os_error(), Some(code), "{what}");
                assert_eq!(disk.operations(), 2 + n, "{what}: nothing is done after a failure");
            }
            let disk = with_cursor(1);
            disk.fail_nth(2 + n, Fault::Eintr, false);
            call(&disk).unwrap();
            disk.crash_at(disk.operations() + 1);
            disk.list_files(Folder::Readers).unwrap_err();
            assert_eq!(call(&disk).unwrap_err().kind(), ErrorKind::Other, "{what} on a machine that has stopped");
        }
    }
}

#[test]
fn a_full_disk_takes_updates_and_removals() {
    let disk = with_cursor(1);
    disk.set_capacity(Some(8 * SECTOR as u64 + 10));
    assert_eq!(disk.space().unwrap().free_bytes, 10, "small files count");
    assert_eq!(disk.create_file(&FileName::Spool, &[0; 11]).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(disk.read_file(&FileName::Spool).unwrap_err().kind(), ErrorKind::NotFound, "nothing is left of it");
    disk.create_file(&FileName::Spool, &[0; 10]).unwrap();
    disk.update_file(&cursor(), 0, &[2; 8 * SECTOR]).unwrap();
    assert_eq!(disk.update_file(&cursor(), 1, &[3; 8 * SECTOR]).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(disk.bytes(cursor()).unwrap(), [2; 8 * SECTOR]);
    disk.remove_file(&cursor()).unwrap();
    assert_eq!(disk.space().unwrap().free_bytes, 8 * SECTOR as u64);
}

#[test]
fn nobody_holds_a_lock_after_a_crash() {
    let disk = with_cursor(1);
    let _held = [FileName::WriterLock, cursor()].map(|file| disk.try_lock(&file).unwrap().unwrap());
    let found = disk.crash(Unsynced::Kept);
    for file in [FileName::WriterLock, cursor()] {
        assert_eq!(found.lock_holder(&file).unwrap(), Holder::Nobody);
        let _again = found.try_lock(&file).unwrap().unwrap();
        assert!(disk.clone().try_lock(&file).unwrap().is_none(), "it is the same boot for whoever goes on");
    }
    assert_eq!((disk.operations(), found.operations()), (1, 0), "locks are no operations");
}

#[test]
fn damage_is_the_same_before_and_after_a_crash() {
    let disk = with_cursor(1);
    disk.flip_bit(cursor(), 0, 7).unwrap();
    disk.zero(cursor(), 10..20).unwrap();
    disk.corrupt(cursor(), 100..200).unwrap();
    let bytes = disk.bytes(cursor()).unwrap();
    assert_eq!(bytes[0], 0x81);
    assert!(bytes[10..20].iter().all(|&byte| byte == 0) && bytes[100..200].iter().all(|&byte| byte != 1));
    assert_eq!(bytes.iter().filter(|byte| **byte != 1).count(), 111, "and nothing else");
    for unsynced in EVERY {
        assert_eq!(disk.crash(unsynced).bytes(cursor()).unwrap(), bytes);
    }
    disk.truncate(cursor(), 150).unwrap();
    disk.truncate(cursor(), 1500).unwrap();
    for unsynced in EVERY {
        assert_eq!(disk.crash(unsynced).bytes(cursor()).unwrap(), bytes[..150]);
    }
    for refused in [disk.flip_bit(cursor(), 150, 0), disk.flip_bit(cursor(), 0, 8), disk.zero(cursor(), 149..151)] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    assert_eq!(disk.truncate(FileName::Spool, 0).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(disk.operations(), 1);
}

#[test]
fn bytes_can_be_put_there() {
    let disk = with_cursor(1);
    disk.put_bytes(cursor(), b"cursor");
    disk.put_bytes(&FileName::Spool, b"spool");
    disk.put_bytes(segment(1), b"first");
    disk.create(segment(2)).unwrap().append(&[IoSlice::new(b"longer than that")]).unwrap();
    disk.put_bytes(segment(2), b"second");
    for unsynced in EVERY {
        let found = disk.crash(unsynced);
        assert_eq!(found.read_file(&cursor()).unwrap(), b"cursor");
        assert_eq!(found.read_file(&FileName::Spool).unwrap(), b"spool");
        assert_eq!(found.segment_sizes().unwrap(), [(segment(1), 5), (segment(2), 6)]);
        assert_eq!(found.bytes(segment(2)).unwrap(), b"second");
    }
    assert_eq!(disk.operations(), 3, "only what was not put there");
}

#[test]
fn a_readers_sync_makes_durable_what_another_wrote() {
    let disk = SimStore::new(1);
    let written = disk.create(segment(1)).unwrap();
    disk.sync().unwrap();
    written.append(&[IoSlice::new(b"bytes")]).unwrap();
    let reader = disk.open(segment(1)).unwrap();
    disk.fail_nth(5, Fault::Eio, false);
    reader.sync().unwrap_err();
    assert_eq!(disk.crash(Unsynced::Lost).bytes(segment(1)).unwrap(), b"");
    reader.sync().unwrap();
    assert_eq!(disk.operations(), 6);
    assert_eq!(disk.crash(Unsynced::Lost).bytes(segment(1)).unwrap(), b"bytes");
    written.append(&[IoSlice::new(b", more")]).unwrap();
    assert_eq!(disk.crash(Unsynced::Lost).bytes(segment(1)).unwrap(), b"bytes");
}

proptest! {
    /// Of any updates, some of which fail: after a crash each sector that differs from what was last synced there
    /// lies in what a failed one wrote.
    #[test]
    fn a_crash_keeps_every_synced_update(
        seed: u64,
        updates in prop::collection::vec((0..4000_u64, 1..1500_usize, any::<bool>()), 1..8),
    ) {
        let disk = with_cursor(seed);
        let (mut expected, mut open) = (vec![1; 8 * SECTOR], vec![false; 8 * SECTOR]);
        for (number, (offset, len, fails)) in (2..).zip(updates) {
            let range = usize::try_from(offset).unwrap()..(usize::try_from(offset).unwrap() + len).min(expected.len());
            let bytes = vec![number; range.len()];
            if fails {
                disk.fail_nth(disk.operations() + 2, Fault::Eio, false);
            }
            prop_assert_eq!(disk.update_file(&cursor(), offset, &bytes).is_err(), fails);
            if !fails {
                expected[range.clone()].copy_from_slice(&bytes);
            }
            open[range].fill(fails);
        }
        prop_assert_eq!(&disk.crash(Unsynced::Lost).bytes(cursor()).unwrap(), &expected);
        for unsynced in [Unsynced::Kept, Unsynced::Torn] {
            let found = disk.crash(unsynced).bytes(cursor()).unwrap();
            for (at, sector) in found.chunks(SECTOR).enumerate() {
                let range = at * SECTOR..(at + 1) * SECTOR;
                prop_assert!(sector == &expected[range.clone()] || open[range].contains(&true), "sector {}", at);
            }
        }
    }
}
