//! The one place of every flag: its names, its type, its default, its bounds and its help.
//!
//! Clap reads this file; `-h`, `--help` and the error messages all come from it. Defaults come from the library, and
//! the codecs from its table. What the values then do is in [`super::options`] and [`super::filter`].

use super::archive::args::{CatArgs, MergeArgs, PackArgs, SalvageArgs, SplitArgs, VerifyArgs};
use super::digest::Algorithm;
use super::each::EachArgs;
use super::info::InfoArgs;
use super::spool::args::{PopArgs, PushArgs, ReaderArgs, SYNC_DEFAULT, SYNC_LONG_HELP, TrimArgs};
use super::spool::values::SyncArg;
use spillpipe::codec::{Choice, TABLE};
use spillpipe::format::{CHUNK_BYTES_MAX, CHUNK_BYTES_MIN};
use spillpipe::pipe::{Headroom, MEMORY_BYTES_MIN, Options, THREADS_MAX, WhenFull};
use spillpipe::units::{Amount, ByteSize, ParseSizeError};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

/// A disk-backed pipe: takes what a fast producer writes at once, and keeps on disk only what a slow consumer lags
/// behind
///
/// Reads standard input and writes standard output. While the consumer keeps up, data passes straight through; when
/// it lags, the difference is held in memory, then compressed and checksummed in nameless files, which vanish as
/// they are drained. Nothing is left behind, whatever ends it.
///
/// Sizes and rates are bytes, or take a unit: K, M, G, T, P or E, in powers of 1024; k, Ki, KB and KiB are K.
#[derive(Debug, clap::Parser)]
#[command(name = "spillpipe", version, after_long_help = AFTER_HELP, max_term_width = 100, args_override_self = true)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) filter: FilterArgs,

    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

/// What it does other than the filter.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    Push(PushArgs),
    Pop(PopArgs),
    Each(EachArgs),
    Info(InfoArgs),
    Trim(TrimArgs),
    Reader(ReaderArgs),
    Pack(PackArgs),
    Cat(CatArgs),
    Verify(VerifyArgs),
    Salvage(SalvageArgs),
    Merge(MergeArgs),
    Split(SplitArgs),
}

/// What the help ends with.
const AFTER_HELP: &str = "\
Exit status:
  0  done, also when --when-full drop-oldest or drop-new threw data away, which is told
  1  an I/O or system failure
  2  wrong usage
  3  damaged data was met
  4  the stream is incomplete: its producer died or gave up (pop, each, --spool, archives)
  5  full, under --when-full fail; what was still held is lost
  A consumer that goes away ends it by SIGPIPE, as it ends cat. SIGUSR1 prints one status line and never kills.

Examples:
  Let a dump release its locks as soon as it is read, whatever time the compressor takes:
      mysqldump --all-databases | spillpipe | pixz -9 > dump.sql.xz
  Spill to another disk, take at most 20 GiB of it, and leave 10 % free:
      producer | spillpipe -T /mnt/scratch --max-disk 20G --min-free 10% | consumer
  Copy a file at 50 MiB a second and print the digest of what was written:
      spillpipe -i disk.img -o /mnt/backup/disk.img -r 50M --digest sha256
  Buffer on disk between two programs that come and go, across restarts of the machine:
      producer | spillpipe push /var/spool/x        and        spillpipe pop --follow /var/spool/x | consumer
  Keep a dump in one file that zstd reads, and that never passes for whole if the dump broke off:
      spillpipe pack -o dump.sql.zst -- mysqldump --all-databases        and        spillpipe verify dump.sql.zst";

/// The help of `--sync`, in brief, where it is one of the filter's options.
const SYNC_HELP_FILTER: &str = "With --spool, when data is synced to disk: none, interval:MS, chunk";

const BUFFER: &str = "Buffer";
const ENDS: &str = "Input and output";
const REPORTS: &str = "Reports";

