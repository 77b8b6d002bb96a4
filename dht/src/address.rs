//! What an address says about whoever is behind it.

use std::net::{IpAddr, SocketAddr};

pub(crate) use tailwater_types::address::{can_name, can_see, is_usable};

/// Leading bits of an IPv4 address that one owner of several addresses has in common in all of them.
const V4_NETWORK_BITS: u32 = 24;
/// The same of an IPv6 address: a single subscriber has 2^64 and more.
const V6_NETWORK_BITS: u32 = 64;

/// Whether the address is of a network whose hosts may have any id: BEP 42 lists IPv4 blocks, the IPv6 ones are their
/// counterparts. It is narrower than
/// [`Scope`](tailwater_types::address::Scope), as BEP 42 does not list 100.64.0.0/10.
pub(crate) fn is_local(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local() || ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback(),
    }
}

/// Whether both are of one /24 or /64.
pub(crate) fn same_network(one: IpAddr, other: IpAddr) -> bool {
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            (u32::from(one) ^ u32::from(other)).leading_zeros() >= V4_NETWORK_BITS
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => {
            (u128::from(one) ^ u128::from(other)).leading_zeros() >= V6_NETWORK_BITS
        }
        _ => false,
    }
}

/// An IPv4 address in IPv6 clothes, undressed.
pub(crate) fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}
