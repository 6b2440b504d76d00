//! Chunk by chunk through a file, or the files of one stream, up to the first damage: what [`super::read`] and
//! [`super::copy`] have in common.
//!
//! ```text
//!   Parts ──> Source ──> Scan ──> Order ──> in the span? ──> Step { record, frame, which bytes of it }
//!               └ Index, where one can go there ┘ └ problem: over, with an error that stays
//! ```
//! What is in front of the span is not decoded, and where a source can be read anywhere, not read either; nor is what
//! is behind it. So only damage in what is asked for is in the way.

use super::head;
use super::index::{Goal, Index, Place};
use super::order::{Order, Told, What};
use super::parts::Parts;
use super::scan::{Depth, Found, Item, Scan};
use super::source::Source;
use super::span::Span;
use super::track::{Position, Track};
use super::{Bond, End, Error, Problem, ProblemKind};
use crate::format::{ChunkSeq, Family, FormatError, HEADER_BYTES, RECORD_BYTES, Record, SegmentHeader, StreamOffset};
use std::collections::VecDeque;
use std::ops::Range;

/// A chunk of which bytes are wanted.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) record: Record,
    pub(super) family: Family,
    /// Where its record stands.
    pub(super) at: u64,
    /// Where it begins in the stream.
    pub(super) start: Position,
    /// Which of its bytes are wanted.
    pub(super) cut: Range<usize>,
}

impl Step {
    /// Where it ends in the stream.
    fn end(&self) -> Position {
        let Position { offset, number } = self.start;
        // As everywhere, no numbers make it panic.
        Position { offset: offset.wrapping_add(u64::from(self.record.raw_len)), number: number.wrapping_add(1) }
    }

    /// What is wrong with it, when its frame does not decode.
    pub(super) fn problem(&self, error: FormatError) -> Problem {
        let record = &self.record;
        Problem::new(self.at, ProblemKind::Undecodable(error))
            .to(self.at + RECORD_BYTES as u64 + u64::from(record.frame_len))
            .of(record.seq..record.next_seq(), record.offset..record.end_offset())
    }
}

/// The way through.
#[derive(Debug)]
pub(super) struct Steps {
    parts: Parts,
    /// The file that we are in, or were in last.
    scan: Option<Scan>,
    bond: Bond,
    /// There is no more in it.
    is_read: bool,
    index: Option<Index>,
    /// Those that were begun: what is told, is told of one of them.
    names: Names,
    order: Order,
    track: Track,
    span: Span,
    /// The chunk that showed that the span was over: of a stream, it cannot be read again.
    beyond: Option<Step>,
    header: Option<SegmentHeader>,
    /// The first file is not that of the stream, and begins in front of what is wanted all the same.
    is_midway: bool,
    missed_bytes: u64,
    /// The first stream that ends before its end.
    incomplete: Option<Error>,
    failed: Option<Error>,
    is_over: bool,
}

/// The files that are still spoken of: this one, and those before it of which there may be more to tell.
#[derive(Debug, Default)]
struct Names {
    first: usize,
    names: VecDeque<String>,
}

impl Names {
    fn begun(&self) -> usize {
        self.first + self.names.len()
    }

    /// The next one, after which nothing is told of those before `oldest`.
    fn begin(&mut self, name: &str, oldest: usize) {
        while self.first < oldest && self.names.pop_front().is_some() {
            self.first += 1;
        }
        self.names.push_back(name.to_owned());
    }

    /// The last one is the only one.
    fn keep_last(&mut self) {
        self.names.drain(..self.names.len().saturating_sub(1));
        self.first = 0;
    }

    fn of(&self, file: usize) -> String {
        let name = file.checked_sub(self.first).and_then(|place| self.names.get(place));
        name.or(self.names.back()).cloned().unwrap_or_default()
    }
}

