//! P8: one short line through the tool and back to who wrote it, again and again.
//!
//! Where the scheduler puts the two decides more than what they do: on one core they take turns in a few microseconds,
//! on two each waits for the other's core to wake from its sleep. So both are measured, each on purpose.

use super::{Goal, Line, Report};
use crate::context::Context;
use crate::peers::Tool;
use crate::process::Pipeline;
use crate::statistics::{Figures, Summary};
use crate::watch::watch;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::io::{self, Read as _, Write as _};
use std::sync::mpsc::sync_channel;
use std::thread::scope;
use std::time::{Duration, Instant};

const LINE: &[u8] = b"SELECT 1; -- and back again\n";
const ECHOES: usize = 2000;
const WARM_UP: usize = 100;
/// A tool that waits for more than a line would never answer.
const RUN_MAX: Duration = Duration::from_secs(30);
const P50: &str = "p50, µs";
const P99: &str = "p99, µs";

/// Where the tool runs, and where who talks to it.
#[derive(Clone, Copy)]
struct Places {
    name: &'static str,
    tool_core: usize,
    talker_core: usize,
}

pub(super) fn run(context: &Context) -> io::Result<Report> {
    let mut report = Report::default();
    let everywhere = sched_getaffinity(None)?;
    let cores: Vec<_> = (0..CpuSet::MAX_CPU).filter(|&core| everywhere.is_set(core)).take(2).collect();
    let all = [
        Places { name: "on one core", tool_core: cores[0], talker_core: cores[0] },
        Places { name: "on two cores", tool_core: cores[cores.len() - 1], talker_core: cores[0] },
    ];
    for places in &all[..cores.len()] {
        let title = format!("P8 echo {}", places.name);
        let tools = vec![context.peers.spillpipe(""), Tool::typed("cat"), Tool::typed("pv -q")];
        let measured = report.contest(context, &title, context.runs, tools, |tool| echo(context, tool, *places));
        let line = |name: &str, goal| Line {
            row: "P8",
            scenario: format!("a line of {} bytes and its echo, {ECHOES} times, {}", LINE.len(), places.name),
            measure: format!("round trip p50, `{name}` / `cat`"),
            goal,
            values: measured.ratios(name, "cat", P50),
        };
        let lines = [line("spillpipe", Goal::AtMost(1.5)), line("pv -q", Goal::None)];
        report.lines.extend(lines);
    }
    sched_setaffinity(None, &everywhere)?;
    Ok(report)
}

/// Keeps this thread, and what it starts, on one core.
fn stay_on(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

fn echo(context: &Context, tool: &Tool, places: Places) -> io::Result<Figures> {
    context.clear()?;
    stay_on(places.tool_core)?;
    let (reader, mut there) = io::pipe()?;
    let (mut back, writer) = io::pipe()?;
    let pipeline = Pipeline::start(&tool.stages, reader, writer, &context.complaints())?;
    stay_on(places.talker_core)?;
    let pids = pipeline.pids();
    let (work, start, (stop, stopped)) = (&context.work, Instant::now(), sync_channel::<()>(0));
    let (times, ended) = scope(|s| {
        s.spawn(|| watch(&pids, work, start, start + RUN_MAX, stopped));
        let mut one = || -> io::Result<f64> {
            let mut echo = [0; LINE.len()];
            let start = Instant::now();
            there.write_all(LINE)?;
            back.read_exact(&mut echo)?;
            let micros = start.elapsed().as_secs_f64() * 1e6;
            if echo == LINE { Ok(micros) } else { Err(io::Error::other("the echo is not what was said")) }
        };
        let warm: io::Result<Vec<_>> = (0..WARM_UP).map(|_| one()).collect();
        let times: io::Result<Vec<_>> = warm.and_then(|_| (0..ECHOES).map(|_| one()).collect());
        drop(there);
        let ended = pipeline.wait();
        drop(stop);
        (times, ended)
    });
    ended?;
    let mut times = times?;
    times.sort_by(f64::total_cmp);
    let median = Summary::of(&times).map_or(0.0, |summary| summary.median);
    Ok(vec![(P50, median), (P99, times[times.len() * 99 / 100])])
}
