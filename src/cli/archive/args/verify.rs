//! The options of `verify`.

use crate::cli::args::{When, threads};
use crate::cli::digest::Algorithm;
use std::path::PathBuf;

const REPORTS: &str = "Reports";

/// Check archives, and tell what is wrong with them and where
///
/// Every byte is looked at: what the chunks are found by, all checksums, the data itself, the order of the chunks, the
/// end mark, and that nothing is missing between two of them. Nothing is written.
///
/// A directory stands for its segments, NUMBER.zst and NUMBER.lz4, in their order: a spool, or what 'split' has made.
/// Segments of one stream that are given in their order are checked as one stream.
///
/// What is not all right is told on standard output, a line for each file and a table of what is wrong. What is all
/// right is told to a terminal, and with --verbose.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_HELP)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(in crate::cli) struct VerifyArgs {
    /// Archives, or directories with segments; '-' is standard input
    #[arg(value_name = "PATH", default_value = "-")]
    pub(in crate::cli::archive) paths: Vec<PathBuf>,

    /// Look only at what the chunks are found by, and do not read the data
    ///
    /// It finds what is cut off, missing, or out of order, in a moment; but no damage inside the chunks.
    #[arg(long)]
    pub(in crate::cli::archive) quick: bool,

    /// Workers that decompress, from 1 to 64 [default: the cores, at most 4]
    #[arg(short = 't', long, value_name = "N", value_parser = threads, allow_hyphen_values = true)]
    pub(in crate::cli::archive) threads: Option<usize>,

    /// Print the digest of each PATH's data
    #[arg(long, value_name = "ALGORITHM", conflicts_with = "quick", help_heading = REPORTS)]
    pub(in crate::cli::archive) digest: Option<Algorithm>,

    /// The digest that the data must have, in hexadecimal; another one is damage
    #[arg(long, value_name = "HEX", requires = "digest", value_parser = hex, help_heading = REPORTS)]
    pub(in crate::cli::archive) expect: Option<String>,

    /// Tell everything as JSON, for programs
    #[arg(long, help_heading = REPORTS)]
    pub(in crate::cli::archive) json: bool,

    /// Show the progress on standard error
    #[arg(long, value_name = "WHEN", help_heading = REPORTS, default_value = "auto")]
    pub(in crate::cli::archive) progress: When,

    /// Say nothing but why it failed, in one line on standard error
    #[arg(short, long, help_heading = REPORTS, overrides_with = "verbose")]
    pub(in crate::cli::archive) quiet: bool,

    /// Tell also of what is all right, and of gaps, also without a terminal
    #[arg(short, long, help_heading = REPORTS, overrides_with = "quiet")]
    pub(in crate::cli::archive) verbose: bool,
}

const AFTER_HELP: &str = "\
Exit status, the worst of all files in this order; each of them is looked at:
  3  one is damaged, or no archive at all
  1  one could not be read, or another I/O or system failure
  4  one is incomplete: it has no end mark, or is marked as incomplete; what is there is sound
  0  all are sound and complete; gaps that were made on purpose are no flaw
  2  wrong usage
  SIGUSR1 prints one status line.

Examples:
  All archives of a directory:
      spillpipe verify -v /backup/*.zst
  What a server has, against the digest that 'spillpipe pack --digest blake3' has printed:
      ssh host cat dump.zst | spillpipe verify --digest blake3 --expect HEX -
  A look at a large archive that was just copied, then a thorough one at night:
      spillpipe verify --quick big.zst";

/// How many digits there must be is for the algorithm to say.
fn hex(text: &str) -> Result<String, String> {
    let is_hex = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex { Ok(text.to_owned()) } else { Err("it is not in hexadecimal".to_owned()) }
}
