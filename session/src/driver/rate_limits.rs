//! The rate limits that hold for a connection: the session's, its torrent's, and those of a group of torrents. All of them must
//! grant.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::rate_limiter::RateLimiter;

/// The rate limits on a connection's bytes: the session's, and its torrent's if it has one, with those of its group.
#[derive(Clone, Debug, Default)]
pub(crate) struct RateLimits {
    session: Arc<RateLimiter>,
    torrent: Option<Arc<TorrentLimiter>>,
}

/// The limiter of a group of torrents, for one direction.
#[derive(Debug, Default)]
pub(crate) struct GroupLimiter {
    pub(crate) limiter: RateLimiter,
    /// Its torrents do not count against the session's limit.
    pub(crate) leaves_session: AtomicBool,
}

/// The limiter of a torrent, and which of the others hold for it.
#[derive(Debug)]
struct TorrentLimiter {
    own: RateLimiter,
    /// Whether there is a group; asked for every write, where the lock is not worth it.
    is_grouped: AtomicBool,
    group: Mutex<Option<Arc<GroupLimiter>>>,
    /// Only its own limit holds.
    stands_alone: AtomicBool,
}

impl TorrentLimiter {
    fn group(&self) -> Option<Arc<GroupLimiter>> {
        match self.is_grouped.load(Ordering::Relaxed) {
            true => self.group.lock().clone(),
            false => None,
        }
    }

    /// Whether the session's limit holds, and the group's limiter if that holds.
    fn shared(&self) -> (bool, Option<Arc<GroupLimiter>>) {
        if self.stands_alone.load(Ordering::Relaxed) {
            return (false, None);
        }
        let group = self.group();
        let leaves = |group: &Arc<GroupLimiter>| group.leaves_session.load(Ordering::Relaxed);
        (!group.as_ref().is_some_and(leaves), group)
    }
}

impl RateLimits {
    /// The session's limit alone.
    pub(crate) fn of_session(bytes_per_second: Option<u64>) -> Self {
        Self {
            session: Arc::new(RateLimiter::new(bytes_per_second)),
            torrent: None,
        }
    }

    /// The same session's limit, and one of a torrent beside it.
    pub(crate) fn with_torrent(&self, bytes_per_second: Option<u64>) -> Self {
        Self {
            session: Arc::clone(&self.session),
            torrent: Some(Arc::new(TorrentLimiter {
                own: RateLimiter::new(bytes_per_second),
                is_grouped: AtomicBool::default(),
                group: Mutex::default(),
                stands_alone: AtomicBool::default(),
            })),
        }
    }

    /// The limit of the session.
    pub(crate) fn session(&self) -> &RateLimiter {
        &self.session
    }

    /// The torrent's limiter; `None` if these are the session's own limits.
    pub(crate) fn torrent(&self) -> Option<&RateLimiter> {
        self.torrent.as_deref().map(|torrent| &torrent.own)
    }

    /// Puts the torrent into a group, or takes it out.
    pub(crate) fn set_group(&self, group: Option<Arc<GroupLimiter>>) {
        let Some(torrent) = &self.torrent else {
            return;
        };
        let is_grouped = group.is_some();
        *torrent.group.lock() = group;
        torrent.is_grouped.store(is_grouped, Ordering::Relaxed);
        torrent.own.wake();
    }

    /// Whether only the torrent's own limit holds.
    pub(crate) fn stands_alone(&self) -> bool {
        let torrent = self.torrent.as_ref();
        torrent.is_some_and(|torrent| torrent.stands_alone.load(Ordering::Relaxed))
    }

    /// Has only the torrent's own limit hold, or the others too.
    pub(crate) fn set_stands_alone(&self, stands_alone: bool) {
        if let Some(torrent) = &self.torrent {
            torrent.stands_alone.store(stands_alone, Ordering::Relaxed);
            torrent.own.wake();
        }
    }

    /// Notices changes of these limits from now on.
    pub(crate) fn changes(&self) -> RateChanges {
        RateChanges {
            session: self.session.changes(),
            torrent: self.torrent.as_ref().map(|torrent| OwnChanges {
                limiter: Arc::clone(torrent),
                own: torrent.own.changes(),
                group: torrent.group().map(|group| group.limiter.changes()),
            }),
        }
    }

