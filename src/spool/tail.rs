//! The writing end of the stream: chunks into segments, limits, and what is durable.
//!
//! ```text
//!   durable  ≤  appended  ≤  taken in                      failed append: the segment is over, the chunk goes into the next
//! ```
//! Contract after a failure: a full disk is waited out, dropped for, or an error, as asked; whatever else fails ends the
//! writer. A sync that failed is not tried again: what it was to make durable is not known to be, and that is told.

mod full;

use super::Inner;
use super::encode::Encoded;
use super::error::Error;
use super::event::{Gap, WriterEvent};
use super::options::WriterOptions;
use super::slots::Slots;
use super::unsynced::{SyncJob, Unsynced};
use crate::format::{
    EndState, Family, HEADER_BYTES, Position, RECORD_BYTES, SegmentHeader, SegmentNumber, SlotState, StreamOffset,
};
use crate::ring::{DiskLimits, FullReason, SEGMENT_CHUNKS_MAX, WhenFull, new_salt, now_ns};
use crate::segment::{ChunkInfo, SegmentEncoder};
use crate::store::{Append, Cancel, SegmentName, is_full};
use crate::sys::space::no_space;
use full::Wait;
use std::fmt;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// What a segment takes that has nothing but a seal, or a little more.
const MARK_BYTES: u64 = 4 * HEADER_BYTES as u64;
/// Segments that stay open until they are synced.
const UNSYNCED_OPEN_MAX: usize = 4;
/// A chunk is at most this fraction of the limit or of the file system, so that a few fit.
const CHUNKS_PER_LIMIT_MIN: u64 = 32;

/// What a writer has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriterStats {
    /// Bytes taken in, also those that were dropped.
    pub bytes: u64,
    /// Chunks written.
    pub chunks: u64,
    /// Bytes written: records, frames and what is around them.
    pub stored_bytes: u64,
    /// Segments begun.
    pub segments: u64,
    /// Times that what was written was made durable.
    pub syncs: u64,
    /// What was dropped: new data under [`WhenFull::DropNew`], and under [`WhenFull::DropOldest`] old data that some
    /// reader still needed.
    pub dropped: Gap,
    /// How long it waited for room.
    pub waited: Duration,
}

pub(super) type Listener = Box<dyn Fn(WriterEvent) + Send>;

pub(super) struct Tail {
    spool: Arc<Inner>,
    own: Slots,
    limits: DiskLimits,
    when_full: WhenFull,
    chunk_bytes_max: u32,
    /// What comes next, and the number of the next segment.
    next: Position,
    current: Option<Current>,
    /// The writer before this one broke off: that is to be marked before anything else is written.
    owes_mark: bool,
    /// Segments with bytes that are not known to be durable.
    unsynced: Vec<Unsynced>,
    /// Segments created, and how many of them are known to be in the directory for good.
    created: u64,
    created_synced: u64,
    unsynced_since: Option<Instant>,
    durable: StreamOffset,
    /// Bytes of all segments: at most so many, for readers remove some.
    disk_bytes: u64,
    disk_room: f32,
    wait: Wait,
    /// Nobody waits for room any more.
    pub(super) closing: Arc<AtomicBool>,
    pub(super) cancel: Option<Cancel>,
    pub(super) listener: Option<Listener>,
    pub(super) stats: WriterStats,
}

struct Current {
    name: SegmentName,
    file: Arc<dyn Append>,
    encoder: SegmentEncoder,
}

