//! A history of rates, for graphs: in memory, bounded, and nothing for torrents that transfer nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval};
use utoipa::ToSchema;

use super::error::ControlError;
use super::id::TorrentId;
use super::service::{Control, Inner, now};

/// How often a sample is taken.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
/// Samples of a second that are kept: five minutes.
const FINE_LEN: usize = 300;
/// Samples of ten seconds that are kept: an hour.
const COARSE_LEN: usize = 360;
/// Samples of a minute that are kept, of all torrents together: a day, in 23 kB.
const DAY_LEN: usize = 1_440;
/// A history without a byte for so many seconds is all zeros, and takes no memory any more.
const SILENT_FOR: u32 = 3_600;

/// How far apart samples are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum RateStep {
    /// A second; the last five minutes.
    #[default]
    #[serde(rename = "1")]
    Second,
    /// Ten seconds, the mean over them; the last hour.
    #[serde(rename = "10")]
    TenSeconds,
    /// A minute, the mean over it; the last day, of all torrents together alone.
    #[serde(rename = "60")]
    Minute,
}

/// Rates in the past.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[non_exhaustive]
pub struct RatesView {
    /// Seconds from one sample to the next.
    pub step: u32,
    /// The most samples that there are. Those that are missing at the beginning are 0.
    pub capacity: usize,
    /// When the last sample was taken, as a Unix time.
    pub at: u64,
    /// Received, in bytes a second, the last sample at the end.
    pub down: Vec<u64>,
    /// Sent, in bytes a second, the last sample at the end.
    pub up: Vec<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Rate {
    down: u64,
    up: u64,
}

/// Samples that are so many seconds apart.
#[derive(Debug)]
struct Samples {
    seconds: u32,
    capacity: usize,
    kept: VecDeque<Rate>,
    /// The seconds that are no sample yet.
    sum: Rate,
    summed: u32,
}

impl Samples {
    const fn new(seconds: u32, capacity: usize) -> Self {
        Self {
            seconds,
            capacity,
            kept: VecDeque::new(),
            sum: Rate { down: 0, up: 0 },
            summed: 0,
        }
    }

    /// Takes the rate of one second.
    fn push(&mut self, rate: Rate) {
        self.sum.down = self.sum.down.saturating_add(rate.down);
        self.sum.up = self.sum.up.saturating_add(rate.up);
        self.summed += 1;
        if self.summed < self.seconds {
            return;
        }
        if self.kept.len() == self.capacity {
            self.kept.pop_front();
        }
        let mean = |sum: u64| sum / u64::from(self.seconds);
        self.kept.push_back(Rate {
            down: mean(self.sum.down),
            up: mean(self.sum.up),
        });
        (self.sum, self.summed) = (Rate::default(), 0);
    }

    fn view(&self, at: u64) -> RatesView {
        RatesView {
            step: self.seconds,
            capacity: self.capacity,
            at,
            down: self.kept.iter().map(|rate| rate.down).collect(),
            up: self.kept.iter().map(|rate| rate.up).collect(),
        }
    }
}

/// The history of one torrent, or of all.
#[derive(Debug)]
pub(super) struct History {
    fine: Samples,
    coarse: Samples,
    /// Of all torrents together alone.
    day: Option<Samples>,
    /// How many seconds ago something was transferred.
    silent: u32,
    at: u64,
}

impl Default for History {
    fn default() -> Self {
        Self {
            fine: Samples::new(1, FINE_LEN),
            coarse: Samples::new(10, COARSE_LEN),
            day: None,
            silent: 0,
            at: 0,
        }
    }
}

impl History {
    /// That of all torrents together.
    pub(super) fn of_all() -> Self {
        Self {
            day: Some(Samples::new(60, DAY_LEN)),
            ..Self::default()
        }
    }

    /// Takes a sample, at a Unix time; whether the history has to be kept.
    pub(super) fn push(&mut self, at: u64, down: u64, up: u64) -> bool {
        let rate = Rate { down, up };
        self.at = at;
        self.silent = match rate == Rate::default() {
            true => self.silent.saturating_add(1),
            false => 0,
        };
        self.fine.push(rate);
        self.coarse.push(rate);
        if let Some(day) = &mut self.day {
            day.push(rate);
        }
        self.silent < SILENT_FOR
    }

