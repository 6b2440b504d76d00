//! The contract of a store, as one suite that every store has to pass.
//!
//! Each property is a function over `&dyn Store`; the tables at the end run all of them for all stores. A new store
//! gets one line there. What a home of a spool has to do beyond that is in home.rs.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use spillpipe::format::{Family, SegmentNumber};
use spillpipe::store::{DirHome, DiskStore, MemoryStore, SegmentName, SimStore, Space, Store};
use std::collections::BTreeMap;
use std::io::{ErrorKind, IoSlice};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

#[path = "../mounted/mod.rs"]
mod mounted;
use mounted::Mounted;

mod home;

fn name(number: u64) -> SegmentName {
    SegmentName { number: SegmentNumber(number), family: Family::Zstd }
}

/// The whole of a segment, by reads of an odd size, and that its length agrees.
fn contents(store: &dyn Store, name: SegmentName) -> Vec<u8> {
    let segment = store.open(name).unwrap();
    let (mut bytes, mut buf) = (Vec::new(), [0; 1003]);
    loop {
        let n = segment.read_at(&mut buf, bytes.len() as u64).unwrap();
        if n == 0 {
            break;
        }
        bytes.extend_from_slice(&buf[..n]);
    }
    assert_eq!(segment.len().unwrap(), bytes.len() as u64);
    bytes
}

fn create_is_exclusive(store: &dyn Store) {
    let first = store.create(name(1)).unwrap();
    first.append(&[IoSlice::new(b"mine")]).unwrap();
    assert_eq!(store.create(name(1)).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(contents(store, name(1)), b"mine", "the second attempt changed nothing");
    // The family is a part of the name.
    store.create(SegmentName { family: Family::Lz4, ..name(1) }).unwrap();
}

fn of_many_creations_of_one_name_one_succeeds(store: &dyn Store) {
    let won = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| store.create(name(1)).is_ok())).collect();
        threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum::<usize>()
    });
    assert_eq!(won, 1);
    assert_eq!(store.list().unwrap(), [name(1)]);
}

