//! A network of nodes in simulated time, for tests that read like prose.

#![allow(dead_code, reason = "each test uses some of it")]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use tailwater_dht::{Config, Event, Family, Node, Report, RequestId};
use tailwater_netsim::{Event as NetEvent, HostId, Link, Network};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);

#[expect(clippy::disallowed_methods, reason = "any instant will do")]
pub(crate) fn start() -> Instant {
    Instant::now()
}

/// A seed of its own for each number.
pub(crate) fn seed(number: u64) -> [u8; 32] {
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    seed
}

/// Hosts, each of which runs a node or is played by the test.
pub(crate) struct Lab {
    pub(crate) net: Network,
    pub(crate) nodes: BTreeMap<usize, Node>,
    hosts: Vec<HostId>,
    pub(crate) events: Vec<(usize, Event)>,
    /// Datagrams for hosts without a node.
    pub(crate) stray: Vec<(usize, SocketAddr, Vec<u8>)>,
    link: Link,
    checks: bool,
}

impl Lab {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            net: Network::new(seed, start()),
            nodes: BTreeMap::new(),
            hosts: Vec::new(),
            events: Vec::new(),
            stray: Vec::new(),
            link: Link::new(Duration::from_millis(20)),
            checks: true,
        }
    }

    pub(crate) fn link(mut self, link: Link) -> Self {
        self.link = link;
        self
    }

    pub(crate) fn now(&self) -> Instant {
        self.net.now()
    }

    pub(crate) fn addr(&self, host: usize) -> SocketAddr {
        self.net.addr(self.hosts[host])
    }

    /// A host without a node.
    pub(crate) fn host(&mut self, addr: SocketAddr) -> usize {
        self.hosts.push(self.net.add_host(addr, self.link));
        self.hosts.len() - 1
    }

    pub(crate) fn node(&mut self, addr: SocketAddr, config: Config) -> usize {
        let host = self.host(addr);
        let now = self.now();
        self.nodes.insert(host, Node::new(now, config));
        self.flush(host);
        host
    }

    /// `count` nodes that all know the first.
    pub(crate) fn network(
        &mut self,
        count: usize,
        addr: impl Fn(usize) -> SocketAddr,
    ) -> Vec<usize> {
        let mut hosts = Vec::new();
        for number in 0..count {
            let bootstrap = hosts.first().map(|host| self.addr(*host));
            let number_seed = u64::try_from(1000 + number).unwrap();
            let config = Config::new(seed(number_seed)).with_bootstrap(Vec::from_iter(bootstrap));
            let addr = addr(number);
            let config = config.with_families(addr.is_ipv4(), addr.is_ipv6());
            hosts.push(self.node(addr, config));
            self.run(Duration::from_millis(100));
        }
        hosts
    }

    pub(crate) fn kill(&mut self, host: usize) {
        self.net.kill(self.hosts[host]);
        self.nodes.remove(&host);
    }

    pub(crate) fn command<T>(&mut self, host: usize, f: impl FnOnce(&mut Node, Instant) -> T) -> T {
        let now = self.now();
        let result = f(self.nodes.get_mut(&host).expect("a node"), now);
        self.flush(host);
        result
    }

    pub(crate) fn send(&mut self, host: usize, to: SocketAddr, bytes: &[u8]) {
        self.net.send_datagram(self.hosts[host], to, bytes.to_vec());
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now() + time;
        while let Some((now, event)) = self.net.next_event_until(end) {
            self.handle(now, event);
        }
    }

    /// Lets time pass until `is_done`, at most `limit`.
    pub(crate) fn run_until(&mut self, limit: Duration, is_done: impl Fn(&Self) -> bool) {
        let end = self.now() + limit;
        while !is_done(self) {
            let Some((now, event)) = self.net.next_event_until(end) else {
                panic!("not within {limit:?}");
            };
            self.handle(now, event);
        }
    }

    pub(crate) fn finish(&mut self, host: usize, request: RequestId) -> Report {
        self.run_until(2 * MINUTE, |lab| lab.report(host, request).is_some());
        self.report(host, request).expect("just seen")
    }

    pub(crate) fn report(&self, host: usize, request: RequestId) -> Option<Report> {
        self.events.iter().find_map(|(at, event)| match event {
            Event::Finished {
                request: id,
                report,
            } if *at == host && *id == request => Some(*report.clone()),
            _ => None,
        })
    }

    pub(crate) fn events_of(&self, host: usize) -> impl Iterator<Item = &Event> {
        self.events
            .iter()
            .filter(move |(at, _)| *at == host)
            .map(|(_, event)| event)
    }

    pub(crate) fn peers(&self, host: usize, request: RequestId) -> Vec<SocketAddr> {
        let mut found = Vec::new();
        for event in self.events_of(host) {
            if let Event::Peers {
                request: id, peers, ..
            } = event
                && *id == request
            {
                found.extend(peers);
            }
        }
        found
    }

    /// What a search of all living nodes would find.
    pub(crate) fn truly_closest(
        &self,
        target: &tailwater_dht::NodeId,
        but: usize,
    ) -> Vec<SocketAddr> {
        let others = self.nodes.iter().filter(|(host, _)| **host != but);
        let mut all: Vec<_> = others
            .flat_map(|(host, node)| {
                let ids = Family::ALL.map(|family| node.own_id(family));
                ids.into_iter()
                    .flatten()
                    .map(|id| (id.distance(target), self.addr(*host)))
            })
            .collect();
        all.sort();
        all.truncate(8);
        all.into_iter().map(|(_, addr)| addr).collect()
    }

    fn handle(&mut self, now: Instant, event: NetEvent) {
        let host = event.host().as_usize();
        match event {
            NetEvent::Datagram { from, bytes, .. } => match self.nodes.get_mut(&host) {
                Some(node) => node.handle_datagram(now, from, &bytes),
                None => self.stray.push((host, from, bytes)),
            },
            NetEvent::Timer { .. } => {
                if let Some(node) = self.nodes.get_mut(&host) {
                    node.handle_timeout(now);
                }
            }
            _ => {}
        }
        self.flush(host);
    }

    fn flush(&mut self, host: usize) {
        let Some(node) = self.nodes.get_mut(&host) else {
            return;
        };
        while let Some(transmit) = node.poll_transmit() {
            assert!(transmit.payload.len() <= tailwater_dht::MAX_SENT_DATAGRAM_LEN);
            self.net
                .send_datagram(self.hosts[host], transmit.to, transmit.payload);
        }
        while let Some(event) = node.poll_event() {
            self.events.push((host, event));
        }
        if let Some(at) = node.poll_timeout() {
            self.net.set_timer(self.hosts[host], at, 0);
        }
        if self.checks {
            node.check_invariants();
        }
    }
}

