//! Which transports connections to peers use: the policy.

use std::fmt;
use std::str::FromStr;

/// The transports of a session: TCP, uTP (BEP 29), or both.
///
/// With both, a peer is connected to over both at once. uTP is used if it connects in about the time that TCP needs, else
/// TCP, and what worked is remembered. uTP reaches peers behind a NAT, and yields to other traffic of the
/// line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[expect(
    clippy::exhaustive_enums,
    reason = "every program that shows the setting has to show each value"
)]
pub enum Transports {
    /// TCP and uTP.
    #[default]
    Both,
    /// TCP alone.
    Tcp,
    /// uTP alone.
    Utp,
}

impl Transports {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Both, Self::Tcp, Self::Utp];

    /// Its name: `both`, `tcp`, `utp`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Tcp => "tcp",
            Self::Utp => "utp",
        }
    }

    /// Whether TCP is among them.
    #[must_use]
    pub const fn has_tcp(self) -> bool {
        matches!(self, Self::Both | Self::Tcp)
    }

    /// Whether uTP is among them.
    #[must_use]
    pub const fn has_utp(self) -> bool {
        matches!(self, Self::Both | Self::Utp)
    }
}

impl fmt::Display for Transports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that no [`Transports`] have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the transports are one of: both, tcp, utp")]
#[non_exhaustive]
pub struct UnknownTransports;

impl FromStr for Transports {
    type Err = UnknownTransports;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter();
        all.find(|transports| transports.name() == name)
            .ok_or(UnknownTransports)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_name_that_leads_back_to_it() {
        for transports in Transports::ALL {
            assert_eq!(transports.to_string().parse(), Ok(transports));
        }
        assert_eq!("TCP".parse::<Transports>(), Err(UnknownTransports));
    }
}
