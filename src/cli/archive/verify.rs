//! `spillpipe verify`: what is wrong with archives, and where.

use super::args::VerifyArgs;
use super::findings;
use crate::cli::args::When;
use crate::cli::clash::{Files, Stream};
use crate::cli::digest::Digest;
use crate::cli::exit::{Ending, Exit, Failure};
use crate::cli::figures::Period;
use crate::cli::session::{self, Manner, Outcome, Session};
use crate::cli::signals::Signals;
use crate::cli::text::{cannot_print, counted, one_line};
use crate::cli::watcher::Style;
use serde_json::{Map, Value, json};
use spillpipe::archive::{CopyOptions, Error, FileReport, Input, Observer, Verdict, Verifier, VerifyOptions};
use spillpipe::units::human;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::time::Duration;

/// Runs it.
pub(in crate::cli) fn run(args: &VerifyArgs, signals: Signals) -> Exit {
    let manner = Manner {
        name: None,
        quiet: args.quiet,
        verbose: args.verbose,
        files: Files { input: Stream::Archives(&args.paths), output: Stream::Given(None), log: None, stats: None },
        style: style(args),
        interval: Duration::from_secs(1),
        status,
        dir: None,
    };
    session::run(&manner, signals, |session| verify(args, session).unwrap_or_else(Outcome::failed))
}

fn style(args: &VerifyArgs) -> Style {
    let terminal = io::stderr().is_terminal();
    match args.progress {
        When::Never => Style::Hidden,
        When::Auto if args.quiet || !terminal => Style::Hidden,
        When::Auto | When::Always if terminal => Style::InPlace,
        When::Auto | When::Always => Style::Lines,
    }
}

fn status(period: Period<'_>) -> String {
    let (now, rate) = (period.to, human(period.in_rate()));
    format!("{} verified after {:.1} s, at {rate}/s", human(now.bytes_in), now.elapsed.as_secs_f64())
}

fn verify(args: &VerifyArgs, session: &Session) -> Result<Outcome, Failure> {
    if args.expect.is_some() && args.paths.len() > 1 {
        return Err(Failure::usage("--expect is for one PATH"));
    }
    if let Some((expected, algorithm)) = args.expect.as_ref().zip(args.digest) {
        let (has, needs) = (expected.len(), Digest::new(algorithm).hex().len());
        if has != needs {
            let text = format!("--expect has {}, and {} {needs}", counted(has as u64, "digit"), algorithm.name());
            return Err(Failure::usage(text));
        }
    }
    let is_stdin = |path: &Path| path.as_os_str() == "-";
    if args.paths.iter().any(|path| is_stdin(path)) && io::stdin().is_terminal() {
        return Err(Failure::usage("an archive does not come from a terminal; give a PATH"));
    }
    let inputs: Vec<_> = args.paths.iter().map(|path| Input::of(path)).collect();
    let sizes = inputs.iter().flatten().flatten().map(Input::bytes);
    if let Some(bytes) = sizes.sum::<Option<u64>>() {
        let _ = session.size_bytes.set(bytes); // Nobody else sets it.
    }
    let mut options = VerifyOptions::default();
    options.threads = args.threads.unwrap_or(CopyOptions::default().threads);
    (options.quick, options.data) = (args.quick, args.digest.is_some());
    let mut verifier = Verifier::new(&options).map_err(Failure::io("cannot start a thread"))?;

    let mut findings = Findings::new(args, session);
    for (path, inputs) in args.paths.iter().zip(inputs) {
        findings.path(path, inputs.as_ref().map_or(0, Vec::len));
        match inputs {
            Ok(inputs) => {
                for input in &inputs {
                    verifier.input(input, &mut findings);
                    findings.check()?;
                }
            }
            Err(error) => findings.cannot(path, error),
        }
        findings.check()?;
    }
    verifier.finish(&mut findings);
    findings.outcome()
}

/// One PATH of the command line.
struct PathState {
    name: String,
    /// Its files that no report came of yet.
    files: usize,
    worst: Verdict,
    digest: Option<Digest>,
}

/// Takes in what is found, and tells it.
struct Findings<'a> {
    args: &'a VerifyArgs,
    session: &'a Session,
    /// Whether a line is written of what is sound.
    shows_sound: bool,
    paths: Vec<PathState>,
    counts: [u64; 4],
    /// Why it fails: of the worst so far.
    reason: Option<(Verdict, String)>,
    files: Vec<Value>,
    cannot_print: Option<io::Error>,
}

impl Observer for Findings<'_> {
    fn progress(&mut self, bytes: u64) {
        self.session.tally.took(bytes);
        self.session.tally.gave(bytes, Duration::ZERO);
    }

    fn data(&mut self, bytes: &[u8]) {
        if let Some(digest) = self.paths.last().and_then(|path| path.digest.as_ref()) {
            digest.update(bytes);
        }
    }

    fn report(&mut self, report: FileReport) {
        let verdict = report.verdict();
        if let Some(path) = self.paths.iter_mut().find(|path| path.files > 0) {
            path.files -= 1;
            path.worst = path.worst.max(verdict);
        }
        self.take(&report);
    }
}

