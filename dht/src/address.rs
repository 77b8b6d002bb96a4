//! What an address says about whoever is behind it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Leading bits of an IPv4 address that one owner of several addresses has in common in all of them.
const V4_NETWORK_BITS: u32 = 24;
/// The same of an IPv6 address: a single subscriber has 2^64 and more.
const V6_NETWORK_BITS: u32 = 64;

/// Whether the address is of a local network: anybody there may have any address, and any id. BEP 42 lists IPv4 blocks; the
/// IPv6 ones are their counterparts.
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

/// Whether a datagram can be sent there, and comes from there, at all.
pub(crate) fn is_usable(addr: SocketAddr) -> bool {
    let ip = addr.ip();
    let is_impossible = ip.is_unspecified() || ip.is_multicast() || ip == Ipv4Addr::BROADCAST;
    addr.port() != 0 && !is_impossible
}

/// Whether a node at `from` may send us to `named`. A public one that names an address of a local network means a host next
/// to us, which it cannot know and we should not disturb; one of a local network may know anybody, its neighbours included.
pub(crate) fn may_name(from: IpAddr, named: SocketAddr) -> bool {
    let named_is_loopback = named.ip().to_canonical().is_loopback();
    is_usable(named)
        && (!is_local(named.ip()) || is_local(from))
        && (!named_is_loopback || from.to_canonical().is_loopback())
}

/// An IPv4 address in IPv6 clothes, undressed.
pub(crate) fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}
