//! Through one segment, from structure to structure, and past what is damaged.
//!
//! ```text
//! | header | record | frame | record | fr#me | ##cord | frame | record | frame | seal | table |
//!            Chunk            Chunk, bad       Damage ........> Chunk            Seal
//! ```
//! What cannot be made sense of is damage when something whole comes after it in the segment, and otherwise nothing at
//! all: a write under way, or a torn one. Which of the two only the caller can tell, who knows whether there is a
//! writer. So nothing is decided here that a later look could not correct: [`Found::Nothing`] changes nothing.

use super::error::Error;
use super::window::{Ahead, Window};
use crate::codec::Decoder;
use crate::format::{
    CHUNK_BYTES_MAX, FOOTER_BYTES, FormatError, HEADER_BYTES, Position, RECORD_BYTES, Record, Salt, Seal, SeekTable,
    SegmentHeader, SegmentKey, StoreId,
};
use crate::segment::{Next, SegmentWalker, open_chunk};
use crate::store::{Read, SegmentName, Store};
use memchr::memmem;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Every record and seal starts with these bytes.
const STRUCTURE_MAGIC: [u8; 8] = [0x58, 0x2A, 0x4D, 0x18, 56, 0, 0, 0];
/// Where in a record the store's id and the segment's salt are.
const STORE_AT: usize = 0x0C;
const SALT_AT: usize = 0x14;
/// Bytes that are searched at a time.
const SEARCH_BYTES: usize = 128 << 10;

/// What stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A chunk's record. All of its frame is there, whole or not: see [`Scan::open`].
    Chunk(Record),
    /// The seal.
    Seal(Seal),
    /// Bytes that are no structure, up to the next one.
    Damage { at: u64, len: u64 },
    /// Nothing whole from here on.
    Nothing,
}

#[derive(Debug)]
pub(super) struct Scan {
    name: SegmentName,
    file: Arc<dyn Read>,
    header: SegmentHeader,
    walker: SegmentWalker,
    window: Window,
    /// Where nothing whole was found before, and up to where: it is not searched again.
    barren: (u64, u64),
}

/// A segment that was opened.
#[derive(Debug)]
pub(super) enum Opened {
    /// At its first structure.
    Scan(Box<Scan>),
    /// It has no header, and nothing that would tell one.
    Nothing,
    /// It is not there any more.
    Gone,
}

