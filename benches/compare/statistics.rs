//! Rounds in which every tool is measured once, in turn; medians, spreads, and ratios taken round by round.

use std::io;

/// What one measurement yields: names, with their units, and figures.
pub(crate) type Figures = Vec<(&'static str, f64)>;

/// The rounds of one row: for each tool, for each round, what was measured unless it failed.
pub(crate) struct Contest {
    pub(crate) tools: Vec<(String, Vec<Figures>)>,
    pub(crate) failures: Vec<String>,
}

impl Contest {
    /// Measures each of the tools `runs` times; each round begins with another one. What fails is told and not tried
    /// again.
    pub(crate) fn run(
        row: &str,
        runs: usize,
        tools: &[String],
        mut measure: impl FnMut(usize) -> io::Result<Figures>,
    ) -> Self {
        let mut contest =
            Self { tools: tools.iter().map(|name| (name.clone(), Vec::new())).collect(), failures: Vec::new() };
        for round in 0..runs {
            for turn in 0..tools.len() {
                let i = (round + turn) % tools.len();
                let (name, rounds) = &mut contest.tools[i];
                if rounds.len() < round {
                    continue;
                }
                match measure(i) {
                    Ok(figures) => {
                        let shown: Vec<_> = figures.iter().map(|(name, x)| format!("{name} {}", number(*x))).collect();
                        eprintln!("{row}, round {} of {runs}, {name}: {}", round + 1, shown.join("; "));
                        rounds.push(figures);
                    }
                    Err(error) => {
                        eprintln!("{row}, round {} of {runs}, {name}: FAILED: {error}", round + 1);
                        contest.failures.push(format!("{row}, {name}, round {}: {error}", round + 1));
                    }
                }
            }
        }
        contest
    }

    /// A tool's figures of this name, round by round; none when it was not measured.
    pub(crate) fn values(&self, tool: &str, figure: &str) -> Vec<f64> {
        let rounds = self.tools.iter().find(|(name, _)| name == tool).map(|(_, rounds)| rounds.as_slice());
        rounds.unwrap_or_default().iter().filter_map(|figures| pick(figures, figure)).collect()
    }

    /// `tool`'s to `other`'s, of each round that has both.
    pub(crate) fn ratios(&self, tool: &str, other: &str, figure: &str) -> Vec<f64> {
        self.values(tool, figure).iter().zip(self.values(other, figure)).map(|(a, b)| a / b).collect()
    }
}

fn pick(figures: &Figures, name: &str) -> Option<f64> {
    figures.iter().find(|(n, _)| *n == name).map(|(_, value)| *value)
}

/// Of several figures.
#[derive(Clone, Copy)]
pub(crate) struct Summary {
    pub(crate) runs: usize,
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) greatest: f64,
}

impl Summary {
    /// `None` of nothing.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (least, greatest) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median =
            if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) };
        Some(Self { runs: sorted.len(), median, least, greatest })
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", number(self.median))?;
        if self.runs > 1 {
            write!(f, " ({}–{})", number(self.least), number(self.greatest))?;
        }
        Ok(())
    }
}

/// With three digits or so.
pub(crate) fn number(x: f64) -> String {
    match x.abs() {
        a if a >= 100.0 => format!("{x:.0}"),
        a if a >= 10.0 => format!("{x:.1}"),
        a if a >= 0.1 || a == 0.0 => format!("{x:.2}"),
        _ => format!("{x:.3}"),
    }
}
