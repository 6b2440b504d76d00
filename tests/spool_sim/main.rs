//! The spool on a simulated disk that loses its power, fails and rots: whatever happens below it, what it hands out is
//! what was written at that place, and what was acknowledged either way stays so.

#![expect(clippy::cast_possible_truncation, reason = "the streams are some hundred kilobytes long")]

mod crash;
mod fates;
mod faults;
mod hostile;
mod ledger;
mod life;
mod model;
mod mutation;
mod setting;
mod steps;

use ledger::Ledger;
use setting::{at_once, bytes_at, open, plain};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Runs the cases in a thread of their own; one that takes longer than this hangs.
const CASE_TIME_MAX: Duration = Duration::from_secs(20);

/// Runs `case` for 1, 2, … until it says that there are no more, or one panics or hangs. Returns how many there were.
fn each(what: &str, case: impl Fn(u64) -> bool + Send + 'static) -> u64 {
    let (sender, results) = sync_channel(1);
    let run = move || {
        for n in 1.. {
            let more = case(n);
            if sender.send((n, more)).is_err() || !more {
                return;
            }
        }
    };
    let cases = std::thread::Builder::new().spawn(run).expect("a thread");
    let mut last = 0;
    loop {
        match results.recv_timeout(CASE_TIME_MAX) {
            Ok((n, false)) => break last = n,
            Ok((n, true)) => last = n,
            Err(RecvTimeoutError::Timeout) => panic!("{what}: number {} hangs", last + 1),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    if let Err(panic) = cases.join() {
        eprintln!("{what}: at number {}", last + 1);
        std::panic::resume_unwind(panic);
    }
    last
}
