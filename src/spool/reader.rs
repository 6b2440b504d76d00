//! A named reader: hands out the stream in order, and keeps its place in it.
//!
//! ```text
//!   cursor on disk  ≤  acknowledged  ≤  position, past what was handed out  ≤  end of what is written
//! ```
//! An acknowledgement costs nothing until it is made durable, at most [`ReaderOptions::ack_interval`] later: so much may
//! come again after a crash. Then the segments go that no reader needs any more.
//!
//! The cursor may be ahead of what is durable of the segments: data that a power cut takes although this reader had it
//! is not missed by anybody, and the stream goes on from the cursor.

use super::Inner;
use super::batch::Batches;
use super::course::{Coming, Course, Told};
use super::cursor::Cursor;
use super::error::Error;
use super::event::{Data, Ended, Gap, Next};
use super::options::ReaderOptions;
use super::trim;
use crate::format::{Hole, Position, SegmentNumber};
use crate::store::{Cancel, Lock, Watch, Woken};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often it is looked for changes that no notification told of.
const RECHECK: Duration = Duration::from_millis(250);
/// Segments that were passed are removed when so much time is over since the last were: or a reader that runs through
/// small ones would do nothing but make its cursor durable.
const REMOVE_INTERVAL: Duration = Duration::from_millis(50);

/// What a reader has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReaderStats {
    /// Bytes handed out.
    pub bytes: u64,
    /// Chunks handed out, also in part.
    pub chunks: u64,
    /// What was dropped on purpose before it could be read.
    pub gap: Gap,
    /// Damages met.
    pub damages: u64,
    /// Bytes of the stream lost by them.
    pub lost_bytes: u64,
    /// Chunks lost by them.
    pub lost_chunks: u64,
    /// Times that the cursor was made durable.
    pub persists: u64,
    /// Segments removed.
    pub segments_removed: u64,
}

/// Reads a spool under a name, and keeps its place under that name. One at a time under each.
///
/// ```
/// use spillpipe::format::EndState;
/// use spillpipe::spool::{Next, ReaderOptions, Spool, WriterOptions};
/// use std::io::Write;
///
/// let temp = tempfile::tempdir()?;
/// let spool = Spool::create(temp.path().join("spool"))?;
/// let mut writer = spool.writer(WriterOptions::default())?;
/// writer.write_all(b"some data")?;
/// writer.finish(EndState::End)?;
///
/// let mut reader = spool.reader("default", ReaderOptions::default())?;
/// let mut out = Vec::new();
/// loop {
///     match reader.next()? {
///         Next::Data(data) => {
///             out.extend_from_slice(data.bytes);
///             let dealt_with = data.to;
///             reader.ack(dealt_with)?;
///         }
///         Next::Empty { .. } => break,
///         Next::End(_) | Next::Gap(_) | Next::Damage(_) => {}
///     }
/// }
/// reader.close()?;
/// assert_eq!(out, b"some data");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Reader {
    pub(super) spool: Arc<Inner>,
    name: String,
    options: ReaderOptions,
    pub(super) cursor: Cursor,
    pub(super) course: Course,
    pub(super) batches: Batches,
    /// Ends that were told and not acknowledged, each with the place past it.
    ends: VecDeque<(Position, Ended)>,
    watch: Option<Watch>,
    /// When the first acknowledgement was made that is not durable.
    unpersisted: Option<Instant>,
    persisted: Instant,
    persists: u64,
    /// Up to here it was looked what segments can go.
    considered: SegmentNumber,
    segments_removed: u64,
    before_persist: Option<BeforePersist>,
    /// Bytes of the next chunk that `std::io::Read` has given.
    given: usize,
    // Dropped last.
    _lock: Box<dyn Lock>,
}

