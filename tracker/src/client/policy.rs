//! Which addresses a tracker may be at.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

type Rule = dyn Fn(IpAddr, &[IpAddr]) -> bool + Send + Sync;

/// Which addresses the client may talk to. Asked for every address after its name was resolved,
/// and again at each redirect.
///
/// A tracker's URL comes from a torrent, that is from a stranger, and so does the target of its
/// redirect: without a rule, either could make this client send requests to services that only
/// the local network reaches. The default is
/// [`no_private_redirects`](Self::no_private_redirects).
#[derive(Clone)]
pub struct AddressPolicy(Arc<Rule>);

impl AddressPolicy {
    /// Any address in a URL, but who was redirected by a public address stays among public ones.
    ///
    /// Trackers on loopback and in private networks work: users write them.
    #[must_use]
    pub fn no_private_redirects() -> Self {
        Self::custom(|address, via| {
            is_public_address(address) || !via.iter().copied().any(is_public_address)
        })
    }

    /// Public addresses only.
    #[must_use]
    pub fn public_only() -> Self {
        Self::custom(|address, _| is_public_address(address))
    }

    /// No restriction.
    #[must_use]
    pub fn any() -> Self {
        Self::custom(|_, _| true)
    }

    /// A rule of the caller's: given an address, and the addresses that redirected to it, oldest
    /// first (none for the address of the tracker's own URL), whether it is allowed.
    #[must_use]
    pub fn custom(rule: impl Fn(IpAddr, &[IpAddr]) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(rule))
    }

    /// Whether `address` is allowed after redirects by `via`.
    #[must_use]
    pub fn allows(&self, address: IpAddr, via: &[IpAddr]) -> bool {
        (self.0)(address.to_canonical(), via)
    }
}

impl Default for AddressPolicy {
    fn default() -> Self {
        Self::no_private_redirects()
    }
}

impl fmt::Debug for AddressPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressPolicy")
    }
}

/// Whether an address is one of the public internet, by the registries of special-purpose
/// addresses (RFC 6890). Addresses that embed an IPv4 one (mapped, NAT64, 6to4) count as it.
#[must_use]
pub fn is_public_address(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => match embedded_v4(v6) {
            Some(v4) => is_public_v4(v4),
            None => is_public_v6(v6),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && b & 0xc0 == 64;
    let protocol_assignments = (a, b, c) == (192, 0, 0);
    let benchmarking = a == 198 && b & 0xfe == 18;
    let reserved = a == 0 || a >= 240;
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || shared
        || protocol_assignments
        || benchmarking
        || reserved)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // Everything that is globally routed lies in 2000::/3; documentation (2001:db8::/32,
    // 3fff::/20) and protocol assignments (2001::/23) lie there too.
    let unicast = first & 0xe000 == 0x2000;
    let documentation = (first, second) == (0x2001, 0xdb8) || (first == 0x3fff && second < 0x1000);
    let protocol_assignments = first == 0x2001 && second < 0x200;
    unicast && !documentation && !protocol_assignments
}

fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let octets = address.octets();
    let four =
        |at: usize| Ipv4Addr::new(octets[at], octets[at + 1], octets[at + 2], octets[at + 3]);
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, _, _] => Some(four(12)),
        [0x2002, ..] => Some(four(2)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_purpose_addresses_are_not_public() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2001::1",
            "2001:db8::1",
            "2002:c0a8:101::1",
            "3fff::1",
            "fc00::1",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(!is_public_address(text.parse().unwrap()), "{text}");
        }
        for text in [
            "1.1.1.1",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2002:808:808::1",
        ] {
            assert!(is_public_address(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn the_default_guards_redirects_only() {
        let policy = AddressPolicy::default();
        let [public, private, loopback] =
            ["1.1.1.1", "192.168.0.1", "127.0.0.1"].map(|ip| ip.parse().unwrap());
        assert!(policy.allows(private, &[]));
        assert!(policy.allows(loopback, &[private]));
        assert!(policy.allows(public, &[private]));
        assert!(!policy.allows(loopback, &[public]));
        assert!(!policy.allows(private, &[loopback, public, private]));
        assert!(!AddressPolicy::public_only().allows(private, &[]));
        assert!(AddressPolicy::any().allows(private, &[public]));
    }
}
