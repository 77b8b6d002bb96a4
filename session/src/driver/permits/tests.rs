//! Permits are shared, given back, and never exceed the limit.

use std::net::Ipv4Addr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;

use super::*;

use std::time::Duration;

const CALLER: IpAddr = IpAddr::V4(Ipv4Addr::new(9, 9, 9, 9));

/// Permits whose dials are not limited.
fn permits(limit: usize) -> ConnectionPermits {
    ConnectionPermits::new(limit, DialLimit::new(u32::MAX, Duration::ZERO))
}

/// A group with what it holds and waits for.
struct Torrent {
    group: Arc<PermitGroup>,
    held: Vec<ConnectionPermit>,
    waiting: Vec<Pin<Box<dyn Future<Output = ConnectionPermit>>>>,
}

impl Torrent {
    fn new(permits: &ConnectionPermits) -> Self {
        Self {
            group: permits.new_group(),
            held: Vec::new(),
            waiting: Vec::new(),
        }
    }

    fn dial(&mut self, times: usize) {
        for _ in 0..times {
            self.waiting
                .push(Box::pin(Arc::clone(&self.group).acquire()));
            self.poll();
        }
    }

    fn poll(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        let held = &mut self.held;
        self.waiting
            .retain_mut(|permit| match permit.as_mut().poll(&mut context) {
                Poll::Ready(permit) => {
                    held.push(permit);
                    false
                }
                Poll::Pending => true,
            });
    }

    fn is_over_share(&self) -> bool {
        self.group.is_over_share()
    }
}

fn taken(permits: &ConnectionPermits) -> usize {
    permits.lock().taken
}

#[test]
fn no_more_places_than_the_limit_and_each_is_given_back_whatever_the_way() {
    let permits = permits(3);
    let mut torrent = Torrent::new(&permits);
    torrent.dial(5);
    assert_eq!((torrent.held.len(), torrent.waiting.len()), (3, 2));
    assert!(permits.try_acquire_incoming(CALLER).is_none());
    torrent.held.pop();
    assert_eq!(taken(&permits), 3, "whoever waits gets it");
    // One leaves before it looks at the permit that it was granted.
    drop(torrent.waiting.remove(0));
    torrent.poll();
    assert_eq!((torrent.held.len(), torrent.waiting.len()), (3, 0));
    torrent.held.clear();
    assert_eq!(taken(&permits), 0);
    let mut caller = permits.try_acquire_incoming(CALLER).unwrap();
    assert_eq!(taken(&permits), 1);
    torrent.group.adopt(&mut caller);
    torrent.group.adopt(&mut caller);
    assert_eq!(permits.lock().groups[&1].held, 1);
    drop(torrent);
    drop(caller);
    assert_eq!(taken(&permits), 0);
    assert!(permits.lock().groups.is_empty());
}

#[test]
fn who_has_fewest_is_next_and_among_equals_who_waited_longest() {
    let permits = permits(3);
    let [mut many, mut few, mut none] = [(); 3].map(|()| Torrent::new(&permits));
    many.dial(4);
    few.dial(2);
    none.dial(1);
    for expected in [[2, 1, 0], [1, 1, 1]] {
        many.held.pop();
        for torrent in [&mut many, &mut few, &mut none] {
            torrent.poll();
        }
        assert_eq!([&many, &few, &none].map(|group| group.held.len()), expected);
    }
    // Those with one each are equal now, and the oldest that waits is a dial of the first.
    drop(none);
    many.poll();
    assert_eq!(many.held.len(), 2);
}

#[test]
fn a_torrent_lets_go_only_of_what_is_beyond_its_share_and_only_while_others_wait() {
    let permits = permits(4);
    let [mut old, mut new] = [(); 2].map(|()| Torrent::new(&permits));
    old.dial(6);
    assert!(!old.is_over_share(), "nobody else is there");
    new.dial(3);
    assert!(old.is_over_share() && !new.is_over_share());
    new.waiting.clear();
    assert!(!old.is_over_share(), "nobody waits any more");
    new.dial(3);
    for left in [3, 2] {
        assert!(old.is_over_share());
        old.held.pop();
        old.poll();
        new.poll();
        assert_eq!(old.held.len(), left, "it does not take the permit back");
    }
    assert_eq!(new.held.len(), 2);
    assert!(!old.is_over_share() && !new.is_over_share());
}

#[test]
fn a_place_is_kept_for_callers_of_torrents_that_nobody_gets_through_to() {
    let permits = permits(4);
    let [mut busy, called] = [(); 2].map(|()| Torrent::new(&permits));
    busy.dial(6);
    assert!(!busy.is_over_share());
    assert!(permits.try_acquire_incoming(CALLER).is_none());
    assert!(busy.is_over_share());
    busy.held.pop();
    busy.poll();
    assert_eq!(busy.held.len(), 3, "its own dials do not take the permit");
    assert!(!busy.is_over_share(), "one is enough");
    busy.held.pop();
    busy.poll();
    assert_eq!(busy.held.len(), 3, "but any other");
    let mut caller = permits.try_acquire_incoming(CALLER).unwrap();
    called.group.adopt(&mut caller);
    assert_eq!(taken(&permits), 4);
    // Without another torrent to dial or to be called, there is nothing to keep a permit for.
    assert!(permits.try_acquire_incoming(CALLER).is_none());
    drop(caller);
    assert_eq!(taken(&permits), 3);
    drop(called);
    busy.poll();
    assert_eq!(busy.held.len(), 4);
    assert!(!busy.is_over_share());
}

