//! The options of `each`: names, types, defaults, bounds and help.

use crate::cli::args::ReportArgs;
use crate::cli::spool::args::some_bytes;
use crate::cli::spool::values::{FromArg, duration};
use spillpipe::units::ByteSize;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Most batches at once: fewer than a reader keeps unacknowledged, so that some may be left behind beside them.
const JOBS_MAX: usize = 64;

/// Run a command once for each batch of a spool: exit status 0 acknowledges the batch
///
/// The command gets the batch on its standard input, and as many bytes as it wants: what counts is its exit status.
/// A batch that was acknowledged is deleted as soon as no other reader needs it. One that was not comes again, at the
/// latest at the next run, so the command must not mind to see a batch twice. Its environment tells which it is.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub(in crate::cli) struct EachArgs {
    /// The spool
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,

    /// The command and its arguments
    #[arg(value_name = "CMD", last = true, required = true)]
    pub(super) command: Vec<OsString>,

    /// Read under this name: each name has a place in the stream of its own
    #[arg(long, value_name = "NAME", help_heading = BATCHES, default_value = "default")]
    pub(super) reader: String,

    /// Where to begin under a name that is new
    #[arg(long, value_name = "PLACE", help_heading = BATCHES, default_value = "oldest")]
    pub(super) from: FromArg,

    /// Wait for more, until the stream ends
    #[arg(short, long, help_heading = BATCHES)]
    pub(super) follow: bool,

    /// Bytes a batch: it ends with the chunk that reaches them, if it can where a record ends
    #[arg(long, value_name = "SIZE", help_heading = BATCHES, value_parser = some_bytes, allow_hyphen_values = true, default_value = "8M")]
    pub(super) batch_bytes: ByteSize,

    /// With --follow, hand out a batch that is not full so long after its first chunk came
    ///
    /// Without --follow, what is there goes out at once.
    #[arg(long, value_name = "TIME", help_heading = BATCHES, value_parser = duration, allow_hyphen_values = true, default_value = "1s")]
    pub(super) batch_age: Duration,

    /// Batches at once, from 1 to 64: they are acknowledged in any order
    #[arg(short, long, value_name = "N", help_heading = BATCHES, value_parser = jobs, allow_hyphen_values = true, default_value = "1")]
    pub(super) jobs: usize,

    /// How long an acknowledgement may stay in memory: so much comes again after a crash
    #[arg(long, value_name = "TIME", help_heading = BATCHES, value_parser = duration, allow_hyphen_values = true, default_value = "1s")]
    pub(super) ack_interval: Duration,

    /// Kill a command that takes longer, with all of its process group; that is a failure like others
    #[arg(long, value_name = "TIME", help_heading = FAILURES, value_parser = some_time, allow_hyphen_values = true)]
    pub(super) timeout: Option<Duration>,

    /// Times that a batch is tried again
    #[arg(long, value_name = "N", help_heading = FAILURES, allow_hyphen_values = true, default_value = "5")]
    pub(super) retries: u32,

    /// Time before the first retry: it doubles from one to the next
    #[arg(long, value_name = "TIME", help_heading = FAILURES, value_parser = duration, allow_hyphen_values = true, default_value = "1s")]
    pub(super) retry_delay: Duration,

    /// The longest time before a retry
    #[arg(long, value_name = "TIME", help_heading = FAILURES, value_parser = duration, allow_hyphen_values = true, default_value = "1m")]
    pub(super) retry_delay_max: Duration,

    /// What to do with a batch that failed as often as it may
    #[arg(long, value_name = "ACTION", help_heading = FAILURES, default_value = "stop")]
    pub(super) on_failure: OnFailure,

    /// Try a batch that was left behind again so often [default: at the next run]
    ///
    /// Each time once, so that it does not hold up the rest.
    #[arg(long, value_name = "TIME", help_heading = FAILURES, value_parser = some_time, allow_hyphen_values = true)]
    pub(super) retry_every: Option<Duration>,

    #[command(flatten)]
    pub(super) reports: ReportArgs,
}

const BATCHES: &str = "Batches";
const FAILURES: &str = "Failures";

/// What the help ends with.
const AFTER_HELP: &str = "\
The command's environment:
  SPILLPIPE_SEQ      sequence number of the batch's first chunk
  SPILLPIPE_OFFSET   where the batch begins, in bytes of the stream
  SPILLPIPE_BYTES    how many bytes it has
  SPILLPIPE_DIGEST   their BLAKE3 digest in hexadecimal, known before the command starts
  SPILLPIPE_ATTEMPT  1 the first time, and so on, with those of earlier runs
It runs in a process group of its own, with standard output and error as they are. SIGTERM, SIGINT and SIGHUP are
passed on to it, and end each once it has ended, after 2 seconds by force; whatever else kills each kills it, too. What
it leaves running when it ends is not waited for. A batch whose command was killed comes again.

Exit status:
  0  every batch that was there is acknowledged; with --follow, the stream has come to its end
  1  a command failed, batches are left behind, or an I/O or system failure
  2  wrong usage
  3  damaged data was met; all that is undamaged was handed out
  4  the stream is incomplete: its producer died or gave up
  A TIME needs a unit: ms, s, m, h or d.

Examples:
  Send lines to Kafka as they come, and what cannot be sent once a minute again:
      spillpipe each /var/spool/log --follow --on-failure leave --retry-every 1m -- kcat -P -b kafka -t log
  Upload batches under their digest, four at once:
      spillpipe each /var/spool/dump --jobs 4 --batch-bytes 64M -- \\
          sh -c 'exec aws s3 cp - \"s3://bucket/$SPILLPIPE_DIGEST\"'";

/// The values of `--on-failure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum OnFailure {
    /// End when the other commands that run have ended; the batch comes first at the next run
    Stop,
    /// Go on with the rest; the batch comes first at the next run, or see --retry-every
    Leave,
}

fn jobs(text: &str) -> Result<usize, String> {
    let jobs = text.parse().ok().filter(|jobs| (1..=JOBS_MAX).contains(jobs));
    jobs.ok_or_else(|| format!("it is not a number from 1 to {JOBS_MAX}"))
}

fn some_time(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time.is_zero() { Err("it must be more than 0".to_owned()) } else { Ok(time) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(clap::Parser)]
    struct Alone {
        #[command(flatten)]
        each: EachArgs,
    }

    #[test]
    fn the_defaults_are_values_that_it_takes() {
        let args = Alone::try_parse_from(["each", "dir", "--", "cmd", "-x"]).expect("valid").each;
        assert_eq!((args.command, args.batch_bytes), (vec!["cmd".into(), "-x".into()], ByteSize(8 << 20)));
        let second = Duration::from_secs(1);
        assert_eq!((args.batch_age, args.ack_interval, args.retry_delay), (second, second, second));
        assert_eq!((args.retry_delay_max, args.timeout, args.retry_every), (60 * second, None, None));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for wrong in ["--jobs=0", "--jobs=65", "--batch-bytes=0", "--timeout=0", "--retry-every=0", "--retries=-1"] {
            assert!(Alone::try_parse_from(["each", wrong, "dir", "--", "cmd"]).is_err(), "{wrong}");
        }
        assert!(Alone::try_parse_from(["each", "dir", "--"]).is_err(), "no command");
    }
}
