//! Bytes to an archive: chunks, compressed by several threads, in order, into one sealed segment.
//!
//! ```text
//!   write ──> filling chunk ──> encode xN ──> in order: record, frame ──> inner writer
//!                                    finish ──> seal, seek table ──┘
//! ```
//! Append only: what was written is never gone back to, so a pipe will do. Nothing but [`Writer::finish`] writes a seal:
//! whatever else becomes of a writer, readers see that the archive is incomplete.
//!
//! Memory: two buffers of a chunk each for twice the threads and one, what the codec takes, and 8 bytes a chunk for the
//! seek table. When a segment is full, a further one goes on with the stream.

use super::segments::{Identity, Segments, Start, Written};
use crate::codec::{Codec, Encoder, ZstdLevel};
use crate::format::frame::frame_bytes_max;
use crate::format::{
    CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, CHUNKS_PER_SEGMENT_MAX, ChunkSeq, EndState, Family, RECORD_BYTES, StreamOffset,
    crc32,
};
use crate::segment::ChunkInfo;
use crate::sync::ordered::{Ordered, THREADS_MAX};
use crate::sync::threads_default;
use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::num::NonZeroU32;

/// How a [`Writer`] works.
///
/// ```
/// use spillpipe::archive::WriterOptions;
/// use spillpipe::codec::Codec;
/// let mut options = WriterOptions::default();
/// options.codec = Codec::Lz4;
/// options.chunk_bytes = 1 << 20;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WriterOptions {
    /// Raw bytes a chunk, 4 KiB to 4 MiB. Larger ones compress better; to get at one byte, one chunk is read. Default
    /// 256 KiB.
    pub chunk_bytes: usize,
    /// How chunks are compressed; one that does not get smaller is stored as it is. Default zstd:3.
    pub codec: Codec,
    /// Threads that compress, 64 at most: more count as 64. With 0 the caller's own does it. Default: the cores, at most 4.
    pub threads: usize,
    /// Chunks after which the stream goes on in a further segment: the seek table takes 8 bytes of memory a chunk until
    /// its segment is sealed. Default, and at most: [`CHUNKS_PER_SEGMENT_MAX`].
    pub segment_chunks_max: NonZeroU32,
    /// What makes two archives of the same bytes differ. `None`, the default: random, and now.
    pub identity: Option<Identity>,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            chunk_bytes: 256 << 10,
            codec: Codec::Zstd(ZstdLevel::DEFAULT),
            threads: threads_default(),
            segment_chunks_max: NonZeroU32::new(CHUNKS_PER_SEGMENT_MAX).unwrap_or(NonZeroU32::MIN),
            identity: None,
        }
    }
}

/// Writes an archive.
///
/// ```
/// use spillpipe::archive::{Writer, WriterOptions};
/// use spillpipe::format::EndState;
/// use std::io::Write;
///
/// let mut writer = Writer::new(Vec::new(), &WriterOptions::default())?;
/// writer.write_all(b"some data")?;
/// let (archive, written) = writer.finish(EndState::End)?;
/// assert_eq!((written.raw_bytes, written.stored_bytes, written.chunks), (9, archive.len() as u64, 1));
///
/// let mut data = Vec::new();
/// spillpipe::segment::read_all(&archive, |_record, raw| data.extend_from_slice(raw))?;
/// assert_eq!(data, b"some data");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A write that fails ends it: what is there by then can be read back, and is incomplete. Dropped without
/// [`finish`](Self::finish), it writes nothing more.
pub struct Writer<W> {
    out: Segments<W>,
    pool: Ordered<Job, Encoded>,
    /// As long as a chunk; the first `filled` bytes are taken, and up to `whole` they are whole records.
    filling: Vec<u8>,
    filled: usize,
    whole: usize,
    spares: Vec<(Vec<u8>, Vec<u8>)>,
    raw_bytes: u64,
}

#[derive(Debug)]
struct Job {
    raw: Vec<u8>,
    raw_len: usize,
    record_end: bool,
    /// Room for the record and the frame.
    stored: Vec<u8>,
}

