//! Verification: every byte of every file, or only what holds it together, and what is wrong with it.
//!
//! ```text
//!   Scan: header, records, frames' checksums ──┬─> Order: numbers, offsets, seal, table, ends ──┐
//!                                              └─> decode xN: length, checksums of the data ────┴─> FileReport
//! ```
//! A file's report comes when the next file has begun, or none does: until then nobody knows whether its stream goes on.

use super::head;
use super::inputs::{Bond, Input};
use super::order::{Order, Told, What};
use super::report::{End, Gap, Problem, ProblemKind};
use super::scan::{Depth, Found, Item, Scan};
use super::{Error, Source, Summary};
use crate::codec::Decoder;
use crate::format::{CodecId, Family, FormatError, RECORD_BYTES, Record, frame};
use crate::segment::check_crc;
use crate::sync::ordered::{Ordered, THREADS_MAX};
use std::collections::VecDeque;
use std::io;

/// Problems of one file that are told one by one, and gaps. More are counted.
pub const PROBLEMS_MAX: usize = 1000;
/// Chunks under way for each thread that decodes.
const SLOTS_PER_THREAD: usize = 3;

/// How to verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyOptions {
    /// Threads that decode. One: all is done in the caller's thread.
    pub threads: usize,
    /// Only what the chunks are found by is looked at: headers, records, seals, seek tables. Chunks are not read.
    pub quick: bool,
    /// Whether [`Observer::data`] is wanted.
    pub data: bool,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self { threads: 1, quick: false, data: false }
    }
}

/// Is told how it goes.
pub trait Observer {
    /// So many more bytes of the files have been looked at, or passed over.
    fn progress(&mut self, bytes: u64) {
        let _ = bytes;
    }

    /// The data of the next chunk, which is sound.
    fn data(&mut self, bytes: &[u8]) {
        let _ = bytes;
    }

    /// What is known of a file; in order.
    fn report(&mut self, report: FileReport);
}

/// What is known of one file.
#[derive(Debug)]
pub struct FileReport {
    /// Its name.
    pub name: String,
    /// What is in it. With problems: as far as it was found.
    pub summary: Summary,
    /// What is wrong, by place: the first [`PROBLEMS_MAX`].
    pub problems: Vec<Problem>,
    /// Problems beyond those.
    pub more_problems: u64,
    /// Gaps that were made on purpose: the first [`PROBLEMS_MAX`] of those that the summary counts.
    pub gaps: Vec<Gap>,
    /// How streams end in it, the worst of them. `None`: its stream goes on in the next file.
    pub end: Option<End>,
    /// The file ends in the middle of this.
    pub cut: Option<Problem>,
    /// Why it could not be looked at, or not to its end.
    pub error: Option<Error>,
    decoded: Vec<Problem>,
}

/// What a report comes to; the worst is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// All of it is as it was written.
    Sound,
    /// What is there is sound, and the end is missing.
    Incomplete,
    /// It could not be read.
    Unreadable,
    /// It is damaged, or no archive at all.
    Damaged,
}

impl FileReport {
    fn new(name: String) -> Self {
        Self {
            name,
            summary: Summary::default(),
            problems: Vec::new(),
            more_problems: 0,
            gaps: Vec::new(),
            end: None,
            cut: None,
            error: None,
            decoded: Vec::new(),
        }
    }

    /// Of something that could not be looked at.
    #[must_use]
    pub fn of_error(name: String, error: Error) -> Self {
        Self { error: Some(error), ..Self::new(name) }
    }