    /// Its samples, if it has any that are so far apart.
    pub(super) fn view(&self, step: RateStep) -> Option<RatesView> {
        let samples = match step {
            RateStep::Second => &self.fine,
            RateStep::TenSeconds => &self.coarse,
            RateStep::Minute => self.day.as_ref()?,
        };
        Some(samples.view(self.at))
    }
}

impl Control {
    /// The rates of all torrents together in the past.
    #[must_use]
    pub fn rates(&self, step: RateStep) -> RatesView {
        // It has samples of every kind.
        self.inner.rates.lock().view(step).unwrap_or_default()
    }

    /// The rates of a torrent in the past.
    ///
    /// # Errors
    ///
    /// [`ControlError::NotFound`]; [`ControlError::Invalid`] for a step that torrents have no samples of.
    pub fn torrent_rates(&self, id: TorrentId, step: RateStep) -> Result<RatesView, ControlError> {
        let entry = self.inner.entry(id)?;
        let state = entry.state();
        let view = match &state.rates {
            Some(history) => history.view(step),
            None => History::default()
                .view(step)
                .map(|none| RatesView { at: now(), ..none }),
        };
        view.ok_or_else(|| {
            let detail = "a torrent has samples of 1 and of 10 seconds";
            ControlError::Invalid(detail.to_owned())
        })
    }
}

impl Inner {
    /// Takes samples, to the end.
    pub(super) async fn keep_rates(self: Arc<Self>) {
        let mut ticks = interval(SAMPLE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            let at = now();
            let stats = self.session.stats();
            self.rates.lock().push(at, stats.down_rate, stats.up_rate);
            for entry in self.entries() {
                let mut state = entry.state();
                let (down, up) = state.rates_now();
                // Thousands of torrents transfer nothing.
                if state.rates.is_none() && down == 0 && up == 0 {
                    continue;
                }
                if !state.rates.get_or_insert_default().push(at, down, up) {
                    state.rates = None;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_bounded_and_coarse_ones_are_means() {
        let mut history = History::default();
        for n in 0..10_000_u64 {
            assert!(history.push(n, n + 1, 2 * (n + 1)));
        }
        let fine = history.view(RateStep::Second).unwrap();
        assert_eq!((fine.step, fine.at, fine.down.len()), (1, 9_999, FINE_LEN));
        assert_eq!(fine.down.last(), Some(&10_000));
        assert_eq!(fine.up.last(), Some(&20_000));
        let coarse = history.view(RateStep::TenSeconds).unwrap();
        assert_eq!((coarse.step, coarse.down.len()), (10, COARSE_LEN));
        // 9 991 to 10 000.
        assert_eq!(coarse.down.last(), Some(&9_995));
        assert_eq!(coarse.down.first(), Some(&(9_995 - 10 * 359)));
        assert_eq!(history.view(RateStep::Minute), None);
    }

    #[test]
    fn all_torrents_together_have_a_day() {
        let mut history = History::of_all();
        for n in 0..200_000_u64 {
            history.push(n, n, 0);
        }
        let day = history.view(RateStep::Minute).unwrap();
        assert_eq!((day.step, day.capacity, day.down.len()), (60, 1_440, 1_440));
        // The last whole minute: 199 920 to 199 979.
        assert_eq!(day.down.last(), Some(&199_949));
        assert_eq!(day.down.first(), Some(&(199_949 - 60 * 1_439)));
    }

    #[test]
    fn a_torrent_that_has_been_silent_for_an_hour_has_no_history() {
        let mut history = History::default();
        assert!(history.push(0, 1, 0));
        // A byte in between begins the hour anew.
        assert!((1..3_000).all(|at| history.push(at, 0, 0)));
        assert!(history.push(3_000, 0, 1));
        let kept = (1..10_000).take_while(|at| history.push(*at, 0, 0)).count();
        assert_eq!(kept, 3_599);
        let all = history.view(RateStep::TenSeconds).unwrap();
        assert!(all.down.iter().all(|rate| *rate == 0));
    }
}
