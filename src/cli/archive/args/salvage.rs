//! The options of `salvage`.

use crate::cli::args::{ReportArgs, When};
use std::path::PathBuf;

/// Get back what can be had of damaged archives: the data, as it was packed
///
/// Every chunk that is whole comes out, in its place in the stream, and never a byte that was not packed: the checksums of
/// what it is found by, of what is stored, and of the data all hold. PATH may be an archive that is damaged anywhere or cut
/// off at either end, several that were put together, or anything that has archives somewhere in it, such as the image of a
/// disk. Several PATHs complete each other: two copies that are damaged in different places, or segments of one stream
/// in any order. A directory stands for its segments, as that of a spool does.
///
/// Streams come one after another, in the order in which they are found. What is the data of another archive, because
/// an archive was packed into it, is left out and told. What was got back, what is lost, and where in the stream, is
/// told on standard error. PATHs are only ever read.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub(in crate::cli) struct SalvageArgs {
    /// Where to look: files, disks, or directories with segments; '-' is standard input
    ///
    /// All is read twice, so a pipe takes --unordered. A disk that fails to read should first be copied, by ddrescue for
    /// example: what cannot be read ends it.
    #[arg(value_name = "PATH", required = true)]
    pub(in crate::cli::archive) paths: Vec<PathBuf>,

    /// The file that the data goes to, or '-' for standard output; one that exists is left alone
    ///
    /// It is synced to disk before it gets its name. There is none if nothing was got back. A device or a named pipe is
    /// written to as it is.
    #[arg(short, long, value_name = "FILE", required = true)]
    pub(in crate::cli::archive) output: Option<PathBuf>,

    /// Replace the output file if it exists, when all is done
    #[arg(short, long)]
    pub(in crate::cli::archive) force: bool,

    /// Put zeros in place of what is missing, so that all the rest is where it was in the stream
    ///
    /// In a file they take no space.
    #[arg(long, conflicts_with = "unordered")]
    pub(in crate::cli::archive) zero_fill: bool,

    /// Take every whole chunk as it comes, in the order of the PATHs, also what is there twice or is data of another
    #[arg(long)]
    pub(in crate::cli::archive) unordered: bool,

    /// Show the progress on standard error
    #[arg(long, value_name = "WHEN", help_heading = "Reports", default_value = "auto")]
    pub(in crate::cli::archive) progress: When,

    #[command(flatten)]
    pub(in crate::cli::archive) reports: ReportArgs,
}

const AFTER_HELP: &str = "\
Exit status:
  0  everything is there, also the end mark of every stream
  1  nothing was found, or an I/O or system failure
  2  wrong usage
  3  something is lost; the rest has been written
  4  only an end is missing: of what is known to have been written, all is there
  A consumer that goes away ends it by SIGPIPE, as it ends cat. SIGTERM, SIGINT and SIGHUP end it; nothing is left of the
  output file. SIGUSR1 prints one status line.

Examples:
  A damaged archive, with what is missing filled by zeros:
      spillpipe salvage disk.img.zst -o disk.img --zero-fill
  Two damaged copies of one archive:
      spillpipe salvage dump.zst /mnt/copy/dump.zst -o dump
  Archives that were deleted, from a copy of the disk that they were on:
      spillpipe salvage sdb1.img -o found --stats found.json";
