//! A pipeline of commands between two ends, and what it used.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use wait4::Wait4 as _;

/// So much of what a failed command said is shown.
const COMPLAINT_CHARS_MAX: usize = 300;

/// Commands that are running, and where they complain.
pub(crate) struct Pipeline {
    children: Vec<(String, Child)>,
    complaints: std::path::PathBuf,
}

impl Pipeline {
    /// Starts `stages`, each reading what the one before it writes. What they say goes to the file `complaints`.
    pub(crate) fn start(
        stages: &[Vec<String>],
        stdin: impl Into<Stdio>,
        stdout: impl Into<Stdio>,
        complaints: &Path,
    ) -> io::Result<Self> {
        let stderr = File::create(complaints)?;
        let mut running = Self { children: Vec::new(), complaints: complaints.to_owned() };
        let (mut next_in, mut last_out) = (stdin.into(), Some(stdout.into()));
        for (i, stage) in stages.iter().enumerate() {
            let (out, following) = if i + 1 == stages.len() {
                (last_out.take().unwrap_or_else(Stdio::null), Stdio::null())
            } else {
                let (reader, writer) = io::pipe()?;
                (writer.into(), reader.into())
            };
            let stdin = std::mem::replace(&mut next_in, following);
            let [program, arguments @ ..] = stage.as_slice() else { continue };
            let child = Command::new(program)
                .args(arguments)
                .stdin(stdin)
                .stdout(out)
                .stderr(stderr.try_clone()?)
                .spawn()
                .map_err(|error| io::Error::new(error.kind(), format!("cannot start {program}: {error}")))?;
            running.children.push((stage.join(" "), child));
        }
        Ok(running)
    }

    pub(crate) fn pids(&self) -> Vec<u32> {
        self.children.iter().map(|(_, child)| child.id()).collect()
    }

    /// Waits until all have ended; returns the CPU seconds, user and system, that they took. Fails if one of them did.
    pub(crate) fn wait(self) -> io::Result<f64> {
        let mut cpu_seconds = 0.0;
        let mut failed = Vec::new();
        for (name, child) in self.children {
            let used = child.wait4()?;
            cpu_seconds += (used.rusage.utime + used.rusage.stime).as_secs_f64();
            if !used.status.success() {
                failed.push(format!("{name}: {}", used.status));
            }
        }
        if failed.is_empty() {
            return Ok(cpu_seconds);
        }
        let said: String = std::fs::read_to_string(&self.complaints)?.chars().take(COMPLAINT_CHARS_MAX).collect();
        Err(io::Error::other(format!("{} (it said: '{}')", failed.join("; "), said.trim().replace('\n', " / "))))
    }
}

/// What a command writes, both streams; `None` when it cannot be started.
pub(crate) fn said_by(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
}
