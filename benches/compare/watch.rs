//! Looks at running processes through /proc: what they hold on disk, also in files without a name, and in memory.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// From one look to the next.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// `st_blocks` counts these, whatever the file system's own blocks are.
const BLOCK_BYTES: u64 = 512;

/// What was seen of a run.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) disk_peak_bytes: u64,
    /// The peak of each process (`VmHWM`), added up. Not from wait4: what that says is at least our own memory, as the
    /// kernel carries it over when a program is started.
    pub(crate) rss_peak_bytes: u64,
    /// Seconds since the start, and bytes on disk then.
    pub(crate) disk: Vec<(f64, u64)>,
    pub(crate) killed: bool,
}

/// Looks at these processes, and at what is in `dir`, until nobody holds the other end of `stop`. If they are not done
/// by
/// `until`, they hang, and are killed.
#[expect(clippy::needless_pass_by_value, reason = "it moves into the thread that watches")]
pub(crate) fn watch(pids: &[u32], dir: &Path, start: Instant, until: Instant, stop: Receiver<()>) -> Seen {
    let mut seen = Seen::default();
    let mut rss: Vec<u64> = vec![0; pids.len()];
    // One more look when all is over, for what is still there: short runs have no other.
    let mut running = true;
    while running {
        running = matches!(stop.recv_timeout(LOOK_EVERY), Err(RecvTimeoutError::Timeout));
        let disk = files(pids, dir).values().map(|(_, bytes)| bytes).sum();
        seen.disk.push((start.elapsed().as_secs_f64(), disk));
        seen.disk_peak_bytes = seen.disk_peak_bytes.max(disk);
        for (peak, pid) in rss.iter_mut().zip(pids) {
            *peak = rss_peak_bytes(*pid).unwrap_or_default().max(*peak);
        }
        if Instant::now() > until && !seen.killed {
            seen.killed = true;
            for pid in pids.iter().filter_map(|pid| rustix::process::Pid::from_raw(i32::try_from(*pid).ok()?)) {
                // It may have ended just now.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }
    seen.rss_peak_bytes = rss.iter().sum();
    seen
}

/// Paths by which the files under `dir` that these processes have open can be opened, and those that have a name.
pub(crate) fn open_files(pids: &[u32], dir: &Path) -> Vec<PathBuf> {
    files(pids, dir).into_values().map(|(path, _)| path).collect()
}

/// By device and inode, so that none counts twice: a path and the bytes on disk. What vanishes meanwhile is left out.
fn files(pids: &[u32], dir: &Path) -> BTreeMap<(u64, u64), (PathBuf, u64)> {
    let open = pids.iter().filter_map(|pid| fs::read_dir(format!("/proc/{pid}/fd")).ok()).flatten().flatten();
    let open = open.map(|entry| entry.path()).filter(|path| fs::read_link(path).is_ok_and(|to| to.starts_with(dir)));
    let named = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found = BTreeMap::new();
    for path in open.chain(named) {
        if let Some(meta) = path.metadata().ok().filter(fs::Metadata::is_file) {
            found.insert((meta.dev(), meta.ino()), (path, meta.blocks() * BLOCK_BYTES));
        }
    }
    found
}

fn rss_peak_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}
