//! Errors of announces and scrapes.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

/// When a tracker that refused wants to be asked again (BEP 31).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetryIn {
    /// Not before this time has passed.
    After(Duration),
    /// Not at all.
    Never,
}

/// The error of an announce or a scrape.
///
/// Texts that came from a tracker are free of control characters and bounded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrackerError {
    /// The tracker's URL cannot be used.
    #[error("invalid tracker URL: {reason}")]
    InvalidUrl {
        /// What is wrong with it.
        reason: String,
    },
    /// The tracker's URL is neither HTTP, HTTPS nor UDP.
    #[error("unsupported tracker scheme {scheme:?}")]
    UnsupportedScheme {
        /// The URL's scheme.
        scheme: String,
    },
    /// The tracker's URL names no place to scrape (BEP 48).
    #[error("the tracker's URL has no scrape counterpart")]
    ScrapeUnsupported,
    /// More torrents were asked for than one scrape can hold.
    #[error("a scrape of {count} torrents exceeds the limit of {limit}")]
    TooManyHashes {
        /// How many were asked for.
        count: usize,
        /// How many are possible.
        limit: usize,
    },
    /// The tracker refused, and said why.
    #[error("the tracker refused: {reason}")]
    Refused {
        /// The tracker's words.
        reason: String,
        /// When it wants to be asked again (BEP 31).
        retry_in: Option<RetryIn>,
    },
    /// An HTTP answer other than success.
    #[error("the tracker answered with HTTP status {status}")]
    HttpStatus {
        /// The status code.
        status: u16,
    },
    /// An answer that is not what the protocol demands.
    #[error("malformed answer from the tracker: {reason}")]
    Malformed {
        /// What is wrong, with its place.
        reason: String,
    },
    /// A request to our own tracker that it cannot answer.
    #[error("bad request: {reason}")]
    BadRequest {
        /// The parameter, and what is wrong with it.
        reason: String,
    },
    /// An answer that is too long, before or after decompression.
    #[error("the tracker's answer exceeds {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// Redirected more often than allowed.
    #[error("the tracker redirected more than {limit} times")]
    TooManyRedirects {
        /// The limit.
        limit: usize,
    },
    /// The tracker's host, or the one it redirected to, is at an address that the client's
    /// policy does not allow.
    #[error("the address policy does not allow {address}")]
    AddressRefused {
        /// The address.
        address: IpAddr,
    },
    /// The tracker's URL comes from a stranger and leads to an address that is not public, where only announce paths
    /// without a query may be asked: see [`AddressPolicy`](crate::AddressPolicy).
    #[error(
        "{address} is not public, and a torrent may have only announce URLs without a query asked there"
    )]
    UrlRefused {
        /// The address.
        address: IpAddr,
    },
    /// A tracker that was asked over HTTPS redirected to HTTP, which would send the passkey in clear.
    #[error(
        "the tracker redirected from https to http ({host}), which would send the request in clear"
    )]
    InsecureRedirect {
        /// The host that it redirected to.
        host: String,
    },
    /// No answer in time.
    #[error("no answer from the tracker within {after:?}")]
    Timeout {
        /// How long was waited.
        after: Duration,
    },
    /// The tracker is asked over UDP, which the proxy does not carry.
    #[error("the proxy carries no UDP")]
    NoUdp,
    /// The operating system or the network refused.
    #[error("cannot {operation}: {message}")]
    Io {
        /// What was tried: `resolve host`, `connect`, `send`, …
        operation: &'static str,
        /// The kind of the error.
        kind: io::ErrorKind,
        /// The error's own words.
        message: String,
    },
}

impl TrackerError {
    /// Whether asking again cannot help: the URL is unusable, or the tracker said never.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        matches!(
            self,
            Self::InvalidUrl { .. }
                | Self::UnsupportedScheme { .. }
                | Self::Refused {
                    retry_in: Some(RetryIn::Never),
                    ..
                }
        )
    }

    pub(crate) fn bad_request(reason: impl Into<String>) -> Self {
        Self::BadRequest {
            reason: reason.into(),
        }
    }

    pub(crate) fn malformed(reason: impl Into<String>) -> Self {
        Self::Malformed {
            reason: reason.into(),
        }
    }

    #[cfg(feature = "client")]
    pub(crate) fn io(operation: &'static str, error: &io::Error) -> Self {
        Self::Io {
            operation,
            kind: error.kind(),
            message: tailwater_types::system::message(error),
        }
    }
}
