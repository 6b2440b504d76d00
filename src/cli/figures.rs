//! What two looks at the meter say about the time between them. Pure.

use spillpipe::pipe::Snapshot;
use std::time::Duration;

/// A share of the time below which nothing is said to hold the others up.
const SHARE_MIN: f64 = 0.25;

/// Two looks at the meter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Period<'a> {
    /// The earlier.
    pub(super) from: &'a Snapshot,
    /// The later.
    pub(super) to: &'a Snapshot,
}

/// Who holds the others up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bottleneck {
    /// It does not write as fast as the consumer reads.
    Producer,
    /// It does not read as fast as the producer writes.
    Consumer,
    /// Spilling or reading back is slower than either.
    Disk,
    /// Compressing, or decompressing, is slower than either.
    Compression,
}

impl Bottleneck {
    /// In a word.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Consumer => "consumer",
            Self::Disk => "disk",
            Self::Compression => "compression",
        }
    }

    /// The same in eight characters at most.
    pub(super) fn short_name(self) -> &'static str {
        if self == Self::Compression { "compress" } else { self.name() }
    }
}

impl Period<'_> {
    /// Bytes taken in a second.
    pub(super) fn in_rate(&self) -> u64 {
        self.rate(self.from.bytes_in, self.to.bytes_in)
    }

    /// Bytes handed out a second.
    pub(super) fn out_rate(&self) -> u64 {
        self.rate(self.from.bytes_out, self.to.bytes_out)
    }

    fn elapsed(&self) -> Duration {
        self.to.elapsed.saturating_sub(self.from.elapsed)
    }

    fn rate(&self, from_bytes: u64, to_bytes: u64) -> u64 {
        let bytes = u128::from(to_bytes.saturating_sub(from_bytes));
        let rate = (bytes * 1_000_000_000).checked_div(self.elapsed().as_nanos());
        u64::try_from(rate.unwrap_or(0)).unwrap_or(u64::MAX)
    }

    /// The share of the period that a counter of time grew by.
    fn share(&self, time: impl Fn(&Snapshot) -> Duration) -> f64 {
        let elapsed = self.elapsed().as_secs_f64();
        if elapsed > 0.0 { time(self.to).saturating_sub(time(self.from)).as_secs_f64() / elapsed } else { 0.0 }
    }

    /// Who held the others up; `None` when they were even.
    ///
    /// The outflow either writes or waits for data. What it does more of tells: writing means that the consumer is
    /// slow; waiting that the producer is, or the disk if there was a backlog all the while. When it does little of
    /// both and the producer had to wait, what lies between them is slow; when both had to wait at once, that is the
    /// compression, as a full disk does not keep the consumer waiting.
    pub(super) fn bottleneck(&self) -> Option<Bottleneck> {
        let (writing, idle) = (self.share(|s| s.output_blocked), self.share(|s| s.consumer_waited));
        if writing.max(idle) < SHARE_MIN {
            return (self.share(|s| s.producer_waited) >= SHARE_MIN).then_some(Bottleneck::Disk);
        }
        // Of the time that the producer waited, this much at least was not for the consumer to read.
        if idle >= SHARE_MIN && self.share(|s| s.producer_waited) - writing >= SHARE_MIN {
            return Some(Bottleneck::Compression);
        }
        let backlog = self.from.backlog_bytes.min(self.to.backlog_bytes) > 0;
        Some(match (writing >= idle, backlog) {
            (true, _) => Bottleneck::Consumer,
            (false, true) => Bottleneck::Disk,
            (false, false) => Bottleneck::Producer,
        })
    }

    /// The time until `size_bytes` are out, if it goes on like this, in whole seconds upwards; `None` when nothing
    /// moves, or when more came than was expected.
    pub(super) fn time_left(&self, size_bytes: u64) -> Option<Duration> {
        let left = size_bytes.checked_sub(self.to.bytes_out)?;
        let rate = Some(self.out_rate()).filter(|&rate| rate > 0)?;
        Some(Duration::from_secs(left.div_ceil(rate)))
    }
}

/// How many percent of `size_bytes` are out: more than 100 when there was more than expected.
pub(super) fn percent(now: &Snapshot, size_bytes: u64) -> u64 {
    let percent = (u128::from(now.bytes_out) * 100).checked_div(size_bytes.into());
    u64::try_from(percent.unwrap_or(100)).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use spillpipe::pipe::Meter;

    /// A snapshot `seconds` after the start.
    pub(crate) fn snapshot(seconds: u64, change: impl FnOnce(&mut Snapshot)) -> Snapshot {
        let mut snapshot = Meter::default().snapshot();
        snapshot.elapsed = Duration::from_secs(seconds);
        change(&mut snapshot);
        snapshot
    }

    #[test]
    fn who_is_slow() {
        let bottleneck = |written, waited, producer_waited, backlog| {
            let from = snapshot(10, |s| s.backlog_bytes = backlog);
            let to = snapshot(20, |s| {
                s.backlog_bytes = backlog;
                s.output_blocked = Duration::from_secs(written);
                s.consumer_waited = Duration::from_secs(waited);
                s.producer_waited = Duration::from_secs(producer_waited);
            });
            Period { from: &from, to: &to }.bottleneck()
        };
        assert_eq!(bottleneck(9, 1, 0, 5), Some(Bottleneck::Consumer));
        assert_eq!(bottleneck(9, 1, 9, 5), Some(Bottleneck::Consumer), "also when it makes the producer wait");
        assert_eq!(bottleneck(1, 9, 0, 0), Some(Bottleneck::Producer));
        assert_eq!(bottleneck(1, 9, 0, 5), Some(Bottleneck::Disk), "data is there and does not come");
        assert_eq!(bottleneck(1, 1, 9, 5), Some(Bottleneck::Disk));
        assert_eq!(bottleneck(1, 9, 9, 0), Some(Bottleneck::Compression), "a producer that waits is not slow");
        assert_eq!(bottleneck(5, 5, 5, 0), Some(Bottleneck::Consumer), "first one was slow, then the other");
        assert_eq!(bottleneck(1, 1, 0, 0), None);
    }

    #[test]
    fn rates_and_time_left() {
        let from = snapshot(10, |s| (s.bytes_in, s.bytes_out) = (1000, 500));
        let to = snapshot(20, |s| (s.bytes_in, s.bytes_out) = (3000, 1500));
        let period = Period { from: &from, to: &to };
        assert_eq!((period.in_rate(), period.out_rate()), (200, 100));
        assert_eq!(period.time_left(2500), Some(Duration::from_secs(10)));
        assert_eq!(period.time_left(2501), Some(Duration::from_secs(11)), "it is not there a moment early");
        assert_eq!(period.time_left(1500), Some(Duration::ZERO));
        assert_eq!(period.time_left(100), None, "more came than was expected");
        assert_eq!((percent(&to, 3000), percent(&to, 1000), percent(&to, 0)), (50, 150, 100));
        let still = Period { from: &to, to: &to };
        assert_eq!((still.in_rate(), still.time_left(2500), still.bottleneck()), (0, None, None));
    }
}
