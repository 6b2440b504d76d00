//! P7: how fast the backlog comes out once the producer has ended, beside the codec's own command on a file.

use super::{CALL_BYTES, Goal, Line, MB, Report};
use crate::context::Context;
use crate::flow::{Consume, Flow};
use crate::input::Input;
use crate::peers::{Tool, is_there};
use crate::process::Pipeline;
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::OnceLock;

const MB_PER_SECOND: &str = "MB/s";
const READ_BYTES: usize = 1 << 20;

pub(super) fn run(context: &Context) -> io::Result<Report> {
    let mut report = Report::default();
    for (codec, program) in [("lz4", "lz4"), ("zstd:1", "zstd")] {
        beside(context, &mut report, codec, program)?;
    }
    Ok(report)
}

fn beside(context: &Context, report: &mut Report, codec: &str, program: &str) -> io::Result<()> {
    let input = context.inputs.dump(context.dump_bytes / 2)?;
    let crc = input.crc(input.bytes)?;
    let flow = |consume, crc| Flow {
        input: &input,
        bytes: input.bytes,
        write_bytes: CALL_BYTES,
        produce: None,
        read_bytes: READ_BYTES,
        consume,
        crc,
    };
    let packed = input.path.with_extension(program);
    if is_there(program) {
        pack(context, program, &input, &packed)?;
    }
    let theirs = Tool::typed(&format!("{program} -q -dc"));
    let ours = context.peers.spillpipe(&format!("-z {codec}"));
    let names = [ours.name.clone(), theirs.name.clone()];
    // The first run of each is verified, and not measured.
    let mut verified = HashSet::new();
    let heading = format!("P7 drain, {codec}");
    let measured = report.contest(context, &heading, context.runs, vec![ours, theirs], |tool| {
        let measure = |crc| {
            if tool.name == names[1] {
                from_file(context, &flow(Consume::Freely, crc), tool, &packed)
            } else {
                Ok(flow(Consume::Held, crc).through(context, tool)?.drain_seconds)
            }
        };
        if verified.insert(tool.name.clone()) {
            measure(Some(crc))?;
        }
        Ok(vec![(MB_PER_SECOND, input.bytes as f64 / MB / measure(None)?)])
    });
    let line = Line {
        row: "P7",
        scenario: format!("drain of {} after its end, `-z {codec}`", input.name),
        measure: format!("MB/s, ours / `{}` of a file", names[1]),
        goal: Goal::AtLeast(1.0),
        values: measured.ratios(&names[0], &names[1], MB_PER_SECOND),
    };
    report.lines.push(line);
    Ok(())
}

fn pack(context: &Context, program: &str, input: &Input, packed: &Path) -> io::Result<()> {
    let stages = [vec![program.to_owned(), "-q".to_owned(), "-1".to_owned(), "-c".to_owned()]];
    Pipeline::start(&stages, File::open(&input.path)?, File::create(packed)?, &context.complaints())?.wait()?;
    Ok(())
}

/// Seconds until a file is unpacked and consumed.
fn from_file(context: &Context, flow: &Flow<'_>, tool: &Tool, packed: &Path) -> io::Result<f64> {
    context.settle(flow.input)?;
    io::copy(&mut File::open(packed)?, &mut io::sink())?;
    let mut stages = tool.stages.clone();
    stages[0].push(packed.to_string_lossy().into_owned());
    let (reader, writer) = io::pipe()?;
    let start = std::time::Instant::now();
    let pipeline = Pipeline::start(&stages, Stdio::null(), writer, &context.complaints())?;
    let consumed = flow.consume(reader, &OnceLock::new(), || Ok(()));
    pipeline.wait()?;
    Ok((consumed?.1 - start).as_secs_f64())
}
