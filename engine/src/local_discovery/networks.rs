//! The networks of this machine, and which senders are in them.

use std::net::{IpAddr, SocketAddr};

use tailwater_types::address::is_local;

/// A network that one of the machine's interfaces is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    /// The machine's address in it.
    pub addr: IpAddr,
    /// How many leading bits all its addresses share. 0 where that is not known: then only `addr` is of it.
    pub prefix: u8,
}

impl Network {
    pub(super) fn contains(self, addr: IpAddr) -> bool {
        match (self.addr, addr) {
            _ if self.prefix == 0 => self.addr == addr,
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shared = (own.to_bits() ^ other.to_bits()).leading_zeros();
                shared >= u32::from(self.prefix.min(32))
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shared = (own.to_bits() ^ other.to_bits()).leading_zeros();
                shared >= u32::from(self.prefix.min(128))
            }
            _ => false,
        }
    }
}

/// Whether an announce from this address is believed. Multicast reaches neighbours; a sender elsewhere has sent to us
/// alone, and may want us to connect to any address.
pub(super) fn is_near(from: SocketAddr, own: &[Network]) -> bool {
    let ip = from.ip().to_canonical();
    is_local(ip) || own.iter().any(|network| network.contains(ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_near_and_strangers_are_not() {
        let network = |addr: &str, prefix| Network {
            addr: addr.parse().unwrap(),
            prefix,
        };
        let own = [
            network("203.0.113.9", 28),
            network("198.51.100.1", 0),
            network("2001:db8:1:2::9", 64),
        ];
        for (from, expected) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("172.31.0.1", true),
            ("172.32.0.1", false),
            ("192.168.0.7", true),
            ("169.254.3.4", true),
            ("::ffff:192.168.0.7", true),
            ("8.8.8.8", false),
            // A carrier's other customers.
            ("100.64.0.1", false),
            ("203.0.113.14", true),
            ("203.0.113.16", false),
            ("198.51.100.1", true),
            ("198.51.100.2", false),
            ("0.0.0.0", false),
            ("239.192.152.143", false),
            ("::1", true),
            ("fe80::1", true),
            ("fd12::1", true),
            ("2001:db8:1:2:3::1", true),
            ("2001:db8:1:3::1", false),
            ("::ffff:8.8.8.8", false),
            ("ff15::efc0:988f", false),
        ] {
            let addr = SocketAddr::new(from.parse().unwrap(), 6771);
            assert_eq!(is_near(addr, &own), expected, "{from}");
        }
    }
}
