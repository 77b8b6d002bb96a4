//! The origin of blocks: a peer's address or a web seed, which is blamed, banned and counted.

use std::fmt;
use std::net::IpAddr;

/// A web seed of a torrent (BEP 19), by a number that its driver gives to no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct WebSeedId(u32);

impl WebSeedId {
    /// The web seed with this number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// The sender of a block. Corrupt blocks are blamed on it, and it is what is banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a driver has to handle every one: what is new breaks it on purpose"
)]
pub enum Origin {
    /// A peer at this address.
    Ip(IpAddr),
    /// A web seed.
    WebSeed(WebSeedId),
}

impl From<IpAddr> for Origin {
    fn from(ip: IpAddr) -> Self {
        Self::Ip(ip)
    }
}

impl From<WebSeedId> for Origin {
    fn from(id: WebSeedId) -> Self {
        Self::WebSeed(id)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::WebSeed(id) => write!(f, "web seed {}", id.0),
        }
    }
}
