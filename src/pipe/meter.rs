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
    pub(super) producer_waited_ns: AtomicU64,
    pub(super) input_waited_ns: AtomicU64,
    pub(super) output_blocked_ns: AtomicU64,
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
    pub(super) full_ns: AtomicU64,
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

/// Adds the time since `from` to a counter of nanoseconds.
pub(super) fn add_since(counter: &AtomicU64, from: Instant) {
    let ns = u64::try_from(from.elapsed().as_nanos()).unwrap_or(u64::MAX);
    counter.fetch_add(ns, Relaxed);
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            started: OnceLock::new(),
            bytes_in: AtomicU64::default(),
            bytes_out: AtomicU64::default(),
            spliced_bytes: AtomicU64::default(),
            bypasses: AtomicU64::default(),
            producer_waited_ns: AtomicU64::default(),
            input_waited_ns: AtomicU64::default(),
            output_blocked_ns: AtomicU64::default(),
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
            full_ns: AtomicU64::default(),
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
        let time = |counter: &AtomicU64| Duration::from_nanos(counter.load(Relaxed));
        Snapshot {
            elapsed: self.started.get().map_or(Duration::ZERO, Instant::elapsed),
            bytes_in: n(&self.bytes_in),
            bytes_out: n(&self.bytes_out),
            spliced_bytes: n(&self.spliced_bytes),
            bypasses: n(&self.bypasses),
            producer_waited: time(&self.producer_waited_ns),
            consumer_waited: time(&self.input_waited_ns),
            output_blocked: time(&self.output_blocked_ns),
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
            full: time(&self.full_ns),
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