    /// Counts bytes that pass now against all; the connection that passed them waits for the latest.
    pub(crate) fn spend(&self, now: Instant, bytes: usize) -> Option<Instant> {
        let Some(torrent) = &self.torrent else {
            return self.session.spend(now, bytes);
        };
        let own = torrent.own.spend(now, bytes);
        let (has_session, group) = torrent.shared();
        let group = group.and_then(|group| group.limiter.spend(now, bytes));
        let session = match has_session {
            true => self.session.spend(now, bytes),
            false => None,
        };
        own.max(group).max(session)
    }

    /// The most to read or write at once: the smallest portion of all.
    pub(crate) fn portion(&self) -> usize {
        let Some(torrent) = &self.torrent else {
            return self.session.portion();
        };
        let (has_session, group) = torrent.shared();
        let group = group.map_or(usize::MAX, |group| group.limiter.portion());
        let session = match has_session {
            true => self.session.portion(),
            false => usize::MAX,
        };
        torrent.own.portion().min(group).min(session)
    }
}

/// Wakes a connection that waits for its rate limits when one of them is changed.
#[derive(Debug)]
pub(crate) struct RateChanges {
    session: watch::Receiver<()>,
    torrent: Option<OwnChanges>,
}

/// Changes of a torrent's limit, of its group's, and of the group.
#[derive(Debug)]
struct OwnChanges {
    limiter: Arc<TorrentLimiter>,
    own: watch::Receiver<()>,
    group: Option<watch::Receiver<()>>,
}

impl OwnChanges {
    async fn next(&mut self) {
        let group = async {
            match &mut self.group {
                Some(group) => group.changed().await,
                None => pending().await,
            }
        };
        tokio::select! {
            Ok(()) = self.own.changed() => {
                // It may be in another group.
                self.group = self.limiter.group().map(|group| group.limiter.changes());
            }
            Ok(()) = group => {}
            else => pending().await,
        }
    }
}

