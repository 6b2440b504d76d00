//! Batches that were left behind, and when each is to be tried again.

use spillpipe::spool::Batch;
use std::time::{Duration, Instant};

/// A batch to be tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) batch: Batch,
    /// Whether it gets retries, as a batch that this run has not seen yet does.
    pub(super) retries: bool,
    due: Instant,
}

/// The batches that were left behind.
#[derive(Debug)]
pub(super) struct Offers {
    waiting: Vec<Offer>,
    /// How often a batch is tried again; `None`: not in this run.
    every: Option<Duration>,
}

impl Offers {
    /// Begins with what an earlier run left, all of it due, in its order.
    pub(super) fn new(left: Vec<Batch>, every: Option<Duration>, now: Instant) -> Self {
        let waiting = left.into_iter().map(|batch| Offer { batch, retries: true, due: now }).collect();
        Self { waiting, every }
    }

    /// A batch is left behind now.
    pub(super) fn leave(&mut self, batch: Batch, now: Instant) {
        if let Some(due) = self.every.and_then(|every| now.checked_add(every)) {
            self.waiting.push(Offer { batch, retries: false, due });
        }
    }

    /// Takes the first that is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Offer> {
        let at = self.waiting.iter().position(|offer| offer.due <= now)?;
        Some(self.waiting.remove(at))
    }

    /// When the next one is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.waiting.iter().map(|offer| offer.due).min()
    }

    /// Offers nothing more.
    pub(super) fn forget(&mut self) {
        self.waiting.clear();
        self.every = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spillpipe::spool::{Position, Span};

    const MINUTE: Duration = Duration::from_mins(1);

    fn batch(bytes: u64) -> Batch {
        let span = Span { from: Position::default(), to: Position::default() };
        Batch { span, bytes, attempts: 0 }
    }

    fn due(offers: &mut Offers, now: Instant) -> Option<(u64, bool)> {
        offers.take_due(now).map(|offer| (offer.batch.bytes, offer.retries))
    }

    #[test]
    fn what_an_earlier_run_left_is_due_at_once_in_its_order() {
        let now = Instant::now();
        let mut offers = Offers::new(vec![batch(1), batch(2)], None, now);
        assert_eq!([due(&mut offers, now), due(&mut offers, now)], [Some((1, true)), Some((2, true))]);
        assert_eq!((due(&mut offers, now), offers.next_due()), (None, None));
    }

    #[test]
    fn what_is_left_now_is_due_after_a_while_if_at_all() {
        let now = Instant::now();
        let mut offers = Offers::new(Vec::new(), Some(MINUTE), now);
        offers.leave(batch(1), now);
        assert_eq!((due(&mut offers, now), offers.next_due()), (None, Some(now + MINUTE)));
        assert_eq!(due(&mut offers, now + MINUTE), Some((1, false)));
        let mut offers = Offers::new(Vec::new(), None, now);
        offers.leave(batch(1), now);
        assert_eq!(offers.next_due(), None);
    }

    #[test]
    fn at_the_end_nothing_is_offered_any_more() {
        let now = Instant::now();
        let mut offers = Offers::new(vec![batch(1)], Some(MINUTE), now);
        offers.forget();
        offers.leave(batch(2), now);
        assert_eq!(offers.next_due(), None);
    }
}
