//! What the keeper and the driver say to each other.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::{Protocol, Transport};

/// What a keeper wants, and how patient it is.
#[derive(Clone, Debug)]
pub(super) struct Config {
    /// Asked for; a gateway may grant less.
    pub(super) lease: Duration,
    /// Tried in this order, but for the one that worked last.
    pub(super) protocols: Vec<Protocol>,
    /// After a failure, doubled each time.
    pub(super) first_rest: Duration,
    /// Never longer than this.
    pub(super) longest_rest: Duration,
    /// Never shorter than this, however short a lease is.
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

/// What the driver is to do next; it tells the outcome with the method named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// `Keeper::handle_route`.
    FindRoute,
    /// `Keeper::handle_mapped`.
    Map(Request),
    /// `Keeper::handle_address`.
    AskAddress(Protocol),
}

/// One mapping to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) protocol: Protocol,
    pub(super) transport: Transport,
    pub(super) internal: u16,
    /// The port that would be best; a gateway that speaks PCP or NAT-PMP may choose another.
    pub(super) external: u16,
    /// `None` for one without end.
    pub(super) lease: Option<Duration>,
}

/// What a gateway gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) external: u16,
    /// The gateway's outer address, if the answer names it.
    pub(super) address: Option<IpAddr>,
    /// `None` for one without end.
    pub(super) lease: Option<Duration>,
    /// How many seconds the gateway has known its mappings, if the answer says.
    pub(super) epoch: Option<u32>,
}

/// Why there is no mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No answer, or none that makes sense: the protocol is not spoken there.
    Silent,
    /// The gateway says no.
    Refused,
    /// The outer port belongs to another client.
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

/// A gateway says to all that it has restarted, or that its address has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) from: Ipv4Addr,
    pub(super) epoch: u32,
    pub(super) address: Option<Ipv4Addr>,
}
