//! The two threads that touch the disk: one writes what does not fit into memory, one reads it back in order.

use super::OnEvent;
use super::event::{Error, Event};
use super::monitor::{Monitor, Waited};
use super::state::{Place, Role, SpillJob, State};
use crate::format::{Family, StreamOffset};
use crate::ring::{AppendError, Block, Count, DiskLimits, FullReason, Head, HeadError, Tail};
use crate::store::{SegmentName, Store, is_full};
use crate::sys::limits::out_of_descriptors;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// After a write, and between two calls for upkeep, so much time goes by at least.
const UPKEEP_PAUSE_MIN: Duration = Duration::from_millis(250);

/// What both need.
#[derive(Clone, Copy)]
pub(super) struct Disk<'a> {
    pub(super) monitor: &'a Monitor,
    pub(super) store: &'a dyn Store,
    pub(super) dir: &'a Path,
    pub(super) tmpfs: bool,
    pub(super) limits: DiskLimits,
    pub(super) chunk_bytes: usize,
    pub(super) on_event: &'a OnEvent,
}

/// What became of a write.
enum Written {
    Done { bytes: u64, disk_room: f32 },
    Full(FullReason),
}

impl Disk<'_> {
    fn error(&self, doing: &'static str, source: io::Error) -> Error {
        Error::Spill { doing, dir: self.dir.to_owned(), source }
    }

    fn remove(&self, name: Option<SegmentName>) -> Result<(), Error> {
        let Some(name) = name else { return Ok(()) };
        self.store.remove(name).map_err(|e| self.error("remove a segment from", e))?;
        self.monitor.update(State::retry_spill);
        Ok(())
    }

    /// Writes blocks until all is over.
    pub(super) fn spill(self) -> Result<(), Error> {
        let chunk_bytes = u32::try_from(self.chunk_bytes).expect("a chunk is at most 4 MiB");
        let mut tail = Tail::new(self.store, chunk_bytes).map_err(Error::Start)?;
        let meter = self.monitor.meter();
        let write_bytes = self.limits.write_bytes();
        let mut blocks = Vec::new();
        let mut file_bytes_max = u64::MAX;
        let mut upkeep = None;
        loop {
            let step = |state: &mut State| state.take_spill_job(write_bytes, &mut blocks);
            let job = match self.monitor.wait_at_most(Role::Spill, upkeep, step) {
                Waited::Step(job) => job,
                Waited::TimedOut => {
                    upkeep = self.store.upkeep().map(|pause| pause.max(UPKEEP_PAUSE_MIN));
                    continue;
                }
                Waited::Over => break,
            };
            upkeep = Some(UPKEEP_PAUSE_MIN);
            let SpillJob::Write { disk_bytes, segments, newest, resuming } = job else {
                tail.finish();
                continue;
            };
            let now = Situation { disk_bytes, segments, newest, resuming };
            match self.write(&mut tail, &mut file_bytes_max, &mut blocks, &now)? {
                Written::Done { bytes, disk_room } => {
                    meter.spilled_bytes.fetch_add(bytes, Relaxed);
                    let mut count = Count::default();
                    for block in &blocks {
                        count += block.count();
                    }
                    blocks.clear();
                    let told = self.monitor.update(|state| state.spilled(count, bytes, disk_room));
                    let after = meter.full.stop();
                    if told {
                        (self.on_event)(Event::Resumed { after });
                    }
                }
                Written::Full(reason) => {
                    tail.finish();
                    meter.full.start();
                    let name = self.monitor.update(|state| state.spill_is_full(&mut blocks, reason));
                    if let Some(name) = name {
                        // Not as room that came back: the state knows whether it is any.
                        self.store.remove(name).map_err(|e| self.error("remove a segment from", e))?;
                    }
                }
            }
        }
        meter.full.stop();
        Ok(())
    }

    fn write(
        &self,
        tail: &mut Tail<'_>,
        file_bytes_max: &mut u64,
        blocks: &mut [Block],
        now: &Situation,
    ) -> Result<Written, Error> {
        let need_bytes = blocks.iter().map(Block::stored_bytes_max).sum();
        let room = self.limits.room(self.store, now.disk_bytes, need_bytes, now.resuming);
        let room = match room.map_err(|e| self.error("look for room in", e))? {
            Ok(room) => room,
            Err(reason) => return Ok(Written::Full(reason)),
        };
        let Some(first) = blocks.first() else {
            return Ok(Written::Done { bytes: 0, disk_room: room.fraction });
        };
        let at_most = now.segments >= self.limits.segments_max;
        let segment_bytes = if at_most { u64::MAX } else { room.segment_bytes.min(*file_bytes_max) };
        let (family, offset) = (first.family(), first.offset());
        let mut begins = !tail.continues(family, segment_bytes, now.newest);
        loop {
            if begins && let Some(reason) = self.begin(tail, family, offset, now)? {
                return Ok(Written::Full(reason));
            }
            let reached = tail.segment_bytes();
            let error = match tail.append(blocks) {
                Ok(bytes) => return Ok(Written::Done { bytes, disk_room: room.fraction }),
                Err(AppendError::Damaged(source)) => return Err(Error::DamagedMemory { source }),
                Err(AppendError::Io(error)) => error,
            };
            match error {
                // As large as a file may become: what it holds stays, and the next one begins, here and from now on.
                e if e.kind() == ErrorKind::FileTooLarge && !begins => {
                    (begins, *file_bytes_max) = (true, reached);
                }
                e if is_full(&e) => return Ok(Written::Full(FullReason::System(e))),
                e => return Err(self.error("spill to", e)),
            }
        }
    }

    /// Begins the next segment; returns why not, where there is no room for one.
    fn begin(
        &self,
        tail: &mut Tail<'_>,
        family: Family,
        offset: StreamOffset,
        now: &Situation,
    ) -> Result<Option<FullReason>, Error> {
        let too_many = FullReason::Descriptors { open: now.segments };
        if now.segments >= self.limits.segments_max {
            return Ok(Some(too_many));
        }
        let segment = match tail.begin(family, offset) {
            Ok(segment) => segment,
            Err(e) if is_full(&e) => return Ok(Some(FullReason::System(e))),
            Err(e) if out_of_descriptors(&e) => return Ok(Some(too_many)),
            Err(e) => return Err(self.error("spill to", e)),
        };
        if self.monitor.meter().segments.fetch_add(1, Relaxed) == 0 {
            (self.on_event)(Event::SpillStarted { dir: self.dir.to_owned(), tmpfs: self.tmpfs });
        }
        let drained = self.monitor.update(|state| state.began_segment(segment));
        self.remove(drained)?;
        Ok(None)
    }

    /// Reads chunks back until all is over.
    pub(super) fn fetch(self) -> Result<(), Error> {
        let mut head = Head::default();
        while let Some(job) = self.monitor.wait(Role::Fetch, None, State::take_fetch_job) {
            let segment = job.segment.name();
            let (chunk, byte) = head.next(&job.segment, self.monitor.pool().take()).map_err(|e| match e {
                HeadError::Io(e) => self.error("read back from", e),
                HeadError::Damaged { byte, source } => {
                    Error::Damaged { dir: self.dir.to_owned(), segment: segment.number, byte, source }
                }
            })?;
            let slot = job.slot();
            drop(job);
            let place = Place::Disk { segment: segment.number, byte };
            let drained = self.monitor.update(|state| state.fetched(slot, chunk, place));
            self.remove(drained)?;
        }
        Ok(())
    }
}

/// How the ring stood when the write was planned.
struct Situation {
    disk_bytes: u64,
    segments: usize,
    newest: Option<SegmentName>,
    resuming: bool,
}
