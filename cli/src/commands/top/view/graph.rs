//! Graphs of rates.

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{RenderDirection, Sparkline, Widget};

use super::super::model::parts::{Rates, Span};
use super::paint::{Pane, columns};
use super::theme::Theme;
use crate::words::rate;

/// Draws what was received above what was sent.
pub(super) fn draw(
    rates: Option<&Result<Rates, String>>,
    span: Span,
    theme: Theme,
    pane: &mut Pane<'_>,
) {
    let rates = match rates {
        None => {
            pane.text(0, 0, "waiting for the daemon", Theme::faint());
            return;
        }
        Some(Err(reason)) => {
            pane.text(0, 0, reason, theme.error());
            return;
        }
        Some(Ok(rates)) => rates,
    };
    let half = pane.height() / 2;
    let area = pane.area;
    let upper = Rect {
        height: columns(half),
        ..area
    };
    let lower = Rect {
        y: area.y.saturating_add(columns(half)),
        height: columns(half),
        ..area
    };
    let capacity = rates.capacity;
    one(
        "received",
        &rates.down,
        capacity,
        span,
        theme.down(),
        &mut pane.inner(upper),
    );
    one(
        "sent",
        &rates.up,
        capacity,
        span,
        theme.up(),
        &mut pane.inner(lower),
    );
}

fn one(
    what: &str,
    samples: &[u64],
    capacity: usize,
    span: Span,
    style: Style,
    pane: &mut Pane<'_>,
) {
    let shown = latest_first(samples, capacity, pane.width());
    let most = samples.iter().copied().max().unwrap_or(0);
    let now = samples.last().copied().unwrap_or(0);
    let head = format!(
        "{what} in {}: {} now, {} at most",
        span.name(),
        rate(now),
        rate(most)
    );
    pane.text(0, 0, &head, Theme::strong());
    let area = Rect {
        y: pane.area.y.saturating_add(1),
        height: pane.area.height.saturating_sub(1),
        ..pane.area
    };
    Sparkline::default()
        .data(&shown)
        .max(most.max(1))
        .direction(RenderDirection::RightToLeft)
        .style(style)
        .render(area.intersection(pane.area), pane.buffer);
}

/// So many bars for all the time, the latest first: each is the highest sample of its time. Samples that are missing at the
/// beginning are 0.
fn latest_first(samples: &[u64], capacity: usize, bars: usize) -> Vec<u64> {
    let capacity = capacity.max(samples.len()).max(1);
    let bars = bars.min(capacity);
    let back = |ago: usize| {
        let place = samples.len().checked_sub(ago + 1);
        place.and_then(|place| samples.get(place)).copied()
    };
    let bar = |bar: usize| {
        let (from, to) = (bar * capacity / bars, (bar + 1) * capacity / bars);
        (from..to).filter_map(back).max().unwrap_or(0)
    };
    (0..bars).map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_the_highest_of_its_time() {
        assert_eq!(latest_first(&[1, 5, 2, 3], 4, 4), [3, 2, 5, 1]);
        assert_eq!(latest_first(&[1, 5, 2, 3], 4, 2), [3, 5]);
        assert_eq!(latest_first(&[7], 4, 4), [7, 0, 0, 0]);
        assert_eq!(latest_first(&[1, 2], 2, 10), [2, 1]);
        assert_eq!(latest_first(&[], 0, 3), [0]);
        assert_eq!(latest_first(&[1], 1, 0), [0_u64; 0]);
    }
}
