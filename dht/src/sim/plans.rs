//! The schedule of a simulation: joins, departures, announces, lookups.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tailwater_netsim::Link;
use tailwater_types::InfoHash;

use super::hostile::Hostile;
use super::world::{Asked, Tenant, Torrent, World, share_of};
use crate::{Announce, Config, Family, Node, NodeId, RequestId};

/// How many bootstrap nodes there are. They do not leave.
const BOOTSTRAP_NODES: usize = 10;
/// How many of them each new node knows.
const BOOTSTRAP_KNOWN: usize = 3;
/// Times that a hostile node makes itself known.
const HOSTILE_CALLS: u32 = 40;

/// Something that is to happen.
pub(super) enum Plan {
    Join { hostile: bool },
    Leave,
    Announce(usize),
    Lookup,
    Call { host: usize, left: u32 },
}

impl World<'_> {
    pub(super) fn minutes(&self, share: f64) -> Duration {
        Duration::from_secs(60 * u64::from(self.config.minutes)).mul_f64(share)
    }

    pub(super) fn plan(&mut self, after: Duration, plan: Plan) {
        self.planned += 1;
        self.plans.insert((self.start + after, self.planned), plan);
    }

    pub(super) fn plan_between(&mut self, from: f64, to: f64, plan: Plan) {
        let share = from + (to - from) * self.rng.f64();
        self.plan(self.minutes(share), plan);
    }

    pub(super) fn plan_all(&mut self) {
        let config = self.config;
        let hostile = share_of(config.nodes, config.malicious);
        for number in 0..config.nodes {
            if number < BOOTSTRAP_NODES {
                self.plan(Duration::ZERO, Plan::Join { hostile: false });
            } else {
                let hostile = number < BOOTSTRAP_NODES + hostile;
                self.plan_between(0.0, 0.1, Plan::Join { hostile });
            }
        }
        let hours = f64::from(config.minutes) / 60.0;
        for _ in 0..share_of(config.nodes, config.churn * hours * 0.9) {
            self.plan_between(0.1, 1.0, Plan::Leave);
        }
        for torrent in 0..config.torrents {
            let info_hash = InfoHash::new(std::array::from_fn(|_| self.rng.u8(..)));
            self.torrents.push(Torrent {
                info_hash,
                port: self.rng.u16(1024..),
                announced: None,
            });
            self.plan_between(0.3, 0.45, Plan::Announce(torrent));
        }
        for _ in 0..config.lookups {
            self.plan_between(0.5, 0.98, Plan::Lookup);
        }
    }

    pub(super) fn carry_out(&mut self, plan: &Plan) {
        match *plan {
            Plan::Join { hostile } => self.join(hostile),
            Plan::Leave => self.leave(),
            Plan::Announce(torrent) => {
                let how = Announce {
                    port: Some(self.torrents[torrent].port),
                    is_seed: true,
                };
                let info_hash = self.torrents[torrent].info_hash;
                let asked = self.ask(|node, now| node.announce(now, &info_hash, how));
                self.announcing.extend(asked.map(|id| (id, torrent)));
                asked
                    .into_iter()
                    .for_each(|(host, _)| self.flush(host, self.net.now()));
            }
            Plan::Lookup => {
                let torrent = self.rng.usize(0..self.torrents.len().max(1));
                let Some(info_hash) = self.torrents.get(torrent).map(|known| known.info_hash)
                else {
                    return;
                };
                let asked = self.ask(|node, now| node.get_peers(now, &info_hash));
                let begin = self.net.now();
                let entry = |id| {
                    let first = None;
                    (
                        id,
                        Asked {
                            torrent,
                            begin,
                            first,
                        },
                    )
                };
                self.asked.extend(asked.map(entry));
                asked
                    .into_iter()
                    .for_each(|(host, _)| self.flush(host, begin));
            }
            Plan::Call { host, left } => self.call(host, left),
        }
    }

    /// Has a random node do something.
    pub(super) fn ask(
        &mut self,
        command: impl FnOnce(&mut Node, Instant) -> RequestId,
    ) -> Option<(usize, RequestId)> {
        let host = *self.rng.choice(&self.living)?;
        let now = self.net.now();
        let Tenant::Node(node) = &mut self.tenants[host] else {
            return None;
        };
        Some((host, command(node, now)))
    }

    pub(super) fn join(&mut self, is_hostile: bool) {
        let ip = self.new_ip();
        let addr = SocketAddr::new(IpAddr::V4(ip), 6881);
        let (shortest, longest) = self.config.delay;
        // Both hosts' delays add up.
        let spread = longest.saturating_sub(shortest) / 2;
        let delay = shortest / 2 + spread.mul_f64(self.rng.f64());
        let loss = u32::try_from(share_of(1_000_000, self.config.loss)).unwrap_or(u32::MAX);
        let link = Link::new(delay).with_loss_per_million(loss);
        let host = self.net.add_host(addr, link);
        let index = host.as_usize();
        self.hosts.push(host);
        let id = NodeId::for_ip(addr.ip(), std::array::from_fn(|_| self.rng.u8(..)));
        if is_hostile {
            self.tenants.push(Tenant::Hostile(Hostile { id }));
            self.hostile.push(addr);
            self.call(index, HOSTILE_CALLS);
            return;
        }
        let mut bootstrap = Vec::new();
        for _ in 0..BOOTSTRAP_KNOWN {
            let known = self.living.len().min(BOOTSTRAP_NODES);
            if known > 0 {
                let host = self.living[self.rng.usize(0..known)];
                bootstrap.push(self.net.addr(self.hosts[host]));
            }
        }
        let seed = std::array::from_fn(|_| self.rng.u8(..));
        let config = Config::new(seed)
            .with_id(Family::V4, id)
            .with_bootstrap(bootstrap);
        let now = self.net.now();
        self.tenants
            .push(Tenant::Node(Box::new(Node::new(now, config))));
        self.living.push(index);
        self.flush(index, now);
    }

    pub(super) fn leave(&mut self) {
        // The bootstrap nodes stay.
        if self.living.len() <= BOOTSTRAP_NODES {
            return;
        }
        let place = self.rng.usize(BOOTSTRAP_NODES..self.living.len());
        let host = self.living.swap_remove(place);
        self.check(host);
        self.tenants[host] = Tenant::Nobody;
        self.net.kill(self.hosts[host]);
        self.asked.retain(|(asking, _), _| *asking != host);
        self.join(false);
    }

    /// A hostile node sends a query to a random node, to become known.
    pub(super) fn call(&mut self, host: usize, left: u32) {
        if let (Tenant::Hostile(hostile), Some(to)) =
            (&self.tenants[host], self.rng.choice(&self.living))
        {
            let to = self.net.addr(self.hosts[*to]);
            let question = hostile.question(self.rng.u16(..));
            self.net.send_datagram(self.hosts[host], to, question);
        }
        if left > 0 {
            let pause = self.minutes(1.0) / HOSTILE_CALLS;
            let after = self.net.now() - self.start + pause;
            let left = left - 1;
            self.plan(after, Plan::Call { host, left });
        }
    }

    /// Public, and the only one in its /24.
    pub(super) fn new_ip(&mut self) -> Ipv4Addr {
        loop {
            let ip = Ipv4Addr::from(self.rng.u32(0x1400_0000..0x6000_0000));
            let network = Ipv4Addr::from(u32::from(ip) & 0xffff_ff00);
            if self.addresses.insert(network, self.hosts.len()).is_none() {
                return ip;
            }
        }
    }
}
