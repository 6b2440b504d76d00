//! Ends the dispatcher's wait when there is a message for it.

use spillpipe::spool::Cancel;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A wait can be ended once; this has another for each.
#[derive(Debug)]
pub(super) struct Waker(Mutex<Cancel>);

impl Waker {
    pub(super) fn new() -> io::Result<Self> {
        Cancel::new().map(|cancel| Self(Mutex::new(cancel)))
    }

    fn lock(&self) -> MutexGuard<'_, Cancel> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the wait, or else the next one. To be called after the message was sent.
    pub(super) fn wake(&self) {
        self.lock().raise();
    }

    /// What ends the next wait.
    pub(super) fn cancel(&self) -> Cancel {
        self.lock().clone()
    }

    /// A wait was ended. To be called before the messages are looked at, so that none is missed.
    pub(super) fn renew(&self) -> io::Result<()> {
        *self.lock() = Cancel::new()?;
        Ok(())
    }
}
