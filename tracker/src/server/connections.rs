//! The server's HTTP connections, and which of them is displaced when there are too many.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use tailwater_types::address::{AddressCounts, AddressGroup, AddressShare};

/// Names one connection; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ConnectionKey(u64);

/// The open connections, each with a value that ends it.
///
/// A new connection is always admitted. When its address has its share, it displaces one of that address; when all
/// places are taken, one of the address that has the most. So silent sockets cost only the hosts that open them.
///
/// Requests are answered as they come, so every connection here waits for its next request. The first to be displaced
/// is the one that has been silent for longest after an answer, as its client can ask again on another; then the one
/// that has been silent for longest since it was opened.
#[derive(Debug)]
pub(super) struct Connections<T> {
    open: BTreeMap<ConnectionKey, Open<T>>,
    shares: AddressCounts,
    next: u64,
    limit: usize,
    per_address: AddressShare,
}

#[derive(Debug)]
struct Open<T> {
    from: IpAddr,
    has_asked: bool,
    /// When it last asked, or came.
    silent_since: Instant,
    end: T,
}

impl<T> Connections<T> {
    /// At least one connection is admitted, and one of each address.
    pub(super) fn new(limit: usize, per_address: AddressShare) -> Self {
        Self {
            open: BTreeMap::new(),
            shares: AddressCounts::new(),
            next: 0,
            limit: limit.max(1),
            per_address,
        }
    }

    /// Admits a connection; returns the value that ends the one that it displaces, if any.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        from: IpAddr,
        end: T,
    ) -> (ConnectionKey, Option<T>) {
        let has_share = self.shares.of(from) >= self.per_address.of(from).max(1);
        let victim = match (has_share, self.open.len() >= self.limit) {
            (true, _) => self.victim(|open| AddressGroup::of(open.from) == AddressGroup::of(from)),
            (false, true) => self.victim(|_| true),
            (false, false) => None,
        };
        let displaced = victim.and_then(|victim| self.remove(victim));
        let key = ConnectionKey(self.next);
        self.next += 1;
        self.shares.add(from);
        let open = Open {
            from,
            has_asked: false,
            silent_since: now,
            end,
        };
        self.open.insert(key, open);
        (key, displaced)
    }

    /// Looks at each connection, but only when there is no room: there are hundreds.
    fn victim(&self, may_go: impl Fn(&Open<T>) -> bool) -> Option<ConnectionKey> {
        let candidates = self.open.iter().filter(|(_, open)| may_go(open));
        let victim = candidates.min_by_key(|(_, open)| {
            let of_address = self.shares.of(open.from);
            (Reverse(of_address), !open.has_asked, open.silent_since)
        });
        victim.map(|(key, _)| *key)
    }

    /// A connection has made a request, and is answered.
    pub(super) fn on_request(&mut self, now: Instant, key: ConnectionKey) {
        if let Some(open) = self.open.get_mut(&key) {
            open.has_asked = true;
            open.silent_since = now;
        }
    }

    /// A connection has ended; one that was displaced is not here any more.
    pub(super) fn remove(&mut self, key: ConnectionKey) -> Option<T> {
        let open = self.open.remove(&key)?;
        self.shares.remove(open.from);
        Some(open.end)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::origin::origin;

    const SHARE: AddressShare = AddressShare {
        global: 4,
        local: 200,
    };

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Connections with a number each, opened one millisecond after the other.
    struct Bench {
        connections: Connections<usize>,
        now: Instant,
        opened: usize,
        displaced: Vec<usize>,
    }

    impl Bench {
        fn new(limit: usize) -> Self {
            Self {
                connections: Connections::new(limit, SHARE),
                now: origin(),
                opened: 0,
                displaced: Vec::new(),
            }
        }

        fn open(&mut self, from: &str) -> ConnectionKey {
            self.now += Duration::from_millis(1);
            let (key, displaced) = self.connections.admit(self.now, ip(from), self.opened);
            self.opened += 1;
            self.displaced.extend(displaced);
            assert!(self.connections.open.len() <= self.connections.limit);
            assert_eq!(self.connections.shares.total(), self.connections.open.len());
            key
        }
    }

    #[test]
    fn one_address_displaces_only_its_own_oldest() {
        let mut bench = Bench::new(8);
        bench.open("192.0.2.1");
        for _ in 0..641 {
            bench.open("203.0.113.9");
        }
        assert_eq!(bench.displaced, (1..=637).collect::<Vec<_>>());
        // The addresses of a /64 have one share.
        bench.displaced.clear();
        for host in 0..9 {
            bench.open(&format!("2001:db8::{host}"));
        }
        assert_eq!(bench.displaced.len(), 9 - 3, "3 places were free");
        assert!(bench.displaced.iter().all(|number| *number > 0));
    }

    #[test]
    fn who_has_asked_gives_way_first_and_then_who_has_been_silent_longest() {
        let mut bench = Bench::new(8);
        let keys = [(); 4].map(|()| bench.open("192.0.2.1"));
        bench.now += Duration::from_secs(1);
        bench.connections.on_request(bench.now, keys[3]);
        bench.connections.on_request(bench.now, keys[1]);
        bench.open("192.0.2.1");
        bench.open("192.0.2.1");
        bench.open("192.0.2.1");
        assert_eq!(bench.displaced, [1, 3, 0]);
        // A connection that has ended makes room, once.
        assert!(bench.connections.remove(keys[2]).is_some());
        assert!(bench.connections.remove(keys[2]).is_none());
        bench.open("192.0.2.1");
        assert_eq!(bench.displaced.len(), 3);
    }

    #[test]
    fn a_full_server_lets_newcomers_in_at_the_cost_of_the_busiest_address() {
        let mut bench = Bench::new(8);
        bench.open("192.0.2.1");
        for number in [2, 3, 2, 3, 2, 3, 2] {
            bench.open(&format!("192.0.2.{number}"));
        }
        assert_eq!(bench.displaced, []);
        bench.open("192.0.2.4");
        assert_eq!(bench.displaced, [1], "the oldest of the address with four");
        // Where each has one, the oldest is displaced.
        let mut bench = Bench::new(3);
        for number in 1..=5 {
            bench.open(&format!("192.0.2.{number}"));
        }
        assert_eq!(bench.displaced, [0, 1]);
    }

    #[test]
    fn many_clients_of_this_host_are_many() {
        let mut bench = Bench::new(512);
        for _ in 0..200 {
            bench.open("127.0.0.1");
        }
        assert_eq!(bench.displaced, []);
    }
}
