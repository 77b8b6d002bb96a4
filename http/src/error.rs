//! Errors of a request: the URL that was asked, and the cause.

use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use url::Url;

/// The error of a request: the URL that was asked, and the cause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{url}: {kind}")]
pub struct HttpError {
    url: String,
    kind: ErrorKind,
}

/// The cause of an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The URL, or one of the redirects behind it, cannot be used.
    #[error("invalid URL: {reason}")]
    InvalidUrl {
        /// What is wrong with it.
        reason: String,
    },
    /// The URL, or one of the redirects behind it, is neither HTTP nor HTTPS.
    #[error("unsupported scheme {scheme:?}")]
    UnsupportedScheme {
        /// The URL's scheme.
        scheme: String,
    },
    /// The host is at an address that the [`AddressPolicy`](crate::AddressPolicy) does not allow.
    #[error("the address policy does not allow {address}")]
    AddressRefused {
        /// The address.
        address: IpAddr,
    },
    /// The host is at an address that is [filtered](crate::AddressPolicy::without).
    #[error("the IP filter has {address}")]
    AddressFiltered {
        /// The address.
        address: IpAddr,
    },
    /// The host may be asked by another URL: this one is [`Composed`](crate::UrlTrust::Composed).
    #[error("the address policy does not allow this URL at {address}")]
    UrlRefused {
        /// The address.
        address: IpAddr,
    },
    /// More redirects than [`ClientConfig::max_redirects`](crate::ClientConfig::max_redirects).
    #[error("more than {limit} redirects")]
    TooManyRedirects {
        /// The limit.
        limit: usize,
    },
    /// A redirect from HTTPS to HTTP, which would send the request in clear.
    #[error("redirected from https to http ({host}), which would send the request in clear")]
    InsecureRedirect {
        /// The host of the redirect's target.
        host: String,
    },
    /// A body longer than [`Request::max_body_len`](crate::Request::max_body_len).
    #[error("the answer exceeds {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// A deadline passed.
    #[error("no answer within {after:?}")]
    Timeout {
        /// How long was waited: the time of the whole request, or of one step.
        after: Duration,
    },
    /// TLS failed: an invalid certificate, no common version.
    #[error("cannot connect: {reason}")]
    Tls {
        /// The words of the TLS library.
        reason: String,
    },
    /// The operating system, the network or the peer's HTTP failed.
    #[error("cannot {operation}: {message}")]
    Io {
        /// What was tried: `resolve host`, `connect`, `ask the server`, `read the answer`.
        operation: &'static str,
        /// The kind of the error.
        kind: io::ErrorKind,
        /// The error's own words.
        message: String,
    },
}

impl HttpError {
    pub(crate) fn new(url: &Url, kind: ErrorKind) -> Self {
        let mut url = url.clone();
        // Neither fails for a URL that has credentials.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Self {
            url: url.into(),
            kind,
        }
    }

    /// The error of a text that is no URL.
    pub(crate) fn unparsed(text: &str, error: url::ParseError) -> Self {
        Self {
            url: text.to_owned(),
            kind: error.into(),
        }
    }

    /// The URL that was asked, without its user name and password; the last one if there were redirects.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The cause.
    #[must_use]
    pub const fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// The cause, by value.
    #[must_use]
    pub fn into_kind(self) -> ErrorKind {
        self.kind
    }
}

impl From<url::ParseError> for ErrorKind {
    fn from(error: url::ParseError) -> Self {
        Self::InvalidUrl {
            reason: error.to_string(),
        }
    }
}

impl ErrorKind {
    pub(crate) fn io(operation: &'static str, error: &io::Error) -> Self {
        Self::Io {
            operation,
            kind: error.kind(),
            message: tailwater_types::system::message(error),
        }
    }

    /// The error of ours, of TLS or of the system that is at the bottom of one of hyper's.
    pub(crate) fn innermost(operation: &'static str, error: &(dyn Error + 'static)) -> Self {
        let mut kind = io::ErrorKind::Other;
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            if let Some(ours) = error.downcast_ref::<Self>() {
                return ours.clone();
            }
            // What stands above it only repeats that a request failed.
            message = error.to_string();
            if let Some(error) = error.downcast_ref::<io::Error>() {
                kind = error.kind();
                message = tailwater_types::system::message(error);
                if is_tls(error) {
                    return Self::Tls { reason: message };
                }
            }
            cause = error.source();
        }
        Self::Io {
            operation,
            kind,
            message,
        }
    }
}

/// Whether it is an error of TLS, in however many of the system's it is wrapped.
fn is_tls(error: &io::Error) -> bool {
    let mut wrapped = error.get_ref();
    while let Some(error) = wrapped {
        if error.is::<rustls::Error>() {
            return true;
        }
        wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
    }
    false
}
