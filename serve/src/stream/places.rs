//! A semaphore with displacement, for connections and for streams: when all places are taken, a new client may displace
//! another.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::client::{Activity, AddrGroup, Client, Patience};

/// Places (permits) for clients. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    count: usize,
    patience: Patience,
    permits: Arc<Semaphore>,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    /// The clients that have a place and have not been displaced.
    holders: BTreeMap<u64, Arc<Client>>,
}

/// A permit for one place, given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    key: u64,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    pub(crate) fn new(count: usize, patience: Patience) -> Self {
        let count = count.min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Inner {
            count,
            patience,
            permits: Arc::new(Semaphore::new(count)),
            table: Mutex::default(),
        }))
    }

    /// Whether more than half of them are taken.
    pub(crate) fn are_short(&self) -> bool {
        self.0.permits.available_permits() < self.0.count.div_ceil(2)
    }

    /// Takes a place: a free one, or that of a client that does nothing, or does too much (see [`victim`]). `None` if
    /// there is no such client.
    ///
    /// It waits only for a displaced client's task to end. If it is dropped meanwhile, that client has been displaced
    /// for nothing.
    pub(crate) async fn take(&self, client: &Arc<Client>) -> Option<Place> {
        let free = Arc::clone(&self.0.permits).try_acquire_owned();
        let permit = match free {
            Ok(permit) => permit,
            Err(_) => {
                self.make_room(client.group())?;
                // The semaphore is fair: a place that is given back goes to a waiting caller before others find it
                // free.
                Arc::clone(&self.0.permits).acquire_owned().await.ok()?
            }
        };
        let mut table = self.lock();
        let key = table.next;
        table.next += 1;
        table.holders.insert(key, Arc::clone(client));
        Some(Place {
            places: self.clone(),
            key,
            _permit: permit,
        })
    }

    fn make_room(&self, newcomer: AddrGroup) -> Option<()> {
        let mut table = self.lock();
        let holders = table
            .holders
            .iter()
            .map(|(key, client)| (*key, client.group(), client.activity()));
        let holders: Vec<_> = holders.collect();
        let key = victim(Instant::now(), newcomer, &holders, self.0.patience)?;
        // It no longer counts, and is not chosen twice.
        table.holders.remove(&key)?.displace();
        Some(())
    }

    /// Held while a client is chosen; clients' own locks are taken within it.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().holders.remove(&self.key);
    }
}

