//! Measures whether the download keeps up with the film's bit rate.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use serde::Serialize;

/// The time over which the download is measured: longer than it takes a swarm to answer a seek, and short enough for a
/// warning in time.
const WINDOW: Duration = Duration::from_secs(20);
/// Time between two samples that are kept.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// The download is slower than the film plays, and the buffer will not last to its end. Bytes a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TooSlow {
    /// The download's, as measured.
    pub rate: u64,
    /// The film's.
    pub needed: u64,
}

/// `185 of 376 KiB/s`
impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rate, needed } = *self;
        let (unit, name) = match needed {
            0..1_024_000 => (1_024, "KiB/s"),
            _ => (1_024 * 1_024, "MiB/s"),
        };
        let number = |bytes: u64| {
            let tenths = u128::from(bytes) * 10 / unit;
            match tenths {
                0..100 => format!("{}.{}", tenths / 10, tenths % 10),
                _ => (tenths / 10).to_string(),
            }
        };
        write!(f, "{} of {} {name}", number(rate), number(needed))
    }
}

/// The position at which the film is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Another number is another reader: a jump.
    pub(crate) reader: u64,
    /// In bytes of the film.
    pub(crate) cursor: u64,
    /// Bytes held from there on.
    pub(crate) ahead: u64,
}

/// Compares what a film needs with what has arrived within the measured time.
#[derive(Debug)]
pub(crate) struct Pace {
    length: u64,
    needed: u64,
    /// Of one reader, oldest first; no more than the window has seconds, and one.
    samples: VecDeque<Sample>,
    verdict: Option<TooSlow>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    downloaded: u64,
    place: Place,
}

impl Pace {
    /// A film of `length` bytes that plays for so long.
    pub(crate) fn new(length: u64, duration: Duration) -> Self {
        let millis = duration.as_millis().max(1);
        let needed = u128::from(length) * 1_000 / millis;
        Self {
            length,
            needed: u64::try_from(needed).unwrap_or(u64::MAX),
            samples: VecDeque::new(),
            verdict: None,
        }
    }

    /// Bytes a second.
    pub(crate) const fn needed(&self) -> u64 {
        self.needed
    }

    /// Takes a sample, and returns whether the download is too slow. `downloaded` only grows; `place` is `None` while
    /// the film is not read.
    pub(crate) fn handle_sample(
        &mut self,
        now: Instant,
        downloaded: u64,
        place: Option<Place>,
    ) -> Option<TooSlow> {
        let Some(place) = place else {
            self.samples.clear();
            self.verdict = None;
            return None;
        };
        if let Some(last) = self.samples.back() {
            if last.place.reader != place.reader || place.cursor < last.place.cursor {
                self.samples.clear();
                self.verdict = None;
            } else if now.saturating_duration_since(last.at) < SAMPLE_EVERY {
                return self.verdict;
            }
        }
        let sample = Sample {
            at: now,
            downloaded,
            place,
        };
        self.samples.push_back(sample);
        let age = |sample: &Sample| now.saturating_duration_since(sample.at);
        // The oldest that is kept is as old as the window, or it is younger because there is none of that age.
        while self.samples.get(1).is_some_and(|next| age(next) >= WINDOW) {
            self.samples.pop_front();
        }
        self.verdict = self.judge(&sample);
        self.verdict
    }

