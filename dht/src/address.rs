//! What an address says about whoever is behind it.

use std::net::{IpAddr, SocketAddr};

pub(crate) use tailwater_types::address::{can_name, can_see, is_local, is_usable};

/// Leading bits of an IPv4 address that one owner of several addresses has in common in all of them.
const V4_NETWORK_BITS: u32 = 24;
/// The same of an IPv6 address: a single subscriber has 2^64 and more.
const V6_NETWORK_BITS: u32 = 64;

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
