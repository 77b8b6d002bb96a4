//! Watches whether a torrent has reached its goals: `--seed-ratio`, `--seed-time`, `--stop-timeout`.

use std::time::{Duration, Instant};

use tailwater_session::{Phase, Stats};

use super::follow::Follower;
use crate::args::Goals;
use crate::error::CliError;
use crate::words::duration;

/// The decision about a torrent: go on, goal reached, or give up.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    GoOn,
    /// A goal is reached; which one, in words.
    Reached(String),
    /// It has waited this long in vain.
    GivenUp(Duration),
}

/// One torrent on its way to its goals.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    goals: Goals,
    /// Bytes of what is downloaded or seeded.
    size: u64,
    /// When there was last a peer, or data.
    alive_at: Instant,
    downloaded: u64,
    seeding_since: Option<Instant>,
}

impl Watch {
    pub(super) const fn new(goals: Goals, size: u64, now: Instant) -> Self {
        Self {
            goals,
            size,
            alive_at: now,
            downloaded: 0,
            seeding_since: None,
        }
    }

    /// While it downloads: data has to come. A peer that sends none is no help.
    pub(super) fn poll_download(&mut self, now: Instant, stats: &Stats) -> Verdict {
        if stats.downloaded > self.downloaded {
            self.downloaded = stats.downloaded;
            self.alive_at = now;
        }
        self.given_up(now)
    }

    /// While it seeds: there has to be a peer, and the goals are checked.
    pub(super) fn poll_seed(&mut self, now: Instant, stats: &Stats) -> Verdict {
        let since = *self.seeding_since.get_or_insert_with(|| {
            self.alive_at = now;
            now
        });
        if stats.peers > 0 {
            self.alive_at = now;
        }
        let sent = ratio(stats.uploaded, self.size);
        if self.goals.seed_ratio.is_some_and(|goal| sent >= goal.0) {
            return Verdict::Reached(match self.size {
                0 => "there is nothing to send".to_owned(),
                _ => format!("{sent:.2} times its size was sent"),
            });
        }
        let seeded = now.saturating_duration_since(since);
        if self.goals.seed_time.is_some_and(|goal| seeded >= goal.0) {
            return Verdict::Reached(format!("it was seeded for {}", duration(seeded)));
        }
        self.given_up(now)
    }

    /// Follows a torrent until everything wanted is held and verified.
    pub(super) async fn complete(&mut self, follower: &mut Follower) -> Result<Stats, CliError> {
        follower.set_timed(self.goals.is_any());
        let settled = follower.until(|status| match status.phase {
            Phase::Complete => Some(Ok(status.stats)),
            // To hash what is there may take long, and no data can come meanwhile.
            Phase::Starting | Phase::Checking { .. } | Phase::Moving { .. } => {
                self.alive_at = Instant::now();
                None
            }
            _ => match self.poll_download(Instant::now(), &status.stats) {
                Verdict::GivenUp(waited) => Some(Err(waited)),
                Verdict::GoOn | Verdict::Reached(_) => None,
            },
        });
        settled
            .await?
            .map_err(|waited| give_up(follower, "no data came", waited))
    }

    /// Follows a torrent that seeds until a goal is reached: which one, in words. Without goals, until it fails.
    pub(super) async fn seed(&mut self, follower: &mut Follower) -> Result<String, CliError> {
        follower.set_timed(self.goals.is_any());
        let settled =
            follower.until(
                |status| match self.poll_seed(Instant::now(), &status.stats) {
                    Verdict::GoOn => None,
                    Verdict::Reached(goal) => Some(Ok(goal)),
                    Verdict::GivenUp(waited) => Some(Err(waited)),
                },
            );
        settled
            .await?
            .map_err(|waited| give_up(follower, "no peer was connected", waited))
    }

    fn given_up(&self, now: Instant) -> Verdict {
        let waited = now.saturating_duration_since(self.alive_at);
        match self.goals.patience() {
            Some(patience) if waited >= patience => Verdict::GivenUp(patience),
            _ => Verdict::GoOn,
        }
    }
}

fn give_up(follower: &Follower, lack: &'static str, waited: Duration) -> CliError {
    CliError::GivenUp {
        lack,
        name: follower.torrent().info().name().to_owned(),
        waited,
    }
}

/// Nothing has been sent any number of times.
fn ratio(sent: u64, size: u64) -> f64 {
    match size {
        0 => f64::INFINITY,
        _ => sent as f64 / size as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goals(ratio: Option<&str>, time: Option<&str>, stop: Option<&str>) -> Goals {
        Goals {
            seed_ratio: ratio.map(|text| text.parse().unwrap()),
            seed_time: time.map(|text| text.parse().unwrap()),
            stop_timeout: stop.map(|text| text.parse().unwrap()),
        }
    }

    fn stats(uploaded: u64, downloaded: u64, peers: usize) -> Stats {
        let mut stats = Stats::default();
        (stats.uploaded, stats.downloaded, stats.peers) = (uploaded, downloaded, peers);
        stats
    }

    fn is_reached(verdict: &Verdict) -> bool {
        matches!(verdict, Verdict::Reached(_))
    }

    #[test]
    fn a_ratio_is_reached_when_so_much_is_sent() {
        let now = Instant::now();
        let mut watch = Watch::new(goals(Some("1.5"), None, None), 100, now);
        assert_eq!(watch.poll_seed(now, &stats(149, 0, 1)), Verdict::GoOn);
        assert!(is_reached(&watch.poll_seed(now, &stats(150, 0, 1))));
        for (ratio, size) in [("0", 100), ("5", 0)] {
            let mut watch = Watch::new(goals(Some(ratio), None, None), size, now);
            assert!(
                is_reached(&watch.poll_seed(now, &stats(0, 0, 0))),
                "{ratio}"
            );
        }
    }

    #[test]
    fn the_time_of_seeding_counts_from_its_beginning() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut watch = Watch::new(goals(Some("9"), Some("60s"), None), 100, start);
        assert_eq!(watch.poll_download(at(500), &stats(0, 1, 0)), Verdict::GoOn);
        assert_eq!(watch.poll_seed(at(1_000), &stats(0, 1, 0)), Verdict::GoOn);
        assert_eq!(watch.poll_seed(at(1_059), &stats(0, 1, 0)), Verdict::GoOn);
        assert!(is_reached(&watch.poll_seed(at(1_060), &stats(0, 1, 0))));
    }

    #[test]
    fn a_torrent_without_data_or_without_peers_is_given_up() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let given_up = Verdict::GivenUp(Duration::from_secs(60));
        let mut watch = Watch::new(goals(None, None, Some("1min")), 100, start);
        // A peer that sends nothing does not help a download.
        assert_eq!(watch.poll_download(at(50), &stats(0, 10, 3)), Verdict::GoOn);
        assert_eq!(
            watch.poll_download(at(109), &stats(0, 10, 3)),
            Verdict::GoOn
        );
        assert_eq!(watch.poll_download(at(110), &stats(0, 10, 3)), given_up);
        // The wait begins anew when it is complete.
        assert_eq!(watch.poll_seed(at(110), &stats(0, 10, 0)), Verdict::GoOn);
        assert_eq!(watch.poll_seed(at(150), &stats(0, 10, 1)), Verdict::GoOn);
        assert_eq!(watch.poll_seed(at(209), &stats(0, 10, 0)), Verdict::GoOn);
        assert_eq!(watch.poll_seed(at(210), &stats(0, 10, 0)), given_up);
    }
}