    /// What it comes to.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match &self.error {
            Some(Error::Foreign { .. }) => Verdict::Damaged,
            _ if !self.problems.is_empty() || !self.decoded.is_empty() => Verdict::Damaged,
            Some(_) => Verdict::Unreadable,
            None if self.cut.is_some() || self.end.is_some_and(|end| !end.is_complete()) => Verdict::Incomplete,
            None => Verdict::Sound,
        }
    }

    fn tell(&mut self, what: What) {
        match what {
            What::Problem(problem) => keep(&mut self.problems, problem, &mut self.more_problems),
            What::Gap(gap) => {
                self.summary.gap(&gap);
                keep(&mut self.gaps, gap, &mut 0);
            }
            What::End(end) => self.end = self.end.max(Some(end)),
            What::Cut(problem) => self.cut = Some(problem),
        }
    }

    /// Puts what was found by different hands in order.
    fn settled(mut self) -> Self {
        self.problems.append(&mut self.decoded);
        self.problems.sort_by_key(|problem| problem.at);
        self.more_problems += self.problems.len().saturating_sub(PROBLEMS_MAX) as u64;
        self.problems.truncate(PROBLEMS_MAX);
        self
    }
}

fn keep<T>(list: &mut Vec<T>, item: T, more: &mut u64) {
    if list.len() < PROBLEMS_MAX {
        list.push(item);
    } else {
        *more += 1;
    }
}

/// Verifies one file after another.
///
/// ```
/// use spillpipe::archive::{End, FileReport, Observer, Source, Verdict, Verifier, VerifyOptions, Writer, WriterOptions};
/// use spillpipe::format::EndState;
/// use std::io::Write;
///
/// struct Reports(Vec<FileReport>);
/// impl Observer for Reports {
///     fn report(&mut self, report: FileReport) {
///         self.0.push(report);
///     }
/// }
///
/// let mut writer = Writer::new(Vec::new(), &WriterOptions::default())?;
/// writer.write_all(b"some data")?;
/// let (mut bytes, _) = writer.finish(EndState::End)?;
///
/// let (mut verifier, mut reports) = (Verifier::new(&VerifyOptions::default())?, Reports(vec![]));
/// verifier.source(Source::bytes("sound", bytes.clone()), &mut reports);
/// bytes[200] ^= 1;
/// verifier.source(Source::bytes("damaged", bytes), &mut reports);
/// verifier.finish(&mut reports);
/// let [sound, damaged] = &reports.0[..] else { panic!("one a file") };
/// assert_eq!((sound.verdict(), sound.end), (Verdict::Sound, Some(End::Complete)));
/// assert_eq!((damaged.verdict(), damaged.problems[0].at), (Verdict::Damaged, 128));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Verifier {
    quick: bool,
    order: Order,
    decoders: Decoders,
    /// Those that are not told yet; the first is of file number `told`.
    reports: VecDeque<FileReport>,
    told: usize,
    /// Bytes of the file at hand of which progress was told.
    seen: u64,
    /// The file that was verified last.
    last: Option<Input>,
}

