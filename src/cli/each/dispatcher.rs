//! The one thread that has the reader: hands batches to jobs, acknowledges what they have dealt with.
//!
//! ```text
//! left behind ──┐
//! next_batch  ──┴─> job threads (at most --jobs) ──> channel ──> ack_batch, leave_behind
//!                                                └── Waker ends the reader's wait
//! ```
//!
//! A batch that is handed out stays the reader's until it is acknowledged, so whatever ends this, it comes again.

use super::args::{EachArgs, OnFailure};
use super::digest::DigestTap;
use super::job::{Done, Job, Jobs, Verdict};
use super::offers::Offers;
use super::report::{Figures, batch_name, count};
use super::waker::Waker;
use crate::cli::exit::Ending;
use crate::cli::exit::Failure;
use crate::cli::spool::ending;
use crate::cli::spool::text;
use crate::cli::text::counted;
use rustix::process::Signal;
use spillpipe::spool::{Batch, BatchLimits, Ended, Error, NextBatch, Reader, Woken};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread::{Builder, Scope};
use std::time::{Duration, Instant};

/// How long commands may take to end once they were sent a signal.
const GRACE: Duration = Duration::from_secs(2);
/// The longest single wait; nothing depends on it.
const WAIT_MAX: Duration = Duration::from_hours(1);

/// What the dispatcher hears.
#[derive(Debug)]
pub(super) enum Message {
    /// A job is at its end.
    Done(Done),
    /// This signal ends everything.
    Deadly(i32),
}

/// How it all ended.
#[derive(Debug, Default)]
pub(super) struct End {
    /// The first thing that went wrong.
    pub(super) failure: Option<Failure>,
    /// The signal that ended it.
    pub(super) signal: Option<i32>,
    incomplete: bool,
}

/// Hands out batches.
#[derive(Debug)]
pub(super) struct Dispatcher<'a> {
    jobs: &'a Jobs<'a>,
    reader: Reader,
    waker: &'a Waker,
    tap: DigestTap,
    offers: Offers,
    running: usize,
    /// Batches that the reader is still to be told of.
    unsettled: Vec<Unsettled>,
    /// The batch that is being put together is all that is there.
    is_last: bool,
    /// Nothing new is handed out any more.
    dry: bool,
    /// Something was told that is no batch: the reader is to go on behind it.
    told: bool,
    /// The end of a stream that was met in this run, if nothing came after it.
    ended: Option<Ended>,
    /// When acknowledgements are to be made durable that are in memory alone.
    persist_due: Option<Instant>,
    /// When commands that are to end are killed.
    kill_due: Option<Instant>,
    end: End,
}

/// A batch that went through its job.
#[derive(Debug)]
struct Unsettled {
    batch: Batch,
    /// `None`: acknowledged. Otherwise left behind, after so many attempts.
    left_after: Option<u32>,
}

/// What to do next.
enum Step {
    Start(Box<Job>),
    /// Look again at once.
    Again,
    /// Wait for the spool to change, or for a job.
    Watch(Duration),
    /// Wait for a job.
    Await,
}

impl<'a> Dispatcher<'a> {
    pub(super) fn new(jobs: &'a Jobs<'a>, reader: Reader, waker: &'a Waker) -> Self {
        let left = reader.left_behind();
        jobs.report.count(|figures| left.iter().for_each(|batch| figures.left.add(batch.bytes)));
        Self {
            jobs,
            reader,
            waker,
            tap: DigestTap::default(),
            offers: Offers::new(left, jobs.args.retry_every, Instant::now()),
            running: 0,
            unsettled: Vec::new(),
            is_last: false,
            dry: false,
            told: false,
            ended: None,
            persist_due: None,
            kill_due: None,
            end: End::default(),
        }
    }

