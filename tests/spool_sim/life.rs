//! A life: everything a spool does, in one go, and the account of it.

use super::{Ledger, at_once, open, plain};
use spillpipe::format::EndState;
use spillpipe::spool::{Batch, BatchLimits, Error, NextBatch, Reader, Spool, Start, Sync, Tap, WhenFull, Writer};
use spillpipe::spool::{Cancel, WriterOptions};
use spillpipe::store::SimStore;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What went wrong in a life, in order: what each failed call said.
pub(super) type Failures = Vec<String>;

struct Life<'l> {
    disk: &'l SimStore,
    ledger: &'l mut Ledger,
    failures: Failures,
    cancel: Cancel,
}

type Scene<'l> = fn(&mut Life<'l>) -> Result<(), Error>;

/// Lives it. A call that fails ends what it belongs to, and the next thing is tried all the same.
pub(super) fn live(disk: &SimStore, ledger: &mut Ledger) -> Failures {
    play(disk, ledger, &[Life::first, Life::records, Life::torrent, Life::death, Life::after_death, Life::departure])
}

/// What is done when the machine came up again: all that there is is read, and another stream written, and read.
pub(super) fn come_back(disk: &SimStore, ledger: &mut Ledger) -> Failures {
    play(disk, ledger, &[Life::departure, Life::after_death, Life::departure])
}

fn play<'l>(disk: &'l SimStore, ledger: &'l mut Ledger, scenes: &[Scene<'l>]) -> Failures {
    let cancel = Cancel::new().expect("a descriptor");
    cancel.raise();
    let mut life = Life { disk, ledger, failures: Vec::new(), cancel };
    for scene in scenes {
        if let Err(error) = scene(&mut life) {
            life.failures.push(error.to_string());
        }
    }
    life.failures
}

