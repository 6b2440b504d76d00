//! Clap's answers in our form: help and version as they are, an error in one line.

use super::exit::Exit;
use super::teller::tell_stderr;
use clap::error::ErrorKind;
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
    tell_stderr("spillpipe", &one_line(&error.render().to_string()));
    Exit::Usage
}

/// The first paragraph of clap's text and its tips, in one line.
///
/// It loses the usage synopsis, and nothing else: `--help` is the better one.
fn one_line(rendered: &str) -> String {
    let mut paragraphs = rendered.trim().split("\n\n");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut line = words(paragraphs.next().unwrap_or_default().trim_start_matches("error: "));
    for tip in paragraphs.flat_map(str::lines).filter_map(|line| line.trim().strip_prefix("tip: ")) {
        line = format!("{line} ({})", words(tip));
    }
    format!("{line}; try 'spillpipe --help'")
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn paragraphs_become_one_line_and_the_synopsis_goes() {
        let rendered = "error: unexpected argument '--codek' found\n\n  tip: a similar argument exists: '--codec'\n\n\
                        Usage: spillpipe [OPTIONS]\n\nFor more information, try '--help'.\n";
        let expected = "unexpected argument '--codek' found (a similar argument exists: '--codec'); \
                        try 'spillpipe --help'";
        assert_eq!(one_line(rendered), expected);
        assert_eq!(
            one_line("error: bad\n  [possible values: a, b]\n"),
            "bad [possible values: a, b]; try 'spillpipe --help'"
        );
    }
}
