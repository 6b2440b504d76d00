//! The flags of the commands that work on a spool: their names, types, defaults, bounds and help.

use super::values::{FromArg, RecordsArg, SeekArg, SyncArg, duration};
use crate::cli::args::{
    FilterArgs, ReportArgs, WhenFullArg, chunk_size, codec_help, codec_long_help, default_min_free, threads,
};
use spillpipe::codec::Choice;
use spillpipe::spool::WriterOptions;
use spillpipe::units::{Amount, ByteSize, ParseSizeError};
use std::path::PathBuf;
use std::time::Duration;

const STORAGE: &str = "Storage";

/// Take standard input into a spool: a first-in first-out buffer on disk that outlives processes and restarts
///
/// The spool is made if DIR does not exist or is empty. One process pushes at a time; any number of named readers take
/// the data out, with 'spillpipe pop' or 'spillpipe each', at the same time or later.
///
/// When it succeeds, all of the input is on disk, synced, and ends with an end mark, so that readers can tell that the
/// stream is complete. When it is killed or fails, the readers get what was written until then, and it is they who end
/// with the exit status 4.
#[derive(Debug, clap::Args)]
#[command(after_long_help = PUSH_AFTER_HELP)]
pub(in crate::cli) struct PushArgs {
    /// The spool
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,

    /// Read FILE in place of standard input, which '-' is
    #[arg(short, long, value_name = "FILE")]
    pub(super) input: Option<PathBuf>,

    /// Leave the stream open: the next push goes on with it
    #[arg(long)]
    pub(super) no_end: bool,

    /// Mark the stream's end as incomplete, for when its producer failed
    ///
    /// The input is taken in first. With an empty input it marks what a push --no-end has left.
    #[arg(long, conflicts_with = "no_end")]
    pub(super) abort: bool,

    /// Wait while another process pushes [default: fail at once and tell which]
    #[arg(long)]
    pub(super) wait: bool,

    /// Where records end; batches of 'spillpipe each' do not cut a record
    ///
    /// Chunks end there, too, as long as a record fits into a chunk.
    #[arg(long, value_name = "WHERE", default_value = "none")]
    pub(super) records: RecordsArg,

    /// How long data may be kept from the readers, after the chunk before it, to fill a chunk
    ///
    /// What comes after a quiet while they have at once; a trickle, no more often than this. A chunk costs about 100
    /// bytes of its own, and small ones compress badly. 0: what one read yields is a chunk.
    #[arg(long, value_name = "TIME", value_parser = duration, allow_hyphen_values = true, default_value = "100ms")]
    pub(super) linger: Duration,

    #[command(flatten)]
    pub(super) storage: StorageArgs,

    #[command(flatten)]
    pub(super) reports: ReportArgs,
}

const PUSH_AFTER_HELP: &str = "\
Exit status:
  0  all of the input is on disk, but for what --when-full drop-oldest or drop-new threw away, which is told
  1  an I/O or system failure; what was read until then is in the spool, marked as incomplete
  2  wrong usage
  5  full, under --when-full fail; what was stored until then is in the spool, marked as incomplete
  SIGINT and SIGTERM kill it, and the stream is incomplete. SIGUSR1 prints one status line.
  A TIME needs a unit: ms, s, m, h or d.

Examples:
  Keep a log on its way to a server that is not always there:
      journalctl -f | spillpipe push --records lines --max-disk 10G /var/spool/log
  Many short runs, one stream:
      date | spillpipe push --no-end --wait /var/spool/dates
  Tell the readers when the producer fails, in bash:
      set -o pipefail
      if dump | spillpipe push --no-end DIR; then end=; else end=--abort; fi
      spillpipe push $end DIR </dev/null";

/// How what is pushed is stored.
#[derive(Debug, clap::Args)]
pub(super) struct StorageArgs {
    #[arg(short = 'z', long, help_heading = STORAGE, default_value_t = WriterOptions::default().codec, help = codec_help(), long_help = codec_long_help())]
    pub(super) codec: Choice,

    /// Bytes a chunk, the unit of compression and checksums, from 4K to 4M
    #[arg(short = 's', long, value_name = "SIZE", help_heading = STORAGE, value_parser = chunk_size, allow_hyphen_values = true, default_value_t = ByteSize(WriterOptions::default().chunk_bytes as u64))]
    pub(super) chunk_size: ByteSize,

    /// Workers that compress, from 1 to 64 [default: the cores, at most 4]
    #[arg(long, value_name = "N", help_heading = STORAGE, value_parser = threads, allow_hyphen_values = true)]
    pub(super) threads: Option<usize>,

    /// Most disk that the spool may take, from 128K [default: no limit]
    #[arg(long, value_parser = max_disk, allow_hyphen_values = true, value_name = "SIZE", help_heading = STORAGE)]
    pub(super) max_disk: Option<ByteSize>,

