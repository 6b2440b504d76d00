//! Signals that come while commands run.
//!
//! A command is in a process group of its own, so a Ctrl-C in the terminal reaches us alone: SIGINT, SIGTERM and SIGHUP
//! are passed on, and end us by the same signal once the commands have ended. A second one ends us at once.
//! SIGUSR1 asks for a status line.

use crate::cli::signals::{STATUS_BYTE, Signals, catch_deadly, ignored};
use signal_hook::consts::SIGCHLD;
use signal_hook::flag;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Ends the listening.
const STOP_BYTE: u8 = b'.';
const _: () = assert!(STOP_BYTE != STATUS_BYTE);

/// What was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// SIGUSR1.
    Status,
    /// Everything is to end.
    Deadly(i32),
}

/// Hears signals; for a thread of its own.
#[derive(Debug)]
pub(super) struct Listener {
    bytes: UnixStream,
    deadly: Arc<AtomicUsize>,
}

/// Ends the listener.
#[derive(Debug)]
pub(super) struct Stop(UnixStream);

/// Takes over the signals.
pub(super) fn listen(signals: Signals) -> io::Result<(Listener, Stop)> {
    let deadly = catch_deadly(&signals.wake)?;
    if ignored()?(SIGCHLD) {
        // Or the kernel would throw the exit status of every command away. A flag that nobody looks at.
        flag::register(SIGCHLD, Arc::new(AtomicBool::new(false)))?;
    }
    Ok((Listener { bytes: signals.status, deadly }, Stop(signals.wake)))
}

impl Listener {
    /// Tells `hear` of every signal until it is stopped.
    pub(super) fn run(mut self, mut hear: impl FnMut(Heard)) {
        let mut told = false;
        let mut byte = [0];
        loop {
            match self.bytes.read(&mut byte) {
                Ok(1) if byte[0] != STOP_BYTE => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                _ => return,
            }
            match i32::try_from(self.deadly.load(Ordering::SeqCst)) {
                Ok(signal) if signal != 0 && !told => {
                    told = true;
                    hear(Heard::Deadly(signal));
                }
                _ => hear(Heard::Status),
            }
        }
    }
}

impl Stop {
    /// Ends the listening.
    pub(super) fn stop(mut self) {
        while let Err(error) = self.0.write(&[STOP_BYTE]) {
            if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) {
                return;
            }
            std::thread::yield_now(); // Full of bytes that the listener is reading now.
        }
    }
}