impl Tail {
    /// Goes on at `next`, after a writer that has `broken_off` perhaps. Nothing is written yet.
    pub(super) fn new(
        spool: Arc<Inner>,
        own: Slots,
        next: Position,
        broken_off: bool,
        options: &WriterOptions,
    ) -> Result<Self, Error> {
        let limits =
            DiskLimits { max_disk_bytes: options.max_disk_bytes, min_free: options.min_free, segments_max: usize::MAX };
        let space = spool.home.space().map_err(Error::io("ask for room in", spool.dir.clone()))?;
        let ceiling = options.max_disk_bytes.unwrap_or(u64::MAX).min(space.total_bytes);
        let least = u64::from(crate::format::CHUNK_BYTES_MIN);
        let chunk = (options.chunk_bytes_bounded() as u64).min((ceiling / CHUNKS_PER_LIMIT_MIN).max(least));
        let mut tail = Self {
            own,
            limits,
            when_full: options.when_full,
            chunk_bytes_max: u32::try_from(chunk).unwrap_or(crate::format::CHUNK_BYTES_MAX),
            next,
            current: None,
            owes_mark: broken_off,
            unsynced: Vec::new(),
            created: 0,
            created_synced: 0,
            unsynced_since: None,
            durable: next.offset,
            disk_bytes: 0,
            disk_room: 1.0,
            wait: Wait::default(),
            closing: Arc::default(),
            cancel: None,
            listener: None,
            stats: WriterStats::default(),
            spool,
        };
        tail.measure()?;
        Ok(tail)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.spool.dir
    }

    /// Largest chunk, in raw bytes.
    pub(super) fn chunk_bytes_max(&self) -> u32 {
        self.chunk_bytes_max
    }

    /// Room left, as a fraction of the limit.
    pub(super) fn disk_room(&self) -> f32 {
        self.disk_room
    }

    /// What comes next.
    pub(super) fn next(&self) -> Position {
        let segment = self.current.as_ref().map_or(self.next.segment, |current| current.name.number);
        Position { segment, ..self.next }
    }

    /// Up to here all is durable.
    pub(super) fn durable(&self) -> Position {
        Position { offset: self.durable, ..self.next() }
    }

    /// Appends a chunk, or drops it if that is to be done when full.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::Cancelled`]: the chunk may be appended again. [`Error::Io`]: this writer is over.
    pub(super) fn append(&mut self, chunk: &Encoded) -> Result<(), Error> {
        self.pay_mark()?;
        while !self.try_append(chunk)? {}
        Ok(())
    }

    /// False: to be tried again.
    fn try_append(&mut self, chunk: &Encoded) -> Result<bool, Error> {
        let frame_len = chunk.frame().len() as u64;
        let need = frame_len + (HEADER_BYTES + RECORD_BYTES) as u64 + self.seal_bytes();
        let segment_bytes = match self.room(need, self.wait.is_on())? {
            Ok(segment_bytes) => segment_bytes,
            Err(reason) => return self.full(reason, Some(chunk)),
        };
        if let Err(error) = self.begin_if_due(chunk.family, segment_bytes) {
            return self.failed(error, Some(chunk));
        }
        let Some(current) = &mut self.current else { return Ok(false) };
        let is_first = current.encoder.chunks() == 0;
        let record = current.encoder.record(&ChunkInfo {
            raw_len: chunk.raw_len,
            frame_len: u32::try_from(frame_len).expect("frames are bounded"),
            raw_crc: chunk.raw_crc,
            frame_crc: chunk.frame_crc,
            codec: chunk.codec,
            record_end: chunk.record_end,
            offset: Some(self.next.offset),
        });
        let appended = current.file.append(&[IoSlice::new(&record), IoSlice::new(chunk.frame())]);
        if let Err(error) = appended {
            // Part of it may be there. It is written again, into another segment, with the same numbers.
            let was_removed = self.leave_segment(is_first);
            if error.kind() == io::ErrorKind::FileTooLarge && !was_removed {
                // The file is as long as it may become; it is not the disk that is full.
                return Ok(false);
            }
            return self.failed(error, Some(chunk));
        }
        self.next.seq = current.encoder.next_seq();
        self.next.offset = current.encoder.next_offset();
        self.stats.chunks += 1;
        self.wrote(RECORD_BYTES as u64 + frame_len);
        self.resumed();
        Ok(true)
    }

    /// Sees to it that a segment is open that takes the next chunk.
    fn begin_if_due(&mut self, family: Family, segment_bytes: u64) -> io::Result<()> {
        let fits = self.current.as_ref().is_some_and(|current| {
            let room = current.encoder.bytes_so_far() < segment_bytes && current.encoder.chunks() < SEGMENT_CHUNKS_MAX;
            room && current.encoder.header().family == family
        });
        if !fits {
            self.seal(EndState::Continues)?;
            self.begin(family)?;
        }
        Ok(())
    }

