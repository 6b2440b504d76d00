//! Bytes to chunks, in order, and when something is due.

use super::{ENCODING_LINGER, Front, is_final};
use crate::format::{EndState, SlotState};
use crate::spool::error::Error;
use crate::spool::options::Sync;
use std::fmt;
use std::time::Instant;

impl Front {
    /// When what waits in `filling`, or is being encoded, is to be published.
    pub(super) fn publish_at(&self) -> Option<Instant> {
        let encoding = !self.encoders.is_empty();
        let waits = self.since.filter(|_| encoding || !self.by_records || self.whole > 0);
        // Without a linger, what is full is to be seen all the same.
        let linger = self.linger.or(encoding.then_some(ENCODING_LINGER));
        waits.zip(linger).and_then(|(since, linger)| {
            // After a quiet while at once, and then no more often than that.
            let earliest = self.cut_at.map_or(Some(since), |cut_at| cut_at.checked_add(linger))?;
            Some(since.max(earliest))
        })
    }

    pub(super) fn sync_at(&self) -> Option<Instant> {
        let Sync::Interval(interval) = self.sync else { return None };
        let since = self.tail.unsynced_since()?;
        let at = since.checked_add(interval)?;
        // Nothing more comes into a sealed segment: the disk may as well have it while the next one is filled.
        Some(if self.tail.has_sealed_unsynced() { since } else { at })
    }

    /// When the keeper has something to do.
    pub(super) fn due_at(&self) -> Option<Instant> {
        [self.publish_at(), self.sync_at()].into_iter().flatten().min()
    }

    /// How much of it was taken, and what came of it.
    pub(super) fn write(&mut self, bytes: &[u8]) -> (usize, Result<(), Error>) {
        // What failed before is tried first: if it still does, nothing is taken.
        if let Err(error) = self.collect(false) {
            return (0, Err(error));
        }
        let before = self.taken_bytes;
        let done = self.take(bytes);
        (usize::try_from(self.taken_bytes - before).unwrap_or(usize::MAX), done)
    }

    fn take(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        let chunk_bytes = self.tail.chunk_bytes_max() as usize;
        while !bytes.is_empty() {
            if self.filling.len() >= chunk_bytes {
                self.cut(true)?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(chunk_bytes - self.filling.len()));
            self.since.get_or_insert_with(Instant::now);
            if let Some(delimiter) = self.records.delimiter()
                && let Some(at) = memchr::memrchr(delimiter, now)
            {
                self.whole = self.filling.len() + at + 1;
            }
            self.filling.extend_from_slice(now);
            self.taken_bytes += now.len() as u64;
            self.tail.stats.bytes += now.len() as u64;
            bytes = later;
        }
        // Where records matter, the next call may tell that one ends here.
        if self.filling.len() >= chunk_bytes && (self.whole > 0 || !self.by_records) {
            self.cut(true)?;
        }
        self.collect(false)
    }

    /// Publishes what is whole, or `all`.
    pub(super) fn publish(&mut self, all: bool) -> Result<(), Error> {
        self.cut(all)?;
        if all && !self.filling.is_empty() {
            self.cut(true)?;
        }
        self.collect(true)
    }

    pub(super) fn finish(&mut self, end: EndState) -> Result<(), Error> {
        self.publish(true)?;
        self.tail.finish(end)?;
        if self.sync != Sync::Asked
            && let Err(error) = self.tail.sync()
        {
            if end == EndState::End {
                self.tail.take_back_mark();
            }
            return Err(error);
        }
        self.tail.mark(match end {
            EndState::Continues => SlotState::Open,
            EndState::End => SlotState::Complete,
            EndState::Aborted => SlotState::Incomplete,
        })
    }

    /// Submits a chunk: up to the last record boundary; without one all there is, if that is no matter or `full`.
    fn cut(&mut self, full: bool) -> Result<(), Error> {
        let record_end = self.whole > 0;
        let len = match self.whole {
            0 if self.by_records && !full => return Ok(()),
            0 => self.filling.len(),
            whole => whole,
        };
        if len == 0 {
            return Ok(());
        }
        while !self.encoders.has_room() {
            self.collect_one(true)?;
        }
        let mut rest = self.encoders.buffer();
        rest.extend_from_slice(&self.filling[len..]);
        self.filling.truncate(len);
        let chunk = std::mem::replace(&mut self.filling, rest);
        self.whole = 0;
        // What is being encoded is to be published, too.
        let now = Instant::now();
        (self.since, self.cut_at) = (Some(now), Some(now));
        self.encoders.submit(chunk, record_end, self.tail.disk_room());
        Ok(())
    }

    /// Appends what has been encoded, in order; with `wait`, all that was submitted.
    fn collect(&mut self, wait: bool) -> Result<(), Error> {
        while self.collect_one(wait)? {}
        if self.encoders.is_empty() && self.filling.is_empty() {
            self.since = None;
        }
        Ok(())
    }

    fn collect_one(&mut self, wait: bool) -> Result<bool, Error> {
        let taken = self.encoders.take(wait).map_err(Error::io("compress for", self.tail.dir().to_owned()));
        let Some(chunk) = taken? else { return Ok(false) };
        let appended = self.tail.append(&chunk);
        if let Err(error) = appended {
            if !is_final(&error) {
                self.encoders.put_back(chunk);
            }
            return Err(error);
        }
        self.encoders.recycle(chunk);
        if self.sync == Sync::EveryChunk {
            self.tail.sync()?;
        }
        Ok(true)
    }
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front").field("filling", &self.filling.len()).field("tail", &self.tail).finish_non_exhaustive()
    }
}