    /// Hands out batches until nothing is left to do; `sender` is the other end of `messages`.
    pub(super) fn run<'scope>(
        mut self,
        scope: &'scope Scope<'scope, '_>,
        messages: &Receiver<Message>,
        sender: &SyncSender<Message>,
    ) -> End
    where
        'a: 'scope,
    {
        loop {
            match self.turn(scope, messages, sender) {
                Ok(true) => {}
                Ok(false) => break,
                Err(failure) => self.fail(failure),
            }
        }
        self.finish()
    }

    /// One step; false when there is none any more.
    fn turn<'scope>(
        &mut self,
        scope: &'scope Scope<'scope, '_>,
        messages: &Receiver<Message>,
        sender: &SyncSender<Message>,
    ) -> Result<bool, Failure>
    where
        'a: 'scope,
    {
        if let Ok(message) = messages.try_recv() {
            self.hear(message)?;
            return Ok(true);
        }
        let free = self.running < self.jobs.args.jobs && self.unsettled.is_empty() && !self.is_ending();
        match if free { self.next()? } else { Step::Await } {
            Step::Start(job) => self.start(scope, *job, sender.clone())?,
            Step::Again => {}
            Step::Watch(time) => {
                self.pass_told()?;
                if self.reader.wait(time, Some(&self.waker.cancel())).map_err(explain)? == Woken::Cancelled {
                    self.waker.renew().map_err(Failure::io("cannot wait"))?;
                }
            }
            Step::Await if self.running == 0 => return Ok(false),
            Step::Await => self.await_message(messages)?,
        }
        Ok(true)
    }

    fn is_ending(&self) -> bool {
        self.end.failure.is_some() || self.end.signal.is_some()
    }

    fn next(&mut self) -> Result<Step, Failure> {
        if let Some(offer) = self.offers.take_due(Instant::now()) {
            let retries = if offer.retries { self.jobs.args.retries } else { 0 };
            self.jobs.report.count(|figures| figures.left.subtract(offer.batch.bytes));
            return Ok(self.job(offer.batch, retries, false));
        }
        if self.dry {
            return Ok(Step::Await);
        }
        let args = self.jobs.args;
        let age = match (args.follow, self.is_last) {
            (true, _) => args.batch_age,
            (false, false) => Duration::MAX,
            (false, true) => Duration::ZERO,
        };
        match self.reader.next_batch(BatchLimits { bytes: args.batch_bytes.0, age }, &mut self.tap) {
            Ok(NextBatch::Batch(batch)) => {
                (self.ended, self.is_last) = (None, false);
                return Ok(self.job(batch, args.retries, true));
            }
            Ok(NextBatch::Gap(gap)) => {
                self.told = true;
                self.jobs.report.gap(gap);
            }
            Ok(NextBatch::Damage(damage)) => {
                self.told = true;
                self.jobs.report.damage(&damage);
            }
            Ok(NextBatch::End(ended)) => {
                self.told = true;
                self.end.incomplete |= ended == Ended::Incomplete;
                self.ended = Some(ended);
            }
            Ok(NextBatch::Waiting { due, .. }) if args.follow && (due.is_some() || self.ended.is_none()) => {
                let next = self.offers.next_due().map(|due| due.saturating_duration_since(Instant::now()));
                return Ok(Step::Watch([due, next].into_iter().flatten().fold(WAIT_MAX, Duration::min)));
            }
            Ok(NextBatch::Waiting { due: Some(_), .. }) => self.is_last = true,
            Ok(NextBatch::Waiting { .. }) => {
                self.dry = true;
                self.offers.forget();
            }
            Err(error) => return Err(explain(error)),
        }
        Ok(Step::Again)
    }

    fn job(&self, batch: Batch, retries: u32, fresh: bool) -> Step {
        let feeder = self.reader.feeder(&batch);
        let content = fresh.then(|| self.tap.content());
        Step::Start(Box::new(Job { batch, feeder, content, retries }))
    }

    fn start<'scope>(
        &mut self,
        scope: &'scope Scope<'scope, '_>,
        job: Job,
        sender: SyncSender<Message>,
    ) -> Result<(), Failure>
    where
        'a: 'scope,
    {
        let (jobs, waker) = (self.jobs, self.waker);
        let run = move || {
            let done = job.run(jobs);
            let _ = sender.send(Message::Done(done)); // The dispatcher waits for every job.
            waker.wake();
        };
        Builder::new().name("job".to_owned()).spawn_scoped(scope, run).map_err(Failure::io("cannot start a thread"))?;
        self.running += 1;
        self.jobs.report.count(|figures| figures.under_way += 1);
        Ok(())
    }

    /// Waits for a message, and does what falls due meanwhile.
    fn await_message(&mut self, messages: &Receiver<Message>) -> Result<(), Failure> {
        let now = Instant::now();
        if self.kill_due.is_some_and(|due| due <= now) {
            self.kill_due = None;
            self.jobs.groups.end(Signal::KILL);
        }
        if self.persist_due.is_some_and(|due| due <= now) {
            self.persist_due = None;
            self.reader.persist().map_err(explain)?;
        }
        let due = [self.kill_due, self.persist_due].into_iter().flatten().min();
        let time = due.map_or(WAIT_MAX, |due| due.saturating_duration_since(now));
        match messages.recv_timeout(time) {
            Ok(message) => self.hear(message),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(()),
        }
    }

    fn hear(&mut self, message: Message) -> Result<(), Failure> {
        match message {
            Message::Done(done) => {
                self.running -= 1;
                self.jobs.report.count(|figures| figures.under_way -= 1);
                self.settle(done)
            }
            Message::Deadly(signal) => {
                self.end.signal = Some(signal);
                self.kill_due = Instant::now().checked_add(GRACE);
                self.jobs.halt.raise();
                self.jobs.groups.end(Signal::from_named_raw(signal).unwrap_or(Signal::TERM));
                Ok(())
            }
        }
    }

    /// Does with a batch what its job says.
    fn settle(&mut self, done: Done) -> Result<(), Failure> {
        let Done { batch, attempts, missing_bytes, verdict } = done;
        let report = self.jobs.report;
        if missing_bytes > 0 {
            report.shrunk(&batch, missing_bytes);
        }
        let acknowledged = matches!(verdict, Verdict::Acknowledge);
        report.count(|figures| {
            let count = if acknowledged { &mut figures.acknowledged } else { &mut figures.left };
            count.add(batch.bytes);
        });
        self.unsettled.push(Unsettled { batch, left_after: (!acknowledged).then_some(attempts) });
        let interval = self.jobs.args.ack_interval;
        self.persist_due = self.persist_due.or_else(|| Instant::now().checked_add(interval));
        let settled = self.tell_reader();
        match verdict {
            Verdict::Acknowledge | Verdict::Interrupted => settled,
            Verdict::Fail(failure) => Err(failure),
            Verdict::GiveUp(how) if self.jobs.args.on_failure == OnFailure::Stop => {
                let (command, name) = (report.command(), batch_name(&batch));
                let tries = counted(attempts.into(), "attempt");
                Err(Failure::new(format!("{command} {how}; {name} stays in the spool after {tries}")))
            }
            Verdict::GiveUp(how) => {
                report.left_behind(&batch, &how, attempts, self.jobs.args.retry_every.filter(|_| !self.dry));
                self.offers.leave(Batch { attempts, ..batch }, Instant::now());
                settled
            }
        }
    }

    /// Tells the reader what became of batches. It keeps only so many holes: where more are under way before one, that
    /// one has to wait for them.
    fn tell_reader(&mut self) -> Result<(), Failure> {
        self.unsettled.sort_by_key(|unsettled| unsettled.batch.span.from);
        while let Some(Unsettled { batch, left_after }) = self.unsettled.first() {
            let told = match left_after {
                None => self.reader.ack_batch(batch),
                Some(attempts) => self.reader.leave_behind(batch, *attempts),
            };
            match told {
                Ok(()) => drop(self.unsettled.remove(0)),
                Err(Error::Holes { .. }) if self.running > 0 => break,
                Err(Error::Holes { count }) => {
                    let text = format!(
                        "{count} batches are left behind, as many as a reader keeps; nothing is lost, and it can go on \
                         once the command takes one of them"
                    );
                    return Err(Failure::new(text));
                }
                Err(error) => return Err(explain(error)),
            }
        }
        Ok(())
    }

    /// Has the reader go on behind what was told, so that it is not told again. A batch under way would only take room in
    /// the cursor then, so it is left until there is none.
    fn pass_told(&mut self) -> Result<(), Failure> {
        if self.told && self.running == 0 && self.unsettled.is_empty() {
            self.reader.ack(self.reader.position()).map_err(explain)?;
            self.told = false;
        }
        Ok(())
    }

    /// Something went wrong: nothing new begins, and what runs is waited for.
    fn fail(&mut self, failure: Failure) {
        self.jobs.halt.raise();
        self.end.failure.get_or_insert(failure);
    }

    /// Lets go of the reader, with all acknowledgements durable.
    fn finish(mut self) -> End {
        self.told = true;
        if let Err(failure) = self.pass_told() {
            self.end.failure.get_or_insert(failure);
        }
        self.end.incomplete |= !self.jobs.args.follow && self.reader.told() == Some(Ended::Incomplete);
        if let Err(error) = self.reader.close() {
            self.end.failure.get_or_insert(explain(error));
        }
        let left = self.jobs.report.figures().left;
        if left.batches > 0 && self.end.failure.is_none() && self.end.signal.is_none() {
            let text = format!("{} left behind; the next run begins with what is left", count(left));
            self.end.failure = Some(Failure::new(text));
        }
        self.end
    }
}

impl End {
    /// It never began.
    pub(super) fn failed(failure: Failure) -> Self {
        Self { failure: Some(failure), ..Self::default() }
    }

    /// What is to be said of it.
    pub(super) fn word(self, args: &EachArgs, figures: &Figures) -> Ending {
        ending(figures.damages, figures.lost_bytes, self.incomplete, &args.dir, self.failure)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn explain(error: Error) -> Failure {
    text::failure(&error, "")
}
