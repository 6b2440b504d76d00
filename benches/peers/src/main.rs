//! A queue of the crate registry: everything in, then everything out, and how long each took.
//!
//! ```text
//! peers CRATE DIR INPUT TOTAL RECORD BATCH SYNC [verify]
//! peers queue-file /tmp/q dump 600000000 1048576 1 none
//! 0.51 0.42 600000000                              seconds to push, seconds to pop, bytes that lay on disk
//! ```
//! INPUT is read into memory, and repeated until TOTAL bytes are pushed as records of RECORD bytes, BATCH at a time.
//! SYNC is `none`, or `second`: what was pushed is made durable each second and at the end. Each crate is set up as its
//! documentation says for throughput; what that is stands with its function.

use queue_file::QueueFile;
use segment_buffer::{DurabilityPolicy, FlushPolicy, SegmentBuffer, SegmentConfig};
use serde_bytes::ByteBuf;
use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const SYNC_INTERVAL: Duration = Duration::from_secs(1);
/// What is taken out at a time at most, of those that take out several.
const POP_BYTES: usize = 16 << 20;

type Done = Result<(f64, f64, u64), Box<dyn Error>>;

struct Job {
    dir: PathBuf,
    input: Vec<u8>,
    records: usize,
    record: usize,
    batch: usize,
    sync: bool,
    verify: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, dir, input, total, record, batch, sync, verify @ ..] = args.as_slice() else {
        return Err("usage: peers CRATE DIR INPUT TOTAL RECORD BATCH none|second [verify]".into());
    };
    let record: usize = record.parse()?;
    let mut input = std::fs::read(input)?;
    input.truncate(input.len() / record * record);
    let job = Job {
        dir: dir.into(),
        input,
        records: total.parse::<usize>()? / record,
        record,
        batch: batch.parse()?,
        sync: sync == "second",
        verify: !verify.is_empty(),
    };
    let (push, pop, disk) = match name.as_str() {
        "queue-file" => queue_file(&job),
        "yaque" => yaque(&job),
        "segment-buffer" => segment_buffer(&job),
        other => Err(format!("no crate {other}").into()),
    }?;
    println!("{push} {pop} {disk}");
    Ok(())
}

impl Job {
    fn of_input(&self, n: usize) -> &[u8] {
        let at = n % (self.input.len() / self.record) * self.record;
        &self.input[at..at + self.record]
    }

    /// The batches to push, each as the numbers of its records.
    fn batches(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        (0..self.records).step_by(self.batch).map(|from| from..self.records.min(from + self.batch))
    }

    /// How many records come out at a time.
    fn pop_batch(&self) -> usize {
        (POP_BYTES / self.record).max(1)
    }

    fn check(&self, n: usize, bytes: &[u8]) {
        assert_eq!(bytes.len(), self.record, "record {n}");
        assert!(!self.verify || bytes == self.of_input(n), "record {n}");
    }
}

/// When a second is over.
struct Clock(Instant);

impl Clock {
    fn strikes(&mut self) -> bool {
        let strikes = self.0.elapsed() >= SYNC_INTERVAL;
        if strikes {
            self.0 = Instant::now();
        }
        strikes
    }
}

/// Without syncing each write, and without overwriting what was removed.
fn queue_file(job: &Job) -> Done {
    std::fs::create_dir_all(&job.dir)?;
    let path = job.dir.join("queue");
    let started = Instant::now();
    let mut queue = QueueFile::open(&path)?;
    queue.set_sync_writes(false);
    queue.set_overwrite_on_remove(false);
    let mut clock = Clock(started);
    for batch in job.batches() {
        if batch.len() == 1 {
            queue.add(job.of_input(batch.start))?;
        } else {
            queue.add_n(batch.map(|n| job.of_input(n)))?;
        }
        if job.sync && clock.strikes() {
            queue.sync_all()?;
        }
    }
    if job.sync {
        queue.sync_all()?;
    }
    let push = started.elapsed();
    let disk = disk_bytes(&job.dir)?;
    let started = Instant::now();
    let mut bytes = Vec::new();
    let mut n = 0;
    while job.batch == 1 && queue.peek_into(&mut bytes)? {
        job.check(n, &bytes);
        queue.remove()?;
        n += 1;
    }
    while !queue.is_empty() {
        let mut had = 0;
        for record in queue.iter().take(job.batch) {
            job.check(n + had, &record);
            had += 1;
        }
        queue.remove_n(had)?;
        n += had;
    }
    drop(queue);
    finished(job, n, push, started, disk)
}