impl Reader {
    pub(super) fn new(
        spool: Arc<Inner>,
        name: &str,
        lock: Box<dyn Lock>,
        cursor: Cursor,
        options: ReaderOptions,
    ) -> Result<Self, Error> {
        let (position, ended) = (cursor.position(), cursor.ended());
        let mut reader = Self {
            course: Course::new(Arc::clone(&spool), position, ended)?,
            batches: Batches::default(),
            spool,
            name: name.to_owned(),
            options,
            cursor,
            ends: VecDeque::new(),
            watch: None,
            unpersisted: None,
            persisted: Instant::now(),
            persists: 0,
            considered: position.segment,
            segments_removed: 0,
            before_persist: None,
            given: 0,
            _lock: lock,
        };
        reader.course.stats.damages += u64::from(reader.cursor.was_damaged);
        // What a run left that ended between its cursor and the removal.
        reader.remove_passed()?;
        Ok(reader)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Has `before` called each time before acknowledgements are made durable: to make durable what became of the data,
    /// where that is not done already. When it fails, they are not.
    #[must_use]
    pub fn before_persist(mut self, before: impl FnMut() -> io::Result<()> + Send + 'static) -> Self {
        self.before_persist = Some(BeforePersist(Box::new(before)));
        self
    }

    /// Whether its cursor was damaged, so that it begins anew with the oldest data: what it had acknowledged may come
    /// again. The damaged cursor is kept in the quarantine.
    #[must_use]
    pub fn starts_over(&self) -> bool {
        self.cursor.was_damaged
    }

    /// What comes next. Never waits: [`Self::wait`] does. What is handed out stays unacknowledged until [`Self::ack`].
    ///
    /// # Errors
    /// [`Error::Segment`] when a segment belongs to another spool; [`Error::Io`]. The next call tries again.
    #[expect(clippy::should_implement_trait, reason = "it lends its buffer, which an iterator cannot")]
    pub fn next(&mut self) -> Result<Next<'_>, Error> {
        match self.course.next()? {
            Coming::Empty { writer } => {
                self.pass_sealed()?;
                Ok(Next::Empty { writer })
            }
            Coming::Told(told) => {
                self.take();
                Ok(match told {
                    Told::Gap(gap) => Next::Gap(gap),
                    Told::Damage(damage) => Next::Damage(damage),
                    Told::End(ended) => Next::End(ended),
                })
            }
            Coming::Chunk(record) => {
                let from = self.course.chunk_from();
                let len = self.course.chunk_bytes(&record).len();
                self.take();
                let bytes = self.course.last_bytes(len);
                Ok(Next::Data(Data { bytes, from, to: self.course.place, record_end: record.record_end }))
            }
        }
    }

    /// When all is acknowledged up to the end of a sealed segment, it is passed, though nothing is behind it yet: on a
    /// full disk the writer may wait for just that.
    pub(super) fn pass_sealed(&mut self) -> Result<(), Error> {
        let (from, to) = (self.cursor.position(), self.position());
        let all = (from.seq, from.offset) == (to.seq, to.offset);
        if all && from.segment < to.segment && self.batches.is_idle() {
            self.advance(to, None)?;
        }
        self.persist_if_due()
    }

    /// Goes past what the course gave.
    pub(super) fn take(&mut self) {
        self.course.take();
        if let Some(ended) = self.course.told {
            self.ends.push_back((self.course.place, ended));
        }
        self.given = 0;
    }