    fn begin(&mut self, family: Family) -> io::Result<()> {
        let header = SegmentHeader {
            store: self.spool.id,
            number: self.next.segment,
            first_seq: self.next.seq,
            first_offset: self.next.offset,
            chunk_bytes_max: self.chunk_bytes_max,
            salt: new_salt()?,
            created_ns: now_ns(),
            family,
        };
        let name = SegmentName { number: header.number, family };
        let file = self.spool.home.create(name)?;
        // The number is used up, whatever becomes of the segment.
        self.next.segment = SegmentNumber(name.number.0.saturating_add(1));
        self.created += 1;
        let encoder = SegmentEncoder::new(header);
        if let Err(error) = file.append(&[IoSlice::new(&encoder.header_bytes())]) {
            let _ = self.spool.home.remove(name); // Without a header it says nothing, there or not.
            return Err(error);
        }
        self.current = Some(Current { name, file: Arc::clone(&file), encoder });
        self.unsynced.push(Unsynced { name, file: Ok(file) });
        if let Some(older) = self.unsynced.len().checked_sub(UNSYNCED_OPEN_MAX + 1) {
            let older = &mut self.unsynced[older];
            older.file = Err(older.len());
        }
        self.stats.segments += 1;
        self.wrote(HEADER_BYTES as u64);
        Ok(())
    }

