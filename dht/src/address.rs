//! Classifies IP addresses: local or public, of one network or of two.

use std::net::{IpAddr, SocketAddr};

pub(crate) use tailwater_types::address::{can_name, can_see, is_local, is_usable};

/// Length of the IPv4 prefix that counts as one network: addresses that share it are taken for one owner's.
const V4_NETWORK_BITS: u32 = 24;
/// Length of the IPv6 prefix that counts as one network: a single subscriber has 2^64 addresses and more.
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

/// Converts an IPv4-mapped IPv6 address to IPv4.
pub(crate) fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}
