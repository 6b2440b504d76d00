//! Reading an archive as a file: from front to back, or here and there.

use super::span::Span;
use super::steps::{Step, Steps};
use super::{Error, Parts, Source};
use crate::codec::Decoder;
use crate::format::SegmentHeader;
use crate::segment::open_checked_chunk;
use std::io::{self, BufRead, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

/// Reads the data of an archive.
///
/// ```
/// use spillpipe::archive::{Reader, Source, Writer, WriterOptions};
/// use spillpipe::format::EndState;
/// use std::io::{Read, Seek, SeekFrom, Write};
///
/// let mut writer = Writer::new(Vec::new(), &WriterOptions::default())?;
/// writer.write_all(b"some data")?;
/// let (archive, _) = writer.finish(EndState::End)?;
///
/// let mut reader = Reader::new(Source::bytes("archive", archive))?;
/// let mut data = String::new();
/// reader.read_to_string(&mut data)?;
/// assert_eq!(data, "some data");
///
/// reader.range(5..7)?;
/// data.clear();
/// reader.read_to_string(&mut data)?;
/// assert_eq!((data.as_str(), reader.len()?), ("da", Some(9)));
///
/// reader.seek(SeekFrom::End(-4))?;
/// data.clear();
/// reader.read_to_string(&mut data)?;
/// assert_eq!(data, "data");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// No byte comes out before the checksum of its frame, the length that it decodes to and the checksum of the data were
/// found to be right. The first damage is an error, and so is each read after it. So is the end of an archive that has no
/// end mark, after all data: an error of the kind [`ErrorKind::UnexpectedEof`]. By way of [`Read`] it is an [`io::Error`]
/// with an [`Error`] in it.
///
/// Positions are stream offsets: for what was packed, positions in the data. Where data was dropped on purpose before
/// it was written, nothing comes out, and the position goes on behind it: [`Reader::missed_bytes`] tells how much.
///
/// A regular file is mapped: if somebody cuts it short while it is read, that is an error, or, at just the wrong
/// moment, the end of the process by SIGBUS. [`copy_out`](super::copy_out) reads without that.
#[derive(Debug)]
pub struct Reader {
    steps: Steps,
    decoder: Decoder,
    /// The chunk that was decoded last, if one was, and what of it is still to be handed out.
    chunk: Option<Step>,
    raw: Vec<u8>,
    left: Range<usize>,
    /// Where the next byte is.
    position: u64,
    /// Whether all is wanted that follows.
    to_the_end: bool,
    decoded_chunks: u64,
}

impl Reader {
    /// The file of this path.
    ///
    /// # Errors
    /// [`Error::Foreign`] when it is something else, [`Error::Newer`] when it takes a later version to read it;
    /// [`Error::Io`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::new(Source::open(path).map_err(Error::io("open", path.display().to_string(), None))?)
    }

    /// From a source. A regular file is read from where it stands.
    ///
    /// # Errors
    /// As for [`Reader::open`].
    pub fn new(source: Source) -> Result<Self, Error> {
        let mut steps = Steps::new(Parts::from(source));
        steps.open_mapped()?;
        let position = steps.header().map_or(0, |header| header.first_offset.0);
        Ok(Self {
            steps,
            decoder: Decoder::default(),
            chunk: None,
            raw: Vec::new(),
            left: 0..0,
            position,
            to_the_end: true,
            decoded_chunks: 0,
        })
    }

    /// What the first segment says of itself; `None` when that is damaged.
    #[must_use]
    pub fn header(&self) -> Option<&SegmentHeader> {
        self.steps.header()
    }

    /// The position of the end; `None` of a stream, whose end nobody knows. Where there is no good seek table, it takes a
    /// look at each record.
    ///
    /// # Errors
    /// [`Error::Io`], and what an earlier read has met.
    pub fn len(&mut self) -> Result<Option<u64>, Error> {
        Ok(self.steps.end()?.map(|end| end.offset))
    }

    /// What is read from now on are these bytes and no others. Those chunks are decoded that have some of them, and where
    /// the source is no stream, little else is read. Of a stream, only what was not read yet can be had.
    ///
    /// # Errors
    /// [`Error::Io`], and what an earlier read has met.
    pub fn range(&mut self, range: Range<u64>) -> Result<(), Error> {
        let (start, to_the_end) = (range.start, range.end == u64::MAX);
        self.limit(Span::Bytes(range), to_the_end)?;
        if self.left.is_empty() {
            self.position = start;
        }
        Ok(())
    }

    /// The same for chunks, by their sequence numbers: of what was packed, the first is 0.
    ///
    /// # Errors
    /// As for [`Reader::range`].
    pub fn chunks(&mut self, range: Range<u64>) -> Result<(), Error> {
        let to_the_end = range.end == u64::MAX;
        let position = self.limit(Span::Chunks(range), to_the_end)?;
        if self.left.is_empty() {
            self.position = position;
        }
        Ok(())
    }

    /// Returns where the first chunk of it begins, as far as that is known.
    fn limit(&mut self, span: Span, to_the_end: bool) -> Result<u64, Error> {
        let unread = self.left.start;
        self.left = unread..unread;
        let start = self.steps.limit(span)?;
        self.to_the_end = to_the_end;
        match &self.chunk {
            // A stream does not have it again.
            Some(chunk) if !self.steps.is_seekable() => {
                let cut = self.steps.cut(chunk);
                let from = unread.max(cut.start);
                // Later than this the rest of it may still be asked for.
                self.left = if from < cut.end { from..cut.end } else { unread..unread };
                if !self.left.is_empty() {
                    self.position = chunk.start.offset.wrapping_add(from as u64);
                }
            }
            _ => (self.chunk, self.left) = (None, 0..0),
        }
        Ok(start.offset)
    }

    /// Bytes that were passed over as they were dropped on purpose before they were written, since the last
    /// [`Reader::range`] or seek.
    #[must_use]
    pub fn missed_bytes(&self) -> u64 {
        self.steps.missed_bytes()
    }

    /// Chunks that were decoded so far.
    #[must_use]
    pub fn decoded_chunks(&self) -> u64 {
        self.decoded_chunks
    }

    /// The position of the byte that comes next, but for a gap in front of it. After [`Reader::chunks`], a stream knows it
    /// when a byte of them was read.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Goes there. Within the chunk at hand nothing is decoded again, unless a range has cut off what follows.
    fn go_to(&mut self, position: u64) -> Result<(), Error> {
        if let Some(chunk) = self.chunk.as_ref().filter(|_| self.to_the_end) {
            let inside = position.checked_sub(chunk.start.offset).and_then(|inside| usize::try_from(inside).ok());
            if let Some(inside) = inside.filter(|inside| *inside < self.raw.len()) {
                (self.left, self.position) = (inside..self.raw.len(), position);
                return Ok(());
            }
        }
        self.range(position..u64::MAX)
    }

    /// Decodes the next chunk of which bytes are wanted. False: there is none.
    fn fill(&mut self) -> Result<bool, Error> {
        while self.left.is_empty() {
            let Some(step) = self.steps.next()? else { return Ok(false) };
            self.raw.resize(step.record.raw_len as usize, 0);
            let (frame, raw) = (self.steps.frame(&step)?, &mut self.raw[..]);
            self.chunk = None;
            self.decoded_chunks += 1;
            if let Err(error) = open_checked_chunk(&step.record, step.family, frame, raw, &mut self.decoder) {
                let (name, problem) = (self.steps.name(), step.problem(error));
                return Err(self.steps.fail(Error::damaged(name, problem)));
            }
            self.position = step.start.offset.wrapping_add(step.cut.start as u64);
            self.left = step.cut.clone();
            self.chunk = Some(step);
        }
        Ok(true)
    }
}

impl BufRead for Reader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let _ = self.fill()?;
        Ok(&self.raw[self.left.clone()])
    }

    fn consume(&mut self, len: usize) {
        let len = self.left.len().min(len);
        self.left.start += len;
        self.position = self.position.wrapping_add(len as u64);
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let have = self.fill_buf()?;
        let len = have.len().min(buffer.len());
        buffer[..len].copy_from_slice(&have[..len]);
        self.consume(len);
        Ok(len)
    }
}

/// To positions, as [`Reader`] says. What [`Reader::range`] has left out comes back.
impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        if let SeekFrom::Current(0) = to {
            return Ok(self.position());
        }
        if !self.steps.is_seekable() {
            return Err(io::Error::new(ErrorKind::Unsupported, "a stream is read from front to back"));
        }
        let (base, by) = match to {
            SeekFrom::Start(position) => (position, 0),
            SeekFrom::Current(by) => (self.position(), by),
            SeekFrom::End(by) => (self.len()?.unwrap_or(0), by),
        };
        let position = base.checked_add_signed(by);
        let position = position.ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "a place before the start"))?;
        self.go_to(position)?;
        Ok(position)
    }
}