/// The options of the filter.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(super) struct FilterArgs {
    /// Memory for buffered data, all of it counted, from 4M; also a percentage of the RAM
    #[arg(short, long, value_name = "SIZE", help_heading = BUFFER, value_parser = memory, allow_hyphen_values = true, default_value_t = default_memory())]
    pub(super) memory: Amount,

    /// Bytes a chunk, the unit of compression and checksums, from 4K to 4M
    ///
    /// It is made smaller when the memory does not hold 64 chunks of this size.
    #[arg(short = 's', long, value_name = "SIZE", help_heading = BUFFER, value_parser = chunk_size, allow_hyphen_values = true, default_value_t = default_chunk())]
    pub(super) chunk_size: ByteSize,

    /// Where to spill [default: $TMPDIR, else /var/tmp]
    ///
    /// It should be a disk: on a tmpfs, spilled data stays in memory.
    #[arg(short = 'T', long, value_name = "DIR", help_heading = BUFFER)]
    pub(super) tmpdir: Option<PathBuf>,

    #[arg(short = 'z', long, help_heading = BUFFER, default_value_t = Options::default().codec, help = codec_help(), long_help = codec_long_help())]
    pub(super) codec: Choice,

    /// Most disk that the spill may take [default: no limit]
    #[arg(long, allow_hyphen_values = true, value_name = "SIZE", help_heading = BUFFER)]
    pub(super) max_disk: Option<ByteSize>,

    /// Leave at least this much of the file system free; also a percentage of it
    #[arg(long, allow_hyphen_values = true, value_name = "SIZE", help_heading = BUFFER, default_value_t = default_min_free())]
    pub(super) min_free: Amount,

    /// What to do when disk and memory are full
    #[arg(long, value_name = "ACTION", help_heading = BUFFER, default_value = "block")]
    pub(super) when_full: WhenFullArg,

    /// Buffer in the spool DIR, which outlives crashes and restarts: the next run first hands on what is left
    ///
    /// The spool is made if DIR does not exist or is empty. The filter pushes and pops at once, as the reader 'default';
    /// see 'spillpipe push' and 'spillpipe pop'. SIGTERM, SIGINT and SIGHUP end it after the chunk under way; what was
    /// read stays in the spool, as far as that has room, and nothing comes again. SIGKILL takes what was read just now
    /// and is not written yet, and may let the output of the last second come again; so may a signal when the consumer
    /// takes nothing for a second, and a second signal. A power cut also takes what is not synced (--sync). --max-disk
    /// is at least 128K.
    #[arg(long, value_name = "DIR", help_heading = BUFFER, conflicts_with_all = ["memory", "tmpdir", "no_splice", "read_rate", "write_rate"])]
    pub(super) spool: Option<PathBuf>,

    #[arg(long, value_name = "WHEN", help_heading = BUFFER, requires = "spool", default_value = SYNC_DEFAULT, help = SYNC_HELP_FILTER, long_help = SYNC_LONG_HELP)]
    pub(super) sync: SyncArg,

    /// Workers that compress, and as many that decompress, from 1 to 64 [default: the cores, at most 4]
    #[arg(long, value_name = "N", help_heading = BUFFER, value_parser = threads, allow_hyphen_values = true)]
    pub(super) threads: Option<usize>,

    /// Read FILE in place of standard input, which '-' is
    #[arg(short, long, value_name = "FILE", help_heading = ENDS)]
    pub(super) input: Option<PathBuf>,

    /// Write FILE in place of standard output, which '-' is; one that exists is left alone
    ///
    /// The file is synced to disk before the command reports success. A device or a named pipe is written to as it is.
    #[arg(short, long, value_name = "FILE", help_heading = ENDS)]
    pub(super) output: Option<PathBuf>,

    /// Overwrite the output file if it exists
    #[arg(short, long, help_heading = ENDS)]
    pub(super) force: bool,

    /// Read at most RATE bytes a second
    #[arg(short = 'r', long, value_name = "RATE", help_heading = ENDS, value_parser = rate, allow_hyphen_values = true)]
    pub(super) read_rate: Option<NonZeroU64>,

    /// Write at most RATE bytes a second
    ///
    /// What is read faster is buffered and spilled: to copy slowly, limit the reading.
    #[arg(short = 'R', long, value_name = "RATE", help_heading = ENDS, value_parser = rate, allow_hyphen_values = true)]
    pub(super) write_rate: Option<NonZeroU64>,

    /// Copy every byte, also while the consumer keeps up
    ///
    /// By default bytes go straight from a pipe, local socket or file into an output that is a pipe, by splice(2),
    /// while nothing is buffered and they come 4 KiB and more at a time. Of an input file, the pages themselves go:
    /// overwriting it in place changes what the consumer has not read yet, up to 1 MiB. --digest and --write-rate copy
    /// anyhow.
    #[arg(long, help_heading = ENDS)]
    pub(super) no_splice: bool,

    /// Print the digest of what went out, on standard error when all of it has
    ///
    /// It needs to see the bytes, so none is spliced.
    #[arg(long, value_name = "ALGORITHM", help_heading = REPORTS)]
    pub(super) digest: Option<Algorithm>,

    /// Say nothing on standard error but why it failed
    #[arg(short, long, help_heading = REPORTS, overrides_with = "verbose")]
    pub(super) quiet: bool,

    /// Say more, also without a terminal
    #[arg(short, long, help_heading = REPORTS, overrides_with = "quiet")]
    pub(super) verbose: bool,

    /// Append messages to FILE, all of them, in place of standard error
    ///
    /// What was asked for stays on standard error: the progress, the digest, the answer to SIGUSR1.
    #[arg(short, long, value_name = "FILE", help_heading = REPORTS)]
    pub(super) log: Option<PathBuf>,

    /// Show the progress on standard error
    #[arg(long, value_name = "WHEN", help_heading = REPORTS, default_value = "auto")]
    pub(super) progress: When,

    /// Seconds from one look at the progress to the next, from 0.1 to 86400
    #[arg(long, value_name = "SECONDS", help_heading = REPORTS, value_parser = interval, allow_hyphen_values = true, default_value = "1")]
    pub(super) interval: Duration,

    /// Expect SIZE bytes, for a percentage and the time left [default: what is left of an input file]
    #[arg(long, allow_hyphen_values = true, value_name = "SIZE", help_heading = REPORTS)]
    pub(super) size: Option<ByteSize>,

    /// Put NAME in front of progress and messages, to tell several apart
    #[arg(long, help_heading = REPORTS)]
    pub(super) name: Option<String>,

    /// Write the final figures to FILE as JSON, also when it fails; '-' is standard error
    #[arg(long, value_name = "FILE", help_heading = REPORTS)]
    pub(super) stats: Option<PathBuf>,
}

