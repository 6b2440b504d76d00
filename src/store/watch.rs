//! Waiting for something to change in a directory: by notification where one can be had, and by looking again in time
//! where not, or where one was lost.

use crate::sys::notify;
use crate::sys::poll::{Stop, Wake, wait_notified};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

/// Waits for changes. One that happened since the last wait, or since this was made, ends the next wait at once: so
/// look, find nothing, wait, look again, and no change is missed. Notifications can be lost all the same (the system
/// has few of them, and some file systems give none): the timeout is how late a change may be noticed.
#[derive(Debug)]
pub struct Watch {
    notify: Option<Arc<OwnedFd>>,
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// Something changed, or may have.
    Changed,
    /// [`Cancel::raise`] was called.
    Cancelled,
    /// Neither in time.
    TimedOut,
}

impl Watch {
    /// One that no change ever ends: only the timeout does.
    #[must_use]
    pub fn none() -> Self {
        Self { notify: None }
    }

    /// One that ends when `notify` becomes readable.
    pub(super) fn on(notify: Arc<OwnedFd>) -> Self {
        Self { notify: Some(notify) }
    }

    /// Whether changes are told at all.
    #[must_use]
    pub fn is_notified(&self) -> bool {
        self.notify.is_some()
    }

    /// Waits for a change, until `cancel` is raised, or for so long.
    ///
    /// # Errors
    /// What the system said.
    pub fn wait(&mut self, timeout: Duration, cancel: Option<&Cancel>) -> io::Result<Woken> {
        let notify = self.notify.as_ref().map(|notify| notify.as_fd());
        match wait_notified(notify, cancel.map(|cancel| &*cancel.0), timeout)? {
            Wake::Stopped => return Ok(Woken::Cancelled),
            Wake::TimedOut => return Ok(Woken::TimedOut),
            Wake::Ready | Wake::OutputClosed => {}
        }
        // Readable, and yet there is nothing to be read: it would be so for ever, and waiting become spinning.
        if self.notify.as_ref().is_some_and(|notify| !notify::drain(notify).unwrap_or(false)) {
            self.notify = None;
        }
        Ok(Woken::Changed)
    }
}

/// Ends waits, now and later. Clones are the same.
#[derive(Clone, Debug)]
pub struct Cancel(Arc<Stop>);

impl Cancel {
    /// One that is not raised.
    ///
    /// # Errors
    /// What the system said (no descriptors left).
    pub fn new() -> io::Result<Self> {
        Stop::new().map(|stop| Self(Arc::new(stop)))
    }

    /// Raises it, for good.
    pub fn raise(&self) {
        self.0.raise();
    }
}
