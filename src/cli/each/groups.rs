//! The commands that run, each the leader of a process group of its own, so that a timeout or a signal reaches also
//! what it has started.
//!
//! A number of a process is free for another as soon as it has been waited for. So starting, signalling and waiting
//! are done under one lock, and nobody is signalled who has been waited for.
//!
//! A command that is fed sees the end of its input when we die, and could take half a batch for a whole one. So it dies
//! with us, whatever kills us: the kernel sees to it. What it has started itself is out of reach then.

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process_group};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The groups that there are.
#[derive(Debug)]
pub(super) struct Groups {
    state: Mutex<State>,
    /// How many files a command may open: as many as we were allowed when we began, whatever we have raised it to.
    open_files: Rlimit,
}

#[derive(Debug, Default)]
struct State {
    live: Vec<Pid>,
    closed: bool,
}

impl Groups {
    /// None yet. To be called before anything raises a limit.
    pub(super) fn new() -> Self {
        Self { state: Mutex::default(), open_files: rustix::process::getrlimit(Resource::Nofile) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a command as a group of its own; `None` once [`end`](Self::end) was called.
    pub(super) fn start(&self, command: &mut Command) -> io::Result<Option<Child>> {
        let mut state = self.lock();
        if state.closed {
            return Ok(None);
        }
        die_with_us(command.process_group(0), self.open_files);
        let child = command.spawn()?;
        state.live.push(Pid::from_child(&child));
        Ok(Some(child))
    }

    /// Takes the status of a child that has ended, or waits for it to end: only after [`kill`](Self::kill).
    pub(super) fn reap(&self, child: &mut Child) -> io::Result<ExitStatus> {
        let mut state = self.lock();
        state.live.retain(|&group| group != Pid::from_child(child));
        child.wait()
    }

    /// Kills the group of a child that was not reaped yet.
    pub(super) fn kill(&self, child: &Child) {
        let _state = self.lock();
        let _ = kill_process_group(Pid::from_child(child), Signal::KILL); // It may be gone.
    }

    /// Sends a signal to all groups, and lets no other start.
    pub(super) fn end(&self, signal: Signal) {
        let mut state = self.lock();
        state.closed = true;
        for &group in &state.live {
            let _ = kill_process_group(group, signal); // It may be gone.
        }
    }

    /// Whether [`end`](Self::end) was called.
    pub(super) fn ended(&self) -> bool {
        self.lock().closed
    }
}

#[expect(unsafe_code, reason = "only the new process itself can ask for the signal, between fork and exec")]
fn die_with_us(command: &mut Command, open_files: Rlimit) {
    let us = rustix::process::getpid();
    let before_exec = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        if rustix::process::getppid() != Some(us) {
            return Err(rustix::io::Errno::SRCH.into()); // We died just before.
        }
        rustix::process::setrlimit(Resource::Nofile, open_files)?;
        Ok(())
    };
    // SAFETY: it runs in the new process, a copy of this one with one thread. It makes three system calls, by rustix'
    // own code; it neither allocates nor locks, and what it captured has no destructor.
    unsafe { command.pre_exec(before_exec) };
}
