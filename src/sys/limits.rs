//! What this process may use, and how much it has used.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard one; returns the limit that holds now (`u64::MAX`: none).
///
/// A refusal leaves it where it was. Children inherit the limit: a command that uses `select` may want it low again.
pub(crate) fn raise_open_files() -> u64 {
    let now = getrlimit(Resource::Nofile);
    if now.current != now.maximum {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: now.maximum, maximum: now.maximum });
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Most memory that this process ever had resident, in bytes; `None` when `/proc` does not tell.
pub(crate) fn peak_rss_bytes() -> Option<u64> {
    parse_peak_rss(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn parse_peak_rss(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let limit = raise_open_files();
        let now = getrlimit(Resource::Nofile);
        assert_eq!(now.current, now.maximum);
        assert_eq!(limit, now.maximum.unwrap_or(u64::MAX));
    }

    #[test]
    fn peak_rss_is_read_in_bytes() {
        assert_eq!(parse_peak_rss("VmPeak:\t 9 kB\nVmHWM:\t  1236 kB\n"), Some(1236 * 1024));
        assert_eq!(parse_peak_rss("VmPeak:\t 9 kB\n"), None);
        assert!(peak_rss_bytes().is_some_and(|bytes| bytes > 100 << 10), "a test process takes more than 100 KiB");
    }
}