impl Life<'_> {
    fn spool(&self) -> Result<Spool, Error> {
        open(self.disk)
    }

    fn writer(&mut self, spool: &Spool, options: WriterOptions) -> Result<Writer, Error> {
        self.ledger.opening = true;
        let writer = spool.writer_wait(options, Some(&self.cancel))?.cancel_by(self.cancel.clone());
        self.ledger.writer_opened(&writer);
        Ok(writer)
    }

    fn reader(&mut self, spool: &Spool, name: &'static str) -> Result<Reader, Error> {
        let reader = spool.reader(name, at_once())?;
        self.ledger.reader_added(name);
        Ok(reader)
    }

    /// One writer, several segments, two readers: one that keeps up, one that deals with batches.
    fn first(&mut self) -> Result<(), Error> {
        let spool = self.spool()?;
        spool.add_reader("late", Start::Oldest)?;
        self.ledger.reader_added("late");
        let mut options = plain();
        options.max_disk_bytes = Some(128 << 10);
        let mut writer = self.writer(&spool, options)?;
        self.ledger.write(&mut writer, 20_000).map_err(told)?;
        self.ledger.sync(&mut writer)?;
        let mut reader = self.reader(&spool, "swift")?;
        self.ledger.read(&mut reader, "swift", 3)?;
        self.ledger.ack(&mut reader, "swift")?;
        self.ledger.write(&mut writer, 15_000).map_err(told)?;
        writer.publish()?;
        // More than is durable.
        self.ledger.read(&mut reader, "swift", usize::MAX)?;
        self.ledger.ack(&mut reader, "swift")?;
        self.ledger.write(&mut writer, 12_000).map_err(told)?;
        self.ledger.finish(writer, EndState::End, false)?;
        self.ledger.read(&mut reader, "swift", 2)?;
        self.ledger.ack(&mut reader, "swift")?;
        reader.close()?;
        self.batches(&spool)
    }

    /// Leaves one behind, deals with the two after it in the wrong order.
    fn batches(&mut self, spool: &Spool) -> Result<(), Error> {
        let mut reader = self.reader(spool, "batches")?;
        let limits = BatchLimits { bytes: 9_000, age: Duration::ZERO };
        let mut batches: Vec<Batch> = Vec::new();
        while batches.len() < 4 {
            match reader.next_batch(limits, &mut Deaf)? {
                NextBatch::Batch(batch) => batches.push(batch),
                NextBatch::Waiting { .. } => return Ok(()),
                NextBatch::Gap(_) | NextBatch::Damage(_) | NextBatch::End(_) => {}
            }
        }
        reader.leave_behind(&batches[0], 2)?;
        for at in [2, 1] {
            self.ledger.feed(&reader, "batches", &batches[at])?;
            self.ledger.ack_batch(&mut reader, "batches", &batches[at])?;
        }
        // The fourth is under way when it ends.
        reader.close().map(drop)
    }

    /// Another codec family, records, each chunk durable; the stream stays open behind it.
    fn records(&mut self) -> Result<(), Error> {
        let spool = self.spool()?;
        let mut options = plain();
        (options.sync, options.codec) = (Sync::EveryChunk, "lz4".parse().expect("a codec"));
        let mut writer = self.writer(&spool, options)?;
        for len in [6_000, 100, 9_000] {
            self.ledger.write(&mut writer, len).map_err(told)?;
            writer.end_record()?;
            writer.publish()?;
        }
        // Two chunks at once.
        self.ledger.write(&mut writer, 3_000).map_err(told)?;
        writer.end_record()?;
        self.ledger.write(&mut writer, 50).map_err(told)?;
        self.ledger.finish(writer, EndState::Continues, true)?;
        let mut reader = self.reader(&spool, "swift")?;
        self.ledger.read(&mut reader, "swift", 4)?;
        self.ledger.ack(&mut reader, "swift")?;
        reader.close().map(drop)
    }

    /// More than fits: the oldest goes.
    fn torrent(&mut self) -> Result<(), Error> {
        let spool = self.spool()?;
        let mut options = plain();
        (options.max_disk_bytes, options.codec) = (Some(64 << 10), "none".parse().expect("a codec"));
        options.when_full = WhenFull::DropOldest;
        self.ledger.drops = true;
        let dropped = Arc::new(AtomicU64::new(0));
        let mut writer = self.writer(&spool, options)?;
        let heard = Arc::clone(&dropped);
        writer = writer.on_event(move |event| {
            if let spillpipe::spool::WriterEvent::Dropped(gap) = event {
                heard.fetch_add(gap.bytes, Ordering::Relaxed);
            }
        });
        for _ in 0..4 {
            let written = self.ledger.write(&mut writer, 10_000).map_err(told);
            self.ledger.dropped = dropped.load(Ordering::Relaxed);
            written?;
            self.ledger.sync(&mut writer)?;
        }
        let finished = self.ledger.finish(writer, EndState::End, false);
        self.ledger.dropped = dropped.load(Ordering::Relaxed);
        finished?;
        let mut reader = self.reader(&spool, "late")?;
        self.ledger.read(&mut reader, "late", 5)?;
        self.ledger.ack(&mut reader, "late")?;
        reader.close().map(drop)
    }

    /// A writer that dies; what it had published is there, and nothing was durable.
    fn death(&mut self) -> Result<(), Error> {
        let spool = self.spool()?;
        let mut writer = self.writer(&spool, plain())?;
        self.ledger.write(&mut writer, 9_000).map_err(told)?;
        writer.publish()?;
        drop(writer);
        let mut reader = self.reader(&spool, "swift")?;
        self.ledger.read(&mut reader, "swift", usize::MAX)?;
        self.ledger.ack(&mut reader, "swift")?;
        reader.close().map(drop)
    }

    /// The one after it, which gives up.
    fn after_death(&mut self) -> Result<(), Error> {
        let spool = self.spool()?;
        let mut options = plain();
        options.sync = Sync::EveryChunk;
        let mut writer = self.writer(&spool, options)?;
        self.ledger.write(&mut writer, 5_000).map_err(told)?;
        self.ledger.sync(&mut writer)?;
        self.ledger.finish(writer, EndState::Aborted, true)
    }

    /// All deal with what is left.
    fn departure(&mut self) -> Result<(), Error> {
        let spool = self.spool()?;
        for name in ["late", "swift"] {
            let mut reader = self.reader(&spool, name)?;
            self.ledger.read(&mut reader, name, usize::MAX)?;
            self.ledger.ack(&mut reader, name)?;
            reader.close()?;
        }
        let mut reader = self.reader(&spool, "batches")?;
        for batch in reader.left_behind() {
            self.ledger.feed(&reader, "batches", &batch)?;
            self.ledger.ack_batch(&mut reader, "batches", &batch)?;
        }
        reader.close().map(drop)
    }
}

/// What a writer told through [`std::io::Write`].
fn told(error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => panic!("an error without a place: {error}"),
    }
}

struct Deaf;

impl Tap for Deaf {
    fn restart(&mut self) {}

    fn take(&mut self, _: &[u8]) {}
}

#[test]
fn it_is_lived_without_a_failure() {
    let disk = SimStore::new(1);
    let mut ledger = Ledger::new();
    assert_eq!(live(&disk, &mut ledger), Failures::new());
    assert!(ledger.dropped > 0, "something was dropped");
    ledger.audit(&open(&disk).expect("it opens"));
}
