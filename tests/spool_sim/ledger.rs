//! What a spool owes: the outside account of a life, kept by what its calls returned, and the audit against it.

use super::fates::{Fate, Fates};
use super::{at_once, bytes_at, plain};
use spillpipe::format::EndState;
use spillpipe::format::Position;
use spillpipe::spool::{Batch, Ended, Error, Next, Reader, Spool, Writer};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::ops::Range;

/// Most bytes of the stream that one removal takes: a segment is one or two chunks.
const DROP_BYTES_MAX: u64 = 32 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Session {
    /// Nobody writes, and nothing was written but what ended so.
    Idle(Option<EndState>),
    /// Somebody writes, or was when the machine stopped.
    Open,
    /// Is being finished.
    Finishing(EndState),
}

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "an account of several things that did or did not happen")]
pub(super) struct Ledger {
    /// Where each writer began: from there on its bytes are the stream's.
    writers: Vec<(u64, u64)>,
    writers_made: u64,
    /// Where the session began that is the last one.
    pub(super) session_from: u64,
    pub(super) session: Session,
    /// A writer was being opened, and nobody knows how far that came.
    pub(super) opening: bool,
    /// Bytes of the stream that were handed to a writer.
    pub(super) taken: u64,
    /// Of these bytes a sync or a finish has said that they are durable.
    durable: Vec<Range<u64>>,
    /// Only whole records are published.
    pub(super) records: bool,
    /// Old bytes may be dropped: so many, and what one more removal takes.
    pub(super) drops: bool,
    pub(super) slack: u64,
    pub(super) dropped: u64,
    readers: BTreeMap<&'static str, Fates>,
    /// What readers that were removed had dealt with, as all others had.
    gone: Fates,
    /// Of these it is not known what they were told.
    sought: BTreeSet<&'static str>,
    /// Damage was done on purpose: losses are no fault, wrong bytes are.
    pub(super) is_damaged: bool,
}

