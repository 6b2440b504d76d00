//! The contract of what a spool lives in: small files, locks, sizes, watches.

use super::name;
use spillpipe::store::{Cancel, DirHome, FileName, Folder, Holder, Home, SimStore, Woken};
use std::io::{ErrorKind, IoSlice};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How long a test waits for what must come.
const LONG: Duration = Duration::from_secs(20);
/// And for what must not.
const SHORT: Duration = Duration::from_millis(30);

fn reader(name: &str) -> FileName {
    FileName::reader(name).unwrap()
}

fn one_of_each() -> [FileName; 3] {
    [FileName::Spool, reader("a"), FileName::quarantine("a").unwrap()]
}

fn files_are_created_read_and_removed(home: &dyn Home) {
    for (file, bytes) in one_of_each().iter().zip([&b"one"[..], b"", &[7; 8192]]) {
        home.create_file(file, bytes).unwrap();
        assert_eq!(home.read_file(file).unwrap(), bytes, "{file}");
    }
    for file in &one_of_each() {
        home.remove_file(file).unwrap();
        assert_eq!(home.read_file(file).unwrap_err().kind(), ErrorKind::NotFound);
        home.create_file(file, b"again").unwrap();
        assert_eq!(home.read_file(file).unwrap(), b"again", "{file}");
    }
    assert_eq!(home.list().unwrap(), [], "they are no segments");
}

fn a_creation_replaces_nothing(home: &dyn Home) {
    for file in &one_of_each() {
        home.create_file(file, b"first").unwrap();
        assert_eq!(home.create_file(file, b"second").unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(home.read_file(file).unwrap(), b"first");
    }
    assert_eq!(home.create_file(&FileName::WriterLock, b"").unwrap_err().kind(), ErrorKind::AlreadyExists);
}

fn of_many_creations_of_one_file_one_succeeds(home: &dyn Home) {
    let file = reader("a");
    let won = std::thread::scope(|scope| {
        let create = |byte: u8| home.create_file(&reader("a"), &[byte; 5000]).is_ok();
        let threads: Vec<_> = (0..8).map(|byte| scope.spawn(move || create(byte))).collect();
        threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum::<usize>()
    });
    assert_eq!(won, 1);
    let bytes = home.read_file(&file).unwrap();
    assert!(bytes.len() == 5000 && bytes.iter().all(|byte| *byte == bytes[0]), "one of them, whole");
    assert_eq!(home.list_files(Folder::Readers).unwrap(), ["a"]);
}

fn a_file_that_is_not_there_is_not_found(home: &dyn Home) {
    for file in &one_of_each() {
        let refused = [
            home.read_file(file).map(drop),
            home.update_file(file, 0, b"x"),
            home.remove_file(file),
            home.try_lock(file).map(drop),
            home.lock_holder(file).map(drop),
        ];
        for refused in refused {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound, "{file}");
        }
    }
    assert_eq!(home.list_files(Folder::Readers).unwrap(), Vec::<String>::new(), "nothing was created by that");
}

fn an_update_changes_what_it_says_and_nothing_else(home: &dyn Home) {
    for file in &one_of_each() {
        home.create_file(file, &[1; 8192]).unwrap();
        home.update_file(file, 4096, &[2; 100]).unwrap();
        home.update_file(file, 8191, &[3]).unwrap();
        home.update_file(file, 5, &[]).unwrap();
        let mut expected = [1; 8192];
        expected[4096..4196].fill(2);
        expected[8191] = 3;
        assert!(home.read_file(file).unwrap() == expected, "{file}");
    }
}

/// A file that was cut short is whole again after an update past its end, with zeroes in between.
fn an_update_past_the_end_makes_a_file_longer(home: &dyn Home) {
    home.create_file(&reader("a"), b"12").unwrap();
    home.update_file(&reader("a"), 4, b"56").unwrap();
    assert_eq!(home.read_file(&reader("a")).unwrap(), b"12\0\x0056");
}

fn folders_are_listed_in_order(home: &dyn Home) {
    for name in ["b", "a", "B", "a.1", "0", "z-_."] {
        home.create_file(&reader(name), b"").unwrap();
    }
    home.create_file(&FileName::quarantine("q").unwrap(), b"").unwrap();
    assert_eq!(home.list_files(Folder::Readers).unwrap(), ["0", "B", "a", "a.1", "b", "z-_."]);
    assert_eq!(home.list_files(Folder::Quarantine).unwrap(), ["q"]);
    home.remove_file(&reader("a")).unwrap();
    assert_eq!(home.list_files(Folder::Readers).unwrap(), ["0", "B", "a.1", "b", "z-_."]);
}

