//! Out of a spool to an output, acknowledging what was written.

use super::text;
use crate::cli::deadly::Deadly;
use crate::cli::digest::Digest;
use crate::cli::ends::PipeEnd;
use crate::cli::exit::{Exit, Failure};
use crate::cli::session::Session;
use crate::cli::text::{Loudness, plain};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::{Map, Value, json};
use spillpipe::spool::{Batch, Ended, Error, Next, Reader, ReaderStats};
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a consumer that went away may stay unnoticed while nothing is there to be written, and data whose
/// notification was lost.
const CONSUMER_LOOK: Duration = Duration::from_millis(250);

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Something was handed out, or told.
    Moved,
    /// A stream ended.
    Ended(Ended),
    /// There is nothing more for now.
    Empty,
    /// As many bytes as were wanted are out.
    Enough,
}

/// Hands out.
pub(super) struct Handout<'a> {
    pub(super) reader: Reader,
    outlet: Outlet<'a>,
    dir: &'a Path,
    /// Whether what was written is acknowledged.
    pub(super) acknowledge: bool,
    /// Bytes still wanted, if there is a limit.
    pub(super) wanted_bytes: Option<u64>,
    /// Where the first incomplete stream ended that was among what was handed out.
    incomplete_at: Option<u64>,
    damages_told: u64,
    /// Batches left behind that were not whole any more, and what of them was lost.
    broken_batches: u64,
    broken_bytes: u64,
}

/// Where it goes.
struct Outlet<'a> {
    output: &'a PipeEnd,
    session: &'a Session,
    digest: Option<Digest>,
    deadly: &'a Deadly,
}

impl Outlet<'_> {
    /// Writes all of it; else how much, and why not more.
    fn put(&self, bytes: &[u8]) -> (usize, Result<(), Failure>) {
        let started = Instant::now();
        let (written, result) = self.deadly.write(|| write(self.output, bytes));
        if let Some(digest) = &self.digest {
            digest.update(&bytes[..written]);
        }
        self.session.tally.gave(written as u64, started.elapsed());
        (written, result)
    }

    fn warn(&self, text: &str) {
        self.session.teller.say(Loudness::Warning, text);
    }
}

impl<'a> Handout<'a> {
    /// From a reader to an output, until a signal comes.
    pub(super) fn new(
        reader: Reader,
        output: &'a PipeEnd,
        session: &'a Session,
        dir: &'a Path,
        deadly: &'a Deadly,
        digest: Option<Digest>,
    ) -> Self {
        Self {
            reader: syncing(reader, output),
            outlet: Outlet { output, session, digest, deadly },
            dir,
            acknowledge: true,
            wanted_bytes: None,
            incomplete_at: None,
            damages_told: 0,
            broken_batches: 0,
            broken_bytes: 0,
        }
    }

    /// Hands out what was left behind, oldest first. A batch that is not written to its end stays left behind.
    pub(super) fn catch_up(&mut self) -> Result<(), Failure> {
        for batch in self.reader.left_behind() {
            self.outlet.deadly.check()?;
            let mut result = Ok(());
            let fed = self.reader.feeder(&batch).feed(&mut |bytes| {
                result = self.outlet.put(bytes).1;
                result.as_ref().map_err(|_| io::Error::other("the output takes no more")).copied()
            });
            result?;
            let fed = fed.map_err(|error| failure(&error))?;
            self.tell_if_broken(&batch, fed.bytes);
            self.reader.ack_batch(&batch).map_err(|error| failure(&error))?;
        }
        Ok(())
    }

    /// Tells of a batch that was left behind, if not all of it was there.
    fn tell_if_broken(&mut self, batch: &Batch, bytes: u64) {
        let lost_bytes = batch.bytes.saturating_sub(bytes);
        if lost_bytes > 0 {
            self.broken_batches += 1;
            self.broken_bytes += lost_bytes;
            self.tell_damage(|dir| text::broken_batch(batch, lost_bytes, dir));
        }
    }

    fn tell_damage(&mut self, text: impl FnOnce(&Path) -> String) {
        self.damages_told += 1;
        if self.damages_told <= text::DAMAGES_TOLD_MAX {
            self.outlet.warn(&text(self.dir));
        }
    }

    /// Hands out what comes next. Waits for the consumer, never for data.
    pub(super) fn step(&mut self) -> Result<Step, Failure> {
        self.outlet.deadly.check()?;
        match self.reader.next().map_err(|error| failure(&error))? {
            Next::Data(data) => {
                let wanted = self.wanted_bytes.unwrap_or(u64::MAX);
                let len = data.bytes.len().min(wanted.try_into().unwrap_or(usize::MAX));
                let (written, result) = self.outlet.put(&data.bytes[..len]);
                let place = data.place(written);
                if self.acknowledge && written > 0 {
                    self.reader.ack(place).map_err(|error| failure(&error))?;
                }
                result?;
                self.wanted_bytes = self.wanted_bytes.map(|wanted| wanted - written as u64);
                Ok(if self.wanted_bytes == Some(0) { Step::Enough } else { Step::Moved })
            }
            Next::Gap(gap) => {
                self.outlet.warn(&text::gap(gap));
                self.deal_with_told()?;
                Ok(Step::Moved)
            }
            Next::Damage(damage) => {
                self.tell_damage(|dir| text::damage(&damage, dir));
                self.deal_with_told()?;
                Ok(Step::Moved)
            }
            Next::End(ended) => {
                if ended == Ended::Incomplete {
                    self.note_incomplete();
                }
                self.deal_with_told()?;
                Ok(Step::Ended(ended))
            }
            Next::Empty { .. } => Ok(Step::Empty),
        }
    }