#[derive(Debug)]
struct Encoded {
    info: ChunkInfo,
    raw: Vec<u8>,
    /// Room for the record, and then the frame.
    stored: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// An archive in `inner`, which begins here, and with the first bytes of it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] when an option is out of its bounds; what the system or `inner` said.
    pub fn new(inner: W, options: &WriterOptions) -> io::Result<Self> {
        let bounds = CHUNK_BYTES_MIN..=CHUNK_BYTES_MAX;
        let chunk_bytes = u32::try_from(options.chunk_bytes).ok().filter(|bytes| bounds.contains(bytes));
        let chunk_bytes = chunk_bytes.ok_or_else(|| {
            let text = format!("a chunk has {CHUNK_BYTES_MIN} to {CHUNK_BYTES_MAX} bytes, not {}", options.chunk_bytes);
            io::Error::new(ErrorKind::InvalidInput, text)
        })?;
        let (codec, family) = (options.codec, options.codec.family().unwrap_or(Family::Zstd));
        let worker = || {
            let mut encoder = Encoder::new(true);
            move |job| encode(&mut encoder, codec, family, job)
        };
        // While one is written, each thread has one in hand and one that waits for it.
        let threads = options.threads.min(THREADS_MAX);
        let pool = Ordered::new("encoder", threads, 2 * threads + 1, worker)?;
        let start =
            Start { family, chunk_bytes_max: chunk_bytes, first_seq: ChunkSeq(0), first_offset: StreamOffset(0) };
        let mut out = Segments::begin(inner, &start, options.identity)?;
        out.chunks_max = options.segment_chunks_max.get().min(CHUNKS_PER_SEGMENT_MAX);
        let filling = vec![0; chunk_bytes as usize];
        Ok(Self { out, pool, filling, filled: 0, whole: 0, spares: Vec::new(), raw_bytes: 0 })
    }

    /// Where the next bytes belong, at least one, for who reads them right there; [`advance`](Self::advance) then takes
    /// them in. It is [`write`](Write::write) without a copy.
    ///
    /// ```
    /// # use spillpipe::{archive::{Writer, WriterOptions}, format::EndState};
    /// # use std::io::Read;
    /// # let mut input: &[u8] = b"some data";
    /// let mut writer = Writer::new(Vec::new(), &WriterOptions::default())?;
    /// loop {
    ///     match input.read(writer.room()?)? {
    ///         0 => break,
    ///         len => writer.advance(len),
    ///     }
    /// }
    /// assert_eq!(writer.finish(EndState::End)?.1.raw_bytes, 9);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`write`](Write::write).
    pub fn room(&mut self) -> io::Result<&mut [u8]> {
        self.out.check()?;
        if self.filled == self.filling.len() {
            self.settle()?;
        }
        Ok(&mut self.filling[self.filled..])
    }

    /// Writes what is compressed by now, without waiting for the rest; true: there is a rest, which will soon be. For who
    /// has to wait for more data, and would not let a reader wait with it: otherwise a chunk that is done is written when
    /// a further one is full. What does not fill a chunk yet stays.
    ///
    /// ```
    /// # use spillpipe::archive::{Writer, WriterOptions};
    /// # use std::io::Write;
    /// let mut options = WriterOptions::default();
    /// options.chunk_bytes = 4096;
    /// let mut writer = Writer::new(Vec::new(), &options)?;
    /// writer.write_all(&[7; 10_000])?;
    /// while writer.settle()? {
    ///     std::thread::yield_now();
    /// }
    /// assert_eq!(writer.written().chunks, 2);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`write`](Write::write).
    pub fn settle(&mut self) -> io::Result<bool> {
        self.out.check()?;
        if self.filled == self.filling.len() {
            self.cut()?;
        }
        self.collect(false)?;
        Ok(self.pool.under_way() > 0)
    }

    /// Takes in the first `len` bytes of the [`room`](Self::room).
    ///
    /// # Panics
    /// When it had less.
    pub fn advance(&mut self, len: usize) {
        assert!(len <= self.filling.len() - self.filled, "there is no room for {len} bytes");
        self.filled += len;
        self.raw_bytes += len as u64;
    }

