//! The writer: bytes to chunks, with their records, and the time after which they are to be seen and durable.
//!
//! ```text
//!  write ──> filling chunk ──> encoders ──> tail ──> segments
//!                 ^ keeper: after the linger what is whole goes on; after the sync interval it is made durable
//! ```
//! One lock is around all of it; what is made durable by the keeper, is without holding it.

mod front;

use super::Inner;
use super::encode::Encoders;
use super::error::Error;
use super::event::WriterEvent;
use super::options::{Records, Sync, WriterOptions};
use super::slots::Slots;
use super::tail::{Tail, WriterStats};
use crate::codec::{Choice, Codec, Policy};
use crate::format::{EndState, Position, SlotState};
use crate::store::{Cancel, Lock};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Bytes of raw chunks that may be under way to disk: room for the codec policy to see what is coming.
const UNDER_WAY_BYTES: usize = 16 << 20;
/// How long a chunk that has been encoded may wait to be written, when nobody calls.
const ENCODING_LINGER: Duration = Duration::from_millis(100);
/// How often the keeper tries again what found no room.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);
/// Chunks that may be under way, at least and at most.
const UNDER_WAY_CHUNKS: std::ops::RangeInclusive<usize> = 8..=64;

/// Writes to the end of a spool. There is one at a time.
///
/// What is written is seen by readers when a chunk is full, or after [`WriterOptions::linger`]; it is durable as
/// [`WriterOptions::sync`] says, or after [`Self::sync`] and [`Self::finish`]. Dropped without [`Self::finish`], it leaves the
/// stream incomplete.
///
/// ```
/// use spillpipe::format::EndState;
/// use spillpipe::spool::{Spool, WriterOptions};
/// use std::io::Write;
///
/// let temp = tempfile::tempdir()?;
/// let spool = Spool::create(temp.path().join("spool"))?;
/// let mut writer = spool.writer(WriterOptions::default())?;
/// writer.write_all(b"one record")?;
/// writer.end_record()?;
/// writer.sync()?;
/// assert_eq!(writer.durable().offset.0, 10);
/// writer.finish(EndState::End)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
    keeper: Option<JoinHandle<()>>,
    // Dropped last.
    _lock: Box<dyn Lock>,
}

#[derive(Debug)]
struct Shared {
    front: Mutex<Front>,
    /// A time came up that the keeper is to keep, or all is over.
    news: Condvar,
    /// The keeper has made something durable, or failed to.
    synced: Condvar,
    /// Nobody waits for room any more.
    closing: Arc<AtomicBool>,
}

struct Front {
    filling: Vec<u8>,
    /// Up to here `filling` is whole records.
    whole: usize,
    /// When the first byte came into `filling`.
    since: Option<Instant>,
    /// When the last chunk was cut off.
    cut_at: Option<Instant>,
    /// Where chunks end matters.
    by_records: bool,
    records: Records,
    sync: Sync,
    linger: Option<Duration>,
    encoders: Encoders,
    tail: Tail,
    taken_bytes: u64,
    /// Why it is over, until somebody was told.
    failed: Option<Error>,
    is_over: bool,
    keeper: Keeper,
    /// When the keeper wakes by itself, if it does: only what is due earlier must wake it.
    keeper_wakes: Option<Instant>,
}

/// What the keeper is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeper {
    Waiting,
    /// Making something durable, without the lock.
    Syncing,
    /// It is to end.
    Dismissed,
}