    /// Waits for a change of the spool, at most so long. Acknowledgements that fall due meanwhile are made durable.
    ///
    /// Look first, and wait when there is nothing: what changed in between ends the wait at once. A change that no
    /// notification tells of is found within a quarter of a second.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn wait(&mut self, timeout: Duration, cancel: Option<&Cancel>) -> Result<Woken, Error> {
        let started = Instant::now();
        // What changed before there was a watch is for another look.
        let first = self.watch.is_none();
        loop {
            let left = timeout.saturating_sub(started.elapsed());
            let due = self.persist_in().unwrap_or(RECHECK);
            let sleep = left.min(RECHECK.saturating_sub(started.elapsed())).min(due);
            let watch = self.watch.get_or_insert_with(|| self.spool.home.watch());
            if first {
                return Ok(Woken::Changed);
            }
            let woken = watch.wait(sleep, cancel).map_err(Error::io("wait for changes of", self.spool.dir.clone()))?;
            self.persist_if_due()?;
            match woken {
                Woken::TimedOut if started.elapsed() >= timeout => return Ok(Woken::TimedOut),
                Woken::TimedOut if started.elapsed() < RECHECK => {}
                Woken::TimedOut | Woken::Changed => return Ok(Woken::Changed),
                Woken::Cancelled => return Ok(Woken::Cancelled),
            }
        }
    }

    /// Past all that was handed out and told so far.
    #[must_use]
    pub fn position(&self) -> Position {
        self.batches.forming_from().unwrap_or(self.course.place)
    }

    /// Up to here all is acknowledged or left behind.
    #[must_use]
    pub fn acknowledged(&self) -> Position {
        self.cursor.position()
    }

    /// How the stream ended at [`Self::position`], as this reader was told, now or in an earlier run. `None`: it did
    /// not.
    #[must_use]
    pub fn told(&self) -> Option<Ended> {
        self.course.told
    }

    /// Acknowledges everything up to `to`, which was handed out. An earlier place than the last one changes nothing.
    ///
    /// # Errors
    /// [`Error::Position`] when `to` was not handed out yet; [`Error::Io`] when it was time to make it durable, and
    /// failed: it is acknowledged all the same, and made durable later.
    pub fn ack(&mut self, to: Position) -> Result<(), Error> {
        let handed_out = self.position();
        if to > handed_out {
            let (oldest, newest) = (self.cursor.position().offset.0, handed_out.offset.0);
            return Err(Error::Position { at: to, oldest, newest });
        }
        let before = self.cursor.position();
        // An end may have been told where the cursor is already.
        let end = to == before && self.ends.front().is_some_and(|(place, _)| *place <= to);
        if to > before || end {
            self.advance(to, None)?;
        }
        self.persist_if_due()
    }

    /// Moves the cursor in memory. Batches that it passes become holes, and `left` one more.
    pub(super) fn advance(&mut self, to: Position, left: Option<Hole>) -> Result<(), Error> {
        let same = |a: Position, b: Position| (a.offset, a.seq) == (b.offset, b.seq);
        let told = self.ends.iter().take_while(|(place, _)| *place <= to).last();
        let ended = match told {
            Some(&(place, ended)) if same(place, to) => Some(ended),
            _ if same(self.cursor.position(), to) => self.cursor.ended(),
            _ => None,
        };
        self.cursor.advance(to, ended, self.batches.holes_before(to).chain(left))?;
        self.batches.passed(to);
        self.ends.retain(|(place, _)| *place > to);
        self.unpersisted.get_or_insert_with(Instant::now);
        Ok(())
    }

    /// Something of the cursor changed in memory.
    pub(super) fn changed(&mut self) -> Result<(), Error> {
        self.unpersisted.get_or_insert_with(Instant::now);
        self.persist_if_due()
    }

    /// Makes the cursor durable if that is due, or segments can go.
    pub(super) fn persist_if_due(&mut self) -> Result<(), Error> {
        if self.persist_in().is_some_and(|time| time.is_zero()) { self.persist() } else { Ok(()) }
    }

    /// How long the cursor may still wait to be made durable: less when segments could go then.
    fn persist_in(&self) -> Option<Duration> {
        let due = self.options.ack_interval.saturating_sub(self.unpersisted?.elapsed());
        let removable = self.considered < self.cursor.position().segment;
        let remove = removable.then(|| REMOVE_INTERVAL.saturating_sub(self.persisted.elapsed()));
        Some(remove.map_or(due, |remove| due.min(remove)))
    }

    /// Makes the acknowledgements so far durable, and then removes the segments that no reader needs any more.
    ///
    /// # Errors
    /// [`Error::Io`]; nothing is lost then, and the next call tries again.
    pub fn persist(&mut self) -> Result<(), Error> {
        if let Some(BeforePersist(before)) = self.before_persist.as_mut().filter(|_| self.unpersisted.is_some()) {
            before().map_err(Error::io("make durable what was read from", self.spool.dir.clone()))?;
        }
        self.cursor.persist(&*self.spool.home).map_err(self.cursor_failed())?;
        if self.unpersisted.take().is_some() {
            self.persists += 1;
        }
        self.persisted = Instant::now();
        self.remove_passed()
    }

    fn cursor_failed(&self) -> impl FnOnce(io::Error) -> Error + use<> {
        Error::io("write", self.spool.reader_file(&self.name))
    }

    fn remove_passed(&mut self) -> Result<(), Error> {
        self.considered = self.cursor.position().segment;
        if !self.course.passed.is_empty() {
            self.segments_removed += trim::remove_unneeded(&self.spool, &mut self.course.passed)?;
        }
        Ok(())
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> ReaderStats {
        ReaderStats { persists: self.persists, segments_removed: self.segments_removed, ..self.course.stats }
    }

    /// Makes the acknowledgements durable, twice over, and lets go of the name.
    ///
    /// # Errors
    /// [`Error::Io`]: what was acknowledged last may come again.
    pub fn close(mut self) -> Result<ReaderStats, Error> {
        self.persist()?;
        self.cursor.settle(&*self.spool.home).map_err(self.cursor_failed())?;
        self.unpersisted = None;
        Ok(self.stats())
    }
}

struct BeforePersist(Box<dyn FnMut() -> io::Result<()> + Send>);

impl fmt::Debug for BeforePersist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BeforePersist")
    }
}

impl Drop for Reader {
    /// What cannot be made durable now comes again: nobody is left to be told.
    fn drop(&mut self) {
        if self.unpersisted.is_some() {
            let _ = self.persist();
        }
    }
}

/// The bytes alone: what is missing is passed over and counted in [`Reader::stats`], and 0 is read where there is nothing
/// more for now. To acknowledge what was read, [`Reader::ack`] [`Reader::position`] when a chunk is at its end: a chunk
/// of which only a part was read is not handed out yet.
impl io::Read for Reader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.course.next()? {
                Coming::Empty { .. } => return Ok(0),
                Coming::Told(_) => self.take(),
                Coming::Chunk(record) => {
                    let rest = &self.course.chunk_bytes(&record)[self.given..];
                    let len = rest.len().min(buf.len());
                    buf[..len].copy_from_slice(&rest[..len]);
                    let all = len == rest.len();
                    self.given += len;
                    if all {
                        self.take();
                    }
                    return Ok(len);
                }
            }
        }
    }
}
