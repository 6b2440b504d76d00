//! `spillpipe`: standard input to standard output, through a disk-backed pipe.

use super::args::{FilterArgs, When};
use super::clash::{self, Files, Stream};
use super::digest::Digest;
use super::ends::{self, PipeEnd};
use super::episodes::Episodes;
use super::exit::{Exit, Failure};
use super::figures::Period;
use super::options::{explain, options};
use super::signals::Signals;
use super::stats::{self, Target};
use super::teller::{Teller, tell_stderr};
use super::watcher::{Queue, Style, Watch, Watcher};
use super::{line, text};
use spillpipe::pipe::{Meter, Options, Pipe, Snapshot};
use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

/// Runs the filter, and tells how it went.
pub(super) fn run(args: &FilterArgs, signals: Signals) -> Exit {
    if let Some(dir) = &args.spool {
        return super::spool::through(args, dir, signals);
    }
    let prefix = prefix(args);
    let session = Session::prepare(args, prefix.clone()).and_then(|(session, pipe)| {
        let watch = session.watch();
        let started = Watcher::start(signals, watch)?;
        Ok((session, pipe, started))
    });
    match session {
        Ok((session, pipe, (watcher, queue))) => {
            let result = session.transfer(pipe, queue);
            watcher.stop();
            session.report(result)
        }
        Err(failure) => {
            tell_stderr(&prefix, &failure.text);
            failure.exit
        }
    }
}

/// What its messages begin with.
pub(super) fn prefix(args: &FilterArgs) -> String {
    args.name.as_ref().map_or_else(|| "spillpipe".to_owned(), |name| format!("spillpipe[{name}]"))
}

/// All that outlives the pipe.
struct Session<'a> {
    args: &'a FilterArgs,
    options: Options,
    meter: Arc<Meter>,
    /// The meter as it was before anything happened.
    zero: Snapshot,
    teller: Arc<Teller>,
    digest: Option<Digest>,
    stats: Option<Target>,
    size_bytes: Arc<OnceLock<u64>>,
}

impl<'a> Session<'a> {
    /// Checks all that can be checked before anything starts, and opens what tells of the rest.
    fn prepare(args: &'a FilterArgs, prefix: String) -> Result<(Self, Pipe), Failure> {
        let options = options(args)?;
        let pipe = Pipe::new(options.clone()).map_err(|error| explain(&error))?;
        clash::refuse(files(args))?;
        let teller = Arc::new(Teller::open(prefix, args.quiet, args.verbose, args.log.as_ref())?);
        let meter = pipe.meter();
        let session = Self {
            args,
            options,
            zero: meter.snapshot(),
            meter,
            teller,
            digest: args.digest.map(Digest::new),
            stats: args.stats.as_deref().map(Target::open).transpose()?,
            size_bytes: Arc::default(),
        };
        Ok((session, pipe))
    }

    fn watch(&self) -> Watch {
        Watch {
            look: {
                let meter = Arc::clone(&self.meter);
                Box::new(move || meter.snapshot())
            },
            status: line::status,
            teller: Arc::clone(&self.teller),
            style: style(self.args),
            interval: self.args.interval,
            name: self.args.name.clone(),
            size_bytes: Arc::clone(&self.size_bytes),
        }
    }

    /// Opens the ends and moves the data.
    fn transfer(&self, pipe: Pipe, queue: Queue) -> Result<Snapshot, Failure> {
        ends::check_spill_dir(&self.options.spill.dir)?;
        clash::refuse(files(self.args))?; // Once more: what has been created since has an inode, whatever its names.
        let input = ends::open_input(self.args.input.as_ref())?;
        let output = ends::open_output(self.args.output.as_ref(), self.args.force, &input)?;
        if let Some(bytes) = self.args.size.map(|size| size.0).or_else(|| input.bytes_left()) {
            let _ = self.size_bytes.set(bytes); // Nobody else sets it.
        }
        let snapshot = self.listen(pipe, queue).run(&input.file, &output.file);
        let snapshot = snapshot.map_err(|error| text::failure(&error, &input.name, &output.name))?;
        PipeEnd::sync(&output)?;
        Ok(snapshot)
    }

    /// The pipe with its events going to the queue, and its output to the digest.
    fn listen(&self, pipe: Pipe, queue: Queue) -> Pipe {
        let (meter, when_full) = (Arc::clone(&self.meter), self.options.spill.when_full);
        let episodes = Mutex::new(Episodes::default());
        let pipe = pipe.on_event(move |event| {
            if !episodes.lock().unwrap_or_else(PoisonError::into_inner).is_news(&event, Instant::now()) {
                return;
            }
            if let Some((loudness, text)) = text::event(&event, &meter.snapshot(), when_full) {
                queue.push(loudness, text);
            }
        });
        match self.digest.clone() {
            Some(digest) => pipe.tap(move |bytes| digest.update(bytes)),
            None => pipe,
        }
    }

    /// Tells how it went.
    fn report(mut self, result: Result<Snapshot, Failure>) -> Exit {
        let stats = self.stats.take();
        let (end, failure) = match result {
            Ok(end) => (end, None),
            Err(failure) => (self.meter.snapshot(), Some(failure)),
        };
        let mut exit = failure.as_ref().map_or(Exit::Done, |failure| failure.exit);
        // A consumer that has seen enough is nothing to talk about.
        if exit != Exit::ConsumerGone {
            self.tell(&end, failure.as_ref());
        }
        if let Some(stats) = stats {
            let error = failure.as_ref().map(|failure| failure.text.as_str());
            let (memory, digest) = (self.options.memory_bytes, self.digest.as_ref());
            if let Err(failure) = stats.write(&stats::stats(self.args, memory, &end, digest, exit, error)) {
                self.teller.fail(&failure.text);
                exit = if exit == Exit::Done { failure.exit } else { exit };
            }
        }
        exit
    }

    fn tell(&self, end: &Snapshot, failure: Option<&Failure>) {
        if let Some(text) = text::dropped(end, self.options.spill.when_full) {
            self.teller.say(text::Loudness::Warning, &text);
        }
        match (failure, &self.digest) {
            (Some(failure), _) => return self.teller.fail(&failure.text),
            (None, Some(digest)) => self.teller.plain(&format!("{} {}\n", digest.name(), digest.hex())),
            (None, None) => {}
        }
        self.teller.say(text::Loudness::Note, &line::summary(Period { from: &self.zero, to: end }));
    }
}

/// The files that the arguments name.
pub(super) fn files(args: &FilterArgs) -> Files<'_> {
    Files {
        input: Stream::Given(args.input.as_ref()),
        output: Stream::Given(args.output.as_ref()),
        log: args.log.as_ref(),
        stats: args.stats.as_ref(),
    }
}

/// How to show the progress. Without being asked, only on a terminal that shows nothing else.
pub(super) fn style(args: &FilterArgs) -> Style {
    let terminal = io::stderr().is_terminal();
    match args.progress {
        When::Never => Style::Hidden,
        When::Auto if args.quiet || !terminal => Style::Hidden,
        When::Auto if args.output.is_none() && io::stdout().is_terminal() => Style::Hidden,
        When::Auto if args.input.is_none() && io::stdin().is_terminal() => Style::Hidden,
        When::Auto | When::Always if terminal => Style::InPlace,
        When::Auto | When::Always => Style::Lines,
    }
}
