//! What the figures were measured on.

use std::fs;
use std::path::Path;

/// Names and what the system says of them.
pub(crate) type Facts = Vec<(&'static str, String)>;

pub(crate) fn facts(dir: &Path) -> Facts {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory_kib = field("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    vec![
        ("cores", cores.to_string()),
        ("cpu", field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned())),
        ("kernel", format!("Linux {}", read("/proc/sys/kernel/osrelease"))),
        ("file system", file_system(dir).unwrap_or_else(|| "unknown".to_owned())),
        ("memory", format!("{:.0} GB", memory_kib.unwrap_or_default() * 1024.0 / 1e9)),
        ("fsync", "none".to_owned()),
    ]
}

/// Over the last minute: how busy others kept the machine, if read at the start.
pub(crate) fn load() -> String {
    read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// The first `name: value` of a file.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let (_, value) = text.lines().filter_map(|line| line.split_once(':')).find(|(n, _)| n.trim() == name)?;
    Some(value.trim().to_owned())
}

/// The type of the file system mounted nearest above `dir`; of several mounted at one place, the last one is seen.
fn file_system(dir: &Path) -> Option<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mut nearest: Option<(usize, &str)> = None;
    for (mount, kind) in mounts.lines().filter_map(|line| line.split_once(" - ")) {
        let Some(point) = mount.split(' ').nth(4).filter(|point| dir.starts_with(point)) else { continue };
        if nearest.is_none_or(|(length, _)| point.len() >= length) {
            nearest = kind.split(' ').next().map(|kind| (point.len(), kind));
        }
    }
    nearest.map(|(_, kind)| kind.to_owned())
}