/// Addresses of a local network, where a node may have any id.
pub(crate) fn private(number: usize) -> SocketAddr {
    let number = u32::try_from(number + 1).unwrap();
    let ip = u32::from(Ipv4Addr::new(10, 0, 0, 0)) + number;
    SocketAddr::new(IpAddr::V4(ip.into()), 6881)
}

/// Public addresses, each in a network of its own.
pub(crate) fn public(number: usize) -> SocketAddr {
    let number = u32::try_from(number + 1).unwrap();
    // An odd factor: no two numbers have one address.
    let spread = number.wrapping_mul(0x9e37_79b1);
    let ip = Ipv4Addr::new(
        20 + u8::try_from(spread >> 26).unwrap(),
        (spread >> 16).to_be_bytes()[3],
        (spread >> 8).to_be_bytes()[3],
        1 + (spread.to_be_bytes()[3] & 0x7f),
    );
    SocketAddr::new(IpAddr::V4(ip), 6881)
}

/// Public IPv6 addresses, each in a /64 of its own.
pub(crate) fn public6(number: usize) -> SocketAddr {
    let number = u16::try_from(number + 1).unwrap();
    let ip = Ipv6Addr::new(
        0x2a01,
        0x4f8,
        number,
        number.wrapping_mul(40_503),
        0,
        0,
        0,
        1,
    );
    SocketAddr::new(IpAddr::V6(ip), 6881)
}