impl Scan {
    /// Opens a segment. Its header is made up from the rest, where it is damaged: the first thing found is then the
    /// damage.
    ///
    /// # Errors
    /// [`Error::Segment`] when it belongs to another store or needs a newer program; [`Error::Io`].
    pub(super) fn open(store: &dyn Store, dir: &Path, id: StoreId, name: SegmentName) -> Result<Opened, Error> {
        let file = match store.open(name) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Opened::Gone),
            Err(error) => return Err(Error::segment_io("open", dir, name)(error)),
        };
        let refused = |source| Error::Segment { file: dir.join(name.to_string()), source };
        let mut window = Window::default();
        let failed = || Error::segment_io("read", dir, name);
        let first = window.get(&*file, 0, HEADER_BYTES, Ahead::Some).map_err(failed())?;
        let header = match first.first_chunk::<HEADER_BYTES>().map(SegmentHeader::decode) {
            Some(Ok(header)) if header.store != id => return Err(refused(FormatError::Foreign { what: "segment" })),
            Some(Err(error @ (FormatError::Major { .. } | FormatError::Incompatible { .. }))) => {
                return Err(refused(error));
            }
            Some(Ok(header)) if (header.number, header.family) == (name.number, name.family) => Some(header),
            // A header that belongs to another name is as good as none.
            _ => None,
        };
        let (header, walker) = match header {
            Some(header) => (header, SegmentWalker::new(&header)),
            None => match made_up_header(&*file, &mut window, id, name).map_err(failed())? {
                Some(header) => (header, SegmentWalker::resume(&header, 0, header.first_seq, header.first_offset)),
                None => return Ok(Opened::Nothing),
            },
        };
        Ok(Opened::Scan(Box::new(Self { name, file, header, walker, window, barren: (0, 0) })))
    }

    pub(super) fn name(&self) -> SegmentName {
        self.name
    }

    pub(super) fn header(&self) -> &SegmentHeader {
        &self.header
    }

    /// The place of its first byte.
    pub(super) fn start(&self) -> Position {
        let header = &self.header;
        Position { segment: header.number, seq: header.first_seq, offset: header.first_offset }
    }

    /// Where the next structure is looked for.
    pub(super) fn at(&self) -> u64 {
        self.walker.at()
    }

    /// Bytes of the segment now.
    pub(super) fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    /// The next structure, and past it.
    pub(super) fn next(&mut self, ahead: Ahead) -> io::Result<Found> {
        loop {
            let at = self.walker.at();
            let mut ahead_of = self.walker.clone();
            match self.structure(&mut ahead_of, ahead)? {
                Some(Next::Chunk(record)) => {
                    self.walker = ahead_of;
                    return Ok(Found::Chunk(record));
                }
                Some(Next::Seal(seal)) => {
                    self.walker = ahead_of;
                    return Ok(Found::Seal(seal));
                }
                Some(Next::Skip { .. }) => self.walker = ahead_of,
                None => {
                    let Some(found) = self.search(at)? else { return Ok(Found::Nothing) };
                    // It may have been written between the two looks, and what was found just behind it.
                    self.forget();
                    if self.structure(&mut self.walker.clone(), ahead)?.is_none() {
                        self.walker.skip_damage(found);
                        return Ok(Found::Damage { at, len: found - at });
                    }
                }
            }
        }
    }

    /// Reads anew what comes next: it may have been written meanwhile.
    pub(super) fn forget(&mut self) {
        self.window = Window::default();
    }

    /// What would come next, without going there.
    pub(super) fn peek(&mut self) -> io::Result<Found> {
        let before = self.walker.clone();
        let found = self.next(Ahead::Some);
        self.walker = before;
        found
    }

    /// Goes back to the record that [`Self::next`] gave last.
    pub(super) fn back_to(&mut self, record: &Record) {
        let at = self.walker.at() - RECORD_BYTES as u64 - u64::from(record.frame_len);
        self.walker = SegmentWalker::resume(&self.header, at, record.seq, record.offset);
    }

    /// Decodes the chunk that [`Self::next`] gave last into `raw`. False: it is not what was written.
    pub(super) fn open_chunk(&mut self, record: &Record, raw: &mut Vec<u8>, decoder: &mut Decoder) -> io::Result<bool> {
        let frame_len = record.frame_len as usize;
        let frame_at = self.frame_at(record);
        // The record behind it comes along in the same read.
        self.window.get(&*self.file, frame_at, frame_len + RECORD_BYTES, Ahead::Some)?;
        let frame = self.window.held(frame_at, frame_len);
        if frame.len() < frame_len {
            return Ok(false);
        }
        raw.resize(record.raw_len as usize, 0);
        Ok(open_chunk(record, self.header.family, frame, raw, decoder).is_ok())
    }

    /// Where the frame of the record is that [`Self::next`] gave last.
    pub(super) fn frame_at(&self, record: &Record) -> u64 {
        self.walker.at() - u64::from(record.frame_len)
    }

    /// Bytes of the segment, for keeping them elsewhere.
    pub(super) fn bytes(&self, at: u64, len: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(len).map_err(|_| io::ErrorKind::InvalidInput)?];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }

    /// The seal, found from the end of the segment. `None`: it has none, or none that can be relied on.
    pub(super) fn seal_from_end(&self) -> io::Result<Option<Seal>> {
        let len = self.file.len()?;
        let mut footer = [0; FOOTER_BYTES];
        let Some(footer_at) = len.checked_sub(FOOTER_BYTES as u64) else { return Ok(None) };
        self.file.read_exact_at(&mut footer, footer_at)?;
        let table = SeekTable::len_from_footer(&footer).ok();
        let seal_at = table.and_then(|table| len.checked_sub((table + RECORD_BYTES) as u64));
        let Some(seal_at) = seal_at.filter(|&at| at >= HEADER_BYTES as u64) else { return Ok(None) };
        let mut bytes = [0; RECORD_BYTES];
        self.file.read_exact_at(&mut bytes, seal_at)?;
        Ok(Seal::decode(&bytes, self.walker.key()).ok())
    }

    /// Steps `walker` over what stands there, if that is whole.
    fn structure(&mut self, walker: &mut SegmentWalker, ahead: Ahead) -> io::Result<Option<Next>> {
        let at = walker.at();
        let have = self.window.get(&*self.file, at, RECORD_BYTES, ahead)?;
        // A skippable frame of others may be shorter than a record: what lies past the end reads as zeros.
        let mut bytes = [0; RECORD_BYTES];
        bytes[..have.len()].copy_from_slice(have);
        let Ok(next) = walker.step(&bytes) else { return Ok(None) };
        // Of a seal's table nobody reads a byte here.
        let whole = matches!(next, Next::Seal(_)) || walker.at() <= self.file.len()?;
        Ok(whole.then_some(next))
    }

    /// The next whole structure after `from`, which is none.
    fn search(&mut self, from: u64) -> io::Result<Option<u64>> {
        let mut at = match self.barren {
            (start, end) if start == from => end,
            _ => from + 1,
        };
        let finder = memmem::Finder::new(&STRUCTURE_MAGIC);
        // What looks like the start of one may become one, where more is written.
        let mut first = None;
        loop {
            let have = self.window.get(&*self.file, at, SEARCH_BYTES, Ahead::Some)?;
            if have.len() < STRUCTURE_MAGIC.len() {
                self.barren = (from, first.unwrap_or(at));
                return Ok(None);
            }
            let Some(found) = finder.find(have) else {
                at += (have.len() - (STRUCTURE_MAGIC.len() - 1)) as u64;
                continue;
            };
            at += found as u64;
            let mut walker = self.walker.clone();
            walker.skip_damage(at);
            match self.structure(&mut walker, Ahead::Some)? {
                Some(Next::Chunk(_) | Next::Seal(_)) => return Ok(Some(at)),
                Some(Next::Skip { .. }) | None => {
                    first.get_or_insert(at);
                    at += 1;
                }
            }
        }
    }
}

