//! Which parts of the spill to drop from the page cache: pure, from what was written and read to what to advise.
//!
//! All files together are one log, in the order in which they were begun; the reader follows the writer through it.
//!
//! ```text
//!          behind          head           spared              flushed          tail
//!  ──────────┼───────────────┼───────────────┼───────────────────┼───────────────┼
//!    dropped     just read      read next          cold                young
//!                                            written back, dropped
//! ```
//! - *Young.* To drop a dirty page is to write it back first. What is new is left alone, for it may be read and removed
//!   without ever reaching the disk.
//! - *Read next.* Left alone, too, so that a spill that stays within [`YOUNG_BYTES`] and [`AHEAD_BYTES`] gets no advice
//!   at all. The head may come upon cold parts: there the kernel's own read-ahead does it. Asking for them earlier
//!   (`WILLNEED`) made no drain faster where it was tried, and some slower.
//! - *Cold.* On dirty pages, the advice to drop begins to write them back; it drops only what is clean. So it is given
//!   more than once: at first, which is the write-behind, and then in sweeps over all that is cold, until the disk must
//!   have caught up. The kernel does not tell what it could drop, so time decides.
//! - *Just read.* Dropped with a lag: small segments are removed before, so that none is written back in vain.
//!
//! Being wrong costs time, never data: several writers or readers at once only make the distances less exact.

use crate::store::SegmentName;
use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

/// What is newest may be dirty, in bytes.
const YOUNG_BYTES: u64 = 64 << 20;
/// What is read next is kept, in bytes.
const AHEAD_BYTES: u64 = 64 << 20;
/// What was read is left alone, in bytes: more than a segment of a small backlog has.
const BEHIND_BYTES: u64 = 32 << 20;
/// Each kind of advice is given for so many bytes at least: a call has its price, also where there is little to do.
const STEP_BYTES: u64 = 8 << 20;
/// What may be in the page cache once the disk has caught up.
const CACHED_BYTES_MAX: u64 = 256 << 20;
const _: () = assert!(YOUNG_BYTES + AHEAD_BYTES + BEHIND_BYTES + 3 * STEP_BYTES <= CACHED_BYTES_MAX);

/// Sweeps are so far apart at least,
const SWEEP_PAUSE_MIN: Duration = Duration::from_millis(50);
/// while nothing is written or read, so far,
const IDLE_SWEEP_PAUSE_MIN: Duration = Duration::from_millis(250);
/// and in each pause so many would fit,
const SWEEPS_PER_PAUSE: u32 = 5;
/// and leave out what has been cold for so long: it was written back, or the disk has other troubles.
const SETTLED_AFTER: Duration = Duration::from_secs(30);
/// To this precision, so that few marks are enough.
const MARK_EVERY: Duration = Duration::from_secs(1);

/// A part of a file to be dropped from the page cache, or if it is dirty, to be written back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Advice<F> {
    pub(super) file: F,
    pub(super) bytes: Range<u64>,
}

/// What there is to do; nothing, most of the time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub(super) struct Steps<F> {
    pub(super) advice: Vec<Advice<F>>,
    /// A sweep is among it: [`Plan::swept`] is to be told when it is done.
    pub(super) sweeps: bool,
}

/// Positions are in the log, in bytes, unless said otherwise.
#[derive(Debug)]
pub(super) struct Plan<F> {
    spans: VecDeque<Span<F>>,
    tail: u64,
    head: u64,
    /// What lies before was read and dropped.
    behind: u64,
    /// What lies before is read soon, or has been.
    spared: u64,
    /// What lies between `spared` and here is cold.
    flushed: u64,
    /// What lies before needs no more sweeps.
    settled: u64,
    /// How far `flushed` was, and since when.
    marks: VecDeque<(Duration, u64)>,
    sweep_due: Duration,
    sweeping_since: Option<Duration>,
}

/// A file's place in the log.
#[derive(Debug)]
struct Span<F> {
    name: SegmentName,
    file: F,
    start: u64,
    len: u64,
}

impl<F> Default for Plan<F> {
    fn default() -> Self {
        Self {
            spans: VecDeque::new(),
            tail: 0,
            head: 0,
            behind: 0,
            spared: AHEAD_BYTES,
            flushed: 0,
            settled: 0,
            marks: VecDeque::new(),
            sweep_due: Duration::ZERO,
            sweeping_since: None,
        }
    }
}