impl Writer {
    pub(super) fn new(
        spool: &Arc<Inner>,
        lock: Box<dyn Lock>,
        own: Slots,
        next: Position,
        broken_off: bool,
        options: &WriterOptions,
        cancel: Option<&Cancel>,
    ) -> Result<Self, Error> {
        let mut tail = Tail::new(Arc::clone(spool), own, next, broken_off, options)?;
        tail.cancel = cancel.cloned();
        if broken_off {
            tail.sync_predecessor()?;
        }
        let chunk_bytes = tail.chunk_bytes_max() as usize;
        let slots = (UNDER_WAY_BYTES / chunk_bytes).clamp(*UNDER_WAY_CHUNKS.start(), *UNDER_WAY_CHUNKS.end());
        // One thread frames and sums raw chunks faster than any disk takes them.
        let threads_max = if options.codec == Choice::Fixed(Codec::Raw) { 1 } else { usize::MAX };
        let threads = options.threads.min(threads_max);
        let encoders = Encoders::new(Policy::new(options.codec, chunk_bytes), threads, slots);
        let failed = || Error::io("start a thread for", spool.dir.clone());
        let front = Front {
            filling: Vec::with_capacity(chunk_bytes),
            whole: 0,
            since: None,
            cut_at: None,
            by_records: options.records != Records::None,
            records: options.records,
            sync: options.sync,
            linger: options.linger,
            encoders: encoders.map_err(failed())?,
            tail,
            taken_bytes: next.offset.0,
            failed: None,
            is_over: false,
            keeper: Keeper::Waiting,
            keeper_wakes: None,
        };
        let closing = Arc::clone(&front.tail.closing);
        let (front, news, synced) = (Mutex::new(front), Condvar::new(), Condvar::new());
        let shared = Arc::new(Shared { front, news, synced, closing });
        let timed = threads > 0 || options.linger.is_some() || matches!(options.sync, Sync::Interval(_));
        let keeper = timed.then(|| {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name("keeper".to_owned()).spawn(move || shared.keep())
        });
        let writer = Self { shared, keeper: keeper.transpose().map_err(failed())?, _lock: lock };
        writer.shared.lock().tail.mark(SlotState::Writing)?;
        Ok(writer)
    }

    /// Tells `listener` what happens, in whichever thread it does.
    #[must_use]
    pub fn on_event(self, listener: impl Fn(WriterEvent) + Send + 'static) -> Self {
        self.shared.lock().tail.listener = Some(Box::new(listener));
        self
    }

    /// Lets `cancel` end waits for room: what was being written fails with [`Error::Cancelled`].
    #[must_use]
    pub fn cancel_by(self, cancel: Cancel) -> Self {
        self.shared.lock().tail.cancel = Some(cancel);
        self
    }

    /// What was written so far ends a record. Chunks end there as long as a record fits into one.
    ///
    /// # Errors
    /// What ended the writer.
    pub fn end_record(&mut self) -> Result<(), Error> {
        let mut front = self.shared.running()?;
        front.by_records = true;
        front.whole = front.filling.len();
        self.shared.after(front, Ok(()))
    }

    /// Lets readers see all whole records that were written; all bytes, where there are no records.
    ///
    /// # Errors
    /// What ended the writer; [`Error::Full`] and [`Error::Cancelled`], after which it may be called again.
    pub fn publish(&mut self) -> Result<(), Error> {
        let mut front = self.shared.running()?;
        let done = front.publish(false);
        self.shared.after(front, done)
    }

    /// Publishes, and makes it durable.
    ///
    /// # Errors
    /// As for [`Self::publish`].
    pub fn sync(&mut self) -> Result<(), Error> {
        let mut front = self.shared.running()?;
        let mut done = front.publish(false);
        while front.keeper == Keeper::Syncing {
            front = self.shared.synced.wait(front).unwrap_or_else(PoisonError::into_inner);
        }
        // What the keeper was at may have failed.
        done = done.and_then(|()| front.failed.take().map_or(Ok(()), Err)).and_then(|()| front.tail.sync());
        self.shared.after(front, done)
    }

    /// Past the last byte that was taken in.
    #[must_use]
    pub fn position(&self) -> Position {
        let front = self.shared.lock();
        let mut place = front.tail.next();
        place.offset.0 = front.taken_bytes;
        place
    }

