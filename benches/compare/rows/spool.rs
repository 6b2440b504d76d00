//! P11: a spool beside plain files, and beside the persistent queues of the crate registry: all in, then all out. As
//! commands between pipes; in this process, never synced and synced each second; and as many small records.

use super::{CPU, Goal, Line, MB, Report};
use crate::context::Context;
use crate::flow::{Consume, Flow};
use crate::input::Input;
use crate::peers::Tool;
use crate::queues::{Load, Passage, Queue, peers};
use crate::statistics::Figures;
use spillpipe::codec::{Choice, Codec};
use std::collections::HashSet;
use std::io;
use std::path::PathBuf;

const CALL_BYTES: usize = 1 << 20;
/// Out of memory: a producer that reads a file would be measured with it.
const MEMORY_BYTES: usize = 16 << 20;
const LINE_BYTES: usize = 100;
const LINES: usize = 1_000_000;
/// Of those crates that take several records at a time.
const LINES_AT_A_TIME: usize = 1000;

const PUSH: &str = "push, s";
const POP: &str = "pop, s";
const BOTH: &str = "both, s";
const DISK: &str = "on disk, MB";

const FILE: &str = "file";
const RAW: &str = "spool, -z none";
const AUTO: &str = "spool, auto";
const CRATES: [&str; 3] = ["queue-file", "yaque", "segment-buffer"];

pub(super) fn run(context: &Context) -> io::Result<Report> {
    let mut report = Report::default();
    let inputs = [context.inputs.dump(context.dump_bytes / 2)?, context.inputs.random()?];
    for input in &inputs {
        commands(context, &mut report, input)?;
    }
    let program = peers(context);
    if program.is_none() {
        report.missing.push(format!("P11: {} (benches/peers could not be built)", CRATES.join(", ")));
    }
    for input in &inputs {
        let mut load = Load {
            memory: memory(context, input)?,
            records: (context.dump_bytes / 2) as usize / CALL_BYTES,
            record_bytes: CALL_BYTES,
            lines: false,
            sync: false,
        };
        let what = format!("{} MB of 1 MiB writes, {}", load.bytes() / 1_000_000, input.name);
        queues(context, &mut report, &format!("{what}, no fsync"), &load, program.as_ref());
        load.sync = true;
        queues(context, &mut report, &format!("{what}, fsync each second"), &load, program.as_ref());
    }
    let load = Load {
        memory: lines(memory(context, &inputs[0])?),
        records: context.scaled(LINES, LINES / 100),
        record_bytes: LINE_BYTES,
        lines: true,
        sync: false,
    };
    queues(context, &mut report, &format!("{} lines of 100 bytes, no fsync", load.records), &load, program.as_ref());
    report.notes.push(
        "P11: the crates are set up for throughput, as they tell to (benches/peers); queue-file writes into the page \
         cache, overwrites nothing on removal; yaque has no checksums and no fsync: its files are synced from outside; \
         segment-buffer compresses by zstd 1, a segment for 16 MiB. Without fsync the spool still makes its identity and \
         its cursor durable."
            .to_owned(),
    );
    Ok(report)
}

fn memory(context: &Context, input: &Input) -> io::Result<Vec<u8>> {
    let mut memory = Vec::new();
    let mut feed = input.feed(context.scaled(MEMORY_BYTES, 2 << 20) as u64, CALL_BYTES)?;
    while let Some(bytes) = feed.next()? {
        memory.extend_from_slice(bytes);
    }
    Ok(memory)
}

/// The same text, cut into lines of equal length.
fn lines(mut text: Vec<u8>) -> Vec<u8> {
    text.truncate(text.len() / LINE_BYTES * LINE_BYTES);
    for line in text.chunks_exact_mut(LINE_BYTES) {
        for byte in line.iter_mut().filter(|byte| **byte == b'\n') {
            *byte = b' ';
        }
        line[LINE_BYTES - 1] = b'\n';
    }
    text
}