    /// There is nothing more: how the stream ended here may have been told by an earlier run.
    pub(super) fn note_end(&mut self) {
        if self.reader.told() == Some(Ended::Incomplete) {
            self.note_incomplete();
        }
    }

    fn note_incomplete(&mut self) {
        self.incomplete_at = self.incomplete_at.or(Some(self.reader.position().offset.0));
    }

    /// What was told needs no telling again.
    fn deal_with_told(&mut self) -> Result<(), Failure> {
        if !self.acknowledge {
            return Ok(());
        }
        let place = self.reader.position();
        self.reader.ack(place).map_err(|error| failure(&error))
    }

    /// Waits for something to hand out, for a while, and looks whether the consumer is still there.
    pub(super) fn wait(&mut self) -> Result<(), Failure> {
        self.reader.wait(CONSUMER_LOOK, Some(self.outlet.deadly.cancel())).map_err(|error| failure(&error))?;
        if consumer_gone(self.outlet.output) { Err(gone()) } else { Ok(()) }
    }

    /// Makes the acknowledgements durable, and returns the figures. `failure` is why the work ended, if it did not
    /// end well.
    pub(super) fn end(self, failure: Option<Failure>) -> HandedOut {
        let (so_far, offset_bytes) = (self.reader.stats(), self.reader.acknowledged().offset.0);
        let closed = if self.acknowledge { self.reader.close() } else { Ok(so_far) };
        let (mut stats, failure) = match closed {
            Ok(stats) => (stats, failure),
            Err(error) => (so_far, failure.or_else(|| Some(self::failure(&error)))),
        };
        stats.damages += self.broken_batches;
        stats.lost_bytes += self.broken_bytes;
        HandedOut { stats, offset_bytes, incomplete_at: self.incomplete_at, failure }
    }
}

/// What goes into a file is to be durable before it goes from the spool.
fn syncing(reader: Reader, output: &PipeEnd) -> Reader {
    let is_file = output.file.metadata().is_ok_and(|meta| meta.is_file());
    match output.file.try_clone() {
        Ok(file) if is_file => reader.before_persist(move || file.sync_data()),
        _ => reader,
    }
}

/// How handing out ended.
pub(super) struct HandedOut {
    pub(super) stats: ReaderStats,
    /// Up to here the stream is acknowledged.
    pub(super) offset_bytes: u64,
    pub(super) incomplete_at: Option<u64>,
    pub(super) failure: Option<Failure>,
}

impl HandedOut {
    /// The figures of what was handed out.
    pub(super) fn figures(&self, bytes_out: u64) -> Map<String, Value> {
        let stats = &self.stats;
        let figures = json!({
            "bytes_out": bytes_out,
            "chunks_out": stats.chunks,
            "offset_bytes": self.offset_bytes,
            "incomplete": self.incomplete_at.is_some(),
            "gap_bytes": stats.gap.bytes,
            "gap_chunks": stats.gap.chunks,
            "damages": stats.damages,
            "lost_bytes": stats.lost_bytes,
            "lost_chunks": stats.lost_chunks,
            "segments_removed": stats.segments_removed,
        });
        match figures {
            Value::Object(figures) => figures,
            _ => Map::new(),
        }
    }
}

fn failure(error: &Error) -> Failure {
    text::failure(error, "")
}

fn gone() -> Failure {
    Failure { exit: Exit::ConsumerGone, text: "the consumer went away".to_owned() }
}

/// Writes all of it; else how much, and why not more.
fn write(output: &PipeEnd, bytes: &[u8]) -> (usize, Result<(), Failure>) {
    let mut written = 0;
    while written < bytes.len() {
        let error = match (&output.file).write(&bytes[written..]) {
            Ok(0) => ErrorKind::WriteZero.into(),
            Ok(len) => {
                written += len;
                continue;
            }
            Err(error) => error,
        };
        match error.kind() {
            ErrorKind::Interrupted => {}
            // The descriptor may be shared with someone who made it non-blocking.
            ErrorKind::WouldBlock => {
                let _ = poll(&mut [PollFd::new(&output.file, PollFlags::OUT)], None); // The write will tell.
            }
            ErrorKind::BrokenPipe => return (written, Err(gone())),
            _ => {
                let text = format!("cannot write {}: {}", output.name, plain(&error));
                return (written, Err(Failure::new(text)));
            }
        }
    }
    (written, Ok(()))
}

/// Whether nobody can read any more what is written; never of a file.
fn consumer_gone(output: &PipeEnd) -> bool {
    // Nothing asked for: errors and hang-ups are told all the same.
    let mut fds = [PollFd::new(&output.file, PollFlags::empty())];
    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok()
        && fds[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}
