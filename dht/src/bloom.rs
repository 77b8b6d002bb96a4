//! The Bloom filter of DHT scrapes: it counts addresses without naming them (BEP 33).

use std::fmt;
use std::net::IpAddr;

use sha1::{Digest, Sha1};

/// The length of a filter in bytes.
pub const BLOOM_FILTER_LEN: usize = 256;
/// The length of a filter in bits: [`BLOOM_FILTER_LEN`] bytes (BEP 33).
const BITS: u16 = 2048;
/// How many bits an address sets (BEP 33).
const HASHES: f64 = 2.0;

/// A Bloom filter of IP addresses: sets can be united, and their size can be estimated, up to about 6000 ([BEP
/// 33](https://www.bittorrent.org/beps/bep_0033.html)).
#[derive(Clone, PartialEq, Eq)]
pub struct BloomFilter([u8; BLOOM_FILTER_LEN]);

impl BloomFilter {
    /// Takes a filter from the wire; `None` unless it is [`BLOOM_FILTER_LEN`] bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The filter as it is sent.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; BLOOM_FILTER_LEN] {
        &self.0
    }

    /// Adds an address.
    pub fn insert(&mut self, ip: IpAddr) {
        for bit in bits(ip) {
            self.0[usize::from(bit / 8)] |= 1 << (bit % 8);
        }
    }

    /// Whether an address may be in the set; `false` is certain.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let is_set = |bit: u16| self.0[usize::from(bit / 8)] & 1 << (bit % 8) != 0;
        bits(ip).into_iter().all(is_set)
    }

    /// Adds all addresses of another set.
    pub fn unite(&mut self, other: &Self) {
        let both = self.0.iter_mut().zip(other.0);
        both.for_each(|(ours, theirs)| *ours |= theirs);
    }

    /// How many addresses are in the set, estimated.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        let zeros: u32 = self.0.iter().map(|byte| byte.count_zeros()).sum();
        let all = f64::from(BITS);
        // A full filter would stand for infinitely many addresses.
        let zeros = f64::from(zeros).clamp(1.0, all - 1.0);
        if self.0 == [0; BLOOM_FILTER_LEN] {
            return 0.0;
        }
        (zeros / all).ln() / (HASHES * (1.0 - 1.0 / all).ln())
    }
}

fn bits(ip: IpAddr) -> [u16; 2] {
    let hash: [u8; 20] = match ip {
        IpAddr::V4(ip) => Sha1::digest(ip.octets()).into(),
        IpAddr::V6(ip) => Sha1::digest(ip.octets()).into(),
    };
    let [a, b, c, d, ..] = hash;
    [
        u16::from_le_bytes([a, b]) % BITS,
        u16::from_le_bytes([c, d]) % BITS,
    ]
}

impl Default for BloomFilter {
    fn default() -> Self {
        Self([0; BLOOM_FILTER_LEN])
    }
}

impl fmt::Debug for BloomFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BloomFilter(about {:.0})", self.estimate())
    }
}
