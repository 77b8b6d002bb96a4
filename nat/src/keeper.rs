//! The keeper: the state machine that decides what is asked of the gateway, and when. Which protocol is tried next,
//! when mappings are renewed, when they count as lost, how long to rest after a failure (back-off).
//!
//! ```text
//!          timeout, notice            route                 mapped            address
//! Resting ────────────────▶ FindRoute ─────▶ Map (each port) ─────▶ AskAddress ─────▶ Resting
//!    ▲                          │ none         │ │ silent: next protocol                 (until half
//!    └──────────────────────────┴──────────────┘ └──▶ Map                                 of the lease)
//!          (1 min, doubled up to 1 h)
//! ```

use std::net::IpAddr;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tailwater_types::pacing::Backoff;

use super::epoch::Epoch;
use super::terms::{Config, Failure, Grant, Mapping, Notice, Request, Task};
use super::{PortMapStatus, Protocol, Route, Transport, Wanted};

/// Other external ports that are tried when the one that was asked for belongs to another client.
const MAX_OTHER_PORTS: u32 = 5;
/// The range of those: above the ports that need privileges on most systems, and that some gateways refuse.
const OTHER_PORTS: std::ops::RangeInclusive<u16> = 1024..=u16::MAX;
/// A lease counts as no longer than this, whatever a gateway says: no mapping is trusted for years.
const LONGEST_LEASE: Duration = Duration::from_secs(24 * 3600);
/// The spread of requests after a restart, so that the clients that are told of it do not all ask at once (RFC 6887,
/// 14.1.3).
const NOTICE_SPREAD: Duration = Duration::from_secs(2);
/// The least time between two notices that are believed. Notices are not authenticated: forged ones make us ask no more
/// often than this.
const BETWEEN_NOTICES: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug)]
struct Held {
    external: u16,
    renew_at: Instant,
    expires_at: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    transport: Transport,
    internal: u16,
    held: Option<Held>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Resting { until: Instant },
    FindingRoute,
    Mapping(Attempt),
    AskingAddress(Protocol),
}

/// The mapping that is being requested.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    protocol: Protocol,
    slot: usize,
    external: u16,
    other_ports: u32,
}

/// The state machine of port mapping; see the module.
#[derive(Debug)]
pub(super) struct Keeper {
    config: Config,
    rng: Rng,
    state: State,
    /// Whether the driver has been given the task of this state.
    is_told: bool,
    slots: Vec<Slot>,
    /// Protocols that this round has yet to try.
    untried: Vec<Protocol>,
    /// The protocol that the mappings were made with, or that worked last.
    protocol: Option<Protocol>,
    route: Option<Route>,
    address: Option<IpAddr>,
    epoch: Option<Epoch>,
    is_permanent: bool,
    failures: u32,
    round_began: Instant,
}

impl Keeper {
    /// Makes a keeper whose first round is due at once.
    pub(super) fn new(now: Instant, wanted: Wanted, config: Config, seed: u64) -> Self {
        let ports = [(Transport::Tcp, wanted.tcp), (Transport::Udp, wanted.udp)];
        // Port 0 means all ports in PCP and NAT-PMP.
        let wanted = ports
            .into_iter()
            .filter_map(|(transport, port)| Some((transport, port.filter(|port| *port > 0)?)));
        let slots = wanted.map(|(transport, internal)| Slot {
            transport,
            internal,
            held: None,
        });
        Self {
            slots: slots.collect(),
            config,
            rng: Rng::with_seed(seed),
            state: State::Resting { until: now },
            is_told: false,
            untried: Vec::new(),
            protocol: None,
            route: None,
            address: None,
            epoch: None,
            is_permanent: false,
            failures: 0,
            round_began: now,
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do; `None` while the driver works on a task, or
    /// if no mapping is wanted.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Resting { until } if !self.slots.is_empty() => Some(until),
            _ => None,
        }
    }