/// Also by a name that no constructor has seen.
fn a_name_that_means_something_else_is_refused(home: &dyn Home) {
    let long = "x".repeat(65);
    for bad in ["", ".", "..", ".a", "-a", "a/b", "../spool", "/etc/passwd", "a b", "a\n", "a\0", "ä", "*", &long] {
        assert_eq!(FileName::reader(bad), None, "{bad:?}");
        let file = FileName::Reader(bad.to_owned());
        let refused = [
            home.read_file(&file).map(drop),
            home.create_file(&file, b"x"),
            home.update_file(&file, 0, b"x"),
            home.remove_file(&file),
            home.try_lock(&file).map(drop),
            home.lock_holder(&file).map(drop),
        ];
        for refused in refused {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput, "{bad:?}");
        }
    }
    assert_eq!(FileName::quarantine("../spool"), None);
    home.create_file(&reader(&long[1..]), b"x").unwrap();
}

fn a_lock_has_one_holder(home: &dyn Home) {
    home.create_file(&reader("a"), b"cursor").unwrap();
    for file in [FileName::WriterLock, reader("a")] {
        assert_eq!(home.lock_holder(&file).unwrap(), Holder::Nobody);
        let lock = home.try_lock(&file).unwrap().unwrap();
        assert!(home.try_lock(&file).unwrap().is_none(), "also in one process");
        assert_eq!(home.lock_holder(&file).unwrap(), Holder::Somebody { process: Some(std::process::id()) });
        home.update_file(&reader("a"), 0, b"C").unwrap();
        drop(lock);
        // A process that another test is just starting has the descriptor, too, until it runs its program.
        let started = Instant::now();
        while home.lock_holder(&file).unwrap() != Holder::Nobody {
            assert!(started.elapsed() < Duration::from_secs(5), "it is still held");
            std::thread::sleep(Duration::from_millis(1));
        }
        home.try_lock(&file).unwrap().unwrap();
    }
    let _one = home.try_lock(&FileName::WriterLock).unwrap().unwrap();
    home.try_lock(&reader("a")).unwrap().expect("each file has a lock of its own");
}

fn of_many_who_take_a_lock_one_has_it(home: &dyn Home) {
    let held = AtomicBool::new(false);
    let taken: usize = std::thread::scope(|scope| {
        let take = || {
            let mut taken = 0;
            for _ in 0..20 {
                if let Some(lock) = home.try_lock(&FileName::WriterLock).unwrap() {
                    assert!(!held.swap(true, Relaxed), "nobody else has it");
                    std::thread::yield_now();
                    held.store(false, Relaxed);
                    drop(lock);
                    taken += 1;
                }
            }
            taken
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert!(taken > 0);
}

fn the_lock_of_a_removed_file_keeps_nobody_out(home: &dyn Home) {
    home.create_file(&reader("a"), b"").unwrap();
    let _old = home.try_lock(&reader("a")).unwrap().unwrap();
    home.remove_file(&reader("a")).unwrap();
    assert_eq!(home.try_lock(&reader("a")).unwrap_err().kind(), ErrorKind::NotFound);
    home.create_file(&reader("a"), b"").unwrap();
    assert_eq!(home.lock_holder(&reader("a")).unwrap(), Holder::Nobody);
    home.try_lock(&reader("a")).unwrap().expect("it is another file");
}

fn to_ask_for_the_holder_is_in_nobodys_way(home: &dyn Home) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                home.lock_holder(&FileName::WriterLock).unwrap();
                std::thread::sleep(Duration::from_micros(50));
            }
        });
        let refused = (0..200).filter(|_| home.try_lock(&FileName::WriterLock).unwrap().is_none()).count();
        done.store(true, Relaxed);
        assert_eq!(refused, 0);
    });
}

fn sizes_are_those_of_the_segments(home: &dyn Home) {
    assert_eq!(home.segment_sizes().unwrap(), []);
    home.create_file(&FileName::Spool, b"spool").unwrap();
    let second = home.create(name(0x10)).unwrap();
    second.append(&[IoSlice::new(&[0; 5000])]).unwrap();
    home.create(name(9)).unwrap();
    assert_eq!(home.segment_sizes().unwrap(), [(name(9), 0), (name(0x10), 5000)]);
    second.append(&[IoSlice::new(b"x")]).unwrap();
    home.remove(name(9)).unwrap();
    assert_eq!(home.segment_sizes().unwrap(), [(name(0x10), 5001)]);
}

/// Segments come and go while they are listed: what stays is there, and nothing is an error.
fn sizes_are_had_while_segments_come_and_go(home: &dyn Home) {
    home.create(name(0)).unwrap().append(&[IoSlice::new(b"stays")]).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1..300 {
                home.create(name(number)).unwrap();
                home.remove(name(number)).unwrap();
            }
            done.store(true, Relaxed);
        });
        while !done.load(Relaxed) {
            assert_eq!(home.segment_sizes().unwrap()[0], (name(0), 5));
        }
    });
}

