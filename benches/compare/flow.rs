//! One measurement: a producer, a tool, a consumer, who both are threads of ours, and what is to be known of it.
//!
//! ```text
//! Input ── producer ──> pipe ──> the tool's processes ──> pipe ──> consumer ── length and checksum
//!                                        watch
//! ```

use crate::context::Context;
use crate::input::Input;
use crate::peers::Tool;
use crate::process::Pipeline;
use crate::queues::disk_bytes;
use crate::watch::{Seen, watch};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::OnceLock;
use std::sync::mpsc::sync_channel;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

/// After the producer's end, so that what is still on its way through the tool arrives where it stays.
const SETTLED_AFTER: Duration = Duration::from_millis(500);
const HELD_LOOKS_EVERY: Duration = Duration::from_millis(1);
/// What takes longer hangs.
const RUN_MAX: Duration = Duration::from_mins(15);
const SMOKE_RUN_MAX: Duration = Duration::from_mins(1);
/// A consumer that was late makes up for so much, and no more: one that got nothing for a while is no faster later.
const CATCH_UP_MAX: Duration = Duration::from_millis(10);

/// How fast the consumer is, in bytes a second.
#[derive(Clone, Copy)]
pub(crate) enum Consume {
    Freely,
    At(f64),
    /// Freely once the producer has ended, to save time: what happens after that is not measured.
    AtWhileProduced(f64),
    /// Nothing until the producer has ended.
    Held,
}

pub(crate) struct Flow<'a> {
    pub(crate) input: &'a Input,
    /// So much of it.
    pub(crate) bytes: u64,
    pub(crate) write_bytes: usize,
    pub(crate) produce: Option<f64>,
    pub(crate) read_bytes: usize,
    pub(crate) consume: Consume,
    /// Its checksum, if the consumer is to compute it; the length is always compared.
    pub(crate) crc: Option<u32>,
}

/// What was measured. Seconds are counted from before the tool was started.
pub(crate) struct Outcome {
    /// Until the producer's last byte was taken.
    pub(crate) producer_seconds: f64,
    /// Until the consumer met the end.
    pub(crate) total_seconds: f64,
    /// From the consumer's first read to its end.
    pub(crate) drain_seconds: f64,
    /// Of the tool's processes.
    pub(crate) cpu_seconds: f64,
    pub(crate) seen: Seen,
    /// What spillpipe said of itself.
    pub(crate) stats: serde_json::Value,
}

/// What was measured of two commands, one after the other.
pub(crate) struct InTwo {
    pub(crate) push_seconds: f64,
    pub(crate) pop_seconds: f64,
    /// Of files, when all was pushed.
    pub(crate) kept_bytes: u64,
    /// Of both.
    pub(crate) cpu_seconds: f64,
}

/// What is done after the producer's end and before a held consumer reads, given the processes.
pub(crate) type Inspect<'a> = &'a dyn Fn(&[u32]) -> io::Result<()>;