    /// What was written so far ends a record of the user's: a chunk ends there, rather than amid a record, as long as a
    /// record fits into one.
    pub fn end_record(&mut self) {
        self.whole = self.filled;
    }

    /// What was written so far. Of data that was taken in, not all need be stored yet.
    #[must_use]
    pub fn written(&self) -> Written {
        Written { raw_bytes: self.raw_bytes, ..self.out.written() }
    }

    /// What it writes to.
    #[must_use]
    pub fn get_ref(&self) -> &W {
        self.out.get_ref()
    }

    /// Writes what is left, the seal with `end`, and the seek table.
    ///
    /// # Errors
    /// As for [`write`](Write::write).
    pub fn finish(mut self, end: EndState) -> io::Result<(W, Written)> {
        self.drain()?;
        self.out.finish(end)
    }

    /// Submits all there is, and writes all that was submitted.
    fn drain(&mut self) -> io::Result<()> {
        self.out.check()?;
        while self.filled > 0 {
            self.cut()?;
        }
        self.collect(true)
    }

    /// Submits a chunk: the whole records, or all there is if that is but a part of one.
    fn cut(&mut self) -> io::Result<()> {
        while !self.pool.has_room() {
            self.collect_one(true)?;
        }
        let len = if self.whole > 0 { self.whole } else { self.filled };
        let (mut raw, stored) = self.spares.pop().unwrap_or_default();
        raw.resize(self.filling.len(), 0);
        let rest = self.filled - len;
        raw[..rest].copy_from_slice(&self.filling[len..self.filled]);
        std::mem::swap(&mut raw, &mut self.filling);
        self.pool.submit(Job { raw, raw_len: len, record_end: self.whole > 0, stored });
        (self.filled, self.whole) = (rest, 0);
        Ok(())
    }

    fn collect(&mut self, wait: bool) -> io::Result<()> {
        while self.collect_one(wait)? {}
        Ok(())
    }

    /// Writes the oldest chunk that was submitted, if there is one, and it is done.
    fn collect_one(&mut self, wait: bool) -> io::Result<bool> {
        let taken = self.pool.take(wait).inspect_err(|_| self.out.give_up())?;
        let Some(Encoded { info, raw, mut stored }) = taken else { return Ok(false) };
        self.out.chunk(&info, &mut stored[..RECORD_BYTES + info.frame_len as usize])?;
        self.spares.push((raw, stored));
        Ok(true)
    }
}

impl<W: Write> Write for Writer<W> {
    /// Takes in what fits into the chunk at hand.
    ///
    /// # Errors
    /// What the inner writer said. Each later call fails, too.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return self.out.check().map(|()| 0);
        }
        let room = self.room()?;
        let len = room.len().min(bytes.len());
        room[..len].copy_from_slice(&bytes[..len]);
        self.advance(len);
        Ok(len)
    }

    /// Writes all there is, as a chunk that may be short: each costs some 100 bytes of its own, and compresses worse.
    fn flush(&mut self) -> io::Result<()> {
        self.drain()?;
        self.out.flush()
    }
}

impl<W> fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("pool", &self.pool).field("out", &self.out).finish_non_exhaustive()
    }
}

fn encode(encoder: &mut Encoder, codec: Codec, family: Family, job: Job) -> Encoded {
    let Job { raw, raw_len, record_end, mut stored } = job;
    let data = &raw[..raw_len];
    let raw_len = u32::try_from(raw_len).expect("chunks are bounded");
    let room = RECORD_BYTES + frame_bytes_max(family, raw_len) as usize;
    if stored.len() < room {
        stored.resize(room, 0);
    }
    let frame = &mut stored[RECORD_BYTES..];
    let became = encoder.encode(codec, family, data, frame);
    let info = ChunkInfo {
        raw_len,
        frame_len: u32::try_from(became.frame_len).expect("frames are bounded"),
        raw_crc: crc32(data),
        frame_crc: crc32(&frame[..became.frame_len]),
        codec: became.codec,
        record_end,
        offset: None,
    };
    Encoded { info, raw, stored }
}
