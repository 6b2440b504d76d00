//! Where a run takes place: its directories, sizes, inputs and peers.

use crate::args::Args;
use crate::input::{Input, Inputs};
use crate::peers::Peers;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

pub(crate) struct Context {
    pub(crate) runs: usize,
    /// Of the largest dump.
    pub(crate) dump_bytes: u64,
    pub(crate) long: bool,
    pub(crate) smoke: bool,
    pub(crate) peers: Peers,
    pub(crate) inputs: Inputs,
    /// Of everything. Without symbolic links, as /proc shows paths.
    pub(crate) dir: PathBuf,
    /// For what the tools put on disk; emptied before each measurement.
    pub(crate) work: PathBuf,
}

impl Context {
    pub(crate) fn new(args: &Args, dir: &Path) -> io::Result<Self> {
        let dir = dir.canonicalize()?;
        let (work, inputs) = (dir.join("work"), dir.join("inputs"));
        fs::create_dir(&work)?;
        fs::create_dir(&inputs)?;
        Ok(Self {
            runs: args.runs,
            dump_bytes: args.dump_bytes,
            long: args.long,
            smoke: args.smoke,
            peers: Peers::new(&args.spillpipe, &work, &dir.join("stats"))?,
            inputs: Inputs::new(inputs),
            dir,
            work,
        })
    }

    /// This much in a real run; in a smoke run what shows that it works.
    pub(crate) fn scaled<T>(&self, real: T, smoke: T) -> T {
        if self.smoke { smoke } else { real }
    }

    /// Before a measurement: as `clear`, and the input in the page cache.
    pub(crate) fn settle(&self, input: &Input) -> io::Result<()> {
        self.clear()?;
        input.warm()
    }

    /// Nothing of an earlier measurement is on disk or still to be written.
    pub(crate) fn clear(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.work)? {
            let entry = entry?;
            let remove = if entry.file_type()?.is_dir() { fs::remove_dir_all } else { fs::remove_file };
            remove(entry.path())?;
        }
        rustix::fs::syncfs(File::open(&self.work)?)?;
        Ok(())
    }

    /// Where commands write what they have to say.
    pub(crate) fn complaints(&self) -> PathBuf {
        self.dir.join("complaints")
    }

    /// What the last spillpipe said with --stats; null if it was another tool.
    pub(crate) fn take_stats(&self) -> serde_json::Value {
        let path = self.dir.join("stats");
        let stats = fs::read_to_string(&path).ok().and_then(|text| serde_json::from_str(&text).ok());
        // Gone, so that it is not taken for the next one's; it may never have been there.
        let _ = fs::remove_file(&path);
        stats.unwrap_or_default()
    }
}
