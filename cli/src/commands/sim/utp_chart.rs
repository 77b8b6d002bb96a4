//! The flows of a simulation over time, as a picture.

use charts_rs::{ChildChart, LineChart, MultiChart, Series, Symbol};
use tailwater_utp::sim::{FlowSample, SimReport};

const WIDTH: f32 = 1_000.0;
const HEIGHT: f32 = 320.0;
const GAP: f32 = 10.0;

/// Windows, delays and rates, one chart below the other.
pub(super) fn svg(report: &SimReport) -> charts_rs::Result<String> {
    let flows = report.flows.iter().map(|flow| flow.congestion.as_str());
    let names: Vec<String> = (1..)
        .zip(flows)
        .map(|(number, congestion): (usize, _)| format!("{number} {congestion}"))
        .collect();
    let per_flow = |value: fn(&FlowSample) -> f64| -> Vec<(String, Vec<f32>)> {
        let flows = names.iter().enumerate();
        let points = |flow: usize| {
            let samples = report.samples.iter();
            samples.map(move |sample| {
                sample
                    .flows
                    .get(flow)
                    .map_or(0.0, |flow| height(value(flow)))
            })
        };
        flows
            .map(|(flow, name)| (name.clone(), points(flow).collect()))
            .collect()
    };
    let mut delays = per_flow(|flow| flow.delay_ms);
    let queue = report.samples.iter().map(|sample| height(sample.queue_ms));
    delays.push(("queue of the link".to_owned(), queue.collect()));
    #[expect(
        clippy::cast_precision_loss,
        reason = "windows are far below 2^52 bytes"
    )]
    let windows = per_flow(|flow| flow.window as f64 / 1024.0);
    let rates = per_flow(|flow| flow.mbit);

    let about = format!(
        "{} Mbit/s, {} ms; seed {}",
        report.rate_mbit, report.rtt_ms, report.seed
    );
    let mut picture = MultiChart::new();
    picture.gap = GAP;
    for (title, unit, series) in [
        ("Congestion window", "KiB", windows),
        ("Queuing delay", "ms", delays),
        ("Delivered", "Mbit/s", rates),
    ] {
        let chart = lines(title, &about, unit, series, &labels(report));
        picture.charts.push(ChildChart::Line(chart, None));
    }
    picture.svg()
}

fn lines(
    title: &str,
    about: &str,
    unit: &str,
    series: Vec<(String, Vec<f32>)>,
    labels: &[String],
) -> LineChart {
    let series = series.into_iter();
    let series = series.map(|(name, points)| Series::from((name.as_str(), points)));
    let mut chart = LineChart::new(series.collect(), labels.to_vec());
    (chart.width, chart.height) = (WIDTH, HEIGHT);
    chart.title.text = title.to_owned();
    chart.sub_title.text = about.to_owned();
    chart.base.series.symbol = Some(Symbol::None);
    chart.base.series.stroke_width = 1.5;
    chart.x_axis.title = "seconds".to_owned();
    chart.x_axis.boundary_gap = Some(false);
    for axis in &mut chart.y_axis_configs {
        axis.title = Some(unit.to_owned());
    }
    chart
}

/// The time of each sample, in seconds.
fn labels(report: &SimReport) -> Vec<String> {
    let millis = report.samples.iter().map(|sample| sample.ms);
    millis
        .map(|millis| format!("{}.{}", millis / 1_000, millis % 1_000 / 100))
        .collect()
}

/// A line is a few hundred pixels high at most.
#[expect(
    clippy::cast_possible_truncation,
    reason = "what is lost is less than a pixel"
)]
const fn height(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tailwater_utp::Congestion;
    use tailwater_utp::sim::{Flow, SimConfig, run};

    use super::*;

    #[test]
    fn the_picture_has_a_line_for_each_flow_and_one_for_the_queue() {
        let mut config = SimConfig::default();
        config.duration = Duration::from_secs(1);
        config.rate = 125_000;
        config.flows = vec![
            Flow::new(Congestion::Ledbat),
            Flow::new(Congestion::Cubic).start(Duration::from_millis(500)),
        ];
        let svg = svg(&run(&config)).unwrap();
        assert!(svg.starts_with("<svg"));
        for text in [
            "Congestion window",
            "Queuing delay",
            "Delivered",
            "1 ledbat",
            "2 cubic",
            "queue of the link",
        ] {
            assert!(svg.contains(text), "{text}");
        }
    }
}
