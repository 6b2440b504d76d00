//! What the policy counts and measures with.

use super::{Load, Outcome};

/// Chunks that make a measurement, and the weight of the latest in it.
const SAMPLES_MIN: u32 = 8;
const SAMPLE_WEIGHT: f32 = 1.0 / 16.0;

/// Lets one chunk in `gap` through.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spacing {
    gap: u32,
    left: u32,
}

impl Default for Spacing {
    fn default() -> Self {
        Self { gap: 1, left: 0 }
    }
}

impl Spacing {
    /// To be called once a chunk.
    pub(super) fn tick(&mut self) {
        self.left = self.left.saturating_sub(1);
    }

    pub(super) fn is_due(self) -> bool {
        self.left == 0
    }

    /// One was let through.
    pub(super) fn restart(&mut self) {
        self.left = self.gap;
    }

    /// Makes the gap `step` times as large, and starts it anew.
    pub(super) fn widen(&mut self, step: u32, gap_max: u32) {
        self.gap = (self.gap * step).min(gap_max);
        self.restart();
    }
}

/// Bytes saved per nanosecond of work, recent chunks counting most.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Yield {
    saved: f32,
    ns: f32,
    samples: u32,
}

impl Yield {
    #[expect(clippy::cast_precision_loss, reason = "a measurement, good to a few percent")]
    pub(super) fn add(&mut self, outcome: &Outcome) {
        let saved = outcome.raw_len.saturating_sub(outcome.frame_len) as f32;
        self.saved += (saved - self.saved) * SAMPLE_WEIGHT;
        self.ns += (outcome.cost_ns as f32 - self.ns) * SAMPLE_WEIGHT;
        self.samples = self.samples.saturating_add(1);
    }

    pub(super) fn saved_per_ns(self) -> Option<f32> {
        (self.samples >= SAMPLES_MIN && self.ns > 0.0).then(|| self.saved / self.ns)
    }
}

/// Chunks that come while one is compressed: 3 GB/s, over the slowest that zstd:3 was measured at, 181 MB/s, is 17; the
/// rest is for hiccups. The size of a chunk does not matter, for it takes longer to come and to compress alike.
const RESERVE_MIN: usize = 24;
/// A short queue reserves two slots in three instead.
const RESERVE_SHARE: (usize, usize) = (2, 3);
/// The queue has so little room left that intake is about to wait: one slot in so many, or one.
const LOW_SHARE: usize = 16;
/// Out of reach: so many times the queue. It takes some 320 chunks to come down from there.
const OUT_OF_REACH: usize = 4;
/// Chunks without that after which a reserve above the least shrinks, by a quarter.
const RESERVE_PATIENCE: u32 = 64;

/// Room that the queue must have for a chunk to be compressed: for what comes while that is done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reserve {
    chunks: usize,
    since_change: u32,
    /// A chunk has been compressed since it last proved too small, so that it may prove so again.
    on_trial: bool,
}

impl Reserve {
    /// To be called once a chunk, when storage is not what makes chunks wait.
    pub(super) fn watch(&mut self, load: Load) {
        self.since_change = self.since_change.saturating_add(1);
        if self.on_trial && load.queue_room <= (load.queue_slots / LOW_SHARE).max(1) {
            self.chunks += self.chunks / 2 + 1;
            if self.chunks > load.queue_slots {
                self.chunks = load.queue_slots * OUT_OF_REACH;
            }
            (self.on_trial, self.since_change) = (false, 0);
        } else if self.since_change >= RESERVE_PATIENCE {
            (self.chunks, self.since_change) = (self.chunks - self.chunks / 4, 0);
        }
        let (part, whole) = RESERVE_SHARE;
        self.chunks = self.chunks.max((load.queue_slots * part / whole).min(RESERVE_MIN));
    }

    pub(super) fn is_left(self, queue_room: usize) -> bool {
        queue_room >= self.chunks
    }

    /// A chunk is compressed because there is room for it.
    pub(super) fn rely(&mut self) {
        self.on_trial = true;
    }

    /// What comes next says nothing about it.
    pub(super) fn end_trial(&mut self) {
        self.on_trial = false;
    }
}
