//! The final figures as JSON, for programs. docs/stats.md says what each means.

use super::args::FilterArgs;
use super::digest::Digest;
use super::exit::{Exit, Failure};
use serde_json::{Map, Value, json};
use spillpipe::codec::TABLE;
use spillpipe::pipe::Snapshot;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

/// Where the figures go.
///
/// The file is opened and emptied at the start, so that a path that cannot be written is told before hours of work,
/// and an empty file means "not finished, or killed". It is not replaced by a rename, as it may well be a device or
/// a named pipe; the figures are one write.
#[derive(Debug)]
pub(super) struct Target {
    /// `None` is standard error.
    file: Option<File>,
    name: String,
}

impl Target {
    /// Opens the file that the arguments name, if they do.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let file = if path.as_os_str() == "-" {
            None
        } else {
            Some(File::create(path).map_err(Failure::io(format!("cannot write figures to {name}")))?)
        };
        Ok(Self { file, name })
    }

    /// Writes the figures.
    pub(super) fn write(mut self, stats: &Value) -> Result<(), Failure> {
        let text = format!("{stats:#}\n");
        let result = match &mut self.file {
            Some(file) => file.write_all(text.as_bytes()),
            None => io::stderr().write_all(text.as_bytes()),
        };
        result.map_err(Failure::io(format!("cannot write figures to {}", self.name)))
    }
}

/// The figures of a pipe that has ended.
pub(super) fn stats(
    args: &FilterArgs,
    memory_limit_bytes: usize,
    end: &Snapshot,
    digest: Option<&Digest>,
    exit: Exit,
    error: Option<&str>,
) -> Value {
    let chunks: Map<_, _> = TABLE.iter().zip(end.chunks).map(|(row, n)| (row.name.to_owned(), json!(n))).collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "name": args.name,
        "bytes_in": end.bytes_in,
        "bytes_out": end.bytes_out,
        "spliced_bytes": end.spliced_bytes,
        "bypasses": end.bypasses,
        "seconds": seconds(end.elapsed),
        "producer_waited_seconds": seconds(end.producer_waited),
        "consumer_waited_seconds": seconds(end.consumer_waited),
        "output_blocked_seconds": seconds(end.output_blocked),
        "full_seconds": seconds(end.full),
        "memory_limit_bytes": memory_limit_bytes,
        "memory_peak_bytes": end.memory_bytes_peak,
        "rss_peak_bytes": rss_peak_bytes(),
        "disk_peak_bytes": end.disk_bytes_peak,
        "backlog_peak_bytes": end.backlog_bytes_peak,
        "spilled_bytes": end.spilled_bytes,
        "segments": end.segments,
        "chunks": chunks,
        "ratio": end.ratio().map(|ratio| (ratio * 1000.0).round() / 1000.0),
        "dropped_chunks": end.dropped_chunks,
        "dropped_bytes": end.dropped_bytes,
        "digest": digest.map(|digest| json!({ "algorithm": digest.name(), "hex": digest.hex() })),
        "exit_status": exit.status(),
        "error": error,
    })
}

/// To the microsecond.
pub(super) fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e6
}

/// The most memory that the whole process ever had resident, as the kernel counts it.
pub(super) fn rss_peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib: u64 =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok())?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kernel_tells_the_peak() {
        assert!(super::rss_peak_bytes().is_some_and(|bytes| bytes > 1 << 20));
    }
}
