//! The options of `pack`.

use crate::cli::args::{ReportArgs, chunk_size, threads};
use crate::cli::digest::Algorithm;
use spillpipe::archive::WriterOptions;
use spillpipe::codec::{Choice, Codec, ParseChoiceError, TABLE};
use spillpipe::format::{CHUNK_BYTES_MAX, CHUNK_BYTES_MIN};
use spillpipe::units::ByteSize;
use std::ffi::OsString;
use std::path::PathBuf;

const STORAGE: &str = "Storage";
const ENDS: &str = "Input and output";

/// Pack standard input, or what a command writes, into an archive: one compressed, checksummed file
///
/// 'zstd -dc' or 'lz4 -dc' unpack it, on any machine. 'spillpipe cat' does as well, and also parts of it without
/// reading the rest; 'spillpipe verify' tells whether it is whole, and where it is not. An archive ends with an end
/// mark: one that was cut short, or whose producer failed, is never taken for a complete one.
///
/// With --output, nothing stands under that name until the archive is whole and on disk; whatever ends it before,
/// nothing is left of it.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub(in crate::cli) struct PackArgs {
    /// Pack what this command writes to its standard output, in place of an input
    ///
    /// If it fails, there is no archive; with --incomplete, or on standard output, there is one that is marked as
    /// incomplete, of what it wrote until then. If it cannot be started, there is none in any case. What ends 'pack' ends
    /// CMD, but not what CMD itself has started.
    #[arg(value_name = "CMD", last = true, conflicts_with = "input")]
    pub(in crate::cli::archive) command: Vec<OsString>,

    /// Read FILE in place of standard input, which '-' is
    #[arg(short, long, value_name = "FILE", help_heading = ENDS)]
    pub(in crate::cli::archive) input: Option<PathBuf>,

    /// Write FILE in place of standard output, which '-' is; one that exists is left alone
    ///
    /// It is synced to disk before it gets its name. A device or a named pipe is written to as it is.
    #[arg(short, long, value_name = "FILE", help_heading = ENDS)]
    pub(in crate::cli::archive) output: Option<PathBuf>,

    /// Replace the output file if it exists, when all is done
    #[arg(short, long, help_heading = ENDS)]
    pub(in crate::cli::archive) force: bool,

    /// Keep what there is when the input or the command fails, marked as incomplete
    ///
    /// Without a command, mark it so in any case, for when the producer failed.
    #[arg(long, help_heading = ENDS)]
    pub(in crate::cli::archive) incomplete: bool,

    #[arg(short = 'z', long, help_heading = STORAGE, value_parser = codec, default_value_t = WriterOptions::default().codec, help = codec_help(), long_help = codec_long_help())]
    pub(in crate::cli::archive) codec: Codec,

    #[arg(short = 's', long, value_name = "SIZE", help_heading = STORAGE, value_parser = chunk_size, allow_hyphen_values = true, default_value_t = ByteSize(WriterOptions::default().chunk_bytes as u64), help = chunk_size_help(), long_help = chunk_size_long_help())]
    pub(in crate::cli::archive) chunk_size: ByteSize,

    /// Workers that compress, from 1 to 64 [default: the cores, at most 4]
    #[arg(short = 't', long, value_name = "N", help_heading = STORAGE, value_parser = threads, allow_hyphen_values = true)]
    pub(in crate::cli::archive) threads: Option<usize>,

    /// Print the digest of the data that went in, on standard error when all of it has
    #[arg(long, value_name = "ALGORITHM", help_heading = "Reports")]
    pub(in crate::cli::archive) digest: Option<Algorithm>,

    #[command(flatten)]
    pub(in crate::cli::archive) reports: ReportArgs,
}

const AFTER_HELP: &str = "\
Exit status:
  0  the archive is whole, and with --output on disk
  1  an I/O or system failure; with --output, also that the command failed
  2  wrong usage
  4  the archive is incomplete: the command failed, and there is one all the same
  A consumer that goes away ends it by SIGPIPE, as it ends cat. SIGTERM, SIGINT and SIGHUP end it and the command;
  nothing is left of the output file. SIGUSR1 prints one status line.

Examples:
  Keep a dump only if all of it was made:
      spillpipe pack -o /backup/db.zst -- mysqldump --all-databases
  A file, as small as it gets:
      spillpipe pack -z zstd:19 -s 4M -i disk.img -o disk.img.zst
  Through a pipe, with the digest of what went in:
      tar c /home | spillpipe pack --digest sha256 | ssh host 'cat >home.tar.zst'";

fn chunk_size_help() -> String {
    let (least, most) = (ByteSize(CHUNK_BYTES_MIN.into()), ByteSize(CHUNK_BYTES_MAX.into()));
    format!("Bytes a chunk, the unit of compression and checksums, from {least} to {most}")
}

fn chunk_size_long_help() -> String {
    let about = "Larger chunks compress better. To get at one byte, one chunk is unpacked, and where one is damaged, it is lost.";
    format!("{}\n\n{about}", chunk_size_help())
}

/// A codec; there is nothing that one could adapt to.
fn codec(text: &str) -> Result<Codec, String> {
    let unknown = || format!("unknown codec '{text}': it takes zstd, zstd:LEVEL, lz4 or none");
    match text.parse() {
        Ok(Choice::Fixed(codec)) => Ok(codec),
        Ok(Choice::Auto) | Err(ParseChoiceError::Unknown(_)) => Err(unknown()),
        Err(error) => Err(error.to_string()),
    }
}

fn codec_help() -> String {
    let names: Vec<_> = TABLE.iter().rev().map(|row| row.name).collect();
    format!("How the data is compressed: {}", names.join(", "))
}

fn codec_long_help() -> String {
    TABLE
        .iter()
        .rev()
        .fold("How the data is compressed:".to_owned(), |help, row| format!("{help}\n- {}: {}", row.name, row.about))
}
