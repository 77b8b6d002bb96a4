//! One host among the peers, as far as addresses tell, and its share of our connections.
//!
//! A port costs nothing, an address does: a host's share is counted by address, not by address and port. An IPv6 host
//! has a whole /64 to itself, so that is what counts there.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::ops::RangeInclusive;

use tailwater_types::address::AddressGroup;

use crate::torrent::membership::source::Scope;

/// The bits of an IPv6 address that a host does not choose itself (RFC 4291): it may have all of the rest.
const V6_NETWORK_BITS: u32 = 64;
/// The prefix that is given to one household, office or data centre at most: it has one vote in what concerns all (RFC
/// 6177 for IPv6).
const V4_SITE_BITS: u32 = 24;
const V6_SITE_BITS: u32 = 48;

/// The addresses that are taken for one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Host(AddressGroup);

impl Host {
    /// The host that has an address.
    #[must_use]
    pub const fn of(ip: IpAddr) -> Self {
        Self(AddressGroup::of(ip))
    }

    /// One of three values, by how far away the host is. An address on the internet is one host; on a local network,
    /// addresses are few and a router may hide several hosts; a loopback address may be all of a swarm.
    pub fn by_scope<T>(self, global: T, local: T, loopback: T) -> T {
        match Scope::of(self.0.first()) {
            Scope::Global => global,
            Scope::Shared | Scope::Local | Scope::LinkLocal => local,
            Scope::Loopback => loopback,
        }
    }

    /// Every address and port of it.
    pub(crate) fn addrs(self) -> RangeInclusive<SocketAddr> {
        let first = self.0.first();
        let last = match first {
            IpAddr::V6(ip) if Scope::of(first) == Scope::Global => IpAddr::V6(Ipv6Addr::from_bits(
                ip.to_bits() | (u128::MAX >> V6_NETWORK_BITS),
            )),
            ip => ip,
        };
        let last = match last {
            // An address on a link has a scope besides, which comes last in the order.
            IpAddr::V6(ip) => SocketAddrV6::new(ip, u16::MAX, u32::MAX, u32::MAX).into(),
            IpAddr::V4(_) => SocketAddr::new(last, u16::MAX),
        };
        SocketAddr::new(first, 0)..=last
    }
}

/// The site that an address belongs to: /24 of IPv4, /48 of IPv6. Of those, one person cannot easily have many.
pub(crate) fn site(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let mask = u32::MAX << (u32::BITS - V4_SITE_BITS);
            IpAddr::V4((ip.to_bits() & mask).into())
        }
        IpAddr::V6(ip) => IpAddr::V6(v6_prefix(ip, V6_SITE_BITS)),
    }
}

const fn v6_prefix(ip: Ipv6Addr, bits: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << (u128::BITS - bits)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_host_is_its_network_and_any_other_its_address() {
        let host = |ip: &str| Host::of(ip.parse().unwrap());
        for (a, b, same) in [
            ("9.9.9.9", "::ffff:9.9.9.9", true),
            ("9.9.9.9", "9.9.9.8", false),
            ("2001:db8::1", "2001:db8::ffff:1", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
            ("::1", "::2", false),
            ("::1", "127.0.0.1", false),
            ("fe80::1", "fe80::2", false),
            ("fd00::1", "fd00::2", false),
        ] {
            assert_eq!(host(a) == host(b), same, "{a} and {b}");
        }
    }

    #[test]
    fn all_addresses_of_a_host_are_in_its_range() {
        for (host, of_it, not) in [
            ("9.9.9.9", "9.9.9.9:65535", "9.9.9.10:0"),
            (
                "2001:db8::1",
                "[2001:db8::ffff:1]:65535",
                "[2001:db8:0:1::1]:1",
            ),
            ("2001:db8::1", "[2001:db8::]:0", "[2001:db7:ffff::1]:1"),
            ("::1", "[::1]:5", "[::2]:5"),
        ] {
            let addrs = Host::of(host.parse().unwrap()).addrs();
            assert!(addrs.contains(&of_it.parse().unwrap()), "{of_it}");
            assert!(!addrs.contains(&not.parse().unwrap()), "{not}");
        }
    }

    #[test]
    fn a_site_is_more_than_a_host() {
        let at = |ip: &str| site(ip.parse().unwrap());
        assert_eq!(at("9.9.9.1"), at("::ffff:9.9.9.200"));
        assert_ne!(at("9.9.9.1"), at("9.9.8.1"));
        assert_eq!(at("2001:db8:1:1::1"), at("2001:db8:1:2::2"));
        assert_ne!(at("2001:db8:1::1"), at("2001:db8:2::1"));
    }
}
