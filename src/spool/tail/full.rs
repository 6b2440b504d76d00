//! What there is room for, and what is done when there is none: wait, drop, or fail.

use super::Tail;
use crate::format::{EndState, SlotState, StreamOffset};
use crate::ring::{FullReason, WhenFull};
use crate::spool::encode::Encoded;
use crate::spool::error::Error;
use crate::spool::event::{Gap, WriterEvent};
use crate::spool::trim;
use crate::store::{SegmentName, Watch, Woken, is_full};
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// How often a full disk is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// A wait for room, or the time through which new data is dropped.
#[derive(Debug, Default)]
pub(super) struct Wait {
    pub(super) since: Option<Instant>,
    /// The system has refused a write: limits that we know of are not all that counts.
    pub(super) refused: bool,
    watch: Option<Watch>,
}

impl Wait {
    /// Whether room is being waited for: then enough of it must come back to make a fresh start worth while.
    pub(super) fn is_on(&self) -> bool {
        self.since.is_some() || self.refused
    }
}

impl Tail {
    /// How long a segment should be, if there is room for `need` bytes.
    pub(super) fn room(&mut self, need: u64, resuming: bool) -> Result<Result<u64, FullReason>, Error> {
        let look = |tail: &Self| {
            let room = tail.limits.room(&*tail.spool.home, tail.disk_bytes, need, resuming);
            room.map_err(Error::io("ask for room in", tail.spool.dir.clone()))
        };
        let mut room = look(self)?;
        if room.is_err() {
            // Readers have removed some since it was last counted, or would have, had they been asked.
            self.trim()?;
            room = look(self)?;
        }
        self.disk_room = room.as_ref().map_or(0.0, |room| room.fraction);
        Ok(room.map(|room| room.segment_bytes))
    }

    /// Removes what no reader needs, and counts what is there.
    fn trim(&mut self) -> Result<(), Error> {
        let mut names = self.finished()?;
        trim::remove_unneeded(&self.spool, &mut names)?;
        self.measure()
    }

    /// The segments but for the open one.
    fn finished(&self) -> Result<Vec<SegmentName>, Error> {
        let mut names = self.spool.list()?;
        names.retain(|name| self.current.as_ref().is_none_or(|current| current.name != *name));
        Ok(names)
    }

    pub(super) fn measure(&mut self) -> Result<(), Error> {
        let sizes = self.spool.home.segment_sizes().map_err(Error::io("list", self.spool.dir.clone()))?;
        self.disk_bytes = sizes.iter().map(|(_, bytes)| bytes).sum();
        Ok(())
    }

    /// An operation of a write failed. False: to be tried again, as the disk was full.
    pub(super) fn failed(&mut self, error: io::Error, chunk: Option<&Encoded>) -> Result<bool, Error> {
        // Where not even one chunk fits into a file, waiting is of no use.
        if is_full(&error) && error.kind() != io::ErrorKind::FileTooLarge {
            self.wait.refused = true;
            return self.full(FullReason::System(error), chunk);
        }
        Err(Error::io("write to", self.spool.dir.clone())(error))
    }

    /// What is to be done when full. True: the chunk is dropped. False: to be tried again.
    pub(super) fn full(&mut self, reason: FullReason, chunk: Option<&Encoded>) -> Result<bool, Error> {
        if self.when_full == WhenFull::Fail {
            return Err(Error::Full { dir: self.spool.dir.clone(), reason });
        }
        if self.when_full == WhenFull::DropOldest && self.drop_oldest()? {
            return Ok(false);
        }
        if self.wait.since.is_none() {
            self.tell(WriterEvent::Full(reason));
            self.wait.since = Some(Instant::now());
            // The last of it may not stay in the way: a segment that is sealed can be removed once it is read.
            self.seal(EndState::Continues).map_err(Error::io("seal a segment in", self.spool.dir.clone()))?;
            self.sync()?;
        }
        if let Some(chunk) = chunk.filter(|_| self.when_full == WhenFull::DropNew) {
            self.drop_new(chunk.raw_len.into());
            return Ok(true);
        }
        self.wait_for_room()?;
        self.trim()?;
        Ok(false)
    }

    fn wait_for_room(&mut self) -> Result<(), Error> {
        let mut pause = Watch::none();
        // Where the system refuses although there seems to be room, our own attempts would end each wait.
        let watch =
            if self.wait.refused { &mut pause } else { self.wait.watch.get_or_insert_with(|| self.spool.home.watch()) };
        let woken = watch.wait(LOOK_INTERVAL, self.cancel.as_ref());
        let woken = woken.map_err(Error::io("wait for room in", self.spool.dir.clone()))?;
        let cancelled = woken == Woken::Cancelled || self.closing.load(Relaxed);
        if cancelled { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// There is room again, if there was none.
    pub(super) fn resumed(&mut self) {
        if let Some(since) = std::mem::take(&mut self.wait).since {
            let after = since.elapsed();
            self.stats.waited += after;
            self.tell(WriterEvent::Resumed { after });
        }
    }

    /// Removes the oldest segment. False: there is none but the one that is open.
    fn drop_oldest(&mut self) -> Result<bool, Error> {
        if self.current.as_ref().is_some_and(|current| current.encoder.chunks() > 0) && self.finished()?.is_empty() {
            self.seal(EndState::Continues).map_err(Error::io("seal a segment in", self.spool.dir.clone()))?;
        }
        let names = self.spool.list()?;
        let Some(&oldest) = names.first().filter(|_| names.len() > 1 || self.current.is_none()) else {
            return Ok(false);
        };
        let end = match names.get(1) {
            Some(&second) => self.spool.start_of(second)?,
            None => Some(self.next),
        };
        // With it may go the last trace, after a power cut, of the numbers that are used up.
        let noted = self.own.slot.position.offset;
        if names.len() == 1 || end.is_none_or(|end| end.offset >= self.durable && end.offset > noted) {
            self.mark(SlotState::Writing)?;
        }
        let gap = self.spool.start_of(oldest)?.zip(end).map_or(Gap::default(), |(start, end)| Gap {
            bytes: end.offset.0.saturating_sub(start.offset.0),
            chunks: end.seq.0.saturating_sub(start.seq.0),
        });
        trim::remove(&self.spool, oldest)?;
        self.stats.dropped.bytes += gap.bytes;
        self.stats.dropped.chunks += gap.chunks;
        self.tell(WriterEvent::Dropped(gap));
        self.measure()?;
        Ok(true)
    }

    fn drop_new(&mut self, bytes: u64) {
        self.next.offset = StreamOffset(self.next.offset.0.saturating_add(bytes));
        self.stats.dropped.bytes += bytes;
        self.tell(WriterEvent::Dropped(Gap { bytes, chunks: 0 }));
    }

    fn tell(&self, event: WriterEvent) {
        if let Some(listener) = &self.listener {
            listener(event);
        }
    }
}
