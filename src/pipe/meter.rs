//! Figures of a running pipe, readable at any time from any thread.

use crate::codec::CODEC_COUNT;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Counters that the stages of a pipe keep up to date.
///
/// Each is a relaxed atomic of its own: a snapshot taken while the pipe runs is as good as the moment, and exact
/// once it has ended.
#[derive(Debug)]
pub struct Meter {
    started: OnceLock<Instant>,
    pub(super) bytes_in: AtomicU64,
    pub(super) bytes_out: AtomicU64,
    pub(super) spliced_bytes: AtomicU64,
    pub(super) bypasses: AtomicU64,
    pub(super) producer_waited: Stopwatch,
    pub(super) input_waited: Stopwatch,
    pub(super) output_blocked: Stopwatch,
    pub(super) backlog: Gauge,
    pub(super) memory: Gauge,
    pub(super) disk: Gauge,
    pub(super) encoded_raw_bytes: AtomicU64,
    pub(super) encoded_bytes: AtomicU64,
    pub(super) spilled_bytes: AtomicU64,
    pub(super) chunks: [AtomicU64; CODEC_COUNT],
    pub(super) segments: AtomicU64,
    pub(super) dropped_chunks: AtomicU64,
    pub(super) dropped_bytes: AtomicU64,
    pub(super) full: Stopwatch,
}

/// A level and the highest it has been.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    now: AtomicU64,
    peak: AtomicU64,
}

impl Gauge {
    pub(super) fn set(&self, value: u64) {
        self.now.store(value, Relaxed);
        self.peak.fetch_max(value, Relaxed);
    }
}

/// Time that something takes again and again, the present time included: a wait is seen while it lasts.
#[derive(Debug)]
pub(super) struct Stopwatch {
    epoch: Instant,
    total_ns: AtomicU64,
    /// Since when it runs, in nanoseconds after the epoch; 0 when it stands.
    since_ns: AtomicU64,
}

impl Default for Stopwatch {
    fn default() -> Self {
        Self { epoch: Instant::now(), total_ns: AtomicU64::new(0), since_ns: AtomicU64::new(0) }
    }
}

impl Stopwatch {
    fn now_ns(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1)
    }

    /// Lets it run, if it does not.
    pub(super) fn start(&self) {
        let _ = self.since_ns.compare_exchange(0, self.now_ns(), Relaxed, Relaxed);
    }

    /// How long it has run, if it runs, since that time.
    fn ran_ns(&self, since_ns: u64) -> u64 {
        if since_ns == 0 { 0 } else { self.now_ns().saturating_sub(since_ns) }
    }

    /// Lets it stand, and returns how long it ran.
    pub(super) fn stop(&self) -> Duration {
        let ns = self.ran_ns(self.since_ns.swap(0, Relaxed));
        self.total_ns.fetch_add(ns, Relaxed);
        Duration::from_nanos(ns)
    }

    fn time(&self) -> Duration {
        Duration::from_nanos(self.total_ns.load(Relaxed) + self.ran_ns(self.since_ns.load(Relaxed)))
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            started: OnceLock::new(),
            bytes_in: AtomicU64::default(),
            bytes_out: AtomicU64::default(),
            spliced_bytes: AtomicU64::default(),
            bypasses: AtomicU64::default(),
            producer_waited: Stopwatch::default(),
            input_waited: Stopwatch::default(),
            output_blocked: Stopwatch::default(),
            backlog: Gauge::default(),
            memory: Gauge::default(),
            disk: Gauge::default(),
            encoded_raw_bytes: AtomicU64::default(),
            encoded_bytes: AtomicU64::default(),
            spilled_bytes: AtomicU64::default(),
            chunks: std::array::from_fn(|_| AtomicU64::default()),
            segments: AtomicU64::default(),
            dropped_chunks: AtomicU64::default(),
            dropped_bytes: AtomicU64::default(),
            full: Stopwatch::default(),
        }
    }
}

impl Meter {
    /// The time runs from here on.
    pub(super) fn start(&self) {
        self.started.get_or_init(Instant::now);
    }

