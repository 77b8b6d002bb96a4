//! The figures of a bench: medians with the least and the most, and lines of JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::machine::About;

/// What is measured, and in what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Measure {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
}

impl Measure {
    pub(super) const fn new(name: &'static str, unit: &'static str) -> Self {
        Self { name, unit }
    }
}

/// All values of one measure in one case.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    pub(super) measure: Measure,
    pub(super) values: Vec<f64>,
}

/// The figures of a case.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) case: String,
    /// The case whose figures these are compared with.
    pub(super) beside: Option<String>,
    pub(super) figures: Vec<Figures>,
}

/// What a bench has found.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) about: About,
    pub(super) rows: Vec<Row>,
    /// What could not be measured, with the reason.
    pub(super) skipped: Vec<String>,
}

/// One measure of one case, as a line of JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) bench: String,
    pub(super) case: String,
    pub(super) measure: String,
    pub(super) unit: String,
    pub(super) n: usize,
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    /// The case that `ratio` is to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) beside: Option<String>,
    /// This median to that of the other case.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) ratio: Option<f64>,
    pub(super) values: Vec<f64>,
}

impl Figures {
    /// The middle value, or the mean of the two in the middle; 0 without any.
    pub(super) fn median(&self) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let half = sorted.len() / 2;
        match sorted.len() {
            0 => 0.0,
            len if len % 2 == 1 => sorted[half],
            _ => f64::midpoint(sorted[half - 1], sorted[half]),
        }
    }

    pub(super) fn min(&self) -> f64 {
        self.values.iter().copied().reduce(f64::min).unwrap_or(0.0)
    }

    pub(super) fn max(&self) -> f64 {
        self.values.iter().copied().reduce(f64::max).unwrap_or(0.0)
    }
}

impl Row {
    pub(super) fn figures(&self, name: &str) -> Option<&Figures> {
        self.figures
            .iter()
            .find(|figures| figures.measure.name == name)
    }
}

impl Report {
    pub(super) const fn new(about: About) -> Self {
        Self {
            about,
            rows: Vec::new(),
            skipped: Vec::new(),
        }
    }

    /// Adds a value of a case; cases and measures stand in the order in which they come first.
    pub(super) fn add(&mut self, case: &str, measure: Measure, value: f64) {
        let at = self.rows.iter().position(|row| row.case == case);
        let at = at.unwrap_or_else(|| {
            self.rows.push(Row {
                case: case.to_owned(),
                beside: None,
                figures: Vec::new(),
            });
            self.rows.len() - 1
        });
        let figures = &mut self.rows[at].figures;
        let mut known = figures.iter_mut();
        match known.find(|known| known.measure == measure) {
            Some(known) => known.values.push(value),
            None => figures.push(Figures {
                measure,
                values: vec![value],
            }),
        }
    }

    /// Has the figures of a case compared with those of another, if both were measured.
    pub(super) fn compare_beside(&mut self, case: &str, other: &str) {
        let is_there = self.rows.iter().any(|row| row.case == other);
        let row = self.rows.iter_mut().find(|row| row.case == case);
        if let Some(row) = row.filter(|_| is_there && case != other) {
            row.beside = Some(other.to_owned());
        }
    }

    pub(super) fn row(&self, case: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.case == case)
    }

    /// All measures, in the order in which they came first.
    pub(super) fn measures(&self) -> Vec<Measure> {
        let mut measures = Vec::new();
        for figures in self.rows.iter().flat_map(|row| &row.figures) {
            if !measures.contains(&figures.measure) {
                measures.push(figures.measure);
            }
        }
        measures
    }

    /// The median of a measure to that of the case it is compared with.
    pub(super) fn ratio_beside(&self, row: &Row, measure: Measure) -> Option<f64> {
        let other = self.row(row.beside.as_deref()?)?;
        let (this, other) = (row.figures(measure.name)?, other.figures(measure.name)?);
        ratio(this.median(), other.median())
    }

    /// The figures, a line for each measure of each case.
    pub(super) fn lines(&self) -> Vec<Line> {
        let rows = self.rows.iter();
        let lines = rows.flat_map(|row| {
            row.figures.iter().map(|figures| Line {
                bench: self.about.bench.clone(),
                case: row.case.clone(),
                measure: figures.measure.name.to_owned(),
                unit: figures.measure.unit.to_owned(),
                n: figures.values.len(),
                median: figures.median(),
                min: figures.min(),
                max: figures.max(),
                beside: row.beside.clone(),
                ratio: self.ratio_beside(row, figures.measure),
                values: figures.values.clone(),
            })
        });
        lines.collect()
    }
}

