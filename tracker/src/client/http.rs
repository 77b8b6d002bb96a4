//! Requests over HTTP and HTTPS.

use std::io;
use std::net::IpAddr;

use tailwater_http::header::{self, HeaderValue};
use tailwater_http::{Client, ErrorKind, HttpError, StatusCode, UrlTrust};

use super::body;
use super::config::ClientConfig;
use crate::error::TrackerError;

/// A request to a tracker over HTTP.
pub(super) struct Question<'a> {
    /// The URL, with all parameters.
    pub(super) url: &'a str,
    pub(super) trust: UrlTrust,
    /// Whether a path is one that requests of this kind have.
    pub(super) is_expected: fn(&str) -> bool,
}

/// An answer with a status other than a redirect's.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The address that it came from.
    pub(super) from: Option<IpAddr>,
    pub(super) body: Vec<u8>,
}

/// Our HTTP client, within the limits for trackers.
#[derive(Debug)]
pub(super) struct Http {
    client: Client,
    user_agent: String,
    max_response_len: usize,
}

impl Http {
    pub(super) fn new(config: &ClientConfig) -> Self {
        Self {
            client: Client::new(config.http()),
            user_agent: config.user_agent.clone(),
            max_response_len: config.max_response_len,
        }
    }

    /// Ends all connections.
    pub(super) fn disconnect(&self) {
        self.client.disconnect();
    }

    /// Asks within the configured time, size and number of redirects.
    pub(super) async fn get(&self, question: &Question<'_>) -> Result<Answer, TrackerError> {
        let user_agent = HeaderValue::try_from(&self.user_agent);
        let user_agent = user_agent.map_err(|error| TrackerError::InvalidUrl {
            reason: error.to_string(),
        })?;
        let response = self
            .client
            .get(question.url)
            .trust(question.trust)
            .expected_paths(question.is_expected)
            .header(header::USER_AGENT, user_agent)
            .header(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"))
            .send()
            .await
            .map_err(HttpError::into_kind)?;
        let (status, from) = (response.status(), response.remote_ip());
        let body = response.bytes().await.map_err(HttpError::into_kind)?;
        Ok(Answer {
            status,
            from,
            body: body::decompress(body, self.max_response_len)?,
        })
    }
}

impl From<ErrorKind> for TrackerError {
    fn from(error: ErrorKind) -> Self {
        match error {
            ErrorKind::InvalidUrl { reason } => Self::InvalidUrl { reason },
            ErrorKind::UnsupportedScheme { scheme } => Self::UnsupportedScheme { scheme },
            ErrorKind::AddressRefused { address } => Self::AddressRefused { address },
            ErrorKind::UrlRefused { address } => Self::UrlRefused { address },
            ErrorKind::TooManyRedirects { limit } => Self::TooManyRedirects { limit },
            ErrorKind::InsecureRedirect { host } => Self::InsecureRedirect { host },
            ErrorKind::TooLong { limit } => Self::TooLarge { limit },
            ErrorKind::Timeout { after } => Self::Timeout { after },
            ErrorKind::Tls { reason } => Self::Io {
                operation: "connect",
                kind: io::ErrorKind::Other,
                message: reason,
            },
            ErrorKind::Io {
                operation,
                kind,
                message,
            } => Self::Io {
                operation: match operation {
                    "ask the server" => "ask the tracker",
                    other => other,
                },
                kind,
                message,
            },
            other => Self::Io {
                operation: "ask the tracker",
                kind: io::ErrorKind::Other,
                message: other.to_string(),
            },
        }
    }
}
