//! The advice for a log that grows and is read.

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
