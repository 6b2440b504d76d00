//! The way through the stream: from segment to segment, past damage and what was dropped, to the end or what will be it.
//!
//! Sequence numbers and offsets tell what is missing: a jump behind damage is loss; one where segments are gone, or of
//! the offset alone, was made on purpose. A chunk that was had before (its first writing failed, and it came again into
//! a new segment) is passed over by its number.
//!
//! ```text
//!   segment over?   sealed, or a later one is there, or there is no writer       (looked at once more after that is known)
//!   stream over?    sealed so, or unsealed without a writer: incomplete
//! ```

mod over;

use super::Inner;
use super::error::Error;
use super::event::{Damage, Ended, Gap};
use super::quarantine;
use super::reader::ReaderStats;
use super::scan::{Found, Opened, Scan};
use super::window::Ahead;
use crate::codec::Decoder;
use crate::format::{ChunkSeq, EndState, Position, Record, Seal, SegmentNumber, StreamOffset};
use crate::store::SegmentName;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;

/// What is told beside data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Gap(Gap),
    Damage(Damage),
    End(Ended),
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Coming {
    /// A chunk; its bytes are in [`Course::raw`].
    Chunk(Record),
    Told(Told),
    Empty {
        writer: bool,
    },
}

#[derive(Debug)]
pub(super) struct Course {
    spool: Arc<Inner>,
    /// Past all that was taken.
    pub(super) place: Position,
    /// Where the next byte is looked for: past what is to be told, too.
    at: Position,
    /// How the stream ended that ended at `place`.
    pub(super) told: Option<Ended>,
    /// The same at `at`.
    ended: Option<Ended>,
    scan: Option<Box<Scan>>,
    /// The segment that comes next and has no header yet, or none any more.
    headless: Option<SegmentName>,
    /// Later segments, as far as they are known.
    later: VecDeque<SegmentName>,
    /// When the directory had last changed, as of the time that they were looked for.
    listed: Option<SystemTime>,
    /// Segments before the place, by rising number, that may still be there.
    pub(super) passed: Vec<SegmentName>,
    suspect: Option<Suspect>,
    /// Nothing of the open segment was had before: what is damaged in it has not been told.
    new_ground: bool,
    /// It is known that no more comes into the open segment: this is the last look at it.
    last_look: bool,
    /// To be told, in order, before `ready` is handed out; each with the place past it.
    queue: VecDeque<(Told, Position)>,
    /// The chunk whose bytes are in `raw`.
    ready: Option<Record>,
    raw: Vec<u8>,
    decoder: Decoder,
    pub(super) stats: ReaderStats,
}

/// Bytes that made no sense; what they cost shows at the next whole structure.
#[derive(Clone, Debug)]
struct Suspect {
    segment: SegmentName,
    at: u64,
    len: u64,
    kept: Option<String>,
    /// At the end of a segment, which often means nothing: a write that failed and was made again.
    torn: bool,
}

impl Course {
    pub(super) fn new(spool: Arc<Inner>, at: Position, ended: Option<Ended>) -> Result<Self, Error> {
        let mut course = Self {
            spool,
            place: at,
            at,
            told: ended,
            ended,
            scan: None,
            headless: None,
            later: VecDeque::new(),
            listed: None,
            passed: Vec::new(),
            suspect: None,
            new_ground: true,
            last_look: false,
            queue: VecDeque::new(),
            ready: None,
            raw: Vec::new(),
            decoder: Decoder::default(),
            stats: ReaderStats::default(),
        };
        for name in course.spool.list()? {
            if name.number < at.segment { course.passed.push(name) } else { course.later.push_back(name) }
        }
        Ok(course)
    }

    /// What comes next; again and again the same, until [`Self::take`].
    pub(super) fn next(&mut self) -> Result<Coming, Error> {
        loop {
            if let Some((told, _)) = self.queue.front() {
                return Ok(Coming::Told(told.clone()));
            }
            if let Some(record) = self.ready {
                return Ok(Coming::Chunk(record));
            }
            if let Some(writer) = self.step()? {
                if (self.place.seq, self.place.offset) == (self.at.seq, self.at.offset) {
                    // Nothing is left of the segments before: they need not stay until the next one is there.
                    self.place = self.at;
                }
                return Ok(Coming::Empty { writer });
            }
        }
    }

