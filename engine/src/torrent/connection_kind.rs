//! How a peer is connected: the transport, and whether it is encrypted. The engine does not use either; it tells other peers
//! (BEP 11) and counts.

use std::fmt;

/// How a peer is connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(
    clippy::exhaustive_structs,
    reason = "its driver names all of it for each peer: what is new breaks it on purpose"
)]
pub struct ConnectionKind {
    /// The transport.
    pub transport: Transport,
    /// How much of it is encrypted.
    pub encrypted: Encrypted,
}

/// The transport of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Transport {
    /// TCP.
    #[default]
    Tcp,
    /// uTP over UDP (BEP 29).
    Utp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tcp => "TCP",
            Self::Utp => "uTP",
        })
    }
}

/// How much of a connection is encrypted (message stream encryption).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Encrypted {
    /// Nothing.
    #[default]
    Nothing,
    /// The handshake; what follows is plaintext.
    Handshake,
    /// Everything, with RC4.
    Everything,
}

impl fmt::Display for Encrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Nothing => "plain",
            Self::Handshake => "encrypted handshake",
            Self::Everything => "RC4",
        })
    }
}
