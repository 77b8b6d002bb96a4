//! Runs a simulation: hosts, their nodes, the network between them.

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tailwater_netsim::{Event as NetEvent, HostId, Network};
use tailwater_types::InfoHash;

use super::config::SimConfig;
use super::hostile::Hostile;
use super::plans::Plan;
use super::report::SimReport;
use crate::{Event, Node, NodeId, Report, RequestId, Transmit};

/// The timer of a host's node.
const WAKE: u64 = 0;
/// Simulated time between two progress reports.
const PROGRESS: Duration = Duration::from_secs(1);
/// One lookup of this many is compared with a search of all nodes.
const CHECKED_LOOKUPS: usize = 10;

/// Runs a simulation.
#[must_use]
pub fn run(config: &SimConfig) -> SimReport {
    run_with(config, |_| ())
}

/// Runs a simulation, and says every simulated second how much time has passed in it.
#[must_use]
pub fn run_with(config: &SimConfig, on_progress: impl FnMut(Duration)) -> SimReport {
    let mut world = World::new(config);
    world.live(on_progress);
    world.report()
}

pub(super) enum Tenant {
    Node(Box<Node>),
    Hostile(Hostile),
    /// It has left.
    Nobody,
}

pub(super) struct Asked {
    pub(super) torrent: usize,
    pub(super) begin: Instant,
    pub(super) first: Option<Duration>,
}

pub(super) struct Torrent {
    pub(super) info_hash: InfoHash,
    pub(super) port: u16,
    /// The address that has announced it.
    pub(super) announced: Option<SocketAddr>,
}

pub(super) struct World<'a> {
    pub(super) config: &'a SimConfig,
    pub(super) start: Instant,
    pub(super) net: Network,
    pub(super) rng: fastrand::Rng,
    pub(super) hosts: Vec<HostId>,
    pub(super) tenants: Vec<Tenant>,
    /// Hosts with an honest node.
    pub(super) living: Vec<usize>,
    pub(super) hostile: Vec<SocketAddr>,
    pub(super) addresses: HashMap<Ipv4Addr, usize>,
    /// How many plans there have ever been: it tells those of one moment apart.
    pub(super) planned: u64,
    pub(super) plans: BTreeMap<(Instant, u64), Plan>,
    pub(super) torrents: Vec<Torrent>,
    pub(super) asked: BTreeMap<(usize, RequestId), Asked>,
    pub(super) announcing: BTreeMap<(usize, RequestId), usize>,
    pub(super) tally: Tally,
}

#[derive(Default)]
pub(super) struct Tally {
    pub(super) found: usize,
    pub(super) lookups: usize,
    pub(super) closest: (usize, usize),
    pub(super) hops: Vec<u64>,
    pub(super) messages: Vec<u64>,
    pub(super) first_ms: Vec<u64>,
    pub(super) end_ms: Vec<u64>,
    pub(super) stored: Vec<u64>,
    pub(super) sent_bytes: u64,
    pub(super) datagrams: u64,
    pub(super) checked: usize,
}

