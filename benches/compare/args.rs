//! What was asked for on the command line.

use spillpipe::units::ByteSize;
use std::path::PathBuf;

pub(crate) const USAGE: &str = "\
usage: cargo bench --bench compare -- [ROWS...] [OPTIONS]

ROWS: session, P1 to P9, P11, P13; 'none' for the chart alone [all of them]

  --runs N            rounds; each measures every tool once, in turn [5]
  --size SIZE         of the largest dump; the others follow it [1.2G]
  --long              also P9 at 20 GB, and P13 with 4 GB in place of 1
  --json FILE         all figures, round by round
  --markdown FILE     the report in a file, too
  --chart FILE        also draw disk use over time, as SVG
  --spillpipe BINARY  this one in place of the one that cargo built
  --test              a smoke run: tiny sizes, one round

TMPDIR is where everything is put [/var/tmp].";

/// Rounds, if not told: the least that a median is given for.
const RUNS: usize = 5;
const DUMP_BYTES: u64 = 1_288_490_188;
const SMOKE_DUMP_BYTES: u64 = 16 << 20;

pub(crate) struct Args {
    /// In capitals or as they are in the table of rows; none: all.
    pub(crate) rows: Vec<String>,
    pub(crate) runs: usize,
    pub(crate) dump_bytes: u64,
    pub(crate) long: bool,
    pub(crate) smoke: bool,
    pub(crate) json: Option<PathBuf>,
    pub(crate) markdown: Option<PathBuf>,
    pub(crate) chart: Option<PathBuf>,
    pub(crate) spillpipe: PathBuf,
}

impl Args {
    /// `None` when help was asked for.
    pub(crate) fn parse(given: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut args = Self {
            rows: Vec::new(),
            runs: 0,
            dump_bytes: 0,
            long: false,
            smoke: false,
            json: None,
            markdown: None,
            chart: None,
            spillpipe: env!("CARGO_BIN_EXE_spillpipe").into(),
        };
        // `cargo bench` passes --bench. Without it this is `cargo test --benches`, which wants to know whether it runs.
        let mut benching = false;
        let mut given = given.flat_map(|arg| match arg.split_once('=') {
            Some((name, value)) if name.starts_with("--") => vec![name.to_owned(), value.to_owned()],
            _ => vec![arg],
        });
        while let Some(arg) = given.next() {
            let mut value = || given.next().ok_or_else(|| format!("{arg} wants a value"));
            match arg.as_str() {
                "--bench" => benching = true,
                "--test" => args.smoke = true,
                "--long" => args.long = true,
                "--runs" => args.runs = positive(&value()?)?,
                "--size" => args.dump_bytes = size(&value()?)?,
                "--json" => args.json = Some(value()?.into()),
                "--markdown" => args.markdown = Some(value()?.into()),
                "--chart" => args.chart = Some(value()?.into()),
                "--spillpipe" => args.spillpipe = value()?.into(),
                "-h" | "--help" => return Ok(None),
                option if option.starts_with('-') => return Err(format!("there is no option {option}")),
                row => args.rows.push(row.to_owned()),
            }
        }
        args.smoke |= !benching;
        if args.runs == 0 {
            args.runs = if args.smoke { 1 } else { RUNS };
        }
        if args.dump_bytes == 0 {
            args.dump_bytes = if args.smoke { SMOKE_DUMP_BYTES } else { DUMP_BYTES };
        }
        Ok(Some(args))
    }

    /// Whether a row of one of these names is to be measured.
    pub(crate) fn wants(&self, names: &[&str]) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|row| names.iter().any(|name| row.eq_ignore_ascii_case(name)))
    }
}

fn positive(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| format!("'{text}' is no number of rounds"))
}

fn size(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(ByteSize(bytes)) if bytes >= SMOKE_DUMP_BYTES => Ok(bytes),
        Ok(_) => Err(format!("'{text}' is too little: a dump is at least {}", ByteSize(SMOKE_DUMP_BYTES))),
        Err(error) => Err(format!("'{text}': {error}")),
    }
}
