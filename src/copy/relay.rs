//! Splicing through a pipe of our own, for two ends of which neither is a pipe, or one could wait with the pipe locked.

use super::plain::{self, patiently};
use super::transfer::{Transfer, Way};
use crate::sys::pipe::grow_pipe;
use crate::sys::poll::{until_readable, until_writable};
use crate::sys::splice::{is_refusal, read, splice};
use std::io::{self, PipeReader};
use std::os::fd::AsFd as _;

/// What the relay holds, if the system permits: most that is taken from the input at once.
const RELAY_BYTES: usize = 1 << 20;

/// Relays until the end or a refusal. The relay is empty whenever this returns.
pub(super) fn run(transfer: &mut Transfer<'_>) -> io::Result<Way> {
    // No descriptors left: plain copying needs none.
    let Ok((reader, writer)) = io::pipe() else { return Ok(Way::Refused) };
    grow_pipe(writer.as_fd(), RELAY_BYTES);
    while transfer.left > 0 {
        let wish = transfer.bytes_at_once();
        match patiently(|| splice(transfer.input, writer.as_fd(), wish), || until_readable(transfer.input).map(drop)) {
            Ok(0) => return Ok(Way::Ended),
            Ok(held) => {
                if deliver(transfer, &reader, held)? == Way::Refused {
                    return Ok(Way::Refused);
                }
            }
            Err(error) if is_refusal(&error) => return Ok(Way::Refused),
            Err(error) => return Err(error),
        }
    }
    Ok(Way::Done)
}

/// Moves the `held` bytes in the relay on to the output. `Refused`: it took them, but not by splicing.
fn deliver(transfer: &mut Transfer<'_>, relay: &PipeReader, mut held: usize) -> io::Result<Way> {
    while held > 0 {
        match patiently(|| splice(relay.as_fd(), transfer.output, held), || until_writable(transfer.output)) {
            Ok(n) if n > 0 => {
                transfer.moved(n);
                held -= n;
            }
            Err(error) if !is_refusal(&error) => {
                let rest = take(relay, held)?;
                transfer.unwritten.extend(rest);
                return Err(error);
            }
            _ => {
                let rest = take(relay, held)?;
                plain::write_all(transfer, &rest)?;
                return Ok(Way::Refused);
            }
        }
    }
    Ok(Way::Done)
}

/// All that is in the relay.
fn take(relay: &PipeReader, held: usize) -> io::Result<Vec<u8>> {
    let mut rest = vec![0; held];
    let mut at = 0;
    while at < held {
        at += read(relay.as_fd(), &mut rest[at..])?;
    }
    Ok(rest)
}
