//! The tasks and outcomes that the keeper and its driver exchange.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::{Protocol, Transport};

/// The configuration of a keeper: its lease, protocols and patience.
#[derive(Clone, Debug)]
pub(super) struct Config {
    /// The lease that is requested; a gateway may grant less.
    pub(super) lease: Duration,
    /// The protocols in the order in which they are tried, but for the one that worked last.
    pub(super) protocols: Vec<Protocol>,
    /// The first rest after a failure; it doubles each time (back-off).
    pub(super) first_rest: Duration,
    /// The longest rest.
    pub(super) longest_rest: Duration,
    /// The shortest rest, however short a lease is.
    pub(super) shortest_rest: Duration,
    /// A UPnP gateway does not announce its restart, so it is asked again this often.
    pub(super) upnp_refresh: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(3600),
            protocols: vec![Protocol::Pcp, Protocol::NatPmp, Protocol::Upnp],
            first_rest: Duration::from_secs(60),
            longest_rest: Duration::from_secs(3600),
            shortest_rest: Duration::from_secs(10),
            upnp_refresh: Duration::from_secs(600),
        }
    }
}

/// A task for the driver, which reports the outcome with the method named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// `Keeper::handle_route`.
    FindRoute,
    /// `Keeper::handle_mapped`.
    Map(Request),
    /// `Keeper::handle_address`.
    AskAddress(Protocol),
}

/// A request for one mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) protocol: Protocol,
    pub(super) transport: Transport,
    pub(super) internal: u16,
    /// The preferred external port; a gateway that speaks PCP or NAT-PMP may choose another.
    pub(super) external: u16,
    /// `None` for one without end.
    pub(super) lease: Option<Duration>,
}

/// A mapping that a gateway granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) external: u16,
    /// The gateway's external address, if the answer names it.
    pub(super) address: Option<IpAddr>,
    /// `None` for one without end.
    pub(super) lease: Option<Duration>,
    /// How many seconds the gateway has known its mappings, if the answer says.
    pub(super) epoch: Option<u32>,
}

/// Why a mapping was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No answer, or none that makes sense: the gateway does not speak the protocol.
    Silent,
    /// The gateway refused.
    Refused,
    /// The external port belongs to another client.
    Conflict,
    /// The gateway knows no leases, only mappings without end (UPnP error 725).
    PermanentOnly,
}

/// A mapping that a gateway holds for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) protocol: Protocol,
    pub(super) transport: Transport,
    pub(super) internal: u16,
    pub(super) external: u16,
}

/// A notice of a gateway: it has restarted, or its address has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) from: Ipv4Addr,
    pub(super) epoch: u32,
    pub(super) address: Option<Ipv4Addr>,
}
