//! Takes the producer's bytes, chunk by chunk.
//!
//! A chunk is filled in hand while there is more to read. It is handed over when it is full, or as soon as the
//! consumer waits for it; and before intake waits for the producer, it is left where outflow can take it (*staged*), so
//! no byte ever waits behind a read.

use super::OnEvent;
use super::bypass::{self, Left};
use super::ends::Ends;
use super::event::{Error, Event};
use super::monitor::Monitor;
use super::pacer::Pacer;
use super::state::{Accepted, FullStep, Role, State};
use crate::ring::Buffer;
use crate::store::Store;
use crate::sys::poll::Wake;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// How intake goes on.
enum Next {
    Another,
    InputEnded,
    Stopped,
}

pub(super) struct Intake<'a> {
    pub(super) monitor: &'a Monitor,
    pub(super) ends: &'a dyn Ends,
    pub(super) pacer: Pacer,
    /// Whether bytes may pass without being seen.
    pub(super) bypass: bool,
    pub(super) chunk_bytes: usize,
    pub(super) store: &'a dyn Store,
    pub(super) dir: &'a Path,
    pub(super) on_event: &'a OnEvent,
}

impl Intake<'_> {
    /// Runs until the end of the input, or until all is over. An input that fails has ended: what it gave before goes
    /// out.
    pub(super) fn run(mut self) -> Result<(), Error> {
        let cause = match self.take_all_in() {
            Ok(true) => None,
            Ok(false) => return Ok(()),
            Err(error @ Error::Input(_)) => Some(error),
            Err(error) => return Err(error),
        };
        self.monitor.end_input(cause);
        Ok(())
    }

    /// False: it was stopped before the input ended.
    fn take_all_in(&mut self) -> Result<bool, Error> {
        loop {
            let mut begun = None;
            if self.bypass {
                match self.monitor.enter_bypass() {
                    None => return Ok(false),
                    Some(false) => {}
                    Some(true) => match bypass::run(self.monitor, self.ends, &mut self.pacer)? {
                        Left::OutputFull(rest) => begun = rest,
                        Left::Unfit => self.bypass = false,
                        Left::InputEnded => return Ok(true),
                        Left::Stopped => return Ok(false),
                    },
                }
            }
            match self.take_in(begun)? {
                Next::Another => {}
                Next::InputEnded => return Ok(true),
                Next::Stopped => return Ok(false),
            }
        }
    }

    /// Fills a chunk, one that was begun if there is one, and hands it over; or leaves it staged, and waits until there
    /// is more.
    fn take_in(&mut self, begun: Option<Buffer>) -> Result<Next, Error> {
        let begun = begun.or_else(|| self.monitor.update(State::unstage));
        let mut chunk = begun.unwrap_or_else(|| self.monitor.pool().take());
        loop {
            // One that was begun may be full: to read nothing into it would look like the end.
            if chunk.len() == self.chunk_bytes {
                return Ok(if self.hand_over(chunk)? { Next::Another } else { Next::Stopped });
            }
            let room = (self.chunk_bytes - chunk.len()).min(self.pacer.piece_bytes_max());
            let read = match self.ends.try_read(&mut chunk.spare_mut()[..room]) {
                Ok(read) => read,
                Err(error) => {
                    self.stage(chunk);
                    return Err(error);
                }
            };
            let Some(n) = read else {
                self.stage(chunk);
                return match self.ends.wait_for_input(self.monitor.stop())? {
                    Wake::OutputClosed => Err(Error::OutputClosed),
                    Wake::Stopped => Ok(Next::Stopped),
                    Wake::Ready | Wake::TimedOut => Ok(Next::Another),
                };
            };
            chunk.advance(n);
            self.monitor.meter().bytes_in.fetch_add(n as u64, Relaxed);
            let ended = n == 0;
            let rest = self.pacer.spend(n, Instant::now());
            if ended || chunk.len() == self.chunk_bytes || self.monitor.take_output_hunger() {
                let handed_over = chunk.is_empty() || self.hand_over(chunk)?;
                return Ok(match (handed_over, ended) {
                    (false, _) => Next::Stopped,
                    (true, true) => Next::InputEnded,
                    (true, false) => self.rest(rest)?,
                });
            }
            if rest.is_some() {
                self.stage(chunk);
                return self.rest(rest);
            }
        }
    }

    fn rest(&self, time: Option<Duration>) -> Result<Next, Error> {
        let Some(time) = time else { return Ok(Next::Another) };
        let stopped = self.monitor.stop().sleep(time).map_err(Error::Input)? == Wake::Stopped;
        Ok(if stopped { Next::Stopped } else { Next::Another })
    }

    fn stage(&self, chunk: Buffer) {
        if !chunk.is_empty() {
            self.monitor.update(|state| state.stage(chunk));
        }
    }

    /// Brings a chunk to the window or the ring, and waits until there is room. False: all is over.
    fn hand_over(&self, chunk: Buffer) -> Result<bool, Error> {
        let mut chunk = Some(chunk);
        let waited = &self.monitor.meter().producer_waited;
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
