//! `spillpipe info`: its flags, and which of two it tells of, a spool or an archive.

use super::exit::Exit;
use super::{archive, brief, spool};
use std::path::PathBuf;

/// Tell what is in a spool or an archive, without reading its data
///
/// Of a spool: its data, its readers and how far behind they are, who uses it. Of an archive: what it holds, how well
/// that is compressed, and how it ends. A directory with segments that is no spool is told of as an archive.
#[derive(Debug, clap::Args)]
#[command(after_long_help = INFO_AFTER_HELP)]
pub(super) struct InfoArgs {
    /// The spool or the archive; '-' is an archive on standard input
    #[arg(value_name = "PATH")]
    pub(super) path: PathBuf,

    /// As JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
}

const INFO_AFTER_HELP: &str = "\
It changes nothing, and may be run at any time.
It needs write access to the directory of a spool all the same.
Damage inside the chunks of an archive it does not see: that is for 'spillpipe verify'.

Exit status:
  0  it was told, also of an archive that is incomplete
  1  there is no such spool or file, or a system failure
  2  wrong usage
  3  the archive is damaged, which is told, or is none

Examples:
  Warn when a reader is more than an hour behind:
      spillpipe info --json DIR | jq -e 'all(.readers[]; (.backlog_age_seconds // 0) < 3600)'";

/// Runs it.
pub(super) fn run(args: &InfoArgs) -> Exit {
    brief(if archive::is_for_spool(&args.path) { spool::info(args) } else { archive::info(args) })
}
