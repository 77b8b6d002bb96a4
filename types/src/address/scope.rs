//! The scope of an address: the only module that lists the special ranges.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// From how far an address can be reached, the farthest first.
///
/// A later scope sees the earlier ones: a host of a private network can name one of the internet, and not the other way
/// round ([`can_see`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The internet.
    Global,
    /// The shared address space, 100.64.0.0/10, between a carrier's address translation (CGNAT) and its customers' routers
    /// (RFC 6598). It is not globally reachable, but a peer there may be ours, behind the same carrier; some private
    /// overlay networks take their addresses from it, too. It is not our own network: its hosts cannot know those of ours,
    /// and reach us by the port that our router maps.
    Shared,
    /// A private network: RFC 1918, IPv6 unique local (RFC 4193) and site-local addresses.
    Local,
    /// One link: 169.254.0.0/16 (RFC 3927), where clouds keep the secrets of their machines, and `fe80::/10`.
    LinkLocal,
    /// This host.
    Loopback,
}

impl Scope {
    /// The scope of an address. One that embeds an IPv4 address has its scope.
    #[must_use]
    pub const fn of(ip: IpAddr) -> Self {
        match embedded(ip) {
            IpAddr::V4(ip) if ip.is_loopback() => Self::Loopback,
            IpAddr::V4(ip) if ip.is_link_local() => Self::LinkLocal,
            IpAddr::V4(ip) if ip.is_private() => Self::Local,
            IpAddr::V4(ip) if is_shared(ip) => Self::Shared,
            IpAddr::V6(ip) if ip.is_loopback() => Self::Loopback,
            IpAddr::V6(ip) if ip.is_unicast_link_local() => Self::LinkLocal,
            IpAddr::V6(ip) if ip.is_unique_local() || is_site_local(ip) => Self::Local,
            IpAddr::V4(_) | IpAddr::V6(_) => Self::Global,
        }
    }
}

/// Whether an address is of this host, its links or its private networks: [`Scope::Local`] and nearer.
///
/// The shared address space is not: the carrier's other customers are there, on the far side of our router. BEP 42, which
/// lets nodes of local networks have any id, does not list it either.
#[must_use]
pub const fn is_local(ip: IpAddr) -> bool {
    matches!(
        Scope::of(ip),
        Scope::Local | Scope::LinkLocal | Scope::Loopback
    )
}

/// Whether a host can listen there at all.
///
/// That is not so for port 0, "this network" (0.0.0.0/8), multicast and reserved addresses (224.0.0.0/3 with the broadcast
/// address in it), and the unspecified and multicast addresses of IPv6.
#[must_use]
pub const fn is_usable(addr: SocketAddr) -> bool {
    addr.port() != 0 && is_unicast(addr.ip())
}

/// Whether an address can belong to one host: [`is_usable`] without a port.
#[must_use]
pub const fn is_unicast(ip: IpAddr) -> bool {
    match embedded(ip) {
        IpAddr::V4(ip) => {
            let [first, ..] = ip.octets();
            first != 0 && first < 224
        }
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
    }
}

/// Whether a host at `namer` can know a host at `addr`.
///
/// A host that is far away and names an address of our own network, link or machine would make us connect to hosts that
/// it cannot reach itself.
#[must_use]
pub fn can_name(namer: IpAddr, addr: SocketAddr) -> bool {
    is_usable(addr) && can_see(namer, addr.ip())
}

/// Whether a host at `from` can know the address `ip`: [`can_name`] without a port.
#[must_use]
pub fn can_see(from: IpAddr, ip: IpAddr) -> bool {
    is_unicast(ip) && Scope::of(ip) <= Scope::of(from)
}

/// Whether an address is one of the public internet, by the registries of special-purpose addresses (RFC 6890). One that
/// embeds an IPv4 address counts as it.
///
/// This is stricter than [`Scope::Global`], which has the ranges for documentation and benchmarks in it: no host is
/// there, unless a network uses them against the rules.
#[must_use]
pub const fn is_public(ip: IpAddr) -> bool {
    match embedded(ip) {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

/// The IPv4 address that an IPv6 one stands for, or the address itself.
pub(super) const fn embedded(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else {
        return ip;
    };
    match v6.segments() {
        // The unspecified and the loopback address are not embedded ones.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => ip,
        // Mapped; IPv4-compatible (RFC 4291); translated (RFC 6052).
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            v4(high, low)
        }
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => v4(high, low),
        _ => ip,
    }
}

const fn v4(high: u16, low: u16) -> IpAddr {
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

/// 100.64.0.0/10 (RFC 6598).
const fn is_shared(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    a == 100 && b & 0xc0 == 64
}

/// `fec0::/10`, out of use since RFC 3879, but never a global address.
const fn is_site_local(ip: Ipv6Addr) -> bool {
    let [first, ..] = ip.segments();
    first & 0xffc0 == 0xfec0
}

const fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let protocol_assignments = a == 192 && b == 0 && c == 0;
    let benchmarking = a == 198 && b & 0xfe == 18;
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || is_shared(ip)
        || protocol_assignments
        || benchmarking
        || !is_unicast(IpAddr::V4(ip)))
}

const fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.segments();
    // Everything that is globally routed lies in 2000::/3; documentation (2001:db8::/32, 3fff::/20) and protocol assignments
    // (2001::/23) lie there too.
    let unicast = first & 0xe000 == 0x2000;
    let documentation =
        (first == 0x2001 && second == 0xdb8) || (first == 0x3fff && second < 0x1000);
    let protocol_assignments = first == 0x2001 && second < 0x200;
    unicast && !documentation && !protocol_assignments
}
