//! P3 to P5: a producer that writes as fast as it can, a consumer at 100 MB/s. How soon is the producer rid of it all,
//! and what does that take on disk?

use super::{CALL_BYTES, DISK, Goal, Line, MB, PRODUCER, Report, codecs, codecs_note, figures, temp_file};
use crate::context::Context;
use crate::flow::{Consume, Flow};
use crate::input::Input;
use crate::peers::{Tool, is_there};
use crate::process::Pipeline;
use std::fs::File;
use std::io;

const CONSUMER_RATE: f64 = 100.0 * MB;
const FILE: &str = "cat > file";
const SPILLPIPE: &str = "spillpipe";
const LZ4: (&str, &str) = ("lz4 -q -c", "lz4 -q -dc");
const ZSTD: (&str, &str) = ("zstd -q -1 -T2 -c", "zstd -q -dc");

/// The case that all of this row and some others are about.
pub(super) fn flow<'a>(context: &Context, input: &'a Input) -> io::Result<Flow<'a>> {
    let bytes = context.dump_bytes / 2;
    Ok(Flow {
        input,
        bytes,
        write_bytes: CALL_BYTES,
        produce: None,
        read_bytes: CALL_BYTES,
        consume: Consume::AtWhileProduced(CONSUMER_RATE),
        crc: Some(input.crc(bytes)?),
    })
}

pub(super) fn auto(context: &Context) -> io::Result<Report> {
    let mut report = Report::default();
    let dump = context.inputs.dump(context.dump_bytes / 2)?;
    beside_file(context, &mut report, &dump)?;
    beside_file(context, &mut report, &*context.inputs.random()?)?;
    Ok(report)
}

fn beside_file(context: &Context, report: &mut Report, input: &Input) -> io::Result<()> {
    let flow = flow(context, input)?;
    let heading = format!("P3 {}", input.name);
    let scenario = format!("consumer at 100 MB/s, {} MB out of: {}", flow.bytes / 1_000_000, input.name);
    let mbuffer = context.peers.mbuffer_file(flow.bytes, None);
    let packed = between(context, &flow, LZ4)?;
    let tools = vec![temp_file(FILE), context.peers.spillpipe(""), mbuffer, packed];
    let others: Vec<_> = tools.iter().skip(1).map(|tool| tool.name.clone()).collect();
    let mut chosen = Vec::new();
    let measured = report.contest(context, &heading, context.runs, tools, |tool| {
        let outcome =
            if tool.name == FILE { flow.through_file(context, true, false) } else { flow.through(context, tool) }?;
        if tool.name == SPILLPIPE {
            chosen.push(codecs(&outcome));
        }
        Ok(figures(&outcome))
    });
    let lines: Vec<_> = others
        .iter()
        .map(|name| Line {
            row: "P3",
            scenario: scenario.clone(),
            measure: format!("producer's time, `{name}` / `{FILE}`"),
            goal: if name == SPILLPIPE { Goal::AtMost(1.15) } else { Goal::None },
            values: measured.ratios(name, FILE, PRODUCER),
        })
        .collect();
    report.lines.extend(lines);
    report.notes.extend(codecs_note(&heading, &chosen));
    Ok(())
}

pub(super) fn lz4(context: &Context) -> io::Result<Report> {
    beside_codec(context, "P4", "-z lz4", LZ4, 0.7)
}

pub(super) fn zstd(context: &Context) -> io::Result<Report> {
    beside_codec(context, "P5", "-z zstd:1", ZSTD, 0.8)
}

/// One codec, ours inside and theirs around mbuffer.
fn beside_codec(
    context: &Context,
    row: &'static str,
    options: &str,
    around: (&str, &str),
    producer_goal: f64,
) -> io::Result<Report> {
    let mut report = Report::default();
    let input = context.inputs.dump(context.dump_bytes / 2)?;
    let flow = flow(context, &input)?;
    let tools: [Tool; 2] = [context.peers.spillpipe(options), between(context, &flow, around)?];
    let [ours, theirs] = tools.each_ref().map(|tool| tool.name.clone());
    let heading = format!("{row} {options}");
    let measured = report
        .contest(context, &heading, context.runs, tools.to_vec(), |tool| Ok(figures(&flow.through(context, tool)?)));
    let line = |what: &str, figure, goal| Line {
        row,
        scenario: format!("consumer at 100 MB/s, {}, `{options}`", input.name),
        measure: format!("{what}, ours / `{theirs}`"),
        goal: Goal::AtMost(goal),
        values: measured.ratios(&ours, &theirs, figure),
    };
    report.lines = vec![line("producer's time", PRODUCER, producer_goal), line("peak disk", DISK, 1.0)];
    Ok(report)
}

/// mbuffer between two commands. It takes as much disk as it is told beforehand, and time to write it, so it is told
/// what the first command will make of the input: more would be unfair.
fn between(context: &Context, flow: &Flow<'_>, around: (&str, &str)) -> io::Result<Tool> {
    let before = Tool::typed(around.0);
    let mut bytes = flow.bytes;
    if is_there(&before.stages[0][0]) {
        let packed = context.dir.join("packed");
        let (from, to) = (File::open(&flow.input.path)?, File::create(&packed)?);
        Pipeline::start(&before.stages, from, to, &context.complaints())?.wait()?;
        bytes = (packed.metadata()?.len() as f64 / flow.input.bytes as f64 * flow.bytes as f64) as u64;
        std::fs::remove_file(packed)?;
    }
    Ok(context.peers.mbuffer_file(bytes, Some(around)))
}
