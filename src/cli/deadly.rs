//! The signals that end a command that has something to put in order first: a hand-out, which acknowledges what was
//! written, so that it comes once; and what writes a file, which leaves nothing of it behind.
//!
//! ```text
//! SIGTERM ──> byte ──> thread: ends a wait for data; kills us later if the consumer is stuck
//!        └──> the signal, which is looked at before each chunk
//! ```

use super::exit::{Exit, Failure};
use super::signals::catch_deadly;
use signal_hook::low_level::{emulate_default_handler, signal_name};
use spillpipe::spool::Cancel;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{Builder, sleep};
use std::time::Duration;

/// How long the consumer may take for the chunk under way.
const GRACE: Duration = Duration::from_secs(1);
/// From one look at a write that takes longer to the next.
const LOOK: Duration = Duration::from_millis(50);

/// Those signals, caught for the rest of the process.
#[derive(Debug)]
pub(super) struct Deadly {
    signal: Arc<AtomicUsize>,
    writing: Arc<AtomicBool>,
    cancel: Cancel,
    stopped: UnixStream,
}

impl Deadly {
    /// Catches them. A second one ends us at once.
    pub(super) fn catch() -> io::Result<Self> {
        let (bytes, wake) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let (stop, stopped) = UnixStream::pair()?;
        let (writing, cancel) = (Arc::<AtomicBool>::default(), Cancel::new()?);
        let deadly = Self { signal: catch_deadly(&wake)?, writing, cancel, stopped };
        let (signal, writing, cancel) =
            (Arc::clone(&deadly.signal), Arc::clone(&deadly.writing), deadly.cancel.clone());
        let watch = move || {
            if !woken(bytes) {
                return;
            }
            cancel.raise();
            drop(stop);
            sleep(GRACE);
            loop {
                if let Some(signal) = caught(&signal).filter(|_| writing.load(SeqCst)) {
                    let _ = emulate_default_handler(signal); // It is ours to end by: it was not ignored.
                }
                sleep(LOOK);
            }
        };
        Builder::new().name("signals".to_owned()).spawn(watch)?;
        Ok(deadly)
    }

    /// Ends a wait when the first one comes; may be raised for another reason, too.
    pub(super) fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Becomes readable when the first one comes, and stays so.
    pub(super) fn stopped(&self) -> BorrowedFd<'_> {
        self.stopped.as_fd()
    }

    /// Fails when one has come.
    pub(super) fn check(&self) -> Result<(), Failure> {
        caught(&self.signal).map_or(Ok(()), |signal| {
            let name = signal_name(signal).unwrap_or("a signal");
            Err(Failure { exit: Exit::Signal(signal), text: format!("ended by {name}") })
        })
    }

    /// Does what the consumer can hold up: for longer than the grace, it is not waited for, and nothing is put in order.
    /// So it is for a write to a reader, and for nothing else.
    pub(super) fn write<T>(&self, write: impl FnOnce() -> T) -> T {
        self.writing.store(true, SeqCst);
        let result = write();
        self.writing.store(false, SeqCst);
        result
    }
}

/// Waits for a byte; false: there will be none.
fn woken(mut bytes: UnixStream) -> bool {
    loop {
        match bytes.read(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result.is_ok_and(|len| len > 0),
        }
    }
}

fn caught(signal: &AtomicUsize) -> Option<i32> {
    i32::try_from(signal.load(SeqCst)).ok().filter(|&signal| signal != 0)
}
