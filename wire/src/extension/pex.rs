//! `ut_pex`: peer exchange (BEP 11).

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use bitflags::bitflags;
use tailwater_bencode::{Dict, Item};

use super::ExtensionError;
use super::bencoded::{dictionary, document, root};
use crate::limits::MAX_PEX_PEERS;

const MESSAGE: &str = "ut_pex";

bitflags! {
    /// The flags of a peer in peer exchange (BEP 11). Bits without a name here are kept as they came.
    #[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
    pub struct PexFlags: u8 {
        /// Prefers encrypted connections.
        const PREFERS_ENCRYPTION = 0x01;
        /// Wants nothing.
        const UPLOAD_ONLY = 0x02;
        /// Speaks uTP.
        const UTP = 0x04;
        /// Speaks `ut_holepunch`.
        const HOLEPUNCH = 0x08;
        /// Can be reached: the sender connected to it.
        const REACHABLE = 0x10;
        // The others may get a meaning: none is dropped.
        const _ = !0;
    }
}

impl PexFlags {
    /// Nothing is known.
    pub const NONE: Self = Self::empty();
}

impl fmt::Debug for PexFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PexFlags({:#04x})", self.bits())
    }
}

/// A peer that was added.
// Not `#[non_exhaustive]`: BEP 11 tells an address and a byte of flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PexPeer {
    /// Where it listens.
    pub addr: SocketAddr,
    /// What the sender knows about it.
    pub flags: PexFlags,
}

/// Which connections the sender made and lost since its last message. None of it is verified.
///
/// Decoded lists have at most [`MAX_PEX_PEERS`] entries for each address family, IPv4 first, none with port 0; they may
/// name a peer twice, or add and drop it. In a message to send, keep to
/// [`MAX_SENT_PEX_PEERS`](crate::limits::MAX_SENT_PEX_PEERS) in each list.
// Not `#[non_exhaustive]`: it is made by struct literals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PexMessage {
    /// New connections.
    pub added: Vec<PexPeer>,
    /// Lost connections.
    pub dropped: Vec<SocketAddr>,
}

impl PexMessage {
    /// The payload to send. Addresses are sorted by family, otherwise the order is kept.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let flags = |v4| -> Vec<u8> {
            let peers = self.added.iter().filter(|peer| peer.addr.is_ipv4() == v4);
            peers.map(|peer| peer.flags.bits()).collect()
        };
        let added = || self.added.iter().map(|peer| peer.addr);
        let dropped = || self.dropped.iter().copied();
        dictionary(
            [
                ("added", compact(added(), true)),
                ("added.f", flags(true)),
                ("added6", compact(added(), false)),
                ("added6.f", flags(false)),
                ("dropped", compact(dropped(), true)),
                ("dropped6", compact(dropped(), false)),
            ]
            .map(|(key, bytes)| (key, (!bytes.is_empty()).then(|| Item::from(bytes)))),
        )
    }

    /// Reads a payload. An absent list is an empty one, absent flags are none, and a broken address at the end of a
    /// list is ignored.
    ///
    /// # Errors
    ///
    /// When the payload is no bencoded dictionary.
    pub fn decode(payload: &[u8]) -> Result<Self, ExtensionError> {
        let (document, _) = document(MESSAGE, payload)?;
        let dict = root(MESSAGE, &document)?;
        let mut message = Self::default();
        for (v4, added, flags, dropped) in [
            (true, "added", "added.f", "dropped"),
            (false, "added6", "added6.f", "dropped6"),
        ] {
            let flags = dict.get_bytes(flags).unwrap_or_default();
            let added = addresses(dict, added, v4).map(|(position, addr)| {
                let bits = flags.get(position).copied().unwrap_or_default();
                let flags = PexFlags::from_bits_retain(bits);
                PexPeer { addr, flags }
            });
            message.added.extend(added);
            let dropped = addresses(dict, dropped, v4).map(|(_, addr)| addr);
            message.dropped.extend(dropped);
        }
        Ok(message)
    }
}

/// Addresses of one family in the compact form of BEP 23 and BEP 7.
fn compact(addrs: impl Iterator<Item = SocketAddr>, v4: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for addr in addrs.filter(|addr| addr.is_ipv4() == v4) {
        match addr {
            SocketAddr::V4(addr) => bytes.extend_from_slice(&addr.ip().octets()),
            SocketAddr::V6(addr) => bytes.extend_from_slice(&addr.ip().octets()),
        }
        bytes.extend_from_slice(&addr.port().to_be_bytes());
    }
    bytes
}