/// What is told, and where.
#[derive(Debug, clap::Args)]
pub(super) struct ReportArgs {
    /// Say nothing on standard error but why it failed
    #[arg(short, long, help_heading = REPORTS, overrides_with = "verbose")]
    pub(super) quiet: bool,

    /// Say more, also without a terminal
    #[arg(short, long, help_heading = REPORTS, overrides_with = "quiet")]
    pub(super) verbose: bool,

    /// Append messages to FILE, all of them, in place of standard error
    #[arg(short, long, value_name = "FILE", help_heading = REPORTS)]
    pub(super) log: Option<PathBuf>,

    /// Write the final figures to FILE as JSON, also when it fails; '-' is standard error
    #[arg(long, value_name = "FILE", help_heading = REPORTS)]
    pub(super) stats: Option<PathBuf>,
}

/// The values of `--when-full`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum WhenFullArg {
    /// Let the producer wait
    Block,
    /// End with exit status 5; what is still held is lost
    Fail,
    /// Throw away the oldest chunks on disk and go on; the exit status stays 0
    DropOldest,
    /// Throw away what the producer writes until there is room; the exit status stays 0
    DropNew,
}

impl From<WhenFullArg> for WhenFull {
    fn from(arg: WhenFullArg) -> Self {
        match arg {
            WhenFullArg::Block => Self::Block,
            WhenFullArg::Fail => Self::Fail,
            WhenFullArg::DropOldest => Self::DropOldest,
            WhenFullArg::DropNew => Self::DropNew,
        }
    }
}

