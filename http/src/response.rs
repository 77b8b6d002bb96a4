//! A response: its head, and its body within limits.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{self, HeaderName};
use hyper::http::response::Parts;
use hyper::{Response as HyperResponse, StatusCode, Version};
use tokio::time::Instant;
use url::Url;

use crate::client::Shared;
use crate::error::{ErrorKind, HttpError};

/// A response whose head has come. Its body is read by [`chunk`](Self::chunk) or [`bytes`](Self::bytes); dropping it
/// before the end closes the connection, or the answer's stream of an HTTP/2 connection.
#[derive(Debug)]
pub struct Response {
    head: Parts,
    body: Incoming,
    url: Url,
    remote_ip: Option<IpAddr>,
    limit: usize,
    /// What is left of `limit`.
    left: usize,
    deadline: Deadline,
    /// Keeps the connection's task alive.
    shared: Arc<Shared>,
}

/// The deadline of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    at: Option<Instant>,
    after: Duration,
}

impl Deadline {
    pub(crate) fn after(timeout: Option<Duration>) -> Self {
        let after = timeout.unwrap_or(Duration::MAX);
        Self {
            // None also for a time that no clock reaches.
            at: Instant::now().checked_add(after),
            after,
        }
    }

    /// Runs one step within `step`, and within the deadline of the whole request.
    pub(crate) async fn limit<T>(
        self,
        step: Duration,
        waiting: impl Future<Output = T>,
    ) -> Result<T, ErrorKind> {
        let step_end = Instant::now().checked_add(step);
        let (end, after) = match (self.at, step_end) {
            (Some(whole), Some(step_end)) if step_end < whole => (step_end, step),
            (Some(whole), _) => (whole, self.after),
            (None, Some(step_end)) => (step_end, step),
            (None, None) => return Ok(waiting.await),
        };
        let waited = tokio::time::timeout_at(end, waiting).await;
        waited.map_err(|_| ErrorKind::Timeout { after })
    }
}

/// The range of a resource that a response holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ContentRange {
    /// The offset of the first byte.
    pub first: u64,
    /// The offset of the last byte, which is included.
    pub last: u64,
    /// The length of the whole in bytes, where the server knows it.
    pub total: Option<u64>,
}

impl ContentRange {
    /// Reads `bytes 0-499/1234` or `bytes 0-499/*` (RFC 9110, 14.4).
    fn parse(value: &str) -> Option<Self> {
        let (range, total) = value
            .trim()
            .strip_prefix("bytes ")?
            .trim()
            .split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last) = (number(first)?, number(last)?);
        let total = match total {
            "*" => None,
            total => Some(number(total)?),
        };
        let is_sound = first <= last && total.is_none_or(|total| last < total);
        is_sound.then_some(Self { first, last, total })
    }
}

/// Digits only: the standard library's parser takes a sign too.
fn number(text: &str) -> Option<u64> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| text.parse().ok())?
}

impl Response {
    pub(crate) fn new(
        response: HyperResponse<Incoming>,
        (url, remote_ip): (Url, Option<IpAddr>),
        limit: usize,
        deadline: Deadline,
        shared: Arc<Shared>,
    ) -> Self {
        let (head, body) = response.into_parts();
        Self {
            head,
            body,
            url,
            remote_ip,
            limit,
            left: limit,
            deadline,
            shared,
        }
    }

    /// The status; none of a redirect that could be followed.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.head.status
    }

    /// The URL that answered: the target of the last redirect, with its user name and password if it had them.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// The address that the answer came from, canonical; unknown behind a proxy.
    #[must_use]
    pub const fn remote_ip(&self) -> Option<IpAddr> {
        self.remote_ip
    }

    /// Whether it came over HTTP/2: dropping it before its end then leaves the connection as it is.
    #[must_use]
    pub fn is_http2(&self) -> bool {
        self.head.version == Version::HTTP_2
    }

    /// A header's value, if it is there and text; of several, the first.
    #[must_use]
    pub fn header(&self, name: HeaderName) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    /// The length of the body in bytes, as announced.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        number(self.header(header::CONTENT_LENGTH)?)
    }

    /// Which part of the resource the body is, as announced; `None` if the header is missing or contradicts itself.
    #[must_use]
    pub fn content_range(&self) -> Option<ContentRange> {
        ContentRange::parse(self.header(header::CONTENT_RANGE)?)
    }

    /// The next bytes of the body; `None` at its end.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLong`] as soon as it is known, [`ErrorKind::Timeout`], [`ErrorKind::Io`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, HttpError> {
        loop {
            // An announced length that is too long need not be waited for.
            let announced = self.body.size_hint().lower();
            if usize::try_from(announced).is_ok_and(|announced| announced > self.left) {
                return Err(self.too_long());
            }
            let step = self.shared.config.read_timeout;
            let frame = self.deadline.limit(step, self.body.frame()).await;
            let frame = match frame.map_err(|kind| self.error(kind))? {
                None => return Ok(None),
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    let kind = ErrorKind::innermost("read the answer", &error);
                    return Err(self.error(kind));
                }
            };
            // Trailers say nothing that is asked for.
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let Some(left) = self.left.checked_sub(data.len()) else {
                return Err(self.too_long());
            };
            self.left = left;
            return Ok(Some(data));
        }
    }

    /// The whole body.
    ///
    /// # Errors
    ///
    /// As [`chunk`](Self::chunk).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the answer and its connection.
    pub async fn bytes(mut self) -> Result<Vec<u8>, HttpError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn too_long(&self) -> HttpError {
        self.error(ErrorKind::TooLong { limit: self.limit })
    }

    fn error(&self, kind: ErrorKind) -> HttpError {
        HttpError::new(&self.url, kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_is_read_or_refused() {
        let range = |first, last, total| Some(ContentRange { first, last, total });
        for (text, expected) in [
            ("bytes 0-499/1234", range(0, 499, Some(1234))),
            ("bytes 5-5/*", range(5, 5, None)),
            ("bytes 5-4/*", None),
            ("bytes 0-10/10", None),
            ("bytes */10", None),
            ("bytes +1-2/3", None),
            ("bytes 1-/3", None),
            ("items 0-1/2", None),
            ("bytes 0-99999999999999999999/*", None),
            ("", None),
        ] {
            assert_eq!(ContentRange::parse(text), expected, "{text}");
        }
    }
}
