//! Runs summed up: medians with their spread, and ratios between contestants of the same run.

use std::fmt::{self, Write as _};

/// What was measured of one contestant, a figure a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures(Vec<f64>);

impl Figures {
    /// Takes a run in.
    pub(crate) fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    /// The middle one; NaN where there is none.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let half = sorted.len() / 2;
        match sorted.len() {
            0 => f64::NAN,
            odd if odd % 2 == 1 => sorted[half],
            _ => f64::midpoint(sorted[half - 1], sorted[half]),
        }
    }

    /// The greatest.
    pub(crate) fn greatest(&self) -> f64 {
        self.0.iter().copied().fold(f64::NAN, f64::max)
    }

    fn least(&self) -> f64 {
        self.0.iter().copied().fold(f64::NAN, f64::min)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = match self.median() {
            median if median >= 100.0 => 0,
            median if median >= 10.0 => 1,
            _ => 3,
        };
        let (least, median, greatest) = (self.least(), self.median(), self.greatest());
        write!(f, "{median:.digits$} [{least:.digits$}-{greatest:.digits$}]")
    }
}

/// A table for people.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With these columns.
    pub(crate) fn new<'a>(columns: impl IntoIterator<Item = &'a str>) -> Self {
        Self { rows: vec![columns.into_iter().map(str::to_owned).collect()] }
    }

    /// One more row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, &width) in row.iter().zip(&widths) {
                write!(line, "{cell:<width$}  ")?;
            }
            writeln!(f, "  {}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A figure held against what it is to reach.
#[derive(Clone, Debug)]
pub(crate) struct Goal {
    /// What is compared, in words.
    pub(crate) what: String,
    /// As measured.
    pub(crate) figure: f64,
    /// The least or the most it may be.
    pub(crate) bound: Bound,
}

/// On which side of a figure the goal lies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    /// Not more than this.
    AtMost(f64),
    /// Not less than this.
    AtLeast(f64),
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, figure, bound } = self;
        let (sign, goal, is_reached) = match *bound {
            Bound::AtMost(goal) => ("<=", goal, *figure <= goal),
            Bound::AtLeast(goal) => (">=", goal, *figure >= goal),
        };
        let verdict = if is_reached { "reached" } else { "MISSED" };
        write!(f, "  {verdict:<7}  {what}: {figure:.2} (goal {sign} {goal})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(figures: &[f64]) -> Figures {
        Figures(figures.to_vec())
    }

    #[test]
    fn the_median_is_the_middle_and_the_spread_its_ends() {
        assert!((figures(&[3.0, 1.0, 2.0]).median() - 2.0).abs() < 1e-9);
        assert!((figures(&[4.0, 1.0, 2.0, 3.0]).median() - 2.5).abs() < 1e-9);
        assert!(Figures::default().median().is_nan());
        assert_eq!(figures(&[20.0, 10.0, 30.0]).to_string(), "20.0 [10.0-30.0]");
    }

    #[test]
    fn a_goal_that_was_not_measured_is_missed() {
        let missed = |figure, bound| Goal { what: "w".into(), figure, bound }.to_string();
        assert!(missed(1.0, Bound::AtMost(1.0)).contains("reached"));
        assert!(missed(0.9, Bound::AtLeast(1.0)).contains("MISSED"));
        assert!(missed(f64::NAN, Bound::AtMost(1.0)).contains("MISSED"));
    }
}
