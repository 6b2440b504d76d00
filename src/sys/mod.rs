//! The system calls that std does not offer, by way of rustix; beside them only the store's own directory calls are
//! made elsewhere.
//!
//! Each file holds one concern, and no state beyond descriptors that its caller gave. Every error is what the system
//! said, untouched, so that callers can match [`std::io::Error::kind`] and `raw_os_error`; what was being done to
//! which file is for the caller to add. Calls that a signal interrupts are restarted here, so no caller ever sees
//! EINTR. Descriptors opened here are close-on-exec. Nothing here changes the flags of a descriptor.

pub(crate) mod advice;
pub(crate) mod fd;
pub(crate) mod limits;
pub(crate) mod map;
pub(crate) mod notify;
pub(crate) mod pipe;
pub(crate) mod poll;
pub(crate) mod priority;
pub(crate) mod random;
pub(crate) mod space;
pub(crate) mod splice;
pub(crate) mod stream;
pub(crate) mod tmpfile;
