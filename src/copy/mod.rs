//! Copying from one descriptor to another, whatever they are, inside the kernel where it can be done there.
//!
//! ```text
//!                to  file              pipe      local socket  other socket  /dev/null  anything else
//! from file          copy_file_range,  splice    sendfile      sendfile      sendfile   plain
//!                    or sendfile
//!      pipe          splice            splice    relayed       plain         splice     plain
//!      any socket    relayed           relayed   relayed       relayed       relayed    plain
//!      anything else plain             plain     plain         plain         plain      plain
//! ```
//!
//! *Plain* is `read` and `write`. It is also what the other ways end in: when the kernel refuses a call for these two
//! descriptors, and when a call says that the input has ended (files in /proc and /sys say so at once to some calls;
//! only a read that gives nothing is the end). *Relayed* is splicing through a pipe of our own. Where a call would do
//! and plain is written all the same, plain was measured to be faster.
//!
//! Why relayed: while a `splice` waits for a socket, it keeps the pipe locked, and whoever is at its other end waits
//! too, even to take what is in the pipe already. Nobody waits for a pipe of our own.
//!
//! No flag of a descriptor is changed: with one that is non-blocking, EAGAIN is waited out by `poll`.

mod error;
mod plain;
mod relay;
mod transfer;

pub use error::CopyError;

use std::os::fd::AsFd;
use transfer::Transfer;

/// Copies from `input` to `output` until the input ends, or until `bytes_max` bytes (`None`: no limit) have been
/// written; returns how many were.
///
/// ```
/// use std::io::{Read, Seek, Write};
///
/// let mut file = tempfile::tempfile()?;
/// file.write_all(b"head and tail")?;
/// file.rewind()?;
/// let (mut reader, writer) = std::io::pipe()?;
///
/// assert_eq!(spillpipe::copy(&file, &writer, Some(4))?, 4);
/// assert_eq!(file.stream_position()?, 4, "nothing was read beyond the limit");
/// assert_eq!(spillpipe::copy(&file, &writer, None)?, 9);
///
/// drop(writer);
/// let mut text = String::new();
/// reader.read_to_string(&mut text)?;
/// assert_eq!(text, "head and tail");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What is guaranteed
/// - The count, returned or in the error, is exactly the bytes that `output` took, in order, none twice.
/// - Never more than `bytes_max` bytes are taken from the input. With 0 neither descriptor is touched.
/// - Both begin at their positions and are left where `read` and `write` would leave them: the output behind the last
///   byte written; the input there too, or, after an error, behind [`CopyError::unwritten`].
/// - Signals and non-blocking descriptors do not end the copy: it goes on, or waits. Flags stay as they are.
///
/// # What to know
/// - Bytes that went from a *file* into a *pipe or socket* are the file's own pages until they are read there. Who
///   overwrites or truncates the file before that changes them. (Removing it is harmless.) Where that may happen,
///   copy with [`std::io::copy`], which does not share pages.
/// - Pipes on either end are grown to 1 MiB, where that is permitted and 64 KiB or more may be to come.
/// - Holes in a file arrive as zeros, unless the file system shares the extents.
/// - Sockets must be streams: datagrams have bounds that a copy does not keep.
/// - A file that is appended to itself never ends, as with `read` and `write`, unless there is a limit.
/// - A consumer that has gone raises SIGPIPE as `write` does; Rust programs ignore it, and get an error. A file that
///   may not grow further raises SIGXFSZ, which they do not ignore.
/// - It cannot be ended from outside, and while it waits for the input it does not see the consumer leave.
///
/// # Errors
/// [`CopyError`] with what the system said, and what had been written by then: among its kinds are `BrokenPipe` when
/// the consumer has gone, `StorageFull` when there is no room. That a call does not work for these two descriptors is
/// no error.
pub fn copy(input: impl AsFd, output: impl AsFd, bytes_max: Option<u64>) -> Result<u64, CopyError> {
    Transfer::new(input.as_fd(), output.as_fd(), bytes_max).run()
}