fn what_is_not_there_is_not_found(store: &dyn Store) {
    assert_eq!(store.open(name(1)).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(store.remove(name(1)).unwrap_err().kind(), ErrorKind::NotFound);
    store.create(name(1)).unwrap();
    store.remove(name(1)).unwrap();
    assert_eq!(store.open(name(1)).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(store.remove(name(1)).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(store.list().unwrap(), []);
}

fn parts_are_appended_in_order(store: &dyn Store) {
    let segment = store.create(name(1)).unwrap();
    assert!(segment.is_empty() && store.open(name(1)).unwrap().is_empty().unwrap());
    let parts: [&[u8]; 6] = [b"", b"ab", b"", b"", b"cde", b""];
    segment.append(&parts.map(IoSlice::new)).unwrap();
    assert_eq!(segment.len(), 5);
    segment.append(&[]).unwrap();
    segment.append(&[IoSlice::new(b"f")]).unwrap();
    assert_eq!(segment.len(), 6);
    assert_eq!(contents(store, name(1)), b"abcdef");

    // More parts than one system call takes (1024).
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(5000).collect();
    segment.append(&bytes.chunks(1).map(IoSlice::new).collect::<Vec<_>>()).unwrap();
    assert!(contents(store, name(1))[6..] == bytes);
}

fn ranges_are_read(store: &dyn Store) {
    let segment = store.create(name(1)).unwrap();
    segment.append(&[IoSlice::new(b"0123456789")]).unwrap();
    let reader = store.open(name(1)).unwrap();
    let mut buf = [0; 4];
    reader.read_exact_at(&mut buf, 3).unwrap();
    assert_eq!(&buf, b"3456");
    assert_eq!(reader.read_at(&mut buf, 8).unwrap(), 2, "up to the end");
    assert_eq!(&buf[..2], b"89");
    for past_end in [10, 11, 1 << 40] {
        assert_eq!(reader.read_at(&mut buf, past_end).unwrap(), 0);
        assert_eq!(reader.read_exact_at(&mut buf, past_end).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
    assert_eq!(reader.read_exact_at(&mut buf, 8).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    assert_eq!(reader.read_at(&mut [], 0).unwrap(), 0);
    reader.read_exact_at(&mut [], 10).unwrap();
}

/// One appends 2,000 records, three follow it through handles opened while there was nothing: what a reader sees is at
/// any time a prefix of what was written.
fn a_segment_is_read_while_it_grows(store: &dyn Store) {
    const RECORDS: u64 = 2000;
    let segment = store.create(name(1)).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let reader = store.open(name(1)).unwrap();
            scope.spawn(move || {
                for record in 0..RECORDS {
                    while reader.len().unwrap() < (record + 1) * 8 {
                        std::thread::yield_now();
                    }
                    let mut buf = [0; 8];
                    reader.read_exact_at(&mut buf, record * 8).unwrap();
                    assert_eq!(u64::from_le_bytes(buf), record);
                }
            });
        }
        for record in 0..RECORDS {
            segment.append(&[IoSlice::new(&record.to_le_bytes())]).unwrap();
        }
    });
}

fn a_removed_segment_lives_in_its_handles(store: &dyn Store) {
    let segment = store.create(name(1)).unwrap();
    segment.append(&[IoSlice::new(b"before")]).unwrap();
    let reader = store.open(name(1)).unwrap();
    store.remove(name(1)).unwrap();
    segment.append(&[IoSlice::new(b", after")]).unwrap();
    segment.sync().unwrap();
    drop(segment);
    let mut buf = [0; 13];
    reader.read_exact_at(&mut buf, 0).unwrap();
    assert_eq!(&buf, b"before, after");
    // The name is free at once, and means another segment.
    store.create(name(1)).unwrap().append(&[IoSlice::new(b"new")]).unwrap();
    assert_eq!(contents(store, name(1)), b"new");
    assert_eq!(reader.len().unwrap(), 13);
}

fn the_list_is_in_order(store: &dyn Store) {
    // Not sorted as text, nor as signed numbers; the same number of both families.
    let numbers = [1 << 63, 0x10, 9, u64::MAX, 0xa, 1];
    for number in numbers {
        store.create(name(number)).unwrap();
    }
    let lz4 = SegmentName { family: Family::Lz4, ..name(9) };
    store.create(lz4).unwrap();
    let expected = [name(1), lz4, name(9), name(0xa), name(0x10), name(1 << 63), name(u64::MAX)];
    assert_eq!(store.list().unwrap(), expected);
}

fn syncs_succeed_at_any_time(store: &dyn Store) {
    store.sync().unwrap();
    let segment = store.create(name(1)).unwrap();
    segment.sync().unwrap();
    segment.append(&[IoSlice::new(b"x")]).unwrap();
    segment.sync().unwrap();
    segment.append(&[IoSlice::new(b"y")]).unwrap();
    store.open(name(1)).unwrap().sync().unwrap();
    store.sync().unwrap();
    store.remove(name(1)).unwrap();
    store.sync().unwrap();
}

/// Not every store can show that a sync holds no append up, but in none may the two get in each other's way.
fn syncs_and_appends_go_side_by_side(store: &dyn Store) {
    let segment = store.create(name(1)).unwrap();
    let reader = store.open(name(1)).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                segment.sync().unwrap();
                reader.sync().unwrap();
            }
        });
        for byte in 0..200 {
            segment.append(&[IoSlice::new(&[byte; 100])]).unwrap();
            assert_eq!(segment.len(), (u64::from(byte) + 1) * 100);
        }
        done.store(true, Relaxed);
    });
    let expected: Vec<u8> = (0..200).flat_map(|byte| [byte; 100]).collect();
    assert!(contents(store, name(1)) == expected);
}

fn space_is_plausible(store: &dyn Store) {
    let Space { total_bytes, free_bytes } = store.space().unwrap();
    assert!(free_bytes > 0 && free_bytes <= total_bytes, "{free_bytes} of {total_bytes}");
    assert!(total_bytes < u64::MAX / 100, "a percentage of it can be computed");
}

