//! The options of `cat`.

use crate::cli::args::ReportArgs;
use crate::cli::digest::Algorithm;
use spillpipe::pipe::THREADS_MAX;
use spillpipe::units::{ByteSize, ParseSizeError};
use std::ops::Range;
use std::path::PathBuf;

const PART: &str = "Part";
const ENDS: &str = "Output";

/// Hand out the data of archives, or a part of it
///
/// Nothing is handed out before its checksums were found to be right. It stops at the first damage and tells where that
/// is; 'spillpipe salvage' gets back what is undamaged behind it. An archive without an end mark is handed out as far as
/// it goes, and then that is told.
///
/// A part is found through the archive's table, without reading what is in front of it. Positions are stream offsets: of
/// what 'spillpipe pack' wrote, positions in the data. Where data was dropped on purpose before it was written, nothing
/// comes out, and that is told.
///
/// Files that are given one after the other, and archives one behind the other in a file, are read as one: positions go on
/// from one to the next, but for --range and --chunks, which are of each PATH.
///
/// A directory stands for its segments, NUMBER.zst and NUMBER.lz4, in their order: a spool, of which nothing is
/// acknowledged by this, or what 'spillpipe split' has made.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub(in crate::cli) struct CatArgs {
    /// Archives, or directories with segments; '-' is standard input
    #[arg(value_name = "PATH", default_value = "-")]
    pub(in crate::cli::archive) paths: Vec<PathBuf>,

    /// Only these bytes of each PATH: from A up to B, which is not among them; A.. is to the end, ..B from the start
    ///
    /// Both are sizes: 1G..1.5G is the first half of the second gibibyte.
    #[arg(long, value_name = "A..B", help_heading = PART, value_parser = bytes, allow_hyphen_values = true)]
    pub(in crate::cli::archive) range: Option<Range<u64>>,

    /// Only these chunks of each PATH, by their numbers: from A up to B, which is not among them
    #[arg(long, value_name = "A..B", help_heading = PART, value_parser = chunks, allow_hyphen_values = true, conflicts_with = "range")]
    pub(in crate::cli::archive) chunks: Option<Range<u64>>,

    /// Fail when more than SIZE bytes would come out, of all PATHs together; so many do
    #[arg(long, value_name = "SIZE", help_heading = PART, allow_hyphen_values = true)]
    pub(in crate::cli::archive) max_output: Option<ByteSize>,

    /// Decode also plain zstd and LZ4 data, which no 'spillpipe' has written
    ///
    /// Not decoded are LZ4 frames that need a dictionary, LZ4 data of the format before frames, and in a directory the
    /// plain files behind an archive.
    #[arg(long, help_heading = PART, conflicts_with_all = ["range", "chunks"])]
    pub(in crate::cli::archive) plain: bool,

    /// Write FILE in place of standard output, which '-' is; one that exists is left alone
    ///
    /// It gets its name when all that was asked for is in it and on disk; else nothing is left of it. A device or a named
    /// pipe is written to as it is.
    #[arg(short, long, value_name = "FILE", help_heading = ENDS)]
    pub(in crate::cli::archive) output: Option<PathBuf>,

    /// Replace the output file if it exists, when all is done
    #[arg(short, long, help_heading = ENDS)]
    pub(in crate::cli::archive) force: bool,

    /// Threads that decompress, from 0 to 64, beside the one that reads and writes; with 0, that one does it
    /// [default: the cores, at most 4]
    #[arg(short = 't', long, value_name = "N", help_heading = ENDS, value_parser = threads, allow_hyphen_values = true)]
    pub(in crate::cli::archive) threads: Option<usize>,

    /// Print the digest of what came out, on standard error when all of it has
    #[arg(long, value_name = "ALGORITHM", help_heading = "Reports")]
    pub(in crate::cli::archive) digest: Option<Algorithm>,

    #[command(flatten)]
    pub(in crate::cli::archive) reports: ReportArgs,
}

const AFTER_HELP: &str = "\
Exit status:
  0  all that was asked for and is there came out; of a range, what is missing at either end is told
  1  an I/O or system failure; a PATH is no archive; more would come out than --max-output
  2  wrong usage
  3  damage: what came out before it is as it was written
  4  an archive has no end mark, or is marked as incomplete: all that is there came out; with --output nothing is kept
  A consumer that goes away ends it by SIGPIPE, as it ends cat. SIGTERM, SIGINT and SIGHUP end it, and nothing is left
  of the output file. SIGUSR1 prints one status line.

Examples:
  Restore a dump:
      spillpipe cat db.zst | mysql
  A look into a large log, from its middle:
      spillpipe cat --range 20G.. log.zst | head
  One file of a disk image, with the digest of what was written:
      spillpipe cat --range 1M..257M --digest sha256 -o boot.img disk.img.zst";

/// `A..B`, with open ends.
fn range(text: &str, number: impl Fn(&str) -> Result<u64, String>) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("a range is A..B, A.. or ..B")?;
    let end = |text: &str, open| if text.is_empty() { Ok(open) } else { number(text) };
    let (from, to) = (end(from, 0)?, end(to, u64::MAX)?);
    if from > to { Err("it ends before it begins".to_owned()) } else { Ok(from..to) }
}

fn bytes(text: &str) -> Result<Range<u64>, String> {
    range(text, |text| text.parse().map(|size: ByteSize| size.0).map_err(|error: ParseSizeError| error.to_string()))
}

fn chunks(text: &str) -> Result<Range<u64>, String> {
    range(text, |text| text.parse().map_err(|_| format!("'{text}' is not the number of a chunk")))
}

fn threads(text: &str) -> Result<usize, String> {
    let threads = text.parse().ok().filter(|threads| (0..=THREADS_MAX).contains(threads));
    threads.ok_or_else(|| format!("it is not a number from 0 to {THREADS_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_range() {
        for (text, expected) in [
            ("0..1", 0..1),
            ("1K..2M", 1024..2 << 20),
            ("1.5k..1.5K", 1536..1536),
            ("5..", 5..u64::MAX),
            ("..5", 0..5),
            ("..", 0..u64::MAX),
        ] {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        assert_eq!(chunks("2..7"), Ok(2..7));
        for (text, words) in [
            ("", "a range is"),
            ("5", "a range is"),
            ("1-2", "a range is"),
            ("2..1", "ends before it begins"),
            ("1..=2", "size"),
            ("-1..2", "negative"),
            ("1...2", "size"),
        ] {
            let error = bytes(text).expect_err(text);
            assert!(error.contains(words), "{text}: {error}");
        }
        assert!(chunks("1K..").is_err_and(|error| error.contains("'1K' is not the number of a chunk")));
    }
}