    /// Begins a round when it is time.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|until| until <= now) {
            self.round_began = now;
            self.forget(|held| held.expires_at <= now);
            self.enter(State::FindingRoute);
        }
    }

    /// The next task for the driver; each is given once.
    #[must_use]
    pub(super) fn poll_task(&mut self) -> Option<Task> {
        if self.is_told {
            return None;
        }
        let task = match self.state {
            State::Resting { .. } => return None,
            State::FindingRoute => Task::FindRoute,
            State::Mapping(attempt) => {
                let slot = self.slots.get(attempt.slot)?;
                let is_permanent = attempt.protocol == Protocol::Upnp && self.is_permanent;
                Task::Map(Request {
                    protocol: attempt.protocol,
                    transport: slot.transport,
                    internal: slot.internal,
                    external: attempt.external,
                    lease: (!is_permanent).then_some(self.config.lease),
                })
            }
            State::AskingAddress(protocol) => Task::AskAddress(protocol),
        };
        self.is_told = true;
        Some(task)
    }

    /// The driver has found the gateway; `None` if there is none.
    pub(super) fn handle_route(&mut self, now: Instant, route: Option<Route>) {
        if !matches!(self.state, State::FindingRoute) {
            return;
        }
        let Some(route) = route else {
            // Looking up the route costs the network nothing, so there is no reason to do it less often.
            self.failures = 0;
            return self.fail(now);
        };
        if self.route != Some(route) {
            // The mappings of another gateway are of no use here, and it is out of reach.
            self.forget(|_| true);
            self.route = Some(route);
        }
        self.untried = match self.protocol {
            Some(protocol) if self.is_holding() => vec![protocol],
            worked => {
                let mut protocols = self.config.protocols.clone();
                protocols.sort_by_key(|protocol| Some(*protocol) != worked);
                protocols
            }
        };
        self.next_protocol(now);
    }

    /// The outcome of a request for a mapping.
    pub(super) fn handle_mapped(&mut self, now: Instant, outcome: Result<Grant, Failure>) {
        let State::Mapping(attempt) = self.state else {
            return;
        };
        match outcome {
            Ok(grant) => self.grant(now, attempt, grant),
            Err(Failure::PermanentOnly) if !self.is_permanent => {
                self.is_permanent = true;
                self.enter(State::Mapping(attempt));
            }
            Err(Failure::Conflict) if attempt.other_ports < MAX_OTHER_PORTS => {
                let other = Attempt {
                    external: self.rng.u16(OTHER_PORTS),
                    other_ports: attempt.other_ports + 1,
                    ..attempt
                };
                self.enter(State::Mapping(other));
            }
            Err(Failure::Silent) if self.is_holding() => self.fail(now),
            Err(Failure::Silent) => self.next_protocol(now),
            Err(Failure::Refused | Failure::Conflict | Failure::PermanentOnly) => {
                if let Some(slot) = self.slots.get_mut(attempt.slot) {
                    slot.held = None;
                }
                self.next_slot(now, attempt);
            }
        }
    }

    /// The gateway's external address, if it told one.
    pub(super) fn handle_address(&mut self, now: Instant, address: Option<IpAddr>) {
        if matches!(self.state, State::AskingAddress(_)) {
            self.address = address.filter(|address| !address.is_unspecified());
            self.settle(now);
        }
    }

    /// A gateway has multicast a notice. Only that of our gateway counts, and only if it says something new.
    pub(super) fn handle_notice(&mut self, now: Instant, notice: Notice) {
        let State::Resting { until } = self.state else {
            return;
        };
        if self.route.map(|route| route.gateway) != Some(notice.from) {
            return;
        }
        let is_restarted = self
            .epoch
            .is_none_or(|epoch| epoch.is_restart(now, notice.epoch));
        let is_moved = notice
            .address
            .is_some_and(|address| self.address != Some(IpAddr::V4(address)));
        self.epoch = Some(Epoch::new(now, notice.epoch));
        if is_restarted || is_moved || !self.is_holding() {
            let spread = self.rng.u64(0..=millis(NOTICE_SPREAD));
            let soon = now + Duration::from_millis(spread);
            let soon = soon.max(self.round_began + BETWEEN_NOTICES);
            let until = until.min(soon);
            self.state = State::Resting { until };
        }
    }

    /// The mappings that stand, as far as is known.
    pub(super) fn status(&self) -> PortMapStatus {
        let port = |transport| {
            let slot = self.slots.iter().find(|slot| slot.transport == transport)?;
            Some(slot.held?.external)
        };
        let holding = self.protocol.filter(|_| self.is_holding());
        PortMapStatus {
            protocol: holding,
            address: self.address.filter(|_| holding.is_some()),
            tcp: port(Transport::Tcp),
            udp: port(Transport::Udp),
        }
    }

    /// The mappings to be removed when we leave.
    pub(super) fn mappings(&self) -> Vec<Mapping> {
        let held = self.slots.iter().filter_map(|slot| {
            Some(Mapping {
                protocol: self.protocol?,
                transport: slot.transport,
                internal: slot.internal,
                external: slot.held?.external,
            })
        });
        held.collect()
    }

    fn grant(&mut self, now: Instant, attempt: Attempt, grant: Grant) {
        let lease = grant.lease.unwrap_or(self.config.lease).min(LONGEST_LEASE);
        if grant.external == 0 || lease.is_zero() {
            return self.handle_mapped(now, Err(Failure::Refused));
        }
        let mut rest = lease / 2;
        if attempt.protocol == Protocol::Upnp {
            rest = rest.min(self.config.upnp_refresh);
        }
        if let Some(slot) = self.slots.get_mut(attempt.slot) {
            slot.held = Some(Held {
                external: grant.external,
                renew_at: now + rest.max(self.config.shortest_rest),
                expires_at: now + lease.max(self.config.shortest_rest),
            });
        }
        self.protocol = Some(attempt.protocol);
        self.epoch = grant.epoch.map(|epoch| Epoch::new(now, epoch));
        self.address = grant.address.or(self.address);
        self.next_slot(now, attempt);
    }

    fn next_protocol(&mut self, now: Instant) {
        if self.untried.is_empty() {
            return self.fail(now);
        }
        let protocol = self.untried.remove(0);
        self.ask_for(now, protocol, 0);
    }

    fn next_slot(&mut self, now: Instant, attempt: Attempt) {
        self.ask_for(now, attempt.protocol, attempt.slot + 1);
    }

    fn ask_for(&mut self, now: Instant, protocol: Protocol, slot: usize) {
        match self.slots.get(slot) {
            Some(wanted) => {
                let external = wanted.held.map_or(wanted.internal, |held| held.external);
                self.enter(State::Mapping(Attempt {
                    protocol,
                    slot,
                    external,
                    other_ports: 0,
                }));
            }
            None if !self.is_holding() => self.next_protocol(now),
            // Its answers to other requests name the address.
            None if protocol == Protocol::Pcp => self.settle(now),
            None => self.enter(State::AskingAddress(protocol)),
        }
    }

    fn settle(&mut self, now: Instant) {
        self.failures = 0;
        let renewals = self
            .slots
            .iter()
            .filter_map(|slot| Some(slot.held?.renew_at));
        let until = renewals.min().unwrap_or(now + self.config.first_rest);
        self.enter(State::Resting { until });
    }

    /// Rests after a failure, but no longer than the mappings last: when the first of them has expired, the next round
    /// is due.
    fn fail(&mut self, now: Instant) {
        let backoff = Backoff::new(self.config.first_rest, self.config.longest_rest);
        self.failures = self.failures.saturating_add(1);
        let mut until = now + backoff.after(self.failures);
        for held in self.slots.iter().filter_map(|slot| slot.held) {
            until = until.min(held.expires_at.max(now + self.config.shortest_rest));
        }
        self.enter(State::Resting { until });
    }

    fn forget(&mut self, is_lost: impl Fn(&Held) -> bool) {
        for slot in &mut self.slots {
            slot.held = slot.held.filter(|held| !is_lost(held));
        }
        if !self.is_holding() {
            self.address = None;
            self.epoch = None;
        }
    }

    fn is_holding(&self) -> bool {
        self.slots.iter().any(|slot| slot.held.is_some())
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.is_told = false;
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
