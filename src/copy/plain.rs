//! Reading and writing: works between any two descriptors, and decides what the end of the input is.

use super::transfer::Transfer;
use crate::sys::poll::{until_readable, until_writable};
use crate::sys::splice::{Kind, read, wind_back, write};
use std::io;
use std::time::Duration;

/// Large enough for whatever comes in one piece only: a datagram, a record of a device.
const BUFFER_BYTES: usize = 128 << 10;
const END_CHECK_BYTES: usize = 1 << 10;
/// A device may say EAGAIN although it cannot be waited for, or says that it is ready: looked at again after this.
const FALSE_ALARM_PAUSE: Duration = Duration::from_millis(1);

/// Copies the rest of `transfer`, when another call has said that there is none: a small read mostly finds the same.
pub(super) fn run_after_end(transfer: &mut Transfer<'_>) -> io::Result<()> {
    if step(transfer, &mut [0; END_CHECK_BYTES])? { run(transfer) } else { Ok(()) }
}

/// Copies the rest of `transfer`.
pub(super) fn run(transfer: &mut Transfer<'_>) -> io::Result<()> {
    let mut buf = vec![0; transfer.bytes_at_once().min(BUFFER_BYTES)];
    while step(transfer, &mut buf)? {}
    Ok(())
}

/// One buffer's worth. False: that was the end, of the input or of the limit.
fn step(transfer: &mut Transfer<'_>, buf: &mut [u8]) -> io::Result<bool> {
    let len = transfer.bytes_at_once().min(buf.len());
    if len == 0 {
        return Ok(false);
    }
    let n = patiently(|| read(transfer.input, &mut buf[..len]), || until_readable(transfer.input).map(drop))?;
    write_all(transfer, &buf[..n]).map(|()| n > 0)
}

/// Writes all of what was read, or sees to it that the rest is not lost.
pub(super) fn write_all(transfer: &mut Transfer<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match patiently(|| write(transfer.output, bytes), || until_writable(transfer.output)) {
            Ok(n) if n > 0 => {
                transfer.moved(n);
                bytes = &bytes[n..];
            }
            result => {
                give_back(transfer, bytes);
                return Err(result.err().unwrap_or_else(|| io::ErrorKind::WriteZero.into()));
            }
        }
    }
    Ok(())
}

/// A file is wound back to before them; anything else cannot take them back, so the caller gets them.
fn give_back(transfer: &mut Transfer<'_>, bytes: &[u8]) {
    let wound_back =
        Kind::of(transfer.input).is_ok_and(|kind| kind == Kind::File) && wind_back(transfer.input, bytes.len()).is_ok();
    if !wound_back {
        transfer.unwritten.extend_from_slice(bytes);
    }
}

/// Calls until it is no longer EAGAIN, waiting in between.
pub(super) fn patiently(
    mut call: impl FnMut() -> io::Result<usize>,
    wait: impl Fn() -> io::Result<()>,
) -> io::Result<usize> {
    let mut waited = false;
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if waited {
                    std::thread::sleep(FALSE_ALARM_PAUSE);
                }
                wait()?;
                waited = true;
            }
            result => return result,
        }
    }
}
