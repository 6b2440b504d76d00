//! The progress line, and the sentences about the whole. Pure: figures and a width in, a line out.
//!
//! Columns have fixed widths, and which of them are shown depends on the terminal alone, so nothing jumps.

use super::figures::{Bottleneck, Period, percent};
use console::{measure_text_width, truncate_str};
use spillpipe::pipe::Snapshot;
use spillpipe::units::{COMPACT_CHARS_MAX, compact, human};
use std::fmt::Write as _;
use std::time::Duration;

/// What a progress line shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress<'a> {
    /// From the last look to this one.
    pub(super) period: Period<'a>,
    /// A longer one, for a steady estimate of the time left.
    pub(super) trend: Period<'a>,
    /// Bytes that are expected in all.
    pub(super) size_bytes: Option<u64>,
    /// What to put in front.
    pub(super) name: Option<&'a str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Percent,
    Total,
    In,
    Backlog,
    Disk,
    Ratio,
    Out,
    Slow,
    /// The same without a label, where there is no room for one.
    SlowWord,
    TimeLeft,
}

use Column::{Backlog, Disk, In, Out, Percent, Ratio, Slow, SlowWord, TimeLeft, Total};

/// All columns, as they stand from left to right: the way that the data takes.
const COLUMNS: [Column; 10] = [Percent, Total, In, Backlog, Disk, Ratio, Out, Slow, SlowWord, TimeLeft];
/// What matters most comes first, and gets its place first.
const RANKS: [Column; 7] = [In, Out, Backlog, Total, Disk, Slow, Ratio];
/// The same when the end is known.
const RANKS_SIZED: [Column; 9] = [Percent, TimeLeft, In, Out, Backlog, Disk, Slow, Ratio, Total];

/// Terminals narrower than this have one space between columns, others two.
const WIDE_COLUMNS: usize = 60;
/// A name takes at most one part in so many of the line.
const NAME_PART: usize = 4;

impl Column {
    /// Characters that it takes, whatever it shows.
    const fn width(self) -> usize {
        match self {
            Percent => "100%".len(),
            Total => COMPACT_CHARS_MAX,
            In => "in /s".len() + COMPACT_CHARS_MAX,
            Out => "out /s".len() + COMPACT_CHARS_MAX,
            Backlog => "backlog ".len() + COMPACT_CHARS_MAX,
            Disk => "disk ".len() + COMPACT_CHARS_MAX,
            Ratio => "4.2x".len(),
            Slow => "slow: consumer".len(),
            SlowWord => "consumer".len(),
            TimeLeft => "ETA 1:23:45".len(),
        }
    }

    fn text(self, progress: &Progress<'_>) -> String {
        let (period, now) = (progress.period, progress.period.to);
        let size = progress.size_bytes.unwrap_or(0);
        match self {
            Percent => format!("{}%", percent(now, size).min(999)),
            Total => compact(now.bytes_out),
            In => format!("in {:>5}/s", compact(period.in_rate())),
            Out => format!("out {:>5}/s", compact(period.out_rate())),
            Backlog => format!("backlog {:>5}", compact(now.backlog_bytes)),
            Disk => format!("disk {:>5}", compact(now.disk_bytes)),
            Ratio => now.ratio().map(ratio).unwrap_or_default(),
            Slow => period.bottleneck().map(|slow| format!("slow: {}", slow.short_name())).unwrap_or_default(),
            SlowWord => period.bottleneck().map(|slow| slow.short_name().to_owned()).unwrap_or_default(),
            TimeLeft => format!("ETA {:>7}", progress.trend.time_left(size).map_or("-".to_owned(), clock)),
        }
    }
}

