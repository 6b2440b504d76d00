//! The power is cut at every operation of a life, and again while it is put right.

use super::life::{come_back, live};
use super::{Ledger, at_once, bytes_at, each, open, plain};
use spillpipe::format::EndState;
use spillpipe::spool::{Ended, Sync, WhenFull};
use spillpipe::store::{SimStore, Unsynced};
use std::io::Write;

const KINDS: [Unsynced; 3] = [Unsynced::Lost, Unsynced::Kept, Unsynced::Torn];

/// Lives until the power is cut in operation `n`. `None`: it has fewer.
fn until(n: u64, seed: u64) -> Option<(SimStore, Ledger)> {
    let disk = SimStore::new(seed);
    disk.crash_at(n);
    let mut ledger = Ledger::new();
    let failures = live(&disk, &mut ledger);
    (!failures.is_empty()).then_some((disk, ledger))
}

#[test]
fn whenever_the_power_is_cut_the_spool_pays_what_it_owes() {
    let cases = each("a cut", |n| {
        for seed in 0..2 {
            let Some((disk, ledger)) = until(n, seed << 32 | n) else { return false };
            // What is torn, and how, is left to chance.
            let kinds = if seed == 0 { &KINDS[..] } else { &KINDS[2..] };
            for kind in kinds {
                eprintln!("{n} {kind:?}");
                ledger.clone().audit(&open(&disk.crash(*kind)).expect("it opens"));
            }
        }
        true
    });
    assert!(cases > 300, "{cases}");
}

/// Of every so many cuts one is followed by a second one, at every so many operations of what comes after it.
const CUTS_STEP: u64 = 7;
const SECOND_CUTS_STEP: u64 = 11;

#[test]
fn when_it_is_cut_again_while_the_spool_comes_back_it_still_does() {
    each("a first cut", |n| {
        let Some((disk, ledger)) = until(n * CUTS_STEP, n) else { return false };
        let (first, second) = (KINDS[n as usize % 3], KINDS[n as usize / 3 % 3]);
        for again in (1 + n % SECOND_CUTS_STEP..).step_by(SECOND_CUTS_STEP as usize) {
            let (found, mut ledger) = (disk.crash(first), ledger.clone());
            found.crash_at(again);
            eprintln!("{} {first:?}, {again} {second:?}", n * CUTS_STEP);
            let is_over = come_back(&found, &mut ledger).is_empty();
            ledger.audit(&open(&found.crash(second)).expect("it opens"));
            if is_over {
                break;
            }
        }
        true
    });
}

#[test]
fn what_a_reader_had_of_a_lost_stream_is_told_incomplete() {
    let disk = SimStore::new(1);
    let mut ledger = Ledger::new();
    let mut options = plain();
    options.sync = Sync::EveryChunk;
    let spool = open(&disk).expect("it opens");
    ledger.reader_added("one");
    let mut reader = spool.reader("one", at_once()).expect("a reader");
    let mut writer = spool.writer(options).expect("a writer");
    ledger.writer_opened(&writer);
    ledger.write(&mut writer, 5_000).expect("it takes them");
    ledger.finish(writer, EndState::End, true).expect("its end");
    let mut writer = spool.writer(plain()).expect("a writer");
    ledger.writer_opened(&writer);
    ledger.write(&mut writer, 5_000).expect("it takes them");
    writer.publish().expect("they are seen");
    let met = ledger.read(&mut reader, "one", usize::MAX).expect("it can be read");
    assert_eq!((met.bytes, met.ends.as_slice()), (10_000, &[Ended::Complete][..]));
    ledger.ack(&mut reader, "one").expect("it is acknowledged");

    // The second stream was never durable, and the third is another one.
    let spool = open(&disk.crash(Unsynced::Lost)).expect("it opens");
    let mut writer = spool.writer(plain()).expect("a writer");
    ledger.writer_opened(&writer);
    ledger.write(&mut writer, 5_000).expect("it takes them");
    ledger.finish(writer, EndState::End, false).expect("its end");
    let mut reader = spool.reader("one", at_once()).expect("a reader");
    let met = ledger.read(&mut reader, "one", usize::MAX).expect("it can be read");
    assert_eq!((met.bytes, met.ends.as_slice()), (5_000, &[Ended::Incomplete, Ended::Complete][..]));
}

#[test]
fn what_was_durable_and_dropped_does_not_give_its_numbers_away() {
    // What is torn, and how, is left to chance: nothing of the newer ones is left in one of a hundred.
    for seed in 0..400 {
        let disk = SimStore::new(seed);
        let mut options = plain();
        (options.when_full, options.max_disk_bytes) = (WhenFull::DropOldest, Some(48 << 10));
        let mut writer = open(&disk).expect("it opens").writer(options).expect("a writer");
        writer.write_all(&[1; 5_000]).expect("it takes them");
        writer.sync().expect("they are durable");
        let durable = writer.durable().offset;
        // Of what is put in its place nothing is, and all of it may be lost.
        while writer.stats().dropped.bytes < 20_000 {
            writer.write_all(&bytes_at(seed, 0, 4_096)).expect("it takes them");
            writer.publish().expect("there is room");
        }
        let found = disk.crash(Unsynced::Torn);
        let writer = open(&found).expect("it opens").writer(plain()).expect("a writer");
        assert!(writer.position().offset >= durable, "{seed}: it goes on at {}", writer.position().offset);
    }
}