    /// Goes past what [`Self::next`] gave.
    pub(super) fn take(&mut self) {
        if let Some((told, place)) = self.queue.pop_front() {
            self.told = if let Told::End(ended) = told { Some(ended) } else { None };
            self.place = place;
        } else if let Some(record) = self.ready.take() {
            self.stats.bytes += record.end_offset().0 - self.at.offset.0;
            self.stats.chunks += 1;
            self.at.seq = record.next_seq();
            self.at.offset = record.end_offset();
            (self.place, self.told) = (self.at, None);
        }
    }

    /// The bytes of the chunk that comes next, or what is left of it.
    pub(super) fn chunk_bytes(&self, record: &Record) -> &[u8] {
        let skip = self.at.offset.0.saturating_sub(record.offset.0);
        self.raw.get(usize::try_from(skip).unwrap_or(usize::MAX)..).unwrap_or_default()
    }

    /// The last `len` bytes of the chunk that was taken last.
    pub(super) fn last_bytes(&self, len: usize) -> &[u8] {
        &self.raw[self.raw.len().saturating_sub(len)..]
    }

    /// Where the chunk that comes next begins, or what is left of it.
    pub(super) fn chunk_from(&self) -> Position {
        self.at
    }

    fn tell(&mut self, told: Told) {
        self.queue.push_back((told, self.at));
    }

    fn end(&mut self, ended: Ended) {
        self.ended = Some(ended);
        self.tell(Told::End(ended));
    }

    /// Reads on from an earlier place.
    pub(super) fn rewind(&mut self, to: Position) -> Result<(), Error> {
        let before = std::mem::replace(self, Self::new(Arc::clone(&self.spool), to, None)?);
        self.stats = before.stats;
        self.raw = before.raw;
        Ok(())
    }

    /// One step. `Some`: there is nothing more for now; whether there is a writer.
    fn step(&mut self) -> Result<Option<bool>, Error> {
        if self.scan.is_none() && !self.open_next()? {
            return self.nothing();
        }
        let Some(scan) = &mut self.scan else { return Ok(None) };
        let name = scan.name();
        // On the way to the place, records are all that is read.
        let ahead = if self.new_ground { Ahead::Some } else { Ahead::Nothing };
        let found = scan.next(ahead).map_err(Error::segment_io("read", &self.spool.dir, name))?;
        match found {
            Found::Chunk(record) => self.chunk(record),
            Found::Seal(seal) => {
                self.seal(&seal);
                Ok(None)
            }
            Found::Damage { at, len } => {
                let kept = self.new_ground.then(|| quarantine::keep(&self.spool, scan, at, len)).flatten();
                self.suspect = Some(Suspect { segment: name, at, len, kept, torn: false });
                Ok(None)
            }
            Found::Nothing => {
                scan.forget();
                self.nothing()
            }
        }
    }

    /// Opens the next segment. False: there is none, or none with a header.
    fn open_next(&mut self) -> Result<bool, Error> {
        loop {
            let Some(name) = self.headless.or_else(|| self.later.front().copied()) else {
                if !self.look_for_later()? {
                    return Ok(false);
                }
                continue;
            };
            let opened = Scan::open(&*self.spool.home, &self.spool.dir, self.spool.id, name)?;
            // Only now: after an error it is tried again.
            let known = self.headless.take().is_some();
            if !known {
                self.later.pop_front();
                self.last_look = false;
            }
            match opened {
                Opened::Gone => self.last_look = false,
                Opened::Nothing => {
                    self.headless = Some(name);
                    return Ok(false);
                }
                Opened::Scan(scan) => {
                    self.enter(scan);
                    return Ok(true);
                }
            }
        }
    }

    fn enter(&mut self, scan: Box<Scan>) {
        let header = scan.header();
        // Behind a torn tail loss is damage; but where segments are gone altogether, they were dropped.
        let follows = |suspect: &Suspect| suspect.segment.number.checked_add(1) == Some(header.number);
        if self.suspect.as_ref().is_some_and(|suspect| !follows(suspect)) {
            self.suspect = None;
        }
        self.new_ground = header.first_seq >= self.at.seq && header.first_offset >= self.at.offset;
        if self.suspect.is_none() && self.at.segment == header.number {
            // No segment is gone in between, so that nothing was dropped: what is missing is lost.
            self.suspect = Some(Suspect { segment: scan.name(), at: 0, len: 0, kept: None, torn: true });
        }
        self.at.segment = header.number;
        self.last_look = false;
        self.scan = Some(scan);
    }

