//! Where peers' addresses come from, and which of them can be meant.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where a peer's address came from, the most trusted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Source {
    /// Named by the user; tried for ever.
    User,
    /// Named by the magnet link (`x.pe`); tried for ever.
    Magnet,
    /// A peer of the local network named itself (BEP 14).
    Local,
    /// A tracker.
    Tracker,
    /// It connected to us and said on which port it listens.
    Incoming,
    /// A node of the DHT named it (BEP 5).
    Dht,
    /// A peer named it (BEP 11).
    Exchange,
    /// A relay told us to connect to it there and then (BEP 55); tried once.
    Holepunch,
}

impl Source {
    /// Whether a private torrent may connect to what comes from there (BEP 27): its tracker is the only stranger that
    /// may name peers. Whoever calls is taken in, because the tracker told it of us, but is not called back.
    #[must_use]
    pub const fn allowed_in_private(self) -> bool {
        match self {
            Self::User | Self::Tracker => true,
            Self::Magnet
            | Self::Local
            | Self::Incoming
            | Self::Dht
            | Self::Exchange
            | Self::Holepunch => false,
        }
    }

    /// Whether somebody chose the address by hand.
    pub(super) const fn is_named(self) -> bool {
        matches!(self, Self::User | Self::Magnet)
    }

    /// Whether the address is worth another try when it has failed.
    pub(super) const fn is_retried(self) -> bool {
        !matches!(self, Self::Holepunch)
    }
}

/// Whether an address can be a peer's at all.
pub(super) fn is_usable(addr: SocketAddr) -> bool {
    let ip = addr.ip().to_canonical();
    let is_reserved = match ip {
        // "This network", and what has no use yet, with the broadcast address (RFC 6890).
        IpAddr::V4(ip) => matches!(ip.octets()[0], 0 | 240..),
        IpAddr::V6(_) => false,
    };
    addr.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !is_reserved
}

/// From how far an address can be reached, the farthest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    Global,
    /// A private network, or one link.
    Local,
    Loopback,
}

impl Scope {
    pub(super) fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            ip if ip.is_loopback() => Self::Loopback,
            IpAddr::V4(ip) if ip.is_private() || ip.is_link_local() || is_shared(ip) => Self::Local,
            IpAddr::V6(ip) if is_local(ip) => Self::Local,
            _ => Self::Global,
        }
    }
}

/// Whether somebody at `namer` can know the peer at `addr`. Who is far away and names an address of our own network would
/// have us knock at doors that it cannot see.
pub(super) fn can_name(namer: IpAddr, addr: SocketAddr) -> bool {
    is_usable(addr) && Scope::of(addr.ip()) <= Scope::of(namer)
}

/// 100.64.0.0/10, behind a provider's address translation (RFC 6598).
const fn is_shared(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    a == 100 && b & 0xc0 == 64
}

const fn is_local(ip: Ipv6Addr) -> bool {
    ip.is_unique_local() || ip.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_named_only_by_who_can_see_it() {
        let addr = |ip: &str| SocketAddr::new(ip.parse().unwrap(), 6881);
        for (namer, named, can) in [
            ("8.8.8.8", "9.9.9.9", true),
            ("8.8.8.8", "10.0.0.1", false),
            ("8.8.8.8", "100.64.0.1", false),
            ("8.8.8.8", "100.128.0.1", true),
            ("8.8.8.8", "127.0.0.1", false),
            ("8.8.8.8", "::ffff:192.168.0.1", false),
            ("8.8.8.8", "fe80::1", false),
            ("8.8.8.8", "fd00::1", false),
            ("8.8.8.8", "2001:db8::1", true),
            ("192.168.0.1", "10.0.0.1", true),
            ("192.168.0.1", "9.9.9.9", true),
            ("192.168.0.1", "127.0.0.1", false),
            ("127.0.0.1", "127.0.0.2", true),
            ("::1", "192.168.0.1", true),
            ("127.0.0.1", "0.0.0.0", false),
            ("127.0.0.1", "255.255.255.255", false),
            ("127.0.0.1", "ff02::1", false),
        ] {
            let namer = namer.parse().unwrap();
            assert_eq!(can_name(namer, addr(named)), can, "{namer} names {named}");
        }
        assert!(!is_usable(SocketAddr::from(([9, 9, 9, 9], 0))));
    }
}