/// It has no fsync: the files of its directory are synced here.
fn yaque(job: &Job) -> Done {
    let started = Instant::now();
    let mut sender = yaque::Sender::open(&job.dir)?;
    let mut clock = Clock(started);
    let mut synced = 0;
    for batch in job.batches() {
        if batch.len() == 1 {
            sender.try_send(job.of_input(batch.start)).map_err(|error| error.to_string())?;
        } else {
            let records: Vec<&[u8]> = batch.map(|n| job.of_input(n)).collect();
            sender.try_send_batch(records).map_err(|error| error.to_string())?;
        }
        if job.sync && clock.strikes() {
            synced = sync_segments(&job.dir, synced)?;
        }
    }
    if job.sync {
        sync_segments(&job.dir, synced)?;
    }
    drop(sender);
    let push = started.elapsed();
    let disk = disk_bytes(&job.dir)?;
    let started = Instant::now();
    let mut receiver = yaque::Receiver::open(&job.dir)?;
    let mut n = 0;
    while n < job.records {
        if job.batch == 1 {
            let record = receiver.try_recv().map_err(|error| format!("{error:?}"))?;
            job.check(n, &record);
            record.commit()?;
            n += 1;
        } else {
            let records = receiver.try_recv_batch_up_to(job.batch).map_err(|error| format!("{error:?}"))?;
            records.iter().for_each(|record| {
                job.check(n, record);
                n += 1;
            });
            records.commit()?;
        }
    }
    drop(receiver);
    finished(job, n, push, started, disk)
}

/// Syncs its segments `NUMBER.q` from number `from` on; returns the last one, to which more may come.
fn sync_segments(dir: &Path, from: u64) -> Result<u64, Box<dyn Error>> {
    let mut last = from;
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        if let Some(number) = number.filter(|&number| number >= from && path.extension() == Some("q".as_ref())) {
            File::open(&path)?.sync_data()?;
            last = last.max(number);
        }
    }
    Ok(last)
}

/// A segment for every 16 MiB, or every second with an fsync of each when syncing; zstd 1, as it is set by default. All is
/// read in one pass, and then acknowledged: in steps that are not its segments it would decode them again and again.
fn segment_buffer(job: &Job) -> Done {
    let started = Instant::now();
    let flush = if job.sync { FlushPolicy::Interval(SYNC_INTERVAL) } else { FlushPolicy::Batch(job.pop_batch()) };
    let durability = if job.sync { DurabilityPolicy::Segment } else { DurabilityPolicy::Throughput };
    let config = SegmentConfig::builder().flush_policy(flush).durability(durability).build();
    let buffer = SegmentBuffer::<ByteBuf>::open(&job.dir, config)?;
    for batch in job.batches() {
        if batch.len() == 1 {
            buffer.append(ByteBuf::from(job.of_input(batch.start)))?;
        } else {
            buffer.append_all(batch.map(|n| ByteBuf::from(job.of_input(n))).collect::<Vec<_>>())?;
        }
    }
    buffer.flush()?;
    let push = started.elapsed();
    let disk = disk_bytes(&job.dir)?;
    let started = Instant::now();
    let first = buffer.stats().head_sequence;
    let mut n = 0;
    while n < job.records {
        let from = first + n as u64;
        let had = buffer.for_each_from(from, usize::MAX, |_, record| {
            job.check(n, record);
            n += 1;
        })?;
        if had == 0 {
            break;
        }
        buffer.delete_acked(from + had as u64 - 1)?;
    }
    drop(buffer);
    finished(job, n, push, started, disk)
}

fn finished(job: &Job, records: usize, push: Duration, popping: Instant, disk: u64) -> Done {
    let pop = popping.elapsed();
    if records != job.records {
        return Err(format!("{records} records came out of {}", job.records).into());
    }
    Ok((push.as_secs_f64(), pop.as_secs_f64(), disk))
}

fn disk_bytes(dir: &Path) -> Result<u64, Box<dyn Error>> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}
