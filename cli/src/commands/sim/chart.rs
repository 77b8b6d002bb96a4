//! The lookups of a simulation as a picture.

use charts_rs::{BarChart, ChildChart, MultiChart, Series};
use tailwater_dht::sim::{Figures, Histogram, SimReport};

const WIDTH: f32 = 800.0;
const HEIGHT: f32 = 300.0;
const GAP: f32 = 10.0;
/// The most bars of one chart: neighbouring bins are put together until they fit.
const MAX_BARS: usize = 50;

/// Hops, messages and time of the lookups, one chart below the other.
pub(super) fn svg(report: &SimReport) -> charts_rs::Result<String> {
    let title = |what: &str, figures: &Figures| {
        format!("{what}: median {}, 99 % {}", figures.median, figures.p99)
    };
    let about = format!(
        "{} lookups among {} nodes, {} of them hostile; {} % found it; seed {}",
        report.lookups, report.nodes, report.malicious_nodes, report.found_percent, report.seed
    );
    let charts = [
        (
            title("Hops to the first peer", &report.hops),
            "hops",
            &report.hops_histogram,
        ),
        (
            title("Messages of a lookup", &report.messages),
            "messages",
            &report.messages_histogram,
        ),
        (
            title("Milliseconds to the first peer", &report.first_peer_ms),
            "ms",
            &report.first_peer_histogram,
        ),
        (
            title("Milliseconds to the end of the lookup", &report.end_ms),
            "ms",
            &report.end_histogram,
        ),
    ];
    let mut picture = MultiChart::new();
    picture.gap = GAP;
    for (title, unit, histogram) in charts {
        let chart = bars(&title, &about, unit, histogram);
        picture.charts.push(ChildChart::Bar(chart, None));
    }
    picture.svg()
}

fn bars(title: &str, about: &str, unit: &str, histogram: &Histogram) -> BarChart {
    let (width, counts) = shortened(histogram);
    let labels = (0..).step_by(usize::try_from(width).unwrap_or(1).max(1));
    let labels = labels.take(counts.len()).map(|from: u64| from.to_string());
    let values: Vec<f32> = counts.iter().copied().map(height).collect();
    let series = Series::from(("lookups", values));
    let mut chart = BarChart::new(vec![series], labels.collect());
    (chart.width, chart.height) = (WIDTH, HEIGHT);
    chart.title.text = title.to_owned();
    chart.sub_title.text = about.to_owned();
    chart.legend.show = Some(false);
    chart.x_axis.title = match width {
        1 => unit.to_owned(),
        _ => format!("{unit}, from … to below {width} more"),
    };
    for axis in &mut chart.y_axis_configs {
        axis.title = Some("lookups".to_owned());
    }
    chart
}

/// A bar is a few hundred pixels high at most.
#[expect(
    clippy::cast_precision_loss,
    reason = "what is lost is less than a pixel"
)]
const fn height(count: u64) -> f32 {
    count as f32
}

/// The width of a bar, and the bars.
fn shortened(histogram: &Histogram) -> (u64, Vec<u64>) {
    let together = histogram.counts.len().div_ceil(MAX_BARS).max(1);
    let bars = histogram
        .counts
        .chunks(together)
        .map(|bins| bins.iter().sum());
    let width = u64::try_from(together).unwrap_or(u64::MAX);
    (histogram.width.saturating_mul(width), bars.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(width: u64, counts: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        histogram.width = width;
        histogram.counts = counts.to_vec();
        histogram
    }

    #[test]
    fn many_bins_are_put_together_and_none_is_lost() {
        assert_eq!(shortened(&histogram(1, &[1, 2])), (1, vec![1, 2]));
        let (width, bars) = shortened(&histogram(50, &[1; 120]));
        assert_eq!((width, bars.len(), bars.iter().sum()), (150, 40, 120_u64));
        assert_eq!(shortened(&histogram(5, &[])), (5, vec![]));
    }

    #[test]
    fn the_picture_says_what_it_shows() {
        let mut report = SimReport::default();
        report.hops_histogram = histogram(1, &[0, 10, 30, 5]);
        report.messages_histogram = histogram(1, &[0, 1]);
        report.first_peer_histogram = histogram(50, &[3, 2, 1]);
        (report.hops.median, report.hops.p99) = (2, 3);
        let svg = svg(&report).unwrap();
        assert!(svg.starts_with("<svg"));
        assert!(
            svg.contains("Hops to the first peer: median 2, 99 % 3"),
            "{svg}"
        );
        assert!(svg.contains("Milliseconds to the first peer"));
    }
}
