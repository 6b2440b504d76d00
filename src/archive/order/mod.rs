//! What must follow what: numbers, offsets, seals, seek tables, segments of one stream. It looks at no bytes, only at
//! what [`super::scan`] has found, one after another, and tells what is wrong with that.
//!
//! ```text
//!   file 1                          file 2
//!   Header Chunk Chunk Seal | Header Chunk Lost Chunk Seal
//!     number ──────────────────> +1 ?
//!            seq ──> +1 ──> = ? ──> = ?       └ seq tells what was lost
//! ```
//!
//! Its memory is constant. What it tells of a file may come when the next one has begun: whether the stream goes on
//! there shows only then.

mod join;
mod lost;
mod segment;

use super::inputs::Bond;
use super::report::{End, Gap, Problem, ProblemKind};
use super::scan::{Found, Item};
use crate::format::{
    ChunkSeq, FormatError, RECORD_BYTES, Record, Seal, SeekEntry, SegmentHeader, SegmentKey, StoreId, StreamOffset,
};
use segment::{Host, Segment};
use std::ops::Range;

/// Files of others, in a directory, after which a segment is not waited for any more.
const HOST_FILES_MAX: usize = 64;

/// What there is to tell, and of which file: the first is 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) file: usize,
    pub(super) what: What,
}

/// What there is to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Problem(Problem),
    Gap(Gap),
    /// A stream ends like this, and does not go on.
    End(End),
    /// The file ends in the middle of something, and so does the stream: nothing else is wrong.
    Cut(Problem),
}

/// What the files claim to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Claim {
    /// All of one stream or of several.
    #[default]
    Whole,
    /// The same from somewhere on: what lies in front of the first file is not asked for.
    Midway,
    /// All of them together: those of one store in a row are of one stream, or else that is a problem.
    Together,
}

/// The order of what is found.
#[derive(Debug, Default)]
pub(super) struct Order {
    files: usize,
    bond: Option<Bond>,
    /// Which file of its path it is: the first is 1.
    place: u64,
    claim: Claim,
    /// Nothing of this file was found yet.
    at_start: bool,
    current: Option<Segment>,
    /// The segment that we were in when its place was lost and another one was found: that may lie inside.
    host: Option<Host>,
    /// The store of the directory that we are in.
    home: Option<StoreId>,
    /// Lost bytes: what they were shows when something is found behind them.
    pending: Option<Told>,
    /// A record had this key, where one of the segment that we are in must stand.
    stranger: Option<SegmentKey>,
    /// What was taken last is no part of the stream.
    passed_over: bool,
    told: Vec<Told>,
}

impl Order {
    /// For files that must go together.
    pub(super) fn strict() -> Self {
        Self { claim: Claim::Together, ..Self::default() }
    }

    /// What lies in front of the first file, if anything does, is not asked for.
    pub(super) fn midway(is_midway: bool) -> Self {
        Self { claim: if is_midway { Claim::Midway } else { Claim::Whole }, ..Self::default() }
    }

    /// Another path begins: its files are not of the same directory as those before.
    pub(super) fn path(&mut self) {
        (self.home, self.place) = (None, 0);
    }

    /// The next file begins.
    pub(super) fn begin(&mut self, bond: Bond) {
        (self.at_start, self.bond) = (true, Some(bond));
        self.files += 1;
        if bond == Bond::Free {
            self.path();
        }
        self.place += 1;
        let waited = |host: &Host| self.file() - host.segment.file;
        if self.host.as_ref().is_some_and(|host| waited(host) > HOST_FILES_MAX) {
            self.give_up_host();
        }
    }

    /// It is read from the middle: in the segment with this key, whose header is this, where these numbers come next.
    pub(super) fn resume(
        &mut self,
        key: SegmentKey,
        header: Option<SegmentHeader>,
        next_seq: ChunkSeq,
        next_offset: StreamOffset,
    ) {
        let file = self.file();
        self.at_start = false;
        let segment = Segment::headless(file, key, next_seq, next_offset);
        self.current = Some(Segment { header, ..segment });
    }

