//! Where words go: to standard error, around the progress line that may stand there, or to a log.
//!
//! Every line is one write, so that a death in the middle leaves no half of one, and a failure to write is ignored:
//! nobody is left to be told.

use super::exit::Failure;
use super::text::{Loudness, one_line};
use console::measure_text_width;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Tells the user.
#[derive(Debug)]
pub(super) struct Teller {
    /// In front of each line: `spillpipe`, or `spillpipe[NAME]`.
    pub(super) prefix: String,
    /// Takes messages of any loudness in place of standard error.
    pub(super) log: Option<File>,
    /// Whether warnings go to standard error.
    pub(super) warnings: bool,
    /// Whether notes go to standard error.
    pub(super) notes: bool,
    /// Columns of the progress line that stands on the terminal now.
    pub(super) drawn_columns: Mutex<usize>,
}

impl Teller {
    /// Opens the log, if there is to be one. Notes are for a terminal, and for whoever wants to know.
    pub(super) fn open(prefix: String, quiet: bool, verbose: bool, log: Option<&PathBuf>) -> Result<Self, Failure> {
        let open = |path: &PathBuf| {
            let file = OpenOptions::new().append(true).create(true).open(path);
            file.map_err(Failure::io(format!("cannot write messages to {}", path.display())))
        };
        Ok(Self {
            prefix,
            log: log.map(open).transpose()?,
            warnings: !quiet,
            notes: !quiet && (verbose || io::stderr().is_terminal()),
            drawn_columns: Mutex::new(0),
        })
    }

    /// Tells of an event, if that is wanted.
    pub(super) fn say(&self, loudness: Loudness, text: &str) {
        let wanted = match loudness {
            Loudness::Warning => self.warnings,
            Loudness::Note => self.notes,
        };
        if wanted || self.log.is_some() {
            self.fail(text);
        }
    }

    /// Tells why the command ends: always.
    pub(super) fn fail(&self, text: &str) {
        match &self.log {
            Some(log) => {
                let _ = (&*log).write_all(line(&self.prefix, text).as_bytes());
            }
            None => self.answer(text),
        }
    }

    /// Tells what was asked for, on standard error whatever the log.
    pub(super) fn answer(&self, text: &str) {
        self.plain(&line(&self.prefix, text));
    }

    /// Writes whole lines as they are.
    pub(super) fn plain(&self, lines: &str) {
        let mut drawn = self.drawn_columns.lock().unwrap_or_else(PoisonError::into_inner);
        write_stderr(&format!("{}{lines}", erase(&mut drawn)));
    }

    /// Draws the progress line over the one before. With spaces rather than an escape sequence, so that any terminal
    /// will do.
    pub(super) fn draw(&self, progress: &str) {
        let mut drawn = self.drawn_columns.lock().unwrap_or_else(PoisonError::into_inner);
        let columns = measure_text_width(progress);
        let rest = drawn.saturating_sub(columns);
        write_stderr(&format!("\r{progress}{}{}", " ".repeat(rest), "\u{8}".repeat(rest)));
        *drawn = columns;
    }

    /// Removes the progress line.
    pub(super) fn clear(&self) {
        self.plain("");
    }
}

/// What erases the progress line; nothing when none stands.
fn erase(drawn: &mut usize) -> String {
    match std::mem::take(drawn) {
        0 => String::new(),
        columns => format!("\r{}\r", " ".repeat(columns)),
    }
}

fn line(prefix: &str, text: &str) -> String {
    format!("{}: {}\n", one_line(prefix), one_line(text))
}

/// Tells of something before there is a teller.
pub(super) fn tell_stderr(prefix: &str, text: &str) {
    write_stderr(&line(prefix, text));
}

fn write_stderr(text: &str) {
    if !text.is_empty() {
        let _ = io::stderr().write_all(text.as_bytes());
    }
}
