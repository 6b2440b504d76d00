//! Batches: stretches of the stream that are dealt with as a whole, several at once and in any order, or left behind.
//!
//! ```text
//!  ... | batch, acked | batch, under way | batch, acked |      place: behind the last one that is acked
//!                       ^ a hole of the cursor
//! ```
//! A batch is not held in memory. Who needs a digest of it hears its bytes while it is put together ([`Tap`]); who
//! deals with it reads them again ([`Feeder`](super::Feeder)).

use super::course::{Coming, Told};
use super::error::Error;
use super::event::{Damage, Ended, Gap};
use super::feed::Feeder;
use super::position::Span;
use super::reader::{Reader, ReaderStats};
use crate::format::{HOLES_MAX, Hole, Position};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// A stretch of the stream that is dealt with as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Where it is.
    pub span: Span,
    /// Its bytes: what of the span is there.
    pub bytes: u64,
    /// How often it was tried, as [`Reader::leave_behind`] was told.
    pub attempts: u32,
}

impl From<&Hole> for Batch {
    fn from(hole: &Hole) -> Self {
        Self { span: Span { from: hole.from, to: hole.to }, bytes: hole.bytes, attempts: hole.attempts }
    }
}

/// When a batch is complete.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    /// At so many bytes; a chunk that would go beyond comes into the next batch, unless it is the first.
    pub bytes: u64,
    /// So long after its first chunk was met.
    pub age: Duration,
}

/// Hears the bytes of a batch while it is put together.
pub trait Tap {
    /// A batch begins, perhaps not for the first time: what was heard before is no part of it.
    fn restart(&mut self);

    /// The next bytes of it.
    fn take(&mut self, bytes: &[u8]);
}

/// What [`Reader::next_batch`] comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextBatch {
    /// A batch.
    Batch(Batch),
    /// As [`Next::Gap`](super::Next::Gap).
    Gap(Gap),
    /// As [`Next::Damage`](super::Next::Damage).
    Damage(Damage),
    /// As [`Next::End`](super::Next::End).
    End(Ended),
    /// None is complete yet: wait, and ask again.
    Waiting {
        /// When the one that has been begun will be, at the latest.
        due: Option<Duration>,
        /// Whether a writer has the spool open.
        writer: bool,
    },
}

/// The batches of a reader.
#[derive(Debug, Default)]
pub(super) struct Batches {
    forming: Option<Forming>,
    /// Handed out and neither acknowledged nor passed, in order.
    issued: Vec<Batch>,
    /// Offsets of holes that this process is at.
    under_way: BTreeSet<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Forming {
    span: Span,
    bytes: u64,
    since: Instant,
    /// The last record boundary in it: the place, the bytes up to there, and what was counted by then.
    whole: Option<(Position, u64, ReaderStats)>,
}

impl Batches {
    /// Whether none has been begun or handed out.
    pub(super) fn is_idle(&self) -> bool {
        self.forming.is_none() && self.issued.is_empty()
    }

    pub(super) fn forming_from(&self) -> Option<Position> {
        self.forming.map(|forming| forming.span.from)
    }

    /// What becomes of the batches that lie before `to`, when the cursor goes there.
    pub(super) fn holes_before(&self, to: Position) -> impl Iterator<Item = Hole> + use<'_> {
        self.issued.iter().filter(move |batch| batch.span.to <= to).map(|batch| hole(batch, batch.attempts, false))
    }

    /// The cursor went to `to`.
    pub(super) fn passed(&mut self, to: Position) {
        let Self { issued, under_way, .. } = self;
        issued.retain(|batch| {
            let passed = batch.span.to <= to;
            if passed {
                under_way.insert(batch.span.from.offset.0);
            }
            !passed
        });
    }

    fn withdraw(&mut self, batch: &Batch) -> Option<usize> {
        let at = self.issued.iter().position(|issued| issued.span == batch.span)?;
        self.issued.remove(at);
        Some(at)
    }
}

fn hole(batch: &Batch, attempts: u32, left_behind: bool) -> Hole {
    Hole { from: batch.span.from, to: batch.span.to, bytes: batch.bytes, attempts, left_behind }
}