/// What a reader met in one go.
#[derive(Debug, Default)]
pub(super) struct Met {
    pub(super) ends: Vec<Ended>,
    pub(super) bytes: u64,
    pub(super) missing: u64,
    pub(super) damages: u64,
    /// Places inside of the chunks that came.
    pub(super) inside: Vec<Position>,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self {
            writers: vec![],
            writers_made: 0,
            session_from: 0,
            session: Session::Idle(None),
            opening: false,
            taken: 0,
            durable: Vec::new(),
            records: false,
            drops: false,
            slack: DROP_BYTES_MAX,
            dropped: 0,
            readers: BTreeMap::new(),
            gone: Fates::default(),
            sought: BTreeSet::new(),
            is_damaged: false,
        }
    }

    /// A new reader is owed what is still there: not what all others have dealt with.
    pub(super) fn reader_added(&mut self, name: &'static str) {
        if !self.readers.contains_key(name) {
            let gone = self.dealt_with();
            self.readers.insert(name, gone);
        }
    }

    /// What all readers have dealt with, now or before one was removed: it may be gone.
    fn dealt_with(&self) -> Fates {
        let dealt_with = |fates: &Fates, at| !fates.is_owed(at);
        let len = self.readers.values().map(Fates::len).max().unwrap_or(0).max(self.gone.len());
        Fates::new(len, |at| {
            let by_all = !self.readers.is_empty() && self.readers.values().all(|fates| dealt_with(fates, at));
            by_all || dealt_with(&self.gone, at)
        })
    }

    pub(super) fn reader_names(&self) -> Vec<&'static str> {
        self.readers.keys().copied().collect()
    }

    /// A writer begins where the stream ends.
    pub(super) fn writer_opened(&mut self, writer: &Writer) {
        let from = writer.position().offset.0;
        assert!(from >= self.durable_end(), "the stream goes on at {from}, inside of what is durable: {self:?}");
        for (name, fates) in &self.readers {
            let had = fates.settled_end() as u64;
            assert!(from >= had, "the stream goes on at {from}, though {name} had {had}");
        }
        self.writers.retain(|(start, _)| *start < from);
        self.writers_made += 1;
        self.writers.push((from, self.writers_made));
        (self.taken, self.session_from, self.session) = (from, from, Session::Open);
        (self.opening, self.records) = (false, false);
    }

    /// Writes the next `len` bytes of the stream.
    pub(super) fn write(&mut self, writer: &mut Writer, len: u64) -> std::io::Result<()> {
        let number = self.writers.last().expect("a writer").1;
        let bytes = bytes_at(number, self.taken, len);
        let written = writer.write_all(&bytes);
        // Also when it fails some of them may have been taken.
        self.taken = writer.position().offset.0;
        written
    }

    pub(super) fn sync(&mut self, writer: &mut Writer) -> Result<(), Error> {
        writer.sync()?;
        let upto = writer.durable().offset.0;
        assert!(upto == self.taken || self.records, "all of it is durable, or all whole records");
        self.durable.push(self.session_from..upto);
        Ok(())
    }

    fn durable_end(&self) -> u64 {
        self.durable.last().map_or(0, |range| range.end)
    }

    pub(super) fn finish(&mut self, writer: Writer, end: EndState, durable: bool) -> Result<(), Error> {
        self.session = Session::Finishing(end);
        writer.finish(end)?;
        self.session = Session::Idle(Some(end));
        if durable {
            self.durable.push(self.session_from..self.taken);
        }
        Ok(())
    }

    /// The bytes of the stream from `from` on.
    fn truth(&self, from: u64, len: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (at, (start, number)) in self.writers.iter().enumerate() {
            let end = self.writers.get(at + 1).map_or(u64::MAX, |(next, _)| *next);
            let (start, end) = ((*start).max(from), end.min(from + len));
            if start < end {
                bytes.extend(bytes_at(*number, start, end - start));
            }
        }
        bytes
    }

    pub(super) fn check_bytes(&self, from: u64, bytes: &[u8]) {
        let truth = self.truth(from, bytes.len() as u64);
        let wrong = bytes.iter().zip(&truth).position(|(a, b)| a != b);
        assert!(truth == bytes, "{} bytes at {from} are not what was written, from {wrong:?} on", bytes.len());
    }

    /// Bytes are missing: they must never have been durable, or were dropped on purpose, or are none of this one's.
    fn check_missing(&self, from: u64, len: u64, name: &str) {
        let fates = &self.readers[name];
        let owed = |at: &u64| fates.is_owed(*at as usize) && !self.may_be_missing(*at);
        let owed = (from..(from + len).min(self.durable_end())).find(owed);
        assert_eq!(owed, None, "{name}: {len} bytes at {from} are missing: {:?} were durable", self.durable);
    }

    fn asked(&mut self, name: &str, from: u64, to: u64, fate: Fate) {
        let fates = self.readers.get_mut(name).expect("a reader");
        fates.raise(from as usize..to as usize, fate);
    }

    /// Reads on: each byte as it was written, none missing that may not, none that was settled before.
    pub(super) fn read(&mut self, reader: &mut Reader, name: &'static str, most: usize) -> Result<Met, Error> {
        let mut met = Met::default();
        // A new one begins wherever there is something.
        let mut expected = Some(reader.position().offset.0).filter(|at| *at > 0);
        for _ in 0..most {
            let mut lost = 0;
            match reader.next()? {
                Next::Data(data) => {
                    let from = data.from.offset.0;
                    assert_eq!(data.to.offset.0 - from, data.bytes.len() as u64);
                    match expected {
                        Some(expected) => assert_eq!(from, expected, "{name}: no unannounced jump"),
                        None => self.check_missing(0, from, name),
                    }
                    self.check_bytes(from, data.bytes);
                    let again = self.readers[name].settled_in(from as usize..data.to.offset.0 as usize);
                    assert_eq!(again, None, "{name}: bytes from {from} on come again");
                    met.bytes += data.bytes.len() as u64;
                    met.inside.push(data.place(data.bytes.len() / 3));
                    expected = Some(data.to.offset.0);
                }
                Next::Gap(gap) => lost = gap.bytes,
                Next::Damage(damage) => {
                    met.damages += 1;
                    lost = damage.lost_bytes;
                }
                Next::End(ended) => met.ends.push(ended),
                Next::Empty { .. } => break,
            }
            if lost > 0 {
                let to = reader.position().offset.0;
                assert!(
                    expected.is_none_or(|expected| to - lost == expected),
                    "{name}: {lost} bytes before {to} are missing"
                );
                self.check_missing(to - lost, lost, name);
                met.missing += lost;
                expected = Some(to);
            }
        }
        Ok(met)
    }

    /// Acknowledges all that was handed out.
    pub(super) fn ack(&mut self, reader: &mut Reader, name: &'static str) -> Result<(), Error> {
        let (from, to) = (reader.acknowledged().offset.0, reader.position());
        self.asked(name, from, to.offset.0, Fate::Asked);
        reader.ack(to)?;
        self.asked(name, from, to.offset.0, Fate::Settled);
        Ok(())
    }

    /// Its acknowledgements were made durable.
    pub(super) fn persisted(&mut self, name: &'static str) {
        if let Some(fates) = self.readers.get_mut(name) {
            fates.answer(Fate::Settled);
        }
    }

    /// To make its acknowledgements durable failed, and nobody is left to try again.
    pub(super) fn given_up(&mut self, name: &'static str) {
        if let Some(fates) = self.readers.get_mut(name) {
            fates.answer(Fate::Gone);
        }
    }

    /// The power was cut in the middle of a call: what it had dropped by then nobody could see any more. Of several
    /// removals any may have become durable.
    pub(super) fn cut_off(&mut self) {
        if self.drops {
            self.dropped += DROP_BYTES_MAX;
        }
    }

    /// The power is cut: what was to be made durable later is so, or is not.
    pub(super) fn crashed(&mut self) {
        self.readers.values_mut().for_each(|fates| fates.answer(Fate::Gone));
    }

    /// All that was handed out up to here is asked to be acknowledged.
    pub(super) fn ack_lazily(&mut self, reader: &mut Reader, name: &'static str, to: Position) -> Result<(), Error> {
        self.asked(name, reader.acknowledged().offset.0, to.offset.0, Fate::Asked);
        reader.ack(to)
    }

    pub(super) fn ack_batch_lazily(
        &mut self,
        reader: &mut Reader,
        name: &'static str,
        batch: &Batch,
    ) -> Result<(), Error> {
        self.asked(name, batch.span.from.offset.0, batch.span.to.offset.0, Fate::Asked);
        reader.ack_batch(batch)
    }

    /// It was put elsewhere.
    pub(super) fn sought(&mut self, name: &'static str, place: u64) {
        let (place, before) = (place as usize, self.dealt_with());
        let fates = Fates::new(before.len().max(place), |at| at < place || !before.is_owed(at));
        self.readers.insert(name, fates);
        self.sought.insert(name);
    }

    pub(super) fn removed(&mut self, name: &'static str) {
        self.gone = self.dealt_with();
        self.readers.remove(name);
        if !self.readers.is_empty() {
            self.gone = self.dealt_with();
        }
        self.sought.remove(name);
    }

    pub(super) fn ack_batch(&mut self, reader: &mut Reader, name: &'static str, batch: &Batch) -> Result<(), Error> {
        let (from, to) = (batch.span.from.offset.0, batch.span.to.offset.0);
        self.asked(name, from, to, Fate::Asked);
        reader.ack_batch(batch)?;
        self.asked(name, from, to, Fate::Settled);
        Ok(())
    }

    /// Reads a batch again: its bytes are those of its span, but for what may be missing. Returns how many there were.
    pub(super) fn feed(&self, reader: &Reader, name: &str, batch: &Batch) -> Result<u64, Error> {
        let (from, to) = (batch.span.from.offset.0, batch.span.to.offset.0);
        let mut fed = Vec::new();
        reader.feeder(batch).feed(&mut |bytes| {
            fed.extend_from_slice(bytes);
            Ok(())
        })?;
        let truth = self.truth(from, to - from);
        assert!(fed.len() <= truth.len(), "no byte of a batch comes twice");
        if fed != truth {
            self.check_missing(from, to - from, name);
            assert!(
                self.is_damaged || self.drops || truth.ends_with(&fed) || truth.starts_with(&fed),
                "a batch at {from} has {} bytes that are not its own",
                fed.len()
            );
        }
        Ok(fed.len() as u64)
    }
}

