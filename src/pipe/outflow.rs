//! Hands the window's chunks to the consumer, oldest first.

use super::Tap;
use super::event::Error;
use super::meter::add_since;
use super::monitor::Monitor;
use super::pacer::Pacer;
use super::state::{Role, State};
use crate::sys::poll::{Wake, wait_writable};
use crate::sys::stream::Stream;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

pub(super) struct Outflow<'a> {
    pub(super) monitor: &'a Monitor,
    pub(super) output: Stream<'a>,
    pub(super) pacer: Pacer,
    pub(super) tap: Option<Tap>,
}

impl Outflow<'_> {
    /// Writes until all is over.
    pub(super) fn run(mut self) -> Result<(), Error> {
        let waited = &self.monitor.meter().input_waited_ns;
        while let Some(chunk) = self.monitor.wait(Role::Outflow, Some(waited), State::take_out) {
            if !self.write_all(chunk.filled())? {
                return Ok(());
            }
            drop(chunk);
            self.monitor.update(State::handed_out);
        }
        Ok(())
    }

    /// False: all is over.
    fn write_all(&mut self, mut bytes: &[u8]) -> Result<bool, Error> {
        let meter = self.monitor.meter();
        while !bytes.is_empty() {
            let started = Instant::now();
            let piece = &bytes[..bytes.len().min(self.pacer.piece_bytes_max())];
            let written = self.output.try_write(piece).map_err(|error| match error.kind() {
                io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Error::OutputClosed,
                _ => Error::Output(error),
            })?;
            let Some(n) = written else {
                let ready = wait_writable(self.output.as_fd(), self.monitor.stop()).map_err(Error::Output)?;
                add_since(&meter.output_blocked_ns, started);
                if ready == Wake::Stopped {
                    return Ok(false);
                }
                continue;
            };
            if n == 0 {
                return Err(Error::Output(io::ErrorKind::WriteZero.into()));
            }
            add_since(&meter.output_blocked_ns, started);
            let (done, rest) = bytes.split_at(n);
            if let Some(tap) = &mut self.tap {
                tap(done);
            }
            meter.bytes_out.fetch_add(n as u64, Relaxed);
            bytes = rest;
            if let Some(rest) = self.pacer.spend(n, Instant::now())
                && self.monitor.stop().sleep(rest).map_err(Error::Output)? == Wake::Stopped
            {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
