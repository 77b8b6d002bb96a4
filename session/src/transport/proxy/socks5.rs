//! SOCKS5, the client's side of the control connection (RFC 1928, RFC 1929), and the header of its datagrams.
//!
//! The crates that there are for it do no UDP ASSOCIATE, or bring a runtime of errors and logs of their own and cut long
//! passwords.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::ProxyError;
use crate::proxy::Credentials;

const VERSION: u8 = 5;
/// The version of the sub-negotiation with user name and password (RFC 1929).
const AUTH_VERSION: u8 = 1;
const NO_AUTH: u8 = 0;
const USER_PASSWORD: u8 = 2;
const NONE_ACCEPTABLE: u8 = 0xff;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;
/// Bytes of a datagram's header before the address: reserved (2), fragment number (1).
const DATAGRAM_PREFIX: [u8; 3] = [0; 3];

/// The longest header of a datagram to an address, in bytes: that of an IPv6 one.
pub(super) const MAX_HEADER_LEN: usize = 22;

/// What the proxy is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// A connection to the address.
    Connect = 1,
    /// A relay for datagrams.
    UdpAssociate = 3,
}

/// An address as SOCKS5 has it. A name in a reply is of no use to us, which resolve none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    Ip(SocketAddr),
    Name(u16),
}

/// Negotiates, and asks for something; returns the address that the proxy says it is bound to.
pub(super) async fn request<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    credentials: Option<&Credentials>,
    command: Command,
    to: SocketAddr,
) -> Result<Address, ProxyError> {
    negotiate(stream, credentials).await?;
    let mut request = vec![VERSION, command as u8, 0];
    put_address(&mut request, to);
    stream.write_all(&request).await?;
    let [version, reply, _reserved] = read(stream).await?;
    check_version(version)?;
    if reply != 0 {
        return Err(ProxyError::Refused(reply));
    }
    read_address(stream).await
}

async fn negotiate<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    credentials: Option<&Credentials>,
) -> Result<(), ProxyError> {
    let greeting: &[u8] = match credentials {
        Some(_) => &[VERSION, 2, NO_AUTH, USER_PASSWORD],
        None => &[VERSION, 1, NO_AUTH],
    };
    stream.write_all(greeting).await?;
    let [version, method] = read(stream).await?;
    check_version(version)?;
    match (method, credentials) {
        (NO_AUTH, _) => Ok(()),
        (USER_PASSWORD, Some(credentials)) => authenticate(stream, credentials).await,
        (NONE_ACCEPTABLE, None) => Err(ProxyError::CredentialsNeeded),
        (NONE_ACCEPTABLE, Some(_)) => Err(ProxyError::CredentialsRefused),
        _ => Err(ProxyError::Malformed("a method that was not offered")),
    }
}

async fn authenticate<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    Credentials { user, password }: &Credentials,
) -> Result<(), ProxyError> {
    let mut request = vec![AUTH_VERSION];
    for field in [user, password] {
        // A proxy's URL has none that are longer.
        request.push(u8::try_from(field.len()).unwrap_or(u8::MAX));
        request.extend(field.iter().take(usize::from(u8::MAX)));
    }
    stream.write_all(&request).await?;
    let [version, status] = read(stream).await?;
    match (version, status) {
        (AUTH_VERSION, 0) => Ok(()),
        (AUTH_VERSION, _) => Err(ProxyError::CredentialsRefused),
        _ => Err(ProxyError::Malformed("an answer to the password")),
    }
}

const fn check_version(version: u8) -> Result<(), ProxyError> {
    match version {
        VERSION => Ok(()),
        _ => Err(ProxyError::Malformed("not SOCKS5")),
    }
}