    /// Leave at least this much of the file system free; also a percentage of it
    #[arg(long, allow_hyphen_values = true, value_name = "SIZE", help_heading = STORAGE, default_value_t = default_min_free())]
    pub(super) min_free: Amount,

    /// What to do when the disk or its limit is full
    #[arg(long, value_name = "ACTION", help_heading = STORAGE, default_value = "block")]
    pub(super) when_full: WhenFullArg,

    #[arg(long, value_name = "WHEN", help_heading = STORAGE, default_value = SYNC_DEFAULT, help = SYNC_HELP, long_help = SYNC_LONG_HELP)]
    pub(super) sync: SyncArg,
}

impl From<&FilterArgs> for StorageArgs {
    /// What the filter with `--spool` is asked for.
    fn from(args: &FilterArgs) -> Self {
        let FilterArgs { codec, chunk_size, threads, max_disk, min_free, when_full, sync, .. } = *args;
        Self { codec, chunk_size, threads, max_disk, min_free, when_full, sync }
    }
}

/// The default of `--sync`.
pub(in crate::cli) const SYNC_DEFAULT: &str = "interval:1000";
/// The help of `--sync`, in brief.
pub(in crate::cli) const SYNC_HELP: &str = "When data is synced to disk: none, interval:MS, chunk";
/// The help of `--sync`.
pub(in crate::cli) const SYNC_LONG_HELP: &str = "\
When data is synced to disk, and so safe from a power cut:
- none: once, at the end
- interval:MS: so many milliseconds after it came, at the latest; also interval:5s
- chunk: before the next chunk is begun
The death of a process, ours too, takes nothing that a reader could have had, synced or not.";

/// Write what is in a spool to standard output, oldest first, and remove it there
///
/// What was written counts as dealt with: it is acknowledged, never comes again for this reader, and goes from the disk
/// once every reader is past it. To hand it to something that can fail and is to be asked again, see 'spillpipe each':
/// batches that it left behind come first here.
#[derive(Debug, clap::Args)]
#[command(after_long_help = POP_AFTER_HELP)]
pub(in crate::cli) struct PopArgs {
    /// The spool
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,

    /// Wait for what is pushed, until a stream ends
    ///
    /// It ends at an end mark, or where the producer died or gave up, when nothing is behind it. An end that an earlier
    /// run has told is waited at for the next push. A spool that does not exist is made.
    #[arg(short, long)]
    pub(super) follow: bool,

    /// The reader: each has its own place in the stream, and reads in one process at a time
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(super) reader: String,

    /// Where a reader begins whose name is new
    #[arg(long, value_name = "WHERE", default_value = "oldest")]
    pub(super) from: FromArg,

    /// Acknowledge nothing: the same data comes again
    ///
    /// A name that is new is forgotten again, so that a look keeps nothing on disk. Batches that 'spillpipe each' left
    /// behind are not shown.
    #[arg(long)]
    pub(super) peek: bool,

    /// Stop after exactly SIZE bytes
    ///
    /// Batches that 'spillpipe each' left behind stay so: they go as a whole or not at all.
    #[arg(long, value_name = "SIZE", value_parser = some_bytes, allow_hyphen_values = true)]
    pub(super) max_bytes: Option<ByteSize>,

    /// How long an acknowledgement may wait to be made durable
    ///
    /// After a crash or SIGKILL, at most what was written in this time comes again. 0: each chunk is acknowledged on
    /// disk before the next one is written, which is slow.
    #[arg(long, value_name = "TIME", value_parser = duration, allow_hyphen_values = true, default_value = "1s")]
    pub(super) ack_interval: Duration,

    #[command(flatten)]
    pub(super) reports: ReportArgs,
}

const POP_AFTER_HELP: &str = "\
Exit status:
  0  all that was there was written, or as much as --max-bytes asked for
  1  an I/O or system failure
  2  wrong usage
  3  damaged data was met; all that is undamaged was written
  4  the stream is incomplete: its producer died or gave up
  A consumer that goes away ends it by SIGPIPE, as it ends cat; what was written is acknowledged.
  SIGTERM, SIGINT and SIGHUP end it after the chunk under way, or the batch if that was left behind; what was written
  is acknowledged. If the consumer takes no more for a second, they kill it, and what is not acknowledged on disk comes
  again; so does a second signal. SIGUSR1 prints one status line.
  Data that --when-full threw away before it could be read is told as a gap, and is no failure.
  A TIME needs a unit: ms, s, m, h or d.

