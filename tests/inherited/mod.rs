//! What the tests, and so every child of theirs, have from whoever started them.

use rustix::process::Signal;

/// Whether this signal is ignored here, as SIGINT is in a shell's background jobs; says so, where nobody can overlook it.
pub(crate) fn ignores(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    let ignored = u64::from_str_radix(mask.trim(), 16).unwrap() >> (signal.as_raw() - 1) & 1 == 1;
    if ignored {
        eprintln!("SKIPPED: {signal:?} is ignored by whoever started the tests, and so by every child");
    }
    ignored
}
