//! Keeps a stage at a rate: after every piece it says how long to rest.
//!
//! Time that was not used is not saved up beyond [`BURST`]: after a pause the rate is again the rate.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

/// Most unused time that may be made up for.
const BURST: Duration = Duration::from_millis(100);

/// A limit on bytes a second, or none.
#[derive(Debug)]
pub(super) struct Pacer {
    rate: Option<NonZeroU64>,
    /// When all that was spent so far is paid for.
    due: Instant,
}

impl Pacer {
    pub(super) fn new(rate: Option<NonZeroU64>) -> Self {
        Self { rate, due: Instant::now() }
    }

    /// How many bytes at most to move at once, so that a slow rate is even.
    pub(super) fn piece_bytes_max(&self) -> usize {
        // A twentieth of a second.
        self.rate.map_or(usize::MAX, |rate| usize::try_from(rate.get() / 20).unwrap_or(usize::MAX).max(1))
    }

    /// `bytes` were moved: how long to rest before the next.
    pub(super) fn spend(&mut self, bytes: usize, now: Instant) -> Option<Duration> {
        let rate = self.rate?;
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let cost = Duration::from_nanos(u64::try_from(bytes as u128 * 1_000_000_000 / u128::from(rate.get())).ok()?);
        self.due = self.due.max(earliest) + cost;
        self.due.checked_duration_since(now).filter(|rest| !rest.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_cost_what_the_rate_says_and_pauses_are_not_saved_up() {
        let mut pacer = Pacer::new(NonZeroU64::new(1000));
        let start = pacer.due;
        assert_eq!(pacer.spend(500, start), Some(Duration::from_millis(500)));
        let later = start + Duration::from_mins(1);
        assert_eq!(pacer.spend(100, later), None, "100 ms of the pause may be made up for");
        assert_eq!(pacer.spend(500, later), Some(Duration::from_millis(500)), "no more than that");
    }

    #[test]
    fn without_a_rate_there_is_no_rest() {
        assert_eq!(Pacer::new(None).spend(usize::MAX, Instant::now()), None);
    }
}