/// How many times as much; `None` of nothing.
pub(super) fn ratio(this: f64, other: f64) -> Option<f64> {
    (other > 0.0).then_some(this / other)
}

/// The medians of an earlier run, by bench, case and measure.
#[derive(Debug, Default)]
pub(super) struct Earlier(BTreeMap<(String, String, String), f64>);

impl Earlier {
    /// Reads lines of JSON; those that are no figures are passed over.
    ///
    /// # Errors
    ///
    /// The number of a line that is no JSON.
    pub(super) fn parse(text: &str) -> Result<Self, usize> {
        let mut medians = BTreeMap::new();
        for (number, line) in (1_usize..).zip(text.lines()) {
            if line.trim().is_empty() {
                continue;
            }
            let value: serde_json::Value = serde_json::from_str(line).map_err(|_| number)?;
            if let Ok(line) = serde_json::from_value::<Line>(value) {
                medians.insert((line.bench, line.case, line.measure), line.median);
            }
        }
        Ok(Self(medians))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ratio of a median to the earlier one.
    pub(super) fn ratio(&self, line: &Line) -> Option<f64> {
        let key = (line.bench.clone(), line.case.clone(), line.measure.clone());
        ratio(line.median, *self.0.get(&key)?)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const WALL: Measure = Measure::new("wall", "s");
    const CPU: Measure = Measure::new("cpu", "s/GiB");

    pub(in super::super) fn report(scale: f64) -> Report {
        let mut report = Report::new(About::of("swarm"));
        for value in [3.0, 1.0, 2.0] {
            report.add("lt-lt", WALL, value * scale);
            report.add("lt-lt", CPU, value * scale);
            report.add("lt-ours", CPU, value * scale / 4.0);
        }
        report.compare_beside("lt-ours", "lt-lt");
        report
    }

    #[test]
    fn a_median_is_the_middle_and_the_spread_is_all_of_it() {
        let figures = |values: &[f64]| Figures {
            measure: WALL,
            values: values.to_vec(),
        };
        assert_eq!(figures(&[9.0, 1.0, 2.0]).median(), 2.0);
        assert_eq!(figures(&[9.0, 1.0, 2.0, 4.0]).median(), 3.0);
        assert_eq!(figures(&[]).median(), 0.0);
        let spread = figures(&[9.0, 1.0, 2.0]);
        assert_eq!((spread.min(), spread.max()), (1.0, 9.0));
    }

    #[test]
    fn a_case_is_compared_with_the_one_beside_it() {
        let report = report(1.0);
        let line = |case: &str, measure: &str| {
            let lines = report.lines().into_iter();
            let mut found = lines.filter(|line| line.case == case && line.measure == measure);
            found.next().expect("a line")
        };
        assert_eq!(line("lt-ours", "cpu").ratio, Some(0.25));
        assert_eq!(line("lt-lt", "cpu").ratio, None);
        assert_eq!(line("lt-lt", "wall").n, 3);
    }

    #[test]
    fn ratios_to_an_earlier_run_are_of_the_medians() {
        let saved = |report: &Report| {
            let lines = report.lines();
            let lines = lines
                .iter()
                .map(|line| serde_json::to_string(line).expect("it is plain"));
            lines.collect::<Vec<_>>().join("\n")
        };
        let head = "{\"event\":\"about\"}\n\n";
        let earlier = Earlier::parse(&format!("{head}{}", saved(&report(2.0)))).expect("JSON");
        for line in report(3.0).lines() {
            assert_eq!(earlier.ratio(&line), Some(1.5), "{line:?}");
        }
        let mut other = report(1.0).lines().remove(0);
        other.case = "another".to_owned();
        assert_eq!(earlier.ratio(&other), None);
        assert_eq!(Earlier::parse("{}\nno").err(), Some(2));
        assert!(Earlier::parse("{\"a\":1}").expect("JSON").is_empty());
    }
}