impl<F: Clone> Plan<F> {
    /// A file has been begun.
    pub(super) fn created(&mut self, name: SegmentName, file: F) {
        self.spans.push_back(Span { name, file, start: self.tail, len: 0 });
    }

    /// A file has been removed, with its pages.
    pub(super) fn removed(&mut self, name: SegmentName) {
        self.spans.retain(|span| span.name != name);
        // It need not have been read.
        let oldest = self.spans.front().map_or(self.tail, |span| span.start);
        self.behind = self.behind.max(oldest);
        self.go_on(oldest);
    }

    /// So many bytes have been appended.
    pub(super) fn wrote(&mut self, name: SegmentName, bytes: u64, now: Duration) -> Steps<F> {
        let mut advice = Vec::new();
        if let Some(span) = self.spans.iter_mut().rfind(|span| span.name == name) {
            span.len += bytes;
            self.tail += bytes;
        }
        let from = self.flushed.max(self.spared);
        let to = self.tail.saturating_sub(YOUNG_BYTES);
        if to >= from + STEP_BYTES {
            self.advise(from..to, &mut advice);
            self.flushed = to;
            match self.marks.back_mut().filter(|(since, _)| now.saturating_sub(*since) < MARK_EVERY) {
                Some((_, flushed)) => *flushed = to,
                None => self.marks.push_back((now, to)),
            }
        }
        self.with_sweep(advice, now)
    }

    /// The file has been read up to here.
    pub(super) fn read(&mut self, name: SegmentName, end_byte: u64, now: Duration) -> Steps<F> {
        let mut advice = Vec::new();
        if let Some(start) = self.spans.iter().find(|span| span.name == name).map(|span| span.start) {
            self.go_on(start + end_byte);
            let to = self.head.saturating_sub(BEHIND_BYTES);
            if to >= self.behind + STEP_BYTES {
                self.advise(self.behind..to, &mut advice);
                self.behind = to;
            }
        }
        self.with_sweep(advice, now)
    }

    /// Nothing may have been written or read: a sweep, if one is due, and in how long the next will be. Always as long
    /// again as it took since the last was found cold: the disk catches up or does not, and nobody is to notice us try.
    pub(super) fn sweep(&mut self, now: Duration) -> (Steps<F>, Option<Duration>) {
        let unsettled = self.unsettled(now).is_some();
        let steps = self.with_sweep(Vec::new(), now);
        let since = self.marks.back().map_or(now, |(since, _)| *since);
        (steps, unsettled.then(|| now.saturating_sub(since).max(IDLE_SWEEP_PAUSE_MIN)))
    }

    /// The reader has come to `head`.
    fn go_on(&mut self, head: u64) {
        self.head = self.head.max(head);
        self.spared = self.head + AHEAD_BYTES;
    }

    /// Adds a sweep over what is cold, when it is time for one.
    fn with_sweep(&mut self, mut advice: Vec<Advice<F>>, now: Duration) -> Steps<F> {
        let due = self.sweeping_since.is_none() && now >= self.sweep_due;
        let cold = if due { self.unsettled(now) } else { None };
        let sweeps = cold.is_some();
        if let Some(cold) = cold {
            self.advise(cold, &mut advice);
            self.sweeping_since = Some(now);
        }
        Steps { advice, sweeps }
    }

    fn unsettled(&mut self, now: Duration) -> Option<Range<u64>> {
        while let Some((_, flushed)) = self.marks.pop_front_if(|(since, _)| now.saturating_sub(*since) > SETTLED_AFTER)
        {
            self.settled = flushed;
        }
        let from = self.settled.max(self.spared);
        (from < self.flushed).then_some(from..self.flushed)
    }

    /// The sweep is done.
    pub(super) fn swept(&mut self, now: Duration) {
        if let Some(since) = self.sweeping_since.take() {
            self.sweep_due = now + SWEEP_PAUSE_MIN.max(now.saturating_sub(since) * SWEEPS_PER_PAUSE);
        }
    }

    /// Adds the parts of files that lie in this part of the log.
    fn advise(&self, log: Range<u64>, advice: &mut Vec<Advice<F>>) {
        for span in &self.spans {
            let from = log.start.max(span.start);
            let to = log.end.min(span.start + span.len);
            if from < to {
                advice.push(Advice { file: span.file.clone(), bytes: from - span.start..to - span.start });
            }
        }
    }
}

#[cfg(test)]
mod tests;
