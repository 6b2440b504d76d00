//! The session of the README: a SQL dump, unthrottled, into a slow consumer, by way of a temporary file, of mbuffer
//! with a file behind it, and of spillpipe. The temporary file is written through a pipe, as every tool here is, and
//! for comparison by the producer itself.

use super::{CALL_BYTES, DISK, Goal, Line, MIB, PRODUCER, Report, TOTAL, codecs, codecs_note, figures, temp_file};
use crate::chart::Curve;
use crate::context::Context;
use crate::flow::{Consume, Flow, Outcome};
use crate::input::Input;
use crate::peers::Tool;
use std::io;

const CONSUMER_RATE: f64 = 200.0 * MIB;
const FILE: &str = "cat > file";
const DIRECTLY: &str = "> file, no pipe";
const MBUFFER: &str = "mbuffer -T";
const SPILLPIPE: &str = "spillpipe";

fn flow(input: &Input) -> io::Result<Flow<'_>> {
    Ok(Flow {
        input,
        bytes: input.bytes,
        write_bytes: CALL_BYTES,
        produce: None,
        read_bytes: CALL_BYTES,
        consume: Consume::At(CONSUMER_RATE),
        crc: Some(input.crc(input.bytes)?),
    })
}

fn by_way_of(context: &Context, flow: &Flow<'_>, tool: &Tool) -> io::Result<Outcome> {
    match tool.name.as_str() {
        FILE => flow.through_file(context, true, true),
        DIRECTLY => flow.through_file(context, false, true),
        _ => flow.through(context, tool),
    }
}

fn tools(context: &Context, flow: &Flow<'_>) -> Vec<Tool> {
    let mbuffer = context.peers.mbuffer_file(flow.bytes, None);
    vec![temp_file(FILE), temp_file(DIRECTLY), mbuffer, context.peers.spillpipe("")]
}

pub(super) fn run(context: &Context) -> io::Result<Report> {
    let mut report = Report::default();
    let input = context.inputs.dump(context.dump_bytes)?;
    let flow = flow(&input)?;
    let mut chosen = Vec::new();
    let measured = report.contest(context, "session", context.runs, tools(context, &flow), |tool| {
        let outcome = by_way_of(context, &flow, tool)?;
        if tool.name == SPILLPIPE {
            chosen.push(codecs(&outcome));
        }
        Ok(figures(&outcome))
    });
    let line = |name: &str, what: &str, figure| Line {
        row: "session",
        scenario: format!("{}, unthrottled, into 200 MiB/s", input.name),
        measure: format!("{what}, `{name}` / `{FILE}`"),
        goal: Goal::None,
        values: measured.ratios(name, FILE, figure),
    };
    let wanted = [("producer's time", PRODUCER), ("time until all is done", TOTAL), ("peak disk", DISK)];
    let lines = [MBUFFER, SPILLPIPE].map(|name| wanted.map(|(what, figure)| line(name, what, figure)));
    report.lines = lines.into_iter().flatten().collect();
    report.notes.extend(codecs_note("session", &chosen));
    Ok(report)
}

/// One run each, for the chart: how much was on disk when.
pub(crate) fn curves(context: &Context) -> io::Result<(String, Vec<Curve>)> {
    let input = context.inputs.dump(context.dump_bytes)?;
    let flow = flow(&input)?;
    let (tools, missing) = context.peers.present(tools(context, &flow));
    let mut curves = Vec::new();
    for tool in tools.iter().filter(|tool| tool.name != DIRECTLY) {
        eprintln!("chart: {}", tool.name);
        let outcome = by_way_of(context, &flow, tool)?;
        curves.push(Curve {
            name: tool.name.clone(),
            disk: outcome.seen.disk.iter().map(|(at, bytes)| (*at, *bytes as f64 / 1e6)).collect(),
            produced: outcome.producer_seconds,
            ended: outcome.total_seconds,
        });
    }
    let missing = if missing.is_empty() { String::new() } else { format!("; missing: {}", missing.join(", ")) };
    Ok((format!("{}, unthrottled, into a consumer of 200 MiB/s{missing}", input.name), curves))
}
