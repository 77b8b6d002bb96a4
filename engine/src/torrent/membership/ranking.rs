//! Ranking: the canonical peer priority, which both ends of a connection compute alike (BEP 40).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// How many bytes of an address always count in whole.
const V4_WHOLE: usize = 2;
const V6_WHOLE: usize = 6;
/// The mask of the bytes behind them.
const LOOSE_MASK: u8 = 0x55;

/// The priority that two peers give each other, the same on both sides; `None` between address families. The higher,
/// the better.
fn canonical_priority(ours: SocketAddr, theirs: SocketAddr) -> Option<u32> {
    match (ours.ip().to_canonical(), theirs.ip().to_canonical()) {
        (a, b) if a == b => {
            let mut ports = [ours.port(), theirs.port()];
            ports.sort_unstable();
            Some(crc32c::crc32c(&ports.map(u16::to_be_bytes).concat()))
        }
        (IpAddr::V4(a), IpAddr::V4(b)) => Some(masked_sum(a.octets(), b.octets(), V4_WHOLE)),
        (IpAddr::V6(a), IpAddr::V6(b)) => Some(masked_sum(a.octets(), b.octets(), V6_WHOLE)),
        _ => None,
    }
}

/// One byte more than two addresses have in common counts in whole, and `least` in any case: in pairs of one network the
/// rest makes the difference.
fn masked_sum<const N: usize>(a: [u8; N], b: [u8; N], least: usize) -> u32 {
    let shared = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let whole = least.max(shared + 1);
    let mask = |mut addr: [u8; N]| {
        for byte in addr.iter_mut().skip(whole) {
            *byte &= LOOSE_MASK;
        }
        addr
    };
    let mut pair = [mask(a), mask(b)];
    pair.sort_unstable();
    crc32c::crc32c(pair.as_flattened())
}

/// How one torrent ranks its peers: by our external addresses, or where none is known, by an order of its own that
/// comes from the seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranking {
    pub(crate) v4: Option<Ipv4Addr>,
    pub(crate) v6: Option<Ipv6Addr>,
    /// Our listening port.
    pub(crate) port: u16,
    pub(crate) seed: u64,
}

impl Ranking {
    /// The higher, the better.
    pub(crate) fn priority(&self, peer: SocketAddr) -> u32 {
        let ours = match peer.ip().to_canonical() {
            IpAddr::V4(_) => self.v4.map(IpAddr::V4),
            IpAddr::V6(_) => self.v6.map(IpAddr::V6),
        };
        ours.map(|ip| SocketAddr::new(ip, self.port))
            .and_then(|ours| canonical_priority(ours, peer))
            .unwrap_or_else(|| self.without_own(peer))
    }

    fn without_own(&self, peer: SocketAddr) -> u32 {
        let mut sum = crc32c::crc32c(&self.seed.to_be_bytes());
        sum = match peer.ip() {
            IpAddr::V4(ip) => crc32c::crc32c_append(sum, &ip.octets()),
            IpAddr::V6(ip) => crc32c::crc32c_append(sum, &ip.octets()),
        };
        crc32c::crc32c_append(sum, &peer.port().to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ip: &str) -> SocketAddr {
        SocketAddr::new(ip.parse().unwrap(), 6881)
    }

    #[test]
    fn the_vectors_of_bep_40_hold() {
        for (theirs, expected) in [
            ("98.76.54.32", 0xec2d_7224),
            ("123.213.32.234", 0x9956_8189),
        ] {
            let ours = at("123.213.32.10");
            assert_eq!(canonical_priority(ours, at(theirs)), Some(expected));
            assert_eq!(canonical_priority(at(theirs), ours), Some(expected));
        }
    }

    #[test]
    fn what_counts_of_an_address_depends_on_how_close_it_is() {
        for (ours, theirs, counted) in [
            ("1.2.3.4", "5.6.255.255", ["1.2.1.4", "5.6.85.85"]),
            ("1.2.3.4", "1.2.255.255", ["1.2.3.4", "1.2.255.85"]),
            ("1.2.3.4", "1.2.3.255", ["1.2.3.4", "1.2.3.255"]),
            (
                "2001:db8:1:203:405::1",
                "2001:db9:1:ffff:ffff::ff",
                ["2001:db8:1:1:405::1", "2001:db9:1:5555:5555::55"],
            ),
            (
                "2001:db8:1:203:405::1",
                "2001:db8:1:ffff:ffff::ff",
                ["2001:db8:1:201:405::1", "2001:db8:1:ff55:5555::55"],
            ),
            (
                "2001:db8:1:203:405::1",
                "2001:db8:1:2ff:ffff::ff",
                ["2001:db8:1:203:405::1", "2001:db8:1:2ff:5555::55"],
            ),
        ] {
            let bytes = counted.map(|ip| match at(ip).ip() {
                IpAddr::V4(ip) => ip.octets().to_vec(),
                IpAddr::V6(ip) => ip.octets().to_vec(),
            });
            let expected = crc32c::crc32c(&bytes.concat());
            for (a, b) in [(ours, theirs), (theirs, ours)] {
                let found = canonical_priority(at(a), at(b));
                assert_eq!(found, Some(expected), "{a} and {b}");
            }
        }
    }

    #[test]
    fn behind_one_address_ports_count() {
        let (a, b) = (
            SocketAddr::from(([1, 2, 3, 4], 0x1234)),
            SocketAddr::from(([1, 2, 3, 4], 0x0102)),
        );
        let expected = crc32c::crc32c(&[0x01, 0x02, 0x12, 0x34]);
        assert_eq!(canonical_priority(a, b), Some(expected));
        assert_eq!(canonical_priority(a, at("::1")), None);
    }

    #[test]
    fn without_an_address_of_ours_the_seed_gives_the_order() {
        let ranking = |seed| Ranking {
            seed,
            ..Ranking::default()
        };
        let order = |ranking: Ranking| {
            let mut peers: Vec<u8> = (0..50).collect();
            peers.sort_by_key(|n| ranking.priority(SocketAddr::from(([10, 0, 0, *n], 1))));
            peers
        };
        assert_eq!(order(ranking(1)), order(ranking(1)));
        assert_ne!(order(ranking(1)), order(ranking(2)));
    }

    proptest! {
        #[test]
        fn both_sides_agree(a: SocketAddr, b: SocketAddr) {
            prop_assert_eq!(canonical_priority(a, b), canonical_priority(b, a));
        }
    }
}
