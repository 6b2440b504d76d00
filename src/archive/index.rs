//! Where in a file a chunk stands: by the seek table, or, where there is no good one or several segments, by a walk over
//! the records, of which marks are kept. Derived, bounded in memory, never trusted: who goes to a place reads on from
//! there, with all checks.

use super::scan::{Depth, Found, Item, Scan};
use super::table::{Reach, Table};
use super::track::{Position, Track};
use crate::format::{FormatError, HEADER_BYTES, Record, SegmentHeader, SegmentKey};
use std::io;

/// Most marks that are kept of a walk.
const MARKS_MAX: usize = 1024;

const _: () = assert!(size_of::<Place>() * MARKS_MAX <= 256 << 10, "what an index may take");

/// What is looked for, as [`Position`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// The first chunk that ends behind this offset.
    Offset(u64),
    /// The first chunk of this or a higher number.
    Number(u64),
}

impl Goal {
    /// Whether a chunk between these positions ends before it.
    pub(super) fn is_behind(self, start: Position, end: Position) -> bool {
        match self {
            Self::Offset(offset) => end.offset <= offset,
            Self::Number(number) => start.number < number,
        }
    }
}

/// Where to read on: at a record or seal, or at the start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) at: u64,
    /// The segment that we are in; none at the start.
    pub(super) segment: Option<(SegmentKey, Option<SegmentHeader>)>,
    pub(super) track: Track,
}

impl Place {
    /// The start of a source, as far as nothing stands in front of it.
    pub(super) fn start() -> Self {
        Self { at: 0, segment: None, track: Track::default() }
    }
}

/// The way to the chunks of one source, that can be read anywhere.
#[derive(Debug)]
pub(super) enum Index {
    Table(Table),
    Walk(Walk),
}

impl Index {
    /// Looks for a seek table.
    pub(super) fn load(scan: &mut Scan) -> io::Result<Self> {
        Ok(Table::load(scan)?.map_or_else(|| Self::Walk(Walk::default()), Self::Table))
    }

    /// A place from which on the goal comes, as near as can be, and where the goal itself begins, or else the end. The
    /// scan is anywhere then.
    pub(super) fn find(&mut self, goal: Goal, scan: &mut Scan) -> io::Result<(Place, Position)> {
        if let Self::Table(table) = self {
            if let Some(place) = table.find(goal, scan)? {
                return Ok((place, place.track.position()));
            }
            *self = Self::Walk(Walk::default());
        }
        match self {
            Self::Walk(walk) => walk.find(goal, scan),
            Self::Table(_) => Ok((Place::start(), Position::default())),
        }
    }

    /// Where the last stream ends.
    pub(super) fn end(&mut self, scan: &mut Scan) -> io::Result<Position> {
        match self {
            Self::Table(table) => Ok(Position { offset: table.seal.end_offset.0, number: table.seal.next_seq.0 }),
            Self::Walk(walk) => walk.end(scan),
        }
    }
}

impl Table {
    fn find(&self, goal: Goal, scan: &mut Scan) -> io::Result<Option<Place>> {
        let (header, seal) = (&self.header, &self.seal);
        let reach = match goal {
            Goal::Offset(offset) if offset >= seal.end_offset.0 => Some(Reach::End),
            Goal::Offset(offset) => self.chunk_at(offset, scan)?,
            Goal::Number(number) if number >= seal.next_seq.0 => Some(Reach::End),
            Goal::Number(number) => {
                // It lies in the segment, or before it.
                let index = number.saturating_sub(header.first_seq.0);
                let index = u32::try_from(index).unwrap_or(u32::MAX);
                self.chunk(index, scan)?.map(|(at, record)| Reach::Chunk(at, record))
            }
        };
        let mut track = Track::default();
        track.header(header);
        let at = match reach {
            None => return Ok(None),
            Some(Reach::End) => {
                track.seal(seal);
                self.seal_at
            }
            Some(Reach::Chunk(at, record)) => {
                // What was dropped in front of it is of no matter to who asks for what is there.
                track.go_to(&record);
                at
            }
        };
        Ok(Some(Place { at, segment: Some((self.key, Some(*header))), track }))
    }
}

/// A walk over the records, as far as it was needed.
#[derive(Debug)]
pub(super) struct Walk {
    /// By rising place.
    marks: Vec<Place>,
    /// Every so many chunks, a mark.
    stride: u64,
}

