//! From an input into a spool.

use super::args::StorageArgs;
use super::text::{self, io_failure};
use crate::cli::ends::PipeEnd;
use crate::cli::episodes::Episodes;
use crate::cli::exit::Failure;
use crate::cli::inlet::{Got, Inlet};
use crate::cli::options::headroom;
use crate::cli::session::Session;
use crate::cli::stats::seconds;
use crate::cli::tally::Tally;
use crate::cli::text::ratio;
use serde_json::{Map, Value, json};
use spillpipe::format::EndState;
use spillpipe::ring::WhenFull;
use spillpipe::spool::{Sync, Writer, WriterEvent, WriterOptions, WriterStats};
use std::io::Write;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Most that one read takes.
const READ_BYTES: usize = 256 << 10;

/// How an input ended.
#[derive(Debug)]
pub(super) enum Fed {
    /// It has ended.
    All,
    /// It was stopped from outside.
    Stopped,
    /// It cannot be read.
    Input(Failure),
    /// The spool takes no more.
    Writer(Failure),
}

/// Feeds a writer.
pub(super) struct Intake<'a> {
    pub(super) input: &'a PipeEnd,
    pub(super) tally: &'a Tally,
    /// Ends the wait for the input when it becomes readable.
    pub(super) stop: Option<BorrowedFd<'a>>,
    /// Whether what was just read is to be shown to the readers at once.
    pub(super) at_once: &'a dyn Fn() -> bool,
}

impl Intake<'_> {
    /// Takes in all there is.
    pub(super) fn run(&self, writer: &mut Writer) -> Fed {
        let inlet = Inlet::new(self.input, self.stop, None);
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let bytes = match inlet.read(&mut buffer) {
                Ok(Got::Stopped | Got::OutputGone) => return Fed::Stopped,
                Ok(Got::Bytes(0)) => return Fed::All,
                Ok(Got::Bytes(len)) => &buffer[..len],
                Err(error) => return Fed::Input(Failure::io(format!("cannot read {}", self.input.name))(error)),
            };
            self.tally.took(bytes.len() as u64);
            if let Err(failure) = self.write(writer, bytes) {
                return Fed::Writer(failure);
            }
        }
    }

    fn write(&self, writer: &mut Writer, mut bytes: &[u8]) -> Result<(), Failure> {
        // Not write_all, which tries again for ever when a wait for room was cancelled.
        while !bytes.is_empty() {
            let taken = writer.write(bytes).map_err(|error| io_failure(error, "cannot write to the spool"))?;
            bytes = &bytes[taken..];
        }
        if (self.at_once)() {
            writer.publish().map_err(|error| text::failure(&error, ""))?;
        }
        Ok(())
    }
}

/// Has what the writer tells go to the queue.
pub(super) fn listen(writer: Writer, session: &Session, dir: PathBuf, when_full: WhenFull) -> Writer {
    let (queue, episodes) = (session.queue.clone(), Mutex::new(Episodes::default()));
    writer.on_event(move |event| {
        let mut episodes = episodes.lock().unwrap_or_else(PoisonError::into_inner);
        let news = match event {
            WriterEvent::Full(_) => episodes.full(Instant::now()),
            WriterEvent::Resumed { .. } => episodes.resumed(Instant::now()),
            _ => true,
        };
        if let Some((loudness, text)) = text::event(&event, &dir, when_full).filter(|_| news) {
            queue.push(loudness, text);
        }
    })
}

/// Ends the writer's work as the input ended: `end` if all of it came.
pub(super) fn finish(writer: Writer, fed: Fed, end: EndState) -> (WriterStats, Option<Failure>) {
    let so_far = writer.stats();
    let (end, failure) = match fed {
        Fed::All => (end, None),
        Fed::Stopped => (EndState::Aborted, None),
        Fed::Input(failure) | Fed::Writer(failure) => (EndState::Aborted, Some(failure)),
    };
    match writer.finish(end) {
        Ok(stats) => (stats, failure),
        Err(error) => (so_far, failure.or_else(|| Some(text::failure(&error, "")))),
    }
}

/// The options that the arguments ask for.
pub(super) fn options(storage: &StorageArgs) -> WriterOptions {
    let mut options = WriterOptions::default();
    options.chunk_bytes = storage.chunk_size.0.try_into().unwrap_or(usize::MAX);
    options.codec = storage.codec;
    options.threads = storage.threads.unwrap_or(options.threads);
    options.sync = sync(storage.sync.0);
    options.max_disk_bytes = storage.max_disk.map(|size| size.0);
    options.min_free = headroom(storage.min_free);
    options.when_full = storage.when_full.into();
    options
}

/// At the end everything is synced, also with `none`: only never before.
fn sync(asked: Sync) -> Sync {
    if asked == Sync::Asked { Sync::Interval(Duration::MAX) } else { asked }
}

/// The figures of what was taken in.
pub(super) fn figures(stats: &WriterStats, tally: &Tally) -> Map<String, Value> {
    let ratio = (stats.stored_bytes > 0).then(|| ratio(stats.bytes, stats.stored_bytes));
    let figures = json!({
        "bytes_in": tally.snapshot().bytes_in,
        "producer_waited_seconds": seconds(stats.waited),
        "stored_bytes": stats.stored_bytes,
        "ratio": ratio,
        "chunks_in": stats.chunks,
        "segments": stats.segments,
        "syncs": stats.syncs,
        "dropped_chunks": stats.dropped.chunks,
        "dropped_bytes": stats.dropped.bytes,
    });
    match figures {
        Value::Object(figures) => figures,
        _ => Map::new(),
    }
}