impl Flow<'_> {
    pub(crate) fn through(&self, context: &Context, tool: &Tool) -> io::Result<Outcome> {
        self.inspected(context, tool, &|_| Ok(()))
    }

    pub(crate) fn inspected(&self, context: &Context, tool: &Tool, inspect: Inspect<'_>) -> io::Result<Outcome> {
        context.settle(self.input)?;
        let feed = self.input.feed(self.bytes, self.write_bytes)?;
        let produced = OnceLock::new();
        let (reader, producer_end) = io::pipe()?;
        let start = Instant::now();
        let (pipeline, consumer_end) = if tool.stages.is_empty() {
            (None, reader)
        } else {
            let (consumer_end, writer) = io::pipe()?;
            (Some(Pipeline::start(&tool.stages, reader, writer, &context.complaints())?), consumer_end)
        };
        let pids = pipeline.as_ref().map(Pipeline::pids).unwrap_or_default();
        let (work, (stop, stopped)) = (&context.work, sync_channel::<()>(0));
        let until = Instant::now() + context.scaled(RUN_MAX, SMOKE_RUN_MAX);
        let (sent, received, cpu, seen) = scope(|s| {
            let watcher = s.spawn(|| watch(&pids, work, start, until, stopped));
            let sender = s.spawn(|| produce(feed, producer_end, self.produce, &produced));
            let received = self.consume(consumer_end, &produced, || inspect(&pids));
            let sent = joined(sender);
            let cpu = pipeline.map_or(Ok(0.0), Pipeline::wait);
            drop(stop);
            (sent, received, cpu, joined(watcher))
        });
        if seen.killed {
            return Err(io::Error::other("it hung and was killed"));
        }
        // A tool that failed says more than the broken pipe that followed from it.
        let cpu_seconds = cpu?;
        sent?;
        let (drain_from, ended) = received?;
        Ok(Outcome {
            producer_seconds: seconds(start, *produced.get_or_init(Instant::now)),
            total_seconds: seconds(start, ended),
            drain_seconds: seconds(drain_from, ended),
            cpu_seconds,
            seen,
            stats: context.take_stats(),
        })
    }

    /// By way of a temporary file: into it, by `cat` or directly; then, if `consumed`, out of it to the consumer.
    pub(crate) fn through_file(&self, context: &Context, by_cat: bool, consumed: bool) -> io::Result<Outcome> {
        context.settle(self.input)?;
        let feed = self.input.feed(self.bytes, self.write_bytes)?;
        let produced = OnceLock::new();
        let path = context.work.join("file");
        let (work, (stop, stopped)) = (&context.work, sync_channel::<()>(0));
        let until = Instant::now() + context.scaled(RUN_MAX, SMOKE_RUN_MAX);
        let start = Instant::now();
        let file = File::create(&path)?;
        let run = || {
            let mut cpu_seconds = 0.0;
            if by_cat {
                let (reader, writer) = io::pipe()?;
                let cat = Pipeline::start(&[vec!["cat".to_owned()]], reader, file, &context.complaints())?;
                let sent = produce(feed, writer, self.produce, &produced);
                cpu_seconds = cat.wait()?;
                sent?;
            } else {
                produce(feed, file, self.produce, &produced)?;
            }
            let flow = if consumed { self.consume } else { Consume::Freely };
            let times = Flow { consume: flow, ..*self }.consume(File::open(&path)?, &produced, || Ok(()))?;
            Ok((cpu_seconds, times))
        };
        let (done, seen) = scope(|s| {
            let watcher = s.spawn(|| watch(&[], work, start, until, stopped));
            let done: io::Result<_> = run();
            drop(stop);
            (done, joined(watcher))
        });
        std::fs::remove_file(&path)?;
        let (cpu_seconds, (drain_from, ended)) = done?;
        Ok(Outcome {
            producer_seconds: seconds(start, *produced.get_or_init(Instant::now)),
            total_seconds: seconds(start, ended),
            drain_seconds: seconds(drain_from, ended),
            cpu_seconds,
            seen,
            stats: serde_json::Value::Null,
        })
    }

    /// By way of something that stays: the tool's first command takes all, and when that has ended the second one
    /// hands it out. Returns the seconds of both, the bytes of `kept` in between, and the CPU seconds.
    pub(crate) fn in_two(&self, context: &Context, tool: &Tool, kept: &Path) -> io::Result<InTwo> {
        let [push, pop] = tool.stages.as_slice() else { return Err(io::ErrorKind::InvalidInput.into()) };
        context.settle(self.input)?;
        let feed = self.input.feed(self.bytes, self.write_bytes)?;
        let start = Instant::now();
        let (reader, writer) = io::pipe()?;
        let pushing = Pipeline::start(std::slice::from_ref(push), reader, Stdio::null(), &context.complaints())?;
        let produced = OnceLock::new();
        let sent = produce(feed, writer, self.produce, &produced);
        let mut cpu_seconds = pushing.wait()?;
        sent?;
        let pushed = Instant::now();
        let kept_bytes = disk_bytes(kept)?;
        let start_pop = Instant::now();
        let (reader, writer) = io::pipe()?;
        let popping = Pipeline::start(std::slice::from_ref(pop), Stdio::null(), writer, &context.complaints())?;
        let received = self.consume(reader, &produced, || Ok(()));
        cpu_seconds += popping.wait()?;
        received?;
        Ok(InTwo {
            push_seconds: seconds(start, pushed),
            pop_seconds: start_pop.elapsed().as_secs_f64(),
            kept_bytes,
            cpu_seconds,
        })
    }

    /// Reads to the end and compares; when it began, and when it ended.
    pub(crate) fn consume(
        &self,
        mut from: impl Read,
        produced: &OnceLock<Instant>,
        inspect: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<(Instant, Instant)> {
        let settled = || produced.get().is_some_and(|at| at.elapsed() > SETTLED_AFTER);
        let mut buffer = vec![0; self.read_bytes];
        let mut inspected = Ok(());
        if matches!(self.consume, Consume::Held) {
            while !settled() {
                sleep(HELD_LOOKS_EVERY);
            }
            inspected = inspect();
        }
        let begun = Instant::now();
        let mut pacer = match self.consume {
            Consume::At(rate) | Consume::AtWhileProduced(rate) => Some(Pacer { rate, due: begun }),
            Consume::Freely | Consume::Held => None,
        };
        let (mut hasher, mut bytes) = (crc32fast::Hasher::new(), 0);
        loop {
            let n = match from.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            if n == 0 {
                break;
            }
            bytes += n as u64;
            if self.crc.is_some() {
                hasher.update(&buffer[..n]);
            }
            if matches!(self.consume, Consume::AtWhileProduced(_)) && pacer.is_some() && settled() {
                pacer = None;
            }
            if let Some(pacer) = &mut pacer {
                pacer.wait(n);
            }
        }
        let ended = Instant::now();
        inspected?;
        if bytes != self.bytes {
            return Err(io::Error::other(format!("{bytes} bytes came out of {}", self.bytes)));
        }
        match self.crc.filter(|crc| *crc != hasher.finalize()) {
            Some(_) => Err(io::Error::other("what came out is not what went in: the checksums differ")),
            None => Ok((begun, ended)),
        }
    }
}

/// Writes all of it, then says so, also when it failed: nobody shall wait for it.
fn produce(
    mut feed: crate::input::Feed<'_>,
    mut into: impl Write,
    rate: Option<f64>,
    produced: &OnceLock<Instant>,
) -> io::Result<()> {
    let mut pacer = rate.map(|rate| Pacer { rate, due: Instant::now() });
    let mut write = || {
        while let Some(bytes) = feed.next()? {
            into.write_all(bytes)?;
            if let Some(pacer) = &mut pacer {
                pacer.wait(bytes.len());
            }
        }
        Ok(())
    };
    let written = write();
    produced.get_or_init(Instant::now);
    written.map_err(|error: io::Error| match error.kind() {
        io::ErrorKind::BrokenPipe => io::Error::new(error.kind(), "it ended before it had taken everything"),
        _ => error,
    })
}

/// Keeps to a rate in bytes a second.
struct Pacer {
    rate: f64,
    due: Instant,
}

impl Pacer {
    fn wait(&mut self, bytes: usize) {
        let now = Instant::now();
        self.due = self.due.max(now.checked_sub(CATCH_UP_MAX).unwrap_or(now));
        self.due += Duration::from_secs_f64(bytes as f64 / self.rate);
        sleep(self.due.saturating_duration_since(now));
    }
}

fn seconds(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64()
}

fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
