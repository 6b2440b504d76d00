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
mod tests {
    use super::*;
    use crate::format::{Family, SegmentNumber};

    const MIB: u64 = 1 << 20;

    fn name(number: u64) -> SegmentName {
        SegmentName { number: SegmentNumber(number), family: Family::Zstd }
    }

    /// A log of files of one size, written and read by the MiB. Files are their numbers.
    struct Log {
        plan: Plan<u64>,
        file_mib: u64,
        written_mib: u64,
        read_mib: u64,
        now: Duration,
    }

    impl Log {
        fn of_files(file_mib: u64) -> Self {
            let (plan, now) = (Plan::default(), Duration::ZERO);
            Self { plan, file_mib, written_mib: 0, read_mib: 0, now }
        }

        /// Returns what is advised meanwhile.
        fn write(&mut self, mib: u64) -> Vec<Advice<u64>> {
            self.each(mib, |log| {
                let number = log.written_mib / log.file_mib;
                if log.written_mib.is_multiple_of(log.file_mib) {
                    log.plan.created(name(number), number);
                }
                log.written_mib += 1;
                log.plan.wrote(name(number), MIB, log.now)
            })
        }

        /// Removes what has been read to its end, as the ring does.
        fn read(&mut self, mib: u64) -> Vec<Advice<u64>> {
            self.each(mib, |log| {
                let (number, at) = (log.read_mib / log.file_mib, log.read_mib % log.file_mib);
                log.read_mib += 1;
                let steps = log.plan.read(name(number), (at + 1) * MIB, log.now);
                if log.read_mib.is_multiple_of(log.file_mib) {
                    log.plan.removed(name(number));
                }
                steps
            })
        }

        fn each(&mut self, mib: u64, step: impl Fn(&mut Self) -> Steps<u64>) -> Vec<Advice<u64>> {
            let mut advice = Vec::new();
            for _ in 0..mib {
                let steps = step(self);
                if steps.sweeps {
                    self.plan.swept(self.now);
                }
                advice.extend(steps.advice);
            }
            advice
        }

        /// The MiB of the log that this advice is about.
        fn mib(&self, advice: &[Advice<u64>]) -> Vec<u64> {
            let of = |a: &Advice<u64>| {
                let start = a.file * self.file_mib;
                start + a.bytes.start / MIB..start + a.bytes.end / MIB
            };
            let mut mib: Vec<_> = advice.iter().flat_map(of).collect();
            mib.sort_unstable();
            mib.dedup();
            mib
        }
    }

    #[test]
    fn a_small_spill_is_left_alone_however_long_it_goes_on() {
        let mut log = Log::of_files(16);
        for _ in 0..100 {
            assert_eq!(log.write(128), []);
            log.now += Duration::from_secs(1);
            assert_eq!(log.read(128), []);
        }
    }

    #[test]
    fn what_lies_between_the_reader_and_the_newest_is_advised_all_of_it_and_nothing_else() {
        for file_mib in [1, 16, 100, 1024] {
            let mut log = Log::of_files(file_mib);
            let advice = log.write(1000);
            assert_eq!(log.mib(&advice), (64..1000 - 64).collect::<Vec<_>>(), "files of {file_mib} MiB");
        }
    }

    #[test]
    fn what_may_still_be_dirty_is_advised_again_until_it_has_settled() {
        let mut log = Log::of_files(16);
        log.write(500);
        log.now += SWEEP_PAUSE_MIN;
        // The reader goes on, so what it comes near to is left out.
        let again = log.read(10);
        assert_eq!(log.mib(&again), (65..432).collect::<Vec<_>>());
        assert_eq!(log.read(1), [], "not so soon");
        log.now += SETTLED_AFTER / 2;
        let once_more = log.read(1);
        assert_eq!(log.mib(&once_more), (76..432).collect::<Vec<_>>());
        log.now += SETTLED_AFTER;
        assert_eq!(log.read(1), [], "the disk has caught up by now");
    }