/// Chooses the client that a new client displaces:
///
/// 1. one that is silent; else one that has stalled; else one that has starved. Among these, one of the group that has
///    the most places, and the one for which nothing has happened for the longest time;
/// 2. if all do something: one of the group with the most places, if that is at least two more than the new client's
///    group has, so that one address cannot keep all places from another, and two addresses do not displace each other
///    in turn.
fn victim(
    now: Instant,
    newcomer: AddrGroup,
    holders: &[(u64, AddrGroup, Activity)],
    patience: Patience,
) -> Option<u64> {
    let mut counts = BTreeMap::<AddrGroup, usize>::new();
    for (_, group, _) in holders {
        *counts.entry(*group).or_default() += 1;
    }
    let count = |group: &AddrGroup| counts.get(group).copied().unwrap_or(0);
    let idle = holders
        .iter()
        .filter_map(|(key, group, activity)| {
            let idleness = activity.idleness(now, patience)?;
            Some((idleness, Reverse(count(group)), activity.since(), *key))
        })
        .min();
    if let Some((.., key)) = idle {
        return Some(key);
    }
    let (most, _, key) = holders
        .iter()
        .map(|(key, group, activity)| (Reverse(count(group)), activity.since(), *key))
        .min()?;
    (most.0 >= count(&newcomer) + 2).then_some(key)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const PATIENCE: Patience = Patience {
        stalled_after: Duration::from_secs(5),
        starved_after: Duration::from_secs(60),
    };

    fn group(last: u8) -> AddrGroup {
        AddrGroup::of(IpAddr::from([192, 0, 2, last]))
    }

    /// Holders: the last byte of their address, what they do, and since when in seconds.
    struct Case {
        began: Instant,
        holders: Vec<(u64, AddrGroup, Activity)>,
    }

    impl Case {
        fn new() -> Self {
            Self {
                began: Instant::now(),
                holders: Vec::new(),
            }
        }

        fn holder(
            mut self,
            addr: u8,
            does: impl FnOnce(&mut Activity, Instant),
            since: u32,
        ) -> Self {
            let since = self.began + since * SECOND;
            let mut activity = Activity::new(since);
            does(&mut activity, since);
            let key = u64::try_from(self.holders.len()).unwrap();
            self.holders.push((key, group(addr), activity));
            self
        }

        fn silent(self, addr: u8, since: u32) -> Self {
            self.holder(addr, |_, _| {}, since)
        }

        fn reading(self, addr: u8, since: u32) -> Self {
            self.holder(addr, Activity::on_request, since)
        }

        fn stuck(self, addr: u8, since: u32) -> Self {
            let stuck = |activity: &mut Activity, since| {
                activity.on_request(since);
                activity.on_blocked(since);
            };
            self.holder(addr, stuck, since)
        }

        fn victim(&self, newcomer: u8, at: u32) -> Option<u64> {
            let now = self.began + at * SECOND;
            victim(now, group(newcomer), &self.holders, PATIENCE)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_silent_client_goes_first() {
        let case = Case::new()
            .stuck(1, 0)
            .silent(1, 8)
            .silent(1, 7)
            .reading(1, 1);
        assert_eq!(case.victim(1, 10), Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn then_the_one_that_has_taken_nothing_for_the_longest_time() {
        let case = Case::new().stuck(1, 4).stuck(1, 3).reading(1, 0);
        assert_eq!(case.victim(1, 7), None, "a moment is no stall");
        assert_eq!(case.victim(1, 10), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn then_the_one_that_waits_for_bytes_that_do_not_come() {
        let case = Case::new().reading(1, 5).reading(1, 4);
        assert_eq!(case.victim(1, 60), None);
        assert_eq!(case.victim(1, 64), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_address_with_the_most_places_loses_first() {
        let silent = Case::new().silent(1, 0).silent(2, 5).silent(2, 4);
        assert_eq!(silent.victim(3, 10), Some(2));
        let stuck = Case::new().stuck(1, 0).stuck(2, 5).stuck(2, 4);
        assert_eq!(stuck.victim(3, 10), Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn places_in_use_are_shared_among_addresses() {
        let case = Case::new().reading(1, 0).reading(1, 1).reading(1, 2);
        assert_eq!(case.victim(1, 10), None, "its own address has them");
        assert_eq!(case.victim(2, 10), Some(0));
        let even = Case::new().reading(1, 0).reading(1, 1).reading(2, 2);
        assert_eq!(even.victim(2, 10), None, "it would only turn the tables");
        assert_eq!(even.victim(3, 10), Some(0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_free_again_when_the_displaced_has_left_it() {
        let places = Places::new(1, PATIENCE);
        let addr = IpAddr::from([127, 0, 0, 1]);
        let (first, second) = (Client::new(addr), Client::new(addr));
        let place = places.take(&first).await.unwrap();
        assert!(places.are_short());
        let newcomer = places.take(&second);
        tokio::pin!(newcomer);
        tokio::select! {
            biased;
            _ = &mut newcomer => panic!("two have one place"),
            () = first.serve(std::future::pending()) => {}
        }
        drop(place);
        let place = newcomer.await.unwrap();
        let answering = second.on_request();
        assert!(places.take(&first).await.is_none(), "it is in use");
        drop((answering, place));
        assert!(!places.are_short());
        assert!(places.take(&first).await.is_some());
    }
}