impl RateChanges {
    /// Waits until a limit has been changed since the last call; never, once the limiters are gone. Cancel safe.
    pub(crate) async fn next(&mut self) {
        let torrent = async {
            match &mut self.torrent {
                Some(torrent) => torrent.next().await,
                None => pending().await,
            }
        };
        tokio::select! {
            Ok(()) = self.session.changed() => {}
            () = torrent => {}
            else => pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Bytes that pass in ten seconds, for each of some connections that take all they may.
    fn transfer(connections: &[&RateLimits]) -> Vec<u64> {
        let start = crate::testing::epoch();
        let end = start + Duration::from_secs(10);
        let mut next = vec![start; connections.len()];
        let mut passed = vec![0; connections.len()];
        loop {
            // The one that may go on first does.
            let first = (0..next.len()).min_by_key(|&index| next[index]);
            let Some(index) = first.filter(|&index| next[index] < end) else {
                return passed;
            };
            let now = next[index];
            let bytes = connections[index].portion().min(16_384);
            passed[index] += bytes as u64;
            // Without a limit it takes a millisecond.
            let idle = now + Duration::from_millis(1);
            next[index] = connections[index].spend(now, bytes).unwrap_or(idle);
        }
    }

    #[test]
    fn the_lower_limit_holds() {
        let close_to =
            |passed: u64, rate: u64| (rate * 99 / 10..=rate * 103 / 10).contains(&passed);
        for (session, torrent) in [(1_000_000, 300_000), (300_000, 1_000_000)] {
            let limits = RateLimits::of_session(Some(session)).with_torrent(Some(torrent));
            let passed = transfer(&[&limits, &limits, &limits]).iter().sum();
            assert!(close_to(passed, 300_000), "{session} {torrent}: {passed}");
        }
        let unlimited = RateLimits::of_session(None).with_torrent(Some(300_000));
        let passed = transfer(&[&unlimited])[0];
        assert!(close_to(passed, 300_000), "{passed}");
        assert_eq!(
            unlimited
                .with_torrent(None)
                .spend(crate::testing::epoch(), 1 << 30),
            None
        );
    }

    #[test]
    fn torrents_share_the_limit_of_the_session() {
        let session = RateLimits::of_session(Some(1_000_000));
        let (slow, fast) = (
            session.with_torrent(Some(200_000)),
            session.with_torrent(None),
        );
        let passed = transfer(&[&slow, &slow, &fast, &fast]);
        let (of_slow, of_fast) = (passed[0] + passed[1], passed[2] + passed[3]);
        assert!(of_slow <= 2_060_000, "{of_slow}");
        let all = of_slow + of_fast;
        assert!((9_900_000..=10_300_000).contains(&all), "{all}");
        // What one may not use is there for the other.
        assert!(of_fast >= 7_800_000, "{of_fast}");
        let other = session.with_torrent(Some(900_000));
        let passed = transfer(&[&other, &fast]);
        assert!(passed[0] + passed[1] <= 10_300_000, "{passed:?}");
    }

    #[tokio::test]
    async fn a_change_of_either_limit_wakes_a_connection_that_waits() {
        let limits = RateLimits::of_session(Some(1)).with_torrent(Some(1));
        let mut changes = limits.changes();
        assert!(!is_woken(&mut changes).await, "nothing has changed yet");
        limits.session().set_rate(None);
        assert!(is_woken(&mut changes).await);
        assert!(!is_woken(&mut changes).await, "it was told once");
        limits.torrent().unwrap().set_rate(Some(2));
        assert!(is_woken(&mut changes).await);
        assert!(!is_woken(&mut changes).await);
    }

    /// Whether there is a change now.
    async fn is_woken(changes: &mut RateChanges) -> bool {
        tokio::select! {
            biased;
            () = changes.next() => true,
            () = std::future::ready(()) => false,
        }
    }

    #[test]
    fn torrents_of_a_group_share_its_limit_within_that_of_the_session() {
        let session = RateLimits::of_session(Some(1_000_000));
        let group = Arc::new(GroupLimiter::default());
        group.limiter.set_rate(Some(300_000));
        let torrents = [(); 3].map(|()| session.with_torrent(None));
        let [one, two, other] = torrents.each_ref();
        for torrent in [one, two] {
            torrent.set_group(Some(Arc::clone(&group)));
        }
        // The time begins anew each time, and so do the buckets.
        let transfer = || {
            group.limiter.set_rate(Some(300_000));
            session.session().set_rate(Some(1_000_000));
            transfer(&[one, two, other])
        };
        let passed = transfer();
        let of_group = passed[0] + passed[1];
        assert!((2_900_000..=3_100_000).contains(&of_group), "{of_group}");
        let all = of_group + passed[2];
        assert!((9_900_000..=10_300_000).contains(&all), "{all}");
        // Outside of the session's limit, but within its own.
        group.leaves_session.store(true, Ordering::Relaxed);
        let passed = transfer();
        let of_group = passed[0] + passed[1];
        assert!((2_900_000..=3_100_000).contains(&of_group), "{of_group}");
        assert!((9_900_000..=10_300_000).contains(&passed[2]), "{passed:?}");
        one.set_group(None);
        let passed = transfer();
        let of_session = passed[0] + passed[2];
        assert!((9_900_000..=10_300_000).contains(&of_session), "{passed:?}");
        assert!((2_900_000..=3_100_000).contains(&passed[1]), "{passed:?}");
    }

    #[test]
    fn a_torrent_that_stands_alone_keeps_to_its_own_limit() {
        let session = RateLimits::of_session(Some(1_000));
        let group = Arc::new(GroupLimiter::default());
        group.limiter.set_rate(Some(1_000));
        let torrent = session.with_torrent(Some(500_000));
        torrent.set_group(Some(group));
        torrent.set_stands_alone(true);
        assert!(torrent.stands_alone());
        let passed = transfer(&[&torrent])[0];
        assert!((4_900_000..=5_200_000).contains(&passed), "{passed}");
        torrent.set_stands_alone(false);
        assert!(transfer(&[&torrent])[0] < 20_000);
    }

    #[tokio::test]
    async fn a_change_of_the_group_or_its_limit_wakes_a_connection_that_waits() {
        let limits = RateLimits::of_session(None).with_torrent(None);
        let mut changes = limits.changes();
        let group = Arc::new(GroupLimiter::default());
        limits.set_group(Some(Arc::clone(&group)));
        assert!(is_woken(&mut changes).await);
        group.limiter.set_rate(Some(1));
        assert!(is_woken(&mut changes).await);
        assert!(!is_woken(&mut changes).await);
        limits.set_group(None);
        assert!(is_woken(&mut changes).await);
        group.limiter.set_rate(None);
        assert!(!is_woken(&mut changes).await, "it has left the group");
        limits.set_stands_alone(true);
        assert!(is_woken(&mut changes).await);
    }
}