#[test]
fn the_default_leaves_files_for_everything_else() {
    for (files, connections) in [
        (None, 1_000),
        (Some(u64::MAX), 1_000),
        (Some(20_000), 1_000),
        (Some(1_024), 640),
        (Some(256), 64),
        (Some(100), 16),
        (Some(0), 16),
    ] {
        assert_eq!(limit_for(files), connections, "{files:?}");
    }
    assert!((LEAST_DEFAULT..=DEFAULT_LIMIT).contains(&default_limit()));
}

#[test]
fn one_host_leaves_places_for_others_whatever_the_number_of_its_calls() {
    let permits = permits(1_000);
    let ip = |last: u8| IpAddr::from([9, 9, 9, last]);
    let call = |ip: IpAddr| {
        (0..2_000)
            .filter_map(|_| permits.try_acquire_incoming(ip))
            .collect()
    };
    let mut held: Vec<Vec<ConnectionPermit>> = Vec::new();
    for last in 0..4 {
        held.push(call(ip(last)));
    }
    let counts: Vec<_> = held.iter().map(Vec::len).collect();
    assert_eq!(counts, [500, 250, 125, 63]);
    // A /64 is one host too.
    let six = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]);
    let of_six: Vec<_> = (0..2_000)
        .filter_map(|last| permits.try_acquire_incoming(six(last)))
        .collect();
    assert_eq!(of_six.len(), 31);
    held.clear();
    drop(of_six);
    assert_eq!(taken(&permits), 0);
    assert!(permits.lock().hosts.is_empty());
}

#[test]
fn torrents_let_go_of_useless_peers_when_callers_are_refused_or_dials_wait_for_places() {
    let permits = permits(4);
    let [mut torrent, other] = [(); 2].map(|()| Torrent::new(&permits));
    torrent.dial(4);
    assert_eq!(torrent.group.shut_out(), 0);
    for _ in 0..2 {
        assert!(permits.try_acquire_incoming(CALLER).is_none());
    }
    for torrent in [&torrent, &other] {
        assert_eq!([(); 2].map(|()| torrent.group.shut_out()), [2, 0]);
    }
    torrent.dial(20);
    assert_eq!(torrent.group.shut_out(), MAX_SHED);
    torrent.waiting.clear();
    assert_eq!(torrent.group.shut_out(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_session_dials_thirty_times_in_a_second_after_a_burst_and_who_has_fewest_places_is_next()
{
    let permits = ConnectionPermits::new(1_000, DialLimit::default());
    let [mut many, mut late] = [(); 2].map(|()| Torrent::new(&permits));
    many.dial(500);
    assert_eq!(many.held.len(), 100);
    let second = async |torrents: &mut [&mut Torrent]| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        for torrent in torrents {
            torrent.poll();
        }
    };
    second(&mut [&mut many]).await;
    let held = many.held.len();
    assert!((129..=131).contains(&held), "{held}");
    // A torrent that comes later does not wait behind the others of the first.
    late.dial(5);
    let before = many.held.len();
    second(&mut [&mut many, &mut late]).await;
    assert_eq!(late.held.len(), 5);
    let all = many.held.len() - before + 5;
    assert!((29..=31).contains(&all), "{all}");
    // The bucket fills up again, and no further.
    many.waiting.clear();
    many.held.clear();
    for _ in 0..5 {
        second(&mut []).await;
    }
    many.dial(150);
    assert_eq!(many.held.len(), 100);
}

proptest! {
    /// Torrents come one after the other, each takes what it can get, and dials again when it has disconnected a peer.
    #[test]
    fn sharing_comes_to_rest_and_is_fair(
        limit in 1..40usize,
        wishes in prop::collection::vec(0..30usize, 1..7),
    ) {
        let permits = permits(limit);
        let mut torrents: Vec<_> = wishes.iter().map(|_| Torrent::new(&permits)).collect();
        for (torrent, wish) in torrents.iter_mut().zip(&wishes) {
            torrent.dial(*wish);
        }
        let mut rounds = 0;
        while torrents.iter().any(Torrent::is_over_share) {
            rounds += 1;
            prop_assert!(rounds <= limit, "it never comes to rest");
            for torrent in &mut torrents {
                if torrent.is_over_share() {
                    torrent.held.remove(0);
                    torrent.dial(1);
                }
            }
            torrents.iter_mut().for_each(Torrent::poll);
            let held: usize = torrents.iter().map(|torrent| torrent.held.len()).sum();
            prop_assert_eq!(held, limit, "no permit lies idle while somebody waits");
        }
        let claimants = wishes.iter().filter(|wish| **wish > 0).count();
        for (torrent, wish) in torrents.iter().zip(&wishes) {
            let share = (limit / claimants.max(1)).min(*wish);
            prop_assert!(torrent.held.len() >= share);
        }
    }
}
