//! The options of `merge` and `split`.

use crate::cli::args::ReportArgs;
use spillpipe::archive::SPLIT_BYTES_MIN;
use spillpipe::units::{ByteSize, ParseSizeError};
use std::path::PathBuf;

/// Put archives together, without unpacking them
///
/// Several files of one stream, such as the parts that 'spillpipe split' makes, or a spool, become one again, if all are
/// given in their order. An archive of something else goes on where the one before ends, as with cat, but with one
/// table to find things by. All hold the same kind of frames, zstd or LZ4. What is compressed is copied as it is, once
/// its checksum has been checked.
///
/// What is damaged or out of order is refused: 'spillpipe salvage' gets back what can be had.
#[derive(Debug, clap::Args)]
#[command(after_long_help = MERGE_AFTER_HELP)]
pub(in crate::cli) struct MergeArgs {
    /// The archives, each a file, or a directory of segments
    #[arg(value_name = "PATH", required = true)]
    pub(in crate::cli::archive) paths: Vec<PathBuf>,

    /// The archive that they become; one that exists is left alone
    ///
    /// It is synced to disk before it gets its name; if anything fails, nothing is left of it.
    #[arg(short, long, value_name = "FILE", required = true)]
    pub(in crate::cli::archive) output: Option<PathBuf>,

    /// Replace the output file if it exists, when all is done
    #[arg(short, long)]
    pub(in crate::cli::archive) force: bool,

    #[command(flatten)]
    pub(in crate::cli::archive) reports: ReportArgs,
}

const MERGE_AFTER_HELP: &str = "\
Exit status:
  0  the archive is whole and on disk
  1  an I/O or system failure; the archives do not go together
  2  wrong usage
  3  one of them is damaged
  4  the archive is there and lacks its end mark, as one of those that it is made of does
  SIGTERM, SIGINT and SIGHUP end it, and nothing is left. SIGUSR1 prints one status line.

Examples:
  The parts of a split archive:
      spillpipe merge parts -o disk.img.zst
  A month of days:
      spillpipe merge log-2026-01-*.zst -o log-2026-01.zst";

/// Cut an archive into parts, without unpacking it
///
/// Each part is an archive of its own, which 'zstd -dc' or 'lz4 -dc' unpack; one after another, in the order of their
/// names, they give the data again, and 'spillpipe merge' makes one of them.
#[derive(Debug, clap::Args)]
#[command(after_long_help = SPLIT_AFTER_HELP)]
pub(in crate::cli) struct SplitArgs {
    /// The archive, a file, or a directory of segments
    #[arg(value_name = "PATH")]
    pub(in crate::cli::archive) path: PathBuf,

    /// The directory of the parts, a new one
    ///
    /// It gets its name when all parts are in it and on disk. Until then it is beside that, as .spillpipe-NUMBER, which
    /// a SIGKILL leaves behind.
    #[arg(value_name = "DIR")]
    pub(in crate::cli::archive) dir: PathBuf,

    /// Most bytes of a part, from 4K; one chunk is in each, however large
    #[arg(long, value_name = "SIZE", value_parser = part_bytes, allow_hyphen_values = true)]
    pub(in crate::cli::archive) bytes: ByteSize,

    #[command(flatten)]
    pub(in crate::cli::archive) reports: ReportArgs,
}

const SPLIT_AFTER_HELP: &str = "\
Exit status:
  0  the parts are whole and on disk
  1  an I/O or system failure
  2  wrong usage
  3  the archive is damaged
  4  the parts are there, and the last one lacks its end mark, as the archive does
  SIGTERM, SIGINT and SIGHUP end it, and nothing is left. SIGUSR1 prints one status line.

Example:
  For a medium that takes no large files:
      spillpipe split disk.img.zst --bytes 2G /media/stick/disk.img";

fn part_bytes(text: &str) -> Result<ByteSize, String> {
    let size: ByteSize = text.parse().map_err(|error: ParseSizeError| error.to_string())?;
    if size.0 < SPLIT_BYTES_MIN { Err(format!("it takes at least {}", ByteSize(SPLIT_BYTES_MIN))) } else { Ok(size) }
}
