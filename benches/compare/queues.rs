//! One measurement of a queue: everything in, then everything out, in this process or, for the crates of the registry,
//! in a program of their own (benches/peers), which is built when it is first needed.
//!
//! ```text
//! records of memory ── push ──> plain file, spool, crate ── pop ──> each record seen
//! ```

use crate::context::Context;
use spillpipe::codec::Choice;
use spillpipe::format::EndState;
use spillpipe::spool::{Next, ReaderOptions, Records, Spool, Sync, WriterOptions};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const SYNC_INTERVAL: Duration = Duration::from_secs(1);
/// A plain file's reader and writer gather small records to so much.
const BUFFER_BYTES: usize = 128 << 10;

/// What goes through a queue: `records` of `record_bytes`, of memory, which is repeated. Small ones are lines.
pub(crate) struct Load {
    pub(crate) memory: Vec<u8>,
    pub(crate) records: usize,
    pub(crate) record_bytes: usize,
    pub(crate) lines: bool,
    /// Made durable each second, and at the end; or never.
    pub(crate) sync: bool,
}

/// What holds the records in between.
pub(crate) enum Queue {
    /// Written and read, by the record or, if they are lines, through buffers.
    File,
    Spool(Choice),
    /// One of benches/peers, which is given so many records at a time.
    Crate(PathBuf, &'static str, usize),
}

/// Seconds, and bytes on disk when all was pushed.
pub(crate) struct Passage {
    pub(crate) push: f64,
    pub(crate) pop: f64,
    pub(crate) disk: u64,
}

impl Load {
    fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.memory.chunks_exact(self.record_bytes).cycle().take(self.records)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.records as u64 * self.record_bytes as u64
    }

    /// Through it; with `verify` each byte is compared, which takes its time.
    pub(crate) fn through(&self, context: &Context, queue: &Queue, verify: bool) -> io::Result<Passage> {
        context.clear()?;
        let place = context.work.join("queue");
        let mut seen = Seen { load: self, bytes: 0, verify };
        let passage = match queue {
            Queue::File => self.through_file(&place, &mut seen)?,
            Queue::Spool(codec) => self.through_spool(&place, *codec, &mut seen)?,
            Queue::Crate(peers, name, at_a_time) => {
                return self.through_crate(context, &place, (peers, name, *at_a_time), verify);
            }
        };
        if seen.bytes == self.bytes() { Ok(passage) } else { Err(different()) }
    }

    fn through_file(&self, place: &Path, seen: &mut Seen<'_>) -> io::Result<Passage> {
        let started = Instant::now();
        let mut file = BufWriter::with_capacity(BUFFER_BYTES, File::create(place)?);
        let mut synced = started;
        for record in self.records() {
            file.write_all(record)?;
            if self.sync && synced.elapsed() >= SYNC_INTERVAL {
                file.flush()?;
                file.get_ref().sync_data()?;
                synced = Instant::now();
            }
        }
        file.flush()?;
        if self.sync {
            file.get_ref().sync_data()?;
        }
        drop(file);
        let (push, disk) = (started.elapsed().as_secs_f64(), disk_bytes(place)?);
        let started = Instant::now();
        if self.lines {
            let mut file = BufReader::with_capacity(BUFFER_BYTES, File::open(place)?);
            let mut line = Vec::new();
            while file.read_until(b'\n', &mut line)? > 0 {
                seen.record(&line)?;
                line.clear();
            }
        } else {
            let mut file = File::open(place)?;
            let mut buffer = vec![0; self.record_bytes];
            while let n @ 1.. = file.read(&mut buffer)? {
                seen.record(&buffer[..n])?;
            }
        }
        Ok(Passage { push, pop: started.elapsed().as_secs_f64(), disk })
    }

