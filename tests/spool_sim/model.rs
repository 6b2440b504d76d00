//! Whatever is done to a spool, in whatever order, the account of it stays true.

use super::{Ledger, open, plain};
use spillpipe::format::{EndState, Position, StreamOffset};
use spillpipe::spool::{
    Batch, BatchLimits, Error, NextBatch, Reader, ReaderOptions, Seek, Spool, Start, Sync, Tap, WhenFull, Writer,
};
use spillpipe::store::{Fault, SimStore, Unsynced};
use std::time::Duration;

pub(super) const NAMES: [&str; 2] = ["one", "two"];
/// More than this no case writes.
const WRITTEN_BYTES_MAX: u64 = 120_000;
const LONG: Duration = Duration::from_hours(1);

/// Picks one of however many there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pick(pub(super) usize);

impl Pick {
    fn of(self, len: usize) -> usize {
        self.0 % len
    }
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Open {
        codec: &'static str,
        every_chunk: bool,
        when_full: WhenFull,
        max_disk_bytes: u64,
    },
    Write(u64),
    EndRecord,
    Publish,
    Sync,
    Finish(EndState),
    DropWriter,
    Read(usize, usize),
    Ack(usize),
    AckPart(usize, Pick),
    NextBatch(usize, u64),
    AckBatch(usize, Pick),
    LeaveBehind(usize, Pick),
    AckLeft(usize, Pick),
    Persist(usize),
    Close(usize),
    DropReader(usize),
    Remove(usize),
    Seek(usize, Option<Pick>, bool),
    Crash(Unsynced),
    /// After so many operations of the disk one fails.
    Fail(u64, Fault),
    /// After so many the power is cut, in the middle of one.
    CutIn(u64, Unsynced),
}

#[derive(Debug)]
struct Reading {
    reader: Reader,
    /// It goes by batches; these are under way.
    batches: Option<Vec<Batch>>,
    /// Places inside of chunks that were handed out.
    inside: Vec<Position>,
}

struct Model {
    disk: SimStore,
    spool: Spool,
    ledger: Ledger,
    writer: Option<(Writer, bool)>,
    readers: [Option<Reading>; 2],
    /// The operation that fails, or has.
    fails_at: Option<u64>,
    /// The operation in which the power is cut.
    cut_at: Option<(u64, Unsynced)>,
    /// Of these nobody knows whether they are still there, or where: what was to be changed failed.
    doubtful: [bool; 2],
}

#[derive(Default)]
struct Heard(Vec<u8>);

impl Tap for Heard {
    fn restart(&mut self) {
        self.0.clear();
    }

