//! The medians as a picture.

use charts_rs::{BarChart, ChildChart, MultiChart, Series};

use super::report::{Measure, Report};

const WIDTH: f32 = 800.0;
const HEIGHT: f32 = 260.0;
const GAP: f32 = 10.0;

/// A chart for each measure, one below the other, with a bar for each case.
pub(super) fn svg(report: &Report) -> charts_rs::Result<String> {
    let mut picture = MultiChart::new();
    picture.gap = GAP;
    for measure in report.measures() {
        let chart = bars(report, measure);
        picture.charts.push(ChildChart::Bar(chart, None));
    }
    picture.svg()
}

fn bars(report: &Report, measure: Measure) -> BarChart {
    let (mut cases, mut medians) = (Vec::new(), Vec::new());
    for row in &report.rows {
        if let Some(figures) = row.figures(measure.name) {
            cases.push(row.case.clone());
            medians.push(height(figures.median()));
        }
    }
    let series = Series::from((measure.unit, medians));
    let mut chart = BarChart::new(vec![series], cases);
    (chart.width, chart.height) = (WIDTH, HEIGHT);
    chart.title.text = format!("{}, {}", measure.name, measure.unit);
    chart.sub_title.text = format!("{}, {}", report.about.bench, report.about.date);
    chart.legend.show = Some(false);
    chart
}

/// A bar is a few hundred pixels high at most.
#[expect(
    clippy::cast_possible_truncation,
    reason = "what is lost is less than a pixel"
)]
const fn height(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::bench::report::tests::report;

    #[test]
    fn the_picture_has_a_chart_for_each_measure() {
        let svg = svg(&report(1.0)).expect("a picture");
        assert!(svg.starts_with("<svg"));
        for text in ["wall, s", "cpu, s/GiB", "lt-lt", "lt-ours"] {
            assert!(svg.contains(text), "{text}");
        }
    }
}