impl<'a> World<'a> {
    #[expect(
        clippy::disallowed_methods,
        reason = "any instant will do as the beginning"
    )]
    fn new(config: &'a SimConfig) -> Self {
        let start = Instant::now();
        let mut world = Self {
            config,
            start,
            net: Network::new(config.seed, start),
            rng: fastrand::Rng::with_seed(config.seed.wrapping_add(1)),
            hosts: Vec::new(),
            tenants: Vec::new(),
            living: Vec::new(),
            hostile: Vec::new(),
            addresses: HashMap::new(),
            planned: 0,
            plans: BTreeMap::new(),
            torrents: Vec::new(),
            asked: BTreeMap::new(),
            announcing: BTreeMap::new(),
            tally: Tally::default(),
        };
        world.plan_all();
        world
    }

    fn live(&mut self, mut on_progress: impl FnMut(Duration)) {
        let end = self.start + self.minutes(1.0);
        let mut told = self.start;
        loop {
            let plan = self.plans.pop_first();
            let at = plan.as_ref().map_or(end, |((at, _), _)| *at).min(end);
            while told + PROGRESS < at {
                told += PROGRESS;
                self.run_until(told);
                on_progress(told - self.start);
            }
            self.run_until(at);
            let Some((_, plan)) = plan else {
                return;
            };
            self.carry_out(&plan);
        }
    }

    fn run_until(&mut self, limit: Instant) {
        while let Some((now, event)) = self.net.next_event_until(limit) {
            let host = event.host().as_usize();
            match (&mut self.tenants[host], event) {
                (Tenant::Node(node), NetEvent::Datagram { from, bytes, .. }) => {
                    node.handle_datagram(now, from, &bytes);
                }
                (Tenant::Node(node), NetEvent::Timer { .. }) => node.handle_timeout(now),
                (Tenant::Hostile(hostile), NetEvent::Datagram { from, bytes, .. }) => {
                    let answer = hostile.answer(&mut self.rng, &self.hostile, from, &bytes);
                    if let Some(answer) = answer {
                        self.net.send_datagram(self.hosts[host], from, answer);
                    }
                    continue;
                }
                _ => continue,
            }
            self.flush(host, now);
        }
    }

    pub(super) fn flush(&mut self, host: usize, now: Instant) {
        let Tenant::Node(node) = &mut self.tenants[host] else {
            return;
        };
        while let Some(Transmit { to, payload }) = node.poll_transmit() {
            self.tally.sent_bytes += u64::try_from(payload.len()).unwrap_or_default();
            self.tally.datagrams += 1;
            self.net.send_datagram(self.hosts[host], to, payload);
        }
        let mut events = Vec::new();
        while let Some(event) = node.poll_event() {
            events.push(event);
        }
        if let Some(at) = node.poll_timeout() {
            self.net.set_timer(self.hosts[host], at, WAKE);
        }
        for event in events {
            self.on_event(host, now, event);
        }
    }

    fn on_event(&mut self, host: usize, now: Instant, event: Event) {
        match event {
            Event::Peers { request, peers, .. } => {
                if let Some(asked) = self.asked.get_mut(&(host, request)) {
                    let torrent = &self.torrents[asked.torrent];
                    let is_found = torrent.announced.is_some_and(|peer| peers.contains(&peer));
                    if is_found && asked.first.is_none() {
                        asked.first = Some(now - asked.begin);
                    }
                }
            }
            Event::Finished { request, report } => self.on_finished(host, now, request, &report),
            _ => {}
        }
    }

    fn on_finished(&mut self, host: usize, now: Instant, request: RequestId, report: &Report) {
        if let Some(torrent) = self.announcing.remove(&(host, request)) {
            let addr = self.net.addr(self.hosts[host]);
            let torrent = &mut self.torrents[torrent];
            torrent.announced = Some(SocketAddr::new(addr.ip(), torrent.port));
            self.tally.stored.push(report.stored.into());
        }
        let Some(asked) = self.asked.remove(&(host, request)) else {
            return;
        };
        let tally = &mut self.tally;
        tally.lookups += 1;
        let questions = u64::from(report.asked) + u64::from(report.asked_to_store);
        tally.messages.push(questions);
        tally.end_ms.push(millis(now - asked.begin));
        if let Some(first) = asked.first {
            tally.found += 1;
            tally.hops.push(report.hops.into());
            tally.first_ms.push(millis(first));
        }
        if tally.lookups.is_multiple_of(CHECKED_LOOKUPS) {
            let target = NodeId::from(self.torrents[asked.torrent].info_hash);
            let truth = self.truly_closest(&target, host);
            let found = report
                .closest
                .iter()
                .filter(|node| truth.contains(&node.id));
            self.tally.closest.0 += found.count();
            self.tally.closest.1 += truth.len();
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "numbers of nodes are small, and a cast of a float saturates"
)]
pub(super) fn share_of(all: usize, share: f64) -> usize {
    (all as f64 * share.max(0.0)).round() as usize
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