impl Verifier {
    /// Has looked at nothing yet.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn new(options: &VerifyOptions) -> io::Result<Self> {
        let decoders = Decoders::new(options)?;
        Ok(Self {
            quick: options.quick,
            order: Order::default(),
            decoders,
            reports: VecDeque::new(),
            told: 0,
            seen: 0,
            last: None,
        })
    }

    /// Verifies the next one. Errors are in its report, and the next can be verified all the same.
    pub fn input(&mut self, input: &Input, observer: &mut dyn Observer) {
        if !self.last.replace(input.clone()).is_some_and(|last| last.is_beside(input)) {
            self.order.path();
        }
        self.begin(input.name(), input.bond());
        match input.open() {
            Ok(source) => self.walk(source, input.bond(), observer),
            Err(error) => self.report().error = Some(error),
        }
    }

    /// The same of a source that is open already, and has nothing to do with the one before unless it goes on there.
    pub fn source(&mut self, source: Source, observer: &mut dyn Observer) {
        self.begin(source.name().to_owned(), Bond::Free);
        self.walk(source, Bond::Free, observer);
    }

    /// Tells what was not known before the end.
    pub fn finish(mut self, observer: &mut dyn Observer) {
        let told = self.order.finish().collect::<Vec<_>>();
        self.route(told);
        self.flush(usize::MAX, observer);
    }

    fn begin(&mut self, name: String, bond: Bond) {
        self.order.begin(bond);
        self.seen = 0;
        self.reports.push_back(FileReport::new(name));
    }

    fn report(&mut self) -> &mut FileReport {
        self.reports.back_mut().expect("it has begun")
    }

    fn walk(&mut self, source: Source, bond: Bond, observer: &mut dyn Observer) {
        let name = source.name().to_owned();
        let mut scan = Scan::new(source, if self.quick { Depth::Structure } else { Depth::Full });
        let walked = head::look(&mut scan, bond).and_then(|_| self.items(&mut scan, &name, observer));
        // What is in a file of others, or of a later version, is passed over.
        let is_passed = matches!(walked, Err(Error::Foreign { .. } | Error::Newer { .. }));
        let len = scan.source().len().filter(|_| is_passed).unwrap_or(scan.at());
        observer.progress(len.saturating_sub(self.seen));
        self.report().summary.bytes = len;
        if let Err(error) = walked {
            self.report().error = Some(error);
        }
    }

    fn items(&mut self, scan: &mut Scan, name: &str, observer: &mut dyn Observer) -> Result<(), Error> {
        let walked = loop {
            let found = match scan.next() {
                Ok(Some(found)) => found,
                Ok(None) => break Ok(()),
                Err(error) => break Err(Error::io("read", name, scan.at())(error)),
            };
            if let Some(source) = head::newer(&found) {
                break Err(Error::Newer { name: name.to_owned(), source });
            }
            let told = self.order.take(&found).collect::<Vec<_>>();
            self.route(told);
            self.flush(self.order.oldest(), observer);
            if let Err(error) = self.item(scan, &found, observer) {
                break Err(Error::io("read", name, scan.at())(error));
            }
            observer.progress(found.at.saturating_sub(self.seen));
            self.seen = self.seen.max(found.at);
        };
        let decoded = self.decoders.finish(self.reports.back_mut(), observer);
        walked.and(decoded.map_err(Error::io("decode", name, None)))?;
        let told = self.order.end(scan.at()).collect::<Vec<_>>();
        self.route(told);
        Ok(())
    }

    fn item(&mut self, scan: &mut Scan, found: &Found, observer: &mut dyn Observer) -> io::Result<()> {
        let is_of_stream = !self.order.passed_over() && !self.order.is_inside();
        let Some(report) = self.reports.back_mut().filter(|_| is_of_stream) else { return Ok(()) };
        match (found.item, found.key) {
            (Item::Header(header), _) => report.summary.header(&header),
            (Item::Chunk(record), Some(key)) => {
                report.summary.chunk(&record);
                if !self.quick {
                    let frame = scan.frame(found.at, &record)?;
                    self.decoders.take(found.at, record, key.family, frame, report, observer)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn route(&mut self, told: Vec<Told>) {
        for Told { file, what } in told {
            if let Some(report) = file.checked_sub(self.told).and_then(|place| self.reports.get_mut(place)) {
                report.tell(what);
            }
        }
    }

    /// Hands over the reports of all files before that one.
    fn flush(&mut self, file: usize, observer: &mut dyn Observer) {
        while self.told < file {
            let Some(report) = self.reports.pop_front() else { return };
            self.told += 1;
            observer.report(report.settled());
        }
    }
}

/// What decodes chunks: the caller's thread or others.
#[derive(Debug)]
enum Decoders {
    Here { decoder: Decoder, raw: Vec<u8>, data: bool },
    Threads { pool: Ordered<Job, Job>, spare: Vec<Job>, data: bool },
}

/// A chunk to be decoded, and what came of it.
#[derive(Debug)]
struct Job {
    at: u64,
    record: Record,
    family: Family,
    frame: Vec<u8>,
    raw: Vec<u8>,
    decoded: Result<(), FormatError>,
}

impl Decoders {
    fn new(options: &VerifyOptions) -> io::Result<Self> {
        let data = options.data;
        if options.threads <= 1 || options.quick {
            return Ok(Self::Here { decoder: Decoder::default(), raw: Vec::new(), data });
        }
        let threads = options.threads.min(THREADS_MAX);
        let pool = Ordered::new("verify", threads, threads * SLOTS_PER_THREAD, || {
            let mut decoder = Decoder::default();
            move |mut job: Job| {
                job.decoded = decode(&job.record, job.family, &job.frame, &mut job.raw, &mut decoder);
                job
            }
        })?;
        Ok(Self::Threads { pool, spare: Vec::new(), data })
    }

    /// Takes a chunk whose frame's checksum fits. What is wrong with it may show later.
    fn take(
        &mut self,
        at: u64,
        record: Record,
        family: Family,
        frame: &[u8],
        report: &mut FileReport,
        observer: &mut dyn Observer,
    ) -> io::Result<()> {
        match self {
            Self::Here { decoder, raw, data } => {
                let decoded = decode(&record, family, frame, raw, decoder);
                done(at, &record, decoded, raw, *data, report, observer);
            }
            Self::Threads { pool, spare, data } => {
                while !pool.has_room() {
                    let Some(job) = pool.take(true)? else { break };
                    done(job.at, &job.record, job.decoded, &job.raw, *data, report, observer);
                    spare.push(job);
                }
                let (mut bytes, raw) = spare.pop().map_or_else(Default::default, |job| (job.frame, job.raw));
                bytes.clear();
                bytes.reserve_exact(frame.len());
                bytes.extend_from_slice(frame);
                pool.submit(Job { at, record, family, frame: bytes, raw, decoded: Ok(()) });
            }
        }
        Ok(())
    }

    /// Waits for all chunks of the file.
    fn finish(&mut self, report: Option<&mut FileReport>, observer: &mut dyn Observer) -> io::Result<()> {
        let (Self::Threads { pool, spare, data }, Some(report)) = (self, report) else { return Ok(()) };
        while let Some(job) = pool.take(true)? {
            done(job.at, &job.record, job.decoded, &job.raw, *data, report, observer);
            spare.push(job);
        }
        Ok(())
    }
}

fn done(
    at: u64,
    record: &Record,
    decoded: Result<(), FormatError>,
    raw: &[u8],
    data: bool,
    report: &mut FileReport,
    observer: &mut dyn Observer,
) {
    match decoded {
        Ok(()) if data => observer.data(&raw[..record.raw_len as usize]),
        Ok(()) => {}
        Err(error) => {
            let end = at + RECORD_BYTES as u64 + u64::from(record.frame_len);
            let problem = Problem::new(at, ProblemKind::Undecodable(error)).to(end);
            let problem = problem.of(record.seq..record.next_seq(), record.offset..record.end_offset());
            keep(&mut report.decoded, problem, &mut report.more_problems);
        }
    }
}

/// Decodes a frame whose own bytes have been compared already. Other than [`crate::segment::open_chunk`], it also
/// compares the checksum that a frame of raw blocks has for other tools.
fn decode(
    record: &Record,
    family: Family,
    frame: &[u8],
    raw: &mut Vec<u8>,
    decoder: &mut Decoder,
) -> Result<(), FormatError> {
    let len = record.raw_len as usize;
    if raw.len() < len {
        raw.reserve_exact(len - raw.len());
        raw.resize(len, 0);
    }
    let raw = &mut raw[..len];
    match record.codec {
        CodecId::Raw => frame::read_raw(family, frame, raw)?,
        CodecId::Zstd | CodecId::Lz4 => decoder.decode(record.codec, family, frame, raw)?,
    }
    check_crc("raw data", record.raw_crc, raw)
}
