//! What stands where in any bytes: the one walk that all readers of archives are made of.
//!
//! ```text
//! | header | record | frame | record | fr#######ord | frame | record | frame | seal | table |
//!   Header   Chunk            Broken            .Lost.         Chunk           Seal
//! ```
//!
//! It goes from structure to structure, jumps over frames that are intact, and searches only where it has lost its
//! place: the inside of an intact frame is never looked at, since a chunk may hold a copy of an archive. It judges
//! no order: what must follow what is in [`super::order`], what belongs to what in [`super::salvage`].
//!
//! Its time is linear in the bytes, whatever they are: what it spends on frames that turn out not to be intact is
//! bounded (`FRUITLESS_FACTOR`). Its memory is one frame, and a little.
//!
//! Where the header of a segment is lost, its records are known by their [`StoreMark`](crate::format::StoreMark), or
//! taken for what they are when the frame behind them has the checksum that they say.

mod search;

use super::Source;
use super::known::{Known, Structure, Whose, follows};
use super::source::became_shorter;
use super::window::{Progress, Window};
use crate::format::frame::frame_bytes_max;
use crate::format::marks::OUR_FRAME;
use crate::format::{
    CHUNK_BYTES_MAX, Family, FormatError, HEADER_BYTES, RECORD_BYTES, Record, Seal, SegmentHeader, SegmentKey,
};
use crate::segment::{check_crc, others_skippable};
use std::io;

/// How much is summed up at once.
const SUM_BYTES: usize = 64 << 10;
/// The longest frame there is, and of a stream the longest that can be gone back to.
const FRAME_BYTES_MAX: u32 = frame_bytes_max(Family::Zstd, CHUNK_BYTES_MAX);
/// Bytes of frames that turned out not to be intact, a byte of input, and for the first: more are not looked at.
const FRUITLESS_FACTOR: u64 = 8;
const FRUITLESS_FREE: u64 = 64 << 20;

/// What stands somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// The header of a segment.
    Header(SegmentHeader),
    /// A chunk. The checksum of its frame fits, but in a walk over structures only.
    Chunk(Record),
    /// The record of a chunk whose frame is not what was written, or not all there.
    Broken(Record, FormatError),
    /// A frame of others.
    Skip { frame_len: u32 },
    /// A seal, and how its table is. Nothing is said of what is in the table.
    Seal(Seal, Result<(), FormatError>),
    /// No structure, and why. It reaches to where the next item is, or to the end.
    Lost(FormatError),
}

/// An item, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Bytes from the start of the source.
    pub(super) at: u64,
    pub(super) item: Item,
    /// The segment that it is of: that of the last header, or one whose header is lost.
    pub(super) key: Option<SegmentKey>,
}

/// How closely to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// At all bytes.
    Full,
    /// At structures, not at frames.
    Structure,
}

/// The walk.
#[derive(Debug)]
pub(super) struct Scan {
    window: Window,
    state: State,
}

/// A frame that was passed over.
#[derive(Clone, Copy, Debug)]
struct Unseen {
    at: u64,
    len: u32,
    crc: u32,
}

/// Where a walk is, and what it knows there.
#[derive(Debug)]
pub(super) struct State {
    depth: Depth,
    at: u64,
    known: Known,
    /// The segment that we are in.
    key: Option<SegmentKey>,
    /// Where to search for the next structure, once it has been told that the place is lost.
    search_from: Option<u64>,
    /// The frame in front of `at`, if nobody has looked at it: it is searched, if nothing stands at `at` and it is none.
    unseen: Option<Unseen>,
    /// What may be spent in vain is for one pass.
    fruitless_bytes: u64,
}

impl State {
    fn new(at: u64, depth: Depth) -> Self {
        Self { depth, at, known: Known::default(), key: None, search_from: None, unseen: None, fruitless_bytes: 0 }
    }
}

impl Scan {
    pub(super) fn new(source: Source, depth: Depth) -> Self {
        Self { window: Window::new(source, depth == Depth::Structure), state: State::new(0, depth) }
    }

    /// Tells this of what is read.
    pub(super) fn tell(&mut self, progress: &Progress) {
        self.window.tell(progress);
    }

    /// The bytes at `at`, at most so many: of a stream, only where nothing behind them was asked for.
    pub(super) fn peek(&mut self, at: u64, len: usize) -> io::Result<&[u8]> {
        self.window.get(at, len)
    }