/// 16 threads, each with its own segments, leave each other alone.
fn threads_do_not_disturb_each_other(store: &dyn Store) {
    std::thread::scope(|scope| {
        for thread in 0..16 {
            scope.spawn(move || {
                for round in 0..8 {
                    let name = name(thread << 32 | round);
                    let bytes = name.to_string().repeat(50);
                    let segment = store.create(name).unwrap();
                    for part in bytes.as_bytes().chunks(100) {
                        segment.append(&[IoSlice::new(part)]).unwrap();
                    }
                    assert!(store.list().unwrap().contains(&name));
                    assert_eq!(contents(store, name), bytes.as_bytes());
                    store.remove(name).unwrap();
                }
            });
        }
    });
    assert_eq!(store.list().unwrap(), []);
}

#[derive(Clone, Debug)]
enum Step {
    Create(u64),
    Append(u64, Vec<u8>),
    Read(u64, u64, usize),
    Remove(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let number = || 1..5_u64;
    let step = prop_oneof![
        number().prop_map(Step::Create),
        (number(), prop::collection::vec(any::<u8>(), 0..600)).prop_map(|(n, bytes)| Step::Append(n, bytes)),
        (number(), 0..1500_u64, 0..900_usize).prop_map(|(n, offset, len)| Step::Read(n, offset, len)),
        number().prop_map(Step::Remove),
    ];
    prop::collection::vec(step, 0..60)
}

/// Against a map from names to bytes, by random steps.
fn it_behaves_as_a_map_does(store: &dyn Store) {
    let config = Config { cases: 64, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        let (mut model, mut open) = (BTreeMap::<u64, Vec<u8>>::new(), BTreeMap::new());
        for step in steps {
            match step {
                Step::Create(n) => {
                    let made = store.create(name(n));
                    prop_assert_eq!(made.is_ok(), !model.contains_key(&n));
                    if let Ok(segment) = made {
                        model.insert(n, Vec::new());
                        open.insert(n, segment);
                    }
                }
                Step::Append(n, bytes) => {
                    if let (Some(segment), Some(expected)) = (open.get(&n), model.get_mut(&n)) {
                        let (left, right) = bytes.split_at(bytes.len() / 3);
                        segment.append(&[IoSlice::new(left), IoSlice::new(right)]).unwrap();
                        expected.extend_from_slice(&bytes);
                        prop_assert_eq!(segment.len(), expected.len() as u64);
                    }
                }
                Step::Read(n, offset, len) => {
                    if let Some(expected) = model.get(&n) {
                        let from = usize::try_from(offset).unwrap().min(expected.len());
                        let expected = &expected[from..(from + len).min(expected.len())];
                        let mut buf = vec![0; expected.len()];
                        store.open(name(n)).unwrap().read_exact_at(&mut buf, from as u64).unwrap();
                        prop_assert_eq!(buf, expected);
                    }
                }
                Step::Remove(n) => {
                    open.remove(&n);
                    prop_assert_eq!(store.remove(name(n)).is_ok(), model.remove(&n).is_some());
                }
            }
            let names: Vec<_> = model.keys().map(|n| name(*n)).collect();
            prop_assert_eq!(store.list().unwrap(), names);
        }
        for n in model.keys() {
            prop_assert_eq!(&contents(store, name(*n)), &model[n]);
            store.remove(name(*n)).unwrap();
        }
        Ok(())
    });
    outcome.unwrap();
}

/// Capacity of the stores that are filled up.
const SMALL_BYTES: u64 = 1 << 20;