async fn read<const N: usize>(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<[u8; N], ProxyError> {
    let mut bytes = [0; N];
    match stream.read_exact(&mut bytes).await {
        Ok(_) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(ProxyError::Closed),
        Err(error) => Err(error.into()),
    }
}

async fn read_address(stream: &mut (impl AsyncRead + Unpin)) -> Result<Address, ProxyError> {
    let [kind] = read(stream).await?;
    let ip = match kind {
        IPV4 => IpAddr::from(read::<4>(stream).await?),
        IPV6 => IpAddr::from(read::<16>(stream).await?),
        NAME => {
            let [len] = read(stream).await?;
            for _ in 0..len {
                read::<1>(stream).await?;
            }
            return Ok(Address::Name(u16::from_be_bytes(read(stream).await?)));
        }
        _ => return Err(ProxyError::Malformed("an unknown kind of address")),
    };
    let port = u16::from_be_bytes(read(stream).await?);
    Ok(Address::Ip(SocketAddr::new(ip, port)))
}

fn put_address(buf: &mut Vec<u8>, addr: SocketAddr) {
    match addr.ip().to_canonical() {
        IpAddr::V4(ip) => {
            buf.push(IPV4);
            buf.extend(ip.octets());
        }
        IpAddr::V6(ip) => {
            buf.push(IPV6);
            buf.extend(ip.octets());
        }
    }
    buf.extend(addr.port().to_be_bytes());
}

/// Appends the header of a datagram to an address.
pub(super) fn put_datagram_header(buf: &mut Vec<u8>, to: SocketAddr) {
    buf.extend(DATAGRAM_PREFIX);
    put_address(buf, to);
}

/// Appends the header of a datagram to a host that the proxy resolves; `None` for a name that is too long.
pub(super) fn put_named_datagram_header(buf: &mut Vec<u8>, host: &str, port: u16) -> Option<()> {
    let len = u8::try_from(host.len()).ok().filter(|&len| len > 0)?;
    buf.extend(DATAGRAM_PREFIX);
    buf.extend([NAME, len]);
    buf.extend(host.as_bytes());
    buf.extend(port.to_be_bytes());
    Some(())
}

/// The sender and the payload of a datagram from the relay; `None` for a fragment, a sender by name, or nonsense.
pub(super) fn split_datagram(datagram: &[u8]) -> Option<(SocketAddr, &[u8])> {
    let (prefix, rest) = datagram.split_first_chunk::<3>()?;
    let (&kind, rest) = rest.split_first()?;
    // We reassemble no fragments, and RFC 1928 has us drop them then.
    if prefix[2] != 0 {
        return None;
    }
    let (ip, rest) = match kind {
        IPV4 => {
            let (ip, rest) = rest.split_first_chunk::<4>()?;
            (IpAddr::V4(Ipv4Addr::from(*ip)), rest)
        }
        IPV6 => {
            let (ip, rest) = rest.split_first_chunk::<16>()?;
            (IpAddr::V6(Ipv6Addr::from(*ip)).to_canonical(), rest)
        }
        _ => return None,
    };
    let (port, payload) = rest.split_first_chunk::<2>()?;
    Some((SocketAddr::new(ip, u16::from_be_bytes(*port)), payload))
}

/// The meaning of a reply (RFC 1928, section 6).
pub(super) const fn meaning(reply: u8) -> &'static str {
    match reply {
        1 => "general failure",
        2 => "not allowed by its rules",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "time to live expired",
        7 => "command not supported",
        8 => "address type not supported",
        _ => "unknown reply",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_datagram_comes_out_as_it_went_in() {
        for to in ["192.0.2.7:6881", "[2001:db8::7]:1"].map(addr) {
            let mut datagram = Vec::new();
            put_datagram_header(&mut datagram, to);
            datagram.extend(b"payload");
            assert_eq!(split_datagram(&datagram), Some((to, &b"payload"[..])));
            for len in 0..datagram.len() - b"payload".len() {
                assert_eq!(split_datagram(&datagram[..len]), None);
            }
            datagram[2] = 1;
            assert_eq!(split_datagram(&datagram), None, "a fragment");
        }
        let mut named = Vec::new();
        put_named_datagram_header(&mut named, "a.example", 0x1234).unwrap();
        assert_eq!(named, b"\0\0\0\x03\x09a.example\x12\x34");
        assert_eq!(split_datagram(&named), None);
        let long = "a".repeat(256);
        assert_eq!(put_named_datagram_header(&mut named, &long, 1), None);
        assert_eq!(put_named_datagram_header(&mut named, "", 1), None);
    }

    /// What a proxy that says `script` makes of a request, and what it was sent.
    async fn ask(script: &[u8], login: bool) -> (Result<Address, ProxyError>, Vec<u8>) {
        let (mut ours, mut theirs) = tokio::io::duplex(1024);
        let credentials = Credentials {
            user: b"me".to_vec(),
            password: b"secret".to_vec(),
        };
        let asking = async move {
            let credentials = login.then_some(&credentials);
            request(
                &mut ours,
                credentials,
                Command::Connect,
                addr("192.0.2.7:258"),
            )
            .await
        };
        let answering = async move {
            theirs.write_all(script).await.unwrap();
            theirs.shutdown().await.unwrap();
            let mut sent = Vec::new();
            theirs.read_to_end(&mut sent).await.unwrap();
            sent
        };
        tokio::join!(asking, answering)
    }

    #[tokio::test]
    async fn a_connection_is_asked_for_with_and_without_a_password() {
        let bound = b"\x05\x00\x00\x01\x0a\x00\x00\x01\x00\x09";
        let (answer, sent) = ask(&[&b"\x05\x00"[..], bound].concat(), false).await;
        assert_eq!(answer.unwrap(), Address::Ip(addr("10.0.0.1:9")));
        assert_eq!(
            sent,
            b"\x05\x01\x00\x05\x01\x00\x01\xc0\x00\x02\x07\x01\x02"
        );
        let (answer, sent) = ask(&[&b"\x05\x02\x01\x00"[..], bound].concat(), true).await;
        assert!(answer.is_ok());
        let expected =
            b"\x05\x02\x00\x02\x01\x02me\x06secret\x05\x01\x00\x01\xc0\x00\x02\x07\x01\x02";
        assert_eq!(sent, expected);
        // A proxy may not want what it was offered.
        let (answer, _) = ask(&[&b"\x05\x00"[..], bound].concat(), true).await;
        assert!(answer.is_ok());
        let named = b"\x05\x00\x05\x00\x00\x03\x05relay\x00\x09";
        assert_eq!(ask(named, false).await.0.unwrap(), Address::Name(9));
        let six = [&b"\x05\x00\x05\x00\x00\x04"[..], &[0; 15], b"\x01\x00\x09"].concat();
        assert_eq!(
            ask(&six, false).await.0.unwrap(),
            Address::Ip(addr("[::1]:9"))
        );
    }

    #[tokio::test]
    async fn each_failure_says_what_is_wrong() {
        let cases: [(&[u8], bool, &str); 9] = [
            (b"", false, "it closed the connection"),
            (b"\x05", false, "it closed the connection"),
            (b"\x04\x00", false, "not SOCKS5"),
            (b"\x05\xff", false, "it wants a user name and a password"),
            (
                b"\x05\xff",
                true,
                "it refuses the user name or the password",
            ),
            (
                b"\x05\x02\x01\x01",
                true,
                "it refuses the user name or the password",
            ),
            (b"\x05\x02", false, "a method that was not offered"),
            (
                b"\x05\x00\x05\x02\x00\x01\0\0\0\0\0\0",
                false,
                "not allowed by its rules",
            ),
            (
                b"\x05\x00\x05\x00\x00\x09",
                false,
                "an unknown kind of address",
            ),
        ];
        for (script, login, expected) in cases {
            let error = ask(script, login).await.0.unwrap_err().to_string();
            assert!(error.contains(expected), "{script:?}: {error}");
        }
        // A reply that is cut anywhere is no answer.
        let whole = b"\x05\x00\x05\x00\x00\x03\x05relay\x00\x09";
        for len in 0..whole.len() {
            let (answer, _) = ask(&whole[..len], false).await;
            assert!(
                matches!(answer, Err(ProxyError::Closed)),
                "{len}: {answer:?}"
            );
        }
    }
}