fn commands(context: &Context, report: &mut Report, input: &Input) -> io::Result<()> {
    let bytes = context.dump_bytes / 2;
    let flow = |crc| Flow {
        input,
        bytes,
        write_bytes: CALL_BYTES,
        produce: None,
        read_bytes: CALL_BYTES,
        consume: Consume::Freely,
        crc,
    };
    let crc = input.crc(bytes)?;
    let file = context.peers.synced_file();
    let spools = [("-z none", Goal::AtLeast(0.8)), ("", Goal::None)].map(|(z, goal)| (context.peers.spool(z), goal));
    let tools = [vec![file.clone()], spools.iter().map(|(tool, _)| tool.clone()).collect()].concat();
    let scenario = format!("{} MB by command, {}", bytes / 1_000_000, input.name);
    let mut verified = HashSet::new();
    let measured = report.contest(context, &format!("P11 {scenario}"), context.runs, tools, |tool| {
        let kept = context.work.join(if tool.name == file.name { "file" } else { "spool" });
        if verified.insert(tool.name.clone()) {
            flow(Some(crc)).in_two(context, tool, &kept)?;
        }
        let two = flow(None).in_two(context, tool, &kept)?;
        let passage = Passage { push: two.push_seconds, pop: two.pop_seconds, disk: two.kept_bytes };
        Ok([figures(&passage), vec![(CPU, two.cpu_seconds)]].concat())
    });
    let ratios = spools.map(|(spool, goal)| Line {
        row: "P11",
        scenario: scenario.clone(),
        measure: format!("speed, `{}` / `{}`", spool.name, file.name),
        goal,
        values: measured.ratios(&file.name, &spool.name, BOTH),
    });
    report.lines.extend(ratios);
    Ok(())
}

fn queues(context: &Context, report: &mut Report, scenario: &str, load: &Load, peers: Option<&PathBuf>) {
    let mut all = vec![
        (FILE.to_owned(), Queue::File),
        (RAW.to_owned(), Queue::Spool(Choice::Fixed(Codec::Raw))),
        (AUTO.to_owned(), Queue::Spool(Choice::Auto)),
    ];
    for (peers, name) in peers.iter().flat_map(|peers| CRATES.map(|name| (*peers, name))) {
        all.push((name.to_owned(), Queue::Crate(peers.clone(), name, 1)));
        if load.lines {
            let several = Queue::Crate(peers.clone(), name, LINES_AT_A_TIME);
            all.push((format!("{name}, {LINES_AT_A_TIME} at a time"), several));
        }
    }
    let tools = all.iter().map(|(name, _)| Tool { name: name.clone(), stages: Vec::new() }).collect();
    let mut verified = HashSet::new();
    let measured = report.contest(context, &format!("P11 {scenario}"), context.runs, tools, |tool| {
        let queue = all.iter().find(|(name, _)| *name == tool.name).map(|(_, queue)| queue);
        let queue = queue.ok_or(io::ErrorKind::NotFound)?;
        if verified.insert(tool.name.clone()) {
            load.through(context, queue, true)?;
        }
        Ok(figures(&load.through(context, queue, false)?))
    });
    let line = |ours: &str, other: &str, goal| Line {
        row: "P11",
        scenario: scenario.to_owned(),
        measure: format!("speed, `{ours}` / `{other}`"),
        goal,
        values: measured.ratios(other, ours, BOTH),
    };
    let file_goal = if load.lines { Goal::None } else { Goal::AtLeast(0.8) };
    let mut lines = vec![line(RAW, FILE, file_goal), line(AUTO, FILE, Goal::None)];
    lines.extend(all.iter().skip(3).map(|(name, _)| line(RAW, name, Goal::AtLeast(3.0))));
    report.lines.extend(lines);
}

fn figures(passage: &Passage) -> Figures {
    vec![(PUSH, passage.push), (POP, passage.pop), (BOTH, passage.push + passage.pop), (DISK, passage.disk as f64 / MB)]
}