impl Default for Walk {
    fn default() -> Self {
        Self { marks: Vec::new(), stride: 1 }
    }
}

impl Walk {
    fn find(&mut self, goal: Goal, scan: &mut Scan) -> io::Result<(Place, Position)> {
        let before = |mark: &Place| {
            let position = mark.track.position();
            goal.is_behind(position, position)
        };
        // Where positions go back, which damage may make them seem to, the first such place counts.
        let known = self.marks.iter().position(|mark| !before(mark)).unwrap_or(self.marks.len());
        let from = known.checked_sub(1).map(|known| self.marks[known]);
        self.walk(from, scan, |start, end| !goal.is_behind(start, end))
    }

    fn end(&mut self, scan: &mut Scan) -> io::Result<Position> {
        let last = self.marks.last().copied();
        Ok(self.walk(last, scan, |_, _| false)?.1)
    }

    /// From a mark on until `reached` says so of a chunk, by its ends; then that one, or the one before it, if what is
    /// between the two is not at hand. At the end, the last chunk. And where what was reached begins, or else where all ends.
    fn walk(
        &mut self,
        from: Option<Place>,
        scan: &mut Scan,
        mut reached: impl FnMut(Position, Position) -> bool,
    ) -> io::Result<(Place, Position)> {
        let mut last = from.unwrap_or_else(Place::start);
        scan.go(last.at, last.segment.map(|(key, _)| key), Depth::Structure);
        let mut way = Way::from(&last);
        let (mut since, mut ahead) = (0_u64, self.marks.last().map_or(0, |mark| mark.at));
        if self.marks.is_empty() {
            ahead = HEADER_BYTES as u64 - 1;
        }
        while let Some(found) = scan.next()? {
            let Some(record) = way.take(&found) else { continue };
            let (expected, before) = (way.track.next(), way.track);
            let start = way.track.chunk(&record);
            let follows = expected == Position { offset: record.offset.0, number: record.seq.0 };
            let header = way.header.filter(|header| Some(header.key()) == found.key);
            let place = found.key.map(|key| Place { at: found.at, segment: Some((key, header)), track: before });
            // Only where all is well in between, it can be begun at.
            let place = place.filter(|_| follows && header.is_some());
            if reached(start, way.track.position()) {
                return Ok((place.unwrap_or(last), start));
            }
            let Some(place) = place else { continue };
            last = place;
            if found.at > ahead {
                since += 1;
                if since >= self.stride || self.marks.is_empty() {
                    since = 0;
                    self.mark(place);
                }
            }
        }
        Ok((last, way.track.position()))
    }

    fn mark(&mut self, place: Place) {
        self.marks.push(place);
        if self.marks.len() >= MARKS_MAX {
            let mut keep = false;
            self.marks.retain(|_| (keep = !keep, keep).1);
            self.stride *= 2;
        }
    }
}

/// The way along the records of the stream that we are in: not into what may lie in a damaged chunk of it.
#[derive(Debug)]
struct Way {
    track: Track,
    header: Option<SegmentHeader>,
    /// Something is lost, and nothing of the segment was found behind it yet.
    is_lost: bool,
}

impl Way {
    fn from(place: &Place) -> Self {
        Self { track: place.track, header: place.segment.and_then(|(_, header)| header), is_lost: false }
    }

    /// Goes on to what was found. Returns the record of a chunk of the stream that was not there before.
    fn take(&mut self, found: &Found) -> Option<Record> {
        let store = found.key.map(|key| key.store);
        let is_ours = self.header.is_none_or(|header| store == Some(header.key().store));
        match found.item {
            Item::Header(next) => {
                let is_other = |header: SegmentHeader| header.key().store != next.key().store;
                if self.is_lost && self.header.is_some_and(is_other) {
                    return None;
                }
                self.track.header(&next);
                (self.header, self.is_lost) = (Some(next), false);
                None
            }
            Item::Lost(_) | Item::Broken(_, FormatError::Short { .. }) => {
                self.is_lost = true;
                None
            }
            Item::Seal(seal, _) if is_ours => {
                self.track.seal(&seal);
                None
            }
            Item::Chunk(record) | Item::Broken(record, _) if is_ours => {
                self.is_lost = false;
                (!self.track.had(&record)).then_some(record)
            }
            Item::Chunk(_) | Item::Broken(..) | Item::Seal(..) | Item::Skip { .. } => None,
        }
    }
}
