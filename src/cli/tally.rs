//! What has passed, counted while it passes, for whoever asks.

use spillpipe::pipe::{Meter, Snapshot};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Counters, each good for itself at any moment.
#[derive(Debug)]
pub(super) struct Tally {
    started: Instant,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    output_blocked_ns: AtomicU64,
    left_over_bytes: AtomicU64,
}

impl Tally {
    /// Nothing so far, from now on.
    pub(super) fn start() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            started: Instant::now(),
            bytes_in: zero(),
            bytes_out: zero(),
            output_blocked_ns: zero(),
            left_over_bytes: zero(),
        }
    }

    /// An earlier run has left bytes to be handed out.
    pub(super) fn left_over(&self, bytes: u64) {
        self.left_over_bytes.store(bytes, Relaxed);
    }

    /// Bytes were taken in.
    pub(super) fn took(&self, bytes: u64) {
        self.bytes_in.fetch_add(bytes, Relaxed);
    }

    /// Bytes were handed out, in so much time.
    pub(super) fn gave(&self, bytes: u64, time: Duration) {
        self.bytes_out.fetch_add(bytes, Relaxed);
        self.output_blocked_ns.fetch_add(time.as_nanos().try_into().unwrap_or(u64::MAX), Relaxed);
    }

    /// As the pipe's own meter would tell it; what only a pipe has stays 0.
    pub(super) fn snapshot(&self) -> Snapshot {
        let mut snapshot = Meter::default().snapshot();
        snapshot.elapsed = self.started.elapsed();
        snapshot.bytes_in = self.bytes_in.load(Relaxed);
        snapshot.bytes_out = self.bytes_out.load(Relaxed);
        let all = self.left_over_bytes.load(Relaxed).saturating_add(snapshot.bytes_in);
        snapshot.backlog_bytes = all.saturating_sub(snapshot.bytes_out);
        snapshot.output_blocked = Duration::from_nanos(self.output_blocked_ns.load(Relaxed));
        snapshot
    }
}