/// The usable addresses of a list, each with its position in it.
fn addresses<'a>(
    dict: Dict<'_, 'a>,
    key: &str,
    v4: bool,
) -> impl Iterator<Item = (usize, SocketAddr)> + use<'a> {
    let bytes = dict.get_bytes(key).unwrap_or_default();
    bytes
        .chunks_exact(if v4 { 6 } else { 18 })
        .take(MAX_PEX_PEERS)
        .map(address)
        .enumerate()
        .filter_map(|(position, addr)| Some((position, addr?)))
}

fn address(bytes: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = bytes.split_last_chunk::<2>()?;
    let port = u16::from_be_bytes(*port);
    let v4 = || <[u8; 4]>::try_from(ip).ok().map(Ipv4Addr::from);
    let v6 = || <[u8; 16]>::try_from(ip).ok().map(Ipv6Addr::from);
    let addr = v4()
        .map(|ip| SocketAddr::from((ip, port)))
        .or_else(|| v6().map(|ip| SocketAddr::from((ip, port))))?;
    (port != 0).then_some(addr)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_layout_is_that_of_bep_11() {
        let message = PexMessage {
            added: vec![
                PexPeer {
                    addr: "[2001:db8::1]:6881".parse().unwrap(),
                    flags: PexFlags::NONE,
                },
                PexPeer {
                    addr: "1.2.3.4:258".parse().unwrap(),
                    flags: PexFlags::UTP | PexFlags::REACHABLE,
                },
            ],
            dropped: vec!["5.6.7.8:9".parse().unwrap()],
        };
        let mut expected = b"d5:added6:\x01\x02\x03\x04\x01\x027:added.f1:\x14".to_vec();
        expected
            .extend_from_slice(b"6:added618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe1");
        expected.extend_from_slice(b"8:added6.f1:\0");
        expected.extend_from_slice(b"7:dropped6:\x05\x06\x07\x08\0\x09e");
        assert_eq!(message.encode(), expected);
    }

    #[test]
    fn what_cannot_be_used_is_left_out() {
        for (payload, added, dropped) in [
            (&b"de"[..], 0, 0),
            (b"d5:addedi1ee", 0, 0),
            (b"d5:added5:aaaaae", 0, 0),
            (b"d5:added7:aaaabbae", 1, 0),
            (b"d5:added6:aaaa\x00\x007:dropped12:aaaabbccccdde", 0, 2),
            (
                b"d6:added618:aaaaaaaaaaaaaaaabb8:dropped617:aaaaaaaaaaaaaaaabe",
                1,
                0,
            ),
        ] {
            let message = PexMessage::decode(payload).unwrap();
            let found = (message.added.len(), message.dropped.len());
            assert_eq!(found, (added, dropped), "{}", payload.escape_ascii());
        }
    }

    #[test]
    fn flags_stay_with_their_peers() {
        // The first peer has port 0 and is left out; the third has no flags.
        let payload = b"d5:added18:aaaa\0\0bbbbbbcccccc7:added.f2:\x01\x02e";
        let message = PexMessage::decode(payload).unwrap();
        let flags: Vec<u8> = message.added.iter().map(|peer| peer.flags.bits()).collect();
        assert_eq!(flags, [2, 0]);
        assert!(message.added[0].flags.contains(PexFlags::UPLOAD_ONLY));
        assert!(!message.added[1].flags.contains(PexFlags::UPLOAD_ONLY));
    }

    #[test]
    fn a_flood_is_cut_off() {
        let list = vec![1; 6 * 10_000];
        let payload = dictionary([
            ("added", Some(Item::from(list.clone()))),
            ("dropped", Some(Item::from(list))),
        ]);
        let message = PexMessage::decode(&payload).unwrap();
        assert_eq!(message.added.len(), MAX_PEX_PEERS);
        assert_eq!(message.dropped.len(), MAX_PEX_PEERS);
    }

    fn addrs() -> impl Strategy<Value = Vec<SocketAddr>> {
        let addr = (any::<std::net::IpAddr>(), 1..=u16::MAX).prop_map(SocketAddr::from);
        prop::collection::vec(addr, 0..20).prop_map(|mut addrs| {
            addrs.sort_by_key(SocketAddr::is_ipv6);
            addrs
        })
    }

    proptest! {
        #[test]
        fn decode_reverses_encode(added in addrs(), dropped in addrs(), bits in any::<u8>()) {
            let flags = PexFlags::from_bits_retain(bits);
            let added = added.into_iter().map(|addr| PexPeer { addr, flags }).collect();
            let message = PexMessage { added, dropped };
            let payload = message.encode();
            prop_assert!(tailwater_bencode::decode(&payload).is_ok(), "canonical");
            prop_assert_eq!(PexMessage::decode(&payload), Ok(message));
        }
    }
}
