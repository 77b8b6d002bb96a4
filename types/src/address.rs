//! Classifies IP addresses: scopes, groups of addresses that count as one subscriber, and which hosts can know which.

mod scope;
mod share;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv6Addr};

pub use scope::{Scope, can_name, can_see, is_local, is_public, is_unicast, is_usable};
pub use share::{AddressCounts, AddressShare};

use scope::embedded;

/// A group of addresses that counts as one subscriber: an IPv4 address, or a /64 of global IPv6 (RFC 6177).
///
/// The key for shares, limits and bans. A limit for each IPv6 address would limit nothing, as every subscriber has 2^64
/// of them. All hosts of one home are one group, in IPv4 by address translation, in IPv6 by the prefix that they share.
/// Other IPv6 addresses are a group each: all hosts of a link share `fe80::/64`. An address that embeds an IPv4 one
/// belongs to its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressGroup(IpAddr);

impl AddressGroup {
    /// The group of an address.
    #[must_use]
    pub const fn of(ip: IpAddr) -> Self {
        match embedded(ip) {
            ip @ IpAddr::V4(_) => Self(ip),
            IpAddr::V6(v6) if !matches!(Scope::of(ip), Scope::Global) => Self(IpAddr::V6(v6)),
            IpAddr::V6(ip) => {
                let network = ip.to_bits() & !(u64::MAX as u128);
                Self(IpAddr::V6(Ipv6Addr::from_bits(network)))
            }
        }
    }

    /// The first address of the group.
    #[must_use]
    pub const fn first(self) -> IpAddr {
        self.0
    }
}

impl From<IpAddr> for AddressGroup {
    fn from(ip: IpAddr) -> Self {
        Self::of(ip)
    }
}
