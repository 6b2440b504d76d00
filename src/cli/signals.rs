//! Signals: SIGUSR1 asks for a status line and never kills; SIGXFSZ is left to the write that went too far.
//!
//! SIGINT, SIGTERM and SIGHUP keep their default action where there is nothing to clean up: the filter's spill has no
//! name, and the cursor is never hidden. Who reads a spool catches them. SIGPIPE stays as Rust's runtime sets it, ignored, so that a write says EPIPE.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGXFSZ};
use signal_hook::{flag, low_level};
use std::io::{self, ErrorKind};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

/// The signals that end us, unless whoever started us had them ignored.
const DEADLY: [i32; 3] = [SIGTERM, SIGINT, SIGHUP];

/// The signal handlers, in place for the rest of the process.
#[derive(Debug)]
pub(super) struct Signals {
    /// Yields one byte a SIGUSR1, also for those that came before anyone read.
    pub(super) status: UnixStream,
    /// The other end of it, for bytes of our own. Never blocks.
    pub(super) wake: UnixStream,
}

/// The byte that SIGUSR1 puts into the stream: `signal_hook`'s choice.
pub(super) const STATUS_BYTE: u8 = b'X';

impl Signals {
    /// Installs the handlers.
    pub(super) fn install() -> io::Result<Self> {
        let (status, wake) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        low_level::pipe::register(SIGUSR1, wake.try_clone()?)?;
        // A flag that nobody looks at: with a handler in place the signal does not kill, and the write that went past
        // RLIMIT_FSIZE fails with EFBIG, which is told like any other error.
        flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
        Ok(Self { status, wake })
    }
}

/// Catches the signals that end us: the first one is the number that is returned, and a byte in `wake`; a second one
/// ends us at once.
pub(super) fn catch_deadly(wake: &UnixStream) -> io::Result<Arc<AtomicUsize>> {
    let (deadly, again) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let ignored = ignored()?;
    for signal in DEADLY.into_iter().filter(|&signal| !ignored(signal)) {
        flag::register_conditional_default(signal, Arc::clone(&again))?;
        flag::register(signal, Arc::clone(&again))?;
        flag::register_usize(signal, Arc::clone(&deadly), signal.unsigned_abs() as usize)?;
        low_level::pipe::register(signal, wake.try_clone()?)?;
    }
    Ok(deadly)
}

/// Tells of a signal whether it is ignored.
pub(super) fn ignored() -> io::Result<impl Fn(i32) -> bool> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    let mask = mask.ok_or_else(|| io::Error::from(ErrorKind::InvalidData))?;
    Ok(move |signal: i32| mask >> (signal - 1) & 1 == 1)
}
