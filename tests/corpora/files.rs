//! Where the files of others are, and how a test goes through all of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A directory of files of others, however deep: what zstd, lz4 and their ports test themselves with.
const VARIABLE: &str = "SPILLPIPE_CORPORA";
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Any one file is through by then, also on a busy machine.
const TIME_MAX: Duration = Duration::from_secs(20);

/// Whether that directory is there.
pub(crate) fn are_given() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// The files of the directory that [`VARIABLE`] names, and those that crates in cargo's registry bring along.
pub(crate) fn all() -> Vec<PathBuf> {
    let mut files = Vec::new();
    match std::env::var_os(VARIABLE) {
        Some(directory) => {
            collect(Path::new(&directory), &|_| true, &mut files);
            assert!(!files.is_empty(), "{VARIABLE} names a directory of files");
        }
        None => eprintln!("SKIPPED but for fixtures of crates: {VARIABLE} names no directory of files of others"),
    }
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = cargo.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    if let Some(home) = home {
        let is_frame = |path: &Path| path.extension().is_some_and(|e| e == "zst" || e == "lz4");
        collect(&home.join("registry/src"), &is_frame, &mut files);
    }
    files.sort();
    files
}

fn collect(directory: &Path, wanted: &dyn Fn(&Path) -> bool, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        let Ok(about) = path.symlink_metadata() else { continue };
        if about.is_dir() {
            collect(&path, wanted, files);
        } else if about.is_file() && about.len() <= FILE_BYTES_MAX && wanted(&path) {
            files.push(path);
        }
    }
}

/// Runs `check` over all files, and fails with the names of those where it did, or that took too long.
pub(crate) fn each(mut check: impl FnMut(&[u8])) {
    let mut failed = Vec::new();
    let files = all();
    for path in &files {
        let bytes = std::fs::read(path).unwrap();
        let start = Instant::now();
        if catch_unwind(AssertUnwindSafe(|| check(&bytes))).is_err() {
            failed.push(format!("{}: see above", path.display()));
        }
        if start.elapsed() > TIME_MAX {
            failed.push(format!("{}: {:?}", path.display(), start.elapsed()));
        }
    }
    println!("{} files", files.len());
    assert!(failed.is_empty(), "{} of {} files:\n{}", failed.len(), files.len(), failed.join("\n"));
}
