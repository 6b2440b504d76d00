//! P6: a producer that is paced as mysqldump is, and a consumer five times slower. There is time to compress well.

use super::{CALL_BYTES, Goal, Line, MB, Report, codecs, codecs_note, figures, stat};
use crate::context::Context;
use crate::flow::{Consume, Flow};
use std::io;

const PRODUCER_RATE: f64 = 150.0 * MB;
const CONSUMER_RATE: f64 = 30.0 * MB;
/// Ten seconds of producing.
const BYTES: u64 = 1_500_000_000;
const WAITED: &str = "producer waited, s";
const DISK_TO_BACKLOG: &str = "peak disk / peak backlog";

pub(super) fn run(context: &Context) -> io::Result<Report> {
    let input = context.inputs.dump(context.dump_bytes)?;
    let bytes = context.scaled(BYTES, BYTES / 100);
    let flow = Flow {
        input: &input,
        bytes,
        write_bytes: CALL_BYTES,
        produce: Some(PRODUCER_RATE),
        read_bytes: CALL_BYTES,
        consume: Consume::AtWhileProduced(CONSUMER_RATE),
        crc: Some(input.crc(bytes)?),
    };
    let heading = "P6 paced";
    let mut report = Report::default();
    let mut chosen = Vec::new();
    let measured = report.contest(context, heading, context.runs, vec![context.peers.spillpipe("")], |tool| {
        let outcome = flow.through(context, tool)?;
        chosen.push(codecs(&outcome));
        let disk_to_backlog = outcome.seen.disk_peak_bytes as f64 / stat(&outcome, "backlog_peak_bytes")?;
        let mut figures = figures(&outcome);
        figures.extend([(WAITED, stat(&outcome, "producer_waited_seconds")?), (DISK_TO_BACKLOG, disk_to_backlog)]);
        Ok(figures)
    });
    let line = |measure: &str, goal| Line {
        row: "P6",
        scenario: "producer at 150 MB/s, consumer at 30 MB/s".to_owned(),
        measure: measure.to_owned(),
        goal: Goal::AtMost(goal),
        values: measured.values("spillpipe", measure),
    };
    report.lines = vec![line(WAITED, 0.0), line(DISK_TO_BACKLOG, 0.3)];
    report.notes.extend(codecs_note(heading, &chosen));
    Ok(report)
}
