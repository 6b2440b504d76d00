//! P13: what a large spill leaves in the page cache, and what it drives out of it.

use super::{CALL_BYTES, Goal, Line, MIB, Report, figures};
use crate::context::Context;
use crate::flow::{Consume, Flow};
use crate::peers::{PROGRAMS, is_there};
use crate::process::said_by;
use crate::watch::open_files;
use std::cell::Cell;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

const BYTES: u64 = 1_000_000_000;
const LONG_BYTES: u64 = 4_000_000_000;
/// What a neighbour works with, and has just read.
const HOT_BYTES: u64 = 256 << 20;
const FINCORE: &str = PROGRAMS[2];
const LEFT: &str = "spill in the page cache, MiB";
const EVICTED: &str = "neighbour's file evicted, MiB";

pub(super) fn run(context: &Context) -> io::Result<Report> {
    let mut report = Report::default();
    // It cannot be compressed, so all of it goes to disk with the default options.
    let input = context.inputs.random()?;
    let bytes = context.scaled(if context.long { LONG_BYTES } else { BYTES }, 2 * HOT_BYTES / 8);
    let scenario = format!("{} MB of {} spilled, consumer not reading", bytes / 1_000_000, input.name);
    let mut line = |measure: &str, goal, values| {
        let measure = measure.to_owned();
        report.lines.push(Line { row: "P13", scenario: scenario.clone(), measure, goal: Goal::AtMost(goal), values });
    };
    if !is_there(FINCORE) {
        line(LEFT, 256.0, Vec::new());
        line(EVICTED, 0.0, Vec::new());
        report.missing.push(format!("P13: all of it (no {FINCORE} here)"));
        return Ok(report);
    }
    let hot = neighbour(context)?;
    let flow = Flow {
        input: &input,
        bytes,
        write_bytes: CALL_BYTES,
        produce: None,
        read_bytes: CALL_BYTES,
        consume: Consume::Held,
        crc: Some(input.crc(bytes)?),
    };
    let mut contests = Report::default();
    let tools = vec![context.peers.spillpipe(""), context.peers.mbuffer_file(bytes, None)];
    let measured = contests.contest(context, "P13 page cache", context.runs, tools, |tool| {
        io::copy(&mut File::open(&hot)?, &mut io::sink())?;
        let before = resident_mib(std::slice::from_ref(&hot))?;
        let seen = Cell::new((0.0, 0.0));
        let outcome = flow.inspected(context, tool, &|pids| {
            seen.set((resident_mib(&open_files(pids, &context.work))?, resident_mib(std::slice::from_ref(&hot))?));
            Ok(())
        })?;
        let (left, after) = seen.get();
        let mut figures = figures(&outcome);
        figures.extend([(LEFT, left), (EVICTED, before - after)]);
        Ok(figures)
    });
    line(LEFT, 256.0, measured.values("spillpipe", LEFT));
    line(EVICTED, 0.0, measured.values("spillpipe", EVICTED));
    report.contests = contests.contests;
    report.missing = contests.missing;
    report.notes.push("P13: with more memory free than the spill takes, no tool evicts the neighbour".to_owned());
    Ok(report)
}

fn neighbour(context: &Context) -> io::Result<PathBuf> {
    let path = context.dir.join("hot");
    let bytes = context.scaled(HOT_BYTES, HOT_BYTES / 64);
    let mut file = File::create(&path)?;
    io::copy(&mut io::Read::take(File::open("/dev/urandom")?, bytes), &mut file)?;
    file.sync_all()?;
    Ok(path)
}

/// What of these files is in the page cache, in MiB.
fn resident_mib(files: &[PathBuf]) -> io::Result<f64> {
    let of = |path: &Path| -> Option<f64> {
        let said = said_by(FINCORE, &["--bytes", "--noheadings", "--output", "RES", &path.to_string_lossy()])?;
        said.trim().parse().ok()
    };
    let sizes: Option<Vec<_>> = files.iter().map(|path| of(path)).collect();
    let sizes = sizes.ok_or_else(|| io::Error::other(format!("{FINCORE} does not tell")))?;
    Ok(sizes.iter().sum::<f64>() / MIB)
}
