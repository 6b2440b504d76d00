//! Hands the window's chunks to the consumer, oldest first.

use super::Tap;
use super::ends::Ends;
use super::event::Error;
use super::monitor::Monitor;
use super::pacer::Pacer;
use super::state::{Role, State};
use crate::sys::poll::Wake;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

pub(super) struct Outflow<'a> {
    pub(super) monitor: &'a Monitor,
    pub(super) ends: &'a dyn Ends,
    pub(super) pacer: Pacer,
    pub(super) tap: Option<Tap>,
}

impl Outflow<'_> {
    /// Writes until all is over.
    pub(super) fn run(mut self) -> Result<(), Error> {
        let waited = &self.monitor.meter().input_waited;
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
            meter.output_blocked.start();
            let piece = &bytes[..bytes.len().min(self.pacer.piece_bytes_max())];
            let Some(n) = self.ends.try_write(piece)? else {
                self.monitor.update(|state| state.set_output_full(true));
                let ready = self.ends.wait_for_room(self.monitor.stop(), None)?;
                self.monitor.update(|state| state.set_output_full(false));
                if ready == Wake::Stopped {
                    return Ok(false);
                }
                continue;
            };
            meter.output_blocked.stop();
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