/// The values of `--progress`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum When {
    /// On a terminal that shows nothing else
    Auto,
    /// Always; without a terminal as plain lines
    Always,
    /// Never
    Never,
}

fn bytes_u64(bytes: usize) -> u64 {
    bytes.try_into().unwrap_or(u64::MAX)
}

fn default_memory() -> Amount {
    Amount::Bytes(bytes_u64(Options::default().memory_bytes))
}

fn default_chunk() -> ByteSize {
    ByteSize(bytes_u64(Options::default().chunk_bytes))
}

pub(super) fn default_min_free() -> Amount {
    match Options::default().spill.min_free {
        Headroom::Bytes(bytes) => Amount::Bytes(bytes),
        Headroom::Percent(percent) => Amount::Percent(percent),
    }
}

pub(super) fn codec_help() -> String {
    let names: Vec<_> = TABLE.iter().rev().map(|row| row.name).collect();
    format!("How spilled data is compressed: auto, {}", names.join(", "))
}

pub(super) fn codec_long_help() -> String {
    let mut help = "How spilled data is compressed:".to_owned();
    let auto = ("auto", "as the pressure demands: lighter before the producer has to wait, heavier when there is time");
    for (name, about) in std::iter::once(auto).chain(TABLE.iter().rev().map(|row| (row.name, row.about))) {
        help = format!("{help}\n- {name}: {about}");
    }
    help
}

fn memory(text: &str) -> Result<Amount, String> {
    let amount: Amount = text.parse().map_err(|error: ParseSizeError| error.to_string())?;
    match amount {
        Amount::Bytes(bytes) if bytes < bytes_u64(MEMORY_BYTES_MIN) => {
            Err(format!("it takes at least {}", ByteSize(bytes_u64(MEMORY_BYTES_MIN))))
        }
        amount => Ok(amount),
    }
}

pub(super) fn chunk_size(text: &str) -> Result<ByteSize, String> {
    let size: ByteSize = text.parse().map_err(|error: ParseSizeError| error.to_string())?;
    let (least, most) = (ByteSize(CHUNK_BYTES_MIN.into()), ByteSize(CHUNK_BYTES_MAX.into()));
    if (least..=most).contains(&size) { Ok(size) } else { Err(format!("it is not between {least} and {most}")) }
}

pub(super) fn threads(text: &str) -> Result<usize, String> {
    let threads = text.parse().ok().filter(|threads| (1..=THREADS_MAX).contains(threads));
    threads.ok_or_else(|| format!("it is not a number from 1 to {THREADS_MAX}"))
}

fn rate(text: &str) -> Result<NonZeroU64, String> {
    let ByteSize(bytes) = text.parse().map_err(|error: ParseSizeError| error.to_string())?;
    NonZeroU64::new(bytes).ok_or_else(|| "it must be more than 0".to_owned())
}

/// Bounds of `--interval`, in seconds.
const INTERVAL_SECONDS: std::ops::RangeInclusive<f64> = 0.1..=86_400.0;

fn interval(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| INTERVAL_SECONDS.contains(seconds));
    seconds
        .map(Duration::from_secs_f64)
        .ok_or_else(|| format!("it is not a number from {} to {}", INTERVAL_SECONDS.start(), INTERVAL_SECONDS.end()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_has_every_codec_of_the_table() {
        let help = Cli::command().render_long_help().to_string();
        for row in TABLE {
            assert!(help.contains(&format!("{}: {}", row.name, row.about)), "{}", row.name);
        }
    }
}
