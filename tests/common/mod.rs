//! What the tests of the engine and of the command share: inputs, and patience with an end.
#![allow(dead_code, reason = "each test binary uses its part")]

#[allow(unreachable_pub, reason = "written for test files that are crates of their own")]
#[path = "../samples/mod.rs"]
mod samples;

pub(crate) use samples::{noise, text};

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::{Duration, Instant};

pub(crate) const KIB: usize = 1 << 10;
pub(crate) const MIB: usize = 1 << 20;

/// Longest that anything here may take: far more than it needs, so that only a hang reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Starts a thread of the test's own.
pub(crate) fn thread<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().spawn(body).expect("a thread")
}

/// Runs `body` under a time limit: a hang is a failure, not a stuck suite.
pub(crate) fn within<T: Send + 'static>(limit: Duration, body: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = sync_channel(1);
    let worker = thread(move || {
        let _ = sender.send(body());
    });
    match receiver.recv_timeout(limit) {
        Ok(outcome) => outcome,
        Err(RecvTimeoutError::Timeout) => panic!("it hangs: nothing after {limit:?}"),
        Err(RecvTimeoutError::Disconnected) => match worker.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("it sends before it ends"),
        },
    }
}

/// Waits until `condition` holds; false when it still does not after `limit`.
pub(crate) fn holds_within(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        sleep(Duration::from_millis(2));
    }
}

/// Waits until `level` stays the same for `calm`: whatever fills up is full, or at its end.
pub(crate) fn wait_until_calm<T: PartialEq>(calm: Duration, mut level: impl FnMut() -> T) -> T {
    let end = Instant::now() + PATIENCE;
    let mut last = level();
    let mut since = Instant::now();
    while since.elapsed() < calm {
        assert!(Instant::now() < end, "it never comes to rest");
        sleep(Duration::from_millis(2));
        let now = level();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    last
}

/// Text, noise and zeros by turns, in runs that match no chunk size.
pub(crate) fn mixed(seed: u64, len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(len);
    let runs = [300_007, 70_001, 130_003];
    for run in 0.. {
        let n = runs[run % 3].min(len - out.len());
        if n == 0 {
            break;
        }
        match run % 3 {
            0 => out.extend(text(seed + run as u64, n)),
            1 => out.extend(noise(seed + run as u64, n)),
            _ => out.resize(out.len() + n, 0),
        }
    }
    out
}

/// Asserts that `got` is all of `sent`, without printing megabytes when it is not.
#[track_caller]
pub(crate) fn assert_same(got: &[u8], sent: &[u8]) {
    if got != sent {
        let at = got.iter().zip(sent).position(|(a, b)| a != b).unwrap_or(got.len().min(sent.len()));
        panic!("{} bytes came out of {}; the first difference is at {at}", got.len(), sent.len());
    }
}

/// Asserts that `got` is how `sent` begins.
#[track_caller]
pub(crate) fn assert_prefix(got: &[u8], sent: &[u8]) {
    assert!(got.len() <= sent.len(), "{} bytes came out of {}", got.len(), sent.len());
    assert_same(got, &sent[..got.len()]);
}

/// Says, where nobody can overlook it, that a test did not test anything.
pub(crate) fn skipped(why: &str) {
    eprintln!("SKIPPED: {}: {why}", std::thread::current().name().unwrap_or("a test"));
}
