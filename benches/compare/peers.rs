//! The tools that are compared: their command lines, and which of them are there.

use crate::process::said_by;
use std::io;
use std::path::{Path, PathBuf};

/// Every program that some row runs beside spillpipe.
pub(crate) const PROGRAMS: [&str; 7] = ["buffer", "cat", "fincore", "lz4", "mbuffer", "pv", "zstd"];
/// mbuffer makes the producer wait when its file is full, so it is told how much comes, and some more.
const MBUFFER_EXTRA_MIB: u64 = 16;

/// A name, and the commands of its pipeline; none: nothing between producer and consumer.
#[derive(Clone)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) stages: Vec<Vec<String>>,
}

impl Tool {
    /// Commands as they are typed: words and bars.
    pub(crate) fn typed(line: &str) -> Self {
        let words = |stage: &str| stage.split_whitespace().map(str::to_owned).collect();
        Self { name: line.to_owned(), stages: line.split('|').map(words).collect() }
    }

    fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }
}

pub(crate) struct Peers {
    spillpipe: PathBuf,
    work: PathBuf,
    stats: PathBuf,
    help: String,
}

impl Peers {
    /// `spillpipe` is to spill into `work` and to report to `stats`.
    pub(crate) fn new(spillpipe: &Path, work: &Path, stats: &Path) -> io::Result<Self> {
        let help = said_by(&spillpipe.to_string_lossy(), &["--help"]);
        let help = help.ok_or_else(|| io::Error::other(format!("{}: cannot be run", spillpipe.display())))?;
        Ok(Self { spillpipe: spillpipe.to_owned(), work: work.to_owned(), stats: stats.to_owned(), help })
    }

    /// spillpipe with these options besides where it spills.
    pub(crate) fn spillpipe(&self, options: &str) -> Tool {
        let places = [self.spillpipe.as_path(), "-T".as_ref(), &self.work, "--stats".as_ref(), &self.stats];
        let mut command: Vec<_> = places.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        command.extend(options.split_whitespace().map(str::to_owned));
        Tool { name: format!("spillpipe {options}").trim().to_owned(), stages: vec![command] }
    }

    /// Into a spool with these options, and out of it: two commands, one after the other.
    pub(crate) fn spool(&self, options: &str) -> Tool {
        let (program, spool) = (self.spillpipe.to_string_lossy(), self.work.join("spool"));
        let mut push = vec![program.clone().into_owned(), "push".to_owned()];
        push.extend(options.split_whitespace().map(str::to_owned));
        let stages = [push, vec![program.into_owned(), "pop".to_owned()]];
        let stages = stages.map(|command| [command, vec![spool.to_string_lossy().into_owned()]].concat()).to_vec();
        let options = if options.is_empty() { String::new() } else { format!(" {options}") };
        Tool { name: format!("spillpipe push{options}; pop"), stages }
    }

    /// A command on an archive, whose path comes last.
    pub(crate) fn archive(&self, command: &str, path: &Path) -> Tool {
        let mut words = vec![self.spillpipe.to_string_lossy().into_owned()];
        words.extend(command.split_whitespace().map(str::to_owned));
        words.push(path.to_string_lossy().into_owned());
        Tool { name: format!("spillpipe {command}"), stages: vec![words] }
    }

    /// The same command, with a report of what it did.
    pub(crate) fn with_stats(&self, mut tool: Tool) -> Tool {
        tool.stages[0].extend(["--stats".to_owned(), self.stats.to_string_lossy().into_owned()]);
        tool
    }

    /// Into a file, which is synced, and out of it: two commands, one after the other.
    pub(crate) fn synced_file(&self) -> Tool {
        let file = self.work.join("file").to_string_lossy().into_owned();
        let push = ["sh".to_owned(), "-c".to_owned(), format!("cat > '{file}' && sync '{file}'")];
        Tool {
            name: "cat > file; sync file; cat file".to_owned(),
            stages: vec![push.to_vec(), vec!["cat".to_owned(), file]],
        }
    }

    /// mbuffer with a file behind it for `bytes` of what comes to it, between two commands if such are given.
    pub(crate) fn mbuffer_file(&self, bytes: u64, around: Option<(&str, &str)>) -> Tool {
        let size = (bytes >> 20) + MBUFFER_EXTRA_MIB;
        let mut tool = Tool::typed(&format!("mbuffer -q -m {size}M -s 128k -T"));
        tool.stages[0].push(self.work.join("mbuffer").to_string_lossy().into_owned());
        let Some((before, after)) = around else { return tool.named("mbuffer -T") };
        tool.stages.insert(0, Tool::typed(before).stages.remove(0));
        tool.stages.extend(Tool::typed(after).stages);
        tool.named(&format!("{before} | mbuffer -T | {after}"))
    }

    /// Splits into those that can be run, and what is missing for the others.
    pub(crate) fn present(&self, tools: Vec<Tool>) -> (Vec<Tool>, Vec<String>) {
        let (mut there, mut missing) = (Vec::new(), Vec::new());
        for tool in tools {
            let mut lacks: Vec<_> = tool.stages.iter().filter_map(|stage| self.lacks(stage)).collect();
            lacks.sort();
            lacks.dedup();
            if lacks.is_empty() {
                there.push(tool);
            } else {
                eprintln!("missing for {}: {}", tool.name, lacks.join(", "));
                missing.push(format!("{} ({})", tool.name, lacks.join(", ")));
            }
        }
        (there, missing)
    }

    fn lacks(&self, stage: &[String]) -> Option<String> {
        let program = stage.first()?;
        if self.spillpipe.as_os_str() != program.as_str() {
            return (!is_there(program)).then(|| format!("no {program} here"));
        }
        // What a subcommand takes is in a help of its own.
        let filter = stage.get(1).is_none_or(|word| word.starts_with('-'));
        let long = stage
            .iter()
            .filter(|_| filter)
            .find(|word| word.starts_with("--") && !self.help.contains(word.as_str()))?;
        Some(format!("this spillpipe has no {long}"))
    }

    /// Each program and what it says of its version.
    pub(crate) fn versions(&self) -> Vec<(String, String)> {
        let spillpipe = ("spillpipe".to_owned(), version(&self.spillpipe.to_string_lossy()));
        let others = PROGRAMS.iter().map(|program| {
            let version = if is_there(program) { version(program) } else { "missing".to_owned() };
            ((*program).to_owned(), version)
        });
        std::iter::once(spillpipe).chain(others).collect()
    }
}

pub(crate) fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

fn version(program: &str) -> String {
    let said = said_by(program, &["--version"]).unwrap_or_default();
    let line = said.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let line = line.trim_matches(|c: char| c == '*' || c.is_whitespace());
    // An older one takes the question for a mistake.
    if line.is_empty() || line.contains("invalid option") { "does not tell".to_owned() } else { line.to_owned() }
}
