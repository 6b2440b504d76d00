//! One thread that looks at the meter: draws the progress, answers SIGUSR1, tells of events.
//!
//! ```text
//! SIGUSR1 ──────────┐
//! events ──> queue ─┼─ one byte each ──> thread ──> teller
//! stop ─────────────┘                     └─ and every interval, when there is progress to show
//! ```
//!
//! The engine never waits for a terminal or a log: an event is queued, and when the queue is full it is lost. With no
//! progress to show the thread sleeps until something happens.

use super::exit::Failure;
use super::figures::Period;
use super::line::{self, Progress};
use super::signals::{STATUS_BYTE, Signals};
use super::teller::Teller;
use super::text::Loudness;
use spillpipe::pipe::Snapshot;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Messages that wait to be told.
const MESSAGES_MAX: usize = 64;
/// The shortest time that a rate is worth telling for: in less, nothing at all may have moved.
const ASKED_MIN: Duration = Duration::from_millis(500);
/// Looks at the meter that the time left is estimated from.
const TREND_LOOKS_MAX: usize = 30;
/// Columns of a plain progress line, in a log or a pipe.
const PLAIN_COLUMNS: usize = 121;
/// Columns of a terminal that does not say.
const TERMINAL_COLUMNS: usize = 80;

const MESSAGE_BYTE: u8 = b'm';
const STOP_BYTE: u8 = b'q';

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Not at all.
    Hidden,
    /// In one place of a terminal.
    InPlace,
    /// A line each time.
    Lines,
}

/// What the thread works with.
pub(super) struct Watch {
    /// Looks at the meter.
    pub(super) look: Box<dyn Fn() -> Snapshot + Send>,
    /// What SIGUSR1 is answered with.
    pub(super) status: fn(Period<'_>) -> String,
    pub(super) teller: Arc<Teller>,
    pub(super) style: Style,
    pub(super) interval: Duration,
    pub(super) name: Option<String>,
    /// Bytes expected, known once the input is open.
    pub(super) size_bytes: Arc<OnceLock<u64>>,
}

/// The running thread.
#[derive(Debug)]
pub(super) struct Watcher {
    wake: UnixStream,
    thread: JoinHandle<()>,
}

/// Queues messages for the thread.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    messages: SyncSender<(Loudness, String)>,
    wake: Arc<UnixStream>,
}

impl Queue {
    /// Queues a message. Never waits.
    pub(super) fn push(&self, loudness: Loudness, text: String) {
        if self.messages.try_send((loudness, text)).is_ok() {
            // When the stream is full, enough bytes are in it to wake the thread.
            let _ = (&*self.wake).write(&[MESSAGE_BYTE]);
        }
    }
}

impl Watcher {
    /// Starts the thread.
    pub(super) fn start(signals: Signals, watch: Watch) -> Result<(Self, Queue), Failure> {
        let (sender, messages) = sync_channel(MESSAGES_MAX);
        let start = || {
            let queue = Queue { messages: sender, wake: Arc::new(signals.wake.try_clone()?) };
            let look = Look { last: (watch.look)(), trend: VecDeque::new() };
            let run = move || run(signals.status, &messages, &watch, look);
            let thread = thread::Builder::new().name("watcher".to_owned()).spawn(run)?;
            Ok((Self { wake: signals.wake, thread }, queue))
        };
        start().map_err(Failure::io("cannot start a thread"))
    }

    /// Tells what is still queued, removes the progress line and ends the thread. A SIGUSR1 that comes later is
    /// ignored.
    pub(super) fn stop(mut self) {
        while let Err(error) = self.wake.write(&[STOP_BYTE]) {
            if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) {
                return;
            }
            thread::yield_now(); // Full of bytes that the thread is reading now.
        }
        let _ = self.thread.join();
    }
}

/// The looks of the past.
struct Look {
    last: Snapshot,
    trend: VecDeque<Snapshot>,
}

