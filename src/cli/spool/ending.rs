//! How handing out a stream ended, as the exit status and the last line tell it.

use super::handout::HandedOut;
use crate::cli::exit::{Ending, Exit, Failure};
use crate::cli::text::counted;
use std::path::Path;

/// What was handed out, and how it ended: damage counts for more than a missing end.
pub(in crate::cli) fn ending(
    damages: u64,
    lost_bytes: u64,
    incomplete: bool,
    dir: &Path,
    failure: Option<Failure>,
) -> Ending {
    at(damages, lost_bytes, incomplete.then_some(""), dir, failure)
}

/// The same of what was handed out by [`Handout`](super::handout::Handout).
pub(super) fn of_handout(handed: HandedOut, dir: &Path) -> Ending {
    let (stats, place) = (handed.stats, handed.incomplete_at.map(|at| format!(" at byte {at},")));
    at(stats.damages, stats.lost_bytes, place.as_deref(), dir, handed.failure)
}

/// `incomplete`: whether, and where in words, if that is known.
fn at(damages: u64, lost_bytes: u64, incomplete: Option<&str>, dir: &Path, failure: Option<Failure>) -> Ending {
    let dir = dir.display();
    let flaw = if damages > 0 {
        let places = counted(damages, "place");
        let more = if incomplete.is_some() { "; the stream is incomplete, too" } else { "" };
        let text = format!(
            "{dir} is damaged in {places}: {} of data lost, the rest was handed out{more}",
            counted(lost_bytes, "byte")
        );
        Some(Failure { exit: Exit::Damaged, text })
    } else if let Some(at) = incomplete {
        let text = format!("the stream in {dir} is incomplete: its producer died or gave up{at} before the end");
        Some(Failure { exit: Exit::Incomplete, text })
    } else {
        None
    };
    Ending { failure, flaw }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_counts_for_more_than_a_missing_end_and_a_failure_for_more_than_both() {
        let exit = |damages, incomplete, failure| ending(damages, 0, incomplete, Path::new("/v"), failure).exit();
        assert_eq!(exit(0, false, None), Exit::Done);
        assert_eq!(exit(0, true, None), Exit::Incomplete);
        assert_eq!(exit(1, true, None), Exit::Damaged);
        assert_eq!(exit(1, true, Some(Failure::new("x"))), Exit::Failed);
    }
}