    /// The figures of this moment.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let n = |counter: &AtomicU64| counter.load(Relaxed);
        Snapshot {
            elapsed: self.started.get().map_or(Duration::ZERO, Instant::elapsed),
            bytes_in: n(&self.bytes_in),
            bytes_out: n(&self.bytes_out),
            spliced_bytes: n(&self.spliced_bytes),
            bypasses: n(&self.bypasses),
            producer_waited: self.producer_waited.time(),
            consumer_waited: self.input_waited.time(),
            output_blocked: self.output_blocked.time(),
            backlog_bytes: n(&self.backlog.now),
            backlog_bytes_peak: n(&self.backlog.peak),
            memory_bytes: n(&self.memory.now),
            memory_bytes_peak: n(&self.memory.peak),
            disk_bytes: n(&self.disk.now),
            disk_bytes_peak: n(&self.disk.peak),
            encoded_raw_bytes: n(&self.encoded_raw_bytes),
            encoded_bytes: n(&self.encoded_bytes),
            spilled_bytes: n(&self.spilled_bytes),
            chunks: std::array::from_fn(|i| n(&self.chunks[i])),
            segments: n(&self.segments),
            dropped_chunks: n(&self.dropped_chunks),
            dropped_bytes: n(&self.dropped_bytes),
            full: self.full.time(),
        }
    }
}

/// What a [`Meter`] read at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// Time since the pipe was started.
    pub elapsed: Duration,
    /// Bytes taken from the producer.
    pub bytes_in: u64,
    /// Bytes handed to the consumer.
    pub bytes_out: u64,
    /// Of these, bytes that were spliced: never copied through this process, nor buffered.
    pub spliced_bytes: u64,
    /// Times that bytes began to pass by unbuffered, at first or because nothing was buffered any more.
    pub bypasses: u64,
    /// Time that the producer had to wait because neither memory nor disk took more.
    pub producer_waited: Duration,
    /// Time that the consumer had to wait because nothing was there.
    pub consumer_waited: Duration,
    /// Time spent in writing to the consumer: when it is near the whole, the consumer is the bottleneck.
    pub output_blocked: Duration,
    /// Raw bytes taken in and not yet handed out.
    pub backlog_bytes: u64,
    /// The most that this was.
    pub backlog_bytes_peak: u64,
    /// Bytes of the buffers in use.
    pub memory_bytes: u64,
    /// The most that this was.
    pub memory_bytes_peak: u64,
    /// Bytes on disk.
    pub disk_bytes: u64,
    /// The most that this was.
    pub disk_bytes_peak: u64,
    /// Raw bytes that went through a codec.
    pub encoded_raw_bytes: u64,
    /// Bytes that they became.
    pub encoded_bytes: u64,
    /// Bytes written to disk, all told.
    pub spilled_bytes: u64,
    /// Chunks stored a codec, in the order of [`codec::TABLE`](crate::codec::TABLE).
    pub chunks: [u64; CODEC_COUNT],
    /// Segment files created.
    pub segments: u64,
    /// Chunks dropped under [`WhenFull::DropOldest`](super::WhenFull) or `DropNew`.
    pub dropped_chunks: u64,
    /// Raw bytes dropped.
    pub dropped_bytes: u64,
    /// Time spent full.
    pub full: Duration,
}

impl Snapshot {
    /// How many raw bytes one stored byte stands for; `None` before anything was stored.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    pub fn ratio(&self) -> Option<f64> {
        (self.encoded_bytes > 0).then(|| self.encoded_raw_bytes as f64 / self.encoded_bytes as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_counts_while_it_lasts_and_once() {
        let watch = Stopwatch::default();
        assert_eq!((watch.time(), watch.stop()), (Duration::ZERO, Duration::ZERO));
        watch.start();
        std::thread::sleep(Duration::from_millis(2));
        let under_way = watch.time();
        assert!(under_way >= Duration::from_millis(2));
        watch.start();
        let took = watch.stop();
        assert!(took >= under_way, "starting it again changes nothing");
        assert_eq!((watch.time(), watch.stop(), watch.time()), (took, Duration::ZERO, took));
    }
}
