//! How long to wait before a batch is tried again: each time twice as long, up to a cap. Pure.

use std::time::Duration;

/// The part of a delay that jitter may take off, so that many that failed at once do not all come back at once.
const JITTER: f64 = 0.2;

/// Delays that double.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    /// Before the first retry.
    pub(super) first: Duration,
    /// No delay is longer. Less than the first: all are this long.
    pub(super) most: Duration,
}

impl Backoff {
    /// The delay before retry number `retry`, counted from 1. `chance`, from 0 to 1, sets the jitter.
    pub(super) fn delay(&self, retry: u32, chance: f64) -> Duration {
        let factor = 1_u32.checked_shl(retry.saturating_sub(1)).unwrap_or(u32::MAX);
        let full = self.first.checked_mul(factor).unwrap_or(Duration::MAX).min(self.most);
        full.mul_f64(1.0 - JITTER * chance.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_doubles_up_to_the_cap() {
        let backoff = Backoff { first: SECOND, most: 10 * SECOND };
        let seconds: Vec<_> = (1..=6).map(|retry| backoff.delay(retry, 0.0).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 10, 10]);
    }

    #[test]
    fn jitter_takes_off_a_fifth_at_most() {
        let backoff = Backoff { first: SECOND, most: 10 * SECOND };
        assert_eq!(backoff.delay(1, 1.0), Duration::from_millis(800));
        assert_eq!(backoff.delay(6, 0.5), Duration::from_secs(9));
    }

    #[test]
    fn the_cap_holds_for_the_first_delay_too_and_zero_is_at_once() {
        assert_eq!(Backoff { first: 10 * SECOND, most: SECOND }.delay(1, 0.0), SECOND);
        assert_eq!(Backoff { first: Duration::ZERO, most: SECOND }.delay(40, 0.0), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn no_retry_overflows_or_outlasts_the_cap(retry: u32, first_ms: u32, most_ms: u32, chance: f64) {
            let (first, most) = (Duration::from_millis(first_ms.into()), Duration::from_millis(most_ms.into()));
            let backoff = Backoff { first, most };
            prop_assert!(backoff.delay(retry, chance) <= most);
        }
    }
}
