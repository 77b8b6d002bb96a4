//! `ut_holepunch` (BEP 55).

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::ExtensionError;

const MESSAGE: &str = "ut_holepunch";
// Types of messages and of addresses (BEP 55).
const RENDEZVOUS: u8 = 0;
const CONNECT: u8 = 1;
const ERROR: u8 = 2;
const IPV4: u8 = 0;
const IPV6: u8 = 1;

/// A message of the hole punching extension. The address in it is not verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Holepunch {
    /// To a relay: connect me with this peer, to which you are connected.
    Rendezvous(SocketAddr),
    /// From a relay: connect to this peer now, by uTP.
    Connect(SocketAddr),
    /// From a relay: it cannot be done.
    Error {
        /// The peer that was asked for.
        addr: SocketAddr,
        /// Why.
        error: HolepunchError,
    },
}

/// Why a relay cannot help (BEP 55).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum HolepunchError {
    /// The address cannot belong to a peer.
    #[error("no such peer")]
    NoSuchPeer,
    /// The relay is not connected to that peer.
    #[error("the relay is not connected to that peer")]
    NotConnected,
    /// That peer does not speak the extension.
    #[error("that peer does not support hole punching")]
    NoSupport,
    /// The address is the relay's own.
    #[error("the relay itself was asked for")]
    NoSelf,
    /// A code that BEP 55 does not name.
    #[error("error code {0}")]
    Other(u32),
}

impl HolepunchError {
    const fn from_code(code: u32) -> Self {
        match code {
            1 => Self::NoSuchPeer,
            2 => Self::NotConnected,
            3 => Self::NoSupport,
            4 => Self::NoSelf,
            other => Self::Other(other),
        }
    }

    const fn code(self) -> u32 {
        match self {
            Self::NoSuchPeer => 1,
            Self::NotConnected => 2,
            Self::NoSupport => 3,
            Self::NoSelf => 4,
            Self::Other(code) => code,
        }
    }
}

impl Holepunch {
    /// The payload to send.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        let (msg_type, addr, code) = match self {
            Self::Rendezvous(addr) => (RENDEZVOUS, addr, 0),
            Self::Connect(addr) => (CONNECT, addr, 0),
            Self::Error { addr, error } => (ERROR, addr, error.code()),
        };
        let mut payload = vec![msg_type];
        match addr {
            SocketAddr::V4(addr) => {
                payload.push(IPV4);
                payload.extend_from_slice(&addr.ip().octets());
            }
            SocketAddr::V6(addr) => {
                payload.push(IPV6);
                payload.extend_from_slice(&addr.ip().octets());
            }
        }
        payload.extend_from_slice(&addr.port().to_be_bytes());
        payload.extend_from_slice(&code.to_be_bytes());
        payload
    }

    /// Reads a payload. The error code may be left out of a message that is no error.
    ///
    /// # Errors
    ///
    /// When the type of message or address is unknown, the length is wrong, or the port is 0.
    pub fn decode(payload: &[u8]) -> Result<Self, ExtensionError> {
        let length = ExtensionError::Length {
            message: MESSAGE,
            len: payload.len(),
        };
        let field = |field| ExtensionError::Field {
            message: MESSAGE,
            field,
        };
        let [msg_type, addr_type, rest @ ..] = payload else {
            return Err(length);
        };
        let (addr, rest) = match *addr_type {
            IPV4 => address::<4, Ipv4Addr>(rest),
            IPV6 => address::<16, Ipv6Addr>(rest),
            _ => return Err(field("addr_type")),
        }
        .ok_or(length.clone())?;
        if addr.port() == 0 {
            return Err(field("port"));
        }
        let code = match (*msg_type, rest.len()) {
            (RENDEZVOUS | CONNECT, 0) => 0,
            _ => u32::from_be_bytes(rest.try_into().map_err(|_| length)?),
        };
        match *msg_type {
            RENDEZVOUS => Ok(Self::Rendezvous(addr)),
            CONNECT => Ok(Self::Connect(addr)),
            ERROR => Ok(Self::Error {
                addr,
                error: HolepunchError::from_code(code),
            }),
            _ => Err(field("msg_type")),
        }
    }
}

/// An address of `N` bytes and a port, and what follows.
fn address<const N: usize, Ip>(bytes: &[u8]) -> Option<(SocketAddr, &[u8])>
where
    Ip: From<[u8; N]>,
    SocketAddr: From<(Ip, u16)>,
{
    let (ip, rest) = bytes.split_first_chunk::<N>()?;
    let (port, rest) = rest.split_first_chunk::<2>()?;
    let addr = SocketAddr::from((Ip::from(*ip), u16::from_be_bytes(*port)));
    Some((addr, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_layout_is_that_of_bep_55() {
        let addr = "1.2.3.4:258".parse().unwrap();
        let message = Holepunch::Error {
            addr,
            error: HolepunchError::NoSupport,
        };
        let payload = [2, 0, 1, 2, 3, 4, 1, 2, 0, 0, 0, 3];
        assert_eq!(message.encode(), payload);
        assert_eq!(Holepunch::decode(&payload), Ok(message));
        let payload = [1, 0, 1, 2, 3, 4, 1, 2];
        assert_eq!(Holepunch::decode(&payload), Ok(Holepunch::Connect(addr)));
    }

    #[test]
    fn what_is_none_of_it_is_refused() {
        let message = MESSAGE;
        let length = |len| ExtensionError::Length { message, len };
        let field = |field| ExtensionError::Field { message, field };
        for (payload, error) in [
            (&[][..], length(0)),
            (&[0], length(1)),
            (&[0, 0, 1, 2, 3, 4, 1], length(7)),
            (&[0, 1, 1, 2, 3, 4, 1, 2], length(8)),
            (&[0, 0, 1, 2, 3, 4, 1, 2, 0], length(9)),
            (&[2, 0, 1, 2, 3, 4, 1, 2], length(8)),
            (&[0, 2, 1, 2, 3, 4, 1, 2], field("addr_type")),
            (&[0, 0, 1, 2, 3, 4, 0, 0], field("port")),
            (&[3, 0, 1, 2, 3, 4, 1, 2, 0, 0, 0, 0], field("msg_type")),
        ] {
            assert_eq!(Holepunch::decode(payload), Err(error), "{payload:?}");
        }
    }

    proptest! {
        #[test]
        fn decode_reverses_encode(kind in 0..3, ip in any::<std::net::IpAddr>(), port in 1..=u16::MAX, code in any::<u32>()) {
            let addr = SocketAddr::from((ip, port));
            let message = match kind {
                0 => Holepunch::Rendezvous(addr),
                1 => Holepunch::Connect(addr),
                _ => Holepunch::Error { addr, error: HolepunchError::from_code(code) },
            };
            prop_assert_eq!(Holepunch::decode(&message.encode()), Ok(message));
        }
    }
}