    /// What is at hand from `at` on: `least` bytes, or more, but at the end. What is in front of it is not asked for again.
    pub(super) fn ahead(&mut self, at: u64, least: usize) -> io::Result<&[u8]> {
        self.window.hold(at);
        self.window.some(at, least)
    }

    /// Where it is, to go back there after a look elsewhere: [`Self::go`], and then [`Self::unpause`].
    pub(super) fn pause(&mut self) -> State {
        let elsewhere = State::new(self.state.at, self.state.depth);
        std::mem::replace(&mut self.state, elsewhere)
    }

    /// Goes back there.
    pub(super) fn unpause(&mut self, paused: State) {
        self.window.read_ahead(paused.depth == Depth::Structure);
        self.state = paused;
    }

    /// Goes on at `at`, in the segment with this key, of a source that can be read anywhere.
    pub(super) fn go(&mut self, at: u64, key: Option<SegmentKey>, depth: Depth) {
        self.unpause(State { key, ..State::new(at, depth) });
        if let Some(key) = key {
            self.state.known.header(key);
        }
    }

    /// How far it has come: at the end, the length of the source.
    pub(super) fn at(&self) -> u64 {
        self.state.at
    }

    pub(super) fn source(&self) -> &Source {
        self.window.source()
    }

    pub(super) fn into_source(self) -> Source {
        self.window.into_source()
    }

    /// The frame of the chunk that was found last.
    pub(super) fn frame(&mut self, at: u64, record: &Record) -> io::Result<&[u8]> {
        let frame = self.window.get(at + RECORD_BYTES as u64, record.frame_len as usize)?;
        if frame.len() < record.frame_len as usize {
            return Err(became_shorter());
        }
        Ok(frame)
    }

    /// Whether it goes on with a chunk that can be had without waiting for anybody; also false when that is not clear.
    pub(super) fn is_ready(&mut self) -> io::Result<bool> {
        let (at, Some(key)) = (self.state.at, self.state.key) else { return Ok(false) };
        if self.state.search_from.is_some() || self.state.unseen.is_some() {
            return Ok(false);
        }
        self.window.hold(at);
        if !self.window.has_now(at, RECORD_BYTES)? {
            return Ok(false);
        }
        let bytes = self.window.get(at, RECORD_BYTES)?;
        let Some(Ok(record)) = bytes.first_chunk().map(|bytes| Record::decode(bytes, &key)) else { return Ok(false) };
        self.window.has_now(at + RECORD_BYTES as u64, record.frame_len as usize)
    }

