//! One operation after the other of a life fails, once or from then on for good.

use super::life::live;
use super::{Ledger, at_once, bytes_at, each, open, plain};
use spillpipe::format::EndState;
use spillpipe::spool::{Cancel, Error, Reader, WhenFull};
use spillpipe::store::{Fault, SimStore};
use std::io::{Read, Write};

/// Lives with a fault, and then on a disk that works again.
fn sweep(fault: Fault, sticky: bool) {
    let cases = each(&format!("{fault:?}, sticky {sticky}"), move |n| {
        let disk = SimStore::new(n);
        disk.fail_nth(n, fault, sticky);
        let mut ledger = Ledger::new();
        let failures = live(&disk, &mut ledger);
        for failure in &failures {
            assert!(failure.contains("dir") || failure == "cancelled", "it names what failed: {failure}");
        }
        let is_over = disk.operations() < n;
        disk.heal();
        eprintln!("{n}: {failures:?}");
        ledger.audit(&open(&disk).expect("it opens"));
        !is_over
    });
    assert!(cases > 300, "{cases}");
}

#[test]
fn a_device_that_fails_once_costs_nothing_that_was_acknowledged() {
    sweep(Fault::Eio, false);
}

#[test]
fn nor_does_one_that_fails_for_good() {
    sweep(Fault::Eio, true);
}

#[test]
fn a_full_disk_costs_nothing_that_was_acknowledged() {
    sweep(Fault::Enospc, false);
    sweep(Fault::Enospc, true);
}

#[test]
fn a_write_that_is_cut_short_costs_nothing_that_was_acknowledged() {
    sweep(Fault::ShortWrite, false);
    sweep(Fault::ShortWrite, true);
}

#[test]
fn a_signal_costs_nothing_at_all() {
    sweep(Fault::Eintr, false);
    sweep(Fault::Eintr, true);
}

#[test]
fn a_writer_opens_on_a_full_disk_and_its_wait_for_room_can_be_cancelled() {
    let cases = each("opening", |_| {
        let disk = SimStore::new(1);
        let spool = open(&disk).expect("it opens");
        let mut writer = spool.writer(plain()).expect("a writer");
        writer.write_all(b"not finished").expect("it takes it");
        drop(writer);
        // Not even the mark that it broke off fits.
        disk.set_capacity(Some(0));
        let mut options = plain();
        options.when_full = WhenFull::Block;
        let cancel = Cancel::new().expect("a descriptor");
        cancel.raise();
        let mut writer = spool.writer_wait(options, Some(&cancel)).expect("to open takes no room");
        writer.write_all(b"more").expect("it is taken in");
        assert!(matches!(writer.publish(), Err(Error::Cancelled)));
        drop(writer);
        disk.set_capacity(None);
        spool.writer(plain()).expect("there is room again");
        false
    });
    assert_eq!(cases, 1);
}

#[test]
fn a_write_that_a_full_disk_ends_tells_how_much_it_took() {
    let disk = SimStore::new(1);
    let spool = open(&disk).expect("it opens");
    let mut options = plain();
    (options.codec, options.max_disk_bytes) = ("none".parse().expect("a codec"), Some(128 << 10));
    let mut writer = spool.writer(options).expect("a writer");
    let mut reader = spool.reader("one", at_once()).expect("a reader");
    // More than fits on the disk and into memory.
    let bytes = bytes_at(1, 0, 600_000);
    writer.write_all(&bytes).expect_err("it is full");
    let mut came = Vec::new();
    while writer.position().offset.0 < 600_000 {
        drain(&mut reader, &mut came);
        let taken = writer.position().offset.0 as usize;
        // Full again, perhaps.
        let _ = writer.write_all(&bytes[taken..]);
    }
    while let Err(error) = writer.publish() {
        assert!(matches!(error, Error::Full { .. }), "{error}");
        drain(&mut reader, &mut came);
    }
    drain(&mut reader, &mut came);
    writer.finish(EndState::End).expect("its end");
    drain(&mut reader, &mut came);
    assert!(came == bytes, "{} bytes came", came.len());
}

/// Reads and acknowledges all there is.
fn drain(reader: &mut Reader, came: &mut Vec<u8>) {
    reader.read_to_end(came).expect("it can be read");
    let place = reader.position();
    reader.ack(place).expect("it is acknowledged");
}