/// A full disk: the append that meets it fails, and closes its segment; nothing else is lost; room comes back.
fn a_failed_append_latches(store: &dyn Store) {
    let block = vec![7; 100_000];
    let segment = store.create(name(1)).unwrap();
    let error = loop {
        match segment.append(&[IoSlice::new(&block[..1000]), IoSlice::new(&block[1000..])]) {
            Ok(()) => assert!(segment.len() <= SMALL_BYTES),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    let good = segment.len();
    assert!(good >= 500_000 && good.is_multiple_of(block.len() as u64), "{good} bytes were confirmed");

    assert_eq!(segment.append(&[IoSlice::new(b"x")]).unwrap_err().kind(), ErrorKind::Other);
    assert_eq!(segment.append(&[]).unwrap_err().kind(), ErrorKind::Other, "not even nothing");
    assert_eq!(segment.len(), good);
    segment.sync().unwrap();
    let reader = store.open(name(1)).unwrap();
    let mut back = vec![0; usize::try_from(good).unwrap()];
    reader.read_exact_at(&mut back, 0).unwrap();
    assert!(back.iter().all(|&byte| byte == 7));

    // Removal works at 0 bytes free; the room is back with the last handle, and not before.
    let full = store.space().unwrap().free_bytes;
    assert!(full < 4096, "{full} bytes are still free");
    store.remove(name(1)).unwrap();
    drop(segment);
    assert_eq!(store.space().unwrap().free_bytes, full);
    drop(reader);
    assert!(store.space().unwrap().free_bytes >= good);
    store.create(name(2)).unwrap().append(&[IoSlice::new(&block)]).unwrap();
    assert!(contents(store, name(2)) == block);
}

macro_rules! conformance {
    ($($store:ident: $with:expr;)*) => {$(
        mod $store {
            use super::*;
            conformance! { @each $with =>
                create_is_exclusive, of_many_creations_of_one_name_one_succeeds, what_is_not_there_is_not_found,
                parts_are_appended_in_order, ranges_are_read, a_segment_is_read_while_it_grows,
                a_removed_segment_lives_in_its_handles, the_list_is_in_order, syncs_succeed_at_any_time,
                syncs_and_appends_go_side_by_side, space_is_plausible, threads_do_not_disturb_each_other, it_behaves_as_a_map_does,
            }
        }
    )*};
    (@each $with:expr => $($property:ident,)*) => {$(
        #[test]
        fn $property() {
            $with(&super::$property);
        }
    )*};
}

type Property = dyn Fn(&dyn Store);

fn in_temp<S: Store>(parent: &Path, open: fn(&Path) -> S, property: &Property) {
    let dir = tempfile::tempdir_in(parent).unwrap();
    property(&open(dir.path()));
}

fn nameless(dir: &Path) -> DiskStore {
    DiskStore::nameless(dir).unwrap()
}

fn by_fallback(dir: &Path) -> DiskStore {
    DiskStore::nameless(dir).unwrap().without_tmpfile()
}

fn named(dir: &Path) -> DiskStore {
    DiskStore::named(dir).unwrap()
}

fn dir_home(dir: &Path) -> DirHome {
    DirHome::create(dir).unwrap()
}

conformance! {
    memory: |property: &Property| property(&MemoryStore::new());
    sim: |property: &Property| property(&SimStore::new(1));
    disk_nameless: |property| in_temp(&std::env::temp_dir(), nameless, property);
    disk_nameless_by_fallback: |property| in_temp(&std::env::temp_dir(), by_fallback, property);
    disk_named: |property| in_temp(&std::env::temp_dir(), named, property);
    dir_home: |property| in_temp(&std::env::temp_dir(), super::dir_home, property);
    tmpfs_nameless: |property| in_temp(Path::new("/dev/shm"), nameless, property);
    tmpfs_nameless_by_fallback: |property| in_temp(Path::new("/dev/shm"), by_fallback, property);
    tmpfs_named: |property| in_temp(Path::new("/dev/shm"), named, property);
}

#[test]
fn a_failed_append_latches_in_memory() {
    a_failed_append_latches(&MemoryStore::with_capacity(SMALL_BYTES));
}

#[test]
fn a_failed_append_latches_on_the_simulated_disk() {
    let store = SimStore::new(1);
    store.set_capacity(Some(SMALL_BYTES));
    a_failed_append_latches(&store);
}

#[test]
fn a_failed_append_latches_on_a_full_file_system() {
    for open in [nameless, by_fallback, named] {
        let Some(mounted) = Mounted::tmpfs("size=1m") else { return };
        a_failed_append_latches(&open(mounted.path()));
    }
}