fn a_change_before_the_wait_ends_it(home: &dyn Home) {
    let mut watch = home.watch();
    assert!(watch.is_notified());
    assert_eq!(watch.wait(SHORT, None).unwrap(), Woken::TimedOut, "nothing yet");
    let segment = home.create(name(1)).unwrap();
    assert_eq!(watch.wait(LONG, None).unwrap(), Woken::Changed);
    segment.append(&[IoSlice::new(b"a")]).unwrap();
    segment.append(&[IoSlice::new(b"b")]).unwrap();
    assert_eq!(watch.wait(LONG, None).unwrap(), Woken::Changed);
    assert_eq!(watch.wait(SHORT, None).unwrap(), Woken::TimedOut, "many changes end one wait");
    home.remove(name(1)).unwrap();
    assert_eq!(watch.wait(LONG, None).unwrap(), Woken::Changed);
    // One that is made later has seen nothing of that.
    assert_eq!(home.watch().wait(SHORT, None).unwrap(), Woken::TimedOut);
}

/// Whoever waits, and looks whenever it is woken, must not wake itself by that.
fn to_look_is_no_change(home: &dyn Home) {
    home.create_file(&reader("a"), b"cursor").unwrap();
    home.create(name(1)).unwrap().append(&[IoSlice::new(b"data")]).unwrap();
    let mut watch = home.watch();
    home.open(name(1)).unwrap().read_exact_at(&mut [0; 4], 0).unwrap();
    home.open(name(1)).unwrap().sync().unwrap();
    assert_eq!(home.list().unwrap().len(), home.segment_sizes().unwrap().len());
    home.lock_holder(&FileName::WriterLock).unwrap();
    home.read_file(&reader("a")).unwrap();
    home.update_file(&reader("a"), 0, b"C").unwrap();
    home.list_files(Folder::Readers).unwrap();
    home.sync().unwrap();
    home.space().unwrap();
    assert_eq!(watch.wait(SHORT, None).unwrap(), Woken::TimedOut);
}

/// The quiet single record: the last change of all is noticed by everybody who waits for it.
fn a_change_during_the_wait_ends_it(home: &dyn Home) {
    let segment = home.create(name(1)).unwrap();
    std::thread::scope(|scope| {
        let waiters: Vec<_> = (0..3).map(|_| home.watch()).collect();
        for mut watch in waiters {
            scope.spawn(move || {
                let start = Instant::now();
                while home.segment_sizes().unwrap() != [(name(1), 1)] {
                    assert_ne!(watch.wait(LONG, None).unwrap(), Woken::TimedOut);
                }
                assert!(start.elapsed() < LONG);
            });
        }
        std::thread::sleep(SHORT);
        segment.append(&[IoSlice::new(b"x")]).unwrap();
    });
}

fn a_cancel_ends_waits_now_and_later(home: &dyn Home) {
    let cancel = Cancel::new().unwrap();
    let mut watch = home.watch();
    assert_eq!(watch.wait(Duration::ZERO, Some(&cancel)).unwrap(), Woken::TimedOut);
    let raiser = cancel.clone();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(SHORT);
            raiser.raise();
        });
        assert_eq!(watch.wait(LONG, Some(&cancel)).unwrap(), Woken::Cancelled);
    });
    home.create(name(1)).unwrap();
    assert_eq!(watch.wait(LONG, Some(&cancel)).unwrap(), Woken::Cancelled, "for good, whatever else happened");
    assert_eq!(watch.wait(LONG, None).unwrap(), Woken::Changed, "and without it the change is still there");
}

type Property = dyn Fn(&dyn Home);

fn in_temp(parent: &Path, property: &Property) {
    let dir = tempfile::tempdir_in(parent).unwrap();
    property(&DirHome::create(dir.path().join("spool")).unwrap());
}

macro_rules! conformance {
    ($($home:ident: $with:expr;)*) => {$(
        mod $home {
            use super::*;
            conformance! { @each $with =>
                files_are_created_read_and_removed, a_creation_replaces_nothing,
                of_many_creations_of_one_file_one_succeeds, a_file_that_is_not_there_is_not_found,
                an_update_changes_what_it_says_and_nothing_else, an_update_past_the_end_makes_a_file_longer,
                folders_are_listed_in_order, a_name_that_means_something_else_is_refused, a_lock_has_one_holder,
                of_many_who_take_a_lock_one_has_it, the_lock_of_a_removed_file_keeps_nobody_out,
                to_ask_for_the_holder_is_in_nobodys_way, sizes_are_those_of_the_segments,
                sizes_are_had_while_segments_come_and_go, a_change_before_the_wait_ends_it,
                to_look_is_no_change, a_change_during_the_wait_ends_it, a_cancel_ends_waits_now_and_later,
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

conformance! {
    sim: |property: &Property| property(&SimStore::new(1));
    dir: |property| in_temp(&std::env::temp_dir(), property);
    tmpfs: |property| in_temp(Path::new("/dev/shm"), property);
}
