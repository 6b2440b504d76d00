//! Takes the producer's bytes, chunk by chunk.
//!
//! A chunk is filled in hand while there is more to read. It is handed over when it is full, or as soon as the
//! consumer waits for it; and before intake waits for the producer, it is left where outflow can take it (*staged*), so
//! no byte ever waits behind a read.

use super::OnEvent;
use super::event::{Error, Event};
use super::monitor::Monitor;
use super::pacer::Pacer;
use super::state::{Accepted, FullStep, Role, State};
use crate::ring::Buffer;
use crate::store::Store;
use crate::sys::poll::{Wake, wait_readable};
use crate::sys::stream::Stream;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

pub(super) struct Intake<'a> {
    pub(super) monitor: &'a Monitor,
    pub(super) input: Stream<'a>,
    /// Watched for the consumer's death.
    pub(super) output: BorrowedFd<'a>,
    pub(super) pacer: Pacer,
    pub(super) chunk_bytes: usize,
    pub(super) store: &'a dyn Store,
    pub(super) dir: &'a Path,
    pub(super) on_event: &'a OnEvent,
}

impl Intake<'_> {
    /// Runs until the end of the input, or until all is over.
    pub(super) fn run(mut self) -> Result<(), Error> {
        let mut in_hand: Option<Buffer> = None;
        loop {
            let mut chunk = match in_hand.take() {
                Some(chunk) => chunk,
                None => self.monitor.update(State::unstage).unwrap_or_else(|| self.monitor.pool().take()),
            };
            let room = (self.chunk_bytes - chunk.len()).min(self.pacer.piece_bytes_max());
            let Some(n) = self.input.try_read(&mut chunk.spare_mut()[..room]).map_err(Error::Input)? else {
                self.stage(chunk);
                match wait_readable(self.input.as_fd(), self.output, self.monitor.stop()).map_err(Error::Input)? {
                    Wake::OutputClosed => return Err(Error::OutputClosed),
                    Wake::Stopped => return Ok(()),
                    Wake::Ready | Wake::TimedOut => continue,
                }
            };
            chunk.advance(n);
            self.monitor.meter().bytes_in.fetch_add(n as u64, Relaxed);
            let ended = n == 0;
            let hand_over = ended || chunk.len() == self.chunk_bytes || self.monitor.take_output_hunger();
            if !hand_over {
                in_hand = Some(chunk);
            } else if !chunk.is_empty() && !self.hand_over(chunk)? {
                return Ok(());
            }
            if ended {
                self.monitor.update(State::end_input);
                return Ok(());
            }
            if let Some(rest) = self.pacer.spend(n, Instant::now()) {
                if let Some(chunk) = in_hand.take() {
                    self.stage(chunk);
                }
                if self.monitor.stop().sleep(rest).map_err(Error::Input)? == Wake::Stopped {
                    return Ok(());
                }
            }
        }
    }

    fn stage(&self, chunk: Buffer) {
        if !chunk.is_empty() {
            self.monitor.update(|state| state.stage(chunk));
        }
    }

    /// Brings a chunk to the window or the ring, and waits until there is room. False: all is over.
    fn hand_over(&self, chunk: Buffer) -> Result<bool, Error> {
        let mut chunk = Some(chunk);
        let waited = &self.monitor.meter().producer_waited_ns;
        loop {
            let dir = || self.dir.to_owned();
            match self.monitor.wait(Role::Intake, Some(waited), |state| state.accept(&mut chunk)) {
                None => return Ok(false),
                Some(Accepted::Taken | Accepted::Dropped) => return Ok(true),
                Some(Accepted::Full(FullStep::Fail(reason))) => return Err(Error::Full { dir: dir(), reason }),
                Some(Accepted::Full(FullStep::Tell { reason, backlog_bytes })) => {
                    (self.on_event)(Event::Full { dir: dir(), reason, backlog_bytes });
                }
                Some(Accepted::Full(FullStep::Remove(name))) => {
                    if let Some(name) = name {
                        let remove = self.store.remove(name);
                        remove.map_err(|source| Error::Spill { doing: "remove a segment from", dir: dir(), source })?;
                        self.monitor.update(State::retry_spill);
                    }
                }
            }
        }
    }
}