/// The header that a segment must have had, going by its name and its first whole record.
fn made_up_header(
    file: &dyn Read,
    window: &mut Window,
    id: StoreId,
    name: SegmentName,
) -> io::Result<Option<SegmentHeader>> {
    let finder = memmem::Finder::new(&STRUCTURE_MAGIC);
    let mut at = 0;
    loop {
        let have = window.get(file, at, SEARCH_BYTES, Ahead::Some)?;
        if have.len() < RECORD_BYTES {
            return Ok(None);
        }
        let Some(found) = finder.find(have) else {
            at += (have.len() - (STRUCTURE_MAGIC.len() - 1)) as u64;
            continue;
        };
        at += found as u64;
        let Some(bytes) = window.get(file, at, RECORD_BYTES, Ahead::Some)?.first_chunk::<RECORD_BYTES>() else {
            return Ok(None);
        };
        if bytes[STORE_AT..SALT_AT] == id.prefix() {
            let salt = u32::from_le_bytes(std::array::from_fn(|i| bytes[SALT_AT + i]));
            let key = SegmentKey::new(&id, Salt(salt), name.family, CHUNK_BYTES_MAX);
            let first = Record::decode(bytes, &key).map(|record| (record.seq, record.offset));
            // The seal of a segment without chunks.
            let only = || Seal::decode(bytes, &key).map(|seal| (seal.next_seq, seal.end_offset));
            if let Ok((first_seq, first_offset)) = first.or_else(|_| only()) {
                return Ok(Some(SegmentHeader {
                    store: id,
                    number: name.number,
                    first_seq,
                    first_offset,
                    chunk_bytes_max: CHUNK_BYTES_MAX,
                    salt: key.salt,
                    created_ns: 0,
                    family: name.family,
                }));
            }
        }
        at += 1;
    }
}
