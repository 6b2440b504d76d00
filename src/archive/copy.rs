//! All of an archive, or a part of it, to an output, by several threads.
//!
//! ```text
//!   Steps ──> frame ──> decode xN ──> in order ──> output
//! ```
//! In memory: for each chunk under way its frame and its data, and of those twice as many as there are threads.

use super::span::Span;
use super::steps::{Step, Steps};
use super::{Error, Parts, plain};
use crate::codec::Decoder;
use crate::format::FormatError;
use crate::segment::open_checked_chunk;
use crate::sync::ordered::{Ordered, THREADS_MAX};
use crate::sync::threads_default;
use std::io::{self, ErrorKind, Write};

/// What is written at once, if there is as much; longer chunks are written as they are.
const WRITE_BYTES: usize = 128 << 10;

/// How [`copy_out`] works.
///
/// ```
/// use spillpipe::archive::{CopyOptions, Span};
/// let mut options = CopyOptions::default();
/// options.span = Span::Bytes(1000..2000);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CopyOptions {
    /// What is wanted. Default: all of it.
    pub span: Span,
    /// Threads that decode, 64 at most: more count as 64. With 0 the caller's own does it. Default: the cores, at most 4;
    /// 0 where there is one.
    pub threads: usize,
    /// Bytes that may come out, in all calls with the same [`Copied`]: with more, it fails. Default: any number.
    pub bytes_max: Option<u64>,
    /// Whether plain zstd and LZ4 data is decoded, too, if all of it is wanted. Of several files, those that stand in
    /// front of the first archive are: behind one, plain data is [`Error::Foreign`]. An LZ4 frame with a dictionary is
    /// not decoded, nor LZ4 data of the format before frames.
    pub plain: bool,
}

impl Default for CopyOptions {
    fn default() -> Self {
        let threads = Some(threads_default()).filter(|&threads| threads > 1).unwrap_or(0);
        Self { span: Span::All, threads, bytes_max: None, plain: false }
    }
}

/// What [`copy_out`] has handed out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Copied {
    /// Bytes that the output took.
    pub bytes: u64,
    /// Chunks of which bytes are among them.
    pub chunks: u64,
    /// Chunks that were decoded.
    pub decoded_chunks: u64,
    /// Bytes of the stream that are not there, as they were dropped on purpose before they were written.
    pub missed_bytes: u64,
    /// Bytes that were asked for by [`Span::Bytes`] and lie in front of where the stream begins, as far as its files go.
    pub before_bytes: u64,
}

/// Why [`copy_out`] ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The archive: what came out before it is as it was written.
    #[error(transparent)]
    Archive(#[from] Error),
    /// The output took no more.
    #[error("cannot write: {0}")]
    Output(io::Error),
    /// More would come out than may.
    #[error("more than {bytes_max} bytes would come out of {name}")]
    TooMuch {
        /// The file, or the first of its stream.
        name: String,
        /// How many may.
        bytes_max: u64,
    },
    /// Threads could not be started, or broke.
    #[error("cannot decode: {0}")]
    Threads(io::Error),
}

/// Hands out the data of an archive, or a part of it, and adds to `copied`. It stops at the first damage; an archive
/// that has no end mark is handed out, and is an error then.
///
/// ```
/// use spillpipe::archive::{Copied, CopyOptions, Parts, Source, Span, Writer, WriterOptions, copy_out};
/// use spillpipe::format::EndState;
/// use std::io::Write;
///
/// let mut writer = Writer::new(Vec::new(), &WriterOptions::default())?;
/// writer.write_all(b"some data")?;
/// let (archive, _) = writer.finish(EndState::End)?;
///
/// let (mut data, mut copied, mut options) = (Vec::new(), Copied::default(), CopyOptions::default());
/// options.span = Span::Bytes(5..u64::MAX);
/// copy_out(Parts::from(Source::bytes("archive", archive)), &mut data, &options, &mut copied)?;
/// assert_eq!((data.as_slice(), copied.bytes), (&b"data"[..], 4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`CopyError`]. What was handed out before is as it was written.
pub fn copy_out(
    parts: Parts,
    output: &mut dyn Write,
    options: &CopyOptions,
    copied: &mut Copied,
) -> Result<(), CopyError> {
    let mut out = Out { output, waiting: Vec::new(), name: parts.name().to_owned(), options, copied };
    let decode_plain = options.plain && options.span == Span::All;
    let steps = if decode_plain { behind_plain(parts, &mut out)? } else { Some(Steps::new(parts)) };
    let Some(mut steps) = steps else { return Ok(()) };
    steps.limit(options.span.clone())?;
    let result = if options.threads == 0 { here(&mut steps, &mut out) } else { in_threads(&mut steps, &mut out) };
    let Copied { missed_bytes, before_bytes, .. } = &mut *out.copied;
    *missed_bytes = missed_bytes.saturating_add(steps.missed_bytes());
    *before_bytes = before_bytes.saturating_add(steps.before_bytes());
    // What came before the end of it goes out, whatever that was.
    match (result, out.flush()) {
        (Err(error), _) => Err(error),
        (Ok(ended), flushed) => flushed.and(ended.map_err(CopyError::Archive)),
    }
}