    /// Seals the open segment, if there is one. Where there is no room for the seal it stays without: what comes next,
    /// or the spool's own slot, tells readers as much.
    fn seal(&mut self, end: EndState) -> io::Result<bool> {
        let Some(Current { file, mut encoder, .. }) = self.current.take() else { return Ok(false) };
        encoder.drop_to(self.next.offset);
        let seal = encoder.seal(end);
        match file.append(&[IoSlice::new(&seal)]) {
            Ok(()) => {
                self.wrote(seal.len() as u64);
                Ok(true)
            }
            Err(error) if is_full(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn seal_bytes(&self) -> u64 {
        self.current.as_ref().map_or(0, |current| current.encoder.seal_bytes())
    }

    /// Leaves the open segment as it is, after a failed append. Without a chunk before that it is removed, or each try on
    /// a full disk would leave another; true: it was.
    fn leave_segment(&mut self, is_empty: bool) -> bool {
        let Some(current) = self.current.take().filter(|_| is_empty) else { return false };
        self.unsynced.retain(|segment| segment.name != current.name);
        self.disk_bytes = self.disk_bytes.saturating_sub(HEADER_BYTES as u64);
        let _ = self.spool.home.remove(current.name); // It says nothing, there or not.
        true
    }

    /// So many bytes came into the newest segment.
    fn wrote(&mut self, bytes: u64) {
        self.stats.stored_bytes += bytes;
        self.disk_bytes = self.disk_bytes.saturating_add(bytes);
        self.unsynced_since.get_or_insert_with(Instant::now);
    }

    /// Ends the stream, or leaves it open, in a way that readers see. Durable after [`Self::sync`].
    ///
    /// # Errors
    /// As for [`Self::append`].
    pub(super) fn finish(&mut self, end: EndState) -> Result<(), Error> {
        self.pay_mark()?;
        let failed = |dir: &Path| Error::io("seal a segment in", dir.to_owned());
        let sealed = self.seal(end).map_err(failed(&self.spool.dir))?;
        // A mark needs a segment that carries it, where none is open or there was no room left in it.
        let mut marked = sealed || end == EndState::Continues;
        while !marked {
            marked = self.try_mark(end)?;
            if matches!(self.when_full, WhenFull::DropNew | WhenFull::DropOldest) {
                // Nobody is to wait: the spool's own slot tells it, too.
                break;
            }
        }
        self.resumed();
        Ok(())
    }

    /// Takes back an end mark that could not be made durable, as well as that can be done: it is no complete stream that
    /// its producer was told had failed.
    pub(super) fn take_back_mark(&mut self) {
        self.when_full = WhenFull::Fail;
        let taken_back = self.try_mark(EndState::Aborted);
        if taken_back.is_ok() {
            let _ = self.mark(SlotState::Incomplete); // The segment tells it, too.
        }
    }

    /// Marks what a dead writer left as what it is.
    fn pay_mark(&mut self) -> Result<(), Error> {
        while self.owes_mark {
            self.owes_mark = !self.try_mark(EndState::Aborted)?;
        }
        Ok(())
    }

    /// Writes a segment that has nothing but a seal. False: to be tried again.
    fn try_mark(&mut self, end: EndState) -> Result<bool, Error> {
        let reason = match self.room(MARK_BYTES, false)? {
            Err(reason) => reason,
            Ok(_) => match self.begin(Family::Zstd).and_then(|()| self.seal(end)) {
                Ok(true) => return Ok(true),
                Ok(false) => {
                    self.wait.refused = true;
                    FullReason::System(no_space())
                }
                Err(error) => return self.failed(error, None),
            },
        };
        self.full(reason, None)
    }

    /// Marks in the spool's own slot that somebody writes, or how they ended.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn mark(&mut self, state: SlotState) -> Result<(), Error> {
        let next = self.next;
        let marked = self.own.update(&*self.spool.home, now_ns(), |slot| {
            slot.position = next;
            slot.state = state;
        });
        let settled = marked.and_then(|()| self.own.settle(&*self.spool.home));
        settled.map_err(Error::io("write", self.spool.dir.join("spool")))
    }

    /// When what is not durable yet was first written.
    pub(super) fn unsynced_since(&self) -> Option<Instant> {
        self.unsynced_since
    }

    /// Whether a segment that is over is not durable.
    pub(super) fn has_sealed_unsynced(&self) -> bool {
        self.unsynced.len() > usize::from(self.current.is_some())
    }

    /// What is to be made durable now. [`Self::end_sync`] must follow.
    ///
    /// What an earlier job is still at, is in this one, too: when it is done, all is durable up to here.
    pub(super) fn begin_sync(&mut self) -> SyncJob {
        self.unsynced_since = None;
        SyncJob {
            home: Arc::clone(&self.spool.home),
            files: self.unsynced.iter().map(|segment| (segment.clone(), segment.len())).collect(),
            entries: self.created_synced < self.created,
            created: self.created,
            upto: self.next.offset,
        }
    }

    /// Takes the outcome of a sync.
    ///
    /// # Errors
    /// [`Error::Io`]: this writer is over.
    pub(super) fn end_sync(&mut self, job: &SyncJob, result: io::Result<()>) -> Result<(), Error> {
        result.map_err(Error::io("make durable what was written to", self.spool.dir.clone()))?;
        self.durable = self.durable.max(job.upto);
        self.created_synced = self.created_synced.max(job.created);
        // More may have come into one since, its seal for instance, and into the open one more comes.
        let open = self.current.as_ref().map(|current| current.name);
        self.unsynced.retain(|segment| {
            let is_synced = |(synced, len): &(Unsynced, u64)| synced.name == segment.name && *len == segment.len();
            open == Some(segment.name) || !job.files.iter().any(is_synced)
        });
        self.stats.syncs += 1;
        Ok(())
    }

    /// Makes all durable that was appended.
    ///
    /// # Errors
    /// As for [`Self::end_sync`].
    pub(super) fn sync(&mut self) -> Result<(), Error> {
        let job = self.begin_sync();
        let result = job.run();
        self.end_sync(&job, result)
    }

    /// Makes durable what a writer left that died: what is written now must not be durable without it.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn sync_predecessor(&mut self) -> Result<(), Error> {
        // Where it began is in the spool's own slot.
        let first = self.own.slot.position.segment;
        for name in self.spool.list()?.into_iter().filter(|name| name.number >= first) {
            match self.spool.home.open(name).and_then(|file| file.sync()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::segment_io("make durable", &self.spool.dir, name)(error));
                }
                _ => {}
            }
        }
        self.spool.home.sync().map_err(Error::io("make durable", self.spool.dir.clone()))
    }
}

impl fmt::Debug for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tail").field("next", &self.next).field("durable", &self.durable).finish_non_exhaustive()
    }
}
