//! The one lock of the engine, and the waiting.
//!
//! A thread asks for its next step with [`Monitor::wait`] and reports what it did with [`Monitor::update`]; both hold
//! the lock no longer than it takes to handle one chunk. After every change, each role that has sleepers and
//! something to do gets one of them woken ([`State::ready`] is the same predicate that the step itself obeys), and who
//! is woken wakes the next: no wake-up can be lost, and nobody is woken in vain. While one is on its way, no second one
//! is called for, and all calls but the last, to all, are made with the lock open: who is woken finds it free.

use super::event::Error;
use super::meter::{Meter, Stopwatch};
use super::state::{Role, State};
use crate::ring::Pool;
use crate::sync::{AtomicBool, Condvar, Mutex, MutexGuard, lock};
use crate::sys::poll::Stop;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// How often a full disk is looked at again, when nothing else says that there is room.
const RECHECK: Duration = Duration::from_millis(250);

pub(super) struct Monitor {
    shared: Mutex<Shared>,
    /// One for each role, in the order of [`Role::ALL`].
    wakers: [Condvar; Role::ALL.len()],
    stop: Stop,
    hungry: AtomicBool,
    pool: Arc<Pool>,
    meter: Arc<Meter>,
}

struct Shared {
    state: State,
    sleepers: [usize; Role::ALL.len()],
    /// One of the role's sleepers has been called and has not yet come.
    called: [bool; Role::ALL.len()],
    stopped: bool,
    error: Option<Error>,
}

/// How a wait ended.
#[derive(Debug)]
pub(super) enum Waited<T> {
    /// With this to do.
    Step(T),
    /// With nothing to do yet; also when it was woken in vain.
    TimedOut,
    /// It is over.
    Over,
}

/// Roles of which one sleeper is to be called, once the lock is open.
#[must_use]
struct Calls([bool; Role::ALL.len()]);

impl Monitor {
    pub(super) fn new(state: State, pool: Arc<Pool>, meter: Arc<Meter>, stop: Stop) -> Self {
        let (sleepers, called) = ([0; Role::ALL.len()], [false; Role::ALL.len()]);
        let shared = Shared { state, sleepers, called, stopped: false, error: None };
        Self {
            shared: Mutex::new(shared),
            wakers: std::array::from_fn(|_| Condvar::new()),
            stop,
            hungry: AtomicBool::new(false),
            pool,
            meter,
        }
    }

    pub(super) fn meter(&self) -> &Meter {
        &self.meter
    }

    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    pub(super) fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Whether outflow waits for what the producer writes next. True once for each time that it waits: until it is
    /// awake, one chunk is enough, or a byte-by-byte producer would fill the window with chunks of a byte.
    pub(super) fn take_output_hunger(&self) -> bool {
        self.hungry.load(Relaxed) && self.hungry.swap(false, Relaxed)
    }

    /// Waits until all that was brought has been written out, or intake had better go on buffering. True: the bypass may
    /// be entered, and is, until [`Self::leave_bypass`].
    pub(super) fn enter_bypass(&self) -> Option<bool> {
        let entered =
            self.wait(Role::CatchUp, None, |state| (!state.lets_outflow_catch_up()).then(|| state.enter_bypass()));
        if entered == Some(true) {
            // Outflow waits for us, now, and not for the producer.
            self.meter.input_waited.stop();
        }
        entered
    }

    /// So many bytes passed by.
    pub(super) fn leave_bypass(&self, bytes: u64) {
        self.meter.bypasses.fetch_add(u64::from(bytes > 0), Relaxed);
        self.update(|state| state.leave_bypass(bytes));
        // Outflow sleeps, and waits for the producer again.
        self.meter.input_waited.start();
    }

    /// Waits until `step` has something for a thread of `role`, and counts the time in `waited`. `None`: it is over.
    pub(super) fn wait<T>(
        &self,
        role: Role,
        waited: Option<&Stopwatch>,
        step: impl FnMut(&mut State) -> Option<T>,
    ) -> Option<T> {
        match self.step(role, waited, None, step) {
            Waited::Step(outcome) => Some(outcome),
            Waited::TimedOut | Waited::Over => None,
        }
    }

    /// The same, for so long at most.
    pub(super) fn wait_at_most<T>(
        &self,
        role: Role,
        time: Option<Duration>,
        step: impl FnMut(&mut State) -> Option<T>,
    ) -> Waited<T> {
        self.step(role, None, time, step)
    }