/// The progress line for a terminal so many columns wide: it leaves the last one free, and never wraps.
pub(super) fn progress(progress: &Progress<'_>, terminal_columns: usize) -> String {
    let usable = terminal_columns.saturating_sub(1);
    let mut line = progress.name.map(|name| prefix(name, usable)).unwrap_or_default();
    let gap = if terminal_columns < WIDE_COLUMNS { 1 } else { 2 };
    let shown = fitting(progress.size_bytes.is_some(), usable - measure_text_width(&line), gap);
    for (place, column) in COLUMNS.into_iter().filter(|column| shown.contains(column)).enumerate() {
        let (gap, width) = (if place == 0 { 0 } else { gap }, column.width());
        let text = column.text(progress);
        let _ = match column {
            // Words begin at the left, figures end at the right.
            Slow | SlowWord => write!(line, "{:gap$}{text:<width$}", ""),
            _ => write!(line, "{:gap$}{text:>width$}", ""),
        };
    }
    line.trim_end().to_owned()
}

fn prefix(name: &str, usable: usize) -> String {
    let name = super::text::one_line(name);
    match usable / NAME_PART {
        0 => String::new(),
        columns => truncate_str(&format!("{name}: "), columns, "\u{2026} ").into_owned(),
    }
}

/// The columns that fit, the most important first.
fn fitting(sized: bool, usable: usize, gap: usize) -> Vec<Column> {
    let (mut shown, mut used) = (Vec::new(), 0);
    for &column in if sized { &RANKS_SIZED[..] } else { &RANKS[..] } {
        let more = |column: Column| column.width() + if shown.is_empty() { 0 } else { gap };
        let column = if column == Slow && used + more(Slow) > usable { SlowWord } else { column };
        let end = used + more(column);
        // A ratio next to nothing that it is the ratio of would puzzle.
        if end <= usable && (column != Ratio || shown.contains(&Disk)) {
            shown.push(column);
            used = end;
        }
    }
    shown
}

/// In four characters.
fn ratio(ratio: f64) -> String {
    if ratio < 9.95 { format!("{ratio:.1}x") } else { format!("{:.0}x", ratio.min(999.0)) }
}

/// In seven characters at most: `12:34`, `1:23:45`, `10h 23m`, `12d 03h`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match hours {
        0 => format!("{minutes}:{:02}", seconds % 60),
        1..=9 => format!("{hours}:{:02}:{:02}", minutes % 60, seconds % 60),
        10..=99 => format!("{hours}h {:02}m", minutes % 60),
        _ if days < 100 => format!("{days}d {:02}h", hours % 24),
        _ => "long".to_owned(),
    }
}

/// What is said on SIGUSR1: where things stand, with the rates over the period.
pub(super) fn status(period: Period<'_>) -> String {
    let now = period.to;
    let mut text = format!(
        "{} in, {} out in {}; in {}/s, out {}/s; backlog {}",
        human(now.bytes_in),
        human(now.bytes_out),
        seconds(now.elapsed),
        human(period.in_rate()),
        human(period.out_rate()),
        human(now.backlog_bytes)
    );
    if now.disk_bytes > 0 {
        let _ = write!(text, ", disk {}{}", human(now.disk_bytes), in_brackets(now));
    }
    text + &slow(period.bottleneck())
}

