//! Which operation fails, and how: the plan of a test, and the chance that fills its gaps.

use rustix::io::Errno;
use std::io;

/// How an operation of a [`SimStore`](super::SimStore) fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The device fails (EIO). Nothing happens.
    Eio,
    /// No room (ENOSPC), whatever the capacity. Nothing happens.
    Enospc,
    /// A signal interrupts the call (EINTR). Real stores start it again inside, and so does this one: the operation
    /// takes its effect under the next number, and its caller sees nothing. When it is interrupted again and again
    /// (a sticky fault) the caller gets [`io::ErrorKind::Interrupted`] after 16 times, where a real store would still
    /// be trying: a test should end.
    Eintr,
    /// An append writes a part of its bytes (the seed says how many, possibly none, never all), then the device fails
    /// (EIO). For other operations the same as [`Fault::Eio`].
    ShortWrite,
}

/// How often an interrupted operation is started again.
const EINTR_RETRIES_MAX: usize = 16;

/// How much of an operation takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    All,
    None,
    /// A part if it can be divided, nothing otherwise.
    Part,
    /// The machine stops meanwhile: a part, all or nothing.
    InFlight,
}

/// What becomes of an operation: how much of it takes effect, and the error that its caller is told.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) effect: Effect,
    pub(super) told: io::Result<()>,
}

impl Verdict {
    fn fail(effect: Effect, error: impl Into<io::Error>) -> Self {
        Self { effect, told: Err(error.into()) }
    }
}

#[derive(Clone, Copy, Debug)]
struct Planned {
    n: u64,
    fault: Fault,
    sticky: bool,
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    operations: u64,
    planned: Vec<Planned>,
    stop_at: Option<u64>,
    stopped: bool,
}

impl Faults {
    pub(super) fn operations(&self) -> u64 {
        self.operations
    }

    pub(super) fn plan(&mut self, n: u64, fault: Fault, sticky: bool) {
        self.planned.push(Planned { n, fault, sticky });
    }

    pub(super) fn stop_at(&mut self, n: u64) {
        self.stop_at = Some(n);
    }

    pub(super) fn clear(&mut self) {
        (self.planned, self.stop_at, self.stopped) = (Vec::new(), None, false);
    }

    /// The error of everything that is asked of a machine that stopped.
    pub(super) fn check_running(&self) -> io::Result<()> {
        if self.stopped { Err(io::Error::other("the simulated machine has stopped")) } else { Ok(()) }
    }

    /// Counts an operation, and says what becomes of it. Of several faults planned for it, the first one counts.
    pub(super) fn next(&mut self) -> Verdict {
        for _ in 0..=EINTR_RETRIES_MAX {
            self.operations += 1;
            if let Err(error) = self.check_running() {
                return Verdict::fail(Effect::None, error);
            }
            self.stopped = self.stop_at.is_some_and(|n| self.operations >= n);
            if let Err(error) = self.check_running() {
                return Verdict::fail(Effect::InFlight, error);
            }
            let now = self.operations;
            let due = self.planned.iter().find(|p| p.n == now || (p.sticky && p.n < now));
            match due.map(|planned| planned.fault) {
                None => return Verdict { effect: Effect::All, told: Ok(()) },
                Some(Fault::Eio) => return Verdict::fail(Effect::None, Errno::IO),
                Some(Fault::Enospc) => return Verdict::fail(Effect::None, Errno::NOSPC),
                Some(Fault::ShortWrite) => return Verdict::fail(Effect::Part, Errno::IO),
                Some(Fault::Eintr) => {}
            }
        }
        Verdict::fail(Effect::None, Errno::INTR)
    }
}

/// `SplitMix64`: small, and the same everywhere for ever, so that a seed in a test stays what it was.
#[derive(Clone, Debug)]
pub(super) struct Rng(u64);

impl Rng {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// One of 0 up to `bound`, without it; 0 when there is none. The bias is of no matter here.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        if bound == 0 {
            return 0;
        }
        usize::try_from(self.next() % bound as u64).unwrap_or(0)
    }

    pub(super) fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }

    #[expect(clippy::cast_possible_truncation, reason = "eight of the bits are asked for")]
    pub(super) fn byte(&mut self) -> u8 {
        self.next() as u8
    }
}
