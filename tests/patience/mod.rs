//! Patience with what comes to pass in its own time.

use std::time::{Duration, Instant};

/// Longest that anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `done` returns something.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(result) = done() {
            return result;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{what} did not come to pass");
}