Examples:
  Everything that was pushed so far:
      spillpipe pop /var/spool/dates
  Append to a file what comes, over any number of pushes:
      while :; do spillpipe pop --follow /var/spool/log >>all.log || sleep 1; done
  Look at the first kilobyte:
      spillpipe pop --peek --reader me --max-bytes 1K /var/spool/log";

/// Remove from a spool what no reader needs any more
///
/// Segments that every reader is past are removed as they drain; this removes those that are left over, and makes room
/// on purpose.
#[derive(Debug, clap::Args)]
#[command(after_long_help = TRIM_AFTER_HELP)]
pub(in crate::cli) struct TrimArgs {
    /// The spool
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,

    /// Also remove the oldest data, read or not, until SIZE of disk is left; its readers are told of a gap
    ///
    /// Whole segments go, and the newest one stays, whatever its size. With the data go batches that were left behind
    /// in it.
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub(super) keep: Option<ByteSize>,

    /// Also remove the damaged data that was set aside
    #[arg(long)]
    pub(super) quarantine: bool,

    /// Say what was removed, also without a terminal
    #[arg(short, long, overrides_with = "quiet")]
    pub(super) verbose: bool,

    /// Say nothing on standard error but why it failed
    #[arg(short, long, overrides_with = "verbose")]
    pub(super) quiet: bool,
}

const TRIM_AFTER_HELP: &str = "\
Exit status:
  0  done, also when there was nothing to remove
  1  there is no such spool, or an I/O or system failure
  2  wrong usage

Example:
  Make room now, whatever the readers still lack:
      spillpipe trim -v --keep 1G --quarantine /var/spool/log";

/// Add, remove or move the readers of a spool
///
/// Data stays on disk until every reader is past it: add a reader before the data that it is to have, and remove one
/// that reads no more. A name that is new to 'spillpipe pop' or 'each' is added by it.
#[derive(Debug, clap::Args)]
#[command(after_long_help = READER_ADD)]
pub(in crate::cli) struct ReaderArgs {
    #[command(subcommand)]
    pub(super) action: ReaderAction,
}

/// The exit statuses of `reader`, and an example.
macro_rules! reader_after_help {
    ($example:literal) => {
        concat!(
            "Exit status:\n  0  done\n  1  no such spool or reader, one of this name already, or it is in use; or a system failure\n",
            "  2  wrong usage, also a place that the stream does not have\n\nExample:\n",
            $example
        )
    };
}

const READER_ADD: &str = reader_after_help!(
    "  Keep what comes from now on for an archive, too:\n      spillpipe reader add --from newest /var/spool/log archive"
);
const READER_REMOVE: &str = reader_after_help!(
    "  Free the disk of what a reader lacks that reads no more:\n      spillpipe reader remove /var/spool/log archive"
);
const READER_SEEK: &str =
    reader_after_help!("  Leave out the next 10 MiB:\n      spillpipe reader seek /var/spool/log archive +10M");

#[derive(Debug, clap::Subcommand)]
pub(super) enum ReaderAction {
    /// Add a reader
    #[command(after_long_help = READER_ADD)]
    Add {
        /// The spool; it is made if it does not exist or is empty
        dir: PathBuf,
        /// The reader
        name: String,
        /// Where it begins
        #[arg(long, value_name = "WHERE", default_value = "oldest")]
        from: FromArg,
    },
    /// Remove a reader, and what is kept for it alone
    #[command(after_long_help = READER_REMOVE)]
    Remove {
        /// The spool
        dir: PathBuf,
        /// The reader
        name: String,
    },
    /// Move a reader that no process uses; batches that it left behind are forgotten
    #[command(after_long_help = READER_SEEK)]
    Seek {
        /// The spool
        dir: PathBuf,
        /// The reader
        name: String,
        /// oldest, newest, a byte of the stream as 'info' counts them, or +SIZE to skip so much
        #[arg(value_name = "PLACE", allow_hyphen_values = true)]
        to: SeekArg,
    },
}

/// More than nothing.
pub(in crate::cli) fn some_bytes(text: &str) -> Result<ByteSize, String> {
    match text.parse() {
        Ok(ByteSize(0)) => Err("it must be more than 0".to_owned()),
        size => size.map_err(|error: ParseSizeError| error.to_string()),
    }
}

/// The least limit: in less, a few chunks of the smallest size and a segment's own bytes would not fit.
const MAX_DISK_MIN: ByteSize = ByteSize(128 << 10);

fn max_disk(text: &str) -> Result<ByteSize, String> {
    enough_disk(text.parse().map_err(|error: ParseSizeError| error.to_string())?)
}

/// Refuses a limit on the disk that is too little for a spool.
pub(super) fn enough_disk(size: ByteSize) -> Result<ByteSize, String> {
    if size < MAX_DISK_MIN { Err(format!("it takes at least {MAX_DISK_MIN}")) } else { Ok(size) }
}