    /// The next item; `None` at the end.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn next(&mut self) -> io::Result<Option<Found>> {
        if let Some(from) = self.state.search_from.take() {
            return self.search(from);
        }
        let at = self.state.at;
        self.window.hold(self.state.unseen.map_or(at, |frame| frame.at));
        if self.window.get(at, 1)?.is_empty() {
            return Ok(None);
        }
        let unseen = self.state.unseen.take();
        match self.look(at, true)? {
            Ok(found) => Ok(Some(found)),
            Err(error) => {
                // What an intact frame holds is data, whatever it looks like.
                let from = match unseen {
                    Some(frame) if self.sum(frame.at, frame.len)? != (u64::from(frame.len), frame.crc) => frame.at,
                    _ => at,
                };
                self.state.fruitless_bytes = self.state.fruitless_bytes.saturating_add(at - from);
                self.state.search_from = Some(if from < at { from } else { at + 1 });
                Ok(Some(self.found(from, Item::Lost(error))))
            }
        }
    }

    /// What stands at `at`, and goes behind it. Frames of others are known only by their place.
    fn look(&mut self, at: u64, in_place: bool) -> io::Result<Result<Found, FormatError>> {
        // A stream may not have more than a record for a long time, if the chunk is that short.
        let have = self.window.get(at, RECORD_BYTES)?;
        let begins = Family::ALL.iter().any(|family| have.starts_with(&family.frame_magic()));
        let have = if begins { self.window.get(at, HEADER_BYTES)? } else { have };
        if let Some(bytes) = have.first_chunk::<HEADER_BYTES>().filter(|_| begins) {
            return Ok(SegmentHeader::decode(bytes).map(|header| {
                self.state.known.header(header.key());
                self.state.key = Some(header.key());
                self.state.at = at + HEADER_BYTES as u64;
                self.found(at, Item::Header(header))
            }));
        }
        // A frame of others may be shorter than a record: what lies past the end reads as zeros.
        let mut bytes = [0; RECORD_BYTES];
        let len = have.len().min(RECORD_BYTES);
        bytes[..len].copy_from_slice(&have[..len]);
        if in_place {
            match others_skippable(&bytes) {
                Ok(None) => {}
                Ok(Some(frame_len)) => {
                    if !self.window.reaches(at, frame_len as usize)? {
                        return Ok(Err(self.short("frame of others", at, frame_len)));
                    }
                    self.state.at = at + u64::from(frame_len);
                    return Ok(Ok(self.found(at, Item::Skip { frame_len })));
                }
                Err(error) => return Ok(Err(error)),
            }
        }
        if self.state.known.is_empty() && !bytes.starts_with(&OUR_FRAME) {
            // The start says it, however little of it there is.
            let have = self.window.get(at, HEADER_BYTES)?;
            return Ok(Err(no_header(have)));
        }
        if len < RECORD_BYTES {
            let (what, have, need) = ("record or seal", len as u64, RECORD_BYTES as u64);
            return Ok(Err(FormatError::Short { what, have, need }));
        }
        self.record_or_seal(at, &bytes)
    }

    fn record_or_seal(&mut self, at: u64, bytes: &[u8; RECORD_BYTES]) -> io::Result<Result<Found, FormatError>> {
        let body_at = at + RECORD_BYTES as u64;
        let (structure, whose) = match self.state.known.read(bytes, self.window.get(body_at, 4)?) {
            Ok(read) => read,
            Err(error) => return Ok(Err(error)),
        };
        let key = match whose {
            Whose::Known(key) => key,
            Whose::Stranger(key) if self.proven(body_at, &structure)? => key,
            Whose::Stranger(_) => return Ok(Err(FormatError::Foreign { what: "record" })),
        };
        let (len, _) = structure.body();
        if !self.may_look_at(body_at, len) {
            let (value, limit) = (self.state.fruitless_bytes, self.fruitless_bytes_max(at));
            return Ok(Err(FormatError::TooLong { field: "frames that are none", value, limit }));
        }
        let item = match structure {
            Structure::Chunk(record) => self.chunk(at, record, &key)?,
            Structure::Seal(seal) => self.seal(at, seal)?,
        };
        self.state.known.structure(key);
        // A seal does not show the family.
        if self.state.key.is_none_or(|current| (current.store, current.salt) != (key.store, key.salt))
            || matches!(structure, Structure::Chunk(_))
        {
            self.state.key = Some(key);
        }
        Ok(Ok(self.found(at, item)))
    }

    /// Whether what follows a record has the checksum that it says.
    fn proven(&mut self, body_at: u64, structure: &Structure) -> io::Result<bool> {
        let (len, crc) = structure.body();
        // It is to be read again.
        let kept = len <= FRAME_BYTES_MAX || !self.source().is_stream();
        if !kept || !self.may_look_at(body_at, len) || !self.window.reaches(body_at, len as usize)? {
            return Ok(false);
        }
        let fits = self.sum(body_at, len)? == (u64::from(len), crc);
        if !fits {
            self.state.fruitless_bytes = self.state.fruitless_bytes.saturating_add(u64::from(len));
        }
        Ok(fits)
    }

    /// Whether what was spent in vain allows for a look at so many bytes.
    fn may_look_at(&self, at: u64, len: u32) -> bool {
        let past_the_end = self.window.end().is_some_and(|end| at.saturating_add(u64::from(len)) > end);
        past_the_end || self.state.fruitless_bytes.saturating_add(u64::from(len)) <= self.fruitless_bytes_max(at)
    }

    fn fruitless_bytes_max(&self, at: u64) -> u64 {
        FRUITLESS_FREE.saturating_add(self.source().len().unwrap_or(at).saturating_mul(FRUITLESS_FACTOR))
    }

    /// How many of those bytes are there, and the CRC-32 of them. Of a stream, those that are longer than a frame can be
    /// are gone then.
    fn sum(&mut self, at: u64, len: u32) -> io::Result<(u64, u32)> {
        let (mut crc, end) = (crc32fast::Hasher::new(), at + u64::from(len));
        let mut here = at;
        while here < end {
            if len > FRAME_BYTES_MAX {
                self.window.hold(here);
            }
            let piece = usize::try_from(end - here).unwrap_or(usize::MAX).min(SUM_BYTES);
            let have = self.window.get(here, piece)?;
            if have.is_empty() {
                break;
            }
            crc.update(have);
            here += have.len() as u64;
        }
        Ok((here - at, crc.finalize()))
    }

    fn chunk(&mut self, at: u64, record: Record, key: &SegmentKey) -> io::Result<Item> {
        let (frame_at, frame_len) = (at + RECORD_BYTES as u64, record.frame_len as usize);
        let end = frame_at + frame_len as u64;
        let error = if !self.window.reaches(frame_at, frame_len)? {
            Some(self.short("data frame", frame_at, record.frame_len))
        } else if self.state.depth == Depth::Structure {
            None
        } else {
            // Of a file, what follows comes along: it is looked at next. A stream may not have it for a long time.
            let along = if self.source().is_stream() { 0 } else { HEADER_BYTES };
            let have = self.window.get(frame_at, frame_len + along)?;
            let checked = check_crc("frame", record.frame_crc, &have[..frame_len.min(have.len())]);
            if checked.is_err() {
                self.state.fruitless_bytes = self.state.fruitless_bytes.saturating_add(frame_len as u64);
            }
            checked.err()
        };
        let Some(error) = error else {
            self.state.at = end;
            let unseen = Unseen { at: frame_at, len: record.frame_len, crc: record.frame_crc };
            self.state.unseen = (self.state.depth == Depth::Structure).then_some(unseen);
            return Ok(Item::Chunk(record));
        };
        if self.stands_behind(end, &record, key)? {
            self.state.at = end;
        } else {
            // Bytes may be missing in it, or too many: what comes next is nearer or further.
            self.state.search_from = Some(frame_at);
        }
        Ok(Item::Broken(record, error))
    }

    /// Whether at `at` stands what must follow on this chunk: its successor. Another segment, or the end, may be there
    /// because bytes are missing that were as many as the rest.
    fn stands_behind(&mut self, at: u64, record: &Record, key: &SegmentKey) -> io::Result<bool> {
        let have = self.window.get(at, RECORD_BYTES)?;
        Ok(have.first_chunk().is_some_and(|bytes| follows(bytes, key, record.next_seq())))
    }

    fn seal(&mut self, at: u64, seal: Seal) -> io::Result<Item> {
        let (table_at, len) = (at + RECORD_BYTES as u64, seal.table_len);
        // A table that is cut short need not be summed up, but in a stream it has to be passed.
        let cut = self.window.end().is_some_and(|end| table_at + u64::from(len) > end);
        let (have, computed) = if cut { (0, 0) } else { self.sum(table_at, len)? };
        self.state.at = table_at + u64::from(len);
        let table = if cut || have < u64::from(len) {
            Err(self.short("seek table", table_at, len))
        } else if computed == seal.table_crc {
            Ok(())
        } else {
            self.state.fruitless_bytes = self.state.fruitless_bytes.saturating_add(u64::from(len));
            Err(FormatError::Checksum { what: "seek table", stored: seal.table_crc, computed })
        };
        if table.is_err() && (len <= FRAME_BYTES_MAX || !self.source().is_stream()) {
            self.state.search_from = Some(table_at);
        }
        self.state.at = self.window.end().map_or(self.state.at, |end| end.min(self.state.at));
        Ok(Item::Seal(seal, table))
    }

    /// That less than `need` bytes follow at `at`.
    fn short(&self, what: &'static str, at: u64, need: u32) -> FormatError {
        let have = self.window.end().map_or(0, |end| end.saturating_sub(at));
        FormatError::Short { what, have, need: u64::from(need) }
    }

    fn found(&self, at: u64, item: Item) -> Found {
        Found { at, item, key: self.state.key }
    }
}

/// Why no segment begins with these bytes.
fn no_header(have: &[u8]) -> FormatError {
    let what = "segment header";
    let start = &have[..have.len().min(4)];
    if have.len() < HEADER_BYTES && Family::ALL.iter().any(|family| family.frame_magic().starts_with(start)) {
        return FormatError::Short { what, have: have.len() as u64, need: HEADER_BYTES as u64 };
    }
    let mut bytes = [0; HEADER_BYTES];
    let len = have.len().min(HEADER_BYTES);
    bytes[..len].copy_from_slice(&have[..len]);
    SegmentHeader::decode(&bytes).err().unwrap_or(FormatError::Foreign { what })
}

#[cfg(test)]
mod tests;
