//! Whatever is done to a spool, in whatever order, the account of it stays true.

use super::{Ledger, open, plain};
use proptest::prelude::*;
use proptest::sample::Index;
use spillpipe::format::{EndState, Position, StreamOffset};
use spillpipe::spool::{
    Batch, BatchLimits, Error, NextBatch, Reader, ReaderOptions, Seek, Spool, Start, Sync, Tap, WhenFull, Writer,
};
use spillpipe::store::{SimStore, Unsynced};
use std::time::Duration;

const NAMES: [&str; 2] = ["one", "two"];
/// More than this no case writes.
const WRITTEN_BYTES_MAX: u64 = 120_000;
const LONG: Duration = Duration::from_hours(1);

#[derive(Clone, Debug)]
enum Step {
    Open { codec: &'static str, every_chunk: bool, when_full: WhenFull, max_disk_bytes: u64 },
    Write(u64),
    EndRecord,
    Publish,
    Sync,
    Finish(EndState),
    DropWriter,
    Read(usize, usize),
    Ack(usize),
    AckPart(usize, Index),
    NextBatch(usize, u64),
    AckBatch(usize, Index),
    LeaveBehind(usize, Index),
    AckLeft(usize, Index),
    Persist(usize),
    Close(usize),
    DropReader(usize),
    Remove(usize),
    Seek(usize, Option<Index>, bool),
    Crash(Unsynced),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let reader = || 0..NAMES.len();
    let full = prop_oneof![3 => Just(WhenFull::Fail), 1 => Just(WhenFull::DropOldest)];
    let opening = (prop::sample::select(vec!["zstd:1", "lz4", "none"]), any::<bool>(), full, 48u64..256);
    let end = prop::sample::select(vec![EndState::Continues, EndState::End, EndState::Aborted]);
    let kind = prop::sample::select(vec![Unsynced::Lost, Unsynced::Kept, Unsynced::Torn]);
    let step = prop_oneof![
        8 => opening.prop_map(|(codec, every_chunk, when_full, kib)| Step::Open {
            codec, every_chunk, when_full, max_disk_bytes: kib << 10,
        }),
        12 => (1u64..9_000).prop_map(Step::Write),
        2 => Just(Step::EndRecord),
        3 => Just(Step::Publish),
        4 => Just(Step::Sync),
        4 => end.prop_map(Step::Finish),
        2 => Just(Step::DropWriter),
        8 => (reader(), 1usize..12).prop_map(|(reader, n)| Step::Read(reader, n)),
        6 => reader().prop_map(Step::Ack),
        3 => (reader(), any::<Index>()).prop_map(|(reader, which)| Step::AckPart(reader, which)),
        6 => (reader(), 1u64..12_000).prop_map(|(reader, bytes)| Step::NextBatch(reader, bytes)),
        5 => (reader(), any::<Index>()).prop_map(|(reader, which)| Step::AckBatch(reader, which)),
        2 => (reader(), any::<Index>()).prop_map(|(reader, which)| Step::LeaveBehind(reader, which)),
        3 => (reader(), any::<Index>()).prop_map(|(reader, which)| Step::AckLeft(reader, which)),
        2 => reader().prop_map(Step::Persist),
        3 => reader().prop_map(Step::Close),
        2 => reader().prop_map(Step::DropReader),
        1 => reader().prop_map(Step::Remove),
        1 => (reader(), any::<Option<Index>>(), any::<bool>()).prop_map(|(reader, to, new)| Step::Seek(reader, to, new)),
        3 => kind.prop_map(Step::Crash),
    ];
    prop::collection::vec(step, 1..70)
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
        Self { disk, spool, ledger, writer: None, readers: [None, None] }
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
            Step::Crash(kind) => {
                let found = self.disk.crash(*kind);
                (self.writer, self.readers) = (None, [None, None]);
                self.spool = open(&found)?;
                self.disk = found;
                self.ledger.crashed();
            }
            Step::Remove(at) => {
                if self.readers[*at].is_none() && self.ledger.reader_names().contains(&NAMES[*at]) {
                    self.spool.remove_reader(NAMES[*at])?;
                    self.ledger.removed(NAMES[*at]);
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

    fn seek(&mut self, name: &'static str, to: Option<Index>, new: bool) -> Result<(), Error> {
        let at = NAMES.iter().position(|other| *other == name).expect("a name");
        if self.readers[at].is_some() || !self.ledger.reader_names().contains(&name) {
            return Ok(());
        }
        let info = self.spool.info()?;
        let to = match to {
            None if new => Seek::Newest,
            None => Seek::Oldest,
            Some(index) => {
                let bytes = (info.newest.offset.0 - info.oldest.offset.0) as usize;
                Seek::Offset(StreamOffset(info.oldest.offset.0 + index.index(bytes + 1) as u64))
            }
        };
        let place = self.spool.seek_reader(name, to)?;
        self.ledger.sought(name, place.offset.0);
        Ok(())
    }

    fn read(&mut self, at: usize, step: &Step) -> Result<(), Error> {
        let (name, ledger) = (NAMES[at], &mut self.ledger);
        let mut reading = if let Some(reading) = self.readers[at].take() {
            reading
        } else {
            if let Err(error) = self.spool.add_reader(name, Start::Oldest) {
                assert!(matches!(error, Error::ReaderExists { .. }), "{error}");
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
                let to = inside[which.index(inside.len())];
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
                let batch = issued.remove(which.index(issued.len()));
                ledger.feed(reader, name, &batch)?;
                ledger.ack_batch_lazily(reader, name, &batch)?;
            }
            (Step::LeaveBehind(_, which), Some(issued)) if !issued.is_empty() => {
                let batch = issued.remove(which.index(issued.len()));
                reader.leave_behind(&batch, batch.attempts + 1)?;
            }
            (Step::AckLeft(_, which), _) => {
                let left = reader.left_behind();
                if !left.is_empty() {
                    let batch = left[which.index(left.len())];
                    ledger.feed(reader, name, &batch)?;
                    ledger.ack_batch_lazily(reader, name, &batch)?;
                }
            }
            (Step::Persist(_), _) => {
                reader.persist()?;
                ledger.persisted(name);
            }
            (Step::Close(_), _) => {
                reading.reader.close()?;
                ledger.persisted(name);
                return Ok(());
            }
            (Step::DropReader(_), _) => {
                drop(reading);
                ledger.persisted(name);
                return Ok(());
            }
            _ => {}
        }
        self.readers[at] = Some(reading);
        Ok(())
    }
}

fn run(steps: &[Step]) {
    let mut model = Model::new();
    for (at, step) in steps.iter().enumerate() {
        match model.step(step) {
            Ok(()) | Err(Error::Full { .. }) => {}
            Err(error) => panic!("step {at}, {step:?}: {error}"),
        }
    }
    (model.writer, model.readers) = (None, [None, None]);
    model.look_at_drops().expect("it can be looked at");
    for name in NAMES {
        if model.ledger.reader_names().contains(&name) {
            model.ledger.persisted(name);
        }
    }
    model.ledger.audit(&model.spool);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_done_the_account_stays_true(steps in steps()) {
        run(&steps);
    }
}
