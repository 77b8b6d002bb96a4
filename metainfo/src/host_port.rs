//! A host, by name or address, with a port.

use std::fmt;
use std::str::FromStr;

/// A host name or IP address with a port, not resolved: a DHT node of a torrent (BEP 5), a peer of a magnet link (BEP 9).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct HostPort {
    /// The name or address; an IPv6 address without brackets.
    pub host: String,
    /// The port, never 0.
    pub port: u16,
}

/// A text that is not `host:port`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not host:port; a port is a number from 1 to 65535")]
pub struct ParseHostPortError;

impl HostPort {
    /// A host, which must be a name or an address without spaces, slashes or brackets, and a port other than 0.
    ///
    /// # Errors
    ///
    /// When it is not.
    pub fn new(host: &str, port: u16) -> Result<Self, ParseHostPortError> {
        let refused =
            |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | '[' | ']' | '@');
        if host.is_empty() || host.len() > 255 || host.contains(refused) || port == 0 {
            return Err(ParseHostPortError);
        }
        // Only an IPv6 address has colons.
        if host.contains(':') && host.parse::<std::net::Ipv6Addr>().is_err() {
            return Err(ParseHostPortError);
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

/// `host:port` or `[ipv6]:port`.
impl FromStr for HostPort {
    type Err = ParseHostPortError;

    fn from_str(text: &str) -> Result<Self, ParseHostPortError> {
        let (host, port) = text.rsplit_once(':').ok_or(ParseHostPortError)?;
        let bracketed = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let is_plain = bracketed.is_none() && !host.contains(':');
        // `parse` would take a plus sign.
        if !port.bytes().all(|byte| byte.is_ascii_digit())
            || !(is_plain || bracketed.is_some_and(|host| host.contains(':')))
        {
            return Err(ParseHostPortError);
        }
        Self::new(
            bracketed.unwrap_or(host),
            port.parse().map_err(|_| ParseHostPortError)?,
        )
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_and_written() {
        for text in ["router.example:6881", "127.0.0.1:1", "[::1]:65535"] {
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "host",
            "host:",
            ":80",
            "host:0",
            "host:65536",
            "host:+80",
            "::1:80",
            "[host]:80",
            "[::1:80",
            "a b:1",
            "a/b:1",
        ] {
            assert_eq!(text.parse::<HostPort>(), Err(ParseHostPortError), "{text}");
        }
    }
}