    fn chunk(&mut self, record: Record) -> Result<Option<bool>, Error> {
        if record.end_offset() <= self.at.offset {
            self.suspect = None;
            self.at.seq = self.at.seq.max(record.next_seq());
            return Ok(None);
        }
        let Some(scan) = &mut self.scan else { return Ok(None) };
        let name = scan.name();
        let opened = scan.open_chunk(&record, &mut self.raw, &mut self.decoder);
        let is_last = match &opened {
            Ok(false) => scan.peek().map(|found| found == Found::Nothing),
            _ => Ok(false),
        };
        let (whole, is_last) = match opened.and_then(|whole| Ok((whole, is_last?))) {
            Ok(found) => found,
            Err(error) => {
                // It is tried again.
                scan.back_to(&record);
                return Err(Error::segment_io("read", &self.spool.dir, name)(error));
            }
        };
        if whole {
            self.missing_before(record.seq, record.offset);
            self.new_ground = true;
            self.ready = Some(record);
            self.ended = None;
            return Ok(None);
        }
        if is_last {
            scan.back_to(&record);
            scan.forget();
            return self.nothing();
        }
        let (at, len) = (scan.frame_at(&record), u64::from(record.frame_len));
        let kept = quarantine::keep(&self.spool, scan, at, len);
        self.missing_before(record.seq, record.offset);
        self.suspect = Some(Suspect { segment: name, at, len, kept, torn: false });
        self.missing_before(record.next_seq(), record.end_offset());
        Ok(None)
    }

    fn seal(&mut self, seal: &Seal) {
        self.missing_before(seal.next_seq, seal.end_offset);
        self.pass();
        match seal.end {
            EndState::Continues => {}
            EndState::End => self.end(Ended::Complete),
            // What a later writer marks may have been seen, and told, before.
            EndState::Aborted if self.ended == Some(Ended::Incomplete) => {}
            EndState::Aborted => self.end(Ended::Incomplete),
        }
    }

    /// Leaves the open segment, or the headless one.
    fn pass(&mut self) {
        let name = self.scan.take().map(|scan| scan.name()).or_else(|| self.headless.take());
        if let Some(name) = name {
            self.at.segment = SegmentNumber(name.number.0.saturating_add(1));
            self.passed.push(name);
        }
        self.last_look = false;
    }

    /// Goes to where the stream goes on, and queues what is missing before.
    fn missing_before(&mut self, seq: ChunkSeq, offset: StreamOffset) {
        let bytes = offset.0.saturating_sub(self.at.offset.0);
        let chunks = seq.0.saturating_sub(self.at.seq.0);
        self.at.seq = self.at.seq.max(seq);
        self.at.offset = self.at.offset.max(offset);
        // What is told behind an end makes it one in the middle: the next end is told again.
        if bytes > 0 || chunks > 0 {
            self.ended = None;
        }
        let suspect = self.suspect.take().filter(|suspect| {
            let lost = chunks > 0 || (bytes > 0 && !suspect.torn);
            lost || (self.new_ground && !suspect.torn)
        });
        if let Some(suspect) = suspect {
            let kept = suspect.kept.clone().or_else(|| suspect.torn.then(|| self.keep_torn(&suspect)).flatten());
            self.stats.damages += 1;
            self.stats.lost_bytes += bytes;
            self.stats.lost_chunks += chunks;
            self.tell(Told::Damage(Damage {
                segment: suspect.segment.number,
                at: suspect.at,
                damaged_bytes: suspect.len,
                lost_bytes: bytes,
                lost_chunks: chunks,
                kept,
            }));
        } else if bytes > 0 || chunks > 0 {
            self.stats.gap.bytes += bytes;
            self.stats.gap.chunks += chunks;
            self.tell(Told::Gap(Gap { bytes, chunks }));
        }
    }

    fn keep_torn(&self, suspect: &Suspect) -> Option<String> {
        let opened = Scan::open(&*self.spool.home, &self.spool.dir, self.spool.id, suspect.segment).ok()?;
        let Opened::Scan(scan) = opened else { return None };
        quarantine::keep(&self.spool, &scan, suspect.at, suspect.len)
    }
}