impl<'a> Findings<'a> {
    fn new(args: &'a VerifyArgs, session: &'a Session) -> Self {
        Self {
            args,
            session,
            shows_sound: args.verbose || io::stdout().is_terminal(),
            paths: Vec::new(),
            counts: [0; 4],
            reason: None,
            files: Vec::new(),
            cannot_print: None,
        }
    }

    fn path(&mut self, path: &Path, files: usize) {
        let (name, digest) = (path.display().to_string(), self.args.digest.map(Digest::new));
        self.paths.push(PathState { name, files, worst: Verdict::Sound, digest });
    }

    /// A PATH of which nothing can be had.
    fn cannot(&mut self, path: &Path, error: Error) {
        if let Some(state) = self.paths.last_mut() {
            state.worst = Verdict::Unreadable;
        }
        self.take(&FileReport::of_error(path.display().to_string(), error));
    }

    /// Counts a file, and tells of it.
    fn take(&mut self, report: &FileReport) {
        let verdict = report.verdict();
        self.count(verdict, || findings::reason(report));
        if self.args.json {
            self.files.push(findings::as_json(report));
            return;
        }
        if self.args.quiet {
            return;
        }
        // The only one is told at the end.
        if let Some(error) = report.error.as_ref().filter(|_| self.is_one_of_many()) {
            self.session.teller.fail(&findings::error(error));
        }
        if report.error.is_some() && report.problems.is_empty() {
            return;
        }
        if verdict != Verdict::Sound || self.shows_sound {
            let table = findings::table(report, self.args.verbose);
            self.print(&format!("{}\n{table}", findings::line(report, self.args.quick)));
        }
    }

    /// Fails when nobody reads what is told.
    fn check(&mut self) -> Result<(), Failure> {
        self.cannot_print.take().map_or(Ok(()), |error| Err(cannot_print(&error)))
    }

    fn is_one_of_many(&self) -> bool {
        self.args.paths.len() > 1
            || self.paths.first().is_some_and(|path| path.files > 0)
            || self.counts[..].iter().sum::<u64>() > 1
    }

    fn count(&mut self, verdict: Verdict, reason: impl FnOnce() -> String) {
        self.counts[verdict as usize] += 1;
        if verdict > self.reason.as_ref().map_or(Verdict::Sound, |(worst, _)| *worst) {
            self.reason = Some((verdict, reason()));
        }
    }

    fn print(&mut self, text: &str) {
        self.session.teller.clear();
        let printed = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
        if let Err(error) = printed {
            self.cannot_print.get_or_insert(error);
        }
    }

    fn outcome(mut self) -> Result<Outcome, Failure> {
        let mut digests = Vec::new();
        for path in std::mem::take(&mut self.paths) {
            let Some(digest) = path.digest.filter(|_| path.worst <= Verdict::Incomplete) else { continue };
            let (algorithm, hex) = (digest.name(), digest.hex());
            if let Some(expected) = self.args.expect.as_ref().filter(|expected| !expected.eq_ignore_ascii_case(&hex)) {
                let name = &path.name;
                // It was counted as what it is but for this.
                self.counts[path.worst as usize] = self.counts[path.worst as usize].saturating_sub(1);
                self.count(Verdict::Damaged, || format!("the {algorithm} of {name} is {hex}, not {expected}"));
            }
            digests.push((algorithm, hex, path.name));
        }
        let now = self.session.tally.snapshot();
        let (worst, reason) = self.reason.take().unwrap_or((Verdict::Sound, String::new()));
        if self.args.json {
            let digests = digests
                .iter()
                .map(|(algorithm, hex, path)| json!({ "path": path, "algorithm": algorithm, "hex": hex }));
            let all = json!({
                "version": env!("CARGO_PKG_VERSION"),
                "verdict": findings::word(worst),
                "exit_status": findings::exit(worst).status(),
                "files": std::mem::take(&mut self.files),
                "digests": digests.collect::<Vec<_>>(),
                "seconds": (now.elapsed.as_secs_f64() * 1000.0).round() / 1000.0,
            });
            self.print(&format!("{all:#}\n"));
        } else {
            for (algorithm, hex, path) in digests {
                self.print(&format!("{algorithm} {hex}  {}\n", one_line(&path)));
            }
        }
        self.check()?;
        let whole = Period { from: &self.session.zero, to: &now };
        let seconds = now.elapsed.as_secs_f64();
        let summary = format!("{} in {seconds:.1} s ({}/s)", human(now.bytes_in), human(whole.in_rate()));
        let failure = || Failure { exit: findings::exit(worst), text: self.text(reason) };
        let flaw = (worst != Verdict::Sound).then(failure);
        let ending = Ending { failure: None, flaw };
        Ok(Outcome { summary, lines: String::new(), warnings: vec![], ending, figures: Map::new() })
    }

    /// What is wrong, in one line.
    fn text(&self, reason: String) -> String {
        let files: u64 = self.counts.iter().sum();
        if files <= 1 || self.args.paths.len() == 1 && self.counts[1..].iter().sum::<u64>() == 1 {
            return reason;
        }
        let told =
            [(Verdict::Damaged, "damaged"), (Verdict::Unreadable, "unreadable"), (Verdict::Incomplete, "incomplete")];
        let told = told.map(|(verdict, word)| (self.counts[verdict as usize], word));
        let told: Vec<_> =
            told.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        format!("of {}: {}", counted(files, "file"), told.join(", "))
    }
}