/// What is said at the end: how it went as a whole.
pub(super) fn summary(whole: Period<'_>) -> String {
    let end = whole.to;
    let mut text = format!("{} in {} ({}/s)", human(end.bytes_out), seconds(end.elapsed), human(whole.out_rate()));
    let _ = write!(text, "; peak backlog {}", human(end.backlog_bytes_peak));
    if end.disk_bytes_peak > 0 {
        let _ = write!(text, ", disk {}{}", human(end.disk_bytes_peak), in_brackets(end));
    }
    let _ = write!(text, "; producer waited {}", seconds(end.producer_waited));
    text + &slow(whole.bottleneck())
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn in_brackets(snapshot: &Snapshot) -> String {
    snapshot.ratio().map(|r| format!(" ({})", ratio(r))).unwrap_or_default()
}

fn slow(bottleneck: Option<Bottleneck>) -> String {
    bottleneck.map(|slow| format!("; bottleneck: {}", slow.name())).unwrap_or_default()
}

#[cfg(test)]
#[expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them so")]
mod tests {
    use super::super::figures::tests::snapshot;
    use super::*;
    use expect_test::{Expect, expect};

    const MIB: u64 = 1 << 20;

    /// A consumer that lags, seen at two moments.
    fn lagging() -> (Snapshot, Snapshot) {
        let from = snapshot(10, |s| {
            (s.bytes_in, s.bytes_out, s.backlog_bytes) = (1100 * MIB, 400 * MIB, 700 * MIB);
        });
        let to = snapshot(11, |s| {
            (s.bytes_in, s.bytes_out, s.backlog_bytes) = (1223 * MIB, 445 * MIB, 778 * MIB);
            (s.disk_bytes, s.encoded_raw_bytes, s.encoded_bytes) = (190 * MIB, 714 * MIB, 170 * MIB);
            (s.backlog_bytes_peak, s.disk_bytes_peak) = (800 * MIB, 190 * MIB);
            s.output_blocked = Duration::from_millis(990);
        });
        (from, to)
    }

    fn check(size_bytes: Option<u64>, name: Option<&str>, columns: &[usize], expected: &Expect) {
        let (from, to) = lagging();
        let period = Period { from: &from, to: &to };
        let shown = Progress { period, trend: period, size_bytes, name };
        let lines: Vec<_> = columns.iter().map(|&columns| format!("|{}", progress(&shown, columns))).collect();
        expected.assert_eq(&(lines.join("\n") + "\n"));
    }

    #[test]
    fn at_100_80_60_40_and_20_columns() {
        check(
            None,
            None,
            &[100, 80, 60, 40, 20],
            &expect![[r#"
                | 445M  in  123M/s  backlog  778M  disk  190M  4.2x  out 45.0M/s  slow: consumer
                | 445M  in  123M/s  backlog  778M  disk  190M  4.2x  out 45.0M/s  slow: consumer
                | 445M  in  123M/s  backlog  778M  disk  190M  out 45.0M/s
                |in  123M/s backlog  778M out 45.0M/s
                | 445M in  123M/s
            "#]],
        );
    }

    #[test]
    fn at_120_100_80_60_40_and_20_columns_when_the_size_is_known() {
        check(
            Some(4096 * MIB),
            None,
            &[120, 100, 80, 60, 40, 20],
            &expect![[r#"
                | 10%   445M  in  123M/s  backlog  778M  disk  190M  4.2x  out 45.0M/s  slow: consumer  ETA    1:22
                | 10%   445M  in  123M/s  backlog  778M  disk  190M  4.2x  out 45.0M/s  slow: consumer  ETA    1:22
                | 10%  in  123M/s  backlog  778M  disk  190M  out 45.0M/s  consumer  ETA    1:22
                | 10%  in  123M/s  backlog  778M  out 45.0M/s  ETA    1:22
                | 10% in  123M/s out 45.0M/s ETA    1:22
                | 10% ETA    1:22
            "#]],
        );
    }

    #[test]
    fn a_name_takes_a_quarter_at_most() {
        check(
            None,
            Some("db"),
            &[80, 40],
            &expect![[r#"
                |db:  445M  in  123M/s  backlog  778M  disk  190M  out 45.0M/s  slow: consumer
                |db:  445M in  123M/s out 45.0M/s
            "#]],
        );
        check(
            None,
            Some("a quite long name that says it all"),
            &[80, 40],
            &expect![[r#"
                |a quite long name…  445M  in  123M/s  backlog  778M  disk  190M  out 45.0M/s
                |a quite…  445M in  123M/s out 45.0M/s
            "#]],
        );
        check(
            None,
            Some("名前は長いほうがいいかもしれない"),
            &[80, 40],
            &expect![[r#"
                |名前は長いほうが…  445M  in  123M/s  backlog  778M  disk  190M  out 45.0M/s
                |名前は…  445M in  123M/s out 45.0M/s
            "#]],
        );
    }

    #[test]
    fn before_anything_came() {
        let zero = snapshot(0, |_| ());
        let period = Period { from: &zero, to: &zero };
        let mut shown = Progress { period, trend: period, size_bytes: None, name: None };
        expect!["   0B  in    0B/s  backlog    0B  disk    0B        out    0B/s"].assert_eq(&progress(&shown, 80));
        shown.size_bytes = Some(MIB);
        expect!["  0%  in    0B/s  backlog    0B  disk    0B  out    0B/s            ETA       -"]
            .assert_eq(&progress(&shown, 80));
    }

    #[test]
    fn no_width_is_exceeded_whatever_the_figures_are() {
        let from = snapshot(0, |_| ());
        let most = snapshot(1, |s| {
            (s.bytes_in, s.bytes_out, s.backlog_bytes, s.disk_bytes) = (u64::MAX, u64::MAX, u64::MAX, u64::MAX);
            (s.encoded_raw_bytes, s.encoded_bytes) = (u64::MAX, 1);
            s.output_blocked = Duration::from_secs(1);
        });
        for to in [&from, &most] {
            let period = Period { from: &from, to };
            for size_bytes in [None, Some(0), Some(1), Some(u64::MAX)] {
                for name in [None, Some(""), Some("名前は長い")] {
                    for columns in 0..200 {
                        let line = progress(&Progress { period, trend: period, size_bytes, name }, columns);
                        assert!(measure_text_width(&line) <= columns.saturating_sub(1), "{columns}: {line}");
                    }
                }
            }
        }
    }

    #[test]
    fn columns_stay_where_they_are() {
        let (zero, (from, to)) = (snapshot(0, |_| ()), lagging());
        let at = |period: Period<'_>, word: &str| {
            progress(&Progress { period, trend: period, size_bytes: None, name: None }, 80).find(word)
        };
        for word in ["in ", "backlog ", "disk ", "out "] {
            let (idle, busy) = (Period { from: &zero, to: &zero }, Period { from: &from, to: &to });
            assert_eq!(at(idle, word), at(busy, word), "{word}");
        }
    }

    #[test]
    fn times_for_people() {
        let clocks = [0, 59, 754, 3600, 5025, 35_999, 36_000, 359_999, 360_000, 8_639_999, 8_640_000];
        let clocks: Vec<_> = clocks.into_iter().map(|seconds| clock(Duration::from_secs(seconds))).collect();
        expect!["0:00 0:59 12:34 1:00:00 1:23:45 9:59:59 10h 00m 99h 59m 4d 04h 99d 23h long"]
            .assert_eq(&clocks.join(" "));
        assert!(clocks.iter().all(|clock| clock.len() <= 7));
    }

    #[test]
    fn sentences() {
        let (zero, (_, mut end)) = (snapshot(0, |_| ()), lagging());
        expect!["1.2 GiB in, 445 MiB out in 11.0 s; in 111 MiB/s, out 40 MiB/s; backlog 778 MiB, disk 190 MiB (4.2x)"]
            .assert_eq(&status(Period { from: &zero, to: &end }));
        end.output_blocked = Duration::from_secs(9);
        expect!["445 MiB in 11.0 s (40 MiB/s); peak backlog 800 MiB, disk 190 MiB (4.2x); producer waited 0.0 s; bottleneck: consumer"].assert_eq(&summary(Period { from: &zero, to: &end }));
        let end = snapshot(2, |s| s.bytes_out = 3 * MIB);
        expect!["3.0 MiB in 2.0 s (1.5 MiB/s); peak backlog 0 B; producer waited 0.0 s"]
            .assert_eq(&summary(Period { from: &zero, to: &end }));
    }
}
