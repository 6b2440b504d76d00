//! Clap's answers in our form: help and version as they are, an error in one line.

use super::args::Cli;
use super::exit::Exit;
use super::teller::tell_stderr;
use clap::CommandFactory;
use clap::error::ErrorKind;
use std::ffi::OsString;
use std::io::{self, Write};

/// Prints what clap has to say.
pub(super) fn report(error: &clap::Error) -> Exit {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return match error.print().and_then(|()| io::stdout().flush()) {
            Ok(()) => Exit::Done,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::ConsumerGone,
            Err(_) => Exit::Failed,
        };
    }
    let line = one_line(&error.render().to_string(), &command(std::env::args_os().skip(1), &Cli::command()));
    tell_stderr("spillpipe", &line);
    Exit::Usage
}

/// The command that the arguments begin with, as in `spillpipe reader add`: its help is the one to read.
fn command(args: impl Iterator<Item = OsString>, known: &clap::Command) -> String {
    let (mut name, mut at) = (known.get_name().to_owned(), known);
    for arg in args {
        match at.find_subcommand(&arg) {
            Some(found) => at = found,
            None => break,
        }
        name = format!("{name} {}", at.get_name());
    }
    name
}

/// The first paragraph of clap's text and its tips, in one line.
///
/// It loses the usage synopsis, and nothing else: `--help` is the better one.
fn one_line(rendered: &str, command: &str) -> String {
    let mut paragraphs = rendered.trim().split("\n\n");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut line = words(paragraphs.next().unwrap_or_default().trim_start_matches("error: "));
    if let Some(name) = line.strip_prefix("unrecognized subcommand ") {
        line = format!("unexpected argument {name}: there is no such command, and an input file takes --input");
    }
    for tip in paragraphs.flat_map(str::lines).filter_map(|line| line.trim().strip_prefix("tip: ")) {
        line = format!("{line} ({})", words(tip));
    }
    // To clap it is a value too many, or a command that is missing.
    let word = line.strip_prefix("unexpected argument '").is_some_and(|word| !word.starts_with('-'));
    if command.ends_with(" each") && (word || line.contains("<CMD>")) {
        line.push_str(" (put -- before the command)");
    }
    format!("{line}; try '{command} --help'")
}

#[cfg(test)]
mod tests {
    use super::{Cli, CommandFactory as _, command, one_line};

    #[test]
    fn paragraphs_become_one_line_and_the_synopsis_goes() {
        let rendered = "error: unexpected argument '--codek' found\n\n  tip: a similar argument exists: '--codec'\n\n\
                        Usage: spillpipe [OPTIONS]\n\nFor more information, try '--help'.\n";
        let expected = "unexpected argument '--codek' found (a similar argument exists: '--codec'); \
                        try 'spillpipe --help'";
        assert_eq!(one_line(rendered, "spillpipe"), expected);
        assert_eq!(
            one_line("error: bad\n  [possible values: a, b]\n", "spillpipe"),
            "bad [possible values: a, b]; try 'spillpipe --help'"
        );
    }

    #[test]
    fn who_forgets_what_stands_before_a_command_is_told() {
        assert_eq!(
            one_line("error: unexpected argument 'cat' found\n\nUsage: x\n", "spillpipe each"),
            "unexpected argument 'cat' found (put -- before the command); try 'spillpipe each --help'"
        );
        assert!(!one_line("error: unexpected argument 'x' found\n", "spillpipe pop").contains("put --"));
    }

    #[test]
    fn the_help_to_read_is_that_of_the_command() {
        let command = |args: &str| command(args.split_whitespace().map(Into::into), &Cli::command());
        assert_eq!(command("-m 64M each"), "spillpipe");
        assert_eq!(command("each --nonsense"), "spillpipe each");
        assert_eq!(command("eachother"), "spillpipe");
    }
}