/// Decodes the files in front of the first archive. `None`: there is none.
fn behind_plain(parts: Parts, out: &mut Out<'_>) -> Result<Option<Steps>, CopyError> {
    let mut steps = Steps::new(parts);
    loop {
        match steps.open() {
            Ok(()) => return Ok(Some(steps)),
            Err(Error::Foreign { name, what }) if what.is_plain() => {
                let (scan, rest) = steps.into_parts();
                if let Some(scan) = scan {
                    plain::copy(scan, name, what, out)?;
                }
                if rest.is_empty() {
                    return Ok(None);
                }
                steps = Steps::new(rest);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// One after the other. The inner result is the archive's.
fn here(steps: &mut Steps, out: &mut Out<'_>) -> Result<Result<(), Error>, CopyError> {
    let (mut decoder, mut raw) = (Decoder::default(), Vec::new());
    loop {
        if steps.may_wait() {
            out.flush()?;
        }
        let step = match steps.next() {
            Ok(Some(step)) => step,
            Ok(None) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error)),
        };
        let frame = match steps.frame(&step) {
            Ok(frame) => frame,
            Err(error) => return Ok(Err(error)),
        };
        raw.resize(step.record.raw_len as usize, 0);
        out.copied.decoded_chunks += 1;
        if let Err(error) = open_checked_chunk(&step.record, step.family, frame, &mut raw, &mut decoder) {
            return Ok(Err(Error::damaged(steps.name(), step.problem(error))));
        }
        out.put_chunk(&raw[step.cut])?;
    }
}

/// A chunk on its way to a thread, and back.
struct Job {
    name: Option<String>,
    step: Step,
    frame: Vec<u8>,
    raw: Vec<u8>,
    result: Result<(), FormatError>,
}

/// Several at once.
fn in_threads(steps: &mut Steps, out: &mut Out<'_>) -> Result<Result<(), Error>, CopyError> {
    let threads = out.options.threads.min(THREADS_MAX);
    let worker = || {
        let mut decoder = Decoder::default();
        move |mut job: Job| {
            job.raw.resize(job.step.record.raw_len as usize, 0);
            let Job { step, frame, raw, .. } = &mut job;
            job.result = open_checked_chunk(&step.record, step.family, frame, raw, &mut decoder);
            job
        }
    };
    let mut pool = Ordered::new("decoder", threads, 2 * threads, worker).map_err(CopyError::Threads)?;
    let (mut spares, mut ended) = (Vec::new(), None);
    loop {
        while pool.has_room() && ended.is_none() {
            if steps.may_wait() {
                // Who waits for more must have what there is.
                if pool.under_way() > 0 {
                    break;
                }
                out.flush()?;
            }
            match take(steps, &mut spares) {
                Ok(Some(job)) => pool.submit(job),
                Ok(None) => ended = Some(Ok(())),
                Err(error) => ended = Some(Err(error)),
            }
        }
        let Some(job) = pool.take(true).map_err(CopyError::Threads)? else {
            match ended {
                Some(ended) => return Ok(ended),
                None => continue,
            }
        };
        out.copied.decoded_chunks += 1;
        if let Err(error) = job.result {
            let name = job.name.unwrap_or_else(|| steps.name());
            return Ok(Err(Error::damaged(name, job.step.problem(error))));
        }
        out.put_chunk(&job.raw[job.step.cut])?;
        spares.push((job.frame, job.raw));
    }
}

/// The next chunk for a thread.
fn take(steps: &mut Steps, spares: &mut Vec<(Vec<u8>, Vec<u8>)>) -> Result<Option<Job>, Error> {
    let Some(step) = steps.next()? else { return Ok(None) };
    let (mut frame, raw) = spares.pop().unwrap_or_default();
    frame.clear();
    frame.extend_from_slice(steps.frame(&step)?);
    let name = steps.has_several().then(|| steps.name());
    Ok(Some(Job { name, step, frame, raw, result: Ok(()) }))
}

/// The output, in large writes.
pub(super) struct Out<'a> {
    output: &'a mut dyn Write,
    waiting: Vec<u8>,
    name: String,
    options: &'a CopyOptions,
    copied: &'a mut Copied,
}

impl Out<'_> {
    fn put_chunk(&mut self, bytes: &[u8]) -> Result<(), CopyError> {
        self.copied.chunks += u64::from(!bytes.is_empty());
        self.put(bytes)
    }

    /// Takes these, and writes them soon.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<(), CopyError> {
        let so_far = self.copied.bytes + self.waiting.len() as u64;
        let room = self.options.bytes_max.map_or(u64::MAX, |max| max.saturating_sub(so_far));
        let fits = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        if self.waiting.len() + fits > WRITE_BYTES {
            self.flush()?;
        }
        if fits >= WRITE_BYTES {
            self.write(&bytes[..fits])?;
        } else {
            self.waiting.extend_from_slice(&bytes[..fits]);
        }
        match self.options.bytes_max {
            Some(bytes_max) if fits < bytes.len() => {
                self.flush()?;
                Err(CopyError::TooMuch { name: self.name.clone(), bytes_max })
            }
            _ => Ok(()),
        }
    }

    /// Writes what waits.
    pub(super) fn flush(&mut self) -> Result<(), CopyError> {
        let waiting = std::mem::take(&mut self.waiting);
        let result = self.write(&waiting);
        self.waiting = waiting;
        self.waiting.clear();
        result
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), CopyError> {
        while !bytes.is_empty() {
            match self.output.write(bytes) {
                Ok(0) => return Err(CopyError::Output(ErrorKind::WriteZero.into())),
                Ok(len) => {
                    self.copied.bytes += len as u64;
                    bytes = &bytes[len..];
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(CopyError::Output(error)),
            }
        }
        Ok(())
    }
}