    fn step<T>(
        &self,
        role: Role,
        waited: Option<&Stopwatch>,
        time: Option<Duration>,
        mut step: impl FnMut(&mut State) -> Option<T>,
    ) -> Waited<T> {
        let mut shared = lock(&self.shared);
        let mut slept = false;
        let (outcome, calls) = loop {
            if shared.stopped {
                break (Waited::Over, None);
            }
            if let Some(outcome) = step(&mut shared.state) {
                break (Waited::Step(outcome), Some(self.settle(&mut shared)));
            }
            if shared.state.is_over() {
                self.end(&mut shared);
                break (Waited::Over, None);
            }
            if slept && time.is_some() {
                break (Waited::TimedOut, None);
            }
            if role == Role::Outflow {
                self.hungry.store(shared.state.is_idle(), Relaxed);
            }
            slept = true;
            if let Some(waited) = waited.filter(|_| role != Role::Outflow || !shared.state.is_bypassed()) {
                waited.start();
            }
            shared.sleepers[role as usize] += 1;
            shared = self.sleep(role, time, shared);
            shared.sleepers[role as usize] -= 1;
            shared.called[role as usize] = false;
        };
        drop(shared);
        if let Some(calls) = calls {
            self.make(&calls);
        }
        if role == Role::Outflow {
            self.hungry.store(false, Relaxed);
        }
        if let Some(waited) = waited {
            waited.stop();
        }
        outcome
    }

    fn sleep<'l>(&self, role: Role, time: Option<Duration>, shared: MutexGuard<'l, Shared>) -> MutexGuard<'l, Shared> {
        let waker = &self.wakers[role as usize];
        let recheck = (role == Role::Spill && shared.state.recheck_is_due()).then_some(RECHECK);
        let Some(at_most) = recheck.into_iter().chain(time).min() else {
            return waker.wait(shared).unwrap_or_else(PoisonError::into_inner);
        };
        let (mut shared, timeout) = waker.wait_timeout(shared, at_most).unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() && recheck == Some(at_most) {
            shared.state.retry_spill();
        }
        shared
    }

    /// Changes the state, and wakes whoever that gives something to do.
    pub(super) fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut shared = lock(&self.shared);
        let outcome = change(&mut shared.state);
        let calls = self.settle(&mut shared);
        drop(shared);
        self.make(&calls);
        outcome
    }

    fn make(&self, calls: &Calls) {
        for (waker, _) in self.wakers.iter().zip(calls.0).filter(|(_, call)| *call) {
            waker.notify_one();
        }
    }

    fn settle(&self, shared: &mut Shared) -> Calls {
        if let Err(source) = shared.state.settle() {
            shared.error.get_or_insert(Error::DamagedMemory { source });
            self.end(shared);
        }
        if shared.state.is_over() {
            self.end(shared);
        }
        let mut calls = Calls([false; Role::ALL.len()]);
        for role in Role::ALL {
            let i = role as usize;
            if shared.sleepers[i] > 0 && !shared.called[i] && shared.state.ready(role) {
                (shared.called[i], calls.0[i]) = (true, true);
            }
        }
        let (state, meter) = (&shared.state, &self.meter);
        meter.backlog.set(state.backlog_bytes());
        meter.memory.set(self.pool.bytes_out() as u64);
        meter.disk.set(state.disk_bytes());
        let dropped = state.dropped();
        meter.dropped_chunks.store(dropped.chunks, Relaxed);
        meter.dropped_bytes.store(dropped.raw_bytes, Relaxed);
        calls
    }

    /// Ends it for this cause, unless there was one before: the first is the root.
    pub(super) fn fail(&self, error: Error) {
        let mut shared = lock(&self.shared);
        if !shared.stopped {
            shared.error.get_or_insert(error);
            self.end(&mut shared);
        }
    }

    /// No more comes in, for this cause if there is one. What has come in still goes out.
    pub(super) fn end_input(&self, cause: Option<Error>) {
        let mut shared = lock(&self.shared);
        if shared.stopped {
            return;
        }
        shared.error = cause;
        shared.state.end_input();
        let calls = self.settle(&mut shared);
        drop(shared);
        self.make(&calls);
    }

    fn end(&self, shared: &mut Shared) {
        shared.stopped = true;
        self.stop.raise();
        for waker in &self.wakers {
            waker.notify_all();
        }
    }

    /// Why it ended, if not because all was done.
    pub(super) fn take_error(&self) -> Option<Error> {
        lock(&self.shared).error.take()
    }
}
