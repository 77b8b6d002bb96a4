//! The ports that BitTorrent programs listen on, and the search for a free one.

use std::io;

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