impl Steps {
    /// Through all of it.
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            parts,
            scan: None,
            bond: Bond::Free,
            is_read: true,
            index: None,
            names: Names::default(),
            order: Order::default(),
            track: Track::default(),
            span: Span::All,
            beyond: None,
            header: None,
            is_midway: false,
            missed_bytes: 0,
            incomplete: None,
            failed: None,
            is_over: false,
        }
    }

    /// Opens the first file, if none is open, and makes sure that it is an archive.
    ///
    /// # Errors
    /// [`Error::Foreign`], [`Error::Newer`], [`Error::Io`].
    pub(super) fn open(&mut self) -> Result<(), Error> {
        self.again()?;
        if self.names.begun() == 0 {
            self.next_file(false).map_err(|error| self.fail(error))?;
        }
        Ok(())
    }

    /// As [`Steps::open`], for who will look here and there: a regular file is mapped.
    pub(super) fn open_mapped(&mut self) -> Result<(), Error> {
        self.next_file(true).map(drop).map_err(|error| self.fail(error))
    }

    /// Only these, from the first of them on; before anything was read, or anywhere in the only file; of a stream, only
    /// what it has not come to. Returns where the first chunk of them begins, as far as that is known.
    pub(super) fn limit(&mut self, span: Span) -> Result<Position, Error> {
        self.again()?;
        self.limit_to(span).map_err(|error| self.fail(error))
    }

    fn limit_to(&mut self, span: Span) -> Result<Position, Error> {
        // Where the next thing is, of which a stream is not asked before it is wanted.
        let here = self.beyond.as_ref().map_or(self.track.position(), |chunk| chunk.start);
        (self.is_over, self.incomplete, self.missed_bytes) = (span.is_empty() || span.ends_before(here), None, 0);
        self.span = span;
        let Some(goal) = self.span.goal() else { return Ok(here) };
        if self.span.is_empty() {
            return Ok(here);
        }
        if self.names.begun() == 0 {
            let files = self.parts.len();
            self.parts.skip_to(|source| header_of(source).is_some_and(|header| begins_before(&header, goal)));
            self.is_midway = self.parts.len() < files;
            self.next_file(false)?;
        }
        self.is_midway |= self.header.is_some_and(|header| begins_before(&header, goal));
        let Some(mut open) = self.scan.take_if(|scan| !scan.source().is_stream()) else { return Ok(here) };
        let found = self.find(goal, &mut open);
        let found = found.map_err(Error::io("read", open.source().name(), open.at()));
        if let Ok((place, _)) = found {
            // Where the first part is not there, that is told at the start of what is.
            let is_first = self.bond == Bond::Series && !self.is_midway;
            let place = if is_first { Place::start() } else { place };
            self.go(place, &mut open);
        }
        self.scan = Some(open);
        found.map(|(_, start)| start)
    }

    fn find(&mut self, goal: Goal, scan: &mut Scan) -> std::io::Result<(Place, Position)> {
        let index = match &mut self.index {
            Some(index) => index,
            None => self.index.insert(Index::load(scan)?),
        };
        index.find(goal, scan)
    }

    /// Reads on at a place.
    fn go(&mut self, place: Place, scan: &mut Scan) {
        (self.order, self.beyond, self.is_over) = (Order::midway(self.is_midway), None, false);
        self.names.keep_last();
        self.order.begin(self.bond);
        (self.track, self.is_read) = (place.track, false);
        scan.go(place.at, place.segment.map(|(key, _)| key), Depth::Full);
        if let Some((key, header)) = place.segment {
            let (next, here) = (self.track.next(), self.track.position().offset);
            self.order.resume(key, header, ChunkSeq(next.number), StreamOffset(next.offset));
            // The index may have gone behind a gap.
            if let (Span::Bytes(range), Some(first)) = (&self.span, self.track.origin()) {
                self.miss(here.min(range.end).saturating_sub(range.start.max(first.offset)));
            }
        }
    }

    /// Where the only file, which is no stream, ends.
    pub(super) fn end(&mut self) -> Result<Option<Position>, Error> {
        self.again()?;
        let Some(mut open) = self.scan.take_if(|scan| !scan.source().is_stream()) else { return Ok(None) };
        let paused = open.pause();
        let end = match &mut self.index {
            Some(index) => index.end(&mut open),
            None => Index::load(&mut open).and_then(|index| self.index.insert(index).end(&mut open)),
        };
        let end = end.map_err(Error::io("read", open.source().name(), open.at()));
        open.unpause(paused);
        self.scan = Some(open);
        end.map(Some).map_err(|error| self.fail(error))
    }

    /// The next chunk; its frame is at hand until the one after it. `None`: there is no more of what is wanted.
    ///
    /// # Errors
    /// At the first damage, and from then on: [`Error::Damaged`]; [`Error::Io`]; and as [`Steps::open`] for each file. At
    /// the end, when all that is there was handed out: [`Error::Incomplete`].
    pub(super) fn next(&mut self) -> Result<Option<Step>, Error> {
        self.again()?;
        self.advance().map_err(|error| match error {
            // It may be gone back from the end.
            Error::Incomplete { .. } => error,
            _ => self.fail(error),
        })
    }

    fn advance(&mut self) -> Result<Option<Step>, Error> {
        while !self.is_over {
            if let Some(step) = self.beyond.take().and_then(|chunk| self.wanted(chunk)) {
                return Ok(Some(step));
            }
            let Some(scan) = self.scan.as_mut().filter(|_| !self.is_read) else {
                if !self.next_file(false)? {
                    self.finish()?;
                }
                continue;
            };
            let found = scan.next().map_err(Error::io("read", scan.source().name(), scan.at()))?;
            if let Some(source) = found.as_ref().and_then(head::newer) {
                return Err(Error::Newer { name: self.name(), source });
            }
            let told: Vec<_> = match &found {
                Some(found) => self.order.take(found).collect(),
                None => self.order.end(scan.at()).collect(),
            };
            self.is_read = found.is_none();
            self.hear(told)?;
            let Some(found) = found else { continue };
            let is_no_archive = found.at == 0 && self.bond == Bond::Free && matches!(found.item, Item::Lost(_));
            if is_no_archive || matches!(found.item, Item::Chunk(_)) && self.order.owes() {
                self.finish()?;
            }
            if let Some(step) = self.step(&found) {
                return Ok(Some(step));
            }
        }
        self.incomplete.as_ref().map_or(Ok(None), |error| Err(error.clone()))
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.is_over = true;
        let told: Vec<_> = self.order.finish().collect();
        self.hear(told)
    }

    /// What the order of things tells: damage ends it.
    fn hear(&mut self, told: Vec<Told>) -> Result<(), Error> {
        for Told { file, what } in told {
            let name = self.names.of(file);
            match what {
                What::Problem(problem) => return Err(Error::damaged(name, problem)),
                What::Gap(gap) => {
                    let (start, end) = (gap.offsets.start.0, gap.offsets.end.0);
                    let offset = start.wrapping_add(self.track.shift().offset);
                    let here = Position { offset, number: self.track.position().number };
                    self.miss(self.span.misses(here, end.saturating_sub(start), self.track.origin()));
                }
                What::Cut(_) => self.note_incomplete(name, End::Unsealed),
                What::End(end) if !end.is_complete() => self.note_incomplete(name, end),
                What::End(_) => {}
            }
        }
        Ok(())
    }

    /// Bytes of a gap: streams one behind the other may have gaps of more, taken together, than a number tells.
    fn miss(&mut self, bytes: u64) {
        self.missed_bytes = self.missed_bytes.saturating_add(bytes);
    }

    fn note_incomplete(&mut self, name: String, end: End) {
        let offset = StreamOffset(self.track.next().offset);
        self.incomplete.get_or_insert(Error::Incomplete { name, end, offset });
    }

    /// What was found, if it is wanted.
    fn step(&mut self, found: &Found) -> Option<Step> {
        if self.order.passed_over() || self.order.is_inside() {
            return None;
        }
        let record = match found.item {
            Item::Header(header) => {
                self.header.get_or_insert(header);
                self.track.header(&header);
                return None;
            }
            Item::Seal(seal, _) => {
                self.track.seal(&seal);
                return None;
            }
            // The order tells of what is not as it should be.
            Item::Broken(..) | Item::Lost(_) | Item::Skip { .. } => return None,
            Item::Chunk(record) => record,
        };
        let (at, start, family) = (found.at, self.track.chunk(&record), found.key?.family);
        self.wanted(Step { record, family, at, start, cut: 0..0 })
    }

    /// A chunk, if it is wanted. What is behind the last byte that is wanted is of no matter.
    fn wanted(&mut self, mut chunk: Step) -> Option<Step> {
        if self.span.ends_before(chunk.start) {
            (self.is_over, self.beyond) = (true, Some(chunk));
            return None;
        }
        if self.span.goal().is_some_and(|goal| goal.is_behind(chunk.start, chunk.end())) {
            return None;
        }
        self.is_over = self.span.ends_before(chunk.end());
        chunk.cut = self.cut(&chunk);
        Some(chunk)
    }

    /// Which bytes of a chunk are wanted.
    pub(super) fn cut(&self, chunk: &Step) -> Range<usize> {
        let (start, end) = (chunk.start, chunk.end());
        if self.span.ends_before(start) || self.span.goal().is_some_and(|goal| goal.is_behind(start, end)) {
            return 0..0;
        }
        let cut = self.span.cut(start.offset, u64::from(chunk.record.raw_len));
        // Both are at most what a chunk has.
        let [from, to] = [cut.start, cut.end].map(|at| usize::try_from(at).unwrap_or(usize::MAX));
        from..to
    }

    /// The frame of the chunk that came last.
    pub(super) fn frame(&mut self, step: &Step) -> Result<&[u8], Error> {
        let (name, at) = (self.name(), step.at);
        match &mut self.scan {
            Some(scan) => scan.frame(step.at, &step.record).map_err(Error::io("read", name, at)),
            None => Err(Error::io("read", name, at)(super::source::became_shorter())),
        }
    }

    /// Whether the next one may have to be waited for.
    pub(super) fn may_wait(&mut self) -> bool {
        let stream = self.scan.as_mut().filter(|scan| scan.source().is_stream());
        // What fails will do so again.
        stream.is_some_and(|scan| !scan.is_ready().unwrap_or(true))
    }

    /// Opens the next file. False: there is none.
    fn next_file(&mut self, mapped: bool) -> Result<bool, Error> {
        let Some((bond, source)) = self.parts.next() else { return Ok(false) };
        let source = if mapped { source?.mapped() } else { source? };
        self.names.begin(source.name(), self.order.oldest());
        self.order.begin(bond);
        (self.bond, self.index, self.is_read) = (bond, None, false);
        let scan = self.scan.insert(Scan::new(source, Depth::Full));
        let header = head::look(scan, bond)?;
        self.header = self.header.or(header);
        Ok(true)
    }

    /// Gives the file away in which nothing but the start was looked at, and those behind it.
    pub(super) fn into_parts(self) -> (Option<Scan>, Parts) {
        (self.scan, self.parts)
    }

    /// It is over, and why stays known.
    pub(super) fn fail(&mut self, error: Error) -> Error {
        self.failed.insert(error).clone()
    }

    /// Why it failed before, if it did.
    fn again(&self) -> Result<(), Error> {
        self.failed.as_ref().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// The name of the file that we are in.
    pub(super) fn name(&self) -> String {
        self.names.of(usize::MAX)
    }

    /// Whether there are further files.
    pub(super) fn has_several(&self) -> bool {
        !self.parts.is_empty() || self.names.begun() > 1
    }

    /// Of the first segment that was seen, and whose header is whole.
    pub(super) fn header(&self) -> Option<&SegmentHeader> {
        self.header.as_ref()
    }

    /// Bytes of the span that are not there on purpose, as far as it has come.
    pub(super) fn missed_bytes(&self) -> u64 {
        self.missed_bytes
    }

    /// Bytes of the span in front of where the stream begins.
    pub(super) fn before_bytes(&self) -> u64 {
        let (Span::Bytes(range), Some(origin)) = (&self.span, self.track.origin()) else { return 0 };
        origin.offset.min(range.end).saturating_sub(range.start)
    }

    /// Whether what is wanted can be gone to.
    pub(super) fn is_seekable(&self) -> bool {
        self.scan.as_ref().is_some_and(|scan| !scan.source().is_stream())
    }
}

/// The header that a file begins with, if that is whole.
fn header_of(source: &mut Source) -> Option<SegmentHeader> {
    let mut bytes = [0; HEADER_BYTES];
    let whole = source.read_at(&mut bytes, 0).is_ok_and(|len| len == HEADER_BYTES);
    whole.then(|| SegmentHeader::decode(&bytes).ok()).flatten()
}

/// Whether a segment begins before what is looked for, as far as its header tells.
fn begins_before(header: &SegmentHeader, goal: Goal) -> bool {
    match goal {
        Goal::Offset(offset) => header.first_offset.0 <= offset,
        Goal::Number(number) => header.first_seq.0 <= number,
    }
}
