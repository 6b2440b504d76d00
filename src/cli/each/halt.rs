//! The word that a run ends early, for those who sleep between two attempts.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Raised once, for good.
#[derive(Debug, Default)]
pub(super) struct Halt {
    raised: Mutex<bool>,
    changed: Condvar,
}

impl Halt {
    /// Ends every sleep, now and later.
    pub(super) fn raise(&self) {
        *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Sleeps for `time`; false when it was raised before that.
    pub(super) fn sleep(&self, time: Duration) -> bool {
        let raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(raised, time, |raised| !*raised);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn raising_it_ends_a_sleep_and_all_that_follow() {
        let halt = Halt::default();
        assert!(halt.sleep(Duration::from_millis(1)));
        let start = Instant::now();
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| halt.sleep(Duration::from_mins(1)));
            halt.raise();
            assert!(!sleeper.join().expect("no panic"));
        });
        assert!(!halt.sleep(Duration::from_mins(1)));
        assert!(start.elapsed() < Duration::from_secs(30));
    }
}