    fn through_spool(&self, place: &Path, codec: Choice, seen: &mut Seen<'_>) -> io::Result<Passage> {
        let started = Instant::now();
        let mut options = WriterOptions::default();
        options.codec = codec;
        options.sync = if self.sync { Sync::Interval(SYNC_INTERVAL) } else { Sync::Asked };
        options.records = if self.lines { Records::Lines } else { Records::None };
        let mut writer = Spool::create(place)?.writer(options)?;
        for record in self.records() {
            writer.write_all(record)?;
        }
        writer.finish(EndState::End)?;
        let (push, disk) = (started.elapsed().as_secs_f64(), disk_bytes(place)?);
        let started = Instant::now();
        let mut reader = Spool::open(place)?.reader("default", ReaderOptions::default())?;
        loop {
            match reader.next()? {
                Next::Data(data) => {
                    if self.lines {
                        for line in data.bytes.split_inclusive(|byte| *byte == b'\n') {
                            seen.record(line)?;
                        }
                    } else {
                        seen.record(data.bytes)?;
                    }
                    let to = data.to;
                    reader.ack(to)?;
                }
                Next::Empty { .. } => break,
                _ => {}
            }
        }
        let end = reader.position();
        reader.ack(end)?;
        reader.close()?;
        Ok(Passage { push, pop: started.elapsed().as_secs_f64(), disk })
    }

    fn through_crate(
        &self,
        context: &Context,
        place: &Path,
        (peers, name, at_a_time): (&Path, &str, usize),
        verify: bool,
    ) -> io::Result<Passage> {
        let input = context.dir.join("records");
        std::fs::write(&input, &self.memory)?;
        let numbers = [self.bytes(), self.record_bytes as u64, at_a_time as u64].map(|n| n.to_string());
        let mut command = Command::new(peers);
        command.arg(name).arg(place).arg(&input).args(numbers).arg(if self.sync { "second" } else { "none" });
        let output = command.args(verify.then_some("verify")).output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let mut words = said.split_whitespace();
        let mut number = || words.next()?.parse::<f64>().ok();
        match (output.status.success(), number(), number(), number()) {
            (true, Some(push), Some(pop), Some(disk)) => Ok(Passage { push, pop, disk: disk as u64 }),
            _ => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().replace('\n', " / "))),
        }
    }
}

/// What came out so far.
struct Seen<'a> {
    load: &'a Load,
    bytes: u64,
    verify: bool,
}

impl Seen<'_> {
    /// Any piece, as long as it lies in one repetition of the memory or is a whole line of it.
    fn record(&mut self, bytes: &[u8]) -> io::Result<()> {
        let had = self.bytes;
        self.bytes += bytes.len() as u64;
        if self.verify {
            let memory = self.load.memory.len() as u64;
            let at = (had % memory) as usize;
            let (first, again) = bytes.split_at(bytes.len().min(self.load.memory.len() - at));
            if !self.load.memory[at..].starts_with(first) || !self.load.memory.starts_with(again) {
                return Err(different());
            }
        }
        Ok(())
    }
}

fn different() -> io::Error {
    io::Error::other("what came out is not what went in")
}

/// Bytes of a file, or of the files of a directory.
pub(crate) fn disk_bytes(place: &Path) -> io::Result<u64> {
    if place.is_file() {
        return Ok(place.metadata()?.len());
    }
    std::fs::read_dir(place)?.map(|entry| Ok(entry?.metadata()?.len())).sum()
}

/// The program of benches/peers, built now if it is not there. `None`, and that is told: it cannot be, or, in a smoke
/// run, is not.
pub(crate) fn peers(context: &Context) -> Option<PathBuf> {
    let here = std::env::current_exe().ok()?;
    // From target/release/deps/compare-... to target/peers.
    let target = here.ancestors().nth(3)?.join("peers");
    let program = target.join("release/peers");
    if context.smoke {
        return program.is_file().then_some(program);
    }
    eprintln!("building benches/peers");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--release", "--locked", "--quiet", "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .status();
    built.is_ok_and(|status| status.success()).then_some(program)
}
