//! Ids that are bound to an address (BEP 42).

use std::net::IpAddr;

use crate::address::is_local;
use crate::{NODE_ID_LEN, NodeId};

/// The address bits that count. Of the more significant octets fewer count, so that the owner of a block of addresses
/// does not get as many ids.
const V4_MASK: u32 = 0x030f_3fff;
/// The same for the upper 64 bits of an IPv6 address.
const V6_MASK: u64 = 0x0103_070f_1f3f_7fff;
/// The first 21 bits of an id are bound.
const PREFIX_MASK: u32 = 0xffff_f800;
/// The bits of the last byte that choose one of eight prefixes of an address.
const SEED_MASK: u8 = 0x07;

impl NodeId {
    /// The id in which the 21 bits that [BEP 42](https://www.bittorrent.org/beps/bep_0042.html) binds to `ip` are set,
    /// and the others are those of `random`.
    #[must_use]
    pub fn for_ip(ip: IpAddr, random: [u8; NODE_ID_LEN]) -> Self {
        let prefix = prefix(ip, Self::new(random).seed());
        let mut bytes = random;
        let unbound = leading_u32(&random) & !PREFIX_MASK;
        bytes[..4].copy_from_slice(&(prefix | unbound).to_be_bytes());
        Self::new(bytes)
    }

    /// Whether a node at `ip` may have this id. Addresses of local networks may have any (BEP 42).
    #[must_use]
    pub fn is_valid_for(&self, ip: IpAddr) -> bool {
        is_local(ip) || leading_u32(self.as_bytes()) & PREFIX_MASK == prefix(ip, self.seed())
    }

    const fn seed(&self) -> u8 {
        self.as_bytes()[NODE_ID_LEN - 1] & SEED_MASK
    }
}

fn leading_u32(bytes: &[u8; NODE_ID_LEN]) -> u32 {
    let [a, b, c, d, ..] = *bytes;
    u32::from_be_bytes([a, b, c, d])
}

fn prefix(ip: IpAddr, seed: u8) -> u32 {
    let hash = match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let bits = u32::from(ip) & V4_MASK | u32::from(seed) << 29;
            crc32c::crc32c(&bits.to_be_bytes())
        }
        IpAddr::V6(ip) => {
            let [a, b, c, d, e, f, g, h, ..] = ip.octets();
            let network = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
            let bits = network & V6_MASK | u64::from(seed) << 61;
            crc32c::crc32c(&bits.to_be_bytes())
        }
    };
    hash & PREFIX_MASK
}
