//! P1, P2: a consumer that keeps up. Throughput beside that of nothing between, and what the tool's processes take.

use super::{GIB, Goal, Line, Report};
use crate::context::Context;
use crate::flow::{Consume, Flow};
use crate::peers::Tool;
use std::collections::HashMap;
use std::io;

const CALL_BYTES: usize = 1 << 20;
/// Out of memory: a producer that reads a file would be measured with it.
const INPUT_BYTES: usize = 16 << 20;
/// A run is to last so long, within bounds; the first one, which is verified, tells how much that is.
const RUN_SECONDS: f64 = 1.2;
const FIRST_BYTES: u64 = 1 << 30;
const RUN_BYTES_MAX: f64 = 16.0 * GIB;

const THROUGHPUT: &str = "GB/s";
const CPU_PER_GB: &str = "CPU, s/GB";
const NOTHING: &str = "nothing between";
const SPILLPIPE: &str = "spillpipe";
const PV: &str = "pv -q";

pub(super) fn run(context: &Context) -> io::Result<Report> {
    let input = context.inputs.dump(context.dump_bytes / 2)?.in_memory(context.scaled(INPUT_BYTES, 1 << 20))?;
    let first_bytes = context.scaled(FIRST_BYTES, 32 << 20);
    let crc = input.crc(first_bytes)?;
    let mut tools = vec![Tool { name: NOTHING.to_owned(), stages: Vec::new() }];
    tools.push(context.peers.spillpipe(""));
    tools.push(context.peers.spillpipe("--no-splice"));
    tools.extend([PV, "cat", "mbuffer -q", "buffer"].map(Tool::typed));
    let names: Vec<_> = tools.iter().skip(1).map(|tool| tool.name.clone()).collect();

    let flow = |bytes, crc| Flow {
        input: &input,
        bytes,
        write_bytes: CALL_BYTES,
        produce: None,
        read_bytes: CALL_BYTES,
        consume: Consume::Freely,
        crc,
    };
    let mut bytes_by_tool = HashMap::new();
    let mut report = Report::default();
    let measured = report.contest(context, "P1, P2 keeping up", context.runs, tools, |tool| {
        if !bytes_by_tool.contains_key(&tool.name) {
            let seconds = flow(first_bytes, Some(crc)).through(context, tool)?.total_seconds;
            let wanted = (first_bytes as f64 * RUN_SECONDS / seconds).min(RUN_BYTES_MAX) as u64;
            bytes_by_tool.insert(tool.name.clone(), context.scaled(wanted.max(first_bytes), first_bytes));
        }
        let bytes = bytes_by_tool[&tool.name];
        let outcome = flow(bytes, None).through(context, tool)?;
        let gigabytes = bytes as f64 / 1e9;
        Ok(vec![(THROUGHPUT, gigabytes / outcome.total_seconds), (CPU_PER_GB, outcome.cpu_seconds / gigabytes)])
    });
    let scenario = "consumer keeps up, 1 MiB writes and reads";
    let mut lines: Vec<_> = names
        .iter()
        .map(|name| Line {
            row: "P1",
            scenario: scenario.to_owned(),
            measure: format!("throughput, `{name}` / {NOTHING}"),
            goal: if name == SPILLPIPE { Goal::AtLeast(1.5) } else { Goal::None },
            values: measured.ratios(name, NOTHING, THROUGHPUT),
        })
        .collect();
    lines.push(Line {
        row: "P2",
        scenario: scenario.to_owned(),
        measure: format!("CPU a byte, `{SPILLPIPE}` / `{PV}`"),
        goal: Goal::AtMost(1.0),
        values: measured.ratios(SPILLPIPE, PV, CPU_PER_GB),
    });
    report.lines = lines;
    Ok(report)
}