    fn take(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

impl Model {
    fn new() -> Self {
        let disk = SimStore::new(7);
        let spool = open(&disk).expect("it opens");
        let mut ledger = Ledger::new();
        ledger.slack = 0;
        let (readers, doubtful) = ([None, None], [false; 2]);
        Self { disk, spool, ledger, writer: None, readers, fails_at: None, cut_at: None, doubtful }
    }

    /// Whether an operation after the one of this number went wrong on purpose.
    fn went_wrong_after(&self, operation: u64) -> bool {
        let went_wrong = |n: u64| (operation + 1..=self.disk.operations()).contains(&n);
        self.fails_at.is_some_and(went_wrong) || self.cut_at.is_some_and(|(n, _)| went_wrong(n))
    }

    /// The power is cut; the machine comes up again.
    fn crash(&mut self, kind: Unsynced) -> Result<(), Error> {
        let found = self.disk.crash(kind);
        (self.writer, self.readers) = (None, [None, None]);
        (self.fails_at, self.cut_at) = (None, None);
        self.spool = open(&found)?;
        self.disk = found;
        self.ledger.crashed();
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), Error> {
        match step {
            Step::Open { codec, every_chunk, when_full, max_disk_bytes } => {
                if self.writer.is_none() && self.ledger.taken < WRITTEN_BYTES_MAX {
                    let mut options = plain();
                    options.codec = codec.parse().expect("a codec");
                    options.sync = if *every_chunk { Sync::EveryChunk } else { Sync::Asked };
                    (options.when_full, options.max_disk_bytes) = (*when_full, Some(*max_disk_bytes));
                    self.ledger.opening = true;
                    self.ledger.drops |= *when_full == WhenFull::DropOldest;
                    let writer = self.spool.writer(options)?;
                    self.ledger.writer_opened(&writer);
                    self.writer = Some((writer, *every_chunk));
                }
            }
            Step::Write(len) => {
                if let Some((writer, _)) = &mut self.writer
                    && self.ledger.taken < WRITTEN_BYTES_MAX
                {
                    let written = self.ledger.write(writer, *len);
                    self.look_at_drops()?;
                    // A full disk: some of it was taken.
                    written.map_err(|error| error.downcast::<Error>().expect("an error of the spool's"))?;
                }
            }
            Step::EndRecord => {
                if let Some((writer, _)) = &mut self.writer {
                    self.ledger.records = true;
                    writer.end_record()?;
                }
            }
            Step::Publish => {
                if let Some((writer, _)) = &mut self.writer {
                    let published = writer.publish();
                    self.look_at_drops()?;
                    published?;
                }
            }
            Step::Sync => {
                if let Some((writer, _)) = &mut self.writer {
                    let synced = self.ledger.sync(writer);
                    self.look_at_drops()?;
                    synced?;
                }
            }
            Step::Finish(end) => {
                if let Some((writer, every_chunk)) = self.writer.take() {
                    let finished = self.ledger.finish(writer, *end, every_chunk);
                    self.look_at_drops()?;
                    finished?;
                }
            }
            Step::DropWriter => {
                drop(self.writer.take());
                self.look_at_drops()?;
            }
            Step::Crash(kind) => self.crash(*kind)?,
            Step::Fail(after, fault) if self.fails_at.is_none() => {
                let n = self.disk.operations() + 1 + after;
                self.disk.fail_nth(n, *fault, false);
                self.fails_at = Some(n);
            }
            Step::CutIn(after, kind) if self.cut_at.is_none() => {
                let n = self.disk.operations() + 1 + after;
                self.disk.crash_at(n);
                self.cut_at = Some((n, *kind));
            }
            Step::Fail(..) | Step::CutIn(..) => {}
            Step::Remove(at) => {
                if self.readers[*at].is_none() && self.ledger.reader_names().contains(&NAMES[*at]) {
                    let removed = self.spool.remove_reader(NAMES[*at]);
                    self.ledger.removed(NAMES[*at]);
                    self.doubtful[*at] = removed.is_err();
                    removed?;
                }
            }
            Step::Seek(at, to, new) => self.seek(NAMES[*at], *to, *new)?,
            Step::Read(at, _)
            | Step::Ack(at)
            | Step::AckPart(at, _)
            | Step::NextBatch(at, _)
            | Step::AckBatch(at, _)
            | Step::LeaveBehind(at, _)
            | Step::AckLeft(at, _)
            | Step::Persist(at)
            | Step::Close(at)
            | Step::DropReader(at) => self.read(*at, step)?,
        }
        Ok(())
    }

    fn look_at_drops(&mut self) -> Result<(), Error> {
        if self.ledger.drops {
            self.ledger.dropped = self.ledger.dropped.max(self.spool.info()?.oldest.offset.0);
        }
        Ok(())
    }

    fn seek(&mut self, name: &'static str, to: Option<Pick>, new: bool) -> Result<(), Error> {
        let at = NAMES.iter().position(|other| *other == name).expect("a name");
        if self.readers[at].is_some() || !self.ledger.reader_names().contains(&name) {
            return Ok(());
        }
        let info = self.spool.info()?;
        let to = match to {
            None if new => Seek::Newest,
            None => Seek::Oldest,
            Some(pick) => {
                let bytes = (info.newest.offset.0 - info.oldest.offset.0) as usize;
                Seek::Offset(StreamOffset(info.oldest.offset.0 + pick.of(bytes + 1) as u64))
            }
        };
        match self.spool.seek_reader(name, to) {
            Ok(place) => self.ledger.sought(name, place.offset.0),
            Err(error) => {
                self.ledger.removed(name);
                self.doubtful[at] = true;
                return Err(error);
            }
        }
        Ok(())
    }

    fn read(&mut self, at: usize, step: &Step) -> Result<(), Error> {
        if self.doubtful[at] {
            return Ok(());
        }
        let before = self.disk.operations();
        let (name, ledger) = (NAMES[at], &mut self.ledger);
        let mut reading = if let Some(reading) = self.readers[at].take() {
            reading
        } else {
            match self.spool.add_reader(name, Start::Oldest) {
                Ok(()) | Err(Error::ReaderExists { .. }) => {}
                Err(error) => return Err(error),
            }
            ledger.reader_added(name);
            let mut options = ReaderOptions::default();
            options.ack_interval = LONG;
            Reading { reader: self.spool.reader(name, options)?, batches: None, inside: Vec::new() }
        };
        let Reading { reader, batches, inside } = &mut reading;
        let by_batches = batches.is_some();
        match (step, &mut *batches) {
            (Step::Read(_, most), None) => inside.extend(ledger.read(reader, name, *most)?.inside),
            (Step::Ack(_), None) => {
                let to = reader.position();
                ledger.ack_lazily(reader, name, to)?;
            }
            (Step::AckPart(_, which), None) if !inside.is_empty() => {
                let to = inside[which.of(inside.len())];
                if to > reader.acknowledged() {
                    ledger.ack_lazily(reader, name, to)?;
                }
            }
            // What was read and not acknowledged is not to be mixed with batches.
            (Step::NextBatch(_, bytes), _)
                if by_batches || reader.position().offset == reader.acknowledged().offset =>
            {
                let mut heard = Heard::default();
                let limits = BatchLimits { bytes: *bytes, age: Duration::ZERO };
                let issued = batches.get_or_insert_default();
                if let NextBatch::Batch(batch) = reader.next_batch(limits, &mut heard)? {
                    assert_eq!(heard.0.len() as u64, batch.bytes);
                    assert_eq!(batch.span.bytes(), batch.bytes, "what is missing is told between batches");
                    ledger.check_bytes(batch.span.from.offset.0, &heard.0);
                    issued.push(batch);
                }
            }
            (Step::AckBatch(_, which), Some(issued)) if !issued.is_empty() => {
                let batch = issued.remove(which.of(issued.len()));
                ledger.feed(reader, name, &batch)?;
                ledger.ack_batch_lazily(reader, name, &batch)?;
            }
            (Step::LeaveBehind(_, which), Some(issued)) if !issued.is_empty() => {
                let batch = issued.remove(which.of(issued.len()));
                reader.leave_behind(&batch, batch.attempts + 1)?;
            }
            (Step::AckLeft(_, which), _) => {
                let left = reader.left_behind();
                if !left.is_empty() {
                    let batch = left[which.of(left.len())];
                    ledger.feed(reader, name, &batch)?;
                    ledger.ack_batch_lazily(reader, name, &batch)?;
                }
            }
            (Step::Persist(_), _) => {
                reader.persist()?;
                ledger.persisted(name);
            }
            (Step::Close(_), _) => {
                let closed = reading.reader.close();
                if closed.is_ok() {
                    ledger.persisted(name);
                } else {
                    ledger.given_up(name);
                }
                return closed.map(drop);
            }
            (Step::DropReader(_), _) => {
                drop(reading);
                let went_wrong = self.went_wrong_after(before);
                if went_wrong {
                    self.ledger.given_up(name);
                } else {
                    self.ledger.persisted(name);
                }
                return Ok(());
            }
            _ => {}
        }
        self.readers[at] = Some(reading);
        Ok(())
    }
}

/// Does it all, and holds what is left against the account.
pub(super) fn run(steps: &[Step]) {
    let mut model = Model::new();
    for (at, step) in steps.iter().enumerate() {
        let done = model.step(step);
        let operations = model.disk.operations();
        if let Some((_, kind)) = model.cut_at.filter(|(n, _)| *n <= operations) {
            model.ledger.cut_off();
            model.crash(kind).expect("it opens");
        } else if let Err(error) = done {
            // What a fault has ended stays so.
            let excused = matches!(error, Error::Full { .. }) || model.fails_at.is_some_and(|n| n <= operations);
            assert!(excused, "step {at}, {step:?}: {error}");
        }
        // One that failed may have dropped something, too.
        let _ = model.look_at_drops();
    }
    model.disk.heal();
    (model.writer, model.readers) = (None, [None, None]);
    model.look_at_drops().expect("it can be looked at");
    for name in NAMES {
        if model.ledger.reader_names().contains(&name) {
            model.ledger.persisted(name);
        }
    }
    model.ledger.audit(&model.spool);
}
