//! P9: resident memory over the budget, at two sizes of data; and what a small budget costs.

use super::{CALL_BYTES, Goal, Line, MB, MIB, PRODUCER, Report, figures, lagging, stat};
use crate::context::Context;
use crate::flow::{Consume, Flow};
use std::io;

/// spillpipe's default.
const BUDGET_BYTES: f64 = 64.0 * MIB;
/// Slower than the producer, fast enough for 20 GB.
const CONSUMER_RATE: f64 = 400.0 * MB;
const SHORT_BYTES: u64 = 1_000_000_000;
/// Once: it takes a minute, and what is asked is whether memory grows.
const LONG_BYTES: u64 = 20_000_000_000;
const OVER: &str = "RSS over budget, MiB";

pub(super) fn run(context: &Context) -> io::Result<Report> {
    let mut report = Report::default();
    over_budget(context, &mut report, context.scaled(SHORT_BYTES, SHORT_BYTES / 64), context.runs)?;
    if context.long {
        over_budget(context, &mut report, LONG_BYTES, 1)?;
    }
    small_budget(context, &mut report)?;
    Ok(report)
}

fn over_budget(context: &Context, report: &mut Report, bytes: u64, runs: usize) -> io::Result<()> {
    let input = context.inputs.dump(context.dump_bytes)?;
    let flow = Flow {
        input: &input,
        bytes,
        write_bytes: CALL_BYTES,
        produce: None,
        read_bytes: CALL_BYTES,
        consume: Consume::At(CONSUMER_RATE),
        crc: Some(input.crc(bytes)?),
    };
    let heading = format!("P9 memory, {} MB", bytes / 1_000_000);
    let measured = report.contest(context, &heading, runs, vec![context.peers.spillpipe("")], |tool| {
        let outcome = flow.through(context, tool)?;
        // Its own word, too: the last look may have been before its peak.
        let peak = stat(&outcome, "rss_peak_bytes")?.max(outcome.seen.rss_peak_bytes as f64);
        let mut figures = figures(&outcome);
        figures.push((OVER, (peak - BUDGET_BYTES) / MIB));
        Ok(figures)
    });
    let line = Line {
        row: "P9",
        scenario: format!("{} MB, unthrottled, into 400 MB/s", bytes / 1_000_000),
        measure: OVER.to_owned(),
        goal: Goal::AtMost(16.0),
        values: measured.values("spillpipe", OVER),
    };
    report.lines.push(line);
    Ok(())
}

fn small_budget(context: &Context, report: &mut Report) -> io::Result<()> {
    let input = context.inputs.dump(context.dump_bytes / 2)?;
    let flow = lagging::flow(context, &input)?;
    let (small, large) = ("-m 8M", "-m 256M");
    let tools = [small, large].map(|options| context.peers.spillpipe(options));
    let [ours, other] = tools.each_ref().map(|tool| tool.name.clone());
    let measured = report.contest(context, "P9 small budget", context.runs, tools.to_vec(), |tool| {
        Ok(figures(&flow.through(context, tool)?))
    });
    let line = Line {
        row: "P9",
        scenario: format!("consumer at 100 MB/s, {}", input.name),
        measure: format!("producer's speed, `{small}` / `{large}`"),
        goal: Goal::AtLeast(0.9),
        // Of speeds, so the other way round.
        values: measured.ratios(&other, &ours, PRODUCER),
    };
    report.lines.push(line);
    Ok(())
}
