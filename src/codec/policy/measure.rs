//! What the policy counts and measures with.

use super::Outcome;

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

    /// One was too many: makes the gap `step` times as large, and starts it anew.
    pub(super) fn widen(&mut self, step: u32, gap_max: u32) {
        self.gap = (self.gap * step).min(gap_max);
        self.restart();
    }

    /// All is well: makes the gap `step` times as small, from the next [`Self::restart`] on.
    pub(super) fn narrow(&mut self, step: u32) {
        self.gap = (self.gap / step).max(1);
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