/// The audit: what is found after the machine came up again.
impl Ledger {
    /// Opens it for each reader, takes all there is, and holds it against the account; then lives on for a while.
    pub(super) fn audit(mut self, spool: &Spool) {
        let info = spool.info().expect("it can be looked at");
        for name in self.reader_names() {
            if !info.readers.iter().any(|reader| reader.name == name) {
                assert!(self.readers[name].all_owed(), "{name} is forgotten");
            }
            self.audit_reader(spool, name, &info);
        }
        self.live_on(spool);
    }

    fn audit_reader(&mut self, spool: &Spool, name: &'static str, info: &spillpipe::spool::Info) {
        let mut reader = spool.reader(name, at_once()).expect("it can be read");
        let place = reader.acknowledged().offset.0;
        assert!(place <= info.newest.offset.0, "{name}: {place} is past the end, {}", info.newest.offset);
        let mut had = vec![false; place as usize];
        for batch in reader.left_behind() {
            let span = batch.span.from.offset.0 as usize..batch.span.to.offset.0 as usize;
            assert_eq!(self.readers[name].settled_in(span.clone()), None, "{name}: {batch:?} is settled");
            self.feed(&reader, name, &batch).expect("a batch can be read");
            had[span].fill(true);
            self.ack_batch(&mut reader, name, &batch).expect("it can be acknowledged");
        }
        // Nothing before the cursor is forgotten that is owed.
        let fates = &self.readers[name];
        for (at, had) in had.iter().enumerate() {
            let forgotten = fates.is_owed(at) && !had;
            assert!(!forgotten || self.may_be_missing(at as u64), "{name}: byte {at} before {place} is forgotten");
        }
        let met = self.read(&mut reader, name, usize::MAX).expect("it can be read");
        let end = reader.position().offset.0;
        self.check_missing(end, u64::MAX - end, name);
        let told = reader.told();
        self.ack(&mut reader, name).expect("it can be acknowledged");
        reader.close().expect("it can be closed");
        self.check_end(name, end, told, &met);
        for again in 1..=2 {
            let mut reader = spool.reader(name, at_once()).expect("it can be read");
            assert_eq!(reader.told(), told, "{name}: the end is remembered");
            let met = self.read(&mut reader, name, usize::MAX).expect("it can be read");
            assert_eq!((met.bytes, met.missing, met.ends.len()), (0, 0, 0), "{name}: nothing new at restart {again}");
            if again == 1 { reader.close().map(drop).expect("it can be closed") } else { drop(reader) }
        }
    }