    /// What stands next in it, and what there is to tell of that.
    pub(super) fn take(&mut self, found: &Found) -> std::vec::Drain<'_, Told> {
        self.passed_over = false;
        let was_inside = self.is_cut();
        match (found.item, found.key) {
            (Item::Header(header), _) => self.header(found.at, &header),
            (Item::Lost(error), _) => self.lost(found.at, error),
            (Item::Skip { frame_len }, _) => self.skip(found.at, frame_len),
            (Item::Chunk(record), Some(key)) => self.chunk(found.at, &record, key, None),
            (Item::Broken(record, error), Some(key)) => self.chunk(found.at, &record, key, Some(error)),
            (Item::Seal(seal, table), Some(key)) => self.seal(found.at, &seal, key, table),
            // No record is found without a key.
            (_, None) => {}
        }
        self.at_start = false;
        if was_inside && self.is_cut() {
            // Nothing is wrong with the stream where data of it only looks like an archive.
            self.pending = None;
            self.told.clear();
        }
        self.told.drain(..)
    }

    /// Whether what was taken last is no part of the stream: it is told what it is, or it was there before.
    pub(super) fn passed_over(&self) -> bool {
        self.passed_over
    }

    /// Whether something is wrong that is not told yet, as it may turn out to be more: no data may go out before.
    pub(super) fn owes(&self) -> bool {
        let is_lost = self.host.as_ref().is_some_and(|host| host.lost.is_some());
        (self.pending.is_some() || is_lost) && !self.is_cut()
    }

    /// Whether what was taken last may lie inside a damaged chunk: then it is no part of the stream.
    pub(super) fn is_inside(&self) -> bool {
        self.host.as_ref().is_some_and(|host| host.segment.file == self.file())
    }

    /// The first file of which there may be more to tell.
    pub(super) fn oldest(&self) -> usize {
        let current = self.current.iter().map(|segment| segment.file);
        let host = self.host.iter().map(|host| host.segment.file);
        let lost = self.host.iter().filter_map(|host| host.lost.as_ref());
        let told = lost.chain(&self.pending).chain(&self.told).map(|told| told.file);
        current.chain(host).chain(told).min().map_or(self.file(), |file| file.min(self.file()))
    }

    /// The file ends here.
    pub(super) fn end(&mut self, len: u64) -> std::vec::Drain<'_, Told> {
        let file = self.file();
        if self.at_start && self.pending.is_none() {
            let error = FormatError::Short { what: "segment header", have: 0, need: 1 };
            self.pending = Some(Told { file, what: What::Problem(Problem::new(0, ProblemKind::Header(error))) });
        }
        if let Some(Told { what: What::Problem(problem), .. }) = &mut self.pending {
            problem.end.get_or_insert(len);
        }
        self.told.drain(..)
    }

    /// No file comes any more.
    pub(super) fn finish(&mut self) -> std::vec::Drain<'_, Told> {
        self.abandon();
        self.told.drain(..)
    }

    /// The file that we are in.
    pub(super) fn file(&self) -> usize {
        self.files.saturating_sub(1)
    }

    fn problem(&mut self, problem: Problem) {
        let file = self.file();
        self.told.push(Told { file, what: What::Problem(problem) });
    }

    /// The offsets between what was expected and what comes: a gap, if they do not go back.
    fn offsets(&mut self, at: u64, offsets: Range<StreamOffset>) {
        if offsets.end < offsets.start {
            self.problem(Problem::new(at, ProblemKind::OffsetBack { expected: offsets.start }));
        } else {
            self.gap(at, offsets);
        }
    }

    fn gap(&mut self, at: u64, offsets: Range<StreamOffset>) {
        if offsets.start < offsets.end {
            let file = self.file();
            self.told.push(Told { file, what: What::Gap(Gap { at, offsets }) });
        }
    }

    fn skip(&mut self, at: u64, frame_len: u32) {
        self.settle(at);
        match &mut self.current {
            Some(segment) if segment.sealed.is_none() && !self.at_start => {
                segment.count(SeekEntry { frame_len, raw_len: 0 });
            }
            _ => self.problem(Problem::new(at, ProblemKind::Outside).to(at + u64::from(frame_len))),
        }
    }

    /// Makes the segment with this key the current one, whose record or seal was found. False: that is no part of it,
    /// which is told.
    fn enter(&mut self, at: u64, end: u64, key: SegmentKey, seq: ChunkSeq, offset: StreamOffset) -> bool {
        let stranger = self.stranger.take();
        if !self.at_start {
            self.leave(|host| host.key == key);
        }
        let file = self.file();
        let inside = self.current.as_mut().filter(|_| !self.at_start);
        match inside {
            Some(segment) if segment.key == key && segment.sealed.is_none() => return true,
            Some(segment) if segment.key == key => {
                self.settle(at);
                self.problem(Problem::new(at, ProblemKind::Outside).to(end));
                self.passed_over = true;
                return false;
            }
            // It looks like one of another segment, and so does a damaged one of ours.
            Some(segment) if segment.sealed.is_none() && self.pending.is_none() && stranger != Some(key) => {
                segment.table = None;
                let problem = Problem::new(at, ProblemKind::Stranger).to(end);
                self.pending = Some(Told { file, what: What::Problem(problem) });
                (self.stranger, self.passed_over) = (Some(key), true);
                return false;
            }
            _ => {}
        }
        // Its header is lost.
        match &mut self.pending {
            Some(Told { what: What::Problem(problem), file: of }) if *of == file => {
                if problem.kind == ProblemKind::Outside {
                    problem.kind = ProblemKind::NoHeader;
                }
            }
            _ => self.problem(Problem::new(at, ProblemKind::NoHeader)),
        }
        let before = self.current.take();
        let mut segment = Segment::headless(file, key, seq, offset);
        match before {
            Some(before) if before.key.store == key.store => {
                (segment.next_seq, segment.next_offset) = before.expected();
                segment.had = before.had;
            }
            Some(before) if before.sealed.is_none() && !self.at_start => {
                self.host.get_or_insert(Host { segment: before, lost: None });
            }
            before => {
                let pending = self.pending.take();
                self.current = before;
                self.abandon();
                self.pending = pending;
            }
        }
        self.current = Some(segment);
        true
    }

    fn chunk(&mut self, at: u64, record: &Record, key: SegmentKey, error: Option<FormatError>) {
        let end = at + RECORD_BYTES as u64 + u64::from(record.frame_len);
        let (chunks, offsets) = (record.seq..record.next_seq(), record.offset..record.end_offset());
        if !self.enter(at, end, key, record.seq, record.offset) {
            return;
        }
        self.follow(at, record.seq, record.offset);
        let Some(segment) = &mut self.current else { return };
        for entry in record.seek_entries() {
            segment.count(entry);
        }
        let is_next = record.seq >= segment.next_seq;
        segment.next_seq = segment.next_seq.max(chunks.end);
        segment.next_offset = segment.next_offset.max(offsets.end);
        let had = segment.had;
        if error.is_none() && record.seq >= had.0 {
            segment.had = (chunks.end, offsets.end.max(had.1));
        }
        self.passed_over = record.seq < had.0;
        let Some(error) = error else {
            if self.passed_over && is_next && offsets.end > had.1 {
                // It is not the same.
                self.problem(Problem::new(at, ProblemKind::Repeated { expected: had.0 }).to(end));
            }
            return;
        };
        let problem = |kind, end| Problem { end, ..Problem::new(at, kind) }.of(chunks, offsets);
        if let FormatError::Short { .. } = error {
            let (file, what) = (self.file(), What::Problem(problem(ProblemKind::CutShort(error), None)));
            self.pending = Some(Told { file, what });
        } else {
            self.problem(problem(ProblemKind::Frame(error), Some(end)));
        }
    }

    /// A chunk or a seal says these numbers: whether they are those that come next.
    fn follow(&mut self, at: u64, seq: ChunkSeq, offset: StreamOffset) {
        let Some(segment) = &mut self.current else { return };
        let is_again = seq < segment.had.0;
        let end = if is_again { segment.next_offset } else { segment.expected().1 };
        let (chunks, offsets) = (segment.next_seq..seq, end..offset);
        if chunks.start > chunks.end || offsets.start > offsets.end || chunks.start < chunks.end {
            segment.table = None;
        }
        if chunks.start > chunks.end {
            self.settle(at);
            self.problem(Problem::new(at, ProblemKind::Repeated { expected: chunks.start }));
        } else if offsets.start > offsets.end || chunks.start == chunks.end {
            self.settle(at);
            if !is_again || offsets.start > offsets.end {
                self.offsets(at, offsets);
            }
        } else if self.pending.is_some() {
            self.settle_as(at, chunks, offsets);
        } else {
            self.problem(Problem::new(at, ProblemKind::Missing).of(chunks, offsets));
        }
    }

    fn seal(&mut self, at: u64, seal: &Seal, key: SegmentKey, table: Result<(), FormatError>) {
        let table_at = at + RECORD_BYTES as u64;
        let end = table_at + u64::from(seal.table_len);
        if !self.enter(at, end, key, seal.next_seq, seal.end_offset) {
            return;
        }
        let seal_at = |kind| Problem::new(at, ProblemKind::Seal(kind)).to(table_at);
        let Some((next_seq, next_offset)) = self.current.as_ref().map(Segment::expected) else { return };
        if seal.next_seq < next_seq || seal.end_offset < next_offset {
            self.settle(at);
            let (field, value, expected) = if seal.next_seq < next_seq {
                ("seal sequence number", seal.next_seq.0, next_seq.0)
            } else {
                ("seal stream offset", seal.end_offset.0, next_offset.0)
            };
            self.problem(seal_at(FormatError::Field { field, value, expected }));
        } else {
            self.follow(at, seal.next_seq, seal.end_offset);
        }
        let Some(segment) = &mut self.current else { return };
        let chunks = segment.header.map(|header| seal.next_seq.0.saturating_sub(header.first_seq.0));
        let listed = segment.table.take().map(|mut digest| {
            digest.push(Seal::seek_entry());
            digest.table_len() as u64 == u64::from(seal.table_len) && digest.table_crc() == seal.table_crc
        });
        segment.sealed = Some(seal.end);
        segment.next_seq = segment.next_seq.max(seal.next_seq);
        segment.next_offset = segment.next_offset.max(seal.end_offset);
        if let Some(expected) = chunks.filter(|chunks| *chunks != u64::from(seal.chunks)) {
            let value = u64::from(seal.chunks);
            self.problem(seal_at(FormatError::Field { field: "seal chunks", value, expected }));
        }
        let table =
            table.and(if listed == Some(false) { Err(FormatError::Foreign { what: "seek table" }) } else { Ok(()) });
        if let Err(error) = table {
            self.problem(Problem::new(table_at, ProblemKind::SeekTable(error)).to(end));
        }
    }
}