fn run(mut bytes: UnixStream, messages: &Receiver<(Loudness, String)>, watch: &Watch, mut look: Look) {
    let zero = look.last.clone();
    let mut asked = zero.clone();
    let mut next = Instant::now() + watch.interval;
    loop {
        let woken = wait(&mut bytes, (watch.style != Style::Hidden).then_some(next));
        for (loudness, text) in messages.try_iter() {
            watch.teller.say(loudness, &text);
        }
        match woken {
            Ok(Some(STATUS_BYTE)) => {
                let now = (watch.look)();
                watch.teller.answer(&(watch.status)(asked_period(&zero, &asked, &now)));
                asked = now;
            }
            Ok(Some(STOP_BYTE)) | Err(_) => break,
            Ok(Some(_)) => {}
            Ok(None) => {
                look.show(watch);
                next = (next + watch.interval).max(Instant::now());
            }
        }
    }
    watch.teller.clear();
}

/// What the rates of an answer are taken over: since the last answer, or since the start when that was just now.
fn asked_period<'a>(zero: &'a Snapshot, asked: &'a Snapshot, now: &'a Snapshot) -> Period<'a> {
    let long = now.elapsed.saturating_sub(asked.elapsed) >= ASKED_MIN;
    Period { from: if long { asked } else { zero }, to: now }
}

/// The next byte; `None` when it is time for progress.
fn wait(bytes: &mut UnixStream, until: Option<Instant>) -> io::Result<Option<u8>> {
    let timeout = until.map(|until| until.saturating_duration_since(Instant::now()));
    if timeout == Some(Duration::ZERO) {
        return Ok(None);
    }
    bytes.set_read_timeout(timeout)?;
    let mut byte = [0];
    match bytes.read(&mut byte) {
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Ok(_) => Ok(Some(byte[0])),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(None),
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(Some(MESSAGE_BYTE)),
        Err(error) => Err(error),
    }
}

impl Look {
    fn show(&mut self, watch: &Watch) {
        let now = (watch.look)();
        let progress = Progress {
            period: Period { from: &self.last, to: &now },
            trend: Period { from: self.trend.front().unwrap_or(&self.last), to: &now },
            size_bytes: watch.size_bytes.get().copied(),
            name: watch.name.as_deref(),
        };
        match watch.style {
            Style::Lines => watch.teller.plain(&(line::progress(&progress, PLAIN_COLUMNS) + "\n")),
            Style::InPlace if in_foreground() => watch.teller.draw(&line::progress(&progress, terminal_columns())),
            Style::InPlace | Style::Hidden => {}
        }
        if self.trend.len() == TREND_LOOKS_MAX {
            self.trend.pop_front();
        }
        self.trend.push_back(std::mem::replace(&mut self.last, now));
    }
}

/// Whether the terminal is ours to draw on: a job in the background would draw over another's work.
fn in_foreground() -> bool {
    rustix::termios::tcgetpgrp(rustix::stdio::stderr()).map_or(true, |group| group == rustix::process::getpgrp())
}

fn terminal_columns() -> usize {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stderr());
    size.ok().map(|size| size.ws_col.into()).filter(|&columns| columns > 0).unwrap_or(TERMINAL_COLUMNS)
}

#[cfg(test)]
mod tests {
    use super::super::figures::tests::snapshot;
    use super::*;

    #[test]
    fn who_asks_twice_at_once_is_told_the_rates_since_the_start() {
        let [zero, asked, later] = [0, 10, 12].map(|seconds| snapshot(seconds, |s| s.bytes_in = 100 * seconds));
        let mut soon = asked.clone();
        soon.elapsed += Duration::from_millis(10);
        let rate = |now| asked_period(&zero, &asked, now).in_rate();
        assert_eq!((rate(&later), rate(&soon)), (100, 99), "10 ms in which nothing came are no rate of 0");
    }
}