    fn may_be_missing(&self, at: u64) -> bool {
        self.is_damaged
            || !self.durable.iter().any(|range| range.contains(&at))
            || (self.drops && at < self.dropped + self.slack)
    }

    fn check_end(&self, name: &str, end: u64, told: Option<Ended>, met: &Met) {
        if self.is_damaged || self.sought.contains(name) || (self.opening && told == Some(Ended::Incomplete)) {
            return;
        }
        let some = end > self.session_from;
        let context = || {
            format!(
                "{name}: told {told:?} at {end}, {:?} from {} to {}: {met:?}",
                self.session, self.session_from, self.taken
            )
        };
        match self.session {
            Session::Open if some => assert_eq!(told, Some(Ended::Incomplete), "{}", context()),
            Session::Finishing(_) if some && end < self.taken => {
                assert_eq!(told, Some(Ended::Incomplete), "{}", context());
            }
            Session::Idle(Some(state)) if some && self.durable_end() == self.taken => {
                let expected = match state {
                    EndState::End => Some(Ended::Complete),
                    EndState::Aborted => Some(Ended::Incomplete),
                    EndState::Continues => None,
                };
                assert_eq!(told, expected, "{}", context());
            }
            Session::Idle(Some(_)) if some && end < self.taken => {
                let known = told != Some(Ended::Complete) || met.damages > 0 || met.missing > 0;
                assert!(known, "{}", context());
            }
            _ => {}
        }
    }

    /// Another stream goes through it as through a new one.
    fn live_on(&mut self, spool: &Spool) {
        let before: Vec<_> = self.reader_names();
        let mut writer = spool.writer(plain()).expect("it can be written");
        self.writer_opened(&writer);
        let start = self.taken;
        self.write(&mut writer, 9_000).expect("it takes it");
        self.sync(&mut writer).expect("it is durable");
        self.write(&mut writer, 1_000).expect("it takes it");
        self.finish(writer, EndState::End, false).expect("it is finished");
        let was_damaged = std::mem::replace(&mut self.is_damaged, true);
        for name in before {
            let mut reader = spool.reader(name, at_once()).expect("it can be read");
            let met = self.read(&mut reader, name, usize::MAX).expect("it can be read");
            assert_eq!(met.bytes, 10_000, "{name}: from {start} on, {met:?}");
            assert_eq!(met.ends.last(), Some(&Ended::Complete), "{name}");
            assert_eq!(reader.position().offset.0, self.taken, "{name}");
            self.ack(&mut reader, name).expect("it can be acknowledged");
            reader.close().expect("it can be closed");
        }
        self.is_damaged = was_damaged;
        let info = spool.info().expect("it can be looked at");
        let all =
            !self.readers.is_empty() && info.readers.iter().all(|reader| self.readers.contains_key(&*reader.name));
        assert!(!all || info.disk_bytes == 0, "all of it is dealt with, and gone: {info:?}");
    }
}