/// Dealing with the stream batch by batch.
impl Reader {
    /// The next batch of data that is new: whole chunks, at least one. It ends on a record boundary, if there is one in
    /// it. `tap` hears exactly its bytes. Use the same limits and the same tap until it is complete.
    ///
    /// What [`Reader::next`] handed out before, and was not acknowledged, counts as dealt with once a later batch is
    /// acknowledged: read in one way or the other.
    ///
    /// # Errors
    /// As for [`Reader::next`].
    pub fn next_batch(&mut self, limits: BatchLimits, tap: &mut dyn Tap) -> Result<NextBatch, Error> {
        loop {
            let coming = self.course.next()?;
            let forming = self.batches.forming;
            match (coming, forming) {
                (Coming::Empty { writer }, Some(forming)) => {
                    let due = limits.age.saturating_sub(forming.since.elapsed());
                    if due.is_zero() {
                        return self.complete(forming, tap);
                    }
                    return Ok(NextBatch::Waiting { due: Some(due), writer });
                }
                (Coming::Empty { writer }, None) => {
                    self.pass_sealed()?;
                    return Ok(NextBatch::Waiting { due: None, writer });
                }
                (Coming::Told(_), Some(forming)) => return self.complete(forming, tap),
                (Coming::Told(told), None) => {
                    self.take();
                    return Ok(match told {
                        Told::Gap(gap) => NextBatch::Gap(gap),
                        Told::Damage(damage) => NextBatch::Damage(damage),
                        Told::End(ended) => NextBatch::End(ended),
                    });
                }
                (Coming::Chunk(record), forming) => {
                    let len = self.course.chunk_bytes(&record).len() as u64;
                    let over = |forming: &Forming| {
                        forming.bytes.saturating_add(len) > limits.bytes || forming.since.elapsed() > limits.age
                    };
                    if let Some(forming) = forming.filter(over) {
                        return self.complete(forming, tap);
                    }
                    let from = self.course.chunk_from();
                    let mut forming = forming.unwrap_or_else(|| {
                        tap.restart();
                        Forming { span: Span { from, to: from }, bytes: 0, since: Instant::now(), whole: None }
                    });
                    tap.take(self.course.chunk_bytes(&record));
                    self.take();
                    forming.bytes += len;
                    forming.span.to = self.course.place;
                    if record.record_end {
                        forming.whole = Some((forming.span.to, forming.bytes, self.course.stats));
                    }
                    self.batches.forming = Some(forming);
                    if forming.bytes >= limits.bytes {
                        return self.complete(forming, tap);
                    }
                }
            }
        }
    }

    fn complete(&mut self, forming: Forming, tap: &mut dyn Tap) -> Result<NextBatch, Error> {
        let mut batch = Batch { span: forming.span, bytes: forming.bytes, attempts: 0 };
        if let Some((to, bytes, stats)) = forming.whole.filter(|(to, ..)| *to != forming.span.to) {
            // It ends in the middle of a record, which goes into the next one.
            (batch.span.to, batch.bytes) = (to, bytes);
            self.course.rewind(to)?;
            self.course.stats = stats;
            tap.restart();
            self.feeder(&batch).feed(&mut |bytes| {
                tap.take(bytes);
                Ok(())
            })?;
        }
        self.batches.forming = None;
        self.batches.issued.push(batch);
        Ok(NextBatch::Batch(batch))
    }

    /// The batches that were left behind, and those that were under way when an earlier run ended; oldest first.
    #[must_use]
    pub fn left_behind(&self) -> Vec<Batch> {
        let here = |hole: &&Hole| !self.batches.under_way.contains(&hole.from.offset.0);
        self.cursor.holes().iter().filter(here).map(Batch::from).collect()
    }

    /// Acknowledges a batch, in any order. One that is not known any more changes nothing.
    ///
    /// # Errors
    /// [`Error::Holes`] when too many before it are under way or left behind: acknowledge those first. [`Error::Io`] as
    /// for [`Reader::ack`].
    pub fn ack_batch(&mut self, batch: &Batch) -> Result<(), Error> {
        self.settle(batch, None)
    }

    /// Goes on without a batch: it is kept, and [`Reader::left_behind`] offers it again. `attempts` is how often it was
    /// tried in all.
    ///
    /// # Errors
    /// As for [`Reader::ack_batch`].
    pub fn leave_behind(&mut self, batch: &Batch, attempts: u32) -> Result<(), Error> {
        self.settle(batch, Some(hole(batch, attempts, true)))
    }

    fn settle(&mut self, batch: &Batch, left: Option<Hole>) -> Result<(), Error> {
        if let Some(at) = self.batches.withdraw(batch) {
            if let Err(error) = self.advance(batch.span.to, left) {
                self.batches.issued.insert(at, *batch);
                return Err(error);
            }
        } else if self.cursor.change_hole(batch.span.from, |_| left) {
            self.batches.under_way.remove(&batch.span.from.offset.0);
        }
        self.changed()
    }

    /// Reads the bytes of a batch again, as often as needed, in any thread.
    #[must_use]
    pub fn feeder(&self, batch: &Batch) -> Feeder {
        Feeder::new(std::sync::Arc::clone(&self.spool), batch.span)
    }
}

const _: () = assert!(HOLES_MAX >= 32, "a few dozen jobs, and some left behind");