    fn judge(&self, now: &Sample) -> Option<TooSlow> {
        let then = self.samples.front()?;
        let span = now.at.saturating_duration_since(then.at);
        if span < WINDOW {
            return None;
        }
        let came = u128::from(now.downloaded.saturating_sub(then.downloaded));
        let rate = u64::try_from(came * 1_000 / span.as_millis().max(1)).unwrap_or(u64::MAX);
        let is_shrinking = now.place.ahead == 0 || now.place.ahead < then.place.ahead;
        let rest = self.length.saturating_sub(now.place.cursor);
        let is_all_here = now.place.ahead >= rest;
        let lack = u128::from(self.needed.saturating_sub(rate));
        // What is lacking until the end is more than what lies ahead.
        let runs_out =
            lack * u128::from(rest) > u128::from(now.place.ahead) * u128::from(self.needed);
        (is_shrinking && !is_all_here && runs_out).then_some(TooSlow {
            rate,
            needed: self.needed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: u64 = 1_024;
    const SECOND: Duration = Duration::from_secs(1);

    /// A film that needs 376 KiB/s, which is read at that pace.
    struct Case {
        pace: Pace,
        now: Instant,
        downloaded: u64,
        place: Place,
    }

    impl Case {
        fn new(ahead: u64) -> Self {
            let place = Place {
                reader: 1,
                cursor: 0,
                ahead,
            };
            Self {
                pace: Pace::new(376 * KIB * 1_000, 1_000 * SECOND),
                now: Instant::now(),
                downloaded: ahead,
                place,
            }
        }

        /// One second, in which `kib` KiB come.
        fn second(&mut self, kib: u64) -> Option<TooSlow> {
            self.now += SECOND;
            self.downloaded += kib * KIB;
            let held = self.place.ahead + kib * KIB;
            let read = held.min(376 * KIB);
            self.place.cursor += read;
            self.place.ahead = held - read;
            self.pace
                .handle_sample(self.now, self.downloaded, Some(self.place))
        }

        fn seconds(&mut self, count: usize, kib: u64) -> Vec<Option<TooSlow>> {
            (0..count).map(|_| self.second(kib)).collect()
        }
    }

    #[test]
    fn a_slow_download_is_told_after_the_window_and_not_before() {
        let mut case = Case::new(40_000 * KIB);
        assert!(case.seconds(20, 185).iter().all(Option::is_none));
        let told = case.second(185).unwrap();
        assert_eq!(told.to_string(), "185 of 376 KiB/s");
        assert_eq!(told.needed, case.pace.needed());
        // It is fast enough again: the buffer grows.
        assert!(case.seconds(20, 800).last().unwrap().is_none());
    }

    #[test]
    fn a_buffer_that_is_empty_cannot_shrink_and_is_told_too() {
        let mut case = Case::new(0);
        assert!(case.seconds(30, 185).last().unwrap().is_some());
    }

    #[test]
    fn a_download_that_keeps_up_or_has_a_buffer_for_the_rest_is_fast_enough() {
        let mut case = Case::new(0);
        assert!(case.seconds(60, 376).iter().all(Option::is_none));
        // Slower, but all that is missing in the end is here.
        let mut case = Case::new(300_000 * KIB);
        assert!(case.seconds(60, 185).iter().all(Option::is_none));
        // Nothing has to come any more.
        let mut case = Case::new(376_000 * KIB);
        assert!(case.seconds(60, 0).iter().all(Option::is_none));
    }

    #[test]
    fn a_jump_and_a_pause_begin_anew() {
        let mut case = Case::new(0);
        case.seconds(30, 185);
        case.place.reader = 2;
        assert!(case.seconds(20, 185).iter().all(Option::is_none));
        assert!(case.second(185).is_some());
        assert_eq!(case.pace.handle_sample(case.now, 0, None), None);
        assert!(case.seconds(20, 185).iter().all(Option::is_none));
        assert!(case.pace.samples.len() <= 21);
    }

    #[test]
    fn rates_are_told_in_the_unit_of_what_is_needed() {
        let told = |rate, needed| TooSlow { rate, needed }.to_string();
        assert_eq!(told(185 * KIB, 376 * KIB), "185 of 376 KiB/s");
        assert_eq!(told(0, 376 * KIB), "0.0 of 376 KiB/s");
        assert_eq!(told(1_300 * KIB, 2_560 * KIB), "1.2 of 2.5 MiB/s");
        assert_eq!(told(900, 5 * KIB), "0.8 of 5.0 KiB/s");
    }
}
