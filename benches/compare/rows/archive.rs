//! P12 and P14: an archive beside the zstd command on the same file, and what one byte out of the middle of it costs.

use super::{CPU, Goal, Line, MB, Report};
use crate::context::Context;
use crate::input::Input;
use crate::peers::Tool;
use crate::process::Pipeline;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

const MB_PER_SECOND: &str = "MB/s";
const SECONDS: &str = "s";
const DECODED: &str = "chunks decoded";

pub(super) fn run(context: &Context) -> io::Result<Report> {
    let mut report = Report::default();
    for input in [context.inputs.dump(context.dump_bytes / 2)?, context.inputs.random()?] {
        // Beside the inputs: what is in the place of work goes before each measurement.
        let archive = context.dir.join("archive.zst");
        let stages = [context.peers.archive("pack -f -q -o", &archive).stages.remove(0)];
        Pipeline::start(&stages, File::open(&input.path)?, Stdio::null(), &context.complaints())?.wait()?;
        reading(context, &mut report, &input, &archive);
        packing(context, &mut report, &input);
        one_byte(context, &mut report, &input, &archive);
    }
    Ok(report)
}

/// Checking and unpacking, on one thread and on two.
fn reading(context: &Context, report: &mut Report, input: &Input, archive: &Path) {
    // Threads of `cat` are beside the one that reads and writes.
    for (ours, theirs, threads) in
        [("verify -q", "zstd -q -t", ["-t 1", "-t 2"]), ("cat", "zstd -q -dc", ["-t 0", "-t 2"])]
    {
        let [one, two] = threads.map(|t| context.peers.archive(&format!("{ours} {t}"), archive));
        let mut zstd = Tool::typed(theirs);
        zstd.stages[0].push(archive.to_string_lossy().into_owned());
        let heading = format!("P12 {}, {}", ours.split(' ').next().unwrap_or(ours), input.name);
        let tools = vec![zstd, one.clone(), two.clone()];
        let measured = report.contest(context, &heading, context.runs, tools, |tool| {
            let (seconds, cpu) = timed(context, input, tool, None)?;
            Ok(vec![(MB_PER_SECOND, input.bytes as f64 / MB / seconds), (CPU, cpu)])
        });
        let line =
            |measure: String, goal, values| Line { row: "P12", scenario: heading.clone(), measure, goal, values };
        let lines = [
            line(
                format!("speed, `{}` / `{theirs}`", one.name),
                Goal::AtLeast(1.0),
                measured.ratios(&one.name, theirs, MB_PER_SECOND),
            ),
            line(
                format!("speed, `{}` / `{}`", two.name, one.name),
                Goal::AtLeast(1.7),
                measured.ratios(&two.name, &one.name, MB_PER_SECOND),
            ),
        ];
        report.lines.extend(lines);
    }
}

/// Packing has no goal of its own.
fn packing(context: &Context, report: &mut Report, input: &Input) {
    let out = context.work.join("packed");
    let ours = context.peers.archive("pack -q -t 2 -z zstd:3 -f -o", &out);
    let mut theirs = Tool::typed("zstd -q -3 -T2 -f -o");
    theirs.stages[0].push(out.to_string_lossy().into_owned());
    let names = [ours.name.clone(), theirs.name.clone()];
    let heading = format!("P12 pack (ours is synced to disk), {}", input.name);
    let measured = report.contest(context, &heading, context.runs, vec![ours, theirs], |tool| {
        let (seconds, cpu) = timed(context, input, tool, Some(&input.path))?;
        let packed = out.metadata()?.len();
        Ok(vec![(MB_PER_SECOND, input.bytes as f64 / MB / seconds), (CPU, cpu), ("packed, MB", packed as f64 / MB)])
    });
    let values = measured.ratios(&names[0], &names[1], MB_PER_SECOND);
    let measure = format!("speed, `{}` / `{}`", names[0], names[1]);
    report.lines.push(Line { row: "P12", scenario: heading, measure, goal: Goal::None, values });
}

fn one_byte(context: &Context, report: &mut Report, input: &Input, archive: &Path) {
    let middle = input.bytes / 2;
    let range = format!("cat --range {middle}..{}", middle + 1);
    let ours = Tool { name: "cat --range N..N+1".to_owned(), ..context.peers.archive(&range, archive) };
    let mut whole = Tool::typed("zstd -q -dc");
    whole.stages[0].push(archive.to_string_lossy().into_owned());
    let names = [ours.name.clone(), whole.name.clone()];
    let heading = format!("P14 one byte of the middle, {}", input.name);
    let stats = context.peers.with_stats(ours);
    let measured = report.contest(context, &heading, context.runs, vec![stats, whole], |tool| {
        let (seconds, cpu) = timed(context, input, tool, None)?;
        let mut figures = vec![(SECONDS, seconds), (CPU, cpu)];
        if tool.name == names[0] {
            let decoded = context.take_stats()["chunks_decoded"].as_f64();
            figures.push((DECODED, decoded.ok_or_else(|| io::Error::other("its --stats have no chunks_decoded"))?));
        }
        Ok(figures)
    });
    let line = |measure: String, goal, values| Line { row: "P14", scenario: heading.clone(), measure, goal, values };
    let lines = [
        line("chunks decoded".to_owned(), Goal::AtMost(1.0), measured.values(&names[0], DECODED)),
        line(
            "time, ours / all of it by zstd, which cannot seek".to_owned(),
            Goal::None,
            measured.ratios(&names[0], &names[1], SECONDS),
        ),
    ];
    report.lines.extend(lines);
}

/// Seconds, and CPU seconds, that a command takes whose output goes nowhere.
fn timed(context: &Context, input: &Input, tool: &Tool, stdin: Option<&Path>) -> io::Result<(f64, f64)> {
    context.settle(input)?;
    let stdin = stdin.map_or_else(|| Ok(Stdio::null()), |path| File::open(path).map(Stdio::from))?;
    let start = Instant::now();
    let pipeline = Pipeline::start(&tool.stages, stdin, Stdio::null(), &context.complaints())?;
    let cpu = pipeline.wait()?;
    Ok((start.elapsed().as_secs_f64(), cpu))
}
