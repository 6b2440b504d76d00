//! The persistent spool: a first-in first-out stream in a directory, between processes that need not live at the same
//! time.
//!
//! ```text
//! DIR/spool                   what it is: its id, and where its writer was
//! DIR/0000000000000001.zst    sealed segment: readable with zstd -dc
//! DIR/0000000000000002.lz4    the one that is written
//! DIR/readers/NAME            a reader's cursor
//! DIR/quarantine/             damaged bytes, copied aside
//! DIR/writer.lock             one writer at a time; each reader is one process at a time
//! ```
//! - There is one [`Writer`] at a time. Each opening for writing begins a new segment; nothing that was written is ever
//!   changed, not even a torn tail is cut: readers step over it.
//! - Each [`Reader`] has a name, and its place is kept under it. A segment goes when every reader has dealt with all of
//!   it; without readers none goes. Under [`WhenFull::DropOldest`] the oldest goes in any case, and readers are told.
//! - What a reader acknowledged does not come again, but for what [`ReaderOptions::ack_interval`] allows after a crash.
//! - A stream ends with a mark. Whatever ends without it, because its producer died or gave up, is told apart.
//! - Damage costs the chunks that are damaged: counted, told, kept in quarantine; the rest comes.
//!
//! What it does not do: merge writers, order readers among one another, replicate, or encrypt.

mod batch;
mod course;
mod cursor;
mod encode;
mod end;
mod error;
mod event;
mod feed;
mod identity;
mod info;
mod inner;
mod options;
mod position;
mod quarantine;
mod reader;
mod scan;
mod slots;
mod tail;
mod trim;
mod unsynced;
mod window;
mod writer;

pub use crate::format::Position;
pub use crate::ring::{FullReason, Headroom, WhenFull};
pub use crate::store::{Cancel, Holder, Woken};
pub use batch::{Batch, BatchLimits, NextBatch, Tap};
pub use error::Error;
pub use event::{Damage, Data, Ended, Gap, Next, WriterEvent};
pub use feed::{Fed, Feeder};
pub use info::{Info, ReaderInfo};
pub use options::{ReaderOptions, Records, Start, Sync, WriterOptions};
pub use position::Span;
pub use reader::{Reader, ReaderStats};
pub use tail::WriterStats;
pub use writer::Writer;

use crate::format::{SlotState, StreamOffset};
use crate::store::{DirHome, FileName, Home, SegmentName};
use cursor::Cursor;
use inner::Inner;
use slots::Slots;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked whether a lock is free, when it is waited for.
const LOCK_INTERVAL: Duration = Duration::from_millis(50);

/// A spool. Clones are the same.
///
/// ```
/// use spillpipe::spool::Spool;
/// let temp = tempfile::tempdir()?;
/// assert!(Spool::open(temp.path()).is_err(), "there is none yet");
/// let spool = Spool::create(temp.path())?;
/// assert_eq!(spool.info()?.segments, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Spool(Arc<Inner>);

/// Where to put a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek {
    /// To the oldest data there is.
    Oldest,
    /// Past the newest.
    Newest,
    /// To a byte of the stream.
    Offset(StreamOffset),
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// Files.
    pub files: u64,
    /// Bytes that they took.
    pub bytes: u64,
}

