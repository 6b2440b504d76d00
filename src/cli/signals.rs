//! Signals: SIGUSR1 asks for a status line and never kills; SIGXFSZ is left to the write that went too far.
//!
//! SIGINT, SIGTERM and SIGHUP keep their default action: there is nothing to clean up, as the spill has no name and
//! the cursor is never hidden. SIGPIPE stays as Rust's runtime sets it, ignored, so that a write says EPIPE.

use signal_hook::consts::{SIGUSR1, SIGXFSZ};
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

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
        signal_hook::low_level::pipe::register(SIGUSR1, wake.try_clone()?)?;
        // A flag that nobody looks at: with a handler in place the signal does not kill, and the write that went past
        // RLIMIT_FSIZE fails with EFBIG, which is told like any other error.
        signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
        Ok(Self { status, wake })
    }
}
