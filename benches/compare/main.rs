//! spillpipe beside the tools that do what it does: one command, one table.
//!
//! ```text
//! cargo bench --bench compare                        everything, about ten minutes
//! cargo bench --bench compare -- P3 P8 --runs 9      these rows
//! cargo bench --bench compare -- --help
//! ```
//! How it measures: the tools take turns within each round, so that what slows the machine slows all of them. Before
//! each measurement earlier files are removed, the file system is synced, and the input is in the page cache. Producer
//! and consumer are threads of this program, which take no more than copying does. Figures are medians with their
//! spread, ratios are taken round by round. What comes out is compared with what went in, by length always and by
//! checksum at least once for each tool of a row. What is missing or fails is named; a failure makes the exit status 1,
//! an unmet goal does not.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people"
)]

mod args;
mod chart;
mod context;
mod flow;
mod input;
mod machine;
mod peers;
mod process;
mod queues;
mod report;
mod rows;
mod statistics;
mod watch;

#[path = "../sqldump.rs"]
mod sqldump;

use args::{Args, USAGE};
use context::Context;
use report::Comparison;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// What a shell shows for a program that a signal ended, less the signal.
const SIGNALLED: i32 = 128;

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(Some(args)) => args,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("compare: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match in_own_directory(|dir| compare(&args, dir)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

/// In a temporary directory, which is removed whatever ends this: it holds gigabytes.
fn in_own_directory<T>(work: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let place = std::env::var_os("TMPDIR").unwrap_or_else(|| "/var/tmp".into());
    let dir = tempfile::Builder::new().prefix("compare.").tempdir_in(place)?;
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let handle = signals.handle();
    std::thread::scope(|s| {
        s.spawn(|| {
            if let Some(signal) = signals.forever().next() {
                // Files that are still open vanish with the processes that hold them.
                let _ = std::fs::remove_dir_all(dir.path());
                std::process::exit(SIGNALLED + signal);
            }
        });
        let done = work(dir.path());
        handle.close();
        done
    })
}

/// Measures and reports; whether nothing failed.
fn compare(args: &Args, dir: &Path) -> io::Result<bool> {
    let context = Context::new(args, dir)?;
    let known = |name: &str| rows::ROWS.iter().any(|(names, _)| names.iter().any(|n| n.eq_ignore_ascii_case(name)));
    if let Some(unknown) = args.rows.iter().find(|row| !known(row) && *row != "none") {
        return Err(io::Error::other(format!("there is no row '{unknown}'\n\n{USAGE}")));
    }
    let load = machine::load();
    let (mut reports, mut broken) = (Vec::new(), Vec::new());
    for (names, run) in rows::ROWS.iter().filter(|(names, _)| args.wants(names)) {
        match run(&context) {
            Ok(report) => reports.push(report),
            Err(error) => broken.push(format!("{}: {error}", names.join(", "))),
        }
    }
    let machine = machine::facts(&context.dir);
    if let Some(path) = &args.chart {
        draw(&context, &machine, path).unwrap_or_else(|error| broken.push(format!("chart: {error}")));
    }
    let comparison = Comparison {
        runs: context.runs,
        smoke: context.smoke,
        machine,
        load: (load, machine::load()),
        versions: context.peers.versions(),
        inputs: context.inputs.all(),
        reports,
        broken,
    };
    let markdown = comparison.markdown();
    println!("{markdown}");
    if let Some(path) = &args.markdown {
        std::fs::write(path, &markdown)?;
    }
    if let Some(path) = &args.json {
        std::fs::write(path, format!("{:#}\n", comparison.json()))?;
    }
    Ok(comparison.failures().is_empty())
}

fn draw(context: &Context, machine: &machine::Facts, path: &Path) -> io::Result<()> {
    let (what, curves) = rows::curves(context)?;
    let of = |name| machine.iter().find(|(n, _)| *n == name).map_or("", |(_, value)| value.as_str());
    let place = format!("{} cores, {}, one run each", of("cores"), of("file system"));
    std::fs::write(path, chart::svg(&what, &place, &curves))
}