    #[test]
    fn while_nothing_moves_sweeps_get_rarer_and_end() {
        let mut log = Log::of_files(16);
        assert_eq!(log.plan.sweep(log.now).1, None, "nothing is cold");
        log.write(500);
        let mut sweeps = 0;
        loop {
            let (steps, again) = log.plan.sweep(log.now);
            if steps.sweeps {
                assert_eq!(log.mib(&steps.advice), (64..432).collect::<Vec<_>>());
                log.plan.swept(log.now);
                sweeps += 1;
            }
            let Some(again) = again else { break };
            log.now += again;
        }
        assert!((6..=10).contains(&sweeps), "{sweeps}");
        assert!(log.now > SETTLED_AFTER, "not before the disk must have caught up");
    }

    #[test]
    fn one_sweep_at_a_time_and_a_long_one_is_followed_by_a_long_pause() {
        let mut log = Log::of_files(16);
        log.write(500);
        log.now += SWEEP_PAUSE_MIN;
        let steps = log.plan.read(name(0), MIB, log.now);
        assert!(steps.sweeps);
        log.now += Duration::from_secs(1);
        assert!(!log.plan.read(name(0), MIB, log.now).sweeps, "it is still going on");
        log.plan.swept(log.now);
        log.now += Duration::from_millis(4999);
        assert!(!log.plan.read(name(0), MIB, log.now).sweeps);
        log.now += Duration::from_millis(1);
        assert!(log.plan.read(name(0), MIB, log.now).sweeps);
    }

    #[test]
    fn of_a_long_file_what_was_read_is_dropped_behind_the_reader() {
        let mut log = Log::of_files(1000);
        log.write(1000);
        // Without the sweeps, which are about what lies ahead.
        log.plan.settled = log.plan.flushed;
        let advice = log.read(500);
        let dropped = log.mib(&advice);
        assert_eq!(dropped, (0..dropped.len() as u64).collect::<Vec<_>>());
        assert!(dropped.len() as u64 >= 500 - (BEHIND_BYTES + STEP_BYTES) / MIB, "{}", dropped.len());
        assert!(dropped.len() as u64 <= 500 - BEHIND_BYTES / MIB, "{}", dropped.len());
    }

    #[test]
    fn what_was_removed_unread_counts_as_read() {
        let mut log = Log::of_files(100);
        log.write(500);
        log.plan.removed(name(0));
        log.plan.removed(name(1));
        log.plan.settled = log.plan.flushed;
        let advice = log.write(500);
        let advised = log.mib(&advice);
        assert_eq!(advised.first(), Some(&(500 - 64 - 4)), "the write-behind goes on where it was: {advised:?}");
        log.now += SETTLED_AFTER * 2;
        log.plan.removed(name(2));
        assert_eq!((log.plan.head, log.plan.spared), (300 * MIB, 300 * MIB + AHEAD_BYTES));
    }

    /// What is not advised is all that stays: dropped pages come back only by being read, and then lie behind.
    #[test]
    fn at_no_time_more_than_the_bound_is_out_of_reach_of_advice() {
        for file_mib in [16, 64, 1024] {
            let mut log = Log::of_files(file_mib);
            let mut cached = std::collections::BTreeSet::new();
            for round in 0..40 {
                let (write, read) = [(300, 7), (5, 200), (64, 64), (0, 50)][round % 4];
                let written = log.written_mib;
                let mut advice = log.write(write);
                cached.extend(written..log.written_mib);
                let was_read = log.read_mib;
                let read = read.min(log.written_mib - log.read_mib);
                advice.extend(log.read(read));
                cached.extend(was_read..log.read_mib);
                for mib in log.mib(&advice) {
                    cached.remove(&mib);
                }
                let removed_mib = log.read_mib / file_mib * file_mib;
                cached = cached.split_off(&removed_mib);
                assert!(cached.len() as u64 * MIB <= CACHED_BYTES_MAX, "{} MiB, round {round}", cached.len());
                log.now += Duration::from_secs(1);
            }
        }
    }
}
