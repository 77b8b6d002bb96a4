//! The ports that BitTorrent programs listen on, and the search for a free one.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// The first of the usual ports: BEP 3 names 6881 to 6889.
pub const FIRST: u16 = 6881;
/// How many of them are tried: more sessions on one machine than ports that BEP 3 names.
pub const TRIED: u16 = 32;

/// Opens the first usual port that is available, or else any: `open` is called with one port after the other, and at
/// last with 0, which leaves the choice to the system.
///
/// ```
/// use std::net::{Ipv4Addr, TcpListener};
///
/// let open = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
/// let first = tailwater_types::ports::open_usual(open)?;
/// let second = tailwater_types::ports::open_usual(open)?;
/// assert_ne!(first.local_addr()?.port(), second.local_addr()?.port());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// When none is available: the error of the last of the usual ones.
pub fn open_usual<T>(mut open: impl FnMut(u16) -> io::Result<T>) -> io::Result<T> {
    let mut last_error = None;
    for port in (FIRST..).take(usize::from(TRIED)) {
        match open(port) {
            Ok(opened) => return Ok(opened),
            Err(error) => last_error = Some(error),
        }
    }
    open(0).map_err(|error| last_error.unwrap_or(error))
}

/// The sockets of both address families, or of the one that there is.
#[derive(Debug)]
// Not `#[non_exhaustive]`: there are two families.
pub struct Families<S> {
    /// For IPv4.
    pub v4: Option<S>,
    /// For IPv6.
    pub v6: Option<S>,
}

/// How often another port is tried when the system picks one that is free for only one family.
const MAX_ATTEMPTS: u8 = 16;

/// Opens a socket for each address family, on the same port. `open` is called with an address, and `port` says which port
/// the system picked.
///
/// | `addr` | families | port |
/// |---|---|---|
/// | `None` | both | the first usual one that is free for both, else any |
/// | `[::]:port` | both | that one; 0 for any |
/// | another IPv6 address | IPv6 | that one |
/// | an IPv4 address | IPv4 | that one |
///
/// Where both are asked for and the machine lacks one, the other is enough. The sockets for IPv6 must take no IPv4
/// datagrams or connections.
///
/// # Errors
///
/// When the address or the port cannot be had.
pub fn open_families<S>(
    addr: Option<SocketAddr>,
    mut open: impl FnMut(SocketAddr) -> io::Result<S>,
    port: impl Fn(&S) -> io::Result<u16>,
) -> io::Result<Families<S>> {
    match addr {
        None => open_usual(|number| open_number(number, &mut open, &port)),
        Some(addr) if addr.is_ipv6() && addr.ip().is_unspecified() => {
            open_number(addr.port(), &mut open, &port)
        }
        Some(addr) => {
            let socket = open(addr)?;
            Ok(match addr.is_ipv4() {
                true => Families {
                    v4: Some(socket),
                    v6: None,
                },
                false => Families {
                    v4: None,
                    v6: Some(socket),
                },
            })
        }
    }
}

/// Both families on one port: `number`, or with 0 one that the system picks.
fn open_number<S>(
    number: u16,
    open: &mut impl FnMut(SocketAddr) -> io::Result<S>,
    port: &impl Fn(&S) -> io::Result<u16>,
) -> io::Result<Families<S>> {
    let mut attempts = if number == 0 { MAX_ATTEMPTS } else { 1 };
    loop {
        attempts -= 1;
        match open_both(number, open, port) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && attempts > 0 => {}
            opened => return opened,
        }
    }
}

fn open_both<S>(
    number: u16,
    open: &mut impl FnMut(SocketAddr) -> io::Result<S>,
    port: &impl Fn(&S) -> io::Result<u16>,
) -> io::Result<Families<S>> {
    let v4 = match open((Ipv4Addr::UNSPECIFIED, number).into()) {
        Err(error) if !is_missing(&error) => return Err(error),
        v4 => v4.ok(),
    };
    let number = match &v4 {
        Some(v4) => port(v4)?,
        None => number,
    };
    let v6 = match open((Ipv6Addr::UNSPECIFIED, number).into()) {
        Err(error) if v4.is_none() || !is_missing(&error) => return Err(error),
        v6 => v6.ok(),
    };
    Ok(Families { v4, v6 })
}

/// Whether the machine lacks the family, rather than the port being taken or forbidden.
fn is_missing(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrInUse, PermissionDenied};
    !matches!(error.kind(), AddrInUse | PermissionDenied)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which ports are tried when those of `taken` are not available.
    fn asked(taken: impl Fn(u16) -> bool) -> (Vec<u16>, io::Result<u16>) {
        let mut asked = Vec::new();
        let opened = open_usual(|port| {
            asked.push(port);
            match taken(port) {
                true => Err(io::Error::other(format!("{port} is taken"))),
                false => Ok(port),
            }
        });
        (asked, opened)
    }

    #[test]
    fn the_first_usual_port_that_is_free_is_opened() {
        let (tried, opened) = asked(|port| port < 6883);
        assert_eq!((tried, opened.unwrap()), (vec![6881, 6882, 6883], 6883));
        let (tried, opened) = asked(|port| port != 0);
        assert_eq!((tried.len(), opened.unwrap()), (33, 0));
        let (_, opened) = asked(|_| true);
        assert_eq!(opened.unwrap_err().to_string(), "6912 is taken");
    }
}
