//! The bypass: while nothing is buffered, bytes go straight from the input to the output, by `splice(2)`, which copies
//! nothing; a trickle by way of a page on the stack.
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
//! Both turns are taken so that the producer gains by it. A full output alone is no reason to buffer: two processes
//! that share a machine make each other wait all the time, and buffering what the consumer is about to take anyhow
//! costs them the machine's time. It is one when the consumer takes less than could be buffered ([`Credit`]). And when
//! all that is buffered is in the window and the consumer reads, intake lets outflow catch up
//! ([`State::lets_outflow_catch_up`]) rather than to run ahead of it: a moment later the producer has the bypass again,
//! which is faster than any buffer.
//!
//! [`State::holds_nothing`]: super::state::State::holds_nothing
//! [`State::lets_outflow_catch_up`]: super::state::State::lets_outflow_catch_up

use super::ends::Ends;
use super::event::Error;
use super::monitor::Monitor;
use super::pacer::Pacer;
use crate::format::CHUNK_BYTES_MIN;
use crate::ring::Buffer;
use crate::sys::poll::Wake;
use crate::sys::stream::Spliced;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// Most bytes that one call moves: what a grown pipe holds.
const SPLICE_BYTES_MAX: usize = 1 << 20;
/// Less than this is a trickle, which is copied: a splice takes one of the few places in the output's pipe for however
/// few bytes, so that lines of a consumer that stalls a moment would fill it. The model checker's pipes are smaller.
const TRICKLE_BYTES: usize = if cfg!(all(test, shuttle)) { 256 } else { 4096 };
const _: () = assert!(TRICKLE_BYTES <= CHUNK_BYTES_MIN as usize, "what was read and not written fits into a chunk");
/// How long a full output is waited for, while the input has room for what the producer writes meanwhile.
const PATIENCE: Duration = Duration::from_millis(1);

/// Why the bypass was left.
#[derive(Debug)]
pub(super) enum Left {
    /// The output is full: read, and buffer, first of all what was read already.
    OutputFull(Option<Buffer>),
    /// These ends do not splice.
    Unfit,
    /// The input has ended.
    InputEnded,
    /// It is over.
    Stopped,
}

/// What one step came to.
enum Step {
    Moved(usize),
    /// Nothing to read, or no room to write.
    WouldBlock,
    Left(Left),
}

/// One stay in the bypass.
struct Bypass<'a> {
    monitor: &'a Monitor,
    ends: &'a dyn Ends,
    credit: Credit,
    moved: u64,
}

/// Moves bytes while it can. Nothing may be buffered.
pub(super) fn run(monitor: &Monitor, ends: &dyn Ends, pacer: &mut Pacer) -> Result<Left, Error> {
    let mut bypass = Bypass { monitor, ends, credit: Credit(Credit::MAX), moved: 0 };
    let left = bypass.run(pacer);
    monitor.leave_bypass(bypass.moved);
    left
}

/// How the next bytes are moved.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Splice,
    /// There is something to read: so if nothing can be spliced, it is for want of room.
    SpliceWhatIsThere,
    Copy,
}

impl Bypass<'_> {
    fn run(&mut self, pacer: &mut Pacer) -> Result<Left, Error> {
        let mut way = Way::Splice;
        loop {
            let most = pacer.piece_bytes_max();
            let n = match if way == Way::Copy { self.copy(most)? } else { self.splice(most)? } {
                Step::Left(left) => {
                    if let Left::OutputFull(Some(read)) = &left {
                        pacer.spend(read.len(), Instant::now());
                    }
                    return Ok(left);
                }
                Step::Moved(n) => n,
                Step::WouldBlock => 0,
            };
            let woken = match (n, way) {
                (0, Way::SpliceWhatIsThere) => {
                    way = Way::Splice;
                    self.wait_for_room()?
                }
                (0, _) => {
                    way = if way == Way::Copy { way } else { Way::SpliceWhatIsThere };
                    self.wait_for_input()?
                }
                _ => {
                    way = if n < TRICKLE_BYTES { Way::Copy } else { Way::Splice };
                    match pacer.spend(n, Instant::now()) {
                        Some(rest) => match self.monitor.stop().sleep(rest).map_err(Error::Input)? {
                            Wake::TimedOut => continue,
                            woken => woken,
                        },
                        // The sooner we sleep, the sooner the consumer has its turn on a shared core.
                        None if way == Way::Copy => self.wait_for_input()?,
                        None => continue,
                    }
                }
            };
            match woken {
                Wake::Ready => {}
                Wake::TimedOut => return Ok(Left::OutputFull(None)),
                Wake::OutputClosed => return Err(Error::OutputClosed),
                Wake::Stopped => return Ok(Left::Stopped),
            }
        }
    }

    fn splice(&mut self, most: usize) -> Result<Step, Error> {
        Ok(match self.ends.try_splice(SPLICE_BYTES_MAX.min(most))? {
            Spliced::Unfit => Step::Left(Left::Unfit),
            Spliced::Ended => Step::Left(Left::InputEnded),
            Spliced::WouldBlock => Step::WouldBlock,
            Spliced::Moved(n) => {
                let meter = self.monitor.meter();
                for counter in [&meter.bytes_in, &meter.bytes_out, &meter.spliced_bytes] {
                    counter.fetch_add(n as u64, Relaxed);
                }
                self.moved += n as u64;
                self.credit.earn(n);
                Step::Moved(n)
            }
        })
    }

    fn copy(&mut self, most: usize) -> Result<Step, Error> {
        let mut bytes = [0; TRICKLE_BYTES];
        let Some(n) = self.ends.try_read(&mut bytes[..TRICKLE_BYTES.min(most)])? else { return Ok(Step::WouldBlock) };
        if n == 0 {
            return Ok(Step::Left(Left::InputEnded));
        }
        let meter = self.monitor.meter();
        meter.bytes_in.fetch_add(n as u64, Relaxed);
        let written = self.ends.try_write(&bytes[..n])?.unwrap_or(0);
        meter.bytes_out.fetch_add(written as u64, Relaxed);
        self.moved += written as u64;
        if written == n {
            return Ok(Step::Moved(n));
        }
        let mut rest = self.monitor.pool().take();
        rest.extend(&bytes[written..n]);
        Ok(Step::Left(Left::OutputFull(Some(rest))))
    }

    fn wait_for_input(&self) -> Result<Wake, Error> {
        let waited = &self.monitor.meter().input_waited;
        waited.start();
        let woken = self.ends.wait_for_input(self.monitor.stop());
        waited.stop();
        woken
    }

    fn wait_for_room(&mut self) -> Result<Wake, Error> {
        let blocked = &self.monitor.meter().output_blocked;
        blocked.start();
        let filling = self.ends.input_is_filling();
        let patience = if filling { self.credit.left() } else { PATIENCE };
        let woken = self.ends.wait_for_room(self.monitor.stop(), Some(patience));
        let waited = blocked.stop();
        if filling {
            self.credit.spend(waited);
        }
        woken
    }
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
