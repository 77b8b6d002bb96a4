//! Whether connections to peers are encrypted: the policy.

use std::fmt;
use std::str::FromStr;

/// The encryption policy of a session (message stream encryption, MSE).
///
/// It hides the protocol from filters, and reaches the many peers that take no plain connections. It is no protection from
/// someone who knows the torrent: the key is derived from its info-hash.
///
/// | policy | outgoing | incoming |
/// |---|---|---|
/// | `Off` | plain | plain |
/// | `Allow` | plain, then encrypted if the peer hangs up | both |
/// | `Prefer` | encrypted, then plain if the peer hangs up or does not answer within 2 s | both |
/// | `Require` | encrypted | encrypted |
///
/// An encrypted handshake leaves open what follows it. We offer plaintext and RC4, with every policy, and take what the peer
/// selects; where we select, it is plaintext, which costs nothing, and with `Require` RC4 if the peer has it. What worked for a peer is remembered.
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
pub enum Encryption {
    /// No connection is encrypted.
    Off,
    /// Encrypted connections are accepted, and made to peers that take no others.
    Allow,
    /// Connections are encrypted where the peer is able to.
    #[default]
    Prefer,
    /// A plain handshake is neither sent nor accepted.
    Require,
}

impl Encryption {
    /// All policies.
    pub const ALL: [Self; 4] = [Self::Off, Self::Allow, Self::Prefer, Self::Require];

    /// Its name: `off`, `allow`, `prefer`, `require`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
        }
    }
}

impl fmt::Display for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that no [`Encryption`] has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an encryption policy is one of: off, allow, prefer, require")]
#[non_exhaustive]
pub struct UnknownEncryption;

impl FromStr for Encryption {
    type Err = UnknownEncryption;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter();
        all.find(|policy| policy.name() == name)
            .ok_or(UnknownEncryption)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_has_a_name_that_leads_back_to_it() {
        for policy in Encryption::ALL {
            assert_eq!(policy.to_string().parse(), Ok(policy));
        }
        assert_eq!("Prefer".parse::<Encryption>(), Err(UnknownEncryption));
    }
}