impl Spool {
    /// Opens the spool in `dir`.
    ///
    /// # Errors
    /// [`Error::NoSpool`] when there is none; [`Error::Identity`] when what tells so is damaged, and nothing else
    /// tells; [`Error::Io`].
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, Error> {
        let dir = dir.as_ref();
        let home = DirHome::open(dir).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::NoSpool { dir: dir.to_owned() },
            _ => Error::io("open", dir.to_owned())(error),
        })?;
        Self::open_in(Arc::new(home), dir)
    }

    /// Opens the spool in `dir`, and makes one in a directory that is empty or not there.
    ///
    /// # Errors
    /// [`Error::Foreign`] when the directory holds something else; as for [`Self::open`] otherwise.
    pub fn create(dir: impl AsRef<Path>) -> Result<Self, Error> {
        let dir = dir.as_ref();
        let home = DirHome::create(dir).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Error::Foreign { dir: dir.to_owned() },
            _ => Error::io("create", dir.to_owned())(error),
        })?;
        Self::create_in(Arc::new(home), dir)
    }

    /// Opens the spool that has this home, which messages call `dir`.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn open_in(home: Arc<dyn Home>, dir: &Path) -> Result<Self, Error> {
        let own = identity::load(&*home, dir)?;
        Ok(Self::of(home, dir, &own))
    }

    /// Opens the spool that has this home, or makes it one.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn create_in(home: Arc<dyn Home>, dir: &Path) -> Result<Self, Error> {
        let own = match identity::load(&*home, dir) {
            Err(Error::NoSpool { .. }) => identity::create(&*home, dir)?,
            own => own?,
        };
        Ok(Self::of(home, dir, &own))
    }

    fn of(home: Arc<dyn Home>, dir: &Path, own: &Slots) -> Self {
        Self(Arc::new(Inner { home, dir: dir.to_owned(), id: own.slot.store }))
    }

    /// The directory, as it was given.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// Opens it for writing.
    ///
    /// # Errors
    /// [`Error::Busy`] when somebody has; [`Error::Segment`], [`Error::Io`]; [`Error::Full`].
    #[expect(clippy::needless_pass_by_value, reason = "options are made for one writer")]
    pub fn writer(&self, options: WriterOptions) -> Result<Writer, Error> {
        self.writer_by(&options, None)
    }

    fn writer_by(&self, options: &WriterOptions, cancel: Option<&Cancel>) -> Result<Writer, Error> {
        let spool = &self.0;
        let lock = spool.lock(&FileName::WriterLock, || format!("the spool {}", spool.dir.display()))?;
        let (own, end) = spool.end()?;
        end.check(&spool.dir)?;
        let is_broken_off = end.is_broken_off(own.slot.state);
        Writer::new(spool, lock, own, end.position, is_broken_off, options, cancel)
    }

    /// Opens it for writing as soon as nobody else has, or `cancel` is raised; that ends its waits for room, too.
    ///
    /// # Errors
    /// As for [`Self::writer`], without [`Error::Busy`]; [`Error::Cancelled`].
    #[expect(clippy::needless_pass_by_value, reason = "options are made for one writer")]
    pub fn writer_wait(&self, options: WriterOptions, cancel: Option<&Cancel>) -> Result<Writer, Error> {
        let mut pause = crate::store::Watch::none();
        loop {
            match self.writer_by(&options, cancel) {
                Err(Error::Busy { .. }) => {}
                done => return done,
            }
            let woken = pause.wait(LOCK_INTERVAL, cancel).map_err(Error::io("wait for", self.0.dir.clone()))?;
            if woken == Woken::Cancelled {
                return Err(Error::Cancelled);
            }
        }
    }

    /// Reads under a name, which is registered if it is new.
    ///
    /// # Errors
    /// [`Error::Busy`] when another process does; [`Error::Name`]; [`Error::Segment`], [`Error::Io`].
    pub fn reader(&self, name: &str, options: ReaderOptions) -> Result<Reader, Error> {
        let spool = &self.0;
        match self.add_reader(name, options.start) {
            Ok(()) | Err(Error::ReaderExists { .. }) => {}
            Err(error) => return Err(error),
        }
        let (lock, cursor) = spool.lock_cursor(name)?;
        Reader::new(Arc::clone(spool), name, lock, cursor, options)
    }

    /// Registers a reader: from now on nothing goes that it has not had.
    ///
    /// # Errors
    /// [`Error::ReaderExists`]; [`Error::Name`]; [`Error::Io`].
    pub fn add_reader(&self, name: &str, start: Start) -> Result<(), Error> {
        let spool = &self.0;
        check_name(name)?;
        if spool.home.read_file(&FileName::Reader(name.to_owned())).is_ok() {
            return Err(Error::ReaderExists { dir: spool.dir.clone(), name: name.to_owned() });
        }
        let (place, state) = match start {
            Start::Oldest => spool.first()?,
            Start::Newest => spool.newest()?,
        };
        match Cursor::create(&*spool.home, name, Cursor::new_slot(spool.id, place, state)) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(Error::ReaderExists { dir: spool.dir.clone(), name: name.to_owned() })
            }
            Err(error) => Err(Error::io("create", spool.reader_file(name))(error)),
        }
    }

    /// Forgets a reader that nobody uses, and what it left behind.
    ///
    /// # Errors
    /// [`Error::NoReader`], [`Error::Busy`], [`Error::Io`].
    pub fn remove_reader(&self, name: &str) -> Result<(), Error> {
        let spool = &self.0;
        spool.check_reader(name)?;
        let (_lock, cursor) = spool.lock_cursor(name)?;
        spool.remember(cursor.position())?;
        spool
            .home
            .remove_file(&FileName::Reader(name.to_owned()))
            .map_err(Error::io("remove", spool.reader_file(name)))?;
        let mut names = spool.list()?;
        trim::remove_unneeded(spool, &mut names)?;
        Ok(())
    }

    /// Puts a reader that nobody uses somewhere else. What it left behind is forgotten.
    ///
    /// # Errors
    /// [`Error::NoReader`], [`Error::Busy`]; [`Error::Position`] when there is no such byte; [`Error::Io`].
    pub fn seek_reader(&self, name: &str, to: Seek) -> Result<Position, Error> {
        let spool = &self.0;
        spool.check_reader(name)?;
        let (_lock, mut cursor) = spool.lock_cursor(name)?;
        let names = spool.list()?;
        let (newest, state) = spool.newest()?;
        let oldest = spool.oldest(&names, newest)?;
        let (place, state) = match to {
            Seek::Oldest => (oldest, SlotState::Open),
            Seek::Newest => (newest, state),
            Seek::Offset(offset) if offset == newest.offset => (newest, state),
            Seek::Offset(offset) if offset < oldest.offset || offset > newest.offset => {
                let at = Position { offset, ..oldest };
                return Err(Error::Position { at, oldest: oldest.offset.0, newest: newest.offset.0 });
            }
            Seek::Offset(offset) => (spool.place_of(&names, oldest, offset)?, SlotState::Open),
        };
        spool.remember(cursor.position())?;
        cursor.put(place, state);
        cursor.settle(&*spool.home).map_err(Error::io("write", spool.reader_file(name)))?;
        Ok(place)
    }

    /// What there is. No payload is read for it.
    ///
    /// # Errors
    /// [`Error::Segment`], [`Error::Io`].
    pub fn info(&self) -> Result<Info, Error> {
        self.0.info()
    }

    /// Removes the segments that no reader needs. With `keep_bytes` the oldest go, too, until the rest takes no more than
    /// so many bytes on disk; the newest one stays.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn trim(&self, keep_bytes: Option<u64>) -> Result<Trimmed, Error> {
        let spool = &self.0;
        let sizes = || spool.home.segment_sizes().map_err(Error::io("list", spool.dir.clone()));
        let before = sizes()?;
        let mut names: Vec<SegmentName> = before.iter().map(|(name, _)| *name).collect();
        if spool.writer()? != Holder::Nobody {
            // The one that is being written.
            names.pop();
        }
        trim::remove_unneeded(spool, &mut names)?;
        let total = |sizes: &[(SegmentName, u64)]| sizes.iter().map(|(_, bytes)| bytes).sum::<u64>();
        let sizes = sizes()?;
        let (mut left, mut bytes) = (&sizes[..], total(&sizes));
        while let [(name, len), rest @ ..] = left
            && keep_bytes.is_some_and(|keep_bytes| bytes > keep_bytes)
            && !rest.is_empty()
        {
            trim::remove(spool, *name)?;
            bytes -= len;
            left = rest;
        }
        Ok(Trimmed {
            files: (before.len() as u64).saturating_sub(left.len() as u64),
            bytes: total(&before).saturating_sub(bytes),
        })
    }

    /// Removes what is kept in the quarantine.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn clear_quarantine(&self) -> Result<Trimmed, Error> {
        let mut trimmed = Trimmed::default();
        for (name, bytes) in self.0.quarantine()? {
            let file = self.0.dir.join("quarantine").join(&name);
            match self.0.home.remove_file(&FileName::Quarantine(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::io("remove", file)(error)),
                _ => {}
            }
            trimmed.files += 1;
            trimmed.bytes += bytes;
        }
        Ok(trimmed)
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    FileName::reader(name).map(drop).ok_or_else(|| Error::Name { name: name.to_owned() })
}