    /// Up to here all is durable that this writer wrote.
    #[must_use]
    pub fn durable(&self) -> Position {
        self.shared.lock().tail.durable()
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> WriterStats {
        self.shared.lock().tail.stats
    }

    /// Writes what is left, ends the stream as `end` says, makes it durable unless [`Sync::Asked`] was asked for, and lets
    /// go of the spool. [`EndState::Continues`]: the stream is open for the next writer.
    ///
    /// # Errors
    /// What ended the writer; the stream is incomplete then.
    pub fn finish(mut self, end: EndState) -> Result<WriterStats, Error> {
        self.end_keeper();
        let mut front = self.shared.running()?;
        let done = front.finish(end);
        if done.is_ok() {
            front.is_over = true;
        }
        let stats = front.tail.stats;
        self.shared.after(front, done).map(|()| stats)
    }

    fn end_keeper(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            self.shared.lock().keeper = Keeper::Dismissed;
            self.shared.news.notify_one();
            let _ = keeper.join();
        }
    }
}

impl Drop for Writer {
    /// What is whole goes to the readers, as if the process had died a little later; where there is no room, it does
    /// not.
    fn drop(&mut self) {
        self.shared.closing.store(true, Relaxed);
        self.end_keeper();
        let mut front = self.shared.lock();
        if !front.is_over && !thread::panicking() {
            let _ = front.publish(false);
        }
    }
}

impl io::Write for Writer {
    /// Takes as much as it can. [`Error::Full`] and [`Error::Cancelled`] mean that nothing was taken: what was before is
    /// kept, and [`Writer::publish`] tries it again; [`Writer::position`] tells how much that is.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut front = self.shared.running()?;
        let (taken, done) = front.write(bytes);
        match self.shared.after(front, done) {
            // It is told when no more can be taken.
            Err(error) if taken > 0 && !is_final(&error) => Ok(taken),
            done => Ok(done.map(|()| taken)?),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(self.publish()?)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Front> {
        self.front.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The front, if it is not over.
    fn running(&self) -> Result<MutexGuard<'_, Front>, Error> {
        let mut front = self.lock();
        match front.failed.take() {
            Some(error) => Err(error),
            None if front.is_over => Err(Error::Failed { dir: front.tail.dir().to_owned() }),
            None => Ok(front),
        }
    }

    /// Passes on what came of something, and sees to it that the keeper is awake in time; a failure ends the writer.
    fn after(&self, mut front: MutexGuard<'_, Front>, done: Result<(), Error>) -> Result<(), Error> {
        if done.as_ref().is_err_and(is_final) {
            front.is_over = true;
            self.news.notify_one();
        } else if front.due_at().is_some_and(|due| front.keeper_wakes.is_none_or(|wakes| due < wakes)) {
            // As good as awake: once is enough.
            front.keeper_wakes = front.due_at();
            self.news.notify_one();
        }
        done
    }

    /// Keeps the times, in a thread of its own.
    fn keep(&self) {
        let mut front = self.lock();
        while front.keeper != Keeper::Dismissed && !front.is_over {
            let now = Instant::now();
            let [linger, sync] = [front.publish_at(), front.sync_at()];
            let done = if linger.is_some_and(|at| at <= now) {
                front.publish(false)
            } else if sync.is_some_and(|at| at <= now) {
                let job = front.tail.begin_sync();
                front.keeper = Keeper::Syncing;
                drop(front);
                let result = job.run();
                front = self.lock();
                if front.keeper == Keeper::Syncing {
                    front.keeper = Keeper::Waiting;
                }
                self.synced.notify_all();
                front.tail.end_sync(&job, result)
            } else {
                front.keeper_wakes = front.due_at();
                front = match front.keeper_wakes {
                    Some(at) => self.wait(front, at - now),
                    None => self.news.wait(front).unwrap_or_else(PoisonError::into_inner),
                };
                Ok(())
            };
            match done {
                Ok(()) => {}
                Err(error) if is_final(&error) => {
                    front.failed = Some(error);
                    front.is_over = true;
                }
                // Full, or cancelled: whoever writes is told so. Until then it is tried again.
                Err(_) => front = self.wait(front, RETRY_INTERVAL),
            }
        }
    }

    fn wait<'f>(&self, front: MutexGuard<'f, Front>, time: Duration) -> MutexGuard<'f, Front> {
        self.news.wait_timeout(front, time).unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Whether a failure is for good.
fn is_final(error: &Error) -> bool {
    !matches!(error, Error::Full { .. } | Error::Cancelled)
}
