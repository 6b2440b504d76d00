//! The bypass: while nothing is buffered, bytes go straight from the input to the output, by `splice(2)`, without
//! passing through this process.
//!
//! ```text
//!                   the output is full, and the producer would have to wait
//!           bypass ───────────────────────────────────────────────────────────> buffered
//!                  <───────────────────────────────────────────────────────────
//!                   all that was buffered has been written out
//! ```
//! Intake itself does it. That makes the hand-over simple: only intake brings data, so when nothing is held anywhere
//! ([`State::holds_nothing`]), nothing will be until intake brings it, and outflow stays asleep meanwhile. What
//! comes next is what goes out next, whoever moves it.
//!
//! Both turns are taken so that the producer gains by it. A full output alone is no reason to buffer: two processes that
//! share a machine make each other wait all the time, and buffering what the consumer is about to take anyhow costs them
//! the machine's time. It is one when the consumer takes less than could be buffered ([`Credit`]). And when all that is buffered
//! is in the window and the consumer reads, intake lets outflow catch up ([`State::lets_outflow_catch_up`]) rather than to
//! run ahead of it: a moment later the producer has the bypass again, which is faster than any buffer.
//!
//! [`State::holds_nothing`]: super::state::State::holds_nothing
//! [`State::lets_outflow_catch_up`]: super::state::State::lets_outflow_catch_up

use super::ends::Ends;
use super::event::Error;
use super::meter::add_since;
use super::monitor::Monitor;
use super::pacer::Pacer;
use crate::sys::poll::Wake;
use crate::sys::stream::Spliced;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// Most bytes that one call moves: what a grown pipe holds.
const SPLICE_BYTES_MAX: usize = 1 << 20;
/// Less than this is a trickle: nothing more is likely to be there yet, and the sooner we sleep, the sooner the consumer has
/// its turn on a shared core.
const TRICKLE_BYTES: usize = 4096;
/// How long a full output is waited for, while the input has room for what the producer writes meanwhile.
const PATIENCE: Duration = Duration::from_millis(1);

/// Why the bypass was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// The output is full: read, and buffer.
    OutputFull,
    /// These ends do not splice.
    Unfit,
    /// The input has ended.
    InputEnded,
    /// It is over.
    Stopped,
}

/// Splices while it can. Nothing may be buffered.
pub(super) fn run(monitor: &Monitor, ends: &dyn Ends, pacer: &mut Pacer) -> Result<Left, Error> {
    let entered = Instant::now();
    let mut moved = 0;
    let left = splice_on(monitor, ends, pacer, &mut moved);
    monitor.leave_bypass(entered, moved);
    left
}

fn splice_on(monitor: &Monitor, ends: &dyn Ends, pacer: &mut Pacer, moved: &mut u64) -> Result<Left, Error> {
    let meter = monitor.meter();
    let mut credit = Credit(Credit::MAX);
    // There is something to read: so if nothing can be moved, it is for want of room.
    let mut has_input = false;
    loop {
        let n = match ends.try_splice(SPLICE_BYTES_MAX.min(pacer.piece_bytes_max()))? {
            Spliced::Unfit => return Ok(Left::Unfit),
            Spliced::Moved(0) => return Ok(Left::InputEnded),
            Spliced::Moved(n) => n,
            Spliced::WouldBlock => 0,
        };
        for counter in [&meter.bytes_in, &meter.bytes_out, &meter.spliced_bytes] {
            counter.fetch_add(n as u64, Relaxed);
        }
        *moved += n as u64;
        credit.earn(n);
        let woken = if let Some(rest) = pacer.spend(n, Instant::now()) {
            has_input = false;
            monitor.stop().sleep(rest).map_err(Error::Input)?
        } else if n >= TRICKLE_BYTES {
            has_input = false;
            continue;
        } else if n == 0 && has_input {
            has_input = false;
            match wait_for_room(monitor, ends, &mut credit)? {
                Wake::TimedOut => return Ok(Left::OutputFull),
                woken => woken,
            }
        } else {
            has_input = true;
            let since = Instant::now();
            let woken = ends.wait_for_input(monitor.stop())?;
            add_since(&meter.input_waited_ns, since);
            woken
        };
        match woken {
            Wake::Ready | Wake::TimedOut => {}
            Wake::OutputClosed => return Err(Error::OutputClosed),
            Wake::Stopped => return Ok(Left::Stopped),
        }
    }
}

fn wait_for_room(monitor: &Monitor, ends: &dyn Ends, credit: &mut Credit) -> Result<Wake, Error> {
    let since = Instant::now();
    let filling = ends.input_is_filling();
    let woken = ends.wait_for_room(monitor.stop(), Some(if filling { credit.left() } else { PATIENCE }))?;
    add_since(&monitor.meter().output_blocked_ns, since);
    if filling {
        credit.spend(since.elapsed());
    }
    Ok(woken)
}

/// How long the producer may yet be kept waiting for the consumer.
///
/// Every byte that goes over earns time; waiting spends it. So it lasts as long as the consumer takes a gigabyte a
/// second, about what could be buffered; of a slower one it has enough after a few milliseconds.
#[derive(Clone, Copy, Debug)]
struct Credit(Duration);

impl Credit {
    const MAX: Duration = Duration::from_millis(4);
    const NS_PER_BYTE: u64 = 1;

    fn earn(&mut self, bytes: usize) {
        self.0 = (self.0 + Duration::from_nanos(bytes as u64 * Self::NS_PER_BYTE)).min(Self::MAX);
    }

    fn spend(&mut self, time: Duration) {
        self.0 = self.0.saturating_sub(time);
    }

    fn left(self) -> Duration {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a consumer that takes 64 KiB each `every` keeps the bypass for a second.
    fn lasts(every: Duration) -> bool {
        let mut credit = Credit(Credit::MAX);
        (0..Duration::from_secs(1).as_nanos() / every.as_nanos()).all(|_| {
            credit.earn(64 << 10);
            credit.spend(every);
            !credit.left().is_zero()
        })
    }

    #[test]
    fn a_consumer_slower_than_a_buffer_uses_its_credit_up() {
        assert!(lasts(Duration::from_micros(30)), "2 GB/s");
        assert!(!lasts(Duration::from_micros(300)), "200 MB/s");
    }

    #[test]
    fn a_fast_consumer_may_stumble_for_a_moment() {
        let mut credit = Credit(Credit::MAX);
        credit.spend(Duration::from_millis(3));
        assert!(!credit.left().is_zero());
        credit.earn(3 << 20);
        assert!(credit.left() > Duration::from_millis(3));
        credit.spend(Credit::MAX);
        assert!(credit.left().is_zero());
    }
}
