//! One batch through all its attempts.

use super::args::EachArgs;
use super::attempt::{Outcome, Task, attempt};
use super::backoff::Backoff;
use super::groups::Groups;
use super::halt::Halt;
use super::report::{Report, batch_name, time};
use crate::cli::exit::Failure;
use crate::cli::spool::text::failure;
use crate::cli::text::plain;
use spillpipe::spool::{Batch, Feeder};
use std::hash::{BuildHasher, RandomState};

/// How often a batch may turn out to be less than was known of it: each time more of it was dropped or damaged.
const CHANGES_MAX: u32 = 16;

/// What all jobs share.
#[derive(Debug)]
pub(super) struct Jobs<'a> {
    pub(super) args: &'a EachArgs,
    pub(super) backoff: Backoff,
    pub(super) groups: &'a Groups,
    pub(super) halt: &'a Halt,
    pub(super) report: &'a Report,
}

/// A batch to deal with.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) batch: Batch,
    pub(super) feeder: Feeder,
    /// `None`: known only when all of it was read.
    pub(super) content: Option<Content>,
    /// Attempts in this job after the first.
    pub(super) retries: u32,
}

/// What a command is told of its batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) bytes: u64,
    pub(super) digest: String,
}

/// What became of a job.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) batch: Batch,
    /// With those of earlier jobs and runs.
    pub(super) attempts: u32,
    /// Bytes of the batch that were there when it was put together, and are not any more.
    pub(super) missing_bytes: u64,
    pub(super) verdict: Verdict,
}

/// What is to become of a batch.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It is dealt with.
    Acknowledge,
    /// The command failed as often as it may, the last time like this.
    GiveUp(String),
    /// It would be tried again, but everything ends.
    Interrupted,
    /// Nothing can go on.
    Fail(Failure),
}

impl Job {
    /// Runs the command until it has dealt with the batch or may not be run any more.
    pub(super) fn run(self, jobs: &Jobs<'_>) -> Done {
        let mut done =
            Done { attempts: self.batch.attempts, batch: self.batch, missing_bytes: 0, verdict: Verdict::Acknowledge };
        let mut content = self.content;
        let (mut retries, mut changes) = (0, 0);
        done.verdict = loop {
            let told = match content.take().map_or_else(|| measure(&self.feeder), Ok) {
                Ok(told) => told,
                Err(why) => break Verdict::Fail(why),
            };
            done.missing_bytes = done.batch.bytes.saturating_sub(told.bytes);
            if told.bytes == 0 {
                break Verdict::Acknowledge; // Nothing is left of it.
            }
            let task = task(jobs, &done, &told);
            match attempt(jobs.groups, &task, &self.feeder, told.bytes) {
                Outcome::Done => {
                    done.attempts += 1;
                    break Verdict::Acknowledge;
                }
                Outcome::Failed(how) => {
                    done.attempts += 1;
                    jobs.report.attempt_failed();
                    if retries == self.retries {
                        break Verdict::GiveUp(how);
                    }
                    retries += 1;
                    let delay = jobs.backoff.delay(retries, chance());
                    let (name, again) = (batch_name(&done.batch), time(delay));
                    jobs.report.warn(&format!("{} {how}; trying {name} again in {again}", jobs.report.command()));
                    if !jobs.halt.sleep(delay) {
                        break Verdict::Interrupted;
                    }
                    content = Some(told);
                }
                Outcome::Changed if changes < CHANGES_MAX => changes += 1,
                Outcome::Changed => break Verdict::GiveUp("cannot be fed: its batch changes all the time".to_owned()),
                Outcome::NoCommand(error) => {
                    let text = format!("cannot run {}: {}", jobs.args.command[0].display(), plain(&error));
                    break Verdict::Fail(Failure::new(text));
                }
                Outcome::Unreadable(error) => break Verdict::Fail(failure(&error, "")),
                Outcome::Ended => break Verdict::Interrupted,
            }
        };
        done
    }
}

fn task<'a>(jobs: &Jobs<'a>, done: &Done, told: &Content) -> Task<'a> {
    let from = done.batch.span.from;
    let environment = vec![
        ("SPILLPIPE_SEQ", from.seq.0.to_string()),
        ("SPILLPIPE_OFFSET", from.offset.0.to_string()),
        ("SPILLPIPE_BYTES", told.bytes.to_string()),
        ("SPILLPIPE_DIGEST", told.digest.clone()),
        ("SPILLPIPE_ATTEMPT", (u64::from(done.attempts) + 1).to_string()),
    ];
    Task { command: &jobs.args.command, environment, timeout: jobs.args.timeout }
}

/// Reads a batch to know what there is of it.
fn measure(feeder: &Feeder) -> Result<Content, Failure> {
    let mut hasher = blake3::Hasher::new();
    let fed = feeder.feed(&mut |bytes| {
        hasher.update(bytes);
        Ok(())
    });
    let fed = fed.map_err(|error| failure(&error, ""))?;
    Ok(Content { bytes: fed.bytes, digest: hasher.finalize().to_hex().to_string() })
}

/// Some number from 0 to 1, another each time.
fn chance() -> f64 {
    let bits = RandomState::new().hash_one(0_u8) >> 32;
    f64::from(u32::try_from(bits).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}
